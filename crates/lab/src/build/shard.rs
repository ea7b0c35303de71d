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

struct Generator<'a> {
    random: Random,
    sites: &'a [Site],
    content: Content,
    /// Issues of each site so far, for links over products.
    issues: Vec<Vec<i64>>,
    numbers: Vec<u64>,
}

/// Draws the content of the shard with this index.
pub(crate) fn generate(seed: u64, shard: usize, sites: &[Site]) -> Content {
    let tables = SHARD.tables.len();
    let mut g = Generator {
        random: Random::new(seed, &format!("shard {shard}")),
        sites,
        content: Content {
            rows: vec![Vec::new(); tables],
            owners: vec![Vec::new(); tables],
            objects: Vec::new(),
        },
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
    let parts = site
        .products
        .iter()
        .filter(|p| JIRA.contains(p) || **p == "confluence")
        .count();
    let share = site.size / parts.max(1) as u64;
    for product in &site.products {
        match *product {
            "confluence" => {
                for _ in 0..=share / 40 {
                    chunks.push((
                        i,
                        Chunk::Space {
                            pages: share.min(40),
                        },
                    ));
                }
            }
            "opsgenie" => chunks.extend((0..=site.size / 60).map(|_| (i, Chunk::Team))),
            "statuspage" => chunks.push((i, Chunk::StatusPage)),
            "access" => chunks.extend((0..2).map(|_| (i, Chunk::Policy))),
            "insight" => last.push((i, Chunk::Assets)),
            product => {
                for _ in 0..=share / 50 {
                    chunks.push((
                        i,
                        Chunk::Project {
                            product,
                            issues: share.min(50),
                        },
                    ));
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
            self.content.rows[plans].push(vec![
                Value::Int(id),
                code.into(),
                Value::Int(seats),
                Value::Int(price),
            ]);
        }
        let types = SHARD.position("issue_types").unwrap_or(0);
        for (id, name) in [(1, "task"), (2, "bug"), (3, "story"), (4, "incident")] {
            self.content.rows[types].push(vec![Value::Int(id), name.into()]);
        }
    }

    fn add(&mut self, table: &str, site: usize, row: Row) {
        if let Some(position) = SHARD.position(table) {
            self.content.rows[position].push(row);
            self.content.owners[position].push(site);
        }
    }

    /// Adds a row behind the next free ID of the table; gives the ID.
    fn grow(&mut self, table: &str, site: usize, columns: Vec<Value>) -> i64 {
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

    fn site_id(&self, site: usize) -> Value {
        self.sites[site].id.as_str().into()
    }

    fn next_number(&mut self, site: usize) -> u64 {
        self.numbers[site] += 1;
        self.numbers[site]
    }

    fn earlier(&mut self) -> Value {
        rfc3339(BASE - MINUTE * (1 + self.random.below(400_000) as i64)).into()
    }

    fn text(&mut self, words: usize) -> Value {
        self.random.words(words).into()
    }

    fn user(&mut self, site: usize) -> Value {
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

    fn project(&mut self, site: usize, product: &str, issues: u64) {
        let number = self.next_number(site);
        let lead = if self.random.chance(0.8) {
            self.user(site)
        } else {
            Value::Null
        };
        let name = self.text(2);
        let project = self.grow(
            "projects",
            site,
            vec![
                self.site_id(site),
                product.into(),
                format!("P{number}").into(),
                name,
                lead,
                Value::Int(issues as i64 + 1),
            ],
        );
        let board = self.grow(
            "boards",
            site,
            vec![
                project.into(),
                format!("board {number}").into(),
                "kanban".into(),
            ],
        );
        let sprint = self.grow(
            "sprints",
            site,
            vec![board.into(), "sprint 1".into(), "active".into()],
        );
        let mut mine: Vec<i64> = Vec::new();
        for n in 1..=issues {
            let parent = (!mine.is_empty() && self.random.chance(0.15))
                .then(|| mine[self.random.index(mine.len())]);
            let sprint = self.random.chance(0.3).then_some(sprint);
            let estimate = if self.random.chance(0.3) {
                Value::real(self.random.below(40) as f64 / 4.0)
            } else {
                Value::Null
            };
            let words = 3 + self.random.index(5);
            let (kind, summary, reporter, at) = (
                1 + self.random.below(4) as i64,
                self.text(words),
                self.user(site),
                self.earlier(),
            );
            let status = self.random.pick(&["open", "doing", "review", "done"]);
            let issue = self.grow(
                "issues",
                site,
                vec![
                    project.into(),
                    kind.into(),
                    parent.into(),
                    sprint.into(),
                    Value::Int(n as i64),
                    summary,
                    status.into(),
                    reporter,
                    estimate,
                    at,
                ],
            );
            while self.random.chance(0.4) {
                let (author, body, at) = (self.user(site), self.text(10), self.earlier());
                self.grow("comments", site, vec![issue.into(), author, body, at]);
            }
            if self.random.chance(0.05) {
                self.attach("attachments", site, issue);
            }
            if !mine.is_empty() && self.random.chance(0.08) {
                let target = mine[self.random.index(mine.len())];
                self.add(
                    "issue_links",
                    site,
                    vec![issue.into(), target.into(), "blocks".into()],
                );
            }
            mine.push(issue);
        }
        if product == "jira-service-management" {
            let filter = self.text(3);
            self.grow(
                "queues",
                site,
                vec![project.into(), "all open".into(), filter],
            );
        }
        if product == "jira-product-discovery" {
            for _ in 0..3 {
                let delivered = (!mine.is_empty() && self.random.chance(0.5))
                    .then(|| mine[self.random.index(mine.len())]);
                let (title, score) = (self.text(4), self.random.below(100) as i64);
                self.grow(
                    "ideas",
                    site,
                    vec![project.into(), title, score.into(), delivered.into()],
                );
            }
        }
        self.issues[site].extend(mine);
    }

    fn attach(&mut self, table: &str, site: usize, to: i64) {
        let id = self.random.uuid();
        let len = 100 + self.random.index(1_901);
        let name = format!(
            "{}.bin",
            self.random
                .pick(&["log", "photo", "trace", "scan", "draft"])
        );
        let bytes = self.random.bytes(len);
        self.grow(
            table,
            site,
            vec![to.into(), id.as_str().into(), name.as_str().into()],
        );
        self.content.objects.push(Object {
            id,
            site: self.sites[site].id.clone(),
            name,
            bytes,
        });
    }

    fn space(&mut self, site: usize, pages: u64) {
        let number = self.next_number(site);
        let name = self.text(2);
        let space = self.grow(
            "spaces",
            site,
            vec![self.site_id(site), format!("S{number}").into(), name],
        );
        let mut mine: Vec<i64> = Vec::new();
        for _ in 0..pages {
            let parent = (!mine.is_empty() && self.random.chance(0.8))
                .then(|| mine[self.random.index(mine.len())]);
            let words = 10 + self.random.index(30);
            let (title, body, author, at) = (
                self.text(3),
                self.text(words),
                self.user(site),
                self.earlier(),
            );
            let version = 1 + self.random.below(9) as i64;
            let page = self.grow(
                "pages",
                site,
                vec![
                    space.into(),
                    parent.into(),
                    title,
                    body,
                    version.into(),
                    author,
                    at,
                ],
            );
            if self.random.chance(0.07) {
                self.attach("page_attachments", site, page);
            }
            if self.random.chance(0.25) {
                let label = self.random.pick(&["howto", "decision", "draft", "meeting"]);
                self.add("labels", site, vec![page.into(), label.into()]);
            }
            mine.push(page);
        }
    }

    fn team(&mut self, site: usize) {
        let team = self.grow("teams", site, vec![self.site_id(site), "on call".into()]);
        self.grow(
            "schedules",
            site,
            vec![team.into(), "weekly".into(), "{\"days\":7}".into()],
        );
        for _ in 0..self.random.below(12) {
            let payload = if self.random.chance(0.7) {
                let len = 8 + self.random.index(40);
                Value::Blob(self.random.bytes(len))
            } else {
                Value::Null
            };
            let (message, priority, at) = (
                self.text(4),
                1 + self.random.below(5) as i64,
                self.earlier(),
            );
            self.grow(
                "alerts",
                site,
                vec![
                    team.into(),
                    message,
                    priority.into(),
                    "open".into(),
                    payload,
                    at,
                ],
            );
        }
    }

    fn status_page(&mut self, site: usize) {
        let subdomain = format!("status-{}", self.sites[site].name);
        let page = self.grow(
            "status_pages",
            site,
            vec![self.site_id(site), "status".into(), subdomain.into()],
        );
        for component in ["web", "api", "mail"] {
            let component = self.grow(
                "components",
                site,
                vec![page.into(), component.into(), "operational".into()],
            );
            for _ in 0..self.random.below(3) {
                let (title, at) = (self.text(4), self.earlier());
                self.grow(
                    "incidents",
                    site,
                    vec![component.into(), title, "minor".into(), at],
                );
            }
        }
    }

    fn policy(&mut self, site: usize) {
        let name = self.text(2);
        let policy = self.grow(
            "access_policies",
            site,
            vec![self.site_id(site), name, "authentication".into()],
        );
        for _ in 0..1 + self.random.below(4) {
            let subject = self.user(site);
            self.grow(
                "access_rules",
                site,
                vec![policy.into(), subject, "allow".into()],
            );
        }
    }

    fn assets(&mut self, site: usize) {
        let schema = self.grow(
            "object_schemas",
            site,
            vec![self.site_id(site), "hardware".into()],
        );
        for _ in 0..2 + self.sites[site].size / 10 {
            let len = 16 + self.random.index(64);
            let (name, attributes) = (self.text(2), Value::Blob(self.random.bytes(len)));
            let asset = self.grow(
                "assets",
                site,
                vec![schema.into(), "laptop".into(), name, attributes],
            );
            if !self.issues[site].is_empty() && self.random.chance(0.5) {
                let issue = self.issues[site][self.random.index(self.issues[site].len())];
                self.add("asset_issues", site, vec![asset.into(), issue.into()]);
            }
        }
    }
}
