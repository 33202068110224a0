//! The recording proxy: accepts, forwards, and observes a copy.
//!
//! Forwarding threads poll their sockets; what they read is sent on and
//! copied to a bounded queue, from which one observer thread follows
//! every session and writes the trace. Invariant: the recorder forwards the
//! bytes it received. Fault injection, added delay and answers about findings
//! are modes of their own; the reply to an encryption request, and a channel-binding offer that could
//! not work, are the only other active parts.

mod burst;
mod child;
mod delay;
mod end;
pub mod environment;
mod error;
mod event_loop;
mod faults;
mod findings;
mod link;
mod names;
mod observer;
mod program;
mod queue;
mod recorder;
mod replace;
mod sasl;
mod scopes;
mod session;
mod stream;
mod timer;
mod tls;
mod upstream;
mod url;

pub use child::{ChildCommand, ChildOutcome, run_child};
pub use error::Error;
pub use faults::{FaultKind, FaultPlan, FaultPlanError};
pub use findings::Judge;
pub use names::TableNames;
pub use observer::Destination;
pub use program::ProgramFault;
pub use queue::QUEUE_BYTES_MAX;
pub use recorder::{Options, Recorder, Recording};
pub use session::{Ledger, Session};
pub use tls::ClientTls;
pub use url::{ServerUrl, UrlError};
