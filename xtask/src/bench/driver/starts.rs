//! From start to the first line: one container, and fifty at once.

use std::time::Instant;

use super::clock::{self, alternate, command, milliseconds};
use super::first::{self, Lines};
use super::peer::{self, Peer};
use super::volt;
use crate::bench::samples::Samples;
use crate::bench::stats::median;
use crate::run::{Context, Failure, Result, fail};

/// One container.
pub(super) fn one(pairs: usize) -> Result<Vec<Samples>> {
    started("start", 1, pairs)
}

/// Fifty in one command.
pub(super) fn fifty(pairs: usize) -> Result<Vec<Samples>> {
    started("start-50", clock::sized(pairs, 50, 5), pairs)
}

fn started(figure: &str, count: u32, pairs: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    let mut lines = Lines::open()?;
    let names: Vec<String> = (0..count).map(|number| format!("ours{number}")).collect();
    for name in &names {
        volt::create_speaker(name)?;
    }
    let script = first::script();
    let peers = (0..count).map(|number| Peer::new(number, &["/bin/sh", "-c", &script]));
    let peers: Vec<Peer> = peers.collect::<Result<_>>()?;
    peers.iter().try_for_each(Peer::mount)?;
    let units: Vec<String> = peers.iter().map(Peer::unit).collect();

    let mut phases = Phases::default();
    let lines = std::cell::RefCell::new(&mut lines);
    let mut samples = alternate(
        figure,
        pairs,
        || {
            let before = monotonic();
            let taken =
                first_lines(&mut lines.borrow_mut(), &["volt", "container", "start"], &names)?;
            phases.add(&names[0], before, taken)?;
            volt::each(&["container", "stop"], &names)?;
            settled(&names)?;
            Ok(taken)
        },
        || {
            let taken = first_lines(&mut lines.borrow_mut(), &["systemctl", "start"], &units)?;
            peer::stop(&units)?;
            Ok(taken)
        },
    )?;
    if count == 1 {
        samples.note = format!("{}. {}", phases.text(), samples.note);
    }
    volt::delete(&names)?;
    peers.iter().try_for_each(Peer::unmount)?;
    peers.into_iter().try_for_each(Peer::remove)?;
    Ok(vec![samples])
}

/// Runs the command on all names, and waits for as many lines; then for its end, uncounted.
fn first_lines(lines: &mut Lines, verb: &[&str], names: &[String]) -> Result<f64> {
    lines.clear();
    let words: Vec<&str> = verb.iter().copied().chain(names.iter().map(String::as_str)).collect();
    let begun = Instant::now();
    let mut running = command(&words).spawn()?;
    let came = lines.wait(names.len());
    let taken = milliseconds(begun);
    let status = running.wait().context(|| words.join(" "))?;
    came.map_err(|failure| clock::said(&failure))?;
    if status.success() {
        Ok(taken)
    } else {
        Err(clock::said(&Failure(format!("{} failed", verb.join(" ")))))
    }
}

/// Waits until nothing of a start is left that the next one would find: prepared roots go after
/// their container has gone.
fn settled(names: &[String]) -> Result<()> {
    let units: Vec<String> = names
        .iter()
        .flat_map(|name| ["container", "prepare"].map(|kind| format!("volt-{kind}@{name}.service")))
        .collect();
    let words = [&["systemctl".to_owned(), "is-active".to_owned()], &units[..]].concat();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for _ in 0..500 {
        let mut asked = command(&words);
        asked.command().stdout(std::process::Stdio::piped());
        let output = asked.command().output().context(|| "systemctl is-active".into())?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.lines().all(|line| line == "inactive" || line == "failed") {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    fail("a container does not stop")
}

/// Where the time of our starts goes, by what systemd noted of the units.
#[derive(Default)]
struct Phases {
    asked: Vec<f64>,
    launch: Vec<f64>,
}

impl Phases {
    /// `before` is when the command was started, on the clock that systemd notes too; `taken` is
    /// in milliseconds.
    fn add(&mut self, name: &str, before: f64, taken: f64) -> Result<()> {
        let shown = |unit: &str, property: &str| -> Result<f64> {
            let text = crate::run::program("systemctl")
                .args(["show", "--value", "--property", property, unit])
                .read()?;
            let microseconds: f64 = text.trim().parse().context(|| format!("{unit} {property}"))?;
            Ok(microseconds / 1000.0)
        };
        let unit = format!("volt-container@{name}.service");
        let begun = shown(&unit, "InactiveExitTimestampMonotonic")?;
        self.asked.push(begun - before);
        self.launch.push(before + taken - begun);
        Ok(())
    }

    fn text(&self) -> String {
        let middle = |values: &[f64]| median(values).unwrap_or_default();
        format!(
            "Of ours {:.1} ms to prepare and until systemd begins, {:.1} ms from there to the line",
            middle(&self.asked),
            middle(&self.launch)
        )
    }
}

/// The clock that systemd notes times by, in milliseconds.
fn monotonic() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Seconds since boot are few.
    let seconds = f64::from(u32::try_from(now.tv_sec).unwrap_or_default());
    let nanoseconds = f64::from(u32::try_from(now.tv_nsec).unwrap_or_default());
    seconds * 1000.0 + nanoseconds / 1_000_000.0
}
