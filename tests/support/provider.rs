//! A provider of identities on a socket: it is as strict as the protocol asks, signs with real keys, and lies where a test
//! wants it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Map, Value, json};

/// The client that it knows.
pub const CLIENT: &str = "reinstate";
/// The client's secret.
pub const SECRET: &str = "canary-3e9b-client-secret";

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// By the newest key, under its name.
    Well,
    /// By a key that is never shown, under its own name.
    ByNobody,
    /// By such a key, under the name of the newest.
    Forged,
    /// Not at all: `alg: none`.
    Not,
    /// By HMAC with the public key, as if that were a secret.
    WithPublicKey,
    /// By HMAC with the client's secret.
    WithSecret,
}

/// A provider; it ends when dropped.
pub struct Provider {
    address: String,
    inner: Arc<Mutex<Inner>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What can be changed while it serves.
pub struct Inner {
    /// How it names itself.
    pub issuer: String,
    /// Where it says that it is asked; at its issuer, unless a test says otherwise.
    pub asked_at: Option<String>,
    /// Where it sends browsers back; no other address is taken.
    pub back: String,
    /// What it says of whoever signs in next: claims of the ID token.
    pub person: Value,
    /// What it says of them only when it is asked for more.
    pub more: Value,
    /// Claims that stand in the ID token in place of the true ones.
    pub lies: Value,
    /// How it signs.
    pub signed: Signed,
    /// Whether it says no to everybody.
    pub denies: bool,
    /// What it was asked, by path.
    pub asked: Vec<String>,
    keys: Vec<(String, EcdsaKeyPair)>,
    granted: BTreeMap<String, BTreeMap<String, String>>,
    made: u32,
}

impl Provider {
    /// Serves on a free port.
    #[must_use]
    pub fn start(back: &str) -> Self {
        Self::start_at("127.0.0.1:0", back)
    }

    /// Serves at an address.
    #[must_use]
    pub fn start_at(address: &str, back: &str) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("a free port");
        listener.set_nonblocking(true).expect("a socket of this machine");
        let address = listener.local_addr().expect("it is bound").to_string();
        let inner = Inner {
            issuer: format!("http://{address}"),
            asked_at: None,
            back: back.to_owned(),
            person: json!({}),
            more: json!({}),
            lies: json!({}),
            signed: Signed::Well,
            denies: false,
            asked: Vec::new(),
            keys: vec![new_key("first")],
            granted: BTreeMap::new(),
            made: 0,
        };
        let inner = Arc::new(Mutex::new(inner));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(inner.clone());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket of this machine");
                tokio::select! {
                    _ = std::future::IntoFuture::into_future(axum::serve(listener, router)) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, inner, stop: Some(stop), thread: Some(thread) }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How it names itself.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.inner().issuer.clone()
    }

    /// What it will do and has done.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panicked")
    }

    /// Signs with a new key from now on, and shows no other.
    pub fn rotate(&self, name: &str) {
        self.inner().keys = vec![new_key(name)];
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Shared = State<Arc<Mutex<Inner>>>;

fn seen<'a>(inner: &'a Shared, path: &str) -> MutexGuard<'a, Inner> {
    let mut inner = inner.0.lock().expect("nobody panicked");
    inner.asked.push(path.to_owned());
    inner
}

fn new_key(name: &str) -> (String, EcdsaKeyPair) {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
    (name.to_owned(), pair.expect("our own key"))
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn configuration(inner: Shared) -> Json<Value> {
    let inner = seen(&inner, "configuration");
    let at = |path: &str| format!("{}{path}", inner.asked_at.as_ref().unwrap_or(&inner.issuer));
    Json(json!({
        "issuer": inner.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"), "jwks_uri": at("/keys"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    }))
}

async fn keys(inner: Shared) -> Json<Value> {
    let inner = seen(&inner, "keys");
    let keys = inner.keys.iter().map(|(name, pair)| {
        let point = pair.public_key().as_ref();
        let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": name, "x": x, "y": y })
    });
    Json(json!({ "keys": keys.collect::<Vec<_>>() }))
}

/// Signs in whoever comes, as the person of the moment.
async fn authorize(inner: Shared, Query(asked): Query<BTreeMap<String, String>>) -> Response {
    let mut inner = seen(&inner, "authorize");
    let of = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    if of("client_id") != CLIENT || of("redirect_uri") != inner.back {
        return (StatusCode::BAD_REQUEST, "no such client, or not its address").into_response();
    }
    let state = of("state");
    let openid = of("scope").split(' ').any(|scope| scope == "openid");
    let bound = of("code_challenge_method") == "S256" && of("code_challenge").len() == 43 && !of("nonce").is_empty();
    if of("response_type") != "code" || !openid || !bound || state.is_empty() {
        return Redirect::to(&format!("{}?error=invalid_request&state={state}", inner.back)).into_response();
    }
    if inner.denies {
        let words = format!("error=access_denied&error_description={SECRET}&state={state}");
        return Redirect::to(&format!("{}?{words}", inner.back)).into_response();
    }
    inner.made += 1;
    let code = format!("code-{}", inner.made);
    let back = format!("{}?code={code}&state={state}&session_state=x.y", inner.back);
    inner.granted.insert(code, asked);
    Redirect::to(&back).into_response()
}

async fn token(inner: Shared, headers: HeaderMap, Form(given): Form<BTreeMap<String, String>>) -> Response {
    let mut inner = seen(&inner, "token");
    let no = |error: &str| {
        // As some do, it repeats what it was sent.
        let body = json!({ "error": error, "error_description": format!("{SECRET} is not right") });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    };
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if sent != Some(&format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")))) {
        return no("invalid_client");
    }
    let of = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    // A code is good once, whatever becomes of it.
    let Some(granted) = inner.granted.remove(of("code")) else { return no("invalid_grant") };
    let proof = encoded(digest(&SHA256, of("code_verifier").as_bytes()));
    let same = granted.get("redirect_uri").map(String::as_str) == Some(of("redirect_uri"));
    if of("grant_type") != "authorization_code" || !same || granted.get("code_challenge") != Some(&proof) {
        return no("invalid_grant");
    }
    let id_token = inner.id_token(&granted["nonce"]);
    let body = json!({
        "access_token": "canary-access-token", "token_type": "Bearer", "expires_in": 60, "id_token": id_token,
    });
    Json(body).into_response()
}

async fn userinfo(inner: Shared, headers: HeaderMap) -> Response {
    let inner = seen(&inner, "userinfo");
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if sent != Some("Bearer canary-access-token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(inner.more.clone()).into_response()
}

impl Inner {
    fn id_token(&self, nonce: &str) -> String {
        let now = chrono::Utc::now().timestamp();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce,
        });
        let all: &mut Map<String, Value> = claims.as_object_mut().expect("an object");
        for more in [&self.person, &self.lies] {
            all.extend(more.as_object().expect("an object").clone());
        }
        let (name, pair) = self.keys.last().expect("a key");
        let (algorithm, name) = match self.signed {
            Signed::Well | Signed::Forged => ("ES256", name.as_str()),
            Signed::ByNobody => ("ES256", "nobody's"),
            Signed::Not => ("none", name.as_str()),
            Signed::WithPublicKey | Signed::WithSecret => ("HS256", name.as_str()),
        };
        let head = json!({ "alg": algorithm, "typ": "JWT", "kid": name });
        let body = format!("{}.{}", encoded(head.to_string()), encoded(claims.to_string()));
        let mac = |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body.as_bytes()).as_ref().to_vec();
        let signature = match self.signed {
            Signed::Not => Vec::new(),
            Signed::WithPublicKey => mac(pair.public_key().as_ref()),
            Signed::WithSecret => mac(SECRET.as_bytes()),
            Signed::Well => pair.sign(&SystemRandom::new(), body.as_bytes()).expect("a signature").as_ref().to_vec(),
            Signed::ByNobody | Signed::Forged => {
                let (_, stranger) = new_key("nobody's");
                stranger.sign(&SystemRandom::new(), body.as_bytes()).expect("a signature").as_ref().to_vec()
            }
        };
        format!("{body}.{}", encoded(signature))
    }
}
