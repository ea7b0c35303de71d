//! A small lab in a scratch folder and a client for its services.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reinstate_lab::{BuildOptions, DamageOptions, ServeOptions, Served, build, damage, serve};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use tempfile::TempDir;

pub(crate) struct Lab {
    pub(crate) _scratch: TempDir,
    pub(crate) dir: PathBuf,
    /// How long before its deletion a site is restored to.
    pub(crate) margin: chrono::Duration,
}

pub(crate) async fn built(sites: usize) -> Lab {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("lab");
    build(&dir, &BuildOptions { sites, shards: 2, seed: 7, ..BuildOptions::default() }).await.unwrap();
    Lab { _scratch: scratch, dir, margin: chrono::Duration::minutes(5) }
}

pub(crate) async fn damaged(sites: usize, gone: usize) -> Lab {
    let lab = built(sites).await;
    damage(&lab.dir, &DamageOptions { sites: gone, ..DamageOptions::default() }).await.unwrap();
    lab
}

/// A line of `sites.csv`.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) shard: String,
    pub(crate) products: Vec<String>,
    pub(crate) apps: Vec<String>,
    pub(crate) deleted_at: chrono::DateTime<chrono::Utc>,
    pub(crate) margin: chrono::Duration,
}

impl Listed {
    /// The margin before the deletion.
    pub(crate) fn point(&self) -> String {
        let at = self.deleted_at - self.margin;
        at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }
}

impl Lab {
    pub(crate) fn listed(&self) -> Vec<Listed> {
        let split = |text: &str| text.split(';').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        csv::Reader::from_path(self.dir.join("sites.csv"))
            .unwrap()
            .records()
            .map(|record| {
                let record = record.unwrap();
                Listed {
                    id: record[0].to_owned(),
                    shard: record[1].to_owned(),
                    products: split(&record[3]),
                    apps: split(&record[5]),
                    deleted_at: record[6].parse().unwrap(),
                    margin: self.margin,
                }
            })
            .collect()
    }

    pub(crate) fn shard(&self, name: &str) -> PathBuf {
        self.dir.join("stores").join(format!("{name}.db"))
    }

    pub(crate) async fn quiet(&self) -> (Served, Client) {
        let options = ServeOptions { live_writes: false, ..ServeOptions::default() };
        let served = serve(&self.dir, &options).await.unwrap();
        let client = Client::new(&served, &self.dir);
        (served, client)
    }

    /// A site that was never deleted.
    pub(crate) async fn survivor(&self) -> (String, String) {
        let gone: Vec<String> = self.listed().into_iter().map(|site| site.id).collect();
        for name in ["shard-00", "shard-01"] {
            let mut conn = open(&self.shard(name)).await;
            for row in sqlx::query("SELECT site_id FROM sites").fetch_all(&mut conn).await.unwrap() {
                let id: String = row.get(0);
                if !gone.contains(&id) {
                    return (id, name.to_owned());
                }
            }
        }
        panic!("every site is gone");
    }
}

pub(crate) async fn open(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(20)).connect().await.unwrap()
}

pub(crate) async fn execute(conn: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap();
}

pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub(crate) fn new(served: &Served, dir: &Path) -> Self {
        // Only one provider can be installed per process; a second attempt is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = std::fs::read_to_string(dir.join("secrets/vendor-token")).unwrap();
        Self { http: reqwest::Client::new(), base: served.base_url().to_owned(), token }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, key: &str, point: &str) -> (u16, Value) {
        self.post_body(path, key, json!({ "restore_point": point })).await
    }

    pub(crate) async fn post_body(&self, path: &str, key: &str, body: Value) -> (u16, Value) {
        let response = self
            .http
            .post(format!("{}{path}", self.base))
            .header("Idempotency-Key", key)
            .header("Authorization", format!("Bearer {}", self.token))
            .json(&body)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Takes back what was asked under the key `undoes`, under a key of its own.
    pub(crate) async fn undo(&self, path: &str, key: &str, undoes: &str) -> (u16, Value) {
        loop {
            let response = self
                .http
                .post(format!("{}{path}", self.base))
                .header("Idempotency-Key", key)
                .header("Idempotency-Undoes", undoes)
                .header("Authorization", format!("Bearer {}", self.token))
                .send()
                .await
                .unwrap();
            match response.status().as_u16() {
                429 | 503 => tokio::task::yield_now().await,
                status => return (status, response.json().await.unwrap()),
            }
        }
    }

    /// Posts without a body until the vendor is in the mood.
    pub(crate) async fn plainly(&self, path: &str, key: &str) -> (u16, Value) {
        loop {
            match self.post(path, key, "").await {
                (429 | 503, _) => tokio::task::yield_now().await,
                answer => return answer,
            }
        }
    }

    /// Posts until the service neither refuses for now nor works on it, with the same key.
    pub(crate) async fn insist(&self, path: &str, point: &str) {
        self.insist_in(0, path, point).await;
    }

    /// The same, with a key for this round.
    pub(crate) async fn insist_in(&self, round: u32, path: &str, point: &str) {
        let _ = self.insist_on(&format!("insist {round} {path}"), path, json!({ "restore_point": point })).await;
    }

    /// The same with any key and body; gives the answer.
    pub(crate) async fn insist_on(&self, key: &str, path: &str, wanted: Value) -> Value {
        loop {
            let (status, body) = self.post_body(path, key, wanted.clone()).await;
            match status {
                200 => return body,
                202 => {
                    self.finished(body["job"].as_i64().unwrap()).await;
                    return body;
                }
                429 | 503 => tokio::task::yield_now().await,
                _ => panic!("{path}: {status} {body}"),
            }
        }
    }

    pub(crate) async fn finished(&self, job: i64) {
        while self.get(&format!("/identity/jobs/{job}")).await.0 == 202 {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.get(&format!("/identity/jobs/{job}")).await.0, 200);
    }

    pub(crate) async fn post_json(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self.http.post(format!("{}{path}", self.base)).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn anonymous_post(&self, path: &str, point: &str) -> u16 {
        let request = self.http.post(format!("{}{path}", self.base)).json(&json!({ "restore_point": point }));
        request.send().await.unwrap().status().as_u16()
    }
}
