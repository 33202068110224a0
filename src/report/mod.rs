//! The run report in every outgoing format: `&RunReport` to `io::Write`. The
//! only home of formats that leave the program.
