//! What a project, space, team... of a site looks like in the product databases.

use super::shard::{Generator, Object};
use crate::value::Value;

impl Generator<'_> {
    pub(super) fn project(&mut self, site: usize, product: &str, issues: u64) {
        let number = self.next_number(site);
        let lead = if self.random.chance(0.8) { self.user(site) } else { Value::Null };
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
        let board = self.grow("boards", site, vec![project.into(), format!("board {number}").into(), "kanban".into()]);
        let sprint = self.grow("sprints", site, vec![board.into(), "sprint 1".into(), "active".into()]);
        let mut mine: Vec<i64> = Vec::new();
        for n in 1..=issues {
            let parent = (!mine.is_empty() && self.random.chance(0.15)).then(|| mine[self.random.index(mine.len())]);
            let sprint = self.random.chance(0.3).then_some(sprint);
            let estimate =
                if self.random.chance(0.3) { Value::real(self.random.below(40) as f64 / 4.0) } else { Value::Null };
            let words = 3 + self.random.index(5);
            let (kind, summary, reporter, at) =
                (1 + self.random.below(4) as i64, self.text(words), self.user(site), self.earlier());
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
            if self.random.chance(0.03) {
                self.attach("attachments", site, issue);
            }
            if !mine.is_empty() && self.random.chance(0.08) {
                let target = mine[self.random.index(mine.len())];
                self.add("issue_links", site, vec![issue.into(), target.into(), "blocks".into()]);
            }
            mine.push(issue);
        }
        if product == "jira-service-management" {
            let filter = self.text(3);
            self.grow("queues", site, vec![project.into(), "all open".into(), filter]);
        }
        if product == "jira-product-discovery" {
            for _ in 0..3 {
                let delivered =
                    (!mine.is_empty() && self.random.chance(0.5)).then(|| mine[self.random.index(mine.len())]);
                let (title, score) = (self.text(4), self.random.below(100) as i64);
                self.grow("ideas", site, vec![project.into(), title, score.into(), delivered.into()]);
            }
        }
        self.issues[site].extend(mine);
    }

    fn attach(&mut self, table: &str, site: usize, to: i64) {
        let id = self.random.uuid();
        let len = 100 + self.random.index(1_901);
        let name = format!("{}.bin", self.random.pick(&["log", "photo", "trace", "scan", "draft"]));
        let bytes = self.random.bytes(len);
        self.grow(table, site, vec![to.into(), id.as_str().into(), name.as_str().into()]);
        self.content.objects.push(Object { id, site: self.sites[site].id.clone(), name, bytes });
    }

    pub(super) fn space(&mut self, site: usize, pages: u64) {
        let number = self.next_number(site);
        let name = self.text(2);
        let space = self.grow("spaces", site, vec![self.site_id(site), format!("S{number}").into(), name]);
        let mut mine: Vec<i64> = Vec::new();
        for _ in 0..pages {
            let parent = (!mine.is_empty() && self.random.chance(0.8)).then(|| mine[self.random.index(mine.len())]);
            let words = 10 + self.random.index(30);
            let (title, mut body, author, at) = (self.text(3), self.text(words), self.user(site), self.earlier());
            // The ID of a site is in what its people wrote, too.
            if mine.is_empty() {
                body = format!("cloud:{}/space/S{number} {}", self.sites[site].id, body.as_text().unwrap_or("")).into();
            }
            let version = 1 + self.random.below(9) as i64;
            let page =
                self.grow("pages", site, vec![space.into(), parent.into(), title, body, version.into(), author, at]);
            if self.random.chance(0.04) {
                self.attach("page_attachments", site, page);
            }
            if self.random.chance(0.25) {
                let label = self.random.pick(&["howto", "decision", "draft", "meeting"]);
                self.add("labels", site, vec![page.into(), label.into()]);
            }
            mine.push(page);
        }
    }

    pub(super) fn team(&mut self, site: usize) {
        let team = self.grow("teams", site, vec![self.site_id(site), "on call".into()]);
        let rotation = format!("{{\"days\":7,\"site\":\"{}\"}}", self.sites[site].id);
        self.grow("schedules", site, vec![team.into(), "weekly".into(), rotation.into()]);
        for _ in 0..self.random.below(12) {
            let payload = if self.random.chance(0.7) {
                let len = 8 + self.random.index(40);
                Value::Blob(self.random.bytes(len))
            } else {
                Value::Null
            };
            let (message, priority, at) = (self.text(4), 1 + self.random.below(5) as i64, self.earlier());
            self.grow("alerts", site, vec![team.into(), message, priority.into(), "open".into(), payload, at]);
        }
    }

    pub(super) fn status_page(&mut self, site: usize) {
        let subdomain = format!("status-{}", self.sites[site].name);
        let page = self.grow("status_pages", site, vec![self.site_id(site), "status".into(), subdomain.into()]);
        for component in ["web", "api", "mail"] {
            let component = self.grow("components", site, vec![page.into(), component.into(), "operational".into()]);
            for _ in 0..self.random.below(3) {
                let (title, at) = (self.text(4), self.earlier());
                self.grow("incidents", site, vec![component.into(), title, "minor".into(), at]);
            }
        }
    }

    pub(super) fn policy(&mut self, site: usize) {
        let name = self.text(2);
        let policy = self.grow("access_policies", site, vec![self.site_id(site), name, "authentication".into()]);
        for _ in 0..1 + self.random.below(4) {
            let subject = self.user(site);
            self.grow("access_rules", site, vec![policy.into(), subject, "allow".into()]);
        }
    }

    pub(super) fn assets(&mut self, site: usize) {
        let schema = self.grow("object_schemas", site, vec![self.site_id(site), "hardware".into()]);
        for _ in 0..2 + self.sites[site].size / 10 {
            let len = 16 + self.random.index(64);
            let (name, attributes) = (self.text(2), Value::Blob(self.random.bytes(len)));
            let asset = self.grow("assets", site, vec![schema.into(), "laptop".into(), name, attributes]);
            if !self.issues[site].is_empty() && self.random.chance(0.5) {
                let issue = self.issues[site][self.random.index(self.issues[site].len())];
                self.add("asset_issues", site, vec![asset.into(), issue.into()]);
            }
        }
    }
}
