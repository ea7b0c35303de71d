//! `objects/*` on folders.

use std::path::Path;

use runtime::engine::Advice;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{World, call, done, refused};

struct Stores {
    folder: TempDir,
}

impl Stores {
    fn new() -> Self {
        let stores = Self { folder: tempfile::tempdir().unwrap() };
        for (name, content) in
            [("s1/a.txt", "one"), ("s1/deep er/b%20ü.bin", "two"), ("s10/c", "other"), ("s1/empty", "")]
        {
            stores.write("from", name, content.as_bytes());
        }
        stores.write("from", "s1/big", &vec![7; 9 * 1024 * 1024]);
        stores
    }

    fn path(&self, store: &str, name: &str) -> std::path::PathBuf {
        self.folder.path().join(store).join(name)
    }

    fn write(&self, store: &str, name: &str, content: &[u8]) {
        let path = self.path(store, name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn with(&self, more: Value) -> Value {
        let url = |path: &Path| format!("file://{}", path.display());
        let mut with = json!({ "from": url(&self.path("from", "")), "to": url(&self.path("to", "")), "prefix": "s1" });
        for (name, value) in more.as_object().unwrap() {
            with[name] = value.clone();
        }
        with
    }
}

#[tokio::test]
async fn copies_what_is_missing_once() {
    let (world, stores) = (World::new(), Stores::new());
    stores.write("to", "s1/a.txt", b"one");
    let first = done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
    assert_eq!((&first["objects"], &first["copied"], &first["already"]), (&json!(4), &json!(3), &json!(1)));
    assert_eq!(first["bytes"], 9 * 1024 * 1024 + 6);
    let again = done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
    assert_eq!((&again["copied"], &again["already"], &again["hash"]), (&json!(0), &json!(4), &first["hash"]));
    let verified = done(&world.apply(call("objects/verify@1", stores.with(json!({})))).await);
    assert_eq!((&verified["objects"], &verified["hash"], &verified["extra"]), (&json!(4), &first["hash"], &json!(0)));
    assert_eq!(std::fs::read(stores.path("to", "s1/deep er/b%20ü.bin")).unwrap(), b"two");
    assert!(!stores.path("to", "s10").exists(), "a prefix means whole segments");
}

#[tokio::test]
async fn a_different_object_is_never_overwritten() {
    let (world, stores) = (World::new(), Stores::new());
    stores.write("to", "s1/a.txt", b"ONE");
    let outcome = world.apply(call("objects/copy@1", stores.with(json!({})))).await;
    assert!(
        refused(&outcome, "objects.conflict", Advice::Never).contains("1 of 4 objects are there and differ: a.txt")
    );
    assert!(!stores.path("to", "s1/big").exists(), "conflicts are found before the first write");
    let outcome = world.apply(call("objects/verify@1", stores.with(json!({})))).await;
    let message = refused(&outcome, "objects.differ", Advice::Never);
    assert!(message.contains("a.txt (content differs), big (missing)"), "{message}");
    done(&world.apply(call("objects/copy@1", stores.with(json!({ "on_conflict": "replace" })))).await);
    assert_eq!(std::fs::read(stores.path("to", "s1/a.txt")).unwrap(), b"one");
    stores.write("to", "s1/more", b"x");
    refused(&world.apply(call("objects/verify@1", stores.with(json!({})))).await, "objects.differ", Advice::Never);
    let allowed = done(&world.apply(call("objects/verify@1", stores.with(json!({ "extra": "allow" })))).await);
    assert_eq!(allowed["extra"], 1);
}

#[tokio::test]
async fn places_are_checked() {
    let (world, stores) = (World::new(), Stores::new());
    let nothing = done(&world.apply(call("objects/copy@1", stores.with(json!({ "prefix": "none" })))).await);
    assert_eq!((&nothing["objects"], &nothing["copied"]), (&json!(0), &json!(0)));
    for (more, code) in [
        (json!({ "from": "file:///no/such/folder" }), "objects.open"),
        (json!({ "from": "s3://bucket" }), "objects.invalid"),
        (json!({ "from": "relative" }), "objects.invalid"),
        (json!({ "prefix": "../s1" }), "objects.invalid"),
    ] {
        refused(&world.apply(call("objects/copy@1", stores.with(more))).await, code, Advice::Never);
    }
}

#[tokio::test]
async fn dropped_in_the_middle_it_goes_on() {
    let (world, stores) = (World::new(), Stores::new());
    for number in 0..50 {
        stores.write("from", &format!("s1/many/{number}"), &vec![number; 10_000]);
    }
    for polls in [1, 5, 20, 60, 200] {
        crate::world::dropped_after(polls, world.apply(call("objects/copy@1", stores.with(json!({}))))).await;
        for entry in std::fs::read_dir(stores.path("to", "s1/many")).into_iter().flatten().flatten() {
            // A name with `#` is an upload that was never completed; a listing does not show it.
            if !entry.file_name().to_string_lossy().contains('#') {
                assert_eq!(entry.metadata().unwrap().len(), 10_000);
            }
        }
    }
    done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
    assert_eq!(done(&world.apply(call("objects/verify@1", stores.with(json!({})))).await)["objects"], 54);
}

#[tokio::test]
async fn what_a_killed_writer_left_is_swept_away() {
    let (world, stores) = (World::new(), Stores::new());
    // As the folder's store leaves it: one object half written, one whole but its staging name not yet removed.
    stores.write("to", "s1/a.txt#1", b"o");
    stores.write("to", "s1/empty", b"");
    stores.write("to", "s1/empty#1", b"");
    stores.write("to", "s1/empty#2", b"");
    done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
    for left in ["s1/a.txt#1", "s1/empty#1", "s1/empty#2"] {
        assert!(!stores.path("to", left).exists(), "{left} is left");
    }
}
