//! Says what was measured: a table for people, a line of JSON a figure, a section of BENCHMARKS.md.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::samples::Samples;
use super::stats::{Estimate, estimate, median, ratios};
use crate::run::{Context, Result, program};

/// What a bench promises to measure, and what is wanted of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Its name.
    pub(crate) name: &'static str,
    /// What ours does.
    pub(crate) about: &'static str,
    /// What theirs does; empty where ours is measured alone.
    pub(crate) against: &'static str,
    /// `ms`, `MiB`, `queries/s`, …
    pub(crate) unit: &'static str,
    /// `<=0.8`, `<40` or `>=1`: of the median of the pairs' ratios, or of our median where there is no
    /// peer. `>=noise`: no further below the peer than the peer is from itself. Empty where nothing is demanded.
    pub(crate) wanted: &'static str,
}

/// A figure with what was measured of it.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// What it is.
    pub(crate) figure: Figure,
    /// What was measured.
    pub(crate) samples: Samples,
}

impl Measured {
    /// What is wanted is about this: the ratio, or ours where there is no peer.
    fn judged(&self) -> Option<Estimate> {
        let samples = &self.samples;
        if self.figure.against.is_empty() {
            return estimate(&samples.ours);
        }
        estimate(&ratios(&samples.ours, &samples.theirs))
    }

    fn noise(&self) -> Option<Estimate> {
        let (first, second): (Vec<_>, Vec<_>) = self.samples.noise.iter().copied().unzip();
        estimate(&ratios(&second, &first))
    }

    /// Whether it is as wanted; none where nothing was measured or nothing is wanted.
    pub(crate) fn held(&self) -> Option<bool> {
        let value = self.judged()?.median;
        if self.figure.wanted == ">=noise" {
            // Which of its two runs is held against the other says nothing.
            let noise = self.noise()?;
            return Some(value >= noise.low.min(noise.high.recip()));
        }
        holds(self.figure.wanted, value)
    }

    /// The line of JSON.
    pub(crate) fn json(&self, bench: &str) -> Value {
        let samples = &self.samples;
        let mut line = json!({
            "bench": bench,
            "figure": self.figure.name,
            "ours": samples.ours,
            "theirs": samples.theirs,
            "unit": self.figure.unit,
            "against": self.figure.against,
            "wanted": self.figure.wanted,
            "held": self.held(),
        });
        if !samples.note.is_empty() {
            line["note"] = samples.note.clone().into();
        }
        line
    }

    /// The cells of its row: figure, ours, theirs, ratio, noise, wanted, held.
    fn cells(&self) -> [String; 7] {
        let unit = self.figure.unit;
        let value = |values: &[f64]| {
            median(values)
                .map_or_else(|| "–".to_owned(), |value| format!("{} {unit}", round(value)))
        };
        let range = |estimate: Option<Estimate>| {
            estimate.map_or_else(
                || "–".to_owned(),
                |found| format!("{:.2} [{:.2}, {:.2}]", found.median, found.low, found.high),
            )
        };
        let alone = self.figure.against.is_empty();
        [
            self.figure.name.to_owned(),
            value(&self.samples.ours),
            value(&self.samples.theirs),
            if alone { "–".to_owned() } else { range(self.judged()) },
            range(self.noise()),
            self.figure.wanted.to_owned(),
            match self.held() {
                Some(true) => "yes".to_owned(),
                Some(false) => "NO".to_owned(),
                None => "–".to_owned(),
            },
        ]
    }
}

const HEADS: [&str; 7] = ["figure", "ours", "theirs", "ours/theirs", "noise", "wanted", "held"];

/// The table for a terminal.
pub(crate) fn table(all: &[Measured]) -> String {
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(all.iter().map(Measured::cells));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEADS.len()).filter_map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for measured in all.iter().filter(|measured| !measured.samples.note.is_empty()) {
        let _ = writeln!(text, "{}: {}", measured.figure.name, measured.samples.note);
    }
    text
}

/// Writes the bench's section of the file in place of the one that is there.
pub(crate) fn write(file: &Path, bench: &str, host: &str, all: &[Measured]) -> Result<()> {
    let old = fs::read_to_string(file).unwrap_or_default();
    let text = replace(&old, bench, &section(bench, host, all)?);
    crate::cache::write(file, text)
}

const TITLE: &str = "# Benchmarks\n\nWritten by `cargo xtask bench NAME`. Ours and theirs alternate; a ratio is the median of the \
     pairs' ratios with its 95 % interval;\nnoise is the peer against itself, in the same way.\n";

fn section(bench: &str, host: &str, all: &[Measured]) -> Result<String> {
    let date = program("date").args(["--utc", "+%Y-%m-%d %H:%M UTC"]).read()?;
    let mut text = format!("## {bench}\n\n{}, {}; {host}.\n\n", date.trim(), machine()?);
    let _ = writeln!(text, "| {} |\n|{}", HEADS.join(" | "), "---|".repeat(HEADS.len()));
    for measured in all {
        let _ = writeln!(text, "| {} |", measured.cells().join(" | "));
    }
    text.push('\n');
    for Measured { figure, samples } in all {
        let count = samples.ours.len();
        let against = if figure.against.is_empty() { "no peer" } else { figure.against };
        let _ = write!(
            text,
            "- **{}**: {}; against: {against}; n = {count}",
            figure.name, figure.about
        );
        let note = if samples.note.is_empty() { "." } else { ". " };
        let _ = writeln!(text, "{note}{}", samples.note);
    }
    Ok(text)
}

/// `old` with the section of this bench replaced, or added at its end.
fn replace(old: &str, bench: &str, section: &str) -> String {
    let old = if old.trim().is_empty() { TITLE } else { old };
    let head = format!("## {bench}");
    let mut kept = String::new();
    let mut placed = false;
    let mut inside = false;
    for line in old.lines() {
        if line.starts_with("## ") {
            inside = line == head;
            if inside {
                kept.push_str(section);
                kept.push('\n');
                placed = true;
            }
        }
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    if !placed {
        kept.push('\n');
        kept.push_str(section);
    }
    format!("{}\n", kept.trim_end())
}

/// The machine, in words that say how fast it is and not whose.
fn machine() -> Result<String> {
    let read = |path: &str| fs::read_to_string(path).context(|| path.to_owned());
    let (cpus, system) = (read("/proc/cpuinfo")?, read("/etc/os-release")?);
    let field = |text: &str, name: &str, mark: char| {
        let value = text.lines().find_map(|line| {
            let (key, value) = line.split_once(mark)?;
            (key.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
        });
        value.unwrap_or_else(|| "unknown".to_owned())
    };
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease")?;
    // What stands behind the hyphen is the builder's.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let cpu = field(&cpus, "model name", ':');
    Ok(format!("{cpu}, {cores} CPUs, Linux {kernel}, {}", field(&system, "PRETTY_NAME", '=')))
}

fn holds(wanted: &str, value: f64) -> Option<bool> {
    if let Some(most) = wanted.strip_prefix("<=") {
        return Some(value <= most.parse().ok()?);
    }
    if let Some(least) = wanted.strip_prefix(">=") {
        return Some(value >= least.parse().ok()?);
    }
    Some(value < wanted.strip_prefix('<')?.parse().ok()?)
}

/// Three digits that matter.
fn round(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(against: &'static str, wanted: &'static str) -> Measured {
        let figure = Figure { name: "f", about: "a", against, unit: "ms", wanted };
        let samples = Samples {
            figure: "f".into(),
            ours: vec![1.0, 2.0, 3.0],
            theirs: if against.is_empty() { vec![] } else { vec![2.0, 4.0, 6.0] },
            noise: vec![(2.0, 2.0)],
            note: String::new(),
        };
        Measured { figure, samples }
    }

    #[test]
    fn what_is_wanted_is_judged() {
        for (against, wanted, held) in [
            ("x", "<=0.5", Some(true)),
            ("x", "<0.5", Some(false)),
            ("x", ">=0.5", Some(true)),
            ("x", ">=0.6", Some(false)),
            ("x", ">=noise", Some(false)),
            ("", "<3", Some(true)),
            ("", "<=1.9", Some(false)),
            ("", "", None),
        ] {
            assert_eq!(measured(against, wanted).held(), held, "{against} {wanted}");
        }
        let mut noisy = measured("x", ">=noise");
        for noise in [(2.0, 1.0), (1.0, 2.0)] {
            noisy.samples.noise = vec![noise];
            assert_eq!(noisy.held(), Some(true));
        }
        let mut nothing = measured("x", "<1");
        nothing.samples = Samples::none("f", "no peer here".into());
        assert_eq!(nothing.held(), None);
    }

    #[test]
    fn the_line_of_json_is_what_was_asked_for() {
        let wanted = r#"{"bench":"b","figure":"f","ours":[1.0,2.0,3.0],"theirs":[2.0,4.0,6.0],"unit":"ms","against":"x","wanted":"<=0.5","held":true}"#;
        let found = measured("x", "<=0.5").json("b");
        assert_eq!(found, serde_json::from_str::<Value>(wanted).expect("it is JSON"));
    }

    #[test]
    fn a_section_replaces_its_own() {
        let first = replace("", "a", "## a\n\none\n");
        let second = replace(&first, "b", "## b\n\ntwo\n");
        let third = replace(&second, "a", "## a\n\nthree\n");
        assert!(third.starts_with("# Benchmarks\n") && !third.contains("one"));
        assert!(third.ends_with("## a\n\nthree\n\n## b\n\ntwo\n"), "{third}");
        assert_eq!(replace(&third, "b", "## b\n\ntwo\n"), third);
    }

    #[test]
    fn rows_line_up() {
        let text = table(&[measured("x", "<=0.5"), measured("", "<3")]);
        let ends: Vec<_> = text.lines().map(|line| line.find("  ")).collect();
        assert_eq!(ends.len(), 3);
        assert!(text.contains("0.50 [0.50, 0.50]"), "{text}");
    }
}
