//! What this host can do, and what of Volt's state is amiss.

use super::findings::Finding;
use crate::Engine;
use crate::error::Result;
use volt_host::probe;

/// The whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// One row for each thing that Volt may need.
    pub rows: Vec<Row>,
    /// What is left over or broken in Volt's own state.
    pub findings: Vec<Finding>,
}

/// One thing that Volt may need.
pub type Row = probe::Check;

impl Engine {
    /// Finds what the host can't do and what of Volt's state is amiss. Changes nothing.
    ///
    /// # Errors
    /// None at present; what can't be looked at is a finding.
    pub fn system_check(&self) -> Result<Check> {
        let findings = self.findings().into_iter().map(|found| found.finding).collect();
        Ok(Check { rows: self.check_rows(), findings })
    }

    /// What the host can do.
    pub(super) fn check_rows(&self) -> Vec<Row> {
        probe::all(&self.paths().lib)
    }
}
