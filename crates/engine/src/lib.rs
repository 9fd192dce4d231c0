//! What each operation does.
//!
//! One method of [`Engine`] for each operation of the API, named like it, in a folder for each noun. All of it blocks; whoever
//! has an async runtime calls it from a blocking thread. The engine touches the operating system only through `volt-host` and
//! knows nothing of HTTP.
//!
//! Kernel: [`error`] (the one error type), `classify` (which small error is which kind), `intent` (changes of several
//! steps that survive a crash), `names` (locks on names), `plain` (units that Volt writes).

pub mod cas;
mod classify;
pub mod compose;
pub mod config;
pub mod container;
pub mod error;
pub mod event;
pub mod firewall;
pub mod health;
pub mod image;
mod intent;
mod names;
pub mod net;
mod plain;
pub mod registry;
pub mod secret;
pub mod service;
pub mod snapshot;
pub mod system;
pub mod task;
pub mod volume;
pub mod workload;

pub use error::{Error, Result};
pub use volt_store::{Cancellation, Progress, Silent};

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use volt_host::files::{Locks, Reserve};
use volt_host::systemd::{Systemd, SystemdBus};
use volt_model::paths::Paths;
use volt_store::{Cas, Images};

/// The group whose members may use containers.
pub const GROUP: &str = "volt";

/// The programs that Volt itself consists of, by absolute path.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The `volt` binary.
    pub volt: PathBuf,
    /// The static init of app containers.
    pub init: PathBuf,
}

/// What an engine is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything lies.
    pub paths: Paths,
    /// Whether it serves a user without root.
    pub rootless: bool,
    /// The programs that Volt consists of.
    pub programs: Programs,
    /// `daemon` or `embedded`.
    pub served_by: &'static str,
}

/// Does what operations ask for. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    systemd: Arc<dyn Systemd>,
    images: Images,
    locks: Locks,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine on this host. Connects to nothing and makes no folder until an operation needs it.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::with_systemd(settings, Arc::new(SystemdBus::new()))
    }

    /// An engine over another systemd, for tests.
    #[must_use]
    pub fn with_systemd(settings: Settings, systemd: Arc<dyn Systemd>) -> Self {
        let images = Images::open(&settings.paths.lib, settings.rootless);
        let locks = Locks::new(settings.paths.locks());
        Self { inner: Arc::new(Inner { settings, systemd, images, locks }) }
    }

    /// Where everything lies.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.inner.settings.paths
    }

    /// Whether it serves a user without root.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        self.inner.settings.rootless
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn systemd(&self) -> &dyn Systemd {
        &*self.inner.systemd
    }

    pub(crate) fn images(&self) -> &Images {
        &self.inner.images
    }

    /// The content-addressed store.
    pub(crate) fn cas(&self) -> Cas {
        Cas::open(&self.paths().lib)
    }

    /// The space that is kept back for what must be written on a full disk.
    pub(crate) fn reserve(&self) -> Reserve {
        Reserve::in_folder(&self.paths().lib)
    }

    pub(crate) fn locks(&self) -> &Locks {
        &self.inner.locks
    }
}
