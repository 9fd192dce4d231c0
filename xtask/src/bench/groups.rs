//! Groups of figures: brings a host up, has the driver in it measure each group, and puts the samples to their figures.

use super::host::Host;
use super::peers::Peers;
use super::report::{Figure, Measured};
use super::samples::Samples;
use super::{Options, Report};
use crate::run::Result;

/// Figures that are measured together, and in how many pairs.
pub(super) struct Group {
    /// What the driver calls it.
    pub(super) name: &'static str,
    /// How many pairs a figure.
    pub(super) pairs: usize,
    /// What is to be installed for it.
    pub(super) peers: &'static [&'static Peers],
    /// The figures, in their order.
    pub(super) figures: &'static [Figure],
}

/// Measures those that are asked for.
pub(super) fn run(all: &[Group], options: &Options) -> Result<Report> {
    // A whole name means just that one, though others begin with it too.
    let exact = all.iter().find(|group| options.filter.as_deref() == Some(group.name));
    let asked = |group: &Group, figure: &Figure| match exact {
        Some(exact) => exact.name == group.name,
        None => options.wants(figure.name),
    };
    let wanted = |group: &&Group| group.figures.iter().any(|figure| asked(group, figure));
    let groups: Vec<&Group> = all.iter().filter(wanted).collect();
    let mut report = Report { host: String::new(), figures: Vec::new(), failed: false };
    if groups.is_empty() {
        return Ok(report);
    }
    let host = Host::up(options)?;
    report.host = host.describe()?;
    let mut there = Vec::new();
    for group in groups {
        for peers in group.peers {
            if there.contains(&peers.name) {
                continue;
            }
            there.push(peers.name);
            // Without them the figures that need them say so.
            let _noted = peers
                .get(host.suite())
                .and_then(|folder| host.copy(&folder, &format!("/root/{}", peers.name)))
                .inspect_err(|failure| eprintln!("{} can't be had: {failure}", peers.name));
        }
        eprintln!("measuring {}", group.name);
        let samples = host.drive(group.name, options.pairs.unwrap_or(group.pairs));
        let samples = samples.unwrap_or_else(|failure| {
            eprintln!("{failure}");
            report.failed = true;
            let none = |figure: &Figure| Samples::none(figure.name, "its bench failed".into());
            group.figures.iter().map(none).collect()
        });
        let named = |figure: &Figure| {
            let found = samples.iter().find(|samples| samples.figure == figure.name).cloned();
            let samples =
                found.unwrap_or_else(|| Samples::none(figure.name, "not measured".into()));
            Measured { figure: *figure, samples }
        };
        let figures = group.figures.iter().filter(|figure| asked(group, figure));
        report.figures.extend(figures.map(named));
    }
    Ok(report)
}
