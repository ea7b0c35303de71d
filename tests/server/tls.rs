//! TLS from files: with the certificate's key, and not without.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use reinstate_tests::process::expect;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::daemon::{Daemon, Home};

pub fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("server").join(name).display().to_string()
}

/// Sends a request by TLS to whoever proves to be `localhost`, and gives all that comes back.
fn by_tls(address: &str, request: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("certificate.pem")).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let mut tls = connector.connect("localhost".try_into().expect("a name"), stream).await.expect("a handshake");
        tls.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        let _ = tls.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    })
}

#[test]
fn it_speaks_tls_and_nothing_else() {
    let home = Home::new(1);
    let token = home.token("mia", "viewer");
    let daemon =
        Daemon::start_with(&home, &["--tls-cert", &file("certificate.pem"), "--tls-key", &file("key.pem")], &[]);
    let head = "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let text = by_tls(&daemon.address, &format!("{head}Authorization: Bearer {token}\r\n\r\n"));
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("\"mia\""), "{text}");
    assert!(text.contains("strict-transport-security"), "{text}");
    let mut plain = TcpStream::connect(&daemon.address).expect("it listens");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain, &mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_at_once() {
    let home = Home::new(1);
    let refused = |certificate: &str, key: &str| {
        let args = ["serve", "--json", "--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        String::from_utf8_lossy(&expect(&mut home.command(&args), 2).stderr).into_owned()
    };
    assert!(refused("/nowhere", &file("key.pem")).contains("serve-certificate"));
    assert!(refused(&file("certificate.pem"), &file("certificate.pem")).contains("serve-certificate"));
}
