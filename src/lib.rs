//! Plimsoll: performance tests for a PostgreSQL database, as tests.
//!
//! The map, leaves first. A module may use only what `ARCHITECTURE.md` allows
//! it; `tests/it/tidy.rs` fails on any other edge.

// Which rate the database holds: the project's queries as a load, and the line.
pub mod capacity;
// The command line.
pub mod cli;
// Statements executed at a schedule and timed.
pub mod load;
// Plain data every part speaks: findings, measurements, verdicts, the run report.
pub mod model;
// Parameter sets for a query, drawn from their declared sources.
pub mod parameters;
// EXPLAIN's plan tree: parsed, walked, checked, without I/O.
pub mod plan;
// Everything that talks to a PostgreSQL server's administration: throwaway servers, connections, clones, migrations, catalogue, locks.
pub mod postgres;
// Databases at a schema version and a volume, ready for a scenario.
pub mod prepare;
// A project folder, read and checked: files with positions to resolved plain data.
pub mod project;
// The recording proxy: observes, never alters.
pub mod proxy;
// The run report, written in every outgoing format.
pub mod report;
// The four questions.
pub mod scenarios;
// Private directories for the time of a process, and the sweep of those that killed ones left.
pub mod scratch;
// Data from declared distributions.
pub mod seed;
// SQL text without a server: lexer, shape, parameters, rewriting.
pub mod sql;
// Time: the only place that reads a clock; histograms, intervals, comparison, growth.
pub mod stats;
// The verdicts as assertions in Rust tests.
pub mod testing;
// Recorded statements of an application, and the trace file.
pub mod trace;
// The PostgreSQL wire protocol without I/O.
pub mod wire;
