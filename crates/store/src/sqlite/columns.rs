//! How columns are read here.

use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row};

use crate::rows::Columns;

impl Columns for SqliteRow {
    fn text(&self, column: &str) -> Result<String, Error> {
        self.try_get(column)
    }

    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Error> {
        self.try_get(column)
    }

    fn maybe_number(&self, column: &str) -> Result<Option<i64>, Error> {
        self.try_get(column)
    }

    fn flag(&self, column: &str) -> Result<bool, Error> {
        self.try_get(column)
    }
}
