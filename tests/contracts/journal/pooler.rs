//! A pooler in transaction mode between the stores and the server: every message may go over another connection.

use std::process::{Child, Stdio};

use reinstate_tests::postgres::{Cluster, as_server, give, shared};
use store::PostgresStore;

use crate::fixture::Fixture;
use crate::schema::{Schema, postgres_address};

/// A running pgbouncer of two connections. Dropping it ends it.
pub(crate) struct Pooler {
    process: Child,
    folder: tempfile::TempDir,
}

impl Pooler {
    /// Starts it before a server; `None` where there is none.
    pub(crate) fn start(server: &Cluster) -> Option<Self> {
        let program = "/usr/sbin/pgbouncer";
        if !std::path::Path::new(program).exists() {
            eprintln!("skipped: there is no pgbouncer here (apt-get install pgbouncer)");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("re-pool-").tempdir().unwrap();
        let at = folder.path().display();
        let settings = format!(
            "[databases]\n* = host={} port=5432\n[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 2\nserver_login_retry = 1\n\
             listen_addr =\nlisten_port = 6432\nunix_socket_dir = {at}\nauth_type = trust\nauth_file = {at}/users\n",
            server.socket().display()
        );
        std::fs::write(folder.path().join("settings"), settings).unwrap();
        std::fs::write(folder.path().join("users"), "\"postgres\" \"\"\n").unwrap();
        for name in ["", "settings", "users"] {
            give(&folder.path().join(name));
        }
        let mut command = as_server(program);
        command.arg(folder.path().join("settings")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        Some(Self { process, folder })
    }

    pub(crate) fn text(&self, schema: &Schema) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@localhost:6432/postgres?host={socket}&schema={}", schema.name)
    }

    /// A store behind it; opening waits until it listens.
    async fn fixture(&self) -> Fixture {
        let schema = Schema::new();
        let store = PostgresStore::open(&postgres_address(&self.text(&schema))).await.unwrap();
        Fixture::postgres(store, schema)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_contract_holds_behind_it() {
    let Some(pooler) = Pooler::start(shared()) else { return };
    crate::suite::stale_epoch_changes_nothing(pooler.fixture().await).await;
    crate::suite::plan_comes_back_whole(pooler.fixture().await).await;
    crate::suite::load_pages(pooler.fixture().await).await;
    crate::suite::one_of_two_rivals_wins_each_number(pooler.fixture().await).await;
    crate::sites::a_refusal_names_the_first_site_its_run_and_how_many_more(pooler.fixture().await).await;
    crate::sites::a_run_is_created_with_its_sites_or_not_at_all(pooler.fixture().await).await;
    crate::mailbox::what_a_dead_driver_took_is_lost_and_not_delivered_again(pooler.fixture().await).await;
    crate::mailbox::a_request_is_withdrawn_or_taken_never_both(pooler.fixture().await).await;
    crate::pools::one_alone_has_all_and_a_second_waits_for_its_part(pooler.fixture().await).await;
    crate::drills::one_of_many_claimants_wins(pooler.fixture().await).await;
}

#[tokio::test]
async fn many_stores_share_its_two_connections() {
    let Some(pooler) = Pooler::start(shared()) else { return };
    let schemas: Vec<Schema> = (0..4).map(|_| Schema::new()).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for schema in schemas {
        let store = PostgresStore::open(&postgres_address(&pooler.text(&schema))).await.unwrap();
        tasks.spawn(crate::suite::many_appenders_to_many_runs(Fixture::postgres(store, schema)));
    }
    tasks.join_all().await;
}
