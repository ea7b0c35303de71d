//! What is asked of the system catalogue: one query for each kind of thing, never one for each table.
//!
//! `$1` is the list of tables, partitions among them.

/// Tables, partitions and materialized views that are users'. Our own schema is no tenant's and not shown.
pub(super) const RELATIONS: &str = r#"
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence = 'u',
       CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid END,
       e.extname::text, obj_description(c.oid, 'pg_class'), c.relrowsecurity, c.relforcerowsecurity,
       c.reltuples, coalesce(pg_get_expr(c.relpartbound, c.oid), '')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
     AND d.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'f', 'm')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'reinstate') AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C""#;

pub(super) const COLUMNS: &str = r#"
WITH RECURSIVE base AS (
  SELECT t.oid AS type, t.oid AS base, t.typtype, t.typbasetype, false AS not_null FROM pg_type t
  UNION ALL
  SELECT b.type, t.oid, t.typtype, t.typbasetype, b.not_null OR d.typnotnull
  FROM base b JOIN pg_type d ON d.oid = b.base JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
)
SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod), format_type(b.base, NULL),
       a.attnotnull OR b.not_null, CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
       a.attgenerated::text, a.attidentity::text, b.base = 'oid'::regtype,
       ARRAY(SELECT f.attname::text FROM pg_attribute f WHERE a.attgenerated <> '' AND f.attrelid = a.attrelid AND f.attnum > 0
             AND f.attnum <> a.attnum AND EXISTS (SELECT FROM pg_depend u WHERE u.refclassid = 'pg_class'::regclass
               AND u.refobjid = f.attrelid AND u.refobjsubid = f.attnum AND (u.classid, u.objid, u.objsubid) IN
               (('pg_class'::regclass, a.attrelid, a.attnum), ('pg_attrdef'::regclass, d.oid, 0))) ORDER BY f.attnum)
FROM pg_attribute a
JOIN base b ON b.type = a.atttypid AND b.typtype <> 'd'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"#;

pub(super) const INDEXES: &str = r#"
SELECT i.indrelid, ic.relname::text, i.indisprimary, i.indisunique, i.indisexclusion,
       i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid, i.indexprs IS NOT NULL,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
             WHERE k.place <= i.indnkeyatts ORDER BY k.place),
       pg_get_expr(i.indpred, i.indrelid), coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid))
FROM pg_index i
JOIN pg_class ic ON ic.oid = i.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = ANY($1) AND (i.indisunique OR i.indisexclusion) AND i.indislive
ORDER BY i.indrelid, i.indisprimary DESC, ic.relname COLLATE "C""#;

pub(super) const FOREIGN_KEYS: &str = r#"
SELECT k.conname::text, k.conrelid,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c(number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number ORDER BY c.place),
       k.confrelid,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c(number, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.number ORDER BY c.place),
       k.confdeltype::text, k.condeferrable, k.convalidated
FROM pg_constraint k
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = ANY($1)
ORDER BY k.conrelid, k.conname COLLATE "C""#;

pub(super) const TRIGGERS: &str = r#"
SELECT t.tgrelid, t.tgname::text, t.tgenabled::text, pg_get_triggerdef(t.oid), n.nspname || '.' || p.proname,
       CASE WHEN l.lanname IN ('plpgsql', 'sql') THEN coalesce(p.prosrc, '') END,
       t.tgtype & 1 = 1 AND t.tgtype & 2 = 2
FROM pg_trigger t
JOIN pg_proc p ON p.oid = t.tgfoid
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgrelid = ANY($1)
ORDER BY t.tgrelid, t.tgname COLLATE "C""#;

pub(super) const POLICIES: &str = r#"
SELECT p.polrelid, concat_ws(' / ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p WHERE p.polrelid = ANY($1) ORDER BY p.polrelid, p.polname COLLATE "C""#;

pub(super) const INHERITANCE: &str = r#"
SELECT i.inhrelid, i.inhparent FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition
WHERE i.inhrelid = ANY($1) ORDER BY i.inhrelid, i.inhseqno"#;

/// Sequences that a column owns, and those that its default reads.
pub(super) const SEQUENCES: &str = r#"
SELECT DISTINCT n.nspname::text, c.relname::text, a.attrelid, a.attname::text, s.seqincrement
FROM (
  SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refobjid = ANY($1)
  UNION ALL
  SELECT d.refobjid, f.adrelid, f.adnum FROM pg_attrdef f
  JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
  WHERE f.adrelid = ANY($1)
) AS owned
JOIN pg_sequence s ON s.seqrelid = owned.sequence
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = owned.relation AND a.attnum = owned.number
ORDER BY 1, 2, 4"#;
