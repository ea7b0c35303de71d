//! An S3 server on a socket: every request is recorded, signatures are checked, and a test can refuse or hold any of them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

/// Name of the key that the server takes.
pub const KEY_ID: &str = "canary-7d1f-key-id";

/// The key itself.
pub const SECRET: &str = "canary-7d1f-secret-access-key";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It is answered.
    Pass,
    /// It is refused with this status before the store sees it.
    Refuse(u16),
    /// It is never answered.
    Hold,
}

type Guard = dyn Fn(&str, &str) -> Gate + Send + Sync;

/// An S3 server; it ends when dropped.
pub struct S3Server {
    url: String,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    guard: Arc<Mutex<Arc<Guard>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl S3Server {
    /// Serves the folders below a folder as buckets: `s3s-fs`, a real store without versions.
    #[must_use]
    pub fn folder(root: &Path) -> Self {
        Self::serve(s3s_fs::FileSystem::new(root).expect("the folder is there"))
    }

    /// The same, for everybody: nothing is signed.
    #[must_use]
    pub fn open_folder(root: &Path) -> Self {
        let store = s3s_fs::FileSystem::new(root).expect("the folder is there");
        Self::start(S3ServiceBuilder::new(store).build())
    }

    /// Serves a store.
    #[must_use]
    pub fn serve(store: impl s3s::S3) -> Self {
        let mut service = S3ServiceBuilder::new(store);
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        Self::start(service.build())
    }

    fn start(service: S3Service) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket of this machine");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let guard: Arc<Mutex<Arc<Guard>>> = Arc::new(Mutex::new(Arc::new(|_, _| Gate::Pass)));
        let door = Door { service, seen: Arc::clone(&seen), guard: Arc::clone(&guard) };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = door.accept(listener) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { url, seen, guard, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Judges every request from now on, by method and by path with query.
    pub fn guard(&self, guard: impl Fn(&str, &str) -> Gate + Send + Sync + 'static) {
        *self.guard.lock().expect("no test panicked here") = Arc::new(guard);
    }

    /// Takes what was asked since the last look: method, and path with query.
    #[must_use]
    pub fn seen(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.seen.lock().expect("no test panicked here"))
    }

    /// Counts what was asked since the last look, by method.
    #[must_use]
    pub fn counted(&self) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for (method, _) in self.seen() {
            *counted.entry(method).or_default() += 1;
        }
        counted
    }

    /// A bucket, or a prefix in it, as actions take it; the credentials are references to secrets.
    #[must_use]
    pub fn place(&self, url: &str) -> serde_json::Value {
        serde_json::json!({
            "url": url, "endpoint": self.url, "region": "eu-central-1", "allow_http": true,
            "access_key_id": "⟦secret:s3_id⟧", "secret_access_key": "⟦secret:s3_key⟧",
        })
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What stands before the store.
#[derive(Clone)]
struct Door {
    service: S3Service,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    guard: Arc<Mutex<Arc<Guard>>>,
}

impl Door {
    async fn accept(self, listener: std::net::TcpListener) {
        let listener = TcpListener::from_std(listener).expect("a socket of this machine");
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            let door = self.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| door.clone().answer(request));
                // A client that goes away, or is killed, is no failure of the server.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
            });
        }
    }

    async fn answer(self, request: http::Request<Incoming>) -> Result<s3s::HttpResponse, Infallible> {
        let method = request.method().to_string();
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let guard = Arc::clone(&self.guard.lock().expect("no test panicked here"));
        self.seen.lock().expect("no test panicked here").push((method.clone(), path.clone()));
        match guard(&method, &path) {
            Gate::Pass => {}
            Gate::Hold => std::future::pending().await,
            Gate::Refuse(status) => {
                let mut response =
                    s3s::HttpResponse::new(s3s::Body::from("<Error><Code>Busy</Code></Error>".to_owned()));
                *response.status_mut() = http::StatusCode::from_u16(status).expect("it is a status");
                return Ok(response);
            }
        }
        Ok(self.service.call(request.map(s3s::Body::from)).await.unwrap_or_else(|error| {
            let mut response = s3s::HttpResponse::new(s3s::Body::from(format!("{error:?}")));
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        }))
    }
}
