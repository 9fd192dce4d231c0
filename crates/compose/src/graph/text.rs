//! A stack as a picture of characters: levels from top to bottom, each service with what it waits for and what it uses.

use super::{facts, label, levels};
use crate::stack::Stack;

/// The picture, of lines.
#[must_use]
pub fn text(stack: &Stack) -> String {
    let levels = levels(stack);
    let mut lines = vec![stack.name.to_string()];
    let last = levels.len().saturating_sub(1);
    for (index, level) in levels.iter().enumerate() {
        let (corner, side) = if index == last { ("└", " ") } else { ("├", "│") };
        lines.push(format!("{corner}─ {}", index + 1));
        let end = level.len().saturating_sub(1);
        for (number, key) in level.iter().enumerate() {
            let (branch, below) = if number == end { ("└", " ") } else { ("├", "│") };
            lines.push(format!("{side}  {branch}─ {key}{}", waits(stack, key)));
            lines.extend(facts(stack, key).iter().map(|fact| format!("{side}  {below}    {fact}")));
        }
    }
    lines.join("\n") + "\n"
}

/// ` ← db (healthy), cache`
fn waits(stack: &Stack, key: &str) -> String {
    let Some(service) = stack.services.get(key).filter(|service| !service.depends_on.is_empty())
    else {
        return String::new();
    };
    let one = |(other, dependency): (&String, &crate::stack::Dependency)| match label(
        dependency.condition,
    ) {
        "" => other.clone(),
        word => format!("{other} ({word})"),
    };
    format!(" ← {}", service.depends_on.iter().map(one).collect::<Vec<_>>().join(", "))
}
