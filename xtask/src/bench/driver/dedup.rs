//! What is stored once: two Debian roots that differ as one point release does from the next, in our store and in others.

use std::fs;
use std::path::Path;

use super::clock::{run, sized};
use super::stores::{BUILD, PEERS, PLACE, debian, folder, install, next, shell};
use crate::bench::samples::Samples;
use crate::run::{Context, Result, fail, program};

/// The packages in which the second differs.
const UPDATES: &str = "/root/updates";
/// The peer that can't but compress: it is told with the others and compared with nothing.
const COMPRESSES: &str = "casync";

/// Measures it: once, since nothing of it is chance.
pub(super) fn all(pairs: usize) -> Result<Vec<Samples>> {
    install()?;
    run(&["rm", "-rf", PLACE])?;
    let (one, other) = (format!("{PLACE}/before"), format!("{PLACE}/after"));
    debian(pairs, Path::new(&one))?;
    run(&["cp", "-a", &one, &other])?;
    let changed = sized(pairs, update as fn(&str) -> Result<String>, touch)(&other)?;
    let trees = [one.as_str(), &other];
    let whole = taken(&one)? + taken(&other)?;
    let ours = stored("volt", ":", BUILD, trees)?;
    let mut said = vec![told("ours", whole, ours)];
    let mut least = f64::MAX;
    for peer in &PEERS {
        let theirs = stored(peer.name, peer.make, peer.store, trees)?;
        said.push(told(peer.name, whole, theirs));
        if peer.name != COMPRESSES {
            least = least.min(theirs);
        }
    }
    run(&["rm", "-rf", PLACE])?;
    let note = format!(
        "{changed}; the roots take {whole:.0} MiB together. Stored, and what that is of it: {} (which compresses: {COMPRESSES})",
        said.join(", ")
    );
    let figure = "dedup".to_owned();
    Ok(vec![Samples { figure, ours: vec![ours], theirs: vec![least], note, ..Samples::default() }])
}

fn told(name: &str, whole: f64, stored: f64) -> String {
    format!("{name} {stored:.0} MiB ({:.2} x)", whole / stored)
}

/// What a store takes that has both trees.
fn stored(name: &str, make: &str, store: &str, trees: [&str; 2]) -> Result<f64> {
    next()?;
    shell(make, name, "")?;
    for tree in trees {
        shell(store, name, tree)?;
    }
    taken(&folder(name))
}

/// What a folder takes on disk, in MiB.
fn taken(folder: &str) -> Result<f64> {
    let text = program("du").args(["--summarize", "--block-size=1", folder]).read()?;
    let bytes = text.split_whitespace().next().unwrap_or_default();
    Ok(bytes.parse::<f64>().context(|| text.clone())? / f64::from(1 << 20))
}

/// Installs what the suite's updates have; what that is, in words.
fn update(root: &str) -> Result<String> {
    let packages = fs::read_dir(UPDATES).into_iter().flatten().flatten();
    let is_package = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|e| e == "deb");
    let count = packages.filter(is_package).count();
    if count == 0 {
        return fail("the suite has no updates, or they could not be fetched");
    }
    for folder in ["dev", "proc", "run", "sys", "tmp"] {
        fs::create_dir_all(format!("{root}/{folder}")).context(|| root.to_owned())?;
    }
    let (directory, packages) =
        (format!("--directory={root}"), format!("--bind-ro={UPDATES}:/mnt"));
    let words = ["systemd-nspawn", "--quiet", "--register=no", "--pipe", "--resolv-conf=off"];
    let more = ["--timezone=off", "--link-journal=no", &directory, &packages, "sh", "-ec"];
    run(&[&words[..], &more, &["dpkg --force-confold --install /mnt/*.deb"]].concat())?;
    Ok(format!("{count} packages of the second are those of the suite's updates"))
}

/// A little of the same, to try it.
fn touch(root: &str) -> Result<String> {
    let path = format!("{root}/etc/changed");
    fs::write(&path, "x").context(|| path.clone())?;
    Ok("the second has one file more".to_owned())
}
