//! The services of the estate over HTTP, and other tenants at work.

mod apply;
mod estate;
mod jobs;
mod latency;
mod live;
mod load;
mod moved;
mod operations;
mod past;
mod problem;
mod rebuild;
mod replace;
mod retire;
mod routes;
mod tickets;
mod undo;
mod vendors;
mod verify;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::layout::{Backend, Layout, OpenError, Passport};
use crate::population;
use crate::shards::Shards;
use crate::sql::StoreError;
use estate::Estate;
use latency::Latency;

/// Longest wait for open requests when a server stops.
const DRAIN: Duration = Duration::from_secs(3);

/// How a lab is served.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Whether tenants that were never deleted keep writing to the shards.
    pub live_writes: bool,
    /// Their transactions per second, over all shards; at least 1.
    pub live_rate: u32,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { live_writes: true, live_rate: 30 }
    }
}

/// Why a lab could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The folder is no usable lab.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Another process listens there, perhaps another server of this lab.
    #[error("{address} is taken; hint: is this lab served already?")]
    AddressTaken {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A store or file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Jobs of an earlier server could not be started again.
    #[error("jobs of an earlier server could not be started again: {0}")]
    Jobs(String),
}

impl ServeError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            _ => "lab",
        }
    }
}

/// A running server; dropping it stops the server without waiting.
#[derive(Debug)]
pub struct Served {
    base_url: String,
    latency: Arc<Latency>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    /// `http://ADDRESS:PORT`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Begins another phase of what live tenants feel; a server begins in `before`.
    pub fn phase(&self, name: &str) {
        self.latency.phase(name);
    }

    /// What live tenants feel: `phases[]` with `name`, `from`, `to`, `transactions`, `failed`, `p50_ms`, `p95_ms`,
    /// `p99_ms`, `max_ms`, and the same of the last seconds under `recent`.
    #[must_use]
    pub fn latency(&self) -> serde_json::Value {
        self.latency.summary()
    }

    /// Ends when the server has stopped, by [`Served::shutdown`] or by itself.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn stopped(&mut self) {
        if !self.task.is_finished() {
            let _ = (&mut self.task).await;
        }
    }

    /// Stops: no new requests, open ones end within 3 seconds, jobs wait for the next server.
    ///
    /// Everything answered is in the stores.
    pub async fn shutdown(mut self) {
        self.cancel.cancel();
        self.stopped().await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Serves a lab, damaged or not, until told to stop. Its database servers, if it has any, are started, or found running
/// and taken over, and stopped when the last who uses them is done.
///
/// All state is in the stores, so a server may be killed at any moment and started again.
///
/// # Errors
/// [`ServeError`]; nothing is running then.
///
/// # Cancel safety
/// Cancel safe: dropped before it returns, nothing is left running.
pub async fn serve(dir: &Path, options: &ServeOptions) -> Result<Served, ServeError> {
    let root = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let layout = Layout::new(&root);
    let passport = Passport::read(&layout)?;
    let address = passport.services();
    let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::AddressTaken { address },
        _ => ServeError::Listen { address, source },
    })?;
    let base_url = format!("http://{address}");

    let cancel = CancellationToken::new();
    let shards = Arc::new(Shards::up(&layout, &passport).await?);
    let opened = open(&layout, &passport, &shards, options, base_url.clone(), cancel.clone()).await;
    let (estate, writers) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            shards.down().await?;
            return Err(error);
        }
    };
    let latency = Arc::clone(&estate.latency);
    let (options, stop, felt) = (options.clone(), cancel.clone(), Arc::clone(&latency));
    let task = tokio::spawn(async move {
        let life = live(writers, Arc::clone(&shards), passport, options, Arc::clone(&felt), stop.clone());
        let (life, told) = (tokio::spawn(life), tokio::spawn(tell(felt, stop.clone())));
        answer(listener, estate, stop).await;
        let _ = tokio::join!(life, told);
        if let Err(error) = shards.down().await {
            tracing::error!(error = &error as &dyn std::error::Error, "a server of the lab did not stop");
        }
    });
    Ok(Served { base_url, latency, cancel, task })
}

/// Opens everything that a server needs, and starts what an earlier one had left.
async fn open(
    layout: &Layout,
    passport: &Passport,
    shards: &Arc<Shards>,
    options: &ServeOptions,
    base_url: String,
    cancel: CancellationToken,
) -> Result<(Arc<Estate>, Vec<live::Writer>), ServeError> {
    let estate = Estate::open(layout.clone(), passport, shards, base_url, cancel).await?;
    let mut writers = Vec::new();
    if options.live_writes && passport.backend == Backend::Sqlite {
        let sites = Arc::new(population::draw(passport.seed, passport.sites, passport.shards));
        for index in 0..passport.shards {
            writers.push(live::Writer::open(layout, passport, index, &sites).await?);
        }
    }
    jobs::restart(&estate).await.map_err(|problem| ServeError::Jobs(format!("{problem:?}")))?;
    Ok((estate, writers))
}

/// Lets other tenants work until cancelled.
async fn live(
    writers: Vec<live::Writer>,
    shards: Arc<Shards>,
    passport: Passport,
    options: ServeOptions,
    latency: Arc<Latency>,
    stop: CancellationToken,
) {
    match passport.backend {
        _ if !options.live_writes => {}
        Backend::Sqlite => live::run(writers, options.live_rate, latency, stop).await,
        Backend::Postgres => {
            let sites = Arc::new(population::draw(passport.seed, passport.sites, passport.shards));
            load::run(shards, &passport, sites, options.live_rate, latency, stop).await;
        }
    }
}

/// Writes every second what live tenants feel, and once more at the end.
async fn tell(latency: Arc<Latency>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        if let Err(error) = latency.write() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the latencies could not be written");
        }
        if last {
            return;
        }
    }
}

/// Answers requests until told to stop, and those that are open for some seconds more.
async fn answer(listener: TcpListener, estate: Arc<Estate>, stop: CancellationToken) {
    let router = routes::router(Arc::clone(&estate));
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let server = async move { server.await };
    tokio::pin!(server);
    let ended = tokio::select! {
        ended = &mut server => Some(ended),
        () = stop.cancelled() => tokio::time::timeout(DRAIN, &mut server).await.ok(),
    };
    if let Some(Err(error)) = ended {
        tracing::error!(%error, "the server failed");
    }
    stop.cancel();
    estate.tasks.close();
    let _ = tokio::time::timeout(DRAIN, estate.tasks.wait()).await;
}
