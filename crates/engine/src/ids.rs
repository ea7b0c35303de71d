//! Index newtypes: positions in a plan's tables. They never leave memory except inside a journal that pins its plan.

use serde::{Deserialize, Serialize};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// Returns the position as a slice index.
            #[must_use]
            pub const fn ix(self) -> usize {
                self.0 as usize
            }
        }

        impl From<usize> for $name {
            /// Converts a slice index; table sizes are bounded when a plan is built, so it fits.
            fn from(ix: usize) -> Self {
                Self(<$inner>::try_from(ix).unwrap_or(<$inner>::MAX))
            }
        }
    };
}

index!(
    /// A site of the plan, in the plan's order.
    SiteIx(u32)
);
index!(
    /// A step of the plan, in the runbook's order.
    StepIx(u16)
);
index!(
    /// A declared group scope (shard, region, ...).
    GroupIx(u16)
);
index!(
    /// A key of a scope: 0 for the run, a batch number, a site number or a group's key number.
    KeyIx(u32)
);
index!(
    /// A batch, in the order in which batches open.
    BatchIx(u16)
);
index!(
    /// A pool of the plan.
    PoolIx(u16)
);
index!(
    /// A node: one step for one key of its scope. Dependencies attach to nodes.
    NodeIx(u32)
);
index!(
    /// A unit: one item of a node; a node without `for_each` is one unit.
    UnitIx(u32)
);

/// Milliseconds since 1970-01-01T00:00:00Z; the engine never reads a clock, it is told.
pub type Millis = i64;
