//! The style and the script: files of our own, part of the binary, so that pages need no network.

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::api::body::At;

const STYLE: &str = include_str!("../../assets/style.css");
const LIVE: &str = include_str!("../../assets/live.js");

/// What stands behind the question mark in links to these files: it changes with them.
pub(super) fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let hash = blake3::Hasher::new().update(STYLE.as_bytes()).update(LIVE.as_bytes()).finalize();
        hash.to_hex().chars().take(12).collect()
    })
}

/// One of the files.
pub(super) async fn asset(At(name): At<String>) -> Response {
    let (text, kind) = match name.as_str() {
        "style.css" => (STYLE, "text/css; charset=utf-8"),
        "live.js" => (LIVE, "text/javascript; charset=utf-8"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")], text)
        .into_response()
}
