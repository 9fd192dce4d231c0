//! All workloads.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use volt_model::config::nearest;
use volt_model::kind::ErrorKind;

/// The kinds that a filter may name; containers are the only ones there are yet.
const KINDS: [&str; 4] = ["container", "vm", "service", "task"];

impl Engine {
    /// Lists workloads, sorted by name; without `all` only those that run. One call to systemd, one record read for each.
    ///
    /// # Errors
    /// `Usage` for an unknown kind; when the records or systemd can't be read.
    pub fn workload_list(&self, all: bool, kind: Option<&str>) -> Result<Vec<View>> {
        if let Some(kind) = kind.filter(|kind| !KINDS.contains(kind)) {
            let near = nearest(kind, KINDS).map_or_else(
                || format!("The kinds are {}", KINDS.join(", ")),
                |near| format!("Did you mean `{near}`?"),
            );
            return Err(Error::new(
                ErrorKind::Usage,
                format!("There is no kind of workload `{kind}`"),
            )
            .hinted(near));
        }
        if kind.is_some_and(|kind| kind != "container") {
            return Ok(Vec::new());
        }
        Ok(self.container_list(all)?.into_iter().map(View::from).collect())
    }
}
