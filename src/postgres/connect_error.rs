//! Why a connection failed, with the next step.

use super::address::Address;
use super::error::chain;
use super::{Error, ServerError};
use std::error::Error as _;

/// Says where, what and what to do; never the password.
pub(super) fn explain(address: &Address, database: &str, error: &tokio_postgres::Error) -> Error {
    let place = format!("database {database} at {}", address.place);
    if let Some(report) = error.as_db_error() {
        let report = ServerError::from(report);
        let next = next_step_of_report(&report, database);
        let message = format!("{report}{next}");
        return Error::Connect { place, message, server: Some(Box::new(report)) };
    }
    let said = chain(error);
    let kind =
        error.source().and_then(|source| source.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    let next = next_step_of_client(&said, kind);
    Error::Connect { place, message: format!("{said}{next}"), server: None }
}

fn next_step_of_report(report: &ServerError, database: &str) -> String {
    match report.sqlstate.as_str() {
        "28P01" => "; check user and password in the URL".into(),
        "28000" if report.message.contains("no encryption") => {
            "; if the server wants TLS, add sslmode=require to the URL".into()
        }
        "28000" => "; check the user in the URL, and pg_hba.conf on the server".into(),
        "3D000" => format!("; create it with: createdb {database}"),
        "53300" => "; end some of its sessions, or raise max_connections".into(),
        "57P03" => "; the server is starting or stopping, try again".into(),
        _ => String::new(),
    }
}

fn next_step_of_client(said: &str, kind: Option<std::io::ErrorKind>) -> &'static str {
    use std::io::ErrorKind;
    if said.contains("UnknownIssuer") || said.contains("invalid peer certificate") {
        return "; give the authority with sslrootcert=FILE, or sslmode=require to encrypt without verifying";
    }
    if said.contains("does not support TLS") {
        return "; use sslmode=disable if the network between is trusted";
    }
    if said.contains("password missing") {
        return "; the server asks for a password, and the URL has none";
    }
    match kind {
        Some(ErrorKind::ConnectionRefused | ErrorKind::NotFound) => {
            "; is the server running there? Without a URL, Plimsoll starts a throwaway server"
        }
        Some(ErrorKind::TimedOut) => "; is the host right, and does a firewall let the port through?",
        Some(ErrorKind::UnexpectedEof) => "; what answers there does not seem to be PostgreSQL",
        _ if said.contains("failed to lookup address") => "; is the host name right?",
        _ => "",
    }
}
