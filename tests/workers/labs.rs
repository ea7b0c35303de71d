//! Labs on a host of their own: each run restores the sites of another one, beside tenants at work, by the shipped runbook.

use reinstate_tests::process::{ServedLab, shipped};
use serde_json::Value;

use crate::chaos::Estate;
use crate::fleet::Files;
use crate::hosts::Host;
use crate::place::BINARY;

pub struct Labs {
    host: Host,
    sites: u32,
    /// One for each run; the last one is served.
    labs: Vec<ServedLab>,
}

impl Labs {
    pub fn new(host: Host, sites: usize) -> Self {
        Self { host, sites: u32::try_from(sites).unwrap(), labs: Vec::new() }
    }
}

impl Estate for Labs {
    fn next(&mut self) -> Files {
        if let Some(lab) = self.labs.last_mut() {
            lab.stop();
        }
        let sizes = (2 * self.sites, self.sites, 3, self.labs.len() as u64 + 1);
        let lab = ServedLab::there(BINARY, sizes, &self.host.address, |command| self.host.inside(&command));
        let read = |name: &str| std::fs::read_to_string(lab.dir().join(name)).unwrap();
        let (estate, sites) = (read("estate.yaml"), read("sites.csv"));
        self.labs.push(lab);
        // Every step has a description.
        let runbook = std::fs::read_to_string(shipped("restoration-2.yaml")).unwrap();
        let (before, steps) = runbook.split_once("\nfinally:\n").unwrap();
        let steps = steps.replace("\n    description:", "\n    runs_on: [any]\n    description:");
        Files { runbook: format!("{before}\nfinally:\n{steps}"), estate, sites }
    }

    fn insist(&self, run: usize, _: &Value) {
        self.labs[run].insist(self.sites as usize, 0, &format!("r{run}"));
    }

    fn effects(&self, runs: usize) -> usize {
        // At least one for each site.
        runs * self.sites as usize
    }

    fn told(&self, runs: usize) -> String {
        format!("{runs} labs of which {} sites were restored each, equal to the truth", self.sites)
    }
}
