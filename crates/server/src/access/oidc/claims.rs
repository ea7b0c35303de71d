//! What verified claims say of a person: their name and their role.

use serde_json::{Map, Value};

use crate::access::oidc::{OidcError, Settings};
use crate::access::{Role, name};

/// Whether what the daemon needs is in an ID token; if not, the provider is asked for more.
pub(super) fn suffice(claims: &Map<String, Value>, settings: &Settings) -> bool {
    let file = &settings.file;
    let verified = file.name_claim != "email" || claims.contains_key("email_verified");
    find(claims, &file.name_claim).is_some() && find(claims, &file.groups_claim).is_some() && verified
}

/// Adds what the provider said when it was asked for more; what it signed counts. An address and whether it is verified
/// come from one place: from the ID token if both are in it, else both from what was said.
pub(super) fn joined(mut signed: Map<String, Value>, more: Map<String, Value>) -> Map<String, Value> {
    const ADDRESS: [&str; 2] = ["email", "email_verified"];
    if !ADDRESS.iter().all(|claim| signed.contains_key(*claim)) {
        ADDRESS.iter().for_each(|claim| drop(signed.remove(*claim)));
    }
    for (claim, value) in more {
        signed.entry(claim).or_insert(value);
    }
    signed
}

/// The name of a person.
pub(super) fn name(claims: &Map<String, Value>, settings: &Settings) -> Result<String, OidcError> {
    let claim = &settings.file.name_claim;
    let said = find(claims, claim).and_then(Value::as_str);
    let said = said.ok_or_else(|| OidcError::Name(format!("there is no claim `{claim}` that is a text")))?;
    // Anybody can have an address in their profile that is somebody else's.
    if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Err(OidcError::Name("the address was not verified (`email_verified`)".to_owned()));
    }
    if !name::is_name(said) || said.trim() != said {
        return Err(OidcError::Name(format!("the claim `{claim}` is not 1 to 100 visible characters")));
    }
    Ok(said.to_owned())
}

/// The role of a person: that of the first group in the daemon's file that they are in.
pub(super) fn role(claims: &Map<String, Value>, settings: &Settings) -> Result<Role, OidcError> {
    let groups: Vec<&str> = match find(claims, &settings.file.groups_claim) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let of = settings.roles.iter().find(|(group, _)| groups.contains(&group.as_str()));
    of.map(|(_, role)| *role).ok_or(OidcError::Group)
}

/// A claim by its name; names with dots lead into objects, unless there is a claim of just that name.
fn find<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    claims.get(claim).or_else(|| {
        let (first, rest) = claim.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

#[cfg(test)]
mod tests {
    use runbook::{Oidc, Source};
    use serde_json::json;

    use super::*;

    fn settings(more: &str) -> Settings {
        let text = format!(
            "schema: oidc/v1\nissuer: https://a.example\nclient_id: r\nclient_secret: env:S\n\
             public_url: https://b.example\nroles: {{ leads: admin, ops: operator }}\n{more}"
        );
        let (file, found) = Oidc::parse(&Source::new("oidc.yaml", text), &Role::ALL.map(Role::word));
        let file = file.unwrap_or_else(|| panic!("{found:?}"));
        let roles = vec![("leads".to_owned(), Role::Admin), ("ops".to_owned(), Role::Operator)];
        Settings { file, roles }
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn an_address_counts_only_if_it_is_verified_where_it_stands() {
        let email = settings("name_claim: email");
        let of = |claims: Value| name(&map(claims), &email).ok();
        assert_eq!(of(json!({ "email": "a@b.example", "email_verified": true })).as_deref(), Some("a@b.example"));
        for unverified in [json!(false), json!(null), json!("true"), json!(1)] {
            assert_eq!(of(json!({ "email": "a@b.example", "email_verified": unverified })), None);
        }
        assert_eq!(of(json!({ "email": "a@b.example" })), None);
        let signed = map(json!({ "email": "boss@b.example", "sub": "1" }));
        let more = map(json!({ "email": "eve@b.example", "email_verified": true, "sub": "2" }));
        let both = joined(signed, more);
        assert_eq!(
            name(&both, &email).ok().as_deref(),
            Some("eve@b.example"),
            "not one's address, verified for another"
        );
        assert_eq!(both["sub"], "1", "what is signed counts");
        // Somebody's own address was verified, and is not said; another is, and was not.
        let signed = || map(json!({ "email_verified": true, "sub": "1" }));
        let more = map(json!({ "email": "boss@b.example", "email_verified": false }));
        assert_eq!(name(&joined(signed(), more), &email).ok(), None);
        let more = map(json!({ "email": "boss@b.example" }));
        assert_eq!(name(&joined(signed(), more), &email).ok(), None);
        let both = map(json!({ "email": "a@b.example", "email_verified": true }));
        let more = map(json!({ "email": "boss@b.example", "email_verified": true }));
        assert_eq!(name(&joined(both, more), &email).ok().as_deref(), Some("a@b.example"));
    }

    #[test]
    fn a_name_is_one_that_people_can_read() {
        let usual = settings("");
        for bad in [json!(""), json!(" ben"), json!("ben\n"), json!("b\u{7}en"), json!(7), json!(["ben"])] {
            assert!(name(&map(json!({ "preferred_username": bad })), &usual).is_err(), "{bad}");
        }
        // What nobody sees would make two people of one name.
        for unseen in ['\u{200b}', '\u{2060}', '\u{feff}', '\u{ad}', '\u{202e}', '\u{3164}', '\u{e0062}'] {
            let bad = format!("b{unseen}en");
            assert!(name(&map(json!({ "preferred_username": bad })), &usual).is_err(), "{bad:?}");
        }
        assert!(name(&map(json!({ "preferred_username": "Zoë Ben" })), &usual).is_ok());
        assert!(name(&map(json!({ "name": "ben" })), &usual).is_err(), "no other claim stands in");
    }

    #[test]
    fn the_first_group_of_the_file_counts_and_nobody_else_gets_in() {
        let usual = settings("");
        let of = |groups: Value| role(&map(json!({ "groups": groups })), &usual).ok();
        assert_eq!(of(json!(["ops", "leads", "all"])), Some(Role::Admin));
        assert_eq!(of(json!("ops")), Some(Role::Operator));
        for none in [json!([]), json!(["Leads"]), json!(null), json!({ "leads": true }), json!(["all", 3])] {
            assert_eq!(of(none), None);
        }
        let nested = settings("groups_claim: realm_access.roles");
        assert!(role(&map(json!({ "realm_access": { "roles": ["ops"] } })), &nested).is_ok());
        let url = settings("groups_claim: https://a.example/groups");
        assert!(role(&map(json!({ "https://a.example/groups": ["ops"] })), &url).is_ok());
    }
}
