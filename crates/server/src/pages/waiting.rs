//! What can be done about something that waits for people.

use crate::live::Kind;

/// Verbs for a kind of thing: the verb, what its button says, its classes.
pub(crate) fn verbs(kind: &Kind) -> &'static [(&'static str, &'static str, &'static str)] {
    match kind {
        Kind::Gate => {
            &[("approve", "Approve", "go needs-decide"), ("reject", "Reject: cancels the run", "harm needs-decide")]
        }
        Kind::Approval => &[("pass", "Pass", "go needs-validate"), ("fail", "Fail", "harm needs-validate")],
        Kind::Parked => &[("resolve", "Say what is true", "go needs-operate")],
        Kind::Stuck => &[
            ("retry", "Retry", "go needs-operate"),
            ("mark-done", "Was done by hand", "needs-operate"),
            ("skip", "Skip", "harm needs-operate"),
        ],
        Kind::Quarantined => &[("retry", "Retry", "go needs-operate"), ("undo", "Undo", "harm needs-operate")],
        Kind::Degraded => &[("retry", "Retry", "needs-operate")],
    }
}
