//! The rows of one shard at the full backup: tenants interleaved, as years of use leave them.

use crate::clock::{BASE, MINUTE, rfc3339};
use crate::population::{JIRA, Site};
use crate::random::Random;
use crate::schema::SHARD;
use crate::value::{Row, Value};

/// An attachment that lies in the media store.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) id: String,
    pub(crate) site: String,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that a shard holds: rows with the position of their site, per table.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) rows: Vec<Vec<Row>>,
    /// The site of each row, in step with `rows`; empty for shared tables.
    pub(crate) owners: Vec<Vec<usize>>,
    pub(crate) objects: Vec<Object>,
}

/// A part of a site that was created in one go.
enum Chunk {
    Project { product: &'static str, issues: u64 },
    Space { pages: u64 },
    Team,
    StatusPage,
    Policy,
    Assets,
}

pub(super) struct Generator<'a> {
    pub(super) random: Random,
    pub(super) sites: &'a [Site],
    pub(super) content: Content,
    /// Issues of each site so far, for links over products.
    pub(super) issues: Vec<Vec<i64>>,
    numbers: Vec<u64>,
}

/// Draws the content of the shard with this index.
pub(crate) fn generate(seed: u64, shard: usize, sites: &[Site]) -> Content {
    let tables = SHARD.tables.len();
    let mut g = Generator {
        random: Random::new(seed, &format!("shard {shard}")),
        sites,
        content: Content { rows: vec![Vec::new(); tables], owners: vec![Vec::new(); tables], objects: Vec::new() },
        issues: vec![Vec::new(); sites.len()],
        numbers: vec![0; sites.len()],
    };
    g.shared();
    let mut chunks = Vec::new();
    let mut last = Vec::new();
    for (i, site) in sites.iter().enumerate().filter(|(_, s)| s.shard == shard) {
        g.add(
            "sites",
            i,
            vec![
                site.id.as_str().into(),
                site.name.as_str().into(),
                site.hostname.as_str().into(),
                site.plan.into(),
                site.created_at.as_str().into(),
            ],
        );
        plan(site, i, &mut chunks, &mut last);
    }
    g.random.shuffle(&mut chunks);
    for (site, chunk) in chunks.into_iter().chain(last) {
        g.chunk(site, &chunk);
    }
    g.content
}

fn plan(site: &Site, i: usize, chunks: &mut Vec<(usize, Chunk)>, last: &mut Vec<(usize, Chunk)>) {
    let parts = site.products.iter().filter(|p| JIRA.contains(p) || **p == "confluence").count();
    let share = site.size / parts.max(1) as u64;
    for product in &site.products {
        match *product {
            "confluence" => {
                for _ in 0..=share / 40 {
                    chunks.push((i, Chunk::Space { pages: share.min(40) }));
                }
            }
            "opsgenie" => chunks.extend((0..=site.size / 60).map(|_| (i, Chunk::Team))),
            "statuspage" => chunks.push((i, Chunk::StatusPage)),
            "access" => chunks.extend((0..2).map(|_| (i, Chunk::Policy))),
            "insight" => last.push((i, Chunk::Assets)),
            product => {
                for _ in 0..=share / 50 {
                    chunks.push((i, Chunk::Project { product, issues: share.min(50) }));
                }
            }
        }
    }
}

impl Generator<'_> {
    fn shared(&mut self) {
        let plans = SHARD.position("plans").unwrap_or(0);
        for (id, code, seats, price) in [
            (1, "free", 10, 0),
            (2, "standard", 100, 775),
            (3, "premium", 1_000, 1_525),
            (4, "enterprise", 50_000, 2_400),
        ] {
            self.content.rows[plans].push(vec![Value::Int(id), code.into(), Value::Int(seats), Value::Int(price)]);
        }
        let types = SHARD.position("issue_types").unwrap_or(0);
        for (id, name) in [(1, "task"), (2, "bug"), (3, "story"), (4, "incident")] {
            self.content.rows[types].push(vec![Value::Int(id), name.into()]);
        }
    }

    pub(super) fn add(&mut self, table: &str, site: usize, row: Row) {
        if let Some(position) = SHARD.position(table) {
            self.content.rows[position].push(row);
            self.content.owners[position].push(site);
        }
    }

    /// Adds a row behind the next free ID of the table; gives the ID.
    pub(super) fn grow(&mut self, table: &str, site: usize, columns: Vec<Value>) -> i64 {
        let Some(position) = SHARD.position(table) else {
            return 0;
        };
        let id = self.content.rows[position].len() as i64 + 1;
        let mut row = Vec::with_capacity(columns.len() + 1);
        row.push(Value::Int(id));
        row.extend(columns);
        self.content.rows[position].push(row);
        self.content.owners[position].push(site);
        id
    }

    pub(super) fn site_id(&self, site: usize) -> Value {
        self.sites[site].id.as_str().into()
    }

    pub(super) fn next_number(&mut self, site: usize) -> u64 {
        self.numbers[site] += 1;
        self.numbers[site]
    }

    pub(super) fn earlier(&mut self) -> Value {
        rfc3339(BASE - MINUTE * (1 + self.random.below(400_000) as i64)).into()
    }

    pub(super) fn text(&mut self, words: usize) -> Value {
        self.random.words(words).into()
    }

    pub(super) fn user(&mut self, site: usize) -> Value {
        self.sites[site].someone(&mut self.random).into()
    }

    fn chunk(&mut self, site: usize, chunk: &Chunk) {
        match chunk {
            Chunk::Project { product, issues } => self.project(site, product, *issues),
            Chunk::Space { pages } => self.space(site, *pages),
            Chunk::Team => self.team(site),
            Chunk::StatusPage => self.status_page(site),
            Chunk::Policy => self.policy(site),
            Chunk::Assets => self.assets(site),
        }
    }
}
