//! What the composition root decides for all connectors.

/// Settings of all connectors.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name and version sent as `User-Agent`.
    pub user_agent: String,
    /// Proxy for HTTP, as a URL; `None` means none, whatever the environment says.
    pub proxy: Option<String>,
    /// Objects copied or read at the same time by one attempt; 1 to 256.
    pub object_concurrency: usize,
    /// Idle SQLite connections that are kept; 0 to 1,024.
    pub idle_connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_agent: concat!("reinstate/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxy: None,
            object_concurrency: 8,
            idle_connections: 64,
        }
    }
}
