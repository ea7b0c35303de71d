//! What a plan says of the drill that it is part of: the journal of a run so tells by itself that it was a drill.

use serde::{Deserialize, Serialize};

use crate::ids::Millis;

/// The drill that a run is part of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrillMark {
    /// Name of the drill.
    pub name: String,
    /// The time for which it was due; for one that somebody started, when that was.
    pub slot: Millis,
    /// Which of its runs this is.
    pub part: DrillPart,
    /// What sites and restore points were drawn with.
    pub seed: u64,
    /// Sites of the list that the sample was drawn from.
    pub listed: u32,
    /// Sites that the sample asks for, which may be more than the list has.
    pub asked: u32,
    /// How much earlier the restore points are than those that the runbook gives.
    pub earlier_ms: u64,
    /// Whether the run is taken back before the clean-up.
    pub take_back: bool,
    /// What it is judged by.
    pub objectives: DrillObjectives,
    /// What it is to a chaos drill; `None` for one that stands by itself.
    pub chaos: Option<ChaosMark>,
}

/// What a drill is to a chaos drill, which is several drills over the same sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChaosMark {
    /// It is left alone: the others are held against it.
    Undisturbed,
    /// Attempts of its run are disturbed, by its seed.
    Disturbed {
        /// By what.
        by: Disturbance,
        /// The only step that is, if not all are.
        step: Option<String>,
        /// Name of the run of the one that is left alone.
        against: String,
    },
}

/// What is done to attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disturbance {
    /// Everything that can happen to one.
    #[default]
    All,
    /// They are delivered twice.
    Twice,
    /// They are cut off, or their answer is lost.
    Cut,
}

/// The runs of a drill, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DrillPart {
    /// Makes the sandbox ready.
    SetUp,
    /// The runbook itself: what is judged.
    Run,
    /// Says how the sandbox stands after the run, before anything is taken back.
    Compare,
    /// Leaves the sandbox as it should be found.
    CleanUp,
}

/// What a drill is judged by; `None` where it asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DrillObjectives {
    /// Within this time 95 of 100 sites are back and verified, in milliseconds; a site that is not back never is.
    pub rto_p95_ms: Option<u64>,
    /// No site loses more than this, in milliseconds.
    pub rpo_max_ms: Option<u64>,
    /// Sites back per hour, at least.
    pub throughput_min: Option<f64>,
    /// Sites that may come back otherwise than whole, at most.
    pub exceptions: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Batches, PLAN_FORMAT, Plan, PlanSpec};
    use crate::sites::{Sites, Texts};

    fn spec(format: u16) -> PlanSpec {
        let ids: Texts = ["a", "b"].into_iter().collect();
        PlanSpec {
            format,
            sites: Sites { ids, source_rows: vec![1, 2], columns: Vec::new(), restore_points: Vec::new() },
            batches: Batches { ends: vec![2], max_failures: vec![0], ..Batches::default() },
            ..PlanSpec::default()
        }
    }

    #[test]
    fn a_plan_of_an_older_format_is_read_and_is_what_it_was() {
        // Format 2 ended before the mark of a drill, the word after it, the checklists, and where steps run; 3 before the last.
        for (format, later) in [(2, 4), (3, 1)] {
            let mut bytes = postcard::to_allocvec(&spec(format)).expect("plain data");
            let ended = bytes.split_off(bytes.len() - later);
            assert_eq!(ended, vec![0; later]);
            let plan = Plan::decode(&bytes).expect("an older format is read");
            assert_eq!(plan.spec(), &spec(format));
            assert_eq!(plan.hash(), blake3::hash(&bytes).to_hex().as_str());
        }
    }

    #[test]
    fn the_mark_of_a_drill_comes_back() {
        let mark = DrillMark {
            name: "weekly".into(),
            slot: 77,
            part: DrillPart::CleanUp,
            seed: 5,
            listed: 883,
            asked: 40,
            earlier_ms: 60_000,
            take_back: true,
            objectives: DrillObjectives { throughput_min: Some(1.5), ..DrillObjectives::default() },
            chaos: Some(ChaosMark::Disturbed {
                by: Disturbance::Cut,
                step: Some("copy".into()),
                against: "weekly-1".into(),
            }),
        };
        let mut spec = spec(PLAN_FORMAT);
        spec.extras.drill = Some(mark);
        let bytes = Plan::new(spec.clone()).expect("admitted").encode().expect("encoded");
        assert_eq!(Plan::decode(&bytes).expect("decoded").spec(), &spec);
    }
}
