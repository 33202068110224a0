//! The recording proxy. Invariant: it forwards the bytes it received.
