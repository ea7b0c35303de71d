//! The real binary copies objects to a server and is killed in the middle, or looked at while it holds most.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use reinstate_tests::fake_versioned_s3::FakeVersionedS3;
use reinstate_tests::process::{expect, reinstate};
use reinstate_tests::s3::{Gate, KEY_ID, S3Server, SECRET};

const BINARY: &str = env!("CARGO_BIN_EXE_reinstate-under-test");

const RUNBOOK: &str = r#"
schema: runbook/v1
name: objects
targets: { id: "^s[0-9]+$", attributes: { shard: string } }
defaults: { timeout: 2m, retry: { attempts: 3, backoff: exponential, delay: 50ms, max_delay: 1s } }
steps:
  objects:
    uses: objects/copy@1
    with:
      from: "${{ estate.backup }}"
      to: { url: "s3://media", endpoint: "${{ estate.endpoint }}", allow_http: true, access_key_id: "${{ secrets.id }}", secret_access_key: "${{ secrets.key }}" }
      prefix: "${{ site.id }}"
  check:
    needs: objects
    uses: objects/verify@1
    with:
      from: "${{ estate.backup }}"
      to: { url: "s3://media", endpoint: "${{ estate.endpoint }}", allow_http: true, access_key_id: "${{ secrets.id }}", secret_access_key: "${{ secrets.key }}" }
      prefix: "${{ site.id }}"
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(server: &S3Server) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let backup = place.folder.path().join("backup");
        std::fs::create_dir_all(backup.join("s1")).unwrap();
        place.write("runbook.yaml", RUNBOOK);
        place.write("sites.csv", "id,shard\ns1,a\n");
        place.write(
            "estate.yaml",
            format!(
                "schema: estate/v1\nname: bench\nsandbox: true\nvariables: {{ backup: \"file://{}\", endpoint: \"{}\" }}\n\
                 secrets: {{ id: \"env:STORE_ID\", key: \"env:STORE_KEY\" }}\n",
                backup.display(),
                server.url()
            ),
        );
        place
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = reinstate(BINARY);
        command.args(args).args(["--log", "trace"]).current_dir(self.folder.path());
        command.env("REINSTATE_STORE", "sqlite:runs.db").env("STORE_ID", KEY_ID).env("STORE_KEY", SECRET);
        command
    }

    fn run(&self) -> Command {
        self.command(&["run", "runbook.yaml", "--sites", "sites.csv", "--estate", "estate.yaml", "--run", "r", "--yes"])
    }

    /// Starts the run with its output in files.
    fn start(&self) -> Child {
        let file = |name: &str| Stdio::from(std::fs::File::create(self.folder.path().join(name)).unwrap());
        self.run().stdout(file("out.txt")).stderr(file("err.txt")).spawn().unwrap()
    }

    /// Waits for what the server says, as long as the binary is at work.
    fn wait<T>(&self, said: &mpsc::Receiver<T>, child: &mut Child) -> T {
        loop {
            match said.recv_timeout(Duration::from_millis(50)) {
                Ok(said) => return said,
                Err(_) if child.try_wait().unwrap().is_none() => {}
                Err(_) => panic!("it ended: {}", std::fs::read_to_string(self.folder.path().join("err.txt")).unwrap()),
            }
        }
    }

    /// Looks for the credentials in everything that was written: outputs, logs, the journal.
    fn holds_no_secret(&self) {
        let mut looked = 0;
        for entry in std::fs::read_dir(self.folder.path()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            let bytes = std::fs::read(entry.path()).unwrap();
            for secret in [KEY_ID, SECRET] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds {secret}", entry.path().display());
            }
            looked += usize::from(!bytes.is_empty());
        }
        assert!(looked >= 5, "logs and journal were looked at");
    }
}

#[test]
fn killed_in_the_middle_it_copies_only_what_is_missing() {
    const OBJECTS: usize = 400;
    const BEFORE: usize = 150;
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("media")).unwrap();
    let server = S3Server::folder(root.path());
    let place = Place::new(&server);
    for number in 0..OBJECTS {
        place.write(&format!("backup/s1/{number:03}"), format!("object {number}"));
    }
    let (there, reached) = mpsc::channel();
    let puts = AtomicUsize::new(0);
    server.guard(move |method, _| {
        if method != "PUT" || puts.fetch_add(1, Ordering::SeqCst) < BEFORE {
            return Gate::Pass;
        }
        let _ = there.send(());
        Gate::Hold
    });
    let mut child = place.start();
    place.wait(&reached, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    server.guard(|_, _| Gate::Pass);
    drop(server.seen());
    let output = expect(&mut place.command(&["resume", "r"]), 0);
    place.write("resumed.txt", [output.stdout, output.stderr].concat());
    let written: Vec<String> =
        server.seen().into_iter().filter(|(method, _)| method == "PUT").map(|(_, path)| path).collect();
    // What was on its way when it was killed may or may not have arrived; the default is 8 at once.
    let missing = OBJECTS - BEFORE;
    assert!((missing..=missing + 8).contains(&written.len()), "{} of {OBJECTS} were written again", written.len());
    let once: std::collections::BTreeSet<&String> = written.iter().collect();
    assert_eq!(once.len(), written.len(), "none was written twice");
    for number in 0..OBJECTS {
        let content = std::fs::read_to_string(root.path().join(format!("media/s1/{number:03}"))).unwrap();
        assert_eq!(content, format!("object {number}"));
    }
    place.holds_no_secret();
}

/// Most memory that a process ever had, in KiB.
fn peak(process: u32) -> usize {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_large_object_goes_in_parts_and_never_lies_in_memory_as_a_whole() {
    const MIB: usize = 1024 * 1024;
    let fake = FakeVersionedS3::default();
    let server = S3Server::serve(fake.clone());
    let place = Place::new(&server);
    let content: Vec<u8> = (0..128 * MIB).map(|at| (at / 13 % 241) as u8).collect();
    place.write("backup/s1/large", &content);
    let (said, asked) = mpsc::channel();
    let completing = Arc::new(AtomicUsize::new(0));
    let completed = Arc::clone(&completing);
    server.guard(move |method, path| {
        // Listing is the first thing, completing the last; it is asked to complete again, which a test may rely on.
        let complete = method == "POST" && path.contains("uploadId");
        if complete && completed.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = said.send(true);
            return Gate::Refuse(503);
        }
        if path.contains("list-type") {
            let _ = said.send(false);
        }
        Gate::Pass
    });
    let mut child = place.start();
    assert!(!place.wait(&asked, &mut child), "the target is listed first");
    let before = peak(child.id());
    while !place.wait(&asked, &mut child) {}
    let grown = peak(child.id()).saturating_sub(before);
    assert!(child.wait().unwrap().success());
    assert!(grown < 80 * 1024, "{grown} KiB more for an object of {} KiB", content.len() / 1024);
    assert!(fake.current("s1/large").unwrap() == content, "the object differs");
    let parts = server.seen().iter().filter(|(_, path)| path.contains("partNumber")).count();
    assert_eq!((parts, fake.uploads()), (16, 0));
    place.holds_no_secret();
}
