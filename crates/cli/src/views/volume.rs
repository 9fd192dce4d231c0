//! How volumes look.

use super::labels;
use crate::output::{Column, Details, Output, ago, or_dash, size_or_dash, when_and_ago};
use volt_api::types::Volume;

const COLUMNS: &[Column<Volume>] = &[
    Column::new("NAME", |v| v.name.as_str().into()),
    Column::new("DRIVER", |v| v.driver.as_str().into()),
    Column::new("SIZE", |v| size_or_dash(v.size).into()),
    Column::new("CREATED", |v| ago(&v.created).into()),
    Column::new("USED BY", |v| or_dash(Some(&v.used_by.join(", "))).into()),
    Column::wide("PATH", |v| v.path.as_str().into()),
    Column::wide("LABELS", |v| labels(&v.labels).into()),
];

/// A list of volumes.
pub(crate) fn list(volumes: &[Volume]) -> Output {
    Output::list(volumes, COLUMNS, |v| &v.name, "No volumes.")
}

/// All that is known of one.
pub(crate) fn details(v: &Volume) -> Output {
    let details = Details::new()
        .row("Name", &v.name)
        .row("Created", when_and_ago(&v.created))
        .row("Driver", &v.driver)
        .row("Path", &v.path)
        .row("Size", size_or_dash(v.size))
        .each("Used by", &v.used_by)
        .section("Labels");
    let details = v.labels.iter().fold(details, |d, (key, value)| d.row(key, value));
    let details = match v.options.is_empty() {
        true => details,
        false => {
            v.options.iter().fold(details.section("Options"), |d, (key, value)| d.row(key, value))
        }
    };
    Output::details(v, &v.name, details)
}
