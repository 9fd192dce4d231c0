//! What killed commands left in the content-addressed store. Whether what is in it is whole is asked of `cas verify`.

use super::{Found, Mend};
use crate::Engine;

impl Engine {
    pub(super) fn cas_findings(&self) -> Vec<Found> {
        let left = match self.cas().leftovers() {
            Ok(left) => left,
            Err(error) => {
                let why = crate::Error::from(error).chain().join(": ");
                return vec![Found::new(
                    &"cas",
                    format!("it can't be looked at: {why}"),
                    Mend::Nothing,
                )];
            }
        };
        let found = |path: &std::path::PathBuf| {
            Found::path(path, "left by a command that was killed while it stored", Mend::Cas)
        };
        left.iter().map(found).collect()
    }
}
