//! Several names at once: all are tried, all failures told, the first decides the exit code.

use crate::output::Output;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::collections::HashSet;
use volt_api::Problem;

/// How many are asked for at the same time.
const AT_ONCE: usize = 16;

/// Does `one` for every name, several at the same time, and tells them in their order.
pub(crate) async fn each<T: Serialize>(
    names: &[String],
    one: impl AsyncFn(String) -> Result<T, Problem>,
) -> Output {
    let mut seen = HashSet::new();
    let once = names.iter().filter(|name| seen.insert(name.as_str()));
    let asked = once.map(|name| {
        let answer = one(name.clone());
        async move { (name.clone(), answer.await) }
    });
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let (mut done, mut data, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (name, answer) in answers {
        match answer {
            Ok(item) => {
                data.push(serde_json::to_value(item).unwrap_or_default());
                done.push(name);
            }
            Err(problem) => problems.push(named(problem, &name)),
        }
    }
    if done.is_empty() {
        return Output::nothing().with_problems(problems);
    }
    Output::done(done, data).with_problems(problems)
}

/// Shows `one` for every name, as sections one after the other.
pub(crate) async fn inspect(
    names: &[String],
    one: impl AsyncFn(String) -> Result<Output, Problem>,
) -> Output {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for name in names {
        match one(name.clone()).await {
            Ok(output) => found.push(output),
            Err(problem) => problems.push(named(problem, name)),
        }
    }
    if found.is_empty() {
        return Output::nothing().with_problems(problems);
    }
    Output::several(found).with_problems(problems)
}

/// The problem with the name of what it is about in its text: that the daemon has gone is said of each.
pub(crate) fn named(mut problem: Problem, name: &str) -> Problem {
    if !problem.to_string().contains(name) {
        problem.title = format!("{name}: {}", problem.title);
    }
    problem.subject.get_or_insert_with(|| name.to_owned());
    problem
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_model::kind::ErrorKind;

    #[test]
    fn each_problem_names_what_it_is_about() {
        let gone = Problem::new(ErrorKind::Daemon, "The daemon has gone");
        assert_eq!(named(gone.clone(), "web").title, "web: The daemon has gone");
        assert_eq!(named(gone, "web").subject.as_deref(), Some("web"));
        let own = Problem::new(ErrorKind::NotFound, "There is no container named web");
        assert_eq!(named(own.clone(), "web").title, own.title);
    }
}
