//! What a container has written, for the store to read: kept still meanwhile where it runs, kept down where it doesn't.

use super::still::Still;
use super::tree_of;
use crate::Engine;
use crate::error::{Error, Result};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use volt_host::files::{Lock, Publish, Stage};
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::State;
use volt_store::{Digest, Keeper, Layer, Unkept};

/// A container that is about to be read. The lock of its name must be held as long as this lives.
pub(crate) struct Reading<'a> {
    engine: &'a Engine,
    spec: &'a Spec,
    below: Option<Digest>,
    dir: PathBuf,
    limit: u64,
    held: RefCell<Option<Held<'a>>>,
    /// Why it could not be kept as it is; the store passes on only what it says.
    failed: RefCell<Option<Error>>,
}

/// What keeps it as it is.
enum Held<'a> {
    /// It runs, and its processes stand still.
    Still(Still<'a>),
    /// It was frozen before, and whoever would thaw it waits for the name.
    Frozen,
    /// It is down, and whoever would start it waits for this.
    Down(#[expect(dead_code, reason = "held until it is dropped")] Lock),
}

impl Engine {
    /// What a container has written. The name's lock must be held.
    pub(crate) fn reading<'a>(&'a self, spec: &'a Spec) -> Result<Reading<'a>> {
        let has_layer = self.backend_of(spec).has_layer();
        let below = has_layer.then(|| tree_of(spec)).transpose()?;
        let (dir, held, failed) = (self.layer_dir(spec), RefCell::default(), RefCell::default());
        let limit = self.config()?.image.max_size.0;
        Ok(Reading { engine: self, spec, below, dir, limit, held, failed })
    }

    /// The folder that has what a container has written: a layer, or the whole of its root.
    fn layer_dir(&self, spec: &Spec) -> PathBuf {
        let has_layer = self.backend_of(spec).has_layer();
        self.paths().container(&spec.name).join(if has_layer { "upper" } else { "rootfs" })
    }

    /// Makes what a container has at its beginning on its tree: nothing written, or a copy of its own.
    pub(crate) fn fresh_layer(&self, spec: &Spec) -> Result<FreshLayer> {
        let stage = Stage::new(&self.paths().stages(), spec.name.as_str())?;
        if self.backend_of(spec).has_layer() {
            self.dress_layer(spec, stage.path())?;
        } else {
            self.copy_tree(spec, stage.path())?;
        }
        Ok(FreshLayer { stage, to: self.layer_dir(spec) })
    }

    /// Gives a writable layer that nobody uses yet the attributes that the root of the tree has: of a root, those of the layer are seen.
    pub(super) fn dress_layer(&self, spec: &Spec, layer: &Path) -> Result<()> {
        let tree = tree_of(spec)?;
        let dressed = self.cas().dress_root(&tree, layer);
        dressed.map_err(|error| self.without_root(spec, &tree, error))
    }

    /// Forgets what is remembered of what a container had written, which is about to go.
    pub(super) fn forget_layer(&self, name: &Name) {
        let dir = self.paths().container(name);
        for folder in ["upper", "rootfs"] {
            self.cas().forget_folder(&dir.join(folder));
        }
    }
}

/// A layer that nobody uses yet. Dropping it takes it away.
pub(crate) struct FreshLayer {
    stage: Stage,
    to: PathBuf,
}

impl FreshLayer {
    /// Puts it in the place of the old one, in one step. The container must be down, and its root mounted nowhere.
    pub(crate) fn publish(self) -> Result<()> {
        Ok(self.stage.publish(&self.to, Publish::Replace)?)
    }
}

impl Reading<'_> {
    /// As the store reads it.
    pub(crate) fn layer(&self) -> Layer<'_> {
        Layer { below: self.below, dir: &self.dir, keeper: self, limit: self.limit }
    }

    /// The same without anybody who keeps it as it is.
    pub(crate) fn unkept(&self) -> Layer<'_> {
        Layer { keeper: &Unkept, ..self.layer() }
    }

    /// What the store says, or why it was told so.
    pub(crate) fn explain(&self, error: volt_store::Error) -> Error {
        match self.failed.take() {
            Some(failed) => failed,
            None => Error::from(error).about(&self.spec.name),
        }
    }

    fn hold(&self) -> Result<()> {
        let (engine, spec) = (self.engine, self.spec);
        let held = match engine.run_state(spec)?.state {
            State::Running => Held::Still(engine.hold_still(spec)?),
            State::Frozen => Held::Frozen,
            State::Stopped | State::Failed => {
                // systemd may start it at any time, without the name's lock: prepare waits for this one.
                let root = engine.lock_root(&spec.name)?;
                match engine.run_state(spec)?.state {
                    state if state.is_alive() => return Err(in_between(&spec.name, state)),
                    _ => Held::Down(root),
                }
            }
            state => return Err(in_between(&spec.name, state)),
        };
        self.held.replace(Some(held));
        Ok(())
    }

    fn let_go(&self) -> Result<()> {
        let held = self.held.take();
        let ended = match held {
            Some(Held::Still(still)) => still.end(),
            Some(Held::Frozen | Held::Down(_)) | None => Ok(()),
        };
        // One that removes itself at its end does so without asking.
        let now = self.engine.spec(&self.spec.name)?;
        if now.created != self.spec.created {
            return Err(Error::not_found("container", &self.spec.name));
        }
        ended
    }

    /// The error as the store can pass it on.
    fn passed_on(&self, error: Error) -> volt_store::Error {
        let (kind, reason) = (error.kind, error.message.clone());
        self.failed.replace(Some(error));
        volt_store::Error::Elsewhere { reason, kind }
    }
}

impl Keeper for Reading<'_> {
    fn begin(&self) -> volt_store::Result<()> {
        self.hold().map_err(|error| self.passed_on(error))
    }

    fn end(&self) -> volt_store::Result<()> {
        self.let_go().map_err(|error| self.passed_on(error))
    }
}

fn in_between(name: &Name, state: State) -> Error {
    Error::new(ErrorKind::Conflict, format!("The container {name} is {state}"))
        .about(name)
        .hinted("Try again when it runs, or is down")
}
