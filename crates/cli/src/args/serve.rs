//! What can be typed for the daemon, its tokens and its log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::{Logged, Stored};

/// The daemon's folder.
#[derive(Clone, Debug, Args)]
pub(crate) struct Housed {
    /// Folder with runbooks/, estates/, sites/, the tokens and the audit log
    #[arg(long, env = "REINSTATE_HOME", default_value = ".", value_name = "DIR")]
    pub(crate) home: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) housed: Housed,
    #[command(flatten)]
    pub(crate) stored: Stored,
    /// Address and port; elsewhere than on loopback it takes a token, and TLS
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7400")]
    pub(crate) listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A proxy stands before it that ends TLS and says in X-Forwarded-For where requests come from
    #[arg(long)]
    pub(crate) behind_proxy: bool,
    /// Delete runs that ended so long ago, such as 90d; each is written into the audit log
    #[arg(long, value_name = "TIME", value_parser = super::runs::age)]
    pub(crate) keep_runs: Option<Duration>,
    #[command(flatten)]
    pub(crate) logged: Logged,
    /// Leave runs alone that were interrupted, here or elsewhere
    #[arg(long)]
    pub(crate) no_take_up: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown once, and only its hash is kept
    Create {
        #[command(flatten)]
        housed: Housed,
        /// What its owner may do
        #[arg(long, value_enum)]
        role: RoleArg,
        /// Its owner, by the name under which estates list approvers
        #[arg(long)]
        name: String,
        /// How long it is good
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = lasting)]
        expires: Duration,
    },
    /// List tokens, without what opens the door
    List {
        #[command(flatten)]
        housed: Housed,
    },
    /// Take a token back; a running daemon heeds it at once
    Revoke {
        #[command(flatten)]
        housed: Housed,
        /// Its ID, as `list` shows it
        id: String,
    },
}

/// Roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// Looks.
    Viewer,
    /// Looks, and passes or fails what came back.
    Validator,
    /// Looks, and decides on everything that waits for approval.
    Approver,
    /// Looks, plans, launches and steers.
    Operator,
    /// May do everything.
    Admin,
}

impl From<RoleArg> for server::access::Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Validator => Self::Validator,
            RoleArg::Approver => Self::Approver,
            RoleArg::Operator => Self::Operator,
            RoleArg::Admin => Self::Admin,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Find a record that was changed, left out or moved: of the journal of a run, or without one of the daemon's log
    Verify {
        /// A run, whose journal is looked at
        run: Option<String>,
        #[command(flatten)]
        stored: Stored,
        #[command(flatten)]
        housed: Housed,
        /// Hash of the newest record as it was noted elsewhere: each report of a run has it
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

/// Reads a time such as `12h`, `30d` or `1y`.
fn lasting(text: &str) -> Result<Duration, String> {
    let long = humantime::parse_duration(text).map_err(|_| "write a number and a unit: 12h, 30d, 1y".to_owned())?;
    let most = Duration::from_secs(5 * 366 * 86_400);
    if long.is_zero() || long > most { Err("from a second to 5 years".to_owned()) } else { Ok(long) }
}
