//! Every field of the Compose schema has its row in the table that people read, and what is said to work has a test that shows it.

use std::collections::BTreeMap;

use super::Finding;
use super::repository::Repository;
use crate::run::Result;

const SCHEMA: &str = "crates/compose/src/fields/schema.txt";
const TABLE: &str = "docs/compose-fields.md";

pub(super) fn check(repository: &Repository) -> Result<Vec<Finding>> {
    let schema = repository.text(SCHEMA).unwrap_or_default();
    let text = repository.text(TABLE).unwrap_or_default();
    let table = parse(&text);
    let mut findings = Vec::new();
    for (index, field) in schema.lines().enumerate().filter(|(_, field)| !table.contains_key(field))
    {
        let text = format!("{field} has no row in {TABLE}; add one to crates/compose/src/fields");
        findings.push(Finding::new(SCHEMA, index + 1, text));
    }
    let tests: String = repository.texts(".rs").map(|(_, text)| text).collect();
    for (field, row) in table.iter().filter(|(_, row)| matches!(row.word, "works" | "read")) {
        // A test of a host has that as its argument.
        if !tests.contains(&format!("fn {}(", row.why)) {
            let text = format!("{field} works, it says; but there is no test `{}`", row.why);
            findings.push(Finding::new(TABLE, row.line, text));
        }
    }
    Ok(findings)
}

/// What a row says of its field.
struct Row<'a> {
    word: &'a str,
    why: &'a str,
    line: usize,
}

fn parse(text: &str) -> BTreeMap<&str, Row<'_>> {
    let rows = text.lines().enumerate().filter_map(|(index, line)| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let field = cells.next()?.strip_suffix('`')?;
        let (word, why) = (cells.next()?, cells.next()?.trim_end_matches(" |").trim_matches('`'));
        Some((field, Row { word, why, line: index + 1 }))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_read() {
        let table = parse(
            "# T\n| field | | x |\n|---|---|---|\n| `a.*.b[]` | works | `t` |\n| `c` | warned | for a reason |\n",
        );
        assert_eq!(table.len(), 2);
        assert_eq!(
            (table["a.*.b[]"].word, table["a.*.b[]"].why, table["a.*.b[]"].line),
            ("works", "t", 4)
        );
        assert_eq!(table["c"].why, "for a reason");
    }
}
