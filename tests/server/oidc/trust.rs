//! TLS to the provider: trusted is what the system trusts, and nothing else.

use std::sync::Arc;

use reinstate_tests::provider::SECRET;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::daemon::Daemon;
use crate::oidc::trip::{Trip, file, known, refused};
use crate::tls;

/// What ends TLS before somebody, as `localhost`; it ends when dropped.
struct Door {
    address: String,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Door {
    fn before(address: &str) -> Self {
        let chain = vec![CertificateDer::from_pem_file(tls::file("certificate.pem")).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(tls::file("key.pem")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a pair");
        let (acceptor, behind) = (TlsAcceptor::from(Arc::new(config)), address.to_owned());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket of this machine");
        let address = format!("localhost:{}", listener.local_addr().expect("it is bound").port());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket of this machine");
                let pass = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let (acceptor, behind) = (acceptor.clone(), behind.clone());
                        tokio::spawn(async move {
                            let mut outer = acceptor.accept(stream).await?;
                            tokio::io::copy_bidirectional(&mut outer, &mut TcpStream::connect(behind).await?).await
                        });
                    }
                };
                tokio::select! { () = pass => {}, _ = stopped => {} }
            });
        });
        Self { address, _stop: stop }
    }
}

#[test]
fn a_provider_is_believed_by_a_certificate_that_the_system_trusts_and_by_no_other() {
    let (provider, home) = known("");
    let door = Door::before(provider.address());
    let issuer = format!("https://{}", door.address);
    provider.inner().issuer.clone_from(&issuer);
    provider.inner().person = json!({ "sub": "u-1", "preferred_username": "mia", "groups": ["dr-ops"] });
    home.write("oidc.yaml", &file(&issuer, ""));
    let serve = |more: (&str, &str)| Daemon::start_with(&home, &["--behind-proxy"], &[("OIDC_SECRET", SECRET), more]);
    let daemon = serve(("REINSTATE_LOG", "info"));
    refused(&daemon.get("", "/sign-in/oidc?to=/runs"), 502, "oidc-unreachable");
    assert!(provider.inner().asked.is_empty(), "it was asked for nothing");
    drop(daemon);
    let daemon = serve(("SSL_CERT_FILE", &tls::file("certificate.pem")));
    assert_eq!(Trip::whole(&daemon, &provider, "10.0.0.1").status, 200);
    drop(daemon);
    // It is trusted, and is another than the file says, or would have the secret sent where others can listen.
    let untrusted = |why: &str| {
        let daemon = serve(("SSL_CERT_FILE", &tls::file("certificate.pem")));
        let answer = daemon.get("", "/sign-in/oidc?to=/runs");
        refused(&answer, 502, "oidc-unreachable");
        assert!(answer.body.contains(why), "{why}: {answer:?}");
    };
    provider.inner().issuer = format!("{issuer}/another");
    untrusted("unexpected issuer");
    provider.inner().issuer.clone_from(&issuer);
    provider.inner().asked_at = Some("http://other.example".to_owned());
    untrusted("an address that others can listen to");
}
