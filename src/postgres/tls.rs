//! TLS for connections to servers that are not ours.

/// Makes no TLS connection yet.
pub(super) type MakeTls = tokio_postgres::NoTls;
