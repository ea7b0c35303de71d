//! Whether a request comes from our own pages: what another site has a browser send is not the user's wish.

use http::{HeaderMap, Uri, header};

/// Whether the host that a request names is this machine; anything else that reached a loopback address came by a name
/// that somebody else controls.
pub(super) fn names_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(host) = host_of(headers, uri) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    matches!(name, "localhost" | "::1") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether what a browser says of where a request comes from is our own origin. `said` is whether it must say so:
/// programs do not.
pub(super) fn is_own(headers: &HeaderMap, uri: &Uri, said: bool) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        if site != "same-origin" && site != "none" {
            return false;
        }
    } else if said && headers.get(header::ORIGIN).is_none() {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    host.is_some() && host == host_of(headers, uri)
}

/// The host of HTTP/1 is a header, that of HTTP/2 a part of the address.
fn host_of<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let header = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| uri.authority().map(http::uri::Authority::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let parsed = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        parsed.collect()
    }

    #[test]
    fn another_site_is_told_from_our_own() {
        let own = |pairs: &[(&'static str, &'static str)], said| is_own(&headers(pairs), &Uri::from_static("/"), said);
        let host = ("host", "dr.example:7443");
        assert!(own(&[host, ("origin", "https://dr.example:7443")], true));
        assert!(own(&[host, ("sec-fetch-site", "same-origin")], true));
        assert!(!own(&[host, ("origin", "https://evil.example")], false));
        assert!(!own(&[host, ("origin", "null")], false));
        assert!(!own(&[host, ("sec-fetch-site", "cross-site"), ("origin", "https://dr.example:7443")], false));
        assert!(!own(&[host, ("sec-fetch-site", "same-site")], false), "a neighbour is no part of us");
        assert!(own(&[host], false) && !own(&[host], true), "a program says nothing, a browser must");
    }

    #[test]
    fn a_name_that_somebody_pointed_here_is_not_this_machine() {
        for (host, here) in [
            ("localhost:7400", true),
            ("127.0.0.1:7400", true),
            ("[::1]:7400", true),
            ("evil.example:7400", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            assert_eq!(names_loopback(&headers(&[("host", host)]), &Uri::from_static("/")), here, "{host}");
        }
    }
}
