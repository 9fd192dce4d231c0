//! The sandboxes, measured.

use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use std::collections::BTreeMap;
use volt_host::files::{self, Stage};
use volt_host::systemd::exposure;
use volt_model::restart::Restart;
use volt_model::service::{Profile, Program, Spec, unit};

/// How exposed a service is in a sandbox, from 0 to 10, as `systemd-analyze security` of this host says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// The sandbox.
    pub profile: Profile,
    /// The less the better.
    pub score: f64,
}

impl Engine {
    /// Measures all sandboxes by a service that asks for nothing else.
    ///
    /// # Errors
    /// When systemd can't be asked.
    pub fn service_profiles(&self) -> Result<Vec<Exposure>> {
        let stage = Stage::new(&self.paths().stages(), "profiles")?;
        let mut all = Vec::new();
        for profile in Profile::ALL {
            let path = stage.path().join(format!("{profile}.service"));
            let none = unit::Files { environment: None, secrets: &self.secrets() };
            let text = unit::render(&sample(profile), none);
            files::write_volatile(&path, text.as_bytes(), 0o644)?;
            all.push(Exposure { profile, score: exposure(&path)? });
        }
        Ok(all)
    }
}

fn sample(profile: Profile) -> Spec {
    Spec {
        version: Spec::VERSION,
        name: "sample".parse().expect("it is a name"),
        description: None,
        program: Program { exec: vec!["/bin/true".into()], profile, ..Program::default() },
        restart: Restart::No,
        health: None,
        stop_timeout: Spec::STOP_TIMEOUT,
        labels: BTreeMap::new(),
        created: Timestamp::UNIX_EPOCH,
    }
}
