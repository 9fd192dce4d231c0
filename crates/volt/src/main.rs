//! The binary: the command line, and by its first words every helper that Volt consists of. Nothing else lives here.

mod installation;
mod internal;
mod lend;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|word| word == "internal") {
        // Helpers of units: no parser, no runtime, one thread.
        return internal::main(args.into_iter().skip(2));
    }
    volt_cli::main(spelled_out(args).into_iter(), lend::embed())
}

/// The words that the name the binary was called by stands for: `voltd` is `volt daemon`.
fn spelled_out(mut args: Vec<OsString>) -> Vec<OsString> {
    let called = args.first().map(Path::new).and_then(Path::file_name);
    if called.is_some_and(|name| name == "voltd" || name == "volantd") {
        args.splice(..1, ["volt".into(), "daemon".into()]);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_name_is_a_command() {
        let words = |all: &[&str]| all.iter().map(OsString::from).collect::<Vec<_>>();
        let daemon = spelled_out(words(&["/usr/sbin/voltd", "--debug"]));
        assert_eq!(daemon, words(&["volt", "daemon", "--debug"]));
        assert_eq!(spelled_out(words(&["volt", "ps"])), words(&["volt", "ps"]));
        assert!(spelled_out(Vec::new()).is_empty());
    }
}
