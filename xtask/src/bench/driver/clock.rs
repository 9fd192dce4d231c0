//! Times things, and alternates ours and theirs.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Instant;

use crate::bench::samples::Samples;
use crate::bench::stats::median;
use crate::run::{Failure, Program, Result, program};

/// How often each side runs before anything counts: files are then in memory, services active.
const WARM: usize = 2;
/// Fewer pairs than this has what takes seconds: there once is enough to warm up, and fewer pairs for the noise.
const MANY: usize = 10;

/// Where commands say what they have to say; shown when one fails.
const SAID: &str = "/run/bench/said";

/// A command without input whose output is dropped.
pub(super) fn command(words: &[&str]) -> Program {
    let (name, rest) = words.split_first().unwrap_or((&"true", &[]));
    let mut command = program(name).args(rest).quiet();
    let said = File::create(SAID).map_or_else(|_| Stdio::inherit(), Stdio::from);
    command.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    command
}

/// Runs it to its end; what it said is in the error.
pub(super) fn run(words: &[&str]) -> Result<()> {
    command(words).run().map_err(|failure| said(&failure))
}

/// Adds to a failure what the command said last.
pub(super) fn said(failure: &Failure) -> Failure {
    Failure(format!("{failure}\n{}", fs::read_to_string(SAID).unwrap_or_default()))
}

/// How long `what` takes, in milliseconds.
pub(super) fn time(what: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    what()?;
    Ok(milliseconds(begun))
}

/// How many processors `what` keeps busy.
pub(super) fn busy(what: impl FnOnce() -> Result<()>) -> Result<f64> {
    let (begun, before) = (Instant::now(), worked());
    what()?;
    Ok((worked() - before) / milliseconds(begun))
}

/// Since then, in milliseconds.
pub(super) fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

/// How long the command takes from its start to its end, in milliseconds; it must exit with 0.
pub(super) fn time_command(words: &[&str]) -> Result<f64> {
    time(|| run(words))
}

/// How much of something there is: all of it, or, where a single pair is to show no more than that it works, little.
pub(super) fn sized<T>(pairs: usize, all: T, little: T) -> T {
    if pairs == 1 { little } else { all }
}

/// Both sides in turns, then the peer against itself. Each call measures one sample.
pub(super) fn alternate(
    figure: &str,
    pairs: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<Samples> {
    let (warm, noise) = if pairs < MANY { (1, pairs.div_ceil(2)) } else { (WARM, pairs) };
    for _ in 0..warm {
        ours()?;
        theirs()?;
    }
    let mut samples = Samples { figure: figure.to_owned(), ..Samples::default() };
    let (mut ours_work, mut theirs_work) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let begun = worked();
        samples.ours.push(ours()?);
        let between = worked();
        samples.theirs.push(theirs()?);
        ours_work.push(between - begun);
        theirs_work.push(worked() - between);
    }
    samples.note = format!(
        "CPU time of the whole host for a round, with what cleans up after it: ours {:.0} ms, theirs {:.0} ms",
        median(&ours_work).unwrap_or_default(),
        median(&theirs_work).unwrap_or_default(),
    );
    for _ in 0..noise {
        samples.noise.push((theirs()?, theirs()?));
    }
    Ok(samples)
}

/// The CPU time that all processes of this host have used, in milliseconds: unlike the clock on the
/// wall it does not mind what else the machine does.
fn worked() -> f64 {
    let stat = fs::read_to_string("/sys/fs/cgroup/cpu.stat").unwrap_or_default();
    let used = stat.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse::<f64>().ok());
    used.unwrap_or_default() / 1000.0
}
