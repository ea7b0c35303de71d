//! Sites of an estate, as both engines ask for them.

/// Sites of an estate.
pub(crate) struct Named {
    pub(crate) estate: String,
    /// Ascending, each once: an index then grows in places or is walked once, and two processes want rows in one order.
    pub(crate) sites: Vec<String>,
}

impl Named {
    pub(crate) fn new(estate: &str, sites: &[String]) -> Self {
        let mut sites = sites.to_vec();
        sites.sort_unstable();
        sites.dedup();
        Self { estate: estate.to_owned(), sites }
    }

    /// About how many bytes they are.
    pub(crate) fn weight(&self) -> usize {
        self.sites.iter().map(|site| site.len() + 16).sum()
    }
}
