//! The chain of a journal: each group carries the hash of the one before, the first that of the run's name and plan.
//!
//! Who changes, leaves out, adds or moves a group must write every later one anew; the head, noted elsewhere, then tells.

use std::fmt;
use std::str::FromStr;

use crate::codec::{DecodedGroup, GroupError, GroupWriter, decode_group};
use crate::event::Record;

/// What a group is known by: a BLAKE3 hash of 32 bytes, shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link([u8; 32]);

impl Link {
    /// The link of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    /// What the first group of a run is written after.
    #[must_use]
    pub fn first(run: &str, plan_hash: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("reinstate 2026 the start of a journal");
        hasher.update(&(run.len() as u64).to_le_bytes());
        hasher.update(run.as_bytes());
        hasher.update(plan_hash.as_bytes());
        Self(hasher.finalize().into())
    }

    fn joined(before: &Self, own: &Self) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("reinstate 2026 a group without a link");
        hasher.update(&before.0);
        hasher.update(&own.0);
        Self(hasher.finalize().into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Link {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(LinkError);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            // `from_str_radix` would take a sign.
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
            *byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(LinkError)?;
        }
        Ok(Self(bytes))
    }
}

/// The text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hexadecimal digits")]
pub struct LinkError;

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({self})")
    }
}

/// Follows a journal group by group.
#[derive(Clone, Debug)]
pub struct Chain {
    head: Link,
    /// Whether a group has said what it was written after: none may leave it out from then on.
    linked: bool,
}

impl Chain {
    /// The chain of a run before its first group.
    #[must_use]
    pub fn of(run: &str, plan_hash: &str) -> Self {
        Self { head: Link::first(run, plan_hash), linked: false }
    }

    /// The link of the newest group.
    #[must_use]
    pub fn head(&self) -> Link {
        self.head
    }

    /// Takes the next group and gives its records.
    ///
    /// # Errors
    /// As [`decode_group`], and [`GroupError::Unchained`] if it was not written after the newest; the chain stays where it
    /// was.
    pub fn follow(&mut self, group: &[u8]) -> Result<Vec<Record>, GroupError> {
        let DecodedGroup { after, link, records } = decode_group(group)?;
        match after {
            Some(after) if after != self.head => return Err(GroupError::Unchained),
            None if self.linked => return Err(GroupError::Unchained),
            _ => {}
        }
        // A group of an older format says nothing of what is before it: the chain holds that by itself.
        let head = if after.is_some() { link } else { Link::joined(&self.head, &link) };
        *self = Self { head, linked: self.linked || after.is_some() };
        Ok(records)
    }

    /// Begins the next group.
    #[must_use]
    pub fn writer(&self) -> GroupWriter {
        GroupWriter::after(self.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    /// The groups of a run, each with one record.
    fn journal(count: usize) -> Vec<Vec<u8>> {
        let mut chain = Chain::of("run", "plan");
        (0..count)
            .map(|number| {
                let mut writer = chain.writer();
                let event = Event::Opened { actor: format!("anna {number}").into(), plan: "plan".into() };
                writer.push(&Record { at: 5, event });
                let group = writer.finish();
                assert_eq!(chain.follow(&group.bytes).map(|records| records.len()), Ok(1));
                assert_eq!(chain.head(), group.link);
                group.bytes
            })
            .collect()
    }

    fn first_fault(groups: &[Vec<u8>]) -> Option<(usize, GroupError)> {
        let mut chain = Chain::of("run", "plan");
        groups.iter().enumerate().find_map(|(at, group)| chain.follow(group).err().map(|error| (at, error)))
    }

    #[test]
    fn a_group_that_was_changed_left_out_moved_or_put_in_is_found() {
        let whole = journal(6);
        assert_eq!(first_fault(&whole), None);
        // Written anew with a checksum of its own: the next one was not written after it.
        let mut writer = {
            let mut chain = Chain::of("run", "plan");
            whole[..2].iter().for_each(|group| drop(chain.follow(group).expect("whole")));
            chain.writer()
        };
        writer.push(&Record { at: 5, event: Event::Opened { actor: "bob".into(), plan: "plan".into() } });
        let mut changed = whole.clone();
        changed[2] = writer.finish().bytes;
        assert_eq!(first_fault(&changed), Some((3, GroupError::Unchained)));
        let mut without = whole.clone();
        without.remove(3);
        assert_eq!(first_fault(&without), Some((3, GroupError::Unchained)));
        let mut moved = whole.clone();
        moved.swap(1, 4);
        assert_eq!(first_fault(&moved), Some((1, GroupError::Unchained)));
        let mut twice = whole.clone();
        twice.insert(2, whole[1].clone());
        assert_eq!(first_fault(&twice), Some((2, GroupError::Unchained)));
        let of_another: Vec<_> = {
            let mut chain = Chain::of("another", "plan");
            whole.iter().filter_map(|group| chain.follow(group).err()).collect()
        };
        assert_eq!(of_another, vec![GroupError::Unchained; 6]);
    }

    #[test]
    fn a_link_is_read_as_it_is_shown() {
        let link = Link::first("run", "plan");
        assert_eq!(link.to_string().parse(), Ok(link));
        for text in ["", "12", &"+1".repeat(32), &"é".repeat(32), &link.to_string()[1..]] {
            assert_eq!(text.parse::<Link>(), Err(LinkError), "{text}");
        }
    }

    #[test]
    fn a_group_of_an_older_format_has_no_place_after_one_with_a_link() {
        // Format 2: as format 3, without the link.
        let old = |group: &[u8]| {
            let mut bytes = vec![2];
            bytes.extend_from_slice(&group[33..group.len() - 4]);
            let check = Link::of(&bytes);
            bytes.extend_from_slice(&check.as_bytes()[..4]);
            bytes
        };
        let whole = journal(3);
        let mut chain = Chain::of("run", "plan");
        for group in &whole[..2] {
            assert_eq!(chain.follow(&old(group)).map(|records| records.len()), Ok(1));
        }
        // Went on by a version that links: after the hash of all that is there.
        let next = chain.writer().finish();
        assert_eq!(chain.follow(&next.bytes), Ok(vec![]));
        for changed in [[&whole[2], &whole[1]], [&whole[1], &whole[0]]] {
            let mut chain = Chain::of("run", "plan");
            changed.iter().for_each(|group| drop(chain.follow(&old(group)).expect("whole by itself")));
            assert_eq!(chain.follow(&next.bytes), Err(GroupError::Unchained), "the first of old groups counts as well");
        }
        assert_eq!(chain.follow(&old(&whole[1])), Err(GroupError::Unchained));
        assert_eq!(chain.head(), next.link);
    }
}
