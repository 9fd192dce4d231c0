//! Looking at secrets, without what is secret of them.

use super::{SUFFIX, View};
use crate::Engine;
use crate::error::{Error, Result};
use jiff::Timestamp;
use volt_host::files;
use volt_model::container::Spec;
use volt_model::name::Name;
use volt_model::secret::{MAX, Protection};

impl Engine {
    /// Lists secrets, sorted by name.
    ///
    /// # Errors
    /// When the folder or the records of containers can't be read.
    pub fn secret_list(&self) -> Result<Vec<View>> {
        let dir = self.secrets();
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(files::Error::new("read", &dir, e).into()),
        };
        let name =
            |e: std::fs::DirEntry| e.file_name().to_str()?.strip_suffix(SUFFIX)?.parse().ok();
        let mut names: Vec<Name> = entries.flatten().filter_map(name).collect();
        names.sort_unstable();
        names.iter().map(|name| self.secret_view(name)).collect()
    }

    pub(super) fn secret_view(&self, name: &Name) -> Result<View> {
        let path = self.secret_path(name);
        let credential = match files::read_bounded(&path, 4 * MAX) {
            Err(e) if e.is_not_found() => {
                return Err(Error::not_found("secret", name)
                    .hinted("`volt secret list` lists all there are"));
            }
            read => read?,
        };
        let written = std::fs::metadata(&path).ok().and_then(|data| data.modified().ok());
        Ok(View {
            name: name.clone(),
            created: written.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default(),
            protection: Protection::of(&credential),
            used_by: users(&self.specs()?, name),
        })
    }
}

/// The containers that are to have a secret.
pub(super) fn users(specs: &[Spec], name: &Name) -> Vec<Name> {
    let has = |spec: &&Spec| spec.secrets.iter().any(|secret| secret.name == *name);
    specs.iter().filter(has).map(|spec| spec.name.clone()).collect()
}
