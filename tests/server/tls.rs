//! TLS from files: with the certificate's key, and not without.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use reinstate_tests::process::expect;

use crate::daemon::{Daemon, Home};

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("server").join(name).display().to_string()
}

#[test]
fn it_speaks_tls_and_nothing_else() {
    let home = Home::new(1);
    let token = home.token("mia", "viewer");
    let daemon =
        Daemon::start_with(&home, &["--tls-cert", &file("certificate.pem"), "--tls-key", &file("key.pem")], &[]);
    let connect = [
        "s_client",
        "-quiet",
        "-verify_return_error",
        "-connect",
        &daemon.address,
        "-CAfile",
        &file("certificate.pem"),
    ];
    let mut client = Command::new("openssl")
        .args(connect)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    let request = format!(
        "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    client.stdin.as_mut().expect("a pipe").write_all(request.as_bytes()).expect("it reads");
    let output = client.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("\"mia\"") && text.contains("strict-transport-security"),
        "{text}"
    );
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
