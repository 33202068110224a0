//! PostgreSQL wire protocol 3.x: frames and messages, without I/O.
