//! What a second delivery is given: the time that is left, and an attempt to spare.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use engine::{ActionSpec, ChaosMark, Disturbance, Outcome};
use runbook::Occasion;
use runtime::{Call, Connector, Probed, SecretText};
use server::drills::{Chaos, read_drill};
use tokio_util::sync::CancellationToken;

use crate::files::Place;

/// Notes the time that each call has; the second never ends if it is told so.
#[derive(Default)]
struct Notes {
    times: Mutex<Vec<Duration>>,
    stuck: bool,
}

#[async_trait]
impl Connector for Notes {
    fn actions(&self) -> Vec<ActionSpec> {
        Vec::new()
    }

    async fn apply(&self, call: Call) -> Outcome {
        let again = {
            let mut times = self.times.lock().unwrap();
            times.push(call.timeout);
            times.len() > 1
        };
        if again && self.stuck {
            std::future::pending::<()>().await;
        }
        Outcome::Done { outputs: None }
    }

    async fn probe(&self, _: Call) -> Probed {
        Outcome::Done { outputs: None }
    }
}

/// Chaos that delivers everything twice, in a step of four attempts.
fn chaos() -> Chaos {
    let place = Place::new("'true'", "'true'", "'true'");
    place.change("book.yaml", "timeout: 1m", "timeout: 1m, retry: { attempts: 4, delay: 20ms }");
    place.change("book.yaml", "command: ['true']", "command: ['true'], idempotent: true");
    let loaded = read_drill(&place.path("drill.yaml"), &connectors::catalogue()).unwrap().loaded.unwrap();
    let chaos = ChaosMark::Disturbed { by: Disturbance::Twice, step: None, against: "small-0".to_owned() };
    let ready = loaded.ready(&Occasion { slot: 1, seed: Some(1), chaos: Some(chaos) }, 1).unwrap();
    Chaos::of(&ready.plans.run).unwrap()
}

async fn called(chaos: &Chaos, notes: Notes, token: u64, timeout: Duration) -> (Outcome, Vec<Duration>) {
    let notes = Arc::new(notes);
    let call = Call {
        uses: "exec/run@1".to_owned(),
        key: ["small-1", "work", "s1"].join("/"),
        undoes: None,
        token,
        with: serde_json::Value::Null,
        secrets: SecretText::default(),
        log: runtime::Log::default(),
        timeout,
        cancel: CancellationToken::new(),
    };
    let outcome = chaos.around("small-1", &[notes.clone() as Arc<dyn Connector>])[0].apply(call).await;
    let times = notes.times.lock().unwrap().clone();
    (outcome, times)
}

#[tokio::test]
async fn a_second_delivery_has_what_is_left_of_the_time() {
    let (chaos, hour) = (chaos(), Duration::from_secs(3_600));
    let (outcome, times) = called(&chaos, Notes::default(), 1, hour).await;
    assert!(matches!(outcome, Outcome::Done { .. }));
    assert!(times.len() == 2 && times[0] == hour && times[1] < hour, "{times:?}");
    assert_eq!((chaos.told().twice, chaos.told().untouched.len()), (1, 0));
}

#[tokio::test]
async fn there_is_no_second_delivery_where_none_fits_and_none_of_the_last_attempt() {
    let (chaos, hour) = (chaos(), Duration::from_secs(3_600));
    for (token, timeout) in [(1, Duration::ZERO), (4, hour)] {
        let (outcome, times) = called(&chaos, Notes::default(), token, timeout).await;
        assert!(matches!(outcome, Outcome::Done { .. }) && times == [timeout], "{times:?}");
    }
    let told = chaos.told();
    assert_eq!((told.twice, told.untouched), (0, vec!["work".to_owned()]));
}

#[tokio::test]
async fn an_attempt_whose_second_delivery_does_not_end_in_time_is_in_doubt() {
    let stuck = Notes { stuck: true, ..Notes::default() };
    let (outcome, times) = called(&chaos(), stuck, 1, Duration::from_millis(300)).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }) && times.len() == 2, "{outcome:?}");
}
