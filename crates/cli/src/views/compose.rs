//! How stacks look.

use super::container::{Life, status};
use crate::output::{Cell, Column, Output, ago, or_dash, short};
use std::collections::BTreeMap;
use volt_api::types::{ComposePlan, ComposeStack, ComposeStep, ComposeWorkload};

/// How long a command in a list may be, in characters.
const COMMAND: usize = 40;

const STACKS: &[Column<ComposeStack>] = &[
    Column::new("NAME", |s| s.name.as_str().into()),
    Column::new("STATE", |s| states(s).into()),
    Column::new("CREATED", |s| s.created.as_deref().map_or_else(|| "-".into(), ago).into()),
    Column::new("FILES", |s| or_dash(Some(&s.files.join(", "))).into()),
    Column::wide("UNIT", |s| or_dash(s.unit.as_deref()).into()),
];

const WORKLOADS: &[Column<ComposeWorkload>] = &[
    Column::new("NAME", |w| w.workload.name.as_str().into()),
    Column::new("SERVICE", |w| w.service.as_str().into()),
    Column::new("STATE", |w| Cell::state(&w.workload.state)),
    Column::new("STATUS", |w| {
        let w = &w.workload;
        let (started, health) = (w.started.as_deref(), w.health.as_deref());
        status(Life { state: &w.state, started, exit: w.exit.as_ref(), health }).into()
    }),
    Column::new("IMAGE", |w| or_dash(w.workload.image.as_deref()).into()),
    Column::new("COMMAND", |w| short(&w.workload.command, COMMAND).into()),
    Column::wide("KIND", |w| w.workload.kind.as_str().into()),
    Column::wide("UNIT", |w| or_dash(w.workload.unit.as_deref()).into()),
];

const IMAGES: &[Column<ComposeWorkload>] = &[
    Column::new("NAME", |w| w.workload.name.as_str().into()),
    Column::new("SERVICE", |w| w.service.as_str().into()),
    Column::new("IMAGE", |w| or_dash(w.workload.image.as_deref()).into()),
];

const STEPS: &[Column<ComposeStep>] = &[
    Column::new("ACTION", |s| s.action.as_str().into()),
    Column::new("KIND", |s| s.kind.as_str().into()),
    Column::new("NAME", |s| s.name.as_str().into()),
    Column::new("WHY", |s| s.why.as_str().into()),
];

/// How many of a stack are in which state: `running 3, stopped 1`.
fn states(stack: &ComposeStack) -> String {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &stack.workloads {
        *states.entry(&one.workload.state).or_default() += 1;
    }
    let words: Vec<String> = states.iter().map(|(state, n)| format!("{state} {n}")).collect();
    or_dash(Some(&words.join(", ")))
}

/// A list of stacks.
pub(crate) fn list(stacks: &[ComposeStack]) -> Output {
    Output::list(stacks, STACKS, |s| &s.name, "No stacks.")
}

/// What belongs to one.
pub(crate) fn workloads(all: &[ComposeWorkload], stopped: bool) -> Output {
    let empty =
        if stopped { "Nothing is there." } else { "Nothing runs. See `volt compose ps -a`." };
    Output::list(all, WORKLOADS, |w| &w.workload.name, empty)
}

/// The images of what belongs to one.
pub(crate) fn images(all: &[ComposeWorkload]) -> Output {
    Output::list(all, IMAGES, |w| &w.workload.name, "Nothing is there.")
}

/// What would be done.
pub(crate) fn plan(plan: &ComposePlan) -> Output {
    Output::list(&plan.steps, STEPS, |s| &s.name, "There is nothing to do.").with_data(plan)
}
