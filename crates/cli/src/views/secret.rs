//! How secrets look.

use crate::output::{Column, Output, ago, or_dash};
use volt_api::types::Secret;

const COLUMNS: &[Column<Secret>] = &[
    Column::new("NAME", |s| s.name.as_str().into()),
    Column::new("CREATED", |s| ago(&s.created).into()),
    Column::new("KEY", |s| s.protection.as_str().into()),
    Column::new("PROTECTED BY", |s| about(&s.protection).into()),
    Column::new("USED BY", |s| or_dash(Some(&s.used_by.join(", "))).into()),
];

/// What the key is worth.
fn about(protection: &str) -> &'static str {
    match protection {
        "host+tpm2" => "the TPM and the host's key",
        "tpm2" => "the TPM",
        "host" => "the host's key: who has the whole disk has it",
        _ => "nothing that is known",
    }
}

/// A list of secrets.
pub(crate) fn list(secrets: &[Secret]) -> Output {
    Output::list(secrets, COLUMNS, |s| &s.name, "No secrets.")
}
