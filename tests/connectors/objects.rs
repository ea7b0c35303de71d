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
        (json!({ "from": "ftp://bucket" }), "objects.invalid"),
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

/// Every file and folder below the target, sorted.
fn tree(stores: &Stores) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            found.push(entry.path().strip_prefix(root).unwrap().display().to_string());
            walk(&entry.path(), root, found);
        }
    }
    let (root, mut found) = (stores.path("to", ""), Vec::new());
    walk(&root, &root, &mut found);
    found.sort();
    found
}

#[tokio::test]
async fn a_copy_is_taken_back_and_can_be_made_again() {
    let (world, stores) = (World::new(), Stores::new());
    stores.write("to", "s10/c", b"other");
    let before = tree(&stores);
    let remove = || call("objects/remove@1", stores.with(json!({})));
    // What was never copied.
    assert_eq!(done(&world.apply(remove()).await), json!({ "objects": 0, "bytes": 0, "kept": 0 }));
    let first = done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
    let removed = done(&world.apply(remove()).await);
    assert_eq!(removed, json!({ "objects": 4, "bytes": 9 * 1024 * 1024 + 6, "kept": 0 }));
    assert_eq!(tree(&stores), before, "no folder is left, no other prefix was touched");
    assert_eq!(done(&world.apply(remove()).await)["objects"], 0);
    assert_eq!(done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await)["hash"], first["hash"]);
    let elsewhere = stores.with(json!({ "to_prefix": "a/b/c" }));
    done(&world.apply(call("objects/copy@1", elsewhere.clone())).await);
    assert_eq!(done(&world.apply(call("objects/remove@1", elsewhere)).await)["objects"], 4);
    assert!(!stores.path("to", "a").exists(), "folders above the prefix that hold nothing go too");
    assert!(stores.path("to", "s1/big").exists());
}

#[tokio::test]
async fn what_the_copy_did_not_put_there_is_named_before_the_first_one_goes() {
    let (world, stores) = (World::new(), Stores::new());
    done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
    stores.write("to", "s1/a.txt", b"ONE");
    stores.write("to", "s1/newer", b"x");
    let before = tree(&stores);
    let outcome = world.apply(call("objects/remove@1", stores.with(json!({})))).await;
    let message = refused(&outcome, "objects.changed", Advice::Never);
    assert!(message.ends_with("a.txt (content differs), newer (only at the target)"), "{message}");
    assert_eq!(tree(&stores), before);
    let kept = done(&world.apply(call("objects/remove@1", stores.with(json!({ "if_changed": "keep" })))).await);
    assert_eq!((&kept["objects"], &kept["kept"]), (&json!(3), &json!(2)));
    assert_eq!(tree(&stores), ["s1", "s1/a.txt", "s1/newer"]);
    let all = done(&world.apply(call("objects/remove@1", stores.with(json!({ "if_changed": "remove" })))).await);
    assert_eq!((&all["objects"], &all["kept"]), (&json!(2), &json!(0)));
    assert!(tree(&stores).is_empty());
    for prefix in ["", "/"] {
        let outcome = world.apply(call("objects/remove@1", stores.with(json!({ "prefix": prefix })))).await;
        refused(&outcome, "objects.invalid", Advice::Never);
    }
}

#[tokio::test]
async fn a_removal_dropped_in_the_middle_goes_on() {
    let (world, stores) = (World::new(), Stores::new());
    for number in 0..50 {
        stores.write("from", &format!("s1/many/{number}"), &vec![number; 10_000]);
    }
    for polls in [1, 5, 20, 60, 200] {
        done(&world.apply(call("objects/copy@1", stores.with(json!({})))).await);
        crate::world::dropped_after(polls, world.apply(call("objects/remove@1", stores.with(json!({}))))).await;
        done(&world.apply(call("objects/remove@1", stores.with(json!({})))).await);
        assert!(tree(&stores).is_empty(), "after {polls} polls: {:?}", tree(&stores));
    }
}
