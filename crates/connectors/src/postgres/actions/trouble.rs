//! From an error of a restore to what an attempt answers.

use crate::answer::Trouble;
use crate::postgres::restore::RestoreError;

/// Makes the answer: what surely changed nothing is refused, for now or for good; an open COMMIT is not known.
pub(super) fn trouble(error: &RestoreError) -> Trouble {
    let (code, text) = (error.code(), error.to_string());
    let trouble = if error.is_in_doubt() {
        Trouble::unknown(code, text)
    } else if error.may_pass() {
        Trouble::retry(code, text)
    } else {
        Trouble::never(code, text)
    };
    trouble.hint(error.hint())
}
