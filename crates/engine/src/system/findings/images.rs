//! The image store, which checks itself, and the stages, which it looks after.

use super::{Found, Mend};
use crate::Engine;

impl Engine {
    pub(super) fn image_findings(&self) -> Vec<Found> {
        let checked = self.images().check(&|tree| self.users_of_tree(tree));
        let problems = match checked {
            Ok(problems) => problems,
            Err(error) => {
                let why = crate::Error::from(error).chain().join(": ");
                return vec![Found::new(
                    &"images",
                    format!("they can't be checked: {why}"),
                    Mend::Nothing,
                )];
            }
        };
        problems
            .into_iter()
            .map(|problem| {
                let mend = if problem.can_be_repaired() { Mend::Images } else { Mend::Nothing };
                Found::new(&"images", problem.to_string(), mend)
            })
            .collect()
    }
}
