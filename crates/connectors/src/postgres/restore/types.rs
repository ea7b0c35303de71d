//! Types of columns on one server: whether their values may travel as they are, and the labels of enums.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::error::{RestoreError, failed};

/// What a server says of types and of itself.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Facts {
    pub(crate) version: i32,
    pub(crate) encoding: String,
    pub(crate) collation: String,
    /// Types by the name that the catalogue gives columns.
    pub(crate) types: BTreeMap<String, TypeFacts>,
    /// Labels of enums, in their order, by the name of the type.
    pub(crate) enums: BTreeMap<String, Vec<String>>,
}

/// What decides how values of a type travel.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct TypeFacts {
    /// Number of the type below its domains, and of its elements.
    numbers: (i64, i64),
    /// Whether it has a binary form at all.
    binary: bool,
    /// Whether its binary form names no types: a number of a type means something on its own server only.
    plain: bool,
}

/// Numbers below are PostgreSQL's own and the same everywhere.
const FIRST_OF_USERS: i64 = 16_384;

const TYPES: &str = r#"
WITH RECURSIVE base AS (
  SELECT name, name::regtype::oid AS type FROM unnest($1::text[]) AS name
  UNION ALL
  SELECT b.name, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
)
SELECT b.name, t.oid::int8, t.typelem::int8, t.typsend <> 0 AND t.typreceive <> 0,
       t.typtype IN ('b', 'e') AND t.typcategory <> 'A'
FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype <> 'd'"#;

/// With schema, as the catalogue names the types of columns.
const ENUMS: &str = "SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname), \
    array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid \
    JOIN pg_namespace n ON n.oid = t.typnamespace GROUP BY 1";

const SERVER: &str = "SELECT current_setting('server_version_num')::int4, pg_encoding_to_char(encoding)::text, \
                      datcollate::text FROM pg_database WHERE datname = current_database()";

impl Facts {
    /// Asks a server about the types of these names.
    pub(crate) async fn read(connection: &mut PgConnection, names: &[String]) -> Result<Self, RestoreError> {
        let error = || failed("read the types of columns");
        let (version, encoding, collation) =
            sqlx::query_as(SERVER).fetch_one(&mut *connection).await.map_err(error())?;
        let types: Vec<(String, i64, i64, bool, bool)> =
            sqlx::query_as(TYPES).bind(names).fetch_all(&mut *connection).await.map_err(error())?;
        let enums: Vec<(String, Vec<String>)> =
            sqlx::query_as(ENUMS).fetch_all(&mut *connection).await.map_err(error())?;
        let types = types
            .into_iter()
            .map(|(name, number, element, binary, plain)| {
                (name, TypeFacts { numbers: (number, element), binary, plain })
            })
            .collect();
        Ok(Self { version, encoding, collation, types, enums: enums.into_iter().collect() })
    }

    /// Returns whether values of a type may travel in binary between these two servers.
    pub(crate) fn binary(&self, other: &Self, name: &str) -> bool {
        let (Some(one), Some(two)) = (self.types.get(name), other.types.get(name)) else { return false };
        let known_everywhere = one.numbers.0 < FIRST_OF_USERS && one.numbers.1 < FIRST_OF_USERS;
        self.version / 10_000 == other.version / 10_000
            && one.binary
            && two.binary
            && (known_everywhere || (one.plain && two.plain) || one.numbers == two.numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(version: i32, numbers: (i64, i64), binary: bool, plain: bool) -> Facts {
        let types = [("t".to_owned(), TypeFacts { numbers, binary, plain })].into();
        Facts { version, types, ..Facts::default() }
    }

    #[test]
    fn values_that_name_types_travel_in_binary_only_where_the_numbers_agree() {
        let own = facts(150_018, (1016, 20), true, false);
        let array = facts(150_018, (20_000, 19_999), true, false);
        let scalar = facts(150_018, (20_000, 0), true, true);
        let cases = [
            (&own, &own, true),
            (&own, &facts(160_001, (1016, 20), true, false), false),
            (&array, &array, true),
            (&array, &facts(150_018, (20_001, 20_000), true, false), false),
            (&scalar, &facts(150_018, (20_005, 0), true, true), true),
            (&scalar, &facts(150_018, (20_000, 0), false, true), false),
        ];
        for (one, two, expected) in cases {
            assert_eq!(one.binary(two, "t"), expected, "{one:?} {two:?}");
        }
        assert!(!own.binary(&own, "another"));
    }
}
