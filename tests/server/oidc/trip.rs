//! A sign-in, step by step, as a browser takes it.

use reinstate_tests::provider::{CLIENT, Provider, SECRET};

use crate::client::{Answer, Request};
use crate::daemon::{Daemon, Home};

/// Where browsers reach the daemon; nothing is sent there: a trip is taken by hand.
const PUBLIC: &str = "http://localhost:7400";

/// A provider, and a home that knows it; the first group of two is an operator's.
pub fn known(more: &str) -> (Provider, Home) {
    let provider = Provider::start(&format!("{PUBLIC}/sign-in/oidc/back"));
    let home = Home::new(5);
    home.write("oidc.yaml", &file(&provider.issuer(), more));
    (provider, home)
}

/// The daemon's file.
pub fn file(issuer: &str, more: &str) -> String {
    format!(
        "schema: oidc/v1\nissuer: {issuer}\nclient_id: {CLIENT}\nclient_secret: env:OIDC_SECRET\npublic_url: {PUBLIC}\n\
         roles: {{ dr-ops: operator, dr-leads: approver }}\n{more}"
    )
}

/// A daemon behind a proxy, which says where requests come from: whoever is refused often has to wait, by address.
pub fn served(home: &Home) -> Daemon<'_> {
    Daemon::start_with(home, &["--behind-proxy"], &[("OIDC_SECRET", SECRET), ("REINSTATE_LOG", "trace")])
}

/// A sign-in on its way: where the browser is sent, and the cookie that it keeps.
pub struct Trip {
    pub from: String,
    pub url: String,
    pub cookie: String,
}

impl Trip {
    /// Asks to sign in.
    pub fn begin(daemon: &Daemon<'_>, from: &str) -> Self {
        let answer = daemon.ask(&request("/sign-in/oidc?to=%2Fqueue%3Fa%3D1", from));
        assert_eq!(answer.status, 303, "{answer:?}");
        let set = answer.header("set-cookie").expect("a cookie").to_owned();
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Secure"), "{set}");
        let cookie = set.split(';').next().expect("its first part").to_owned();
        Self { from: from.to_owned(), url: answer.header("location").expect("a place").to_owned(), cookie }
    }

    /// Signs in at the provider; gives the path that the browser is sent back to.
    pub fn through(&self, provider: &Provider) -> String {
        let path = self.url.strip_prefix(&provider.issuer()).expect("the provider's own page");
        let answer = Request::new("GET", path).ask(provider.address());
        let back = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
        back.strip_prefix(PUBLIC).expect("the daemon's own page").to_owned()
    }

    /// Brings back what the provider gave.
    pub fn back(&self, daemon: &Daemon<'_>, path: &str) -> Answer {
        daemon.ask(&request(path, &self.from).with("Cookie", &self.cookie))
    }

    /// The whole way.
    pub fn whole(daemon: &Daemon<'_>, provider: &Provider, from: &str) -> Answer {
        let trip = Self::begin(daemon, from);
        let back = trip.through(provider);
        trip.back(daemon, &back)
    }
}

fn request<'a>(path: &'a str, from: &str) -> Request<'a> {
    Request::new("GET", path).with("X-Forwarded-For", from).with("Accept", "text/html")
}

/// The session that an answer opened, as a browser sends it.
pub fn session(answer: &Answer) -> Option<String> {
    let set = answer.head.lines().find(|line| line.to_lowercase().starts_with("set-cookie: reinstate_session="))?;
    Some(set.split(": ").nth(1)?.split(';').next()?.to_owned())
}

/// Insists that somebody was not let in, and says so in a page with a code.
pub fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(&format!(">{code}<")), "{code}: {}", answer.body);
    assert_eq!(session(answer), None, "{answer:?}");
}
