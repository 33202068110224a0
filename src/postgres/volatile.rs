//! Functions that can do more than read: a read-only transaction does not stop them.

use super::{Error, Session};

/// Volatile, and yet without an effect on anybody.
const HARMLESS: [&str; 6] =
    ["random", "clock_timestamp", "timeofday", "gen_random_uuid", "uuid_generate_v1", "uuid_generate_v4"];

/// Those of these function names, without schema, under which a volatile function is known.
///
/// # Errors
/// The server fails.
pub async fn volatile_functions(session: &Session, names: &[String]) -> Result<Vec<String>, Error> {
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !HARMLESS.contains(name)).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let statement = "SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
                     WHERE p.provolatile = 'v' AND p.proname = ANY($1) ORDER BY 1";
    let rows = session.query(statement, &[&names]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Volatile functions that can be called by these function names and operators, without schemas; also
/// behind an aggregate or, as no text says where one is applied, any cast of this database.
///
/// # Errors
/// The server fails.
pub async fn volatile_calls(
    session: &Session,
    names: &[String],
    operators: &[String],
) -> Result<Vec<String>, Error> {
    let mut found = volatile_functions(session, names).await?;
    let statement = "SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p WHERE p.provolatile = 'v' AND p.oid IN (
                         SELECT f.step FROM pg_catalog.pg_aggregate a
                         JOIN pg_catalog.pg_proc named ON named.oid = a.aggfnoid AND named.proname = ANY($1),
                         LATERAL (VALUES (a.aggtransfn::oid), (a.aggfinalfn), (a.aggcombinefn), (a.aggmtransfn), (a.aggminvtransfn), (a.aggmfinalfn)) AS f(step)
                         UNION SELECT o.oprcode FROM pg_catalog.pg_operator o WHERE o.oprname = ANY($2)
                         UNION SELECT c.castfunc FROM pg_catalog.pg_cast c) ORDER BY 1";
    let rows = session.query(statement, &[&names, &operators]).await?;
    found.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
