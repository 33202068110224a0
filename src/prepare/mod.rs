//! Databases at a schema version and a volume, ready for a scenario.
//!
//! On a throwaway or disposable server: a database is created, migrated to the
//! version, seeded with the volume and kept as a template for clones. On a
//! precious target nothing of the target is changed; new databases are made
//! beside it where the rights allow.
