//! The root of a container: a copy of the image's tree of its own, every object of it read and checked on the way.

use crate::Engine;
use crate::error::Result;
use volt_host::files::{Publish, Stage};
use volt_model::container::Spec;

/// Makes the root where there is none yet. It appears whole or not at all.
pub(super) fn make(engine: &Engine, spec: &Spec) -> Result<()> {
    let root = engine.paths().container(&spec.name).join("rootfs");
    let is_filled = std::fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some());
    if is_filled {
        return Ok(());
    }
    let stage = Stage::new(&engine.paths().stages(), spec.name.as_str())?;
    engine.copy_tree(spec, stage.path())?;
    Ok(stage.publish(&root, Publish::Replace)?)
}
