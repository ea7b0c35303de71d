//! The pages of the guide.

/// A page of the guide.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// Its name, as `reinstate help NAME` takes it.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it is for, in a line.
    pub summary: &'static str,
    /// Its text, Markdown.
    pub text: &'static str,
}

macro_rules! topics {
    ($($name:literal, $title:literal, $summary:literal;)*) => {
        /// All pages, in the order in which they are best read.
        pub const TOPICS: &[Topic] = &[$(Topic {
            name: $name,
            title: $title,
            summary: $summary,
            text: include_str!(concat!("../../guide/", $name, ".md")),
        }),*];
    };
}

topics! {
    "first-restore", "A first restore", "from a list of deleted sites to sites that are back, in a lab";
    "operating", "Operating a run", "read how it stands; pause, approve, retry, skip, undo, resolve";
    "validation", "Many people who look", "checklists, the desk, claims, hand-over, the end of a shift";
    "runbook", "The runbook language", "every key, with its default and an example";
    "expressions", "Expressions", "what may stand inside of ${{ }}, `if` and `for_each`";
    "sites", "Site lists", "which sites: CSV or JSON, checked before anything starts";
    "estates", "Estates and secrets", "which systems, who may approve, where passwords are";
    "connectors", "Connectors", "every action that a step can use";
    "preflight", "Preflight", "ask the estate whether the plan can work before it starts";
    "reports", "Reports", "what came back, what did not, how long it took";
    "telling", "Telling people", "status messages, milestones, mails to each site's contacts, none twice";
    "drills", "Drills", "the real runbook against a sandbox: on a schedule, judged, with chaos";
    "tenant-restore", "One tenant of a PostgreSQL database", "whose rows are whose; restore, verify, new IDs";
    "postgres-recover", "PostgreSQL at a point in time", "a throw-away server from a base backup and WAL";
    "store", "The store", "where runs are recorded: a file, or PostgreSQL for drivers on several hosts";
    "workers", "Workers", "attempts executed beside the data, by other processes and hosts";
    "serve", "The daemon", "runs in a browser or by HTTP: tokens, roles, TLS, what it refuses";
    "deploy", "Deploying", "systemd, containers, several daemons, how much memory, a store that survives its machine";
    "benchmark", "Measuring", "how fast the engine and a tenant restore are on this machine";
    "peers", "Beside other engines", "what else executes durable steps, and how it fares on the same workload";
    "codes", "Codes", "what each error code means, its cause and what to do";
}

/// The page of that name.
#[must_use]
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}
