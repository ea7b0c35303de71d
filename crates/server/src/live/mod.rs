//! Runs as they go on, for whoever looks: one follower a run folds the journal, everybody shares what it publishes.
//!
//! `Followers::watch` gives a `Watch`: its [`View`]s are immutable and shared, so that a look costs the same for one
//! watcher and for two hundred. What goes over the wire is rendered once a view. Questions about single sites or units are
//! put to the fold itself, with `Watch::ask`.

mod follow;
mod followers;
mod forecasts;
mod gather;
mod grid;
mod pace;
mod site;
mod snapshot;
mod survey;
mod view;
mod waits;
mod watch;
mod wire;

pub use follow::Follower;
pub(crate) use followers::Followers;
pub(crate) use grid::{Grid, SiteLetter};
pub(crate) use site::{SiteDetail, StoreOfSite, site_detail};
pub use snapshot::{Batch, Driver, Item, Kind, Line, Pool, Sites, Snapshot, State, Step, Throughput, Tone, Waits};
pub(crate) use survey::ended_as;
pub(crate) use view::SentSites;
pub use view::View;
pub(crate) use waits::{Heap, covered as sites_covered, heaps, of_heap};
pub(crate) use watch::{LiveError, Watch};
