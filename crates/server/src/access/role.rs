//! Roles, and what each may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What someone is to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, and says of approval steps whether what came back is right.
    Validator,
    /// Looks, and decides on everything that waits for approval.
    Approver,
    /// Looks, plans, launches and steers runs; decides nothing.
    Operator,
    /// May do everything.
    Admin,
}

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Nothing: anybody may.
    Open,
    /// To look.
    See,
    /// To pass or fail an approval step.
    Validate,
    /// To approve or reject a start, a batch or a step. Whether the person is one of the approvers is the run's to say.
    Decide,
    /// To plan, launch and steer.
    Operate,
    /// To see who did what, and to bring estates in.
    Administer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Validator, Self::Approver, Self::Operator, Self::Admin];

    /// Whether the role may do what a route asks for.
    #[must_use]
    pub fn may(self, what: Permission) -> bool {
        use Permission::{Administer, Decide, Open, Operate, See, Validate};
        match what {
            Open | See => true,
            Validate => matches!(self, Self::Validator | Self::Approver | Self::Admin),
            Decide => matches!(self, Self::Approver | Self::Admin),
            Operate => matches!(self, Self::Operator | Self::Admin),
            Administer => self == Self::Admin,
        }
    }

    /// The role in a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Validator => "validator",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl Permission {
    /// The least role that has it, for messages.
    #[must_use]
    pub fn least(self) -> Role {
        match self {
            Self::Open | Self::See => Role::Viewer,
            Self::Validate => Role::Validator,
            Self::Decide => Role::Approver,
            Self::Operate => Role::Operator,
            Self::Administer => Role::Admin,
        }
    }
}
