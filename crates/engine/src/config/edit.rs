//! Changing one value in a YAML text of two levels, by lines: comments, order and other values stay. Pure.
//!
//! It knows the usual block style. Who calls it parses the result and refuses it when something else came out.

use serde_json::Value;

/// The text with `section.key` set to `value`.
pub(super) fn set(text: &str, (section, key): (&str, &str), value: &Value) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match find_section(&lines, section) {
        None => {
            if lines.last().is_some_and(|last| !last.trim().is_empty())
                && lines.iter().any(|l| is_content(l))
            {
                lines.push(String::new());
            }
            lines.push(format!("{section}:"));
            lines.push(format!("  {key}: {}", scalar(value)));
        }
        Some((first, end)) => set_in_section(&mut lines, (first, end), key, value),
    }
    lines.join("\n") + "\n"
}

/// The number of the line, from 1, on which the text says `section.key`; nothing where it is written in another way.
pub(super) fn line_of(text: &str, (section, key): (&str, &str)) -> Option<usize> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (first, end) = find_section(&lines, section)?;
    let here = |line: &String| key_of(line).is_some_and(|(_, name)| name == key);
    lines[first..end].iter().position(here).map(|n| first + n + 1)
}

/// The section's first line within it and the line behind its last.
fn find_section(lines: &[String], section: &str) -> Option<(usize, usize)> {
    let head = lines
        .iter()
        .position(|line| key_of(line).is_some_and(|(indent, key)| indent == 0 && key == section))?;
    let first = head + 1;
    let end = lines[first..]
        .iter()
        .position(|line| is_content(line) && indent(line) == 0)
        .map_or(lines.len(), |n| first + n);
    // Comments and empty lines in front of the next section belong to that one.
    let last = lines[first..end]
        .iter()
        .rposition(|line| is_content(line))
        .map_or(first, |n| first + n + 1);
    Some((first, last))
}

fn set_in_section(lines: &mut Vec<String>, (first, end): (usize, usize), key: &str, value: &Value) {
    let depth =
        lines[first..end].iter().find(|line| is_content(line)).map_or(2, |line| indent(line));
    let here = |line: &String| key_of(line).is_some_and(|(at, name)| at == depth && name == key);
    let pad = " ".repeat(depth);
    let Some(at) = lines[first..end].iter().position(here).map(|n| first + n) else {
        lines.insert(end, format!("{pad}{key}: {}", scalar(value)));
        return;
    };
    // What hangs below the key is its old value: deeper lines, and the items of a list at the same depth.
    let below = |line: &String| {
        indent(line) > depth || (indent(line) == depth && line.trim_start().starts_with("- "))
    };
    let mut behind = at + 1;
    while behind < end && (!is_content(&lines[behind]) || below(&lines[behind])) {
        behind += 1;
    }
    let last = lines[at + 1..behind]
        .iter()
        .rposition(|l| is_content(l))
        .map_or(at + 1, |n| at + 1 + n + 1);
    let comment = comment_of(&lines[at]).map(|c| format!("  {c}")).unwrap_or_default();
    drop(lines.splice(at..last, [format!("{pad}{key}: {}{comment}", scalar(value))]));
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#') && line != "---" && line != "..."
}

/// Indentation and key of a line `key: …`.
fn key_of(line: &str) -> Option<(usize, &str)> {
    let (key, rest) = line.trim_start_matches(' ').split_once(':')?;
    let ends = rest.is_empty() || rest.starts_with([' ', '\t']);
    let key = key.trim_end().trim_matches(['"', '\'']);
    (ends && is_content(line) && !key.is_empty()).then(|| (indent(line), key))
}

/// The comment at the end of a line.
fn comment_of(line: &str) -> Option<&str> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return Some(&line[at..]),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    None
}

/// A value as YAML on one line. JSON is YAML; plain words are written without quotes.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(scalar).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Whether a text means itself without quotes, inside a list too.
fn is_plain(text: &str) -> bool {
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "none"];
    let ok = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(ok)
        && !words[..words.len() - 1].contains(&text.to_ascii_lowercase().as_str())
}
