//! Changing a unit by a drop-in over it, checked before it is in force.

use crate::Engine;
use crate::config::Text;
use crate::error::{Error, Result};
use crate::plain::UNIT_MAX;
use std::path::PathBuf;
use volt_host::files;
use volt_model::kind::ErrorKind;
use volt_model::name::Target;

/// The drop-in, as `systemctl edit` calls it.
const OVERRIDE: &str = "override.conf";

impl Engine {
    fn override_path(&self, unit: &str) -> PathBuf {
        self.paths().units.join(format!("{unit}.d")).join(OVERRIDE)
    }

    /// Reads the drop-in of a service; empty where there is none.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn service_read(&self, target: &Target) -> Result<Text> {
        let unit = self.service_unit(target)?;
        match files::read_text(&self.override_path(&unit), UNIT_MAX) {
            Ok(text) => Ok(text.into()),
            Err(e) if e.is_not_found() => Ok(String::new().into()),
            Err(e) => Err(Error::from(e).about(&unit)),
        }
    }

    /// Writes the drop-in of a service after systemd has looked at the whole; an empty one is removed. With `revision`, only when it is
    /// still what was read. What runs goes on as it is until it is restarted.
    ///
    /// # Errors
    /// `NotFound`, `InvalidConfig` with systemd's words for what it would not take, `Conflict` for one that was changed meanwhile.
    pub fn service_write(
        &self,
        target: &Target,
        text: &str,
        revision: Option<&str>,
    ) -> Result<Text> {
        self.require_units()?;
        let unit = self.service_unit(target)?;
        if text.len() > UNIT_MAX {
            return Err(
                Error::new(ErrorKind::Resource, "A drop-in has at most a megabyte").about(&unit)
            );
        }
        let _lock = match target {
            Target::Workload(name) => self.lock_name(name)?,
            Target::Unit(unit) => self.lock(&format!("unit-{unit}"))?,
        };
        if let Some(read) = revision
            && self.service_read(target)?.revision != read
        {
            let title = format!("The drop-in of {unit} was changed meanwhile");
            return Err(Error::new(ErrorKind::Conflict, title)
                .about(&unit)
                .hinted("Read it again and make the change once more"));
        }
        let path = self.override_path(&unit);
        if text.trim().is_empty() {
            files::remove_file(&path)?;
            if let Some(dir) = path.parent() {
                // Where others lie there too it stays.
                drop(std::fs::remove_dir(dir));
            }
        } else {
            self.verify_override(&unit, text)?;
            if let Some(dir) = path.parent() {
                files::create_dirs(dir, 0o755)?;
            }
            // One rename: whoever is killed leaves the old one or the new.
            files::write_atomic(&path, text.as_bytes(), 0o644)?;
        }
        self.reload_units()?;
        Ok(text.to_owned().into())
    }

    /// Has systemd look at the unit with all its drop-ins, this one in the place of the old.
    fn verify_override(&self, unit: &str, text: &str) -> Result<()> {
        let mut all: Vec<(String, String)> = Vec::new();
        for file in self.files_of_unit(unit)? {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match all.is_empty() {
                true => all.push((unit.to_owned(), file.text)),
                false if name != OVERRIDE => all.push((format!("{unit}.d/{name}"), file.text)),
                false => {}
            }
        }
        all.push((format!("{unit}.d/{OVERRIDE}"), text.to_owned()));
        let all: Vec<(String, &str)> =
            all.iter().map(|(name, text)| (name.clone(), text.as_str())).collect();
        self.verify_unit(unit, &all)
    }
}
