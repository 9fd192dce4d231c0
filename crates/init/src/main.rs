//! The static binary around the library: which mode, which spec.

use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use volt_init::run::{self, Mode};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<&[u8]> = args.iter().map(|word| word.as_bytes()).collect();
    let mode = match words.as_slice() {
        [] | [b"init"] => Mode::Init,
        [b"exec", number] => {
            match std::str::from_utf8(number).ok().and_then(|text| text.parse().ok()) {
                Some(descriptor) if descriptor > 2 => Mode::Exec { spec: Some(descriptor) },
                _ => return ExitCode::from(volt_init::INTERNAL),
            }
        }
        [b"exec"] => Mode::Exec { spec: None },
        _ => return ExitCode::from(volt_init::INTERNAL),
    };
    ExitCode::from(run::run(mode))
}
