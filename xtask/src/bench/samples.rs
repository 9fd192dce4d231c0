//! What the driver measured in a test host and writes as a line of JSON for the one who started it.

use serde::{Deserialize, Serialize};

/// The samples of one figure.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Samples {
    /// Which figure.
    pub(crate) figure: String,
    /// Ours, in the figure's unit.
    pub(crate) ours: Vec<f64>,
    /// The peer's, the second of each pair; empty where there is no peer.
    pub(crate) theirs: Vec<f64>,
    /// The peer against itself, pair by pair.
    pub(crate) noise: Vec<(f64, f64)>,
    /// What else is worth saying, or why there are no samples.
    pub(crate) note: String,
}

impl Samples {
    /// No samples, and why.
    pub(crate) fn none(figure: &str, note: String) -> Self {
        Self { figure: figure.to_owned(), note, ..Self::default() }
    }
}
