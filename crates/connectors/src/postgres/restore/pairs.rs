//! Comparisons of databases that hold for a while: a run restores one tenant after another between the same two.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::error::RestoreError;
use super::extracted::Described;
use super::pair::{Pair, Scope};

/// How long a comparison is believed. What changes meanwhile is found by the server when rows are written.
const FRESH: Duration = Duration::from_secs(30);
/// Comparisons that are kept.
const KEPT: usize = 64;

/// Comparisons by what was compared.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    known: Mutex<HashMap<String, (Instant, Arc<Pair>)>>,
}

impl Pairs {
    /// Compares two databases, or remembers that they were compared just now.
    pub(crate) async fn of(
        &self,
        (from, described): (&str, impl Future<Output = Result<Described, RestoreError>>),
        to: &str,
        live: &mut PgConnection,
        scope: &Scope,
    ) -> Result<Arc<Pair>, RestoreError> {
        // Only held in memory: the URLs may have passwords.
        let key = format!("{from}\n{to}\n{scope:?}");
        if let Ok(known) = self.known.lock()
            && let Some((since, pair)) = known.get(&key)
            && since.elapsed() < FRESH
        {
            return Ok(Arc::clone(pair));
        }
        let pair = Arc::new(Pair::read(described.await?, live, scope).await?);
        if let Ok(mut known) = self.known.lock() {
            known.retain(|_, (since, _)| since.elapsed() < FRESH);
            if known.len() < KEPT {
                known.insert(key, (Instant::now(), Arc::clone(&pair)));
            }
        }
        Ok(pair)
    }
}
