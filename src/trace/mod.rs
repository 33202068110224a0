//! Recorded statements of an application: the model and the trace file.
