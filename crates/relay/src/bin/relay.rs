//! The relay by itself, for its tests; what is installed is the same function as `volt internal relay`.

use std::process::ExitCode;

fn main() -> ExitCode {
    volt_relay::main(std::env::args_os().skip(1), std::env::vars_os())
}
