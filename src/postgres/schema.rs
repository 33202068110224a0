//! A database's schema as text: deterministic, one fact a line, made for `diff`.
//!
//! Read from the catalogue, so that it needs no `pg_dump` and is the same
//! whichever migrations or commands led to it. Not a dump to restore from: it
//! leaves out owners, grants, comments, policies and anything an extension made.

use super::{Error, Session};
use std::fmt::Write as _;

/// The objects of all user schemas, sorted; `plimsoll` is ours and left out.
///
/// # Errors
/// The catalogue cannot be read.
pub async fn schema_text(session: &Session) -> Result<String, Error> {
    // Qualifies every name, whatever the search path of the application is.
    session.batch_execute("BEGIN READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'").await?;
    let rows = session.query(OBJECTS, &[]).await;
    session.batch_execute("ROLLBACK").await?;
    let mut text = String::from(
        "-- The schema as Plimsoll reads it from the catalogue; for comparing, not for restoring.\n",
    );
    let mut heading = String::new();
    for row in rows? {
        let (object, line): (String, Option<String>) = (row.get(0), row.get(1));
        if object != heading {
            let _ = write!(text, "\n{object}\n");
            heading = object;
        }
        for line in line.iter().flat_map(|line| line.lines()) {
            let _ = writeln!(text, "    {}", line.trim_end());
        }
    }
    Ok(text)
}

/// One row per line: the object it belongs to, and the line.
const OBJECTS: &str = r#"
WITH user_schema AS (
    SELECT oid, quote_ident(nspname) AS name FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'plimsoll') AND nspname !~ '^pg_'
), of_extension AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relation AS (
    SELECT c.oid, c.relkind, c.relpersistence, c.reloptions, c.relpartbound,
           s.name || '.' || quote_ident(c.relname) AS name,
           CASE c.relkind WHEN 'r' THEN 'TABLE ' WHEN 'p' THEN 'TABLE ' WHEN 'v' THEN 'VIEW '
                          WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'f' THEN 'FOREIGN TABLE '
                          WHEN 'S' THEN 'SEQUENCE ' END AS kind
    FROM pg_class c JOIN user_schema s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND (('pg_class'::regclass)::oid, c.oid) NOT IN (SELECT classid, objid FROM of_extension)
      -- The sequence of an identity column is part of the column.
      AND NOT EXISTS (SELECT FROM pg_depend p WHERE p.classid = 'pg_class'::regclass AND p.objid = c.oid
                                                AND p.deptype = 'i' AND c.relkind = 'S')
), line (rank, object, part, key, text) AS (
    SELECT 0, 'EXTENSION ' || quote_ident(extname), 0, '', NULL FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL
    SELECT 1, 'SCHEMA ' || name, 0, '', NULL FROM user_schema
    UNION ALL
    SELECT 2, 'TYPE ' || s.name || '.' || quote_ident(t.typname), 0,
           lpad(coalesce(row_number() OVER (PARTITION BY t.oid ORDER BY e.enumsortorder), 0)::text, 6, '0'),
           CASE t.typtype
               WHEN 'e' THEN 'ENUM ' || quote_literal(e.enumlabel)
               WHEN 'd' THEN 'DOMAIN ' || format_type(t.typbasetype, t.typtypmod)
                             || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
                             || coalesce(' DEFAULT ' || t.typdefault, '')
           END
    FROM pg_type t JOIN user_schema s ON s.oid = t.typnamespace LEFT JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE t.typtype IN ('e', 'd')
      AND (('pg_type'::regclass)::oid, t.oid) NOT IN (SELECT classid, objid FROM of_extension)
    UNION ALL
    SELECT 2, 'TYPE ' || s.name || '.' || quote_ident(t.typname), 1, conname::text,
           'CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN user_schema s ON s.oid = t.typnamespace
    WHERE k.contype = 'c'
    UNION ALL
    SELECT 3, r.kind || r.name, 0, '',
           concat_ws(' ', CASE r.relpersistence WHEN 'u' THEN 'UNLOGGED' END,
                     'PARTITION BY ' || CASE r.relkind WHEN 'p' THEN pg_get_partkeydef(r.oid) END,
                     'PARTITION ' || pg_get_expr(r.relpartbound, r.oid),
                     'WITH (' || array_to_string(r.reloptions, ', ') || ')')
    FROM relation r
    UNION ALL
    SELECT 3, r.kind || r.name, 1, lpad(a.attnum::text, 6, '0'),
           quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
           || coalesce(' COLLATE ' || (SELECT quote_ident(collname) FROM pg_collation
                                       WHERE oid = a.attcollation AND oid <> t.typcollation), '')
           || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
           || CASE WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ')'
                        || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END
                   WHEN a.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
                   WHEN a.attidentity = 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY'
                   ELSE coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') END
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind <> 'S'
    UNION ALL
    -- Since 18 a NOT NULL is a constraint too; the column says it already.
    SELECT 3, r.kind || r.name, 2, conname::text, 'CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(k.oid)
    FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid WHERE k.contype IN ('c', 'f', 'p', 'u', 'x')
    UNION ALL
    SELECT 3, r.kind || r.name, 3, i.indexrelid::regclass::text,
           pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
    FROM relation r JOIN pg_index i ON i.indrelid = r.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT 3, r.kind || r.name, 4, tgname::text, pg_get_triggerdef(g.oid)
    FROM relation r JOIN pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal
    UNION ALL
    SELECT 3, r.kind || r.name, 5, '', pg_get_viewdef(r.oid) FROM relation r WHERE r.relkind IN ('v', 'm')
    UNION ALL
    SELECT 4, CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || s.name || '.' || quote_ident(p.proname)
              || '(' || pg_get_function_identity_arguments(p.oid) || ')', 0, '',
           CASE WHEN p.prokind IN ('f', 'p', 'w') THEN pg_get_functiondef(p.oid) ELSE 'AGGREGATE' END
    FROM pg_proc p JOIN user_schema s ON s.oid = p.pronamespace
    WHERE (('pg_proc'::regclass)::oid, p.oid) NOT IN (SELECT classid, objid FROM of_extension)
)
SELECT object, text FROM line ORDER BY rank, object COLLATE "C", part, key COLLATE "C", text COLLATE "C"
"#;
