//! The printer: the only place that writes to standard output and standard error.
//!
//! Data goes to standard output, all else to standard error. Commands build an [`Output`]; nothing here knows a command.

mod problem;
mod style;
mod table;
mod value;

pub(crate) use style::{Tone, paint};
pub(crate) use table::{Cell, Column, Columns, Table};
pub(crate) use value::{
    Details, ago, clean, exactly_when, or_dash, percent, point, short, size, size_or_dash, when,
    when_and_ago,
};

use crate::cli::{Color, Format, Global};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock};
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// What a command ends with.
pub(crate) type Outcome = Result<Output, Problem>;

/// What is shown to people of an answer.
#[derive(Debug, Default)]
pub(crate) enum View {
    /// Nothing.
    #[default]
    Nothing,
    /// Rows under headers; the text is said in their place when there are none.
    Table(Table, &'static str),
    /// Text as it is.
    Text(String),
    /// Keys and values in sections.
    Details(Details),
}

/// An answer in all its forms, and how the command ends.
#[derive(Debug, Default)]
pub(crate) struct Output {
    view: View,
    data: Option<Value>,
    names: Vec<String>,
    problems: Vec<Problem>,
    code: Option<u8>,
}

impl Output {
    /// Nothing to say.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// Ends with this exit code and says nothing.
    pub(crate) fn exit(code: u8) -> Self {
        Self { code: Some(code), ..Self::default() }
    }

    /// A list with its columns, its names, and what is said when it is empty.
    pub(crate) fn list<T: Serialize>(
        items: &[T],
        columns: &[Column<T>],
        name: fn(&T) -> &str,
        empty: &'static str,
    ) -> Self {
        Self {
            view: View::Table(Table::of(items, columns), empty),
            data: Some(to_value(&items)),
            names: items.iter().map(|item| name(item).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// The same for people with those of one group under its name.
    pub(crate) fn grouped<T: Serialize>(
        self,
        items: &[T],
        columns: &[Column<T>],
        group: fn(&T) -> Option<&str>,
    ) -> Self {
        match self.view {
            View::Table(_, empty) => {
                Self { view: View::Table(Table::grouped(items, columns, group), empty), ..self }
            }
            _ => self,
        }
    }

    /// All that is known of one thing.
    pub(crate) fn details<T: Serialize>(item: &T, name: &str, details: Details) -> Self {
        Self {
            view: View::Details(details),
            data: Some(to_value(item)),
            names: vec![name.to_owned()],
            ..Self::default()
        }
    }

    /// A text for people, with the same as data.
    pub(crate) fn text<T: Serialize>(item: &T, name: &str, text: impl Into<String>) -> Self {
        Self {
            view: View::Text(text.into()),
            data: Some(to_value(item)),
            names: vec![name.to_owned()],
            ..Self::default()
        }
    }

    /// Several things that were done, each by its name; one alone is no list.
    pub(crate) fn done(names: Vec<String>, mut data: Vec<Value>) -> Self {
        let data = if data.len() == 1 { data.pop() } else { Some(Value::Array(data)) };
        Self { view: View::Text(lines(&names)), data, names, ..Self::default() }
    }

    /// Several details, one after the other; one alone is no list.
    pub(crate) fn several(mut all: Vec<Self>) -> Self {
        if all.len() == 1 {
            return all.remove(0);
        }
        let (mut whole, mut data, mut sections) = (Self::default(), Vec::new(), Details::default());
        for one in all {
            data.extend(one.data);
            whole.names.extend(one.names);
            if let View::Details(details) = one.view {
                sections.append(details);
            }
        }
        Self { view: View::Details(sections), data: Some(Value::Array(data)), ..whole }
    }

    /// The same, and these problems are told behind it; the first decides the exit code.
    pub(crate) fn with_problems(mut self, problems: Vec<Problem>) -> Self {
        self.problems = problems;
        self
    }

    /// Whether something failed that isn't this command line's own affair.
    fn is_failed_elsewhere(&self) -> bool {
        let own = [ErrorKind::Usage, ErrorKind::Daemon, ErrorKind::Interrupted];
        self.problems.iter().any(|problem| !own.contains(&problem.kind()))
    }

    /// The same, with something else for programs.
    pub(crate) fn with_data<T: Serialize>(mut self, data: &T) -> Self {
        self.data = Some(to_value(data));
        self
    }

    /// The same with an exit code.
    pub(crate) fn with_code(mut self, code: u8) -> Self {
        self.code = Some(code);
        self
    }
}

fn lines(names: &[String]) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}

fn to_value<T: Serialize + ?Sized>(item: &T) -> Value {
    serde_json::to_value(item).expect("wire types have no form that JSON lacks")
}

/// Prints.
#[derive(Debug)]
pub(crate) struct Printer {
    format: Format,
    quiet: bool,
    color: [bool; 2],
    stdout: Mutex<io::BufWriter<io::Stdout>>,
    /// Why standard output takes no more. That whoever read it has gone is no error.
    broken: OnceLock<io::Error>,
}

impl Printer {
    /// A printer as the global options want it.
    pub(crate) fn new(global: &Global) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        let color = |terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain && !dumb,
        };
        Self {
            format: global.output,
            quiet: global.quiet,
            color: [color(io::stdout().is_terminal()), color(io::stderr().is_terminal())],
            stdout: Mutex::new(io::BufWriter::with_capacity(64 << 10, io::stdout())),
            broken: OnceLock::new(),
        }
    }

    /// The format that was asked for.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether a program reads the answer.
    pub(crate) fn is_for_programs(&self) -> bool {
        matches!(self.format, Format::Json | Format::Yaml)
    }

    /// Whether only data and errors are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether standard output takes colour.
    pub(crate) fn is_coloured(&self) -> bool {
        self.color[0]
    }

    /// Whether standard output takes no more, whether by an error or because nobody reads it.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }

    /// Bytes for standard output, at once. False when nobody reads it any more.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> bool {
        self.put(bytes, true)
    }

    /// One line of an answer that has no end; flushed by [`Printer::flush`] or when the buffer is full.
    pub(crate) fn line(&self, line: &str) -> bool {
        self.put(line.as_bytes(), false) && self.put(b"\n", false)
    }

    /// One item of an answer that has no end, as JSON or YAML.
    pub(crate) fn item<T: Serialize>(&self, item: &T) -> bool {
        match self.format {
            Format::Yaml => self.put(format!("---\n{}", yaml(&to_value(item))).as_bytes(), false),
            _ => self.line(&to_value(item).to_string()),
        }
    }

    /// Writes out what is buffered.
    pub(crate) fn flush(&self) -> bool {
        self.put(b"", true)
    }

    fn put(&self, bytes: &[u8], flush: bool) -> bool {
        if self.is_broken() {
            return false;
        }
        let mut stdout = self.stdout.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let written = stdout.write_all(bytes);
        match written.and_then(|()| if flush { stdout.flush() } else { Ok(()) }) {
            Ok(()) => true,
            Err(error) => {
                // Only the first reason is of interest.
                drop(self.broken.set(error));
                false
            }
        }
    }

    /// Bytes for standard error as they are: what a workload wrote there.
    pub(crate) fn error_bytes(&self, bytes: &[u8]) {
        // Where standard error is gone there is no place left to say so.
        drop(io::stderr().write_all(bytes));
    }

    /// A sentence for people, on standard error; not with `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.error_bytes(format!("{text}\n").as_bytes());
        }
    }

    /// Something worth knowing that stops nothing.
    pub(crate) fn warn(&self, text: &str) {
        let word = paint(self.color[1], Tone::Warn, "warning:");
        self.error_bytes(format!("{word} {}\n", clean(text)).as_bytes());
    }

    /// A problem, on standard error.
    pub(crate) fn problem(&self, problem: &Problem) {
        self.error_bytes(problem::render(problem, self.format, self.color[1]).as_bytes());
    }

    /// Prints how the command ended and returns its exit code; `remark` stands below errors.
    pub(crate) fn finish(&self, outcome: Outcome, remark: Option<String>) -> u8 {
        let output =
            outcome.unwrap_or_else(|problem| Output::nothing().with_problems(vec![problem]));
        self.data(&output);
        self.flush();
        for problem in &output.problems {
            self.problem(problem);
        }
        if let Some(remark) =
            remark.filter(|_| output.is_failed_elsewhere() && !self.is_for_programs())
        {
            let word = paint(self.color[1], Tone::Warn, "note:");
            self.error_bytes(format!("{word} {}\n", clean(&remark)).as_bytes());
        }
        let failed = output.problems.first().map(|p| p.kind().exit_code());
        let code = output.code.or(failed).unwrap_or(0);
        match self.broken.get() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.problem(&unwritable(error));
                if code == 0 { ErrorKind::General.exit_code() } else { code }
            }
            _ => code,
        }
    }

    /// An answer in place of the one before, on a terminal. False when nobody reads it any more.
    pub(crate) fn again(&self, output: &Output) -> bool {
        if !self.is_for_programs() && io::stdout().is_terminal() {
            self.put(b"\x1b[H\x1b[2J", false);
        }
        self.data(output);
        self.flush()
    }

    fn data(&self, output: &Output) {
        let text = match (self.format, &output.data) {
            (Format::Json, Some(data)) => pretty(data),
            (Format::Yaml, Some(data)) => yaml(data),
            (Format::Name, _) => lines(&output.names),
            // In a script `$(volt ps -q)` is to be names, as with other tools.
            (Format::Table, _) if self.quiet && matches!(output.view, View::Table(..)) => {
                lines(&output.names)
            }
            _ => self.for_people(&output.view),
        };
        self.put(text.as_bytes(), false);
    }

    fn for_people(&self, view: &View) -> String {
        let columns = if self.format == Format::Wide { Columns::All } else { Columns::Usual };
        match view {
            View::Nothing => String::new(),
            View::Text(text) => text.clone(),
            View::Details(details) => details.render(columns, self.color[0]),
            View::Table(table, empty) if table.is_empty() => {
                self.note(empty);
                String::new()
            }
            View::Table(table, _) => table.render(columns, self.color[0]),
        }
    }
}

/// That standard output could not be written.
pub(crate) fn unwritable(error: &io::Error) -> Problem {
    Problem::new(ErrorKind::General, "Standard output can't be written").because(error)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn yaml(value: &Value) -> String {
    let mut text = serde_saphyr::to_string(value).unwrap_or_else(|_| pretty(value));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_alone_is_no_list() {
        let one = Output::done(vec!["web".into()], vec![json!({"name": "web"})]);
        assert_eq!(one.data, Some(json!({"name": "web"})));
        let two = Output::done(vec!["a".into(), "b".into()], vec![json!(1), json!(2)]);
        assert_eq!(two.data, Some(json!([1, 2])));
        assert_eq!(two.names, ["a", "b"]);
    }

    #[test]
    fn yaml_and_json_carry_the_same() {
        let value = json!({"name": "web", "labels": {"a": "yes"}, "command": ["sh", "-c", "x: y"]});
        let back: Value = serde_saphyr::from_str(&yaml(&value)).unwrap();
        assert_eq!(back, value);
        assert_eq!(serde_json::from_str::<Value>(&pretty(&value)).unwrap(), value);
    }
}
