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
            Err(problem) => problems.push(problem),
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
            Err(problem) => problems.push(problem),
        }
    }
    if found.is_empty() {
        return Output::nothing().with_problems(problems);
    }
    Output::several(found).with_problems(problems)
}
