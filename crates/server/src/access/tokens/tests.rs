use super::*;

fn home() -> PathBuf {
    let name = random::name().expect("random bits");
    let path = std::env::temp_dir().join(format!("reinstate-tokens-{name}"));
    std::fs::create_dir_all(&path).expect("a folder");
    path
}

#[test]
fn a_token_is_found_until_it_expires_or_is_revoked_and_is_not_kept() {
    let home = home();
    let tokens = Tokens::of(&home);
    assert!(!tokens.ever().expect("no file yet"));
    let made = tokens.create("mia", Role::Operator, 1_000, 2_000).expect("made");
    let other = Tokens::of(&home);
    let found = other.find(&made.secret, 1_999).expect("read").expect("known");
    assert_eq!((found.name.as_str(), found.role), ("mia", Role::Operator));
    assert_eq!(other.find(&made.secret, 2_000).expect("read"), None, "expired");
    let wrong = format!("{}0", &made.secret[..made.secret.len() - 1]);
    assert!(wrong == made.secret || other.find(&wrong, 1_500).expect("read").is_none());
    let text = std::fs::read_to_string(home.join("tokens.json")).expect("the file");
    let secret = made.secret.rsplit('_').next().expect("its secret");
    assert!(!text.contains(secret), "only a hash is kept");
    let mode = std::fs::metadata(home.join("tokens.json")).expect("the file").mode();
    assert_eq!(mode & 0o777, 0o600);
    tokens.revoke(&made.kept.id, 1_500).expect("revoked");
    assert_eq!(other.find(&made.secret, 1_600).expect("read"), None, "revoked by another, and heeded at once");
    assert!(other.ever().expect("read"), "nobody gets in without a token any more");
    std::fs::remove_dir_all(home).expect("our own folder");
}

#[test]
fn a_name_is_held_until_its_token_is_revoked() {
    let home = home();
    let tokens = Tokens::of(&home);
    let made = tokens.create("sam", Role::Approver, 1_000, 2_000).expect("made");
    assert!(!made.kept.is_good(3_000) && tokens.named("Sam").expect("read"), "it has expired, and keeps its name");
    tokens.revoke(&made.kept.id, 3_000).expect("revoked");
    assert!(!tokens.named("sam").expect("read"));
    std::fs::remove_dir_all(home).expect("our own folder");
}

#[test]
fn names_that_cannot_be_read_are_refused_and_unknown_ones_are_told() {
    let home = home();
    let tokens = Tokens::of(&home);
    for name in ["", "  ", "a\nb", "\u{1b}[2J", "b\u{200b}en", &"x".repeat(101)] {
        assert_eq!(tokens.create(name, Role::Viewer, 0, 1).expect_err("refused").code(), "token-name", "{name:?}");
    }
    assert_eq!(tokens.revoke("nobody", 0).expect_err("unknown").code(), "token-unknown");
    std::fs::remove_dir_all(home).expect("our own folder");
}
