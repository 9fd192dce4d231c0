//! Whole lives: run and remove, and creation on images of different sizes.

use super::clock::{alternate, run, sized, time, time_command};
use super::first::Lines;
use super::peer::{self, Peer};
use super::{podman, tree, volt};
use crate::bench::samples::Samples;
use crate::run::Result;

const RUN: [&str; 7] = ["volt", "run", "--rm", "--network", "none", volt::IMAGE, "/bin/true"];

fn ours() -> Result<f64> {
    time_command(&RUN)
}

/// Against what a person does by hand.
pub(super) fn by_hand(pairs: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    // Only for its folder, which the unit mounts.
    let _lines = Lines::open()?;
    let peer = Peer::new(0, &["/bin/true"])?;
    let unit = peer.unit();
    let samples = alternate("run", pairs, ours, || {
        time(|| {
            peer.mount()?;
            run(&["systemctl", "start", "--wait", &unit])?;
            peer.unmount()
        })
    });
    peer::stop(std::slice::from_ref(&unit))?;
    peer.remove()?;
    Ok(vec![samples?])
}

/// Against podman.
pub(super) fn podman(pairs: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    if let Err(failure) = podman::ready() {
        return Ok(vec![Samples::none("run-podman", failure.to_string())]);
    }
    let words = [&["podman", "run", "--rm"], &podman::FLAGS[..], &[podman::IMAGE, "/bin/true"]];
    let words = words.concat();
    let mut samples = alternate("run-podman", pairs, ours, || time_command(&words))?;
    let flags = podman::FLAGS.join(" ");
    samples.note = format!("podman's flags are {flags}. {}", samples.note);
    Ok(vec![samples])
}

/// Ours on a large image against ours on a small one.
pub(super) fn create(pairs: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    for (image, size) in [("small", 5 << 20), ("large", sized(pairs, 1 << 30, 20 << 20))] {
        let tree = tree::filled(image, size)?;
        run(&["volt", "image", "import", &tree, image])?;
        run(&["rm", "-rf", &tree])?;
    }
    run(&["sync"])?;
    let created = |image: &'static str| {
        move || {
            let words = ["volt", "container", "create", "--name", "sized", image, "/bin/true"];
            let taken = time_command(&words)?;
            volt::delete(&["sized".to_owned()])?;
            Ok(taken)
        }
    };
    let samples = alternate("create", pairs, created("large"), created("small"))?;
    run(&["volt", "image", "delete", "large", "small"])?;
    Ok(vec![samples])
}
