//! `objects/*` over S3: a real server in process that checks signatures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reinstate_tests::fake_versioned_s3::FakeVersionedS3;
use reinstate_tests::s3::{Gate, S3Server};
use runtime::Call;
use runtime::engine::Advice;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{World, call, done, refused, unknown};

/// Two buckets and a folder.
struct Stores {
    folder: TempDir,
    server: S3Server,
}

impl Stores {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["s3/backup", "s3/live", "folder"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let server = S3Server::folder(&folder.path().join("s3"));
        Self { folder, server }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn url(&self, name: &str) -> String {
        format!("file://{}", self.folder.path().join(name).display())
    }

    /// From the bucket `backup` to the bucket `live`.
    fn with(&self, more: Value) -> Value {
        let (from, to) = (self.server.place("s3://backup"), self.server.place("s3://live"));
        let mut with = json!({ "from": from, "to": to, "prefix": "s1" });
        for (name, value) in more.as_object().unwrap() {
            with[name] = value.clone();
        }
        with
    }
}

fn big(mib: usize) -> Vec<u8> {
    (0..mib * 1024 * 1024).map(|at| (at / 7 % 251) as u8).collect()
}

#[tokio::test]
async fn objects_go_from_bucket_to_bucket_and_back_to_a_folder() {
    let (world, stores) = (World::new(), Stores::new());
    stores.write("s3/backup/s1/a.txt", "one");
    stores.write("s3/backup/s1/deep er/b+ü&=.bin", "two");
    stores.write("s3/backup/s1/empty", "");
    stores.write("s3/backup/s1/big", big(9));
    stores.write("s3/backup/s10/c", "other");
    let first = done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
    assert_eq!((&first["objects"], &first["copied"], &first["already"]), (&json!(4), &json!(4), &json!(0)));
    assert_eq!(first["bytes"], 9 * 1024 * 1024 + 6);
    assert_eq!(stores.read("s3/live/s1/deep er/b+ü&=.bin"), b"two");
    assert!(stores.read("s3/live/s1/big") == big(9), "the large object differs");
    assert!(!stores.folder.path().join("s3/live/s10").exists(), "a prefix means whole segments");

    let verified = done(&world.apply(call("objects/verify@1", stores.with(json!({})))).await);
    assert_eq!((&verified["objects"], &verified["hash"]), (&json!(4), &first["hash"]));
    let again = done(&world.apply(call("objects/copy@1", stores.with(json!({ "content": "full" })))).await);
    assert_eq!((&again["copied"], &again["already"], &again["hash"]), (&json!(0), &json!(4), &first["hash"]));

    let to_folder = stores.with(json!({ "to": stores.url("folder"), "to_prefix": "x" }));
    let folder = done(&world.apply(call("objects/copy@1", to_folder.clone())).await);
    assert_eq!(folder["hash"], first["hash"], "the same content has the same hash in every store");
    assert!(stores.read("folder/x/big") == big(9));
    done(&world.apply(call("objects/verify@1", to_folder)).await);

    let removed = done(&world.apply(call("objects/remove@1", stores.with(json!({})))).await);
    assert_eq!((&removed["objects"], &removed["kept"]), (&json!(4), &json!(0)));
    let outcome = world.apply(call("objects/verify@1", stores.with(json!({})))).await;
    assert!(refused(&outcome, "objects.differ", Advice::Never).contains("4 objects differ"));
    let upload = json!({ "from": stores.url("folder"), "prefix": "x", "to_prefix": "s1" });
    assert_eq!(done(&world.apply(call("objects/copy@1", stores.with(upload))).await)["hash"], first["hash"]);
}

#[tokio::test]
async fn conflicts_are_found_before_the_first_write() {
    let (world, stores) = (World::new(), Stores::new());
    for number in 0..40 {
        stores.write(&format!("s3/backup/s1/{number:02}"), format!("object {number}"));
    }
    stores.write("s3/live/s1/39", "object XX");
    stores.write("s3/live/s1/00", "object 0");
    let outcome = world.apply(call("objects/copy@1", stores.with(json!({})))).await;
    let message = refused(&outcome, "objects.conflict", Advice::Never);
    assert!(message.contains("1 of 40 objects are there and differ: 39"), "{message}");
    let asked = stores.server.counted();
    assert_eq!((asked.get("PUT"), asked.get("POST")), (None, None), "nothing was written: {asked:?}");
    let replaced = done(&world.apply(call("objects/copy@1", stores.with(json!({ "on_conflict": "replace" })))).await);
    assert_eq!((&replaced["copied"], &replaced["already"]), (&json!(39), &json!(1)));
    assert_eq!(stores.read("s3/live/s1/39"), b"object 39");
}

#[tokio::test]
async fn thousands_of_small_objects_take_two_requests_each() {
    let (world, stores) = (World::new(), Stores::new());
    for number in 0..5_000 {
        stores.write(&format!("s3/backup/s1/{}/{number}", number % 7), format!("small object {number}"));
    }
    let with = stores.with(json!({ "concurrency": 32 }));
    // On a machine that has other work it takes its time.
    let patient = Call { timeout: Duration::from_secs(280), ..call("objects/copy@1", with.clone()) };
    let copied = done(&world.apply(patient).await);
    assert_eq!((&copied["objects"], &copied["copied"]), (&json!(5_000), &json!(5_000)));
    let asked = stores.server.seen();
    let objects = asked.iter().filter(|(_, path)| !path.contains("list-type")).count();
    assert_eq!(objects, 10_000, "one GET and one PUT for each object");
    assert!(asked.len() - objects <= 10, "{} pages were listed", asked.len() - objects);
    let mut by_size = with;
    by_size["content"] = json!("size");
    let verified = done(&world.apply(call("objects/verify@1", by_size)).await);
    assert_eq!((&verified["objects"], &verified["bytes"]), (&json!(5_000), &copied["bytes"]));
    assert!(stores.server.seen().iter().all(|(_, path)| path.contains("list-type")), "a listing tells the sizes");
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_shown() {
    let (world, stores) = (World::new(), Stores::new());
    stores.write("s3/backup/s1/a", "one");
    for (field, secret) in [("secret_access_key", "s3_wrong"), ("access_key_id", "s3_wrong")] {
        for action in ["objects/copy@1", "objects/verify@1", "objects/remove@1"] {
            let mut place = stores.server.place("s3://backup");
            place[field] = json!(format!("⟦secret:{secret}⟧"));
            // The world looks for the secrets in every outcome.
            let outcome = world.apply(call(action, stores.with(json!({ "from": place })))).await;
            let message = refused(&outcome, "objects.denied", Advice::Never);
            assert!(message.contains("s3://backup") && !message.contains("Signature="), "{message}");
        }
    }
    // A literal is no secret by declaration, but is not shown either.
    let literal = json!({ "url": "s3://backup", "endpoint": stores.server.url(), "allow_http": true,
        "access_key_id": "literal-id", "secret_access_key": "literal-key" });
    let outcome = world.apply(call("objects/copy@1", stores.with(json!({ "from": literal })))).await;
    refused(&outcome, "objects.denied", Advice::Never);
    assert!(!format!("{outcome:?}").contains("literal-"), "{outcome:?}");
}

#[tokio::test]
async fn places_in_a_network_are_checked_before_anything_is_asked() {
    let (world, stores) = (World::new(), Stores::new());
    let place = |field: &str, value: Value| {
        let mut place = stores.server.place("s3://backup");
        place[field] = value;
        place
    };
    let key = |text: &str| json!(text);
    for (from, words) in [
        (json!("s3:///nobucket"), "bucket is missing"),
        (json!("s3://id:key@backup"), "holds no credentials"),
        (json!("ftp://backup"), "scheme ftp is not supported"),
        (json!({ "url": "az://media" }), "Account must be specified"),
        (json!({ "url": "gs://media", "service_account_key": "{}" }), "gs://media"),
        (place("allow_http", json!(false)), "not encrypted"),
        (place("access_key_id", key("two\nlines")), "access_key_id is empty, or holds"),
        (place("session_token", key("tab\there")), "session_token is empty, or holds"),
        (place("secret_access_key", key("")), "secret_access_key is empty"),
    ] {
        let outcome = world.apply(call("objects/copy@1", stores.with(json!({ "from": from })))).await;
        let message = refused(&outcome, "objects.invalid", Advice::Never);
        assert!(message.contains(words) && !message.contains("two") && !message.contains("id:key"), "{message}");
    }
    for (more, code) in [
        (json!({ "from": place("regin", json!("x")) }), "inputs"),
        (json!({ "from": 7 }), "inputs"),
        (json!({ "concurrency": 0 }), "objects.invalid"),
        (json!({ "concurrency": 257 }), "objects.invalid"),
        (json!({ "to": place("url", json!("s3://backup")) }), "objects.invalid"),
        (json!({ "to": place("url", json!("s3://backup/s1")), "to_prefix": "below" }), "objects.invalid"),
        (json!({ "undelete": true }), "objects.invalid"),
        (json!({ "from": stores.url("folder"), "at": "2022-04-05T07:00:00Z" }), "objects.versions_unsupported"),
    ] {
        refused(&world.apply(call("objects/copy@1", stores.with(more))).await, code, Advice::Never);
    }
    assert!(stores.server.seen().is_empty(), "nothing was asked");
    let outcome =
        world.apply(call("objects/copy@1", stores.with(json!({ "from": place("url", json!("s3://none")) })))).await;
    refused(&outcome, "objects.open", Advice::Never);
    // TLS is there: nobody answers, and nothing panics.
    let https =
        json!({ "url": "s3://b", "endpoint": "https://127.0.0.1:1", "access_key_id": "i", "secret_access_key": "k" });
    let outcome = world.apply(call("objects/verify@1", stores.with(json!({ "from": https })))).await;
    refused(&outcome, "objects.failed", Advice::Retry);
}

#[tokio::test]
async fn a_busy_store_is_asked_again_inside_the_attempt() {
    let (world, stores) = (World::new(), Stores::new());
    for number in 0..10 {
        stores.write(&format!("s3/backup/s1/{number}"), "x");
    }
    let count = Arc::new(AtomicUsize::new(0));
    let busy = Arc::clone(&count);
    stores.server.guard(
        move |_, _| {
            if busy.fetch_add(1, Ordering::SeqCst) % 3 == 1 { Gate::Refuse(503) } else { Gate::Pass }
        },
    );
    let copied = done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
    assert_eq!(copied["copied"], 10);
    assert!(count.load(Ordering::SeqCst) > 22, "some were asked again");
}

#[tokio::test]
async fn an_object_that_changes_meanwhile_is_noticed() {
    let (world, stores) = (World::new(), Stores::new());
    stores.write("s3/backup/s1/a", "before");
    let path = stores.folder.path().join("s3/backup/s1/a");
    stores.server.guard(move |method, asked| {
        if method == "GET" && asked.contains("/s1/a") {
            std::fs::write(&path, "changed later").unwrap();
        }
        Gate::Pass
    });
    let outcome = world.apply(call("objects/copy@1", stores.with(json!({})))).await;
    refused(&outcome, "objects.changed_meanwhile", Advice::Retry);
    assert!(!stores.folder.path().join("s3/live/s1/a").exists());
    stores.server.guard(|_, _| Gate::Pass);
    assert_eq!(done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await)["copied"], 1);
}

#[tokio::test]
async fn what_somebody_else_writes_meanwhile_is_not_overwritten() {
    let (world, stores) = (World::new(), Stores::new());
    stores.write("s3/backup/s1/a", "ours");
    stores.write("s3/backup/s1/big", big(9));
    for name in ["a", "big"] {
        let path = stores.folder.path().join("s3/live/s1").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let wanted = format!("/live/s1/{name}");
        stores.server.guard(move |method, asked| {
            if method == "PUT" && asked.starts_with(&wanted) && !path.exists() {
                std::fs::write(&path, "theirs").unwrap();
            }
            Gate::Pass
        });
        let outcome = world.apply(call("objects/copy@1", stores.with(json!({})))).await;
        assert!(unknown(&outcome, "objects.conflict").contains("appeared meanwhile"));
        assert_eq!(stores.read(&format!("s3/live/s1/{name}")), b"theirs");
        std::fs::remove_dir_all(stores.folder.path().join("s3/live/s1")).unwrap();
    }
}

#[tokio::test]
async fn inside_of_a_bucket_the_store_copies() {
    let (world, stores) = (World::new(), Stores::new());
    stores.write("s3/live/trash/s1/a", "one");
    stores.write("s3/live/trash/s1/big", big(9));
    let with = stores.with(json!({ "from": stores.server.place("s3://live/trash") }));
    let copied = done(&world.apply(call("objects/copy@1", with.clone())).await);
    assert_eq!((&copied["copied"], &copied["hash"]), (&json!(2), &Value::Null), "nobody here has seen the content");
    assert!(stores.server.seen().iter().all(|(method, path)| method != "GET" || path.contains("list-type")));
    assert!(stores.read("s3/live/s1/big") == big(9));
    assert_eq!(done(&world.apply(call("objects/copy@1", with.clone())).await)["already"], 2);
    done(&world.apply(call("objects/verify@1", with)).await);
}

#[tokio::test]
async fn what_is_there_is_known_by_its_tag() {
    let (world, stores) = (World::new(), Stores::new());
    let (fakes, contents) =
        ([(); 2].map(|()| FakeVersionedS3::default()), [("small", big(1)), ("empty", vec![]), ("big", big(20))]);
    let servers = fakes.clone().map(S3Server::serve);
    for (name, content) in &contents {
        stores.write(&format!("folder/s1/{name}"), content);
    }
    let there = json!({ "from": stores.url("folder"), "to": servers[0].place("s3://media"), "prefix": "s1" });
    let on = json!({ "from": servers[0].place("s3://media"), "to": servers[1].place("s3://media"), "prefix": "s1" });
    let back = json!({ "from": servers[1].place("s3://media"), "to": stores.url("folder"), "prefix": "s1" });
    let first = done(&world.apply(call("objects/copy@1", there.clone())).await);
    assert_eq!(done(&world.apply(call("objects/copy@1", on.clone())).await)["hash"], first["hash"]);
    for server in &servers {
        drop(server.seen());
    }
    for (with, hash) in [(&there, &first["hash"]), (&on, &Value::Null), (&back, &first["hash"])] {
        let again = done(&world.apply(call("objects/copy@1", with.clone())).await);
        assert_eq!((&again["already"], &again["hash"]), (&json!(3), hash));
    }
    for server in &servers {
        let asked = server.seen();
        assert!(asked.iter().all(|(_, path)| path.contains("list-type")), "nothing was read: {asked:?}");
    }
    // One byte of the file differs: its tag says so, and the content is looked at before anybody is told.
    let mut other = big(20);
    other[19 << 20] ^= 1;
    stores.write("folder/s1/big", other);
    let outcome = world.apply(call("objects/copy@1", there.clone())).await;
    assert!(refused(&outcome, "objects.conflict", Advice::Never).contains("1 of 3 objects are there and differ: big"));
    let mut etag = there;
    etag["content"] = json!("etag");
    refused(&world.apply(call("objects/verify@1", etag)).await, "objects.differ", Advice::Never);
}

#[tokio::test]
async fn what_no_store_checked_is_read_again() {
    let (world, stores) = (World::new(), Stores::new());
    let server = S3Server::open_folder(&stores.folder.path().join("s3"));
    stores.write("folder/s1/a", "one");
    let to = json!({ "url": "s3://live", "endpoint": server.url(), "allow_http": true, "anonymous": true });
    let with = json!({ "from": stores.url("folder"), "to": to, "prefix": "s1" });
    done(&world.apply(call("objects/copy@1", with.clone())).await);
    let asked = server.seen();
    assert!(asked.iter().any(|(method, path)| method == "GET" && path == "/live/s1/a"), "{asked:?}");
    // What is stored is not what was sent.
    let path = stores.folder.path().join("s3/live/s1/a");
    std::fs::remove_file(&path).unwrap();
    server.guard(move |method, _| {
        if method == "HEAD" {
            std::fs::write(&path, "0ne").unwrap();
        }
        Gate::Pass
    });
    unknown(&world.apply(call("objects/copy@1", with)).await, "objects.mismatch");
}

#[tokio::test]
async fn metadata_and_tags_go_along() {
    let (world, fake) = (World::new(), FakeVersionedS3::default());
    let (server, other) = (S3Server::serve(fake.clone()), FakeVersionedS3::default());
    let second = S3Server::serve(other.clone());
    fake.put_described("s1/a", b"one", "image/png", ("uploaded-by", "u7"), ("kind", "avatar"));
    fake.put("s1/plain", b"two");
    let with = json!({ "from": server.place("s3://media"), "to": second.place("s3://media"), "prefix": "s1" });
    done(&world.apply(call("objects/copy@1", with)).await);
    let (kind, metadata, tags) = other.described("s1/a");
    assert_eq!((kind.as_deref(), tags), (Some("image/png"), vec![("kind".to_owned(), "avatar".to_owned())]));
    assert_eq!(metadata.unwrap()["uploaded-by"], "u7");
    let tagging = server.seen().iter().filter(|(_, path)| path.contains("tagging")).count();
    assert_eq!(tagging, 1, "objects without tags are not asked for them");
}

#[tokio::test]
async fn uploads_do_not_stay_behind() {
    let (world, fake) = (World::new(), FakeVersionedS3::default());
    let (server, stores) = (S3Server::serve(fake.clone()), Stores::new());
    stores.write("folder/s1/big", big(20));
    fake.leave_upload("s1/big");
    fake.leave_upload("s1/of somebody else");
    let with = json!({ "from": stores.url("folder"), "to": server.place("s3://media"), "prefix": "s1" });
    // A part is refused for good: what was begun is given up.
    server.guard(|_, path| if path.contains("partNumber=2") { Gate::Refuse(400) } else { Gate::Pass });
    unknown(&world.apply(call("objects/copy@1", with.clone())).await, "objects.failed");
    assert_eq!((fake.uploads(), fake.current("s1/big")), (1, None), "ours are gone, the other one stays");
    server.guard(|_, _| Gate::Pass);
    done(&world.apply(call("objects/copy@1", with)).await);
    assert_eq!(fake.uploads(), 1);
    assert!(fake.current("s1/big").unwrap() == big(20));
}
