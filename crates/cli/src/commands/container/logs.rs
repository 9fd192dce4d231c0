//! `volt container logs`: the same as `volt logs`.

pub(crate) use crate::commands::logs::{Args, run};
