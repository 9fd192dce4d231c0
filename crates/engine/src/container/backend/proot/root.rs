//! The root of a container: a copy of the image's tree of its own, with shared blocks where the file system can.

use crate::Engine;
use crate::error::{Error, Result};
use volt_host::command::Command;
use volt_host::files::{Publish, Stage};
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_store::TreeId;

/// Makes the root where there is none yet. It appears whole or not at all.
pub(super) fn make(engine: &Engine, spec: &Spec) -> Result<()> {
    let root = engine.paths().container(&spec.name).join("rootfs");
    let is_filled = std::fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some());
    if is_filled {
        return Ok(());
    }
    let tree: TreeId = spec.tree.parse().map_err(Error::from)?;
    let tree = engine.images().tree_root(&tree);
    if !tree.is_dir() {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("The image {} is no longer in the store", spec.image),
        )
        .about(&spec.name));
    }
    let stage = Stage::new(&engine.paths().stages(), spec.name.as_str())?;
    let copied = Command::new("cp")
        .args(["--archive", "--reflink=auto", "--one-file-system", "--"])
        .arg(tree.join("."))
        .arg(stage.path())
        .run();
    copied.map_err(|error| {
        let error = Error::from(error);
        engine.unless_full(Error {
            message: format!("The image {} could not be copied", spec.image),
            ..error
        })
    })?;
    Ok(stage.publish(&root, Publish::Replace)?)
}
