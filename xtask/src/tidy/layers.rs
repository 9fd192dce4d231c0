//! The layering table of ARCHITECTURE.md against the manifests: a crate depends on no other crate of ours than its row allows, and
//! the rows are the crates.

use std::collections::BTreeMap;

use super::Finding;
use super::repository::{Repository, line_of};
use crate::run::Result;

const MAP: &str = "ARCHITECTURE.md";

/// Folder to the words of "may use" and the line it stands in.
type Table = BTreeMap<String, (Vec<String>, usize)>;

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let text = repository.text(MAP).unwrap_or_default();
    let table = parse(&text);
    if table.is_empty() {
        let wanted = "the table between <!-- layers:begin --> and <!-- layers:end --> is missing";
        return Ok(vec![Finding::new(MAP, 1, wanted)]);
    }
    let own = repository.own();
    let mut findings = Vec::new();
    for (folder, package) in &own {
        let manifest = format!("{folder}/Cargo.toml");
        let Some((allowed, _)) = table.get(folder) else {
            let text = format!("{folder} has no row in the layering table of {MAP}; add one");
            findings.push(Finding::new(manifest, 1, text));
            continue;
        };
        let text = repository.text(&manifest).unwrap_or_default();
        let used = package["dependencies"].as_array().into_iter().flatten();
        let ours = used.filter_map(|dependency| {
            dependency["path"].as_str()?;
            dependency["name"].as_str()?.strip_prefix("volt-")
        });
        for name in ours.filter(|name| !allowed.iter().any(|allowed| allowed == name)) {
            findings.push(Finding::new(
                &manifest,
                line_of(&text, &format!("volt-{name}")),
                format!("{folder} may not use {name} (layering table in {MAP}); move what it needs, or the table is wrong"),
            ));
        }
    }
    for (folder, (_, line)) in &table {
        if !own.iter().any(|(known, _)| known == folder) {
            findings.push(Finding::new(
                MAP,
                *line,
                format!("there is no crate {folder}; remove the row"),
            ));
        }
    }
    Ok(findings)
}

fn parse(text: &str) -> Table {
    let begun = text.lines().enumerate().skip_while(|(_, line)| !line.contains("layers:begin"));
    let inside = begun.skip(1).take_while(|(_, line)| !line.contains("layers:end"));
    let rows = inside.filter_map(|(index, line)| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let folder = cells.next()?.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        let allowed = cells.next()?.split_whitespace().filter(|word| *word != "–");
        Some((folder, (allowed.map(str::to_owned).collect(), index + 1)))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let text = "a\n<!-- layers:begin -->\n| crate | may use | what |\n|---|---|---|\n\
             | `crates/model` | – | x |\n| `crates/api` | model host | `y` |\n<!-- layers:end -->\n| `no` | a | b |\n";
        let table = parse(text);
        assert_eq!(table.len(), 2);
        assert_eq!(table["crates/model"], (vec![], 5));
        assert_eq!(table["crates/api"].0, ["model", "host"]);
    }
}
