//! The files of a unit, as systemd reads them.

use crate::Engine;
use crate::error::{Error, Result};
use crate::plain::UNIT_MAX;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use volt_host::files;
use volt_host::systemd::Property;
use volt_model::kind::ErrorKind;
use volt_model::name::Target;

/// One file of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// Whether every user of the host may read it.
    pub is_public: bool,
}

impl Engine {
    /// The unit file of a service and its drop-ins, in the order in which systemd reads them.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn service_show(&self, target: &Target) -> Result<Vec<File>> {
        let unit = self.service_unit(target)?;
        self.files_of_unit(&unit)
    }

    pub(super) fn files_of_unit(&self, unit: &str) -> Result<Vec<File>> {
        let all = self.systemd().unit_properties(unit, &["FragmentPath", "DropInPaths"])?;
        let mut paths = vec![all.text("FragmentPath")];
        if let Some(Property::Texts(dropins)) = all.0.get("DropInPaths") {
            paths.extend(dropins.iter().cloned());
        }
        if paths[0].is_empty() {
            // The fake of systemd has none, nor have units that no file describes.
            paths[0] = self.paths().units.join(unit).to_string_lossy().into_owned();
        }
        let read = |path: &String| {
            let path = PathBuf::from(path);
            let text = files::read_text(&path, UNIT_MAX);
            let text = text.map_err(|e| match e.is_not_found() {
                true => {
                    Error::new(ErrorKind::NotFound, format!("{unit} has no unit file")).about(&unit)
                }
                false => Error::from(e).about(&unit),
            })?;
            let is_public = std::fs::metadata(&path).is_ok_and(|data| data.mode() & 0o004 != 0);
            Ok(File { path, text, is_public })
        };
        paths.iter().map(read).collect()
    }
}
