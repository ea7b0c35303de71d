//! Random operations on what runs share: every store answers as the reference in memory does, whatever comes.

use proptest::prelude::*;
use runtime::{DrillClaim, DrillResult, KEPT_MS, Lease, RunCopy, Store, ToClaim, Want};

use crate::claims::told;
use crate::fixture::{Fixture, config, head, holder, memory, postgres_in, sqlite};
use crate::schema::Schema;

/// One operation; small ranges, so that operations meet.
#[derive(Clone, Debug)]
enum Op {
    Create { run: u8, estate: u8, sites: Vec<u8> },
    Acquire { run: u8, ttl: u16 },
    Release { run: u8 },
    Hold { run: u8, estate: u8, sites: Vec<u8> },
    LetGo { run: u8, estate: u8, sites: Vec<u8> },
    LetGoAll { run: u8 },
    Holders { estate: u8 },
    Post { run: u8, ttl: u16 },
    Take { run: u8, stale: bool, after: u8 },
    Answer { run: u8, stale: bool, id: u8, text: u8 },
    Fate { id: u8 },
    Withdraw { id: u8 },
    Share { run: u8, stale: bool, wants: Vec<(u8, u8, u8, u8)> },
    Leave { run: u8, stale: bool },
    SetClaim { run: u8, subject: u8, expected: Option<u8>, to: Option<(u8, u16, bool)> },
    Claims { run: u8 },
    Discard { run: u8, stale: bool },
    Free,
    Copy { run: u8, estate: u8, sites: Vec<u8>, groups: u8 },
    Load { run: u8 },
    ClaimDrill { drill: u8, slot: u8, runbook: u8 },
    FinishDrill { drill: u8, slot: u8, ended_at: u8, proves: bool },
    Drills { by: u8 },
    Advance { millis: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let (run, estate, ttl, id) = (0..4_u8, 0..2_u8, 0..300_u16, 0..12_u8);
    let stale = prop_oneof![7 => Just(false), 1 => Just(true)];
    let sites = proptest::collection::vec(0..8_u8, 0..4);
    let wants = proptest::collection::btree_map(0..3_u8, (0..6_u8, 0..6_u8, 0..9_u8), 0..4)
        .prop_map(|wants| wants.into_iter().map(|(key, (limit, used, want))| (key, limit, used, want)).collect());
    let millis = prop_oneof![6 => 0..200_u64, 2 => Just(10_000), 1 => Just(KEPT_MS)];
    prop_oneof![
        2 => (run.clone(), estate.clone(), sites.clone()).prop_map(|(run, estate, sites)| Op::Create { run, estate, sites }),
        3 => (run.clone(), ttl.clone()).prop_map(|(run, ttl)| Op::Acquire { run, ttl }),
        1 => run.clone().prop_map(|run| Op::Release { run }),
        2 => (run.clone(), estate.clone(), sites.clone()).prop_map(|(run, estate, sites)| Op::Hold { run, estate, sites }),
        1 => (run.clone(), estate.clone(), sites.clone(), 0..3_u8)
            .prop_map(|(run, estate, sites, groups)| Op::Copy { run, estate, sites, groups }),
        1 => (run.clone(), estate.clone(), sites).prop_map(|(run, estate, sites)| Op::LetGo { run, estate, sites }),
        1 => run.clone().prop_map(|run| Op::LetGoAll { run }),
        1 => estate.prop_map(|estate| Op::Holders { estate }),
        3 => (run.clone(), ttl).prop_map(|(run, ttl)| Op::Post { run, ttl }),
        3 => (run.clone(), stale.clone(), id.clone()).prop_map(|(run, stale, after)| Op::Take { run, stale, after: after / 3 }),
        3 => (run.clone(), stale.clone(), id.clone(), any::<u8>())
            .prop_map(|(run, stale, id, text)| Op::Answer { run, stale, id, text }),
        3 => id.clone().prop_map(|id| Op::Fate { id }),
        1 => id.prop_map(|id| Op::Withdraw { id }),
        6 => (run.clone(), stale.clone(), wants).prop_map(|(run, stale, wants)| Op::Share { run, stale, wants }),
        1 => (run.clone(), stale.clone()).prop_map(|(run, stale)| Op::Discard { run, stale }),
        1 => Just(Op::Free),
        1 => run.clone().prop_map(|run| Op::Load { run }),
        2 => (0..3_u8, 0..6_u8, 0..3_u8).prop_map(|(drill, slot, runbook)| Op::ClaimDrill { drill, slot, runbook }),
        2 => (0..3_u8, 0..6_u8, 0..9_u8, any::<bool>())
            .prop_map(|(drill, slot, ended_at, proves)| Op::FinishDrill { drill, slot, ended_at, proves }),
        2 => (0..9_u8).prop_map(|by| Op::Drills { by }),
        1 => (run.clone(), stale).prop_map(|(run, stale)| Op::Leave { run, stale }),
        6 => (run.clone(), 0..2_u8, proptest::option::of(0..2_u8), proptest::option::of((0..2_u8, 0..300_u16, any::<bool>())))
            .prop_map(|(run, subject, expected, to)| Op::SetClaim { run, subject, expected, to }),
        2 => run.prop_map(|run| Op::Claims { run }),
        2 => millis.prop_map(|millis| Op::Advance { millis }),
    ]
}

fn sites(sites: &[u8]) -> Vec<String> {
    sites.iter().map(|site| format!("s{site}")).collect()
}

/// Does an operation and gives the answer as text, errors with all their fields.
async fn ask(it: &Fixture, epochs: &[u64; 4], op: &Op) -> String {
    let store: &dyn Store = &*it.journal;
    let name = |run: u8| format!("run {run}");
    let lease = |run: u8, stale: bool| Lease {
        run: name(run),
        epoch: epochs[run as usize].saturating_sub(stale.into()),
        was_left: false,
    };
    let estate = |estate: u8| ["prod", "drill"][estate as usize];
    match op {
        Op::Create { run, estate: at, sites: list } => {
            format!("{:?}", store.create_holding(&head(&name(*run)), b"plan", estate(*at), &sites(list)).await)
        }
        Op::Acquire { run, ttl } => format!("{:?}", store.acquire(&name(*run), &holder("x"), (*ttl).into()).await),
        Op::Release { run } => format!("{:?}", store.release(&lease(*run, false)).await),
        Op::Hold { run, estate: at, sites: list } => {
            format!("{:?}", store.hold_sites(&name(*run), estate(*at), &sites(list)).await)
        }
        Op::LetGo { run, estate: at, sites: list } => {
            format!("{:?}", store.let_go(&name(*run), estate(*at), &sites(list)).await)
        }
        Op::LetGoAll { run } => format!("{:?}", store.let_go_all(&name(*run)).await),
        Op::Holders { estate: at } => {
            let all: Vec<u8> = (0..8).collect();
            format!("{:?}", store.holders(estate(*at), &sites(&all)).await)
        }
        Op::Post { run, ttl } => format!("{:?}", store.post(&name(*run), &ttl.to_le_bytes(), (*ttl).into()).await),
        Op::Take { run, stale, after } => format!("{:?}", store.take(&lease(*run, *stale), (*after).into()).await),
        Op::Answer { run, stale, id, text } => {
            format!("{:?}", store.answer(&lease(*run, *stale), (*id).into(), &[*text]).await)
        }
        Op::Fate { id } => format!("{:?}", store.fate((*id).into()).await),
        Op::Withdraw { id } => format!("{:?}", store.withdraw((*id).into()).await),
        Op::Share { run, stale, wants } => {
            let wants: Vec<Want> = wants
                .iter()
                .map(|&(key, limit, used, want)| Want {
                    pool: "p".to_owned(),
                    key: key.to_string(),
                    limit: limit.into(),
                    used: used.into(),
                    want: want.into(),
                    unit: u32::from(want) % 4,
                })
                .collect();
            format!("{:?}", store.share(&lease(*run, *stale), "prod", &wants).await)
        }
        Op::Leave { run, stale } => format!("{:?}", store.leave(&lease(*run, *stale)).await),
        Op::SetClaim { run, subject, expected, to } => {
            let who = |who: u8| ["ann", "ben"][who as usize].to_owned();
            let to = to.map(|(to, ttl, noted)| ToClaim {
                who: who(to),
                ttl_ms: ttl.into(),
                note: noted.then(|| (who(to), "look again".to_owned())),
            });
            let expected = expected.map(who);
            let subject = subject.to_string();
            format!("{:?}", store.set_claim(&name(*run), &subject, expected.as_deref(), to.as_ref()).await)
        }
        Op::Claims { run } => told(store, &name(*run)).await,
        Op::Discard { run, stale } => format!("{:?}", store.discard(&lease(*run, *stale)).await),
        Op::Free => {
            // How much goes at once is each store's own.
            while store.free().await.unwrap().is_some() {}
            String::new()
        }
        Op::Copy { run, estate: at, sites: list, groups } => {
            let groups = (0..*groups).map(|group| vec![group]).collect();
            let (plan, estate) = (b"plan".to_vec(), estate(*at).to_owned());
            let copy = RunCopy { head: head(&name(*run)), plan, epoch: 9, groups, estate, sites: sites(list) };
            format!("{:?}", store.create_copy(&copy).await)
        }
        Op::Load { run } => format!("{:?}", store.load(&name(*run), 0, 9).await),
        Op::ClaimDrill { drill, slot, runbook } => {
            let (drill, slot) = (drill.to_string(), (*slot).into());
            let run = format!("drill {drill}/{slot}");
            let claim = DrillClaim { drill, slot, run, at: 0, runbook_hash: runbook.to_string() };
            format!("{:?}", store.claim_drill(&claim).await)
        }
        Op::FinishDrill { drill, slot, ended_at, proves } => {
            let ended_at = (*ended_at).into();
            let result = DrillResult { ended_at, good: true, proves: *proves, sites: 1, bytes: vec![7] };
            format!("{:?}", store.finish_drill(&drill.to_string(), (*slot).into(), &result).await)
        }
        Op::Drills { by } => {
            let by = (*by).into();
            let certificate = store.certificate("1", by).await;
            let (good, all) = (store.last_good_drill("1", by).await, store.drills(None, 99).await);
            format!("{:?} {good:?} {certificate:?} {all:?}", store.proofs(by).await)
        }
        Op::Advance { millis } => {
            it.clock.advance(i64::try_from(*millis).unwrap());
            String::new()
        }
    }
}

#[test]
fn all_share_as_memory_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let schema = Schema::new();
    proptest!(config(128), |(ops in proptest::collection::vec(op(), 1..80))| {
        runtime.block_on(async {
            let reference = memory();
            let tested = [sqlite().await, postgres_in(schema.clone()).await];
            let mut epochs = [0; 4];
            for op in &ops {
                let expected = ask(&reference, &epochs, op).await;
                for tested in &tested {
                    prop_assert_eq!(&expected, &ask(tested, &epochs, op).await, "{:?} of {}", op, tested.name);
                }
                match op {
                    Op::Acquire { run, .. } if expected.starts_with("Ok") => epochs[*run as usize] += 1,
                    Op::Copy { run, .. } if expected.starts_with("Ok") => epochs[*run as usize] = 9,
                    _ => {}
                }
            }
            Ok(())
        })?;
    });
}
