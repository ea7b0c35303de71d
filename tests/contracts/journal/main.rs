//! The contract of the journal: one suite on every implementation, and what a file on a real disk owes beyond it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod child_process;
mod damage;
mod fixture;
mod model;
mod pattern;
mod processes;
mod reopen;
mod scarce;
mod suite;

/// Runs each function of the suite on each implementation.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $name() { super::suite::$name(super::fixture::memory()).await; })*
        }
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::suite::$name(super::fixture::sqlite().await).await; })*
        }
    };
}

contract! {
    create_then_exists,
    plan_comes_back_whole,
    append_then_load,
    numbers_are_dense,
    conflict_changes_nothing,
    stale_epoch_changes_nothing,
    lease_is_held_until_it_expires,
    lease_is_renewed_and_released,
    unknown_runs_are_named,
    load_pages,
    list_is_newest_first,
    many_appenders_to_many_runs,
    one_of_two_rivals_wins_each_number,
}
