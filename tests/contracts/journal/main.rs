//! The contract of a store: one suite on every implementation, and what a file on a real disk owes beyond it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod child_process;
mod claims;
mod copies;
mod damage;
mod dispatch;
mod dispatch_at_once;
mod dispatch_epochs;
mod dispatch_model;
mod drills;
mod fixture;
mod format_1;
mod format_2;
mod hand;
mod log_book;
mod log_file;
mod logs;
mod mailbox;
mod model;
mod pattern;
mod pooler;
mod pools;
mod pools_law;
mod postgres_orders;
mod postgres_promises;
mod postgres_rights;
mod postgres_schema;
mod postgres_tls;
mod postgres_trouble;
mod processes;
mod reopen;
mod retention;
mod retention_killed;
mod scarce;
mod schema;
mod shared_file;
mod shared_model;
mod sites;
mod suite;

/// Runs each function of the suites on each implementation.
macro_rules! contract {
    ($($suite:ident::$name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $name() { crate::$suite::$name(crate::fixture::memory()).await; })*
        }
        mod sqlite {
            $(#[tokio::test] async fn $name() { crate::$suite::$name(crate::fixture::sqlite().await).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { crate::$suite::$name(crate::fixture::postgres().await).await; })*
        }
    };
}

contract! {
    suite::create_then_exists,
    suite::plan_comes_back_whole,
    suite::append_then_load,
    suite::numbers_are_dense,
    suite::conflict_changes_nothing,
    suite::stale_epoch_changes_nothing,
    suite::lease_is_held_until_it_expires,
    suite::lease_is_renewed_and_released,
    suite::a_run_whose_driver_is_gone_is_abandoned_and_one_that_was_given_back_is_not,
    suite::a_lease_that_is_borrowed_leaves_the_run_as_it_was_also_if_who_borrowed_it_is_gone,
    suite::a_lease_that_was_given_back_is_not_renewed,
    suite::unknown_runs_are_named,
    suite::load_pages,
    suite::list_is_newest_first,
    suite::many_appenders_to_many_runs,
    suite::one_of_two_rivals_wins_each_number,
    suite::a_copy_is_whole_and_nobody_drives_it,
    copies::a_spent_name_is_refused_to_a_copy,
    sites::a_site_is_held_by_one_run,
    sites::a_refusal_names_the_first_site_its_run_and_how_many_more,
    sites::holding_again_is_fine,
    sites::estates_are_apart,
    sites::a_run_lets_go_of_its_own_sites_only,
    sites::a_run_is_created_with_its_sites_or_not_at_all,
    sites::a_hold_outlives_the_lease,
    sites::sites_of_unknown_runs_are_refused,
    sites::names_are_kept_to_the_letter,
    sites::a_hundred_thousand_sites_are_one_step,
    mailbox::requests_come_in_the_order_of_posting_and_are_answered,
    mailbox::what_was_taken_comes_again_only_to_who_has_not_seen_it,
    mailbox::what_a_dead_driver_took_is_lost_and_not_delivered_again,
    mailbox::a_slow_driver_that_nobody_followed_still_answers,
    mailbox::an_expired_request_is_not_taken,
    mailbox::a_withdrawn_request_is_never_taken,
    mailbox::a_request_is_withdrawn_or_taken_never_both,
    mailbox::mailboxes_are_apart,
    mailbox::requests_are_kept_for_a_day_and_numbers_for_ever,
    pools::one_alone_has_all_and_a_second_waits_for_its_part,
    pools::who_wants_little_leaves_the_rest,
    pools::what_is_neither_used_nor_wanted_is_given_back,
    pools::the_smaller_limit_holds_for_both,
    pools::whose_lease_is_over_holds_nothing,
    pools::who_lost_its_lease_gets_nothing,
    pools::pools_keys_and_estates_are_apart,
    pools::one_slot_goes_round,
    pools::units_that_take_more_than_an_even_part_do_not_wait_for_ever,
    claims::a_claim_is_one_persons_until_it_is_set_by_who_knows_whose_it_is,
    claims::a_claim_lasts_as_long_as_it_is_renewed,
    claims::what_is_given_back_is_free_and_keeps_its_notes,
    claims::runs_and_subjects_are_apart,
    claims::one_of_many_who_ask_in_the_same_moment_has_it,
    logs::lines_come_back_by_attempt_and_number,
    logs::lines_are_forgotten_where_a_piece_says_so,
    logs::the_weight_of_a_run_is_that_of_its_lines,
    logs::units_attempts_and_runs_are_apart,
    logs::texts_are_kept_to_the_letter,
    logs::logs_of_unknown_runs_are_refused,
    log_book::what_attempts_write_is_there_after_a_flush,
    log_book::the_middle_of_long_output_is_left_out_and_counted,
    log_book::a_run_at_its_limit_counts_on,
    log_book::secrets_are_replaced_line_by_line_too,
    log_book::a_log_that_is_not_written_leaves_nothing,
    retention::a_discarded_run_is_found_by_nobody_and_its_name_stays_taken,
    retention::a_name_is_taken_or_spent_whoever_comes_first,
    retention::only_the_newest_epoch_discards_and_no_run_that_holds_sites,
    retention::what_is_freed_is_the_discarded_run_and_no_other,
    retention::runs_are_judged_by_their_end_and_by_who_needs_them,
    retention::a_run_that_somebody_drives_is_kept,
    drills::a_slot_of_a_drill_is_claimed_once,
    drills::proofs_are_what_the_last_good_ones_and_certificates_are,
    drills::one_of_many_claimants_wins,
    drills::what_came_of_a_drill_is_said_once,
    drills::drills_are_listed_newest_slot_first,
    drills::unfinished_drills_are_listed_oldest_first,
    drills::the_last_good_drill_is_the_one_that_ended_last,
    drills::a_good_drill_that_proves_nothing_is_neither_the_last_good_one_nor_a_certificate,
    drills::what_ended_in_the_time_to_come_proves_nothing_yet,
    drills::the_first_drill_is_that_of_the_oldest_slot,
    drills::a_runbook_is_certified_by_the_good_drill_that_ended_last,
    dispatch::orders_come_to_the_letter,
    dispatch::many_and_large_orders_and_answers_come_whole,
    dispatch::an_order_is_claimed_by_one_worker_ever,
    dispatch::a_worker_has_as_many_orders_as_slots,
    dispatch::labels_say_who_may_claim,
    dispatch::what_a_lost_reply_told_comes_again,
    dispatch::an_answer_counts_once_and_while_its_worker_lives,
    dispatch::an_answer_stays_whatever_becomes_of_its_worker,
    dispatch::what_is_lost_is_settled_and_can_no_longer_be_answered,
    dispatch::what_is_settled_comes_again_until_it_is_done,
    dispatch::what_is_sent_again_is_not_there_twice,
    dispatch_epochs::older_epochs_are_fenced,
    dispatch_epochs::a_newer_epoch_withdraws_what_older_ones_sent,
    dispatch_epochs::the_first_orders_of_an_epoch_withdraw_those_of_lower_ones,
    dispatch_epochs::a_drive_withdraws_what_an_earlier_one_of_its_epoch_sent,
    dispatch_epochs::a_newer_epoch_learns_what_surely_became_of_what_older_ones_sent,
    dispatch_epochs::a_drive_learns_what_an_earlier_one_of_its_epoch_left,
    dispatch_epochs::withdrawn_orders_of_workers_that_are_gone_do_not_count,
    dispatch::what_nobody_has_claimed_is_taken_back,
    dispatch::who_drains_claims_nothing_more_and_finishes_what_it_has,
    dispatch::who_is_retired_or_expired_is_struck_off,
    dispatch::what_waits_is_told_by_its_labels,
    dispatch_epochs::nothing_is_claimed_under_a_lease_that_is_over,
    dispatch_epochs::runs_are_apart,
    dispatch_epochs::a_discarded_run_leaves_no_orders,
    dispatch_epochs::a_copy_has_no_orders_and_gets_its_own,
}
