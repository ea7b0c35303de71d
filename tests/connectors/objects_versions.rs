//! Versions and delete markers: objects come back as they were at the restore point. The store is a fake of how S3 keeps
//! versions, behind the real protocol.

use reinstate_tests::fake_versioned_s3::FakeVersionedS3;
use reinstate_tests::s3::S3Server;
use runtime::engine::Advice;
use serde_json::{Value, json};

use crate::world::{World, call, done, refused};

/// 2022-04-05T07:00:00Z.
const POINT: u64 = 1_649_142_000;

struct Bucket {
    world: World,
    fake: FakeVersionedS3,
    server: S3Server,
}

impl Bucket {
    fn new(fake: FakeVersionedS3) -> Self {
        let server = S3Server::serve(fake.clone());
        Self { world: World::new(), fake, server }
    }

    /// A site whose objects were all deleted after the restore point, but for one.
    fn damaged() -> Self {
        let fake = FakeVersionedS3::default();
        fake.time(POINT - 100);
        for key in ["s1/kept", "s1/deleted", "s1/overwritten", "s1/gone before", "s2/of another site"] {
            fake.put(key, format!("{key} then").as_bytes());
        }
        fake.time(POINT - 50);
        fake.put("s1/deleted", b"deleted, second version");
        fake.delete("s1/gone before");
        fake.time(POINT + 50);
        fake.put("s1/overwritten", b"of later");
        fake.put("s1/later", b"of later");
        fake.time(POINT + 60);
        for key in ["s1/deleted", "s1/overwritten", "s1/later", "s2/of another site"] {
            fake.delete(key);
        }
        fake.time(POINT + 1_000);
        Self::new(fake)
    }

    fn with(&self, more: Value) -> Value {
        let place = self.server.place("s3://media");
        let mut with = json!({ "from": place, "to": place, "prefix": "s1", "at": "2022-04-05T09:00:00+02:00" });
        for (name, value) in more.as_object().unwrap() {
            with[name] = value.clone();
        }
        with
    }

    async fn apply(&self, action: &str, more: Value) -> runtime::engine::Outcome {
        self.world.apply(call(action, self.with(more))).await
    }

    fn content(&self, key: &str) -> String {
        self.fake.current(key).map_or_else(|| "-".into(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }
}

fn told(outputs: &Value) -> Vec<String> {
    let told = outputs["versions"].as_array().unwrap();
    told.iter().map(|one| format!("{} {}", one["name"].as_str().unwrap(), one["how"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn deleted_objects_come_back_as_they_were() {
    for undelete in [false, true] {
        let bucket = Bucket::damaged();
        let before = bucket.apply("objects/verify@1", json!({ "extra": "allow" })).await;
        let message = refused(&before, "objects.differ", Advice::Never);
        assert!(message.contains("deleted (missing), overwritten (missing)"), "{message}");
        let back = done(&bucket.apply("objects/copy@1", json!({ "undelete": undelete })).await);
        assert_eq!((&back["objects"], &back["copied"], &back["already"]), (&json!(3), &json!(2), &json!(1)));
        assert_eq!(back["undeleted"], u64::from(undelete));
        let how = if undelete { "undeleted" } else { "copied" };
        // The overwritten one has a later version between, so the removal of its marker would not bring it back.
        assert_eq!(told(&back), [format!("deleted {how}"), "kept already".into(), "overwritten copied".into()]);
        assert_eq!(back["versions"][0]["since"], "2022-04-05T06:59:10Z");
        assert_eq!(bucket.content("s1/deleted"), "deleted, second version");
        assert_eq!(bucket.content("s1/overwritten"), "s1/overwritten then");
        for gone in ["s1/gone before", "s1/later", "s2/of another site"] {
            assert_eq!(bucket.content(gone), "-", "{gone}");
        }
        assert_eq!(bucket.fake.versions("s1/deleted"), if undelete { 2 } else { 4 });
        done(&bucket.apply("objects/verify@1", json!({})).await);
        let again = done(&bucket.apply("objects/copy@1", json!({ "undelete": undelete })).await);
        assert_eq!((&again["copied"], &again["already"]), (&json!(0), &json!(3)));

        let removed = done(&bucket.apply("objects/remove@1", json!({})).await);
        assert_eq!(removed["objects"], 3);
        assert_eq!(bucket.content("s1/deleted"), "-");
        assert_eq!(done(&bucket.apply("objects/copy@1", json!({})).await)["copied"], 3, "and back again");
    }
}

#[tokio::test]
async fn the_content_never_leaves_the_store() {
    let bucket = Bucket::damaged();
    done(&bucket.apply("objects/copy@1", json!({})).await);
    let asked = bucket.server.seen();
    assert!(asked.iter().all(|(method, path)| method != "GET" || path.starts_with("/media?")), "{asked:?}");
    assert_eq!(asked.iter().filter(|(method, _)| method == "PUT").count(), 2);
}

#[tokio::test]
async fn an_object_in_use_again_is_a_conflict_before_the_first_write() {
    let bucket = Bucket::damaged();
    bucket.fake.put("s1/overwritten", b"of a new user");
    let outcome = bucket.apply("objects/copy@1", json!({ "undelete": true })).await;
    let message = refused(&outcome, "objects.conflict", Advice::Never);
    assert!(message.contains("1 of 3 objects are there and differ: overwritten"), "{message}");
    assert_eq!(bucket.content("s1/deleted"), "-");
    let replaced = done(&bucket.apply("objects/copy@1", json!({ "on_conflict": "replace" })).await);
    assert_eq!(replaced["copied"], 2);
    assert_eq!(bucket.content("s1/overwritten"), "s1/overwritten then");
}

#[tokio::test]
async fn versions_go_to_another_store_too() {
    let (bucket, other) = (Bucket::damaged(), FakeVersionedS3::default());
    let second = S3Server::serve(other.clone());
    let elsewhere = json!({ "to": second.place("s3://media"), "to_prefix": "back/s1" });
    let copied = done(&bucket.apply("objects/copy@1", elsewhere.clone()).await);
    assert_eq!((&copied["copied"], copied["hash"].is_string()), (&json!(3), true));
    assert_eq!(other.current("back/s1/deleted").unwrap(), "deleted, second version");
    let verified = done(&bucket.apply("objects/verify@1", elsewhere).await);
    assert_eq!(verified["hash"], copied["hash"]);
}

#[tokio::test]
async fn a_history_of_many_pages_is_read_to_its_end() {
    let fake = FakeVersionedS3::default();
    fake.time(POINT - 10);
    for number in 0..250 {
        fake.put(&format!("s1/{number:03}"), format!("object {number}").as_bytes());
    }
    fake.time(POINT + 10);
    for number in 0..250 {
        fake.delete(&format!("s1/{number:03}"));
    }
    let bucket = Bucket::new(fake);
    let back = done(&bucket.apply("objects/copy@1", json!({ "undelete": true })).await);
    assert_eq!((&back["undeleted"], &back["versions_more"]), (&json!(250), &json!(0)));
    assert_eq!(bucket.content("s1/249"), "object 249");
}

#[tokio::test]
async fn what_the_bucket_does_not_tell_is_not_guessed() {
    let bucket = Bucket::damaged();
    bucket.fake.time(POINT - 100);
    let version = bucket.fake.put("s1/expired", b"x");
    bucket.fake.time(POINT + 60);
    bucket.fake.delete("s1/expired");
    bucket.fake.expire("s1/expired", &version);
    let outcome = bucket.apply("objects/copy@1", json!({})).await;
    assert!(refused(&outcome, "objects.history_lost", Advice::Never).contains("of 1 objects"));
    assert_eq!(bucket.content("s1/deleted"), "-");
    let skip = json!({ "on_lost": "skip" });
    let back = done(&bucket.apply("objects/copy@1", skip.clone()).await);
    assert_eq!((&back["copied"], &back["lost"]), (&json!(2), &json!(["expired"])));
    assert_eq!(done(&bucket.apply("objects/verify@1", skip).await)["objects"], 3);

    let bucket = Bucket::new(FakeVersionedS3::unversioned());
    refused(&bucket.apply("objects/copy@1", json!({})).await, "objects.versions_unsupported", Advice::Never);
}
