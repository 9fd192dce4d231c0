//! Problems on standard error: `error: what failed: because of what`, then `hint: what to do`.

use super::style::{Tone, paint};
use super::value::clean;
use crate::cli::Format;
use volt_api::Problem;

/// The problem as it is printed in this format.
pub(super) fn render(problem: &Problem, format: Format, color: bool) -> String {
    match format {
        Format::Json => super::pretty(&super::to_value(problem)),
        Format::Yaml => super::yaml(&super::to_value(problem)),
        _ => for_people(problem, color),
    }
}

fn for_people(problem: &Problem, color: bool) -> String {
    // A cause may be several lines, such as the last ones of a log: the rest of it stands below, indented.
    let whole = problem.to_string();
    let mut lines = whole.lines();
    let word = paint(color, Tone::Bad, "error:");
    let mut out = format!("{word} {}\n", clean(lines.next().unwrap_or_default()));
    for line in lines {
        out.push_str(&format!("  {}\n", clean(line)));
    }
    if let Some(hint) = &problem.hint {
        let word = paint(color, Tone::Warn, "hint:");
        out.push_str(&format!("{word} {}\n", clean(hint).replace('\u{fffd}', " ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_model::kind::ErrorKind;

    fn problem() -> Problem {
        let source = std::io::Error::other("No such file\nsecond \x1b[2Jline");
        Problem::new(ErrorKind::NotFound, "There is no container `web`")
            .about("web")
            .because(&source)
            .hinted("See `volt ps -a`")
    }

    #[test]
    fn for_people_it_is_a_sentence_and_a_hint() {
        assert_eq!(
            render(&problem(), Format::Table, false),
            "error: There is no container `web`: No such file\n  second \u{fffd}[2Jline\nhint: See `volt ps -a`\n"
        );
    }

    #[test]
    fn for_programs_it_is_the_problem_itself() {
        let back: Problem = serde_json::from_str(&render(&problem(), Format::Json, true)).unwrap();
        assert_eq!(back, problem());
    }
}
