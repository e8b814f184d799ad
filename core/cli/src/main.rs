//! The binary `dqlite`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let program = std::env::current_exe().map(|path| vec![path.into_os_string()]);
    // Only `demo` and `bench` need to know, and say so.
    let program = program.unwrap_or_default();
    ExitCode::from(dqlite_cli::main(std::env::args_os().collect(), program))
}
