//! EXPLAIN's plan tree: parsed, walked and checked, without I/O.
