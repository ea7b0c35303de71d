//! Every runbook that ships with the project, on a real lab, by the real binary: it does what it says, and what it did is
//! taken back, whatever fails, however often, and killed at any step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod books;
mod journal;
mod proof;
mod refused;
mod side_by_side;
mod typed;
mod variant;

use books::Book;

/// Proves the same of each; a runbook that is not here fails `no_runbook_is_forgotten`.
macro_rules! proved {
    ($($name:ident: $book:expr;)*) => {
        const BOOKS: &[Book] = &[$($book),*];
        $(mod $name {
            use super::{Book, proof};

            const BOOK: Book = $book;

            #[test]
            fn whichever_step_fails_it_is_taken_back_and_the_estate_is_as_before() {
                proof::whichever_step_fails(&BOOK);
            }

            #[test]
            fn each_undo_can_be_delivered_twice() {
                proof::each_undo_twice(&BOOK);
            }

            #[test]
            fn killed_at_each_step_there_and_back_it_ends_as_undisturbed() {
                proof::killed_at_each_step(&BOOK);
            }
        })*
    };
}

proved! {
    minimal: Book { file: "minimal.yaml", list: "sites.csv", only: Some("deleted_at"), damaged: true, renews: false };
    restoration_1: Book { file: "restoration-1.yaml", list: "sites.csv", only: None, damaged: true, renews: true };
    restoration_2: Book { file: "restoration-2.yaml", list: "sites.csv", only: None, damaged: true, renews: false };
    retire_app: Book { file: "retire-app.yaml", list: "apps.csv", only: None, damaged: false, renews: false };
}

#[test]
fn no_runbook_is_forgotten() {
    let yaml = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(reinstate_tests::process::shipped(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
        names.sort_unstable();
        names
    };
    let mut proved: Vec<&str> = BOOKS.iter().map(|book| book.file).collect();
    proved.sort_unstable();
    assert_eq!(yaml(""), proved);
    // Models are for simulation: nothing in them acts, and they say so.
    for name in yaml("history") {
        let text = std::fs::read_to_string(reinstate_tests::process::shipped("history").join(&name)).unwrap();
        assert!(text.lines().take_while(|line| line.starts_with('#')).any(|line| line.contains("simulat")), "{name}");
        assert!(!text.replace("noop@1", "").contains("@1"), "{name}");
    }
}
