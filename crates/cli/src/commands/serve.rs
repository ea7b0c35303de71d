//! `serve` and `token`: the daemon, and who may use it.

use runtime::{Clock, SystemClock};
use serde_json::json;
use server::access::{TokenError, Tokens};
use server::{Home, ServeError, Settings};

use crate::args::{Serve, TokenCommand};
use crate::execute::kit;
use crate::exit::Exit;
use crate::failure::{Failure, chain};
use crate::{out, people, signals};

/// Serves until a signal comes.
pub(crate) async fn serve(args: Serve, json: bool) -> Result<Exit, Failure> {
    let store = args.stored.store.open().await?;
    let settings = Settings {
        listen: args.listen,
        tls: args.tls_cert.zip(args.tls_key),
        behind_proxy: args.behind_proxy,
        home: Home::new(&args.housed.home),
        place: args.stored.store.to_string(),
        actor: people::actor(),
        take_up: !args.no_take_up,
        keep_runs: args.keep_runs,
    };
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let stop = signals::stop_token();
    let served = server::serve(kit(&store, args.logged.run_logs), settings, stop).await?;
    let url = format!("{scheme}://{}", served.address);
    if json {
        out::json(&json!({ "url": url }));
    } else {
        out::answer(&format!("serving at {url}; Ctrl-C stops it, and runs go on when it is started again"));
    }
    served.ended().await;
    Ok(Exit::Done)
}

/// Makes, lists and revokes tokens.
pub(crate) fn token(command: TokenCommand, json: bool) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    match command {
        TokenCommand::Create { housed, role, name, expires } => {
            let until = now.saturating_add(i64::try_from(expires.as_millis()).unwrap_or(i64::MAX));
            let made = Tokens::of(&housed.home).create(&name, role.into(), now, until)?;
            let kept = &made.kept;
            if json {
                out::json(&json!({
                    "token": made.secret, "id": kept.id, "name": kept.name, "role": kept.role,
                    "expires": report::stamp(kept.expires_at),
                }));
            } else {
                out::answer(&made.secret);
                out::note(&format!(
                    "token {} of {}, {}, good until {}; it is not shown again",
                    kept.id,
                    report::plain(&kept.name),
                    kept.role.word(),
                    report::clock(kept.expires_at),
                ));
            }
        }
        TokenCommand::List { housed } => {
            let tokens = Tokens::of(&housed.home).list()?;
            let state = |token: &server::access::Token| match (token.revoked_at, token.is_good(now)) {
                (Some(_), _) => "revoked",
                (None, true) => "good",
                (None, false) => "expired",
            };
            if json {
                let rows = tokens.iter().map(|token| {
                    json!({
                        "id": token.id, "name": token.name, "role": token.role, "state": state(token),
                        "expires": report::stamp(token.expires_at),
                    })
                });
                out::json(&rows.collect::<Vec<_>>());
            } else {
                let rows = tokens.iter().map(|token| {
                    let (role, until) = (token.role.word(), report::clock(token.expires_at));
                    format!(
                        "{:<12} {role:<10} {:<8} until {until}  {}",
                        token.id,
                        state(token),
                        report::plain(&token.name)
                    )
                });
                out::answer(&rows.collect::<Vec<_>>().join("\n"));
            }
        }
        TokenCommand::Revoke { housed, id } => {
            Tokens::of(&housed.home).revoke(&id, now)?;
            if json {
                out::json(&json!({ "id": id, "revoked": true }));
            } else {
                out::answer(&format!("token {id} is revoked"));
            }
        }
    }
    Ok(Exit::Done)
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::input(error.code(), chain(&error), error.hint())
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::input(error.code(), error.to_string(), error.hint())
    }
}
