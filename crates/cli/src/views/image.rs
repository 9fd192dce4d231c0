//! How images look.

use super::{command, yes_no};
use crate::output::{Column, Details, Output, ago, or_dash, size, when_and_ago};
use volt_api::types::Image;

const COLUMNS: &[Column<Image>] = &[
    Column::new("NAME", |i| i.name.as_str().into()),
    Column::number("SIZE", |i| size(i.size).into()),
    Column::new("CREATED", |i| ago(&i.created).into()),
    Column::new("OS", |i| or_dash(Some(&i.os)).into()),
    Column::wide("ARCHITECTURE", |i| i.architecture.as_str().into()),
    Column::wide("ENTRIES", |i| i.entries.to_string().into()),
    Column::wide("SOURCE", |i| i.source.as_str().into()),
    Column::wide("USED BY", |i| or_dash(Some(&i.used_by.join(", "))).into()),
];

/// A list of images.
pub(crate) fn list(images: &[Image]) -> Output {
    Output::list(images, COLUMNS, |i| &i.name, "No images.")
}

/// All that is known of one.
pub(crate) fn details(i: &Image) -> Output {
    let details = Details::new()
        .row("Name", &i.name)
        .row("Created", when_and_ago(&i.created))
        .row("Size", size(i.size))
        .row("Entries", i.entries.to_string())
        .row("Architecture", &i.architecture)
        .row("OS", or_dash(Some(&i.os)))
        .row("Source", &i.source)
        .row("Boots", yes_no(i.boot))
        .each("Used by", &i.used_by)
        .each("Snapshots", &i.snapshots)
        .section("Process")
        .row("Entrypoint", or_dash(Some(&command(&i.entrypoint))))
        .row("Command", or_dash(Some(&command(&i.command))))
        .row("User", or_dash(i.user.as_deref()))
        .row("Directory", or_dash(i.workdir.as_deref()))
        .each("Environment", &i.env)
        .section("Not taken over")
        .each("Entries", &i.neutralised);
    Output::details(i, &i.name, details)
}
