//! The only home of catalog SQL: servers, connections, clones, migrations, locks, EXPLAIN.
