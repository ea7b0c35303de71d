//! Random operations: every store answers as the reference in memory does, whatever comes.

use proptest::prelude::*;
use runtime::{Journal, Lease};

use crate::fixture::{Fixture, config, head, holder, memory, postgres_in, sqlite};
use crate::pattern;
use crate::schema::Schema;

/// One operation; small ranges, so that operations meet.
#[derive(Clone, Debug)]
enum Op {
    Create { run: u8 },
    Acquire { run: u8, who: u8, ttl: u16 },
    Renew { run: u8, epochs_back: u8, ttl: u16 },
    Release { run: u8, epochs_back: u8 },
    Append { run: u8, epochs_back: u8, ahead: i8, group: u16 },
    Advance { millis: u16 },
    Load { run: u8, from: u8, limit: u8 },
    Plan { run: u8 },
    List,
}

fn op() -> impl Strategy<Value = Op> {
    let (run, back, ttl) = (0..3_u8, 0..3_u8, 0..200_u16);
    prop_oneof![
        2 => run.clone().prop_map(|run| Op::Create { run }),
        3 => (run.clone(), 0..3_u8, ttl.clone()).prop_map(|(run, who, ttl)| Op::Acquire { run, who, ttl }),
        1 => (run.clone(), back.clone(), ttl).prop_map(|(run, epochs_back, ttl)| Op::Renew { run, epochs_back, ttl }),
        1 => (run.clone(), back.clone()).prop_map(|(run, epochs_back)| Op::Release { run, epochs_back }),
        8 => (run.clone(), prop_oneof![4 => Just(0_u8), 1 => back], prop_oneof![4 => Just(0_i8), 1 => -1..2_i8], any::<u16>())
            .prop_map(|(run, epochs_back, ahead, group)| Op::Append { run, epochs_back, ahead, group }),
        1 => (0..200_u16).prop_map(|millis| Op::Advance { millis }),
        1 => (run.clone(), 0..8_u8, 0..8_u8).prop_map(|(run, from, limit)| Op::Load { run, from, limit }),
        1 => run.prop_map(|run| Op::Plan { run }),
        1 => Just(Op::List),
    ]
}

/// What the caller of the operations remembers; the same for both journals.
#[derive(Default)]
struct Caller {
    epochs: [u64; 3],
    next: [i64; 3],
}

impl Caller {
    fn lease(&self, run: u8, epochs_back: u8) -> Lease {
        Lease { run: name(run), epoch: self.epochs[run as usize].saturating_sub(epochs_back.into()), was_left: false }
    }

    /// Does an operation and gives the answer as text, errors with all their fields.
    async fn ask(&self, it: &Fixture, op: &Op) -> String {
        let journal: &dyn Journal = &*it.journal;
        match *op {
            Op::Create { run } => format!("{:?}", journal.create(&head(&name(run)), &pattern::group(run.into())).await),
            Op::Acquire { run, who, ttl } => {
                format!("{:?}", journal.acquire(&name(run), &holder(&format!("holder {who}")), ttl.into()).await)
            }
            Op::Renew { run, epochs_back, ttl } => {
                format!("{:?}", journal.renew(&self.lease(run, epochs_back), ttl.into()).await)
            }
            Op::Release { run, epochs_back } => {
                format!("{:?}", journal.release(&self.lease(run, epochs_back)).await)
            }
            Op::Append { run, epochs_back, ahead, group } => {
                let expected = (self.next[run as usize] + i64::from(ahead)).max(0).unsigned_abs();
                let group = pattern::group(group.into());
                format!("{:?}", journal.append(&self.lease(run, epochs_back), expected, &group).await)
            }
            Op::Advance { millis } => {
                it.clock.advance(millis.into());
                String::new()
            }
            Op::Load { run, from, limit } => {
                format!("{:?}", journal.load(&name(run), from.into(), limit.into()).await)
            }
            Op::Plan { run } => format!("{:?}", journal.plan(&name(run)).await),
            Op::List => format!("{:?}", journal.list().await),
        }
    }

    fn learn(&mut self, op: &Op, answer: &str) {
        if answer.starts_with("Ok") {
            match *op {
                Op::Acquire { run, .. } => self.epochs[run as usize] += 1,
                Op::Append { run, .. } => self.next[run as usize] += 1,
                _ => {}
            }
        }
    }
}

fn name(run: u8) -> String {
    format!("run {run}")
}

#[test]
fn all_answer_as_memory_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let schema = Schema::new();
    proptest!(config(64), |(ops in proptest::collection::vec(op(), 1..60))| {
        runtime.block_on(async {
            let reference = memory();
            let tested = [sqlite().await, postgres_in(schema.clone()).await];
            let mut caller = Caller::default();
            for op in &ops {
                let expected = caller.ask(&reference, op).await;
                for tested in &tested {
                    prop_assert_eq!(&expected, &caller.ask(tested, op).await, "{:?} of {}", op, tested.name);
                }
                caller.learn(op, &expected);
            }
            for run in 0..3 {
                let whole = Op::Load { run, from: 0, limit: u8::MAX };
                let expected = caller.ask(&reference, &whole).await;
                for tested in &tested {
                    prop_assert_eq!(&expected, &caller.ask(tested, &whole).await, "{}", tested.name);
                }
            }
            Ok(())
        })?;
    });
}
