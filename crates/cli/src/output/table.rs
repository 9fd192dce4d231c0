//! Tables without borders: columns as wide as their widest cell, two spaces between.
//!
//! Cells are made harmless here: what a workload or a server wrote can't move the cursor.

use super::style::{Tone, paint};
use super::value::clean;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// What stands before the rows of a group.
const INDENT: &str = "  ";

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A state's word in its tone.
    pub(crate) fn state(word: &str) -> Self {
        Self { text: word.to_owned(), tone: Tone::of_state(word) }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }
}

/// One column of a list: its header, and what it shows of an item.
pub(crate) struct Column<T> {
    title: &'static str,
    wide: bool,
    right: bool,
    cell: fn(&T) -> Cell,
}

impl<T> Column<T> {
    /// A column that is always shown.
    pub(crate) const fn new(title: &'static str, cell: fn(&T) -> Cell) -> Self {
        Self { title, wide: false, right: false, cell }
    }

    /// A column that is only shown with `-o wide`.
    pub(crate) const fn wide(title: &'static str, cell: fn(&T) -> Cell) -> Self {
        Self { title, wide: true, right: false, cell }
    }

    /// Its header.
    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    /// Whether it stands flush right.
    pub(crate) fn is_number(&self) -> bool {
        self.right
    }

    /// What it shows of an item.
    pub(crate) fn text(&self, item: &T) -> String {
        clean(&(self.cell)(item).text)
    }

    /// A column of numbers, flush right.
    pub(crate) const fn number(title: &'static str, cell: fn(&T) -> Cell) -> Self {
        Self { title, wide: false, right: true, cell }
    }
}

#[derive(Clone, Copy, Debug)]
struct Head {
    title: &'static str,
    wide: bool,
    right: bool,
}

/// Which columns are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Those that fit most screens.
    Usual,
    /// Those of `-o wide` too.
    All,
}

/// Rows under headers.
#[derive(Debug, Default)]
pub(crate) struct Table {
    heads: Vec<Head>,
    rows: Vec<Vec<Cell>>,
    /// What stands on a line of its own before a row.
    titles: BTreeMap<usize, String>,
}

impl Table {
    /// The items as rows.
    pub(crate) fn of<T>(items: &[T], columns: &[Column<T>]) -> Self {
        Self {
            heads: columns
                .iter()
                .map(|c| Head { title: c.title, wide: c.wide, right: c.right })
                .collect(),
            rows: items
                .iter()
                .map(|item| {
                    let made = columns.iter().map(|c| (c.cell)(item));
                    made.map(|cell| Cell { text: clean(&cell.text), ..cell }).collect()
                })
                .collect(),
            titles: BTreeMap::new(),
        }
    }

    /// The items as rows, those that stand behind one another in one group under its name.
    pub(crate) fn grouped<T>(
        items: &[T],
        columns: &[Column<T>],
        group: fn(&T) -> Option<&str>,
    ) -> Self {
        let mut table = Self::of(items, columns);
        let mut last = None;
        for (at, item) in items.iter().enumerate() {
            let name = group(item);
            if let Some(name) = name {
                if let Some(first) = table.rows[at].first_mut() {
                    first.text.insert_str(0, INDENT);
                }
                if last != Some(name) {
                    table.titles.insert(at, clean(name));
                }
            }
            last = name;
        }
        table
    }

    /// Whether it has no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, a line for each row.
    pub(crate) fn render(&self, columns: Columns, color: bool) -> String {
        let shown: Vec<usize> = (0..self.heads.len())
            .filter(|i| columns == Columns::All || !self.heads[*i].wide)
            .collect();
        let width = |i: usize| {
            let cells = self.rows.iter().map(|row| row[i].text.width());
            cells.max().unwrap_or(0).max(self.heads[i].title.width())
        };
        let widths: Vec<usize> = shown.iter().map(|i| width(*i)).collect();
        let mut out = String::new();
        let head: Vec<Cell> = self
            .heads
            .iter()
            .map(|head| Cell { text: head.title.to_owned(), tone: Tone::Strong })
            .collect();
        for (at, row) in std::iter::once(&head).chain(&self.rows).enumerate() {
            if let Some(title) = at.checked_sub(1).and_then(|row| self.titles.get(&row)) {
                out.push_str(&paint(color, Tone::Strong, title));
                out.push('\n');
            }
            let start = out.len();
            for (i, width) in shown.iter().zip(&widths) {
                let cell = &row[*i];
                let space = " ".repeat(width - cell.text.width());
                let text = paint(color, cell.tone, &cell.text);
                if out.len() > start {
                    out.push_str("  ");
                }
                if self.heads[*i].right {
                    out.push_str(&(space + &text));
                } else {
                    out.push_str(&(text + &space));
                }
            }
            out.truncate(start + out[start..].trim_end_matches(' ').len());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = [
            Column::new("NAME", |row: &(&str, &str)| row.0.into()),
            Column::new("STATE", |row: &(&str, &str)| Cell::state(row.1)),
            Column::wide("LENGTH", |row: &(&str, &str)| row.0.len().to_string().into()),
        ];
        Table::of(&[("web", "running"), ("a-longer-name", "failed")], &columns)
    }

    #[test]
    fn columns_stand_under_their_headers() {
        assert_eq!(
            table().render(Columns::Usual, false),
            "NAME           STATE\nweb            running\na-longer-name  failed\n"
        );
        assert!(
            table().render(Columns::All, false).starts_with("NAME           STATE    LENGTH\n")
        );
    }

    #[test]
    fn colour_changes_no_width() {
        let plain = table().render(Columns::Usual, false);
        let mut coloured = table().render(Columns::Usual, true);
        for code in ["\x1b[1m", "\x1b[0m", "\x1b[32m", "\x1b[1;31m"] {
            coloured = coloured.replace(code, "");
        }
        let trimmed: Vec<&str> = coloured.lines().map(str::trim_end).collect();
        assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
    }

    #[test]
    fn groups_stand_under_their_names() {
        let columns = [
            Column::new("NAME", |row: &(&str, Option<&str>)| row.0.into()),
            Column::new("KIND", |_: &(&str, Option<&str>)| "container".into()),
        ];
        let items = [
            ("alone", None),
            ("blog-db-1", Some("blog")),
            ("blog-web-1", Some("blog")),
            ("shop-db-1", Some("shop\n")),
        ];
        let text = Table::grouped(&items, &columns, |row| row.1).render(Columns::Usual, false);
        assert_eq!(
            text,
            "NAME          KIND\nalone         container\nblog\n  blog-db-1   container\n  blog-web-1  container\n\
             shop\u{fffd}\n  shop-db-1   container\n"
        );
    }

    #[test]
    fn a_cell_moves_no_cursor() {
        let columns = [Column::new("NAME", |row: &&str| (*row).into())];
        let text = Table::of(&["a\x1b[2Jb\nc"], &columns).render(Columns::Usual, false);
        assert!(!text.contains('\x1b') && text.lines().count() == 2, "{text:?}");
    }
}
