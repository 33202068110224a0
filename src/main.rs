//! Parse, run, exit: nothing else. The only place that ends the process.

fn main() -> std::process::ExitCode {
    plimsoll::cli::main(std::env::args_os()).into()
}
