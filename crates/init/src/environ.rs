//! `volt-init environ FILE make|enter DIR COMMAND…`: becomes a command in a folder, which is made where that is wanted, with
//! the environment that a file says, and nothing of its own.
//!
//! For the backend without namespaces: what runs the container there is a program of the host and must not be given the
//! container's `LD_PRELOAD`. The file holds `NAME=VALUE`, each ended by a NUL.

use std::ffi::CString;
use std::path::Path;

use crate::child::{Program, enter};
use crate::{Failure, INTERNAL};

/// Becomes the command; returns only to say why not.
#[must_use]
pub fn run(file: &Path, cwd: &Path, make_cwd: bool, words: &[&[u8]]) -> Failure {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) => return Failure::internal("cannot read the environment", error),
    };
    if let Err(failure) = enter(cwd, make_cwd) {
        return failure;
    }
    let owned = |text: &[u8]| CString::new(text).ok();
    let env: Vec<CString> =
        text.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).filter_map(owned).collect();
    let args: Vec<CString> = words.iter().filter_map(|word| owned(word)).collect();
    if args.first().is_none_or(|program| program.is_empty()) {
        return Failure { code: INTERNAL, message: "no command is given".to_owned() };
    }
    Program::new(&args, &env, "/root").execute()
}
