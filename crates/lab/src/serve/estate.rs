//! What all services share while they run: the stores, who is who, and what was done for each site.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::latency::Latency;
use super::moved::{Moves, Subject};
use super::problem::Problem;
use super::vendors::Vendors;
use crate::clock::Millis;
use crate::layout::{Layout, Passport};
use crate::moves::{self, Move};
use crate::schema::{SERVICES, Schema};
use crate::shards::{Line, Shards};
use crate::sql::{self, Mode, Session, StoreError};
use crate::value::{Row, Value};

/// One service's store: one connection that writes, one that reads.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) schema: &'static Schema,
    pub(super) write: Mutex<Session>,
    pub(super) read: Mutex<Session>,
}

/// What an ID denotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denotes {
    Site { shard: String, tombstone: bool },
    App { site: String, vendor: String },
}

/// The running estate.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) layout: Layout,
    pub(super) base_url: String,
    pub(super) seed: u64,
    /// Damaged sites and when they were deleted: the retention register.
    pub(super) deleted: BTreeMap<String, Millis>,
    ids: HashMap<String, Denotes>,
    /// IDs of the apps of each site.
    apps: HashMap<String, Vec<String>>,
    stores: HashMap<&'static str, Store>,
    /// Readers of the shards, for the search service.
    pub(super) shards: HashMap<String, Mutex<Line>>,
    /// When the histories begin.
    pub(super) base: Millis,
    pub(super) latency: Arc<Latency>,
    done: RwLock<HashSet<(String, &'static str, String)>>,
    moves: RwLock<Moves>,
    pub(super) vendors: Vendors,
    pub(super) cancel: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Estate {
    pub(super) async fn open(
        layout: Layout,
        passport: &Passport,
        shards: &Arc<Shards>,
        base_url: String,
        cancel: CancellationToken,
    ) -> Result<Arc<Self>, StoreError> {
        let mut stores: HashMap<&'static str, Store> = HashMap::new();
        let mut done = HashSet::new();
        for schema in SERVICES {
            let path = layout.store(schema.name);
            let mut write = sql::open(&path, Mode::Live).await?;
            const SQL: &str = "SELECT operation, site FROM lab_restores";
            for row in sql::rows(&mut write, SQL, &[]).await.map_err(StoreError::sql(&path))? {
                if let [Value::Text(operation), Value::Text(site)] = row.as_slice() {
                    done.insert((site.clone(), schema.name, operation.clone()));
                }
            }
            let read = sql::open(&path, Mode::Read).await?;
            stores.insert(schema.name, Store { schema, write: Mutex::new(write), read: Mutex::new(read) });
        }
        let names = passport.shard_names().into_iter().enumerate();
        let shards = names.map(|(index, name)| (name, Mutex::new(Line::new(shards, index)))).collect();
        let path = layout.store("catalogue");
        if let Some(catalogue) = stores.get_mut("catalogue") {
            let conn = catalogue.write.get_mut();
            for ddl in [super::tickets::DDL, moves::DDL] {
                sql::script(conn, ddl.to_owned()).await.map_err(StoreError::sql(&path))?;
            }
        }
        let mut conn = sql::open(&path, Mode::Read).await?;
        let ids = ids(&mut conn).await.map_err(StoreError::sql(&path))?;
        let apps = by_site(&ids);
        let made = moves::read(&mut conn, passport.seed, |site| named(&apps, site)).await;
        let mut moves = Moves::default();
        for (moved, undone) in made.map_err(StoreError::sql(&path))? {
            moves.set(Arc::new(moved), !undone);
        }
        conn.close().await.map_err(StoreError::sql(&path))?;
        let token = layout.vendor_token();
        let token = std::fs::read_to_string(&token).map_err(StoreError::io(&token))?;
        Ok(Arc::new(Self {
            base_url,
            seed: passport.seed,
            base: passport.base,
            latency: Arc::new(Latency::new(&layout.latency())),
            deleted: passport.deleted.clone(),
            ids,
            apps,
            stores,
            shards,
            done: RwLock::new(done),
            moves: RwLock::new(moves),
            vendors: Vendors::new(passport.seed, token.trim()),
            layout,
            cancel,
            tasks: TaskTracker::new(),
        }))
    }

    pub(super) fn store(&self, system: &str) -> Result<&Store, Problem> {
        self.stores.get(system).ok_or_else(|| Problem::not_found("unknown-system", format!("no service `{system}`")))
    }

    /// What an ID denotes.
    pub(super) fn denotes(&self, id: &str) -> Option<Denotes> {
        if let Some(denotes) = self.ids.get(id) {
            return Some(denotes.clone());
        }
        let moves = self.moves();
        if let Some(moved) = moves.get(id) {
            return self.ids.get(&moved.old).cloned();
        }
        let (site, app) = moves.app(id)?;
        match self.ids.get(app)? {
            Denotes::App { vendor, .. } => Some(Denotes::App { site: site.to_owned(), vendor: vendor.clone() }),
            Denotes::Site { .. } => None,
        }
    }

    /// The ID must denote a site that the catalogue knows; gives its shard.
    pub(super) fn site(&self, id: &str) -> Result<String, Problem> {
        match self.denotes(id) {
            Some(Denotes::Site { shard, .. }) => Ok(shard),
            Some(Denotes::App { .. }) => {
                Err(Problem::unprocessable("wrong-kind", format!("{id} is the ID of an app, not of a site")))
            }
            None => Err(Problem::not_found("unknown-id", format!("no site {id}"))),
        }
    }

    /// The ID must denote a site that was deleted and can come back, or one that stands in for such a site; gives when
    /// that was deleted.
    pub(super) fn deleted_site(&self, id: &str) -> Result<Millis, Problem> {
        self.site(id)?;
        if matches!(self.ids.get(id), Some(Denotes::Site { tombstone: true, .. })) {
            return Err(Problem::conflict("tombstone", format!("{id} was deleted for good")));
        }
        let subject = self.subject(id);
        self.deleted
            .get(subject.source())
            .copied()
            .ok_or_else(|| Problem::conflict("site-live", format!("{id} was never deleted and is in use")))
    }

    /// The same for taking something back, which may come after the site itself was taken back.
    pub(super) fn undeletable_site(&self, id: &str) -> Result<(), Problem> {
        if self.moves().known(id) { Ok(()) } else { self.deleted_site(id).map(drop) }
    }

    /// Whether a site comes back by restoring calls: it was deleted, or stands in for one that was.
    pub(super) fn comes_back(&self, site: &str) -> bool {
        self.deleted.contains_key(site) || self.moves().known(site)
    }

    /// A site and, if it stands in for another, which.
    pub(super) fn subject(&self, site: &str) -> Subject {
        Subject { site: site.to_owned(), moved: self.moves().get(site) }
    }

    /// The site that stands in for this one.
    pub(super) fn replaced(&self, old: &str) -> Option<Arc<Move>> {
        self.moves().of(old)
    }

    /// The IDs of a site's apps.
    pub(super) fn apps_of(&self, site: &str) -> Vec<&str> {
        named(&self.apps, site)
    }

    /// Remembers that a site stands in for another, or does no longer.
    pub(super) fn set_moved(&self, moved: Arc<Move>, there: bool) {
        self.moves.write().unwrap_or_else(PoisonError::into_inner).set(moved, there);
    }

    fn moves(&self) -> RwLockReadGuard<'_, Moves> {
        self.moves.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_done(&self, site: &str, system: &'static str, operation: &str) -> bool {
        let done = self.done.read().unwrap_or_else(PoisonError::into_inner);
        done.contains(&(site.to_owned(), system, operation.to_owned()))
    }

    /// Remembers a committed operation, or that it was taken back.
    pub(super) fn set_done(&self, site: &str, system: &'static str, operation: &str, is: bool) {
        let mut done = self.done.write().unwrap_or_else(PoisonError::into_inner);
        let key = (site.to_owned(), system, operation.to_owned());
        if is {
            done.insert(key);
        } else {
            done.remove(&key);
        }
    }
}

/// IDs of the apps of each site.
fn by_site(ids: &HashMap<String, Denotes>) -> HashMap<String, Vec<String>> {
    let mut apps = HashMap::<String, Vec<String>>::new();
    for (id, denotes) in ids {
        if let Denotes::App { site, .. } = denotes {
            apps.entry(site.clone()).or_default().push(id.clone());
        }
    }
    apps
}

fn named<'a>(apps: &'a HashMap<String, Vec<String>>, site: &str) -> Vec<&'a str> {
    apps.get(site).into_iter().flatten().map(String::as_str).collect()
}

async fn ids(conn: &mut Session) -> Result<HashMap<String, Denotes>, sqlx::Error> {
    let text = |row: &Row, i: usize| row.get(i).and_then(Value::as_text).unwrap_or("").to_owned();
    let mut out = HashMap::new();
    for row in sql::rows(conn, "SELECT site_id, shard, state FROM sites", &[]).await? {
        let site = Denotes::Site { shard: text(&row, 1), tombstone: text(&row, 2) == "tombstone" };
        out.insert(text(&row, 0), site);
    }
    for row in sql::rows(conn, "SELECT id, site_id, vendor FROM apps", &[]).await? {
        out.insert(text(&row, 0), Denotes::App { site: text(&row, 1), vendor: text(&row, 2) });
    }
    Ok(out)
}
