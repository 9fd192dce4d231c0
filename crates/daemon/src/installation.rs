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
        let rootless = self.rootless || access == Access::Own(uid);
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
            return Access::System;
        }
        if self.rootless {
            return Access::Own(uid);
        }
        match owner(uid, &self.paths.lib) {
            Some(owner) if owner == uid => Access::Own(uid),
            // Below another root there is no daemon that could do it for others, nor a group that lets them.
            Some(owner) if self.paths.root.is_some() => Access::Own(owner),
            _ => Access::Unaided,
        }
    }
}

/// Whose the folder is, or would be once `uid` had made it; nothing where that can't be seen.
fn owner(uid: u32, folder: &Path) -> Option<u32> {
    let (nearest, found) =
        folder.ancestors().find_map(|path| Some((path, std::fs::metadata(path).ok()?)))?;
    let may_write = || {
        let wanted = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(nearest, wanted).is_ok()
    };
    if nearest != folder && may_write() { Some(uid) } else { Some(found.uid()) }
}
