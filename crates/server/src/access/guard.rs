//! The guard before every route: who asks, may they, and not too often.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use runtime::{Clock, SystemClock};

use crate::access::acts::{LONGEST, act, bounded, look};
use crate::access::limits::{Limit, line_of};
use crate::access::{
    COOKIE, Opener, Permission, Role, Session, Sessions, TokenError, Tokens, Via, Who, origin, rule_of,
};
use crate::api::Problem;
use crate::app::App;

/// Who may ask, and how often.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    /// Who acts on this machine while there are no tokens; nobody if there is a provider of identities.
    pub(crate) here: Option<String>,
    /// Whether the daemon listens on loopback alone.
    pub(crate) loopback: bool,
    /// Whether a proxy stands before it that says where requests come from.
    pub(crate) behind_proxy: bool,
    asked: Limit,
    failed: Limit,
    begun: Limit,
}

impl Access {
    pub(crate) fn new(tokens: Tokens, here: Option<String>, loopback: bool, behind_proxy: bool) -> Self {
        Self {
            tokens,
            sessions: Sessions::default(),
            here,
            loopback,
            behind_proxy,
            asked: Limit::new(400, 100.0),
            failed: Limit::new(10, 0.2),
            begun: Limit::new(300, 5.0),
        }
    }

    /// Whether who asked before may still: the token may have been revoked since, or the session ended.
    pub(crate) fn still(&self, who: &Who) -> bool {
        let now = SystemClock.now();
        match &who.via {
            Via::Token(id) => matches!(self.tokens.good(id, now), Ok(Some(_))),
            Via::Session(session) => {
                self.sessions.is_open(session, now) && self.of_session(session.clone(), who.from).is_ok()
            }
            Via::Here => matches!(self.tokens.ever(), Ok(false)),
            Via::Nobody => true,
        }
    }

    /// Counts a guess; whoever makes too many has to wait.
    pub(crate) fn guessed(&self, from: IpAddr) -> Result<(), Problem> {
        self.failed.take(&line_of(from)).map_err(Problem::too_often)
    }

    /// Counts a sign-in by the provider that begins. Whatever comes back is of one that was begun, so that this bounds what
    /// strangers can have the daemon do: read its secret, perhaps by a command, and ask the provider.
    pub(crate) fn begins(&self, from: IpAddr) -> Result<(), Problem> {
        self.begun.take(&line_of(from)).map_err(Problem::too_often)
    }

    /// Who a session is of, if they may still have one.
    fn of_session(&self, session: Session, from: IpAddr) -> Result<Who, Problem> {
        let now = SystemClock.now();
        let (name, role) = match &session.opener {
            Opener::Token(id) => {
                let token = self.tokens.good(id, now).map_err(trouble)?;
                let token = token.ok_or_else(|| Problem::unauthorised("the token of this session is over"))?;
                (token.name, token.role)
            }
            Opener::Person(person) => {
                // A token of the same name was made since: nobody else may act under it, and this session does not live
                // again when the name is free.
                if self.tokens.named(&person.name).map_err(trouble)? {
                    self.sessions.close(&session);
                    return Err(Problem::unauthorised("the name of this session is that of a token's owner"));
                }
                (person.name.clone(), person.role)
            }
        };
        Ok(Who { name, role, from, via: Via::Session(session) })
    }

    /// Ends the session of a cookie; says whose it was, whether they may still do anything or not.
    pub(crate) fn sign_out(&self, headers: &HeaderMap, from: IpAddr) -> Option<Who> {
        let session = cookie(headers, COOKIE).and_then(|name| self.sessions.find(name, SystemClock.now()))?;
        self.sessions.close(&session);
        let (name, role) = match &session.opener {
            Opener::Token(id) => {
                // That a session ended is a record, also if nobody can say any more whose it was.
                let known = self.tokens.list().unwrap_or_default().into_iter().find(|token| token.id == *id);
                known.map_or_else(|| (format!("owner of token {id}"), Role::Viewer), |token| (token.name, token.role))
            }
            Opener::Person(person) => (person.name.clone(), person.role),
        };
        Some(Who { name, role, from, via: Via::Session(session) })
    }

    /// Finds out who sent a token. Guesses are limited; whoever has a good one is let in, whoever else guesses from there.
    pub(crate) fn of_token(&self, sent: &str, from: IpAddr) -> Result<Who, Problem> {
        match self.tokens.find(sent, SystemClock.now()) {
            Ok(Some(token)) => Ok(Who { name: token.name, role: token.role, from, via: Via::Token(token.id) }),
            Ok(None) => {
                self.guessed(from)?;
                Err(Problem::unauthorised("the token is not known, has expired or was revoked"))
            }
            Err(error) => Err(trouble(error)),
        }
    }

    fn who(&self, headers: &HeaderMap, from: IpAddr) -> Result<Who, Problem> {
        if let Some(sent) = headers.get(header::AUTHORIZATION) {
            let sent = sent.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            let sent = sent.ok_or_else(|| Problem::unauthorised("the header Authorization is no bearer token"))?;
            return self.of_token(sent.trim(), from);
        }
        let now = SystemClock.now();
        if let Some(session) = cookie(headers, COOKIE).and_then(|name| self.sessions.find(name, now)) {
            return self.of_session(session, from);
        }
        if let Some(here) = &self.here
            && self.loopback
            && from.is_loopback()
            && !self.behind_proxy
            && !self.tokens.ever().map_err(trouble)?
        {
            return Ok(Who { name: here.clone(), role: Role::Admin, from, via: Via::Here });
        }
        Err(Problem::unauthorised("who asks is not known"))
    }

    /// Lets a request pass, or says why not.
    fn pass(&self, request: &Request, path: Option<&str>) -> Result<Who, Box<Refused>> {
        let from = self.address(request);
        let (headers, uri, method) = (request.headers(), request.uri(), request.method());
        if self.loopback && !self.behind_proxy && !origin::names_loopback(headers, uri) {
            let fact = "the request names another host than this machine";
            return Err(Problem::new(StatusCode::FORBIDDEN, "host-foreign", fact, "use localhost or 127.0.0.1").into());
        }
        let Some(path) = path else {
            self.asked.take(&line_of(from)).map_err(Problem::too_often)?;
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "no-such-path",
                "there is nothing here",
                "see /api/v1/openapi.json",
            )
            .into());
        };
        let Some(rule) = rule_of(method, path) else {
            self.asked.take(&line_of(from)).map_err(Problem::too_often)?;
            let fact = "this path has no such method";
            return Err(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "no-such-method",
                fact,
                "see /api/v1/openapi.json",
            )
            .into());
        };
        let nobody = || Who { name: String::new(), role: Role::Viewer, from, via: Via::Nobody };
        let who = if rule.needs == Permission::Open { nobody() } else { self.who(headers, from)? };
        let caller = who.via.key().unwrap_or_else(|| line_of(from));
        self.asked.take(&caller).map_err(Problem::too_often)?;
        let changes = !matches!(*method, Method::GET | Method::HEAD);
        if changes && !origin::is_own(headers, uri, matches!(who.via, Via::Session(_))) {
            let fact = "the request comes from a page of another site, or does not say from where";
            let problem = Problem::new(StatusCode::FORBIDDEN, "origin-foreign", fact, "act on the daemon's own pages");
            // Whoever is on this machine may be any page that their browser shows: it could have each of its requests wait
            // for the disk, and fill that.
            let who = matches!(who.via, Via::Token(_) | Via::Session(_)).then_some(who);
            return Err(Box::new(Refused { problem, who }));
        }
        if !who.role.may(rule.needs) {
            let fact = format!("the role {} may not do this", who.role.word());
            let hint = format!("it takes the role {}", rule.needs.least().word());
            return Err(Refused::of(Problem::new(StatusCode::FORBIDDEN, "role-missing", fact, hint), who));
        }
        Ok(who)
    }

    /// Where a request comes from; behind a proxy, what the nearest one says.
    fn address(&self, request: &Request) -> IpAddr {
        let peer = request.extensions().get::<SocketAddr>().map_or(IpAddr::from([0, 0, 0, 0]), SocketAddr::ip);
        if !self.behind_proxy {
            return peer;
        }
        let said = request.headers().get_all("x-forwarded-for").iter().next_back();
        let nearest = said.and_then(|said| said.to_str().ok()).and_then(|said| said.rsplit(',').next());
        nearest.and_then(|ip| ip.trim().parse().ok()).unwrap_or(peer)
    }
}

/// A request that does not pass, and who it was that may not, where that is known and worth a record.
struct Refused {
    problem: Problem,
    who: Option<Who>,
}

impl Refused {
    fn of(problem: Problem, who: Who) -> Box<Self> {
        Box::new(Self { problem, who: (who.via != Via::Nobody).then_some(who) })
    }
}

impl From<Problem> for Box<Refused> {
    fn from(problem: Problem) -> Self {
        Box::new(Refused { problem, who: None })
    }
}

fn trouble(error: TokenError) -> Problem {
    Problem::trouble(error.code(), &error, error.hint())
}

/// The value of a cookie that a browser sent.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|header| header.to_str().ok());
    cookies.flat_map(|header| header.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == wanted).then_some(value)
    })
}

/// Stands before every route, and has what was done written into the audit log.
pub(crate) async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let (method, target) = (request.method().clone(), request.uri().path().to_owned());
    let who = match app.access.pass(&request, path.as_deref()) {
        Ok(who) => who,
        Err(refused) => {
            let Refused { problem, who } = *refused;
            let page = crate::pages::turned_away(&request, who.as_ref(), &problem);
            let response = page.unwrap_or_else(|| problem.into_response());
            return match who {
                Some(who) if changes => app.recorded(&who, &method, &target, response).await,
                _ => response,
            };
        }
    };
    request.extensions_mut().insert(who.clone());
    if !changes {
        return look(next.run(request), LONGEST).await;
    }
    let (deed, of) = (next.run(bounded(request, LONGEST)), app.clone());
    let record = move |response| {
        let (app, who, method, target) = (of.clone(), who.clone(), method.clone(), target.clone());
        async move {
            // Whoever opens a session is known to the handler alone, which records it.
            if who.via == Via::Nobody { response } else { app.recorded(&who, &method, &target, response).await }
        }
    };
    act(&app.acts, deed, record, LONGEST).await
}
