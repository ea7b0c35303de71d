//! What is asked of a server's certificate is asked, and nobody is spoken to who cannot show it.

use reinstate_tests::postgres::{Cluster, give, shared};
use runtime::JournalError;
use store::PostgresStore;

use crate::schema::{Schema, postgres_address};

const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/connectors/notify/tls");

async fn refused(address: &str) -> JournalError {
    PostgresStore::open(&postgres_address(address)).await.err().unwrap_or_else(|| panic!("{address} was opened"))
}

#[tokio::test]
async fn a_server_is_asked_for_what_the_address_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    give(folder.path());
    for name in ["server.pem", "server.key"] {
        let at = folder.path().join(name);
        std::fs::copy(format!("{TLS}/{name}"), &at).unwrap();
        give(&at);
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let server = Cluster::with().set("ssl", "on").set("ssl_cert_file", &file("server.pem"));
    let server = server.set("ssl_key_file", &file("server.key")).set("listen_addresses", "127.0.0.1,127.0.0.2");
    let _server = server.set("port", &port).start();
    let address = |host: &str, query: &str| format!("postgres://postgres:pa55word@{host}:{port}/postgres?{query}");
    let known = format!("sslrootcert={TLS}/authority.pem");
    let stranger = format!("sslrootcert={}/server/certificate.pem", env!("CARGO_MANIFEST_DIR"));
    for (host, mode, authority) in [("127.0.0.1", "verify-full", &known), ("127.0.0.2", "verify-ca", &known)] {
        let store =
            PostgresStore::open(&postgres_address(&address(host, &format!("sslmode={mode}&{authority}")))).await;
        store.unwrap().close().await;
    }
    for (host, authority) in [("127.0.0.2", &known), ("127.0.0.1", &stranger)] {
        let refused = refused(&address(host, &format!("sslmode=verify-full&{authority}"))).await;
        assert_eq!(refused.code(), "journal-unavailable");
        assert!(refused.to_string().contains("certificate"), "{refused}");
        assert!(!format!("{refused:?}").contains("pa55word"));
    }
}

#[tokio::test]
async fn who_has_no_tls_is_not_spoken_to_where_it_is_asked_for() {
    let address = format!("{}&schema={}&sslmode=require", shared().url("postgres"), Schema::new().name);
    let refused = refused(&address).await;
    assert_eq!(refused.code(), "journal-unavailable");
    assert!(refused.to_string().contains("TLS"), "{refused}");
}
