//! The fuzz targets compile. They are a workspace of their own, made for a nightly compiler and a C++ library; what they ask of
//! Volt is checked here with neither: a stand-in takes the library's place.

use std::fs;

use super::Finding;
use super::repository::Repository;
use crate::cache::write;
use crate::paths;
use crate::run::{Context, Result, program};

/// What the targets name of the library.
const LIBRARY: &str = "
#[macro_export]
macro_rules! fuzz_target {
    (|$data:ident: $type:ty| $body:expr) => {
        pub fn target($data: $type) { $body }
    };
}
";

/// The library's manifest.
const MANIFEST: &str =
    "[package]\nname = \"libfuzzer-sys\"\nversion = \"0.4.0\"\nedition = \"2024\"\n";

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let stage = paths::target().join("fuzz-check");
    write(&stage.join("library/Cargo.toml"), MANIFEST)?;
    write(&stage.join("library/src/lib.rs"), LIBRARY)?;
    let file = "fuzz/Cargo.toml";
    let text = fs::read_to_string(repository.path(file)).context(|| file.to_owned())?;
    let root = repository.path("").display().to_string();
    let root = root.trim_end_matches('/');
    let text = text
        .replace("libfuzzer-sys = \"0.4\"", "libfuzzer-sys = { path = \"library\" }")
        .replace("\"../crates/", &format!("\"{root}/crates/"))
        .replace("\"fuzz_targets/", &format!("\"{root}/fuzz/fuzz_targets/"));
    write(&stage.join("Cargo.toml"), text)?;
    // The same versions as everywhere else, so that nothing is fetched for this.
    let lock = fs::read(repository.path("Cargo.lock")).context(|| "Cargo.lock".to_owned())?;
    write(&stage.join("Cargo.lock"), lock)?;
    let manifest = stage.join("Cargo.toml");
    let check = program("cargo").args(["check", "--quiet", "--bins", "--manifest-path"]);
    let status = check.arg(manifest).dir(repository.path("")).quiet().status()?;
    if status.success() {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new(file, 1, "a fuzz target does not compile, see above")])
}
