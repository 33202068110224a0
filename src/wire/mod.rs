//! The PostgreSQL wire protocol (versions 3.0 and 3.2) without I/O, for both
//! directions.
//!
//! [`Splitter`] cuts a byte stream into frames however the stream was split on
//! its way; the bodies are decoded lazily, each message kind in a file of its
//! own. Invariants: no input panics; a body is kept up to a stated bound and
//! the rest skipped by its length, so that a message of 1 GiB costs nothing.

mod authentication;
mod backend;
mod backend_key_data;
mod bind;
mod body;
mod close;
mod command_complete;
mod copy;
mod data_row;
mod describe;
pub mod encode;
mod error_response;
mod execute;
mod frame;
mod frontend;
mod negotiate_protocol_version;
mod notification_response;
mod parameter_description;
mod parameter_status;
mod parse;
mod query;
mod ready_for_query;
mod row_description;
mod startup;

pub use authentication::{Authentication, SaslInitialResponse, SaslMechanisms};
pub use backend::BackendMessage;
pub use backend_key_data::BackendKeyData;
pub use bind::{Bind, Formats};
pub use body::{Body, Field, Fields};
pub use close::Close;
pub use command_complete::CommandComplete;
pub use copy::CopyResponse;
pub use data_row::DataRow;
pub use describe::{Describe, Subject};
pub use error_response::ErrorResponse;
pub use execute::Execute;
pub use frame::{Frame, FrameError, KEPT_BYTES_DEFAULT, STARTUP_BYTES_MAX, STARTUP_TAG, Splitter};
pub use frontend::FrontendMessage;
pub use negotiate_protocol_version::NegotiateProtocolVersion;
pub use notification_response::NotificationResponse;
pub use parameter_description::ParameterDescription;
pub use parameter_status::ParameterStatus;
pub use parse::Parse;
pub use query::Query;
pub use ready_for_query::{ReadyForQuery, TransactionStatus};
pub use row_description::{Column, RowDescription};
pub use startup::{CancelRequest, StartupMessage, StartupPacket};

#[cfg(test)]
mod tests;
