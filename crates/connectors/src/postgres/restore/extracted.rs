//! An extract: tenants' rows in files, each tenant at its own point in time, complete or not there.
//!
//! `FOLDER/TENANT/` holds `manifest.json` and a COPY stream for each table with rows. It gets its name when everything in
//! it is on disk. Names of tenants are written in hexadecimal, so that any ID makes a name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;

use super::copy_stream::{BINARY_HEAD, BINARY_TAIL, Form};
use super::error::RestoreError;
use super::sheet::Sheet;
use super::tally::TableTally;
use super::types::Facts;
use crate::postgres::catalog::Catalog;

/// Version of the format.
pub(crate) const FORMAT: &str = "postgres-extract/v1";
/// Bytes that are read at once.
const PART: usize = 256 * 1024;

/// What is known of a tenant's extract.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Manifest {
    pub(crate) format: String,
    /// The tenant, as the root's key is written.
    pub(crate) tenant: String,
    /// The point at which the server stood, RFC 3339.
    pub(crate) point: String,
    /// Where the server stood, as `postgres/recover` says it.
    pub(crate) stands: serde_json::Value,
    /// Rows and hash of each table with rows.
    pub(crate) tables: BTreeMap<String, TableTally>,
    /// Tables whose rows are in text form.
    pub(crate) text: Vec<String>,
    /// Partitions in which rows of partitioned tables lay, by name with schema.
    pub(crate) partitions: Vec<String>,
    /// Where sequences of the tables stood: schema, name, number.
    pub(crate) sequences: Vec<(String, String, i64)>,
    /// Name of the file that holds the catalogue of the server.
    pub(crate) catalog: String,
}

impl Manifest {
    /// Says why these rows cannot be read as the live database takes them, if they cannot.
    pub(crate) fn misfit(&self, sheets: &[Sheet]) -> Option<String> {
        let other = sheets.iter().find(|sheet| {
            let text = self.text.contains(&sheet.label);
            self.tables.contains_key(&sheet.label) && text != (sheet.form == Form::Text)
        })?;
        Some(format!("rows of {} are in a form that only a server with the same numbers of types reads", other.label))
    }
}

/// The catalogue of the server at a point.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Described {
    pub(crate) catalog: Catalog,
    pub(crate) facts: Facts,
}

/// A folder of extracts.
#[derive(Clone, Debug)]
pub(crate) struct Extracted {
    folder: PathBuf,
}

impl Extracted {
    /// Opens a folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, RestoreError> {
        if folder.is_dir() {
            Ok(Self { folder: folder.to_owned() })
        } else {
            Err(RestoreError::Extract { path: folder.to_owned(), why: "there is no such folder".into() })
        }
    }

    /// Returns the folder of a tenant.
    pub(crate) fn of(folder: &Path, tenant: &str) -> PathBuf {
        folder.join(tenant.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// Reads a tenant's manifest; `None` if it is not there, or not complete.
    pub(crate) fn manifest(&self, tenant: &str) -> Result<Option<Manifest>, RestoreError> {
        let path = Self::of(&self.folder, tenant).join("manifest.json");
        if !path.exists() {
            return Ok(None);
        }
        let manifest: Manifest = read(&path)?;
        if manifest.format == FORMAT {
            Ok(Some(manifest))
        } else {
            Err(RestoreError::Extract { path, why: format!("its format is {}, not {FORMAT}", manifest.format) })
        }
    }

    /// Reads the catalogue that a manifest names.
    pub(crate) fn described(&self, manifest: &Manifest) -> Result<Described, RestoreError> {
        read(&self.folder.join(&manifest.catalog))
    }

    /// Reads a tenant's rows of a table.
    pub(crate) fn rows(
        &self,
        tenant: &str,
        sheet: &Sheet,
    ) -> Result<BoxStream<'static, Result<Bytes, RestoreError>>, RestoreError> {
        let path = Self::of(&self.folder, tenant).join(file(&sheet.label));
        if !path.exists() {
            let empty = match sheet.form {
                Form::Binary => [BINARY_HEAD.as_slice(), BINARY_TAIL].concat(),
                Form::Text => Vec::new(),
            };
            return Ok(futures::stream::iter([Ok(empty.into())]).boxed());
        }
        let begin = (path, None::<tokio::fs::File>);
        Ok(futures::stream::try_unfold(begin, |(path, open)| async move {
            let trouble = |error: std::io::Error| RestoreError::Extract { path: path.clone(), why: error.to_string() };
            let mut open = match open {
                Some(open) => open,
                None => tokio::fs::File::open(&path).await.map_err(trouble)?,
            };
            let mut part = Vec::with_capacity(PART);
            (&mut open).take(PART as u64).read_to_end(&mut part).await.map_err(trouble)?;
            Ok((!part.is_empty()).then(|| (Bytes::from(part), (path, Some(open)))))
        })
        .boxed())
    }
}

/// Name of the file of a table.
pub(crate) fn file(label: &str) -> String {
    format!("{}.copy", label.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, RestoreError> {
    let trouble = |why: String| RestoreError::Extract { path: path.to_owned(), why };
    let text = std::fs::read(path).map_err(|error| trouble(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| trouble(error.to_string()))
}
