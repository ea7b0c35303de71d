//! Putting the daemon together, and its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use runtime::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::oidc::{self, Provider};
use crate::access::{Access, Tokens, guard};
use crate::api::routes;
use crate::app::App;
use crate::audit::AuditLog;
use crate::drills::Drills;
use crate::drivers::{Drivers, Kit, stand_by};
use crate::live::Followers;
use crate::metrics::Metrics;
use crate::retention::keep_runs;
use crate::serve::around::around;
use crate::serve::listen::listen;
use crate::serve::tls;
use crate::serve::{ServeError, Settings};

/// Time that connections get to end what they are at.
const DRAIN: Duration = Duration::from_secs(5);
/// Time that acts get to end and to be written down.
const ACTS_END: Duration = Duration::from_secs(60);
/// Time that drives get to end: their own grace, and a message that is under way and could not be repeated.
const DRIVES_END: Duration = Duration::from_secs(80);
/// Time that drills get to be cleaned up; what is left is cleaned up by the next process.
const DRILLS_END: Duration = Duration::from_secs(600);
/// Reads of whole journals at once.
const LARGE: usize = 2;

/// A daemon that serves.
#[derive(Debug)]
pub struct Served {
    /// Where.
    pub address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
    acts: TaskTracker,
    drivers: Drivers,
    drills: Drills,
}

impl Served {
    /// Waits until the daemon has ended, which it does once its token is cancelled: streams end, connections, acts and
    /// drives finish what they are at, within bounds, and drills are cleaned up.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the daemon as it is.
    pub async fn ended(self) {
        let Self { serving, acts, drivers, drills, .. } = self;
        let _ = serving.await;
        acts.close();
        let _ = tokio::time::timeout(ACTS_END, acts.wait()).await;
        drivers.ended(DRIVES_END).await;
        drills.ended(DRILLS_END).await;
    }
}

/// Starts to serve, and takes up what was interrupted; returns when it can be reached. Ends when `stop` is cancelled.
///
/// # Errors
/// If strangers could get in, the address or the certificate cannot be used, or the home cannot be written.
///
/// # Cancel safety
/// Not cancel safe: what was started by then goes on until `stop` is cancelled.
pub async fn serve(kit: Kit, settings: Settings, stop: CancellationToken) -> Result<Served, ServeError> {
    let home = &settings.home;
    home.make().map_err(|source| ServeError::Home { path: home.path().display().to_string(), source })?;
    let tokens = Tokens::of(home.path());
    let oidc = match oidc::Settings::of(home.path()).map_err(ServeError::Oidc)? {
        Some(file) => Some(Arc::new(Provider::new(file, home.path(), &*kit.vault).map_err(ServeError::Oidc)?)),
        None => None,
    };
    settings.safe(oidc.is_some() || tokens.any(SystemClock.now())?)?;
    let audit = AuditLog::of(home.path());
    audit.ready()?;
    let written = audit.clone();
    let acceptor = match &settings.tls {
        Some((certificate, key)) => Some(tls::acceptor(certificate, key)?),
        None => None,
    };
    let unheard = |source| ServeError::Listen { address: settings.listen, source };
    let listener = TcpListener::bind(settings.listen).await.map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    let followers = Followers::new(kit.store.clone(), &settings.place);
    let metrics = Metrics::default();
    let (clock, actor) = (Arc::new(SystemClock), &settings.actor);
    let drills = Drills::new(kit.clone(), home.path(), actor, clock, metrics.clone(), stop.clone());
    let drivers = Drivers::new(kit, followers.clone(), metrics.clone(), stop.clone());
    let (router, document) = routes();
    let acts = TaskTracker::new();
    let app = Arc::new(App {
        desk: Default::default(),
        home: home.clone(),
        place: settings.place.clone(),
        drivers: drivers.clone(),
        drills: drills.clone(),
        followers,
        // Whoever has a provider asked who people are does not want to let in whoever is on this machine.
        access: Access::new(
            tokens,
            oidc.is_none().then(|| settings.actor.clone()),
            settings.is_loopback(),
            settings.behind_proxy,
        ),
        oidc: oidc.clone(),
        audit,
        plans: Default::default(),
        metrics,
        said: Default::default(),
        acts: acts.clone(),
        secure: acceptor.is_some() || settings.behind_proxy,
        stop: stop.clone(),
        large: tokio::sync::Semaphore::new(LARGE),
        document: document.to_json().unwrap_or_default().into(),
    });
    let router = router
        .merge(crate::pages::routes())
        .fallback(|| async { http::StatusCode::NOT_FOUND })
        .layer(from_fn_with_state(app.clone(), guard))
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app);
    if settings.take_up {
        let (drivers, actor, stop) = (drivers.clone(), settings.actor.clone(), stop.clone());
        tokio::spawn(async move { stand_by(&drivers, &actor, stop).await });
    }
    if let Some(provider) = oidc {
        let stop = stop.clone();
        tokio::spawn(async move { provider.meet(stop).await });
    }
    if let Some(long) = settings.keep_runs {
        tokio::spawn(keep_runs(drivers.kit().store.clone(), written, long, stop.clone()));
    }
    let scheduler = drills.clone();
    tokio::spawn(async move { scheduler.run().await });
    let serving = tokio::spawn(listen(listener, acceptor, router, stop, DRAIN));
    Ok(Served { address, serving, acts, drivers, drills })
}
