//! Texts that stay as they were until somebody wants them otherwise.

/// Compares with a stored text; `UPDATE_SNAPSHOTS=1` stores it anew.
pub fn snapshot(name: &str, text: &str) {
    let path = format!("{}/tests/snapshots/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "{name} differs from its snapshot; it is now:\n{text}");
}
