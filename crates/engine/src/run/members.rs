//! What one person may approve, of all that waits.

use std::collections::BTreeMap;

use crate::plan::ApprovalAt;
use crate::run::{Request, Run};

impl Run {
    /// Gates that wait for people and that an actor may approve: those of which [`Run::may_be_approved_by`] says so.
    pub fn requests_open_to<'a>(&'a self, actor: &'a str) -> impl Iterator<Item = Request<'a>> + 'a {
        // Groups have many members and steps have many gates.
        let mut is_member = once_for_each(move |at: ApprovalAt| {
            self.approval_at(at).is_some_and(|approval| self.is_member(approval, actor).is_ok())
        });
        self.requests().filter(move |request| {
            self.place_of(request.gate).is_some_and(&mut is_member)
                && self.is_open(request.gate).is_ok()
                && self.is_second(request.gate, actor).is_ok()
        })
    }
}

/// Asks once for each key, and remembers the answers.
fn once_for_each<K: Ord + Copy>(mut ask: impl FnMut(K) -> bool) -> impl FnMut(K) -> bool {
    let mut known = BTreeMap::new();
    move |key| *known.entry(key).or_insert_with(|| ask(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_is_checked_once_for_each_step() {
        let mut asked = Vec::new();
        let mut known = once_for_each(|step: u16| {
            asked.push(step);
            step == 1
        });
        let answers: Vec<bool> = [1, 2, 1, 1, 2].into_iter().map(&mut known).collect();
        drop(known);
        assert_eq!((answers, asked), (vec![true, false, true, true, false], vec![1, 2]));
    }
}
