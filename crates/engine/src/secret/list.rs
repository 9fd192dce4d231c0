//! Looking at secrets, without what is secret of them.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use crate::workload::Kind;
use jiff::Timestamp;
use volt_host::files;
use volt_model::container::Spec;
use volt_model::name::Name;
use volt_model::secret::{Credential, MAX, Protection, of_file_name};
use volt_model::service::Program;
use volt_model::{service, task};

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
        let name = |e: std::fs::DirEntry| of_file_name(e.file_name().to_str()?);
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
            used_by: self.users_of_secret(name)?.into_iter().map(|(_, name)| name).collect(),
        })
    }

    /// The workloads that are to have a secret, as far as their records can be read.
    fn users_of_secret(&self, name: &Name) -> Result<Vec<(Kind, Name)>> {
        Ok(users(name, &self.specs()?, &self.service_specs()?, &self.task_specs()?))
    }

    /// The services and tasks that systemd gives a secret to, each with all that it is given.
    pub(super) fn units_with_secret(
        &self,
        name: &Name,
    ) -> Result<Vec<(Kind, Name, Vec<Credential>)>> {
        let services = self.service_specs()?.into_iter();
        let services = services.map(|one| (Kind::Service, one.name, one.program.secrets));
        // What is given to a container Volt decrypts itself.
        let tasks = self.task_specs()?.into_iter().filter(|one| one.image.is_none());
        let tasks = tasks.map(|one| (Kind::Task, one.name, one.program.secrets));
        let has = |(.., all): &(Kind, Name, Vec<Credential>)| all.iter().any(|s| s.name == *name);
        Ok(services.chain(tasks).filter(has).collect())
    }
}

/// The workloads that are to have a secret.
pub(super) fn users(
    name: &Name,
    containers: &[Spec],
    services: &[service::Spec],
    tasks: &[task::Spec],
) -> Vec<(Kind, Name)> {
    let is_it = |secret: &Credential| secret.name == *name;
    let has = |program: &Program| program.secrets.iter().any(is_it);
    let given = |spec: &&Spec| spec.secrets.iter().any(|secret| secret.name == *name);
    let containers = containers.iter().filter(given).map(|one| (Kind::Container, one.name.clone()));
    let services = services.iter().filter(|one| has(&one.program));
    let tasks = tasks.iter().filter(|one| has(&one.program));
    containers
        .chain(services.map(|one| (Kind::Service, one.name.clone())))
        .chain(tasks.map(|one| (Kind::Task, one.name.clone())))
        .collect()
}
