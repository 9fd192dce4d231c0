//! Mending what of Volt's own state is amiss.

use super::check::Check;
use super::findings::{Found, Mend};
use crate::Engine;
use crate::error::Result;

impl Engine {
    /// Mends what [`Engine::system_check`] finds in Volt's state. What can't be mended is reported with the reason; the rest is
    /// mended all the same.
    ///
    /// # Errors
    /// When the state can't be looked at.
    pub fn system_repair(&self) -> Result<Check> {
        let mut found = self.findings();
        // The store mends all of its own at once, and must see who uses what when the others are mended.
        for one in found.iter_mut().filter(|one| !matches!(one.mend, Mend::Images | Mend::Nothing))
        {
            self.mend_one(one);
        }
        if found.iter().any(|one| one.mend == Mend::Images) {
            let mended =
                self.images().repair(&|tree| self.users_of_tree(tree)).map_err(crate::Error::from);
            for one in found.iter_mut().filter(|one| one.mend == Mend::Images) {
                one.note(mended.as_ref().map(|_| ()));
            }
        }
        Ok(Check {
            rows: self.check_rows(),
            findings: found.into_iter().map(|one| one.finding).collect(),
        })
    }

    fn mend_one(&self, one: &mut Found) {
        let mended = self.mend(&one.mend);
        one.note(mended.as_ref().copied());
    }
}
