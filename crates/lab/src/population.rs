//! The customers of the estate, drawn from the seed: who they are, what they use, how large they are.

use crate::clock::{BASE, MINUTE, rfc3339};
use crate::layout::shard_name;
use crate::random::Random;

pub(crate) const JIRA: [&str; 4] =
    ["jira-software", "jira-work-management", "jira-service-management", "jira-product-discovery"];
pub(crate) const VENDORS: [&str; 4] = ["gridline", "northbeam", "quillworks", "tallyfox"];
const REGIONS: [&str; 5] = ["us-east", "us-west", "eu-central", "eu-west", "ap-southeast"];
const DAY: i64 = 24 * 60 * MINUTE;

/// One customer's container of products.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) hostname: String,
    pub(crate) shard: usize,
    pub(crate) region: &'static str,
    pub(crate) products: Vec<&'static str>,
    pub(crate) users: Vec<String>,
    pub(crate) apps: Vec<App>,
    pub(crate) plan: i64,
    pub(crate) created_at: String,
    /// About how many issues and pages the site holds.
    pub(crate) size: u64,
}

/// A third-party app that a site installed.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) vendor: &'static str,
}

impl Site {
    pub(crate) fn shard_name(&self) -> String {
        shard_name(self.shard)
    }

    /// A user of the site, by ID.
    pub(crate) fn someone(&self, random: &mut Random) -> &str {
        self.users.get(random.index(self.users.len())).map_or("nobody", String::as_str)
    }
}

/// Every site of the estate; the same seed and sizes give the same sites.
pub(crate) fn draw(seed: u64, sites: usize, shards: usize) -> Vec<Site> {
    let mut random = Random::new(seed, "population");
    (0..sites).map(|i| site(&mut random, i, shards)).collect()
}

fn site(random: &mut Random, i: usize, shards: usize) -> Site {
    let size = (random.lognormal(3.85, 1.05) as u64).clamp(4, 4_000);
    let users = (random.lognormal(2.6, 0.9) as usize).clamp(5, 500);
    let word = random.pick(&["acme", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "harbor"]);
    let name = format!("{word}-{i:05}");
    let mut products: Vec<&'static str> = Vec::new();
    for (product, share) in [
        (JIRA[0], 0.85),
        (JIRA[1], 0.25),
        (JIRA[2], 0.35),
        (JIRA[3], 0.12),
        ("confluence", 0.75),
        ("opsgenie", 0.2),
        ("statuspage", 0.12),
        ("access", 0.3),
        ("insight", 0.15),
    ] {
        if random.chance(share) {
            products.push(product);
        }
    }
    if products.is_empty() {
        products.push(JIRA[0]);
    }
    let apps = (0..(random.lognormal(0.0, 0.8) as usize).min(8))
        .map(|_| App { id: random.uuid(), vendor: random.pick(&VENDORS) })
        .collect();
    Site {
        id: random.uuid(),
        hostname: format!("{name}.lab.example"),
        name,
        shard: random.index(shards),
        region: random.pick(&REGIONS),
        products,
        users: (0..users).map(|_| random.uuid()).collect(),
        apps,
        plan: 1 + random.below(4) as i64,
        created_at: rfc3339(BASE - DAY * (30 + random.below(1_400) as i64)),
        size,
    }
}
