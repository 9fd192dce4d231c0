//! Writing what is to be looked at.

use super::{MAX_FILE, View, make_folder, parsed, refuse_useless};
use crate::Engine;
use crate::error::{Error, Result};
use std::time::Duration;
use volt_host::files;
use volt_host::systemd::JobKind;
use volt_model::container::{Spec, unit};
use volt_model::health::Wanted;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How long who looks may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Writes a container's file of checks, over what the container has been created with; `None` takes the file away.
    ///
    /// # Errors
    /// `NotFound`, `Usage` for what is no check.
    pub fn health_configure(&self, name: &Name, wanted: Option<&Wanted>) -> Result<View> {
        let _lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        let path = self.check_path(name);
        let Some(wanted) = wanted else {
            files::remove_file(&path)?;
            return Ok(self.health_view(&spec));
        };
        let refused = |error| {
            Error::new(ErrorKind::Usage, format!("The health check of {name} can't be so"))
                .about(name)
                .because(error)
                .hinted("`volt health configure --help` names all that may be said")
        };
        let health = wanted.clone().over(spec.health.as_ref()).map_err(refused)?;
        refuse_useless(&Spec { health, ..spec.clone() })?;
        let text = self.check_text(wanted)?;
        make_folder(&self.paths().health_checks())?;
        files::write_atomic(&path, text.as_bytes(), 0o644)?;
        self.have_health_looked_at();
        Ok(self.health_view(&spec))
    }

    /// What stands in the file. It must be read as it was meant.
    fn check_text(&self, wanted: &Wanted) -> Result<String> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::General, "The health check can't be written").because(error)
        };
        let text = serde_saphyr::to_string(wanted).map_err(|e| failed(e.into()))?;
        debug_assert!(
            text.len() < MAX_FILE && parsed(&text, None).is_ok() || wanted.http.is_none()
        );
        Ok(format!(
            "# What is looked at to know whether it is well: `volt health configure --help`.\n{text}"
        ))
    }

    /// Has who looks run.
    fn have_health_looked_at(&self) {
        if !self.can_use_systemd() {
            return;
        }
        if let Err(error) = self.systemd().run_job(JobKind::Start, unit::HEALTH, PATIENCE) {
            tracing::warn!(%error, "nobody looks at the health of workloads");
        }
    }
}
