//! How far long work is: a bar on a terminal, plain lines elsewhere, nothing with `--quiet`.

use crate::output::{Printer, clean};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use volt_api::types::Progress;

const SPINNER: &str = "{spinner} {msg}";
const COUNT: &str = "{spinner} {msg} {bytes} ({bytes_per_sec})";
const BAR: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} ({bytes_per_sec}, {eta} left)";

/// Shows how far an operation is; what it drew goes away with it.
pub(crate) struct Progressing<'a> {
    out: &'a Printer,
    bar: Option<ProgressBar>,
    total: Option<u64>,
}

impl<'a> Progressing<'a> {
    /// Shows nothing yet.
    pub(crate) fn new(out: &'a Printer) -> Self {
        let drawn = !out.is_quiet() && std::io::stderr().is_terminal();
        let bar = drawn.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style(SPINNER));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { out, bar, total: None }
    }

    /// Each step on a line of its own, which stays: for several that go on at the same time.
    pub(crate) fn lines(out: &'a Printer) -> Self {
        Self { out, bar: None, total: None }
    }

    /// The same, where it is known how many bytes there will be.
    pub(crate) fn expecting(mut self, total: Option<u64>) -> Self {
        self.total = total;
        self
    }

    /// Shows one line of progress.
    pub(crate) fn show<T>(&mut self, line: &Progress<T>) {
        match line {
            Progress::Step(step) => self.step(&clean(step)),
            Progress::Warning(text) => self.aside(|out| out.warn(text)),
            Progress::Bytes { done, total } => self.bytes(*done, total.or(self.total)),
            Progress::Done(_) | Progress::Problem(_) => {}
        }
    }

    /// Shows that a step began.
    pub(crate) fn step(&self, step: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_style(style(SPINNER));
                bar.set_message(step.to_owned());
            }
            None => self.out.note(step),
        }
    }

    fn bytes(&self, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        match total.filter(|t| *t > 0) {
            Some(total) => {
                bar.set_style(style(BAR));
                bar.set_length(total);
            }
            None => bar.set_style(style(COUNT)),
        }
        bar.set_position(done);
    }

    fn aside(&self, say: impl FnOnce(&Printer)) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(self.out)),
            None => say(self.out),
        }
    }
}

impl Drop for Progressing<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are well formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        for template in [SPINNER, COUNT, BAR] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
