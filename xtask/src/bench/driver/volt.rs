//! Our side, as a person types it.

use super::clock::{command, run};
use super::first;
use crate::run::Result;

/// The image that most figures use: a static busybox, which the peers get as a tree.
pub(super) const IMAGE: &str = "tiny";

/// Imports the image if it is not there, and has the daemon running.
pub(super) fn ready() -> Result<()> {
    if !command(&["volt", "image", "inspect", IMAGE]).succeeds() {
        run(&["volt", "image", "import", "/srv/images/tiny.tar", IMAGE])?;
    }
    run(&["volt", "ps"])
}

/// Creates a container that writes its first line and stays.
pub(super) fn create_speaker(name: &str) -> Result<()> {
    let volume = format!("{}:{}", first::FOLDER, first::INSIDE);
    let script = first::script();
    let words = ["volt", "container", "create", "--name", name, "--network", "none"];
    let rest = ["--volume", &volume, IMAGE, "/bin/sh", "-c", &script];
    run(&[&words[..], &rest].concat())
}

/// Runs a command of ours on many containers.
pub(super) fn each(verb: &[&str], names: &[String]) -> Result<()> {
    let mut words = vec!["volt"];
    words.extend(verb);
    words.extend(names.iter().map(String::as_str));
    run(&words)
}

/// Stops and deletes containers.
pub(super) fn delete(names: &[String]) -> Result<()> {
    each(&["container", "delete", "--force"], names)
}
