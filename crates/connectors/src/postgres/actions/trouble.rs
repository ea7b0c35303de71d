//! From an error of a restore to what an attempt answers.

use std::time::Duration;

use crate::answer::Trouble;
use crate::postgres::restore::RestoreError;

/// Before another attempt at a server that ran out of disk, memory or connections: nobody makes room in a second.
const ROOM: Duration = Duration::from_secs(5);

/// Makes the answer: what surely changed nothing is refused, for now or for good; an open COMMIT is not known.
pub(super) fn trouble(error: &RestoreError) -> Trouble {
    let (code, text) = (error.code(), error.to_string());
    let trouble = if error.is_in_doubt() {
        Trouble::unknown(code, text)
    } else if error.is_for_want_of_room() {
        Trouble::retry_after(code, text, ROOM)
    } else if error.may_pass() {
        Trouble::retry(code, text)
    } else {
        Trouble::never(code, text)
    };
    trouble.hint(error.hint())
}
