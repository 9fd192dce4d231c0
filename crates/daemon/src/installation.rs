//! One installation of Volt and the server over it: the engine, the handlers, the trail.

use crate::audit::Audit;
use crate::auth::{Access, GROUP};
use crate::http;
use crate::router::{Router, Shared};
use crate::server::Server;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use volt_engine::{Engine, Programs, Settings};
use volt_host::peer;
use volt_model::paths::Paths;

/// Which installation, and what of Volt serves it.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Where everything lies.
    pub paths: Paths,
    /// Whether it is a user's own.
    pub rootless: bool,
    /// The programs that Volt consists of.
    pub programs: Programs,
}

impl Installation {
    /// A server over it, for the process of the user `uid`. It touches nothing until it is asked for something.
    #[must_use]
    pub fn server(&self, uid: u32, served_by: &'static str) -> Server<Engine> {
        let access = self.access(uid);
        // Where a user may change what is there, the engine must do it without root.
        let rootless = self.rootless || matches!(access, Access::Own(_));
        let engine = Engine::new(Settings {
            paths: self.paths.clone(),
            rootless,
            programs: self.programs.clone(),
            served_by,
        });
        let group = if uid == 0 { peer::group_id(GROUP) } else { None };
        let shared = Shared::new(access, Audit::new(self.paths.audit(), group));
        Server::new(Router::new(http::routes(), engine, Arc::new(shared)))
    }

    /// What a process of `uid` may let its callers do.
    fn access(&self, uid: u32) -> Access {
        if uid == 0 {
            Access::System
        } else if self.rootless || owns(uid, &self.paths.lib) {
            Access::Own(uid)
        } else {
            Access::Unaided
        }
    }
}

/// Whether the folder is the user's, or would be once it is made.
fn owns(uid: u32, folder: &Path) -> bool {
    folder
        .ancestors()
        .find_map(|path| std::fs::metadata(path).ok())
        .is_some_and(|found| found.uid() == uid)
}
