//! Every page of the guide, its examples executed as they are typed there.

use std::path::Path;

use reinstate_tests::postgres::Cluster;
use reinstate_tests::typed::{Block, Prompt, Typed, blocks, fits, typed};

use super::parts;
use crate::place::BINARY;

/// A page is read in an empty folder: its files are written, its runbooks and estates checked, its commands typed in
/// one shell, and what they answer compared with what it shows.
fn read(name: &str, ready: impl FnOnce(Prompt) -> Prompt) {
    let page = server::guide::topic(name).unwrap_or_else(|| panic!("there is no page {name}")).text;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("page");
    std::fs::create_dir(&folder).unwrap();
    let blocks = blocks(page);
    // Runs that wait for people do so by themselves, unless the page says otherwise: what it says is what happens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let prompt = ready(Prompt::new(BINARY, &folder, scratch.path()).waiting().replacing("7400", port));
    for block in &blocks {
        let block = Block { text: prompt.as_typed(&block.text), ..block.clone() };
        written(name, &block, &folder);
    }
    let mut lines: Vec<(usize, Typed)> = Vec::new();
    for block in blocks.iter().filter(|block| block.info[0] == "console") {
        lines.extend(typed(&block.text).into_iter().map(|typed| (block.line, typed)));
    }
    let commands: Vec<String> = lines.iter().map(|(_, typed)| typed.command.clone()).collect();
    let mut wrong = Vec::new();
    for (ix, ((line, typed), answer)) in lines.iter().zip(prompt.type_in(&commands)).enumerate() {
        let place = format!("{name}.md:{line}: $ {}", typed.command);
        // A code that is not 0 is shown by the next command.
        let told = commands.get(ix + 1).is_some_and(|next| next == "echo $?");
        if answer.code != 0 && !told {
            wrong.push(format!("{place}\nended with {}:\n{}", answer.code, answer.said));
        }
        if !fits(&typed.shown, &answer.said) {
            wrong.push(format!("{place}\nshown:\n{}\nsaid:\n{}", typed.shown.join("\n"), answer.said));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Writes the file of a block and insists that it is right; a part of a runbook is checked inside of one.
fn written(page: &str, block: &Block, folder: &Path) {
    let place = format!("{page}.md:{}", block.line);
    let info: Vec<&str> = block.info.iter().map(String::as_str).collect();
    match info.as_slice() {
        ["console"] => {}
        ["yaml", "runbook", name] => {
            std::fs::write(folder.join(name), &block.text).unwrap();
            parts::check(&place, &block.text, parts::ESTATE);
        }
        ["yaml", "part"] => parts::check(&place, &parts::whole(&block.text), parts::ESTATE),
        ["yaml", "estate", name] => {
            std::fs::write(folder.join(name), &block.text).unwrap();
            parts::check(&place, &parts::whole(""), &block.text);
        }
        ["yaml", "estate"] => parts::check(&place, &parts::whole(""), &block.text),
        ["yaml", "oidc", name] => {
            let roles = server::access::Role::ALL.map(server::access::Role::word);
            let (oidc, found) =
                runbook::Oidc::parse(&runbook::Source::new(place.as_str(), block.text.as_str()), &roles);
            assert!(oidc.is_some() && found.is_empty(), "{place}: {found:?}");
            std::fs::write(folder.join(name), &block.text).unwrap();
        }
        // What a page shows as wrong is shown wrong by its commands.
        ["yaml" | "csv" | "json" | "sh" | "text", "file", name] => {
            std::fs::write(folder.join(name), &block.text).unwrap()
        }
        other => panic!("{place}: what is a block of {other:?}? Every example is executed"),
    }
}

macro_rules! pages {
    ($($test:ident = $name:literal, $ready:expr;)*) => {
        $(#[test] fn $test() { read($name, $ready); })*
        const READ: &[&str] = &[$($name),*];
    };
}

pages! {
    first_restore = "first-restore", |prompt| prompt;
    operating = "operating", |prompt| prompt;
    validation = "validation", |prompt| prompt;
    runbook = "runbook", |prompt| prompt;
    expressions = "expressions", |prompt| prompt;
    sites = "sites", |prompt| prompt;
    estates = "estates", |prompt| prompt;
    connectors = "connectors", |prompt| prompt;
    preflight = "preflight", |prompt| prompt;
    reports = "reports", |prompt| prompt;
    postgres_recover = "postgres-recover", |prompt| prompt;
    workers = "workers", |prompt| prompt;
    serve = "serve", |prompt| prompt;
    deploy = "deploy", |prompt| prompt;
    benchmark = "benchmark", |prompt| prompt;
    peers = "peers", |prompt| prompt;
    telling = "telling", |prompt| prompt;
    drills = "drills", |prompt| prompt;
    codes = "codes", |prompt| prompt;
}

#[test]
fn tenant_restore() {
    let cluster = Cluster::start();
    let ready = |prompt: Prompt| {
        ["postgres", "app", "copy"].iter().fold(prompt, |prompt, database| {
            let url = format!("'{}'", cluster.url(database));
            prompt.replacing(&format!("postgres://postgres@localhost/{database}"), url)
        })
    };
    read("tenant-restore", ready);
}

#[test]
fn store() {
    // A server that does not sync is warned of.
    let cluster = Cluster::with().set("fsync", "on").start();
    cluster.create("runs");
    read("store", |prompt| {
        prompt.replacing("postgres://postgres@localhost/runs", format!("'{}'", cluster.url("runs")))
    });
}

#[test]
fn no_page_is_left_unread() {
    for topic in server::guide::TOPICS {
        assert!(
            READ.contains(&topic.name) || ["tenant-restore", "store"].contains(&topic.name),
            "{} is read by no test",
            topic.name
        );
    }
}
