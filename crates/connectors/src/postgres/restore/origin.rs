//! Where tenants' rows come from: a recovered server, or what was taken out of one while it moved from point to point.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use sqlx::PgConnection;

use super::error::{RestoreError, failed};
use super::extracted::Extracted;
use super::pair::Pair;
use super::session;
use super::source;

/// Prefix of the URL of an extract.
pub(crate) const EXTRACT: &str = "extract:";

/// The side from which rows come.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A recovered server, in one snapshot.
    Server(PgConnection),
    /// Files of an extract.
    Files(Extracted),
}

impl Origin {
    /// Opens it; a server is read in one snapshot from the first look at its rows.
    pub(crate) async fn open(url: &str) -> Result<Self, RestoreError> {
        match url.strip_prefix(EXTRACT) {
            Some(folder) => Extracted::open(folder.as_ref()).map(Self::Files),
            None => session::backup(url).await.map(Self::Server),
        }
    }

    /// Begins the snapshot; no more catalogue is read then.
    pub(crate) async fn snapshot(&mut self) -> Result<(), RestoreError> {
        match self {
            Self::Server(connection) => session::snapshot(connection).await,
            Self::Files(_) => Ok(()),
        }
    }

    /// Returns the server, if there is one to be asked.
    pub(crate) fn server(&mut self) -> Option<&mut PgConnection> {
        match self {
            Self::Server(connection) => Some(connection),
            Self::Files(_) => None,
        }
    }

    /// Reads a tenant's rows of a table as a COPY stream, the tenant's ID before each row.
    ///
    /// # Cancel safety
    /// A server whose stream was not read to its end is of no more use.
    pub(crate) async fn rows<'a>(
        &'a mut self,
        pair: &Pair,
        table: usize,
        tenant: &str,
    ) -> Result<BoxStream<'a, Result<Bytes, RestoreError>>, RestoreError> {
        let sheet = &pair.sheets.all[table];
        let doing = format!("read rows of {}", sheet.label);
        match self {
            Self::Files(extracted) => extracted.rows(tenant, sheet),
            Self::Server(connection) => {
                let copy = source::copy_out(pair, sheet, &pair.wanted([tenant]));
                let stream = connection.copy_out_raw(&copy).await.map_err(failed(doing.clone()))?;
                Ok(stream.map_err(move |error| failed(doing.clone())(error)).boxed())
            }
        }
    }
}
