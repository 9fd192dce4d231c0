//! Commands that only tell: `ps` with many containers, `version`.

use super::clock::{alternate, run, sized, time_command};
use super::{podman, volt};
use crate::bench::samples::Samples;
use crate::bench::stats::median;
use crate::run::{Result, fail, program};

/// How many containers are listed.
const COUNT: usize = 500;

/// `version`, and podman's beside it.
pub(super) fn version(pairs: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    let ours = || time_command(&["volt", "version"]);
    if let Err(failure) = podman::ready() {
        let mut samples = alternate("version", pairs, ours, || Ok(0.0))?;
        (samples.theirs, samples.noise) = (Vec::new(), Vec::new());
        samples.note = failure.to_string();
        return Ok(vec![samples]);
    }
    let mut samples = alternate("version", pairs, ours, || time_command(&["podman", "version"]))?;
    // It is ours alone that is judged.
    let theirs = median(&samples.theirs).unwrap_or_default();
    (samples.theirs, samples.noise) = (Vec::new(), Vec::new());
    samples.note = format!("`podman version` takes {theirs:.1} ms");
    Ok(vec![samples])
}

/// `ps -a` of as many containers on both sides.
pub(super) fn ps(pairs: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    let count = sized(pairs, COUNT, 10);
    let names: Vec<String> = (0..count).map(|number| format!("listed{number}")).collect();
    for name in &names {
        let words = ["volt", "container", "create", "--name", name, "--network", "none"];
        run(&[&words[..], &[volt::IMAGE, "/bin/true"]].concat())?;
    }
    check_listed("volt", count)?;
    let peer = podman::ready().and_then(|()| {
        for name in &names {
            let words = [&["podman", "create", "--name", name.as_str()], &podman::FLAGS[..]];
            let words = words.concat();
            run(&[&words[..], &[podman::IMAGE, "/bin/true"]].concat())?;
        }
        check_listed("podman", count)
    });
    let ours = || time_command(&["volt", "ps", "-a"]);
    let mut samples = match &peer {
        Ok(()) => alternate("ps", pairs, ours, || time_command(&["podman", "ps", "-a"]))?,
        Err(_) => alternate("ps", pairs, ours, || Ok(0.0))?,
    };
    let alone = Samples {
        figure: "ps-time".to_owned(),
        theirs: Vec::new(),
        noise: Vec::new(),
        note: String::new(),
        ..samples.clone()
    };
    if let Err(failure) = peer {
        samples = Samples::none("ps", failure.to_string());
    }
    names.chunks(100).try_for_each(volt::delete)?;
    Ok(vec![samples, alone])
}

/// Fails unless the program really lists them all.
fn check_listed(name: &str, count: usize) -> Result<()> {
    let lines = program(name).args(["ps", "-a"]).read()?.lines().count();
    if lines > count {
        return Ok(());
    }
    fail(format!("{name} ps lists {lines} lines for {count} containers"))
}
