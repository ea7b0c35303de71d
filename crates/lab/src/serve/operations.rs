//! What can be asked of the services: every restoring call, what it brings back and what must come before.

/// How an operation works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Puts back the rows of its tables as the service's history says, before it answers.
    Rows,
    /// The same, as a job: answers 202 and a location at once.
    Job,
    /// Adds up the recorded events.
    Replay,
    /// Puts back the route, but closed.
    Route,
    /// Lets customers in.
    Open,
    /// Takes an app of a site in use out of use; its undo puts it back.
    Retire,
}

/// One mutating call, `POST /{system}/sites/{site}/{name}`.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) system: &'static str,
    pub(super) name: &'static str,
    pub(super) tables: &'static [&'static str],
    /// What must have been done for the site before.
    pub(super) needs: &'static [(&'static str, &'static str)],
    pub(super) way: Way,
}

impl Operation {
    /// The operation wants a restore point.
    pub(super) fn has_point(&self) -> bool {
        !matches!(self.way, Way::Open | Way::Retire)
    }

    /// The operations that build on this one: they must be taken back first.
    pub(super) fn dependents(&self) -> impl Iterator<Item = &'static Operation> {
        let this = (self.system, self.name);
        OPERATIONS.iter().chain([&REINSTALL, &REBUILD]).filter(move |other| other.needs.contains(&this))
    }
}

pub(super) const UNDELETE: (&str, &str) = ("catalogue", "undelete");
pub(super) const APPS: (&str, &str) = ("catalogue", "restore-apps");

const fn rows(
    system: &'static str,
    name: &'static str,
    tables: &'static [&'static str],
    needs: &'static [(&'static str, &'static str)],
) -> Operation {
    Operation { system, name, tables, needs, way: Way::Rows }
}

const fn job(
    name: &'static str,
    tables: &'static [&'static str],
    needs: &'static [(&'static str, &'static str)],
) -> Operation {
    Operation { system: "identity", name, tables, needs, way: Way::Job }
}

/// Every operation per site; rebuilding a search segment and reinstalling an app have own paths.
pub(super) static OPERATIONS: &[Operation] = &[
    rows("catalogue", "undelete", &["sites"], &[]),
    rows("catalogue", "restore-products", &["site_products"], &[UNDELETE]),
    rows("catalogue", "restore-apps", &["apps"], &[UNDELETE]),
    rows("commerce", "restore-account", &["accounts"], &[UNDELETE]),
    rows(
        "commerce",
        "reinstate-licences",
        &["licences"],
        &[("commerce", "restore-account"), ("catalogue", "restore-products")],
    ),
    rows("commerce", "restore-entitlements", &["entitlements"], &[("commerce", "reinstate-licences")]),
    rows("metadata", "restore-core", &["core"], &[UNDELETE]),
    rows("metadata", "restore-configuration", &["configuration"], &[("metadata", "restore-core")]),
    rows(
        "metadata",
        "restore-product-settings",
        &["product_settings"],
        &[("metadata", "restore-core"), ("catalogue", "restore-products")],
    ),
    rows("region", "pin", &["pins"], &[UNDELETE]),
    rows("region", "restore-residency", &["residency"], &[("region", "pin")]),
    job("sync-users", &["users"], &[UNDELETE]),
    job("sync-groups", &["groups", "memberships"], &[("identity", "sync-users")]),
    job("sync-permissions", &["permissions"], &[("identity", "sync-groups")]),
    rows("flags", "restore", &["flags"], &[UNDELETE]),
    rows("media", "restore-mapping", &["mapping"], &[UNDELETE]),
    Operation { system: "events", name: "replay", tables: &["counters"], needs: &[UNDELETE], way: Way::Replay },
    Operation {
        system: "edge",
        name: "restore-route",
        tables: &["routes"],
        needs: &[("region", "pin")],
        way: Way::Route,
    },
    Operation {
        system: "edge",
        name: "open",
        tables: &["routes"],
        needs: &[("edge", "restore-route"), ("commerce", "reinstate-licences"), ("identity", "sync-users")],
        way: Way::Open,
    },
];

/// Not reachable by its name: one per app of a site.
pub(super) static REINSTALL: Operation = rows("vendors", "reinstall", &["installations"], &[APPS]);

/// Not reachable by its name: one per product of a site.
pub(super) static REBUILD: Operation = rows("search", "rebuild", &["segments"], &[UNDELETE]);

/// Not reachable by its name: one per app, of sites in use.
pub(super) static RETIRE: Operation =
    Operation { system: "catalogue", name: "retire", tables: &["apps"], needs: &[], way: Way::Retire };

/// Not reachable by its name: one per app, of sites in use; the catalogue must have retired it.
pub(super) static UNINSTALL: Operation =
    Operation { system: "vendors", name: "uninstall", tables: &["installations"], needs: &[], way: Way::Retire };

/// The operation with this path.
pub(super) fn find(system: &str, name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|op| op.system == system && op.name == name)
}
