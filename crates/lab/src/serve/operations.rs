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
    /// Makes a site that stands in for a deleted one.
    Replace,
    /// Gives a column of a site that stands in for another what the other had; `before` is what a new site has in it.
    Mark { column: &'static str, before: &'static str },
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
        !matches!(self.way, Way::Open | Way::Retire | Way::Mark { .. })
    }

    /// Only a site that stands in for another has this done to it.
    pub(super) fn is_for_moved(&self) -> bool {
        matches!(self.way, Way::Mark { .. })
    }

    /// What must have been done before; a site that stands in for another was made, not undeleted.
    pub(super) fn needs_of(&self, moved: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.needs.iter().map(move |need| if moved && *need == UNDELETE { REPLACE } else { *need })
    }

    /// The operations that build on this one: they must be taken back first.
    pub(super) fn dependents(&self) -> impl Iterator<Item = &'static Operation> {
        let this = (self.system, self.name);
        OPERATIONS.iter().chain([&REINSTALL, &REBUILD, &ACTIVATE]).filter(move |other| other.needs.contains(&this))
    }
}

pub(super) const UNDELETE: (&str, &str) = ("catalogue", "undelete");
pub(super) const REPLACE: (&str, &str) = ("catalogue", "replace");
pub(super) const APPS: (&str, &str) = ("catalogue", "restore-apps");

const fn rows(
    system: &'static str,
    name: &'static str,
    tables: &'static [&'static str],
    needs: &'static [(&'static str, &'static str)],
) -> Operation {
    Operation { system, name, tables, needs, way: Way::Rows }
}

const fn mark(
    name: &'static str,
    tables: &'static [&'static str],
    needs: &'static [(&'static str, &'static str)],
    column: &'static str,
    before: &'static str,
) -> Operation {
    Operation { system: "catalogue", name, tables, needs, way: Way::Mark { column, before } }
}

const fn job(
    name: &'static str,
    tables: &'static [&'static str],
    needs: &'static [(&'static str, &'static str)],
) -> Operation {
    Operation { system: "identity", name, tables, needs, way: Way::Job }
}

/// Where every new site is made.
pub(super) const BIRTHPLACE: &str = "us-east";
/// The state of a site's record until it is commissioned.
pub(super) const PROVISIONING: &str = "provisioning";
/// The state of a new site's product until it is activated.
pub(super) const INACTIVE: &str = "inactive";

/// Every operation per site; rebuilding a search segment and reinstalling an app have own paths.
pub(super) static OPERATIONS: &[Operation] = &[
    rows("catalogue", "undelete", &["sites"], &[]),
    rows("catalogue", "restore-products", &["site_products"], &[UNDELETE]),
    rows("catalogue", "restore-apps", &["apps"], &[UNDELETE]),
    Operation { system: "catalogue", name: "replace", tables: &["sites"], needs: &[], way: Way::Replace },
    mark("migrate", &["sites"], &[("region", "pin")], "region", BIRTHPLACE),
    mark("commission", &["sites"], &[UNDELETE, ("catalogue", "restore-products")], "state", PROVISIONING),
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

/// Not reachable by its name: one per product of a site that stands in for another.
pub(super) static ACTIVATE: Operation = mark(
    "activate",
    &["site_products"],
    &[("catalogue", "restore-products"), ("commerce", "reinstate-licences")],
    "state",
    INACTIVE,
);

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
