//! The file that says who signs in by a provider of identities, and as what.
//!
//! It is read here since the parser and its diagnostics are here; what roles there are the daemon says.

use url::{Host, Url};

use crate::codes;
use crate::diagnostic::{self, Diagnostic, Text};
use crate::estate;
use crate::fields::Sink;
use crate::lower;
use crate::source::Source;
use crate::words;
use crate::yaml::{self, Node};

/// How long a session lasts if the file does not say: a shift.
const SESSION_MS: u64 = 12 * 3_600_000;
/// Bounds of what it may say: nobody signs in every few seconds, and whoever left a group is out within a week.
const SESSIONS: std::ops::RangeInclusive<u64> = 60_000..=7 * 24 * 3_600_000;

/// Sign-in by a provider of identities, as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// The provider, as it names itself.
    pub issuer: String,
    /// Name of the daemon at the provider.
    pub client_id: String,
    /// Reference to the secret that goes with it; never its value.
    pub client_secret: String,
    /// Where browsers reach the daemon: scheme, host and port.
    pub public_url: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that names the person.
    pub name_claim: String,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// Groups and the role that each gives; the first that somebody is in counts.
    pub roles: Vec<(String, String)>,
    /// How long a session lasts, in milliseconds.
    pub session_ms: u64,
}

pub(crate) const OIDC: &[&str] = &[
    "schema",
    "issuer",
    "client_id",
    "client_secret",
    "public_url",
    "scopes",
    "name_claim",
    "groups_claim",
    "roles",
    "session",
];

impl Oidc {
    /// Reads the file; `None` if there is an error. `roles` are the words that a group may lead to.
    #[must_use]
    pub fn parse(source: &Source, roles: &[&'static str]) -> (Option<Self>, Vec<Diagnostic>) {
        let text = Text::new(source);
        let root = match yaml::parse(&text) {
            Ok(root) => root,
            Err(diagnostic) => return (None, vec![*diagnostic]),
        };
        let mut sink = Sink::new(&text);
        let oidc = read(&mut sink, &root, roles);
        let found = diagnostic::in_order(sink.found);
        (oidc.filter(|_| !diagnostic::has_errors(&found)), found)
    }
}

impl Oidc {
    /// Whether nobody on the way to an address can read or change what is sent: it is TLS, or this machine alone.
    #[must_use]
    pub fn trusts(address: &str) -> bool {
        let Ok(url) = Url::parse(address) else { return false };
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        url.scheme() == "https" || (url.scheme() == "http" && here)
    }
}

fn read(sink: &mut Sink<'_>, root: &Node, roles: &[&'static str]) -> Option<Oidc> {
    let top = sink.fields(root, "the file", OIDC);
    let schema = top.need(sink, "schema", "start with `schema: oidc/v1`");
    lower::version(sink, schema, "oidc/v1");
    let issuer = top
        .need(sink, "issuer", "give the provider's URL: `issuer: https://login.example.org`")
        .and_then(|node| url(sink, node, "`issuer`"));
    let client_id = top
        .need(sink, "client_id", "give the name that the provider knows the daemon by: `client_id: reinstate`")
        .and_then(|node| word(sink, node, "`client_id`"));
    let client_secret = top
        .need(sink, "client_secret", "say where the secret is: `client_secret: env:OIDC_SECRET`")
        .and_then(|node| estate::reference(sink, node));
    let public_url = top
        .need(sink, "public_url", "say where browsers reach the daemon: `public_url: https://dr.example.org`")
        .and_then(|node| origin(sink, node));
    let scopes = match top.get("scopes") {
        Some(node) => sink.texts(node, "a scope").into_iter().map(|(scope, _)| scope.to_owned()).collect(),
        None => vec!["profile".to_owned(), "email".to_owned()],
    };
    let mut claim = |key: &str, usual: &str| match top.get(key) {
        Some(node) => word(sink, node, &format!("`{key}`")),
        None => Some(usual.to_owned()),
    };
    let (name_claim, groups_claim) = (claim("name_claim", "preferred_username"), claim("groups_claim", "groups"));
    let roles = top
        .entry("roles")
        .or_else(|| {
            let _ = top.need(sink, "roles", "say what each group may do: `roles: { dr-leads: admin }`");
            None
        })
        .map(|entry| groups(sink, &entry.value, roles));
    let session_ms = match top.get("session") {
        Some(node) => session(sink, node),
        None => Some(SESSION_MS),
    };
    Some(Oidc {
        issuer: issuer?,
        client_id: client_id?,
        client_secret: client_secret?,
        public_url: public_url?,
        // It is asked for in any case.
        scopes: scopes.into_iter().filter(|scope| scope != "openid").collect(),
        name_claim: name_claim?,
        groups_claim: groups_claim?,
        roles: roles?,
        session_ms: session_ms?,
    })
}

fn word(sink: &mut Sink<'_>, node: &Node, what: &str) -> Option<String> {
    let text = sink.text(node, what)?;
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        sink.error(codes::BAD_NAME, node.span, format!("{what} is empty or not plain text"), "write it in one line");
        return None;
    }
    Some(text.to_owned())
}

/// An address to trust, and nothing beside it.
fn url(sink: &mut Sink<'_>, node: &Node, what: &str) -> Option<String> {
    let text = sink.text(node, what)?;
    let hint = "write `https://HOST`; `http://` is for this machine alone (localhost)";
    let bare = Url::parse(text).is_ok_and(|url| {
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
    });
    if !bare || !Oidc::trusts(text) {
        // It is not quoted: whoever put a password in it should not see it in a log.
        sink.error(codes::OIDC_URL, node.span, format!("{what} is not a URL that can be trusted"), hint);
        return None;
    }
    Some(text.to_owned())
}

/// Scheme, host and port, as browsers say it.
fn origin(sink: &mut Sink<'_>, node: &Node) -> Option<String> {
    let text = url(sink, node, "`public_url`")?;
    let parsed = Url::parse(&text).ok()?;
    if parsed.path() != "/" {
        let hint = "the pages of the daemon are at the top of their host: `https://dr.example.org`";
        sink.error(codes::OIDC_URL, node.span, "`public_url` has a path", hint);
        return None;
    }
    Some(parsed.origin().ascii_serialization())
}

fn groups(sink: &mut Sink<'_>, node: &Node, roles: &[&'static str]) -> Vec<(String, String)> {
    let entries = sink.entries(node, "`roles`");
    if entries.is_empty() {
        let hint = "name at least one group, or nobody could sign in: `roles: { dr-leads: admin }`";
        sink.error(codes::OIDC_ROLES, node.span, "`roles` has no group", hint);
    }
    let known: Vec<(&'static str, &'static str)> = roles.iter().map(|role| (*role, *role)).collect();
    let mut all = Vec::new();
    for entry in entries {
        let what = format!("the role of `{}`", words::short(&entry.key));
        if let Some(role) = sink.word(&entry.value, &what, &known) {
            all.push((entry.key.clone(), role.to_owned()));
        }
    }
    all
}

fn session(sink: &mut Sink<'_>, node: &Node) -> Option<u64> {
    let lasts = sink.duration(node, "`session`", false)?;
    if !SESSIONS.contains(&lasts) {
        sink.error(codes::BAD_DURATION, node.span, "`session` is too short or too long", "from `1m` to `7d`");
        return None;
    }
    Some(lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "schema: oidc/v1
issuer: https://login.example.org/realms/dr
client_id: reinstate
client_secret: env:OIDC_SECRET
public_url: https://dr.example.org:8443/
scopes: [openid, groups]
roles: { dr-leads: admin, 'cn=ops,dc=x': operator }
";

    fn parse(text: &str) -> (Option<Oidc>, Vec<Diagnostic>) {
        Oidc::parse(&Source::new("oidc.yaml", text), &["admin", "operator"])
    }

    #[test]
    fn a_good_file_is_read_with_what_is_usual() {
        let (oidc, found) = parse(GOOD);
        let oidc = oidc.unwrap_or_else(|| panic!("{found:?}"));
        assert_eq!(oidc.public_url, "https://dr.example.org:8443");
        assert_eq!(oidc.scopes, ["groups"]);
        assert_eq!((oidc.name_claim.as_str(), oidc.groups_claim.as_str()), ("preferred_username", "groups"));
        let order: Vec<&str> = oidc.roles.iter().map(|(group, _)| group.as_str()).collect();
        assert_eq!(order, ["dr-leads", "cn=ops,dc=x"], "the first that fits counts");
        assert_eq!(oidc.session_ms, SESSION_MS);
    }

    #[test]
    fn what_cannot_be_trusted_is_refused_with_its_place_and_never_shown() {
        for (from, to, code, line) in [
            ("env:OIDC_SECRET", "hunter2", codes::ESTATE_SECRET, 4),
            ("https://login.example.org/realms/dr", "http://login.example.org", codes::OIDC_URL, 2),
            ("https://login.example.org/realms/dr", "https://u:hunter2@login.example.org", codes::OIDC_URL, 2),
            ("https://dr.example.org:8443/", "https://dr.example.org/dr", codes::OIDC_URL, 5),
            ("https://dr.example.org:8443/", "dr.example.org", codes::OIDC_URL, 5),
            ("https://dr.example.org:8443/", "ftp://localhost", codes::OIDC_URL, 5),
            ("admin", "root", codes::UNKNOWN_WORD, 7),
            ("{ dr-leads: admin, 'cn=ops,dc=x': operator }", "{}", codes::OIDC_ROLES, 7),
            ("scopes:", "scope:", codes::UNKNOWN_KEY, 6),
            ("scopes: [openid, groups]", "session: 8d", codes::BAD_DURATION, 6),
            ("oidc/v1", "oidc/v2", codes::BAD_VERSION, 1),
        ] {
            let (oidc, found) = parse(&GOOD.replace(from, to));
            assert!(oidc.is_none() && found.len() == 1, "{to}: {found:?}");
            assert_eq!((found[0].code, found[0].place().line), (code.id, line), "{to}");
            assert!(!found[0].message.contains("hunter2"), "{found:?}");
        }
        let (oidc, found) = parse("schema: oidc/v1\n");
        assert!(oidc.is_none() && found.len() == 5, "all that is missing, in one pass: {found:?}");
    }
}
