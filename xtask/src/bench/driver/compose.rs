//! Stacks of twenty services, against a loop of `systemctl` over as many units that were made ready by hand.

use std::fs;
use std::path::Path;

use super::clock::{alternate, run, sized, time, time_command};
use super::first::Lines;
use super::peer::{self, Peer};
use super::{podman as pods, volt};
use crate::bench::samples::Samples;
use crate::run::{Context, Result};

const FILE: &str = "/run/bench/compose.yaml";
const UP: [&str; 6] = ["volt", "compose", "-f", FILE, "up", "-d"];
const DOWN: [&str; 5] = ["volt", "compose", "-f", FILE, "down"];

/// Writes the file of the stack; how many services it has.
fn ready(pairs: usize) -> Result<u32> {
    volt::ready()?;
    let count: u32 = sized(pairs, 20, 3);
    let service = |n: u32| format!("  s{n}: {{image: {}, command: sleep 1000}}\n", volt::IMAGE);
    let text = format!("name: bench\nservices:\n{}", (0..count).map(service).collect::<String>());
    fs::write(FILE, text).context(|| FILE.into())?;
    Ok(count)
}

/// `up` from nothing, `up` of what is up, `down`.
pub(super) fn all(pairs: usize) -> Result<Vec<Samples>> {
    let count = ready(pairs)?;
    // Theirs mount the folder that it stands in.
    let _lines = Lines::open()?;
    let peers = (0..count).map(|number| Peer::new(number, &["/bin/sleep", "1000"]));
    let peers: Vec<Peer> = peers.collect::<Result<_>>()?;
    peers.iter().try_for_each(Peer::mount)?;
    let units: Vec<String> = peers.iter().map(Peer::unit).collect();
    let each = |verb: &str| units.iter().try_for_each(|unit| run(&["systemctl", verb, unit]));

    let up = alternate(
        "up-20",
        pairs,
        || {
            let taken = time_command(&UP)?;
            run(&DOWN)?;
            Ok(taken)
        },
        || {
            let taken = time(|| each("start"))?;
            peer::stop(&units)?;
            Ok(taken)
        },
    )?;
    let down = alternate(
        "down-20",
        pairs,
        || {
            run(&UP)?;
            time_command(&DOWN)
        },
        || {
            each("start")?;
            time(|| each("stop"))
        },
    )?;
    run(&UP)?;
    let mut again = alternate("again-20", pairs, || time_command(&UP), || Ok(0.0))?;
    (again.theirs, again.noise) = (Vec::new(), Vec::new());
    run(&DOWN)?;
    peers.iter().try_for_each(Peer::unmount)?;
    peers.into_iter().try_for_each(Peer::remove)?;
    Ok(vec![up, down, again])
}

const KUBE: &str = "/run/bench/kube.yaml";
const INFRA: &str = "localhost/hold";
// Its own network for pods serves names, by a program that isn't there.
const PLAY: [&str; 7] = ["podman", "kube", "play", "--quiet", "--network", "podman", KUBE];
const UNPLAY: [&str; 4] = ["podman", "kube", "down", KUBE];

/// The same against podman: each service is a pod of its own there, with an address of its own as ours.
pub(super) fn podman(pairs: usize) -> Result<Vec<Samples>> {
    let count = ready(pairs)?;
    pods::ready()?;
    // What holds a pod together comes with a package that podman's only recommends.
    let (hold, signal) = ("ENTRYPOINT [\"/bin/sleep\", \"1000\"]", "STOPSIGNAL SIGKILL");
    let image = ["podman", "import", "--quiet", "--change", hold, "--change", signal];
    run(&[&image[..], &["/srv/images/tiny.tar", INFRA]].concat())?;
    // A host without controllers has no limit of processes to offer.
    let text = format!("[containers]\npids_limit = 0\n[engine]\ninfra_image = \"{INFRA}\"\n");
    crate::cache::write(Path::new("/etc/containers/containers.conf"), text)?;
    let pod = |n: u32| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: s{n}}}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers:\n  - \
             {{name: main, image: {}, imagePullPolicy: Never, command: [sleep, \"1000\"]}}\n---\n",
            pods::IMAGE
        )
    };
    fs::write(KUBE, (0..count).map(pod).collect::<String>()).context(|| KUBE.into())?;
    let timed = |words: &[&str], after: &[&str]| {
        let taken = time_command(words)?;
        run(after).map(|()| taken)
    };
    let after = |words: &[&str], before: &[&str]| {
        run(before)?;
        time_command(words)
    };
    let up = alternate("kube-up-20", pairs, || timed(&UP, &DOWN), || timed(&PLAY, &UNPLAY))?;
    let down = alternate("kube-down-20", pairs, || after(&DOWN, &UP), || after(&UNPLAY, &PLAY))?;
    Ok(vec![up, down])
}
