//! A container for one command, like those of a service: with its image, variables, networks and volumes, but no ports, no names of its on
//! networks, and no check of its health.

use super::act::{make_folders, wanted};
use super::check::{Refused, refuse_all};
use super::{Options, Up};
use crate::container;
use crate::error::{Error, Result};
use crate::{Engine, Progress};
use volt_compose::launch::{self, HASH, REPLICA, RUN, SERVICE, STACK};
use volt_compose::names;
use volt_model::container::Spec;
use volt_model::health::Wanted;
use volt_model::kind::ErrorKind;
use volt_model::mount::Bind;
use volt_model::name::Name;
use volt_model::restart::Restart;

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The service.
    pub service: String,
    /// The command, in place of the service's.
    pub command: Vec<String>,
    /// In place of the service's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// `NAME=VALUE`, over the service's.
    pub env: Vec<String>,
    /// In place of the service's user.
    pub user: Option<String>,
    /// In place of the service's working directory.
    pub workdir: Option<String>,
    /// What to call the container; made up where nothing is said.
    pub name: Option<Name>,
    /// Remove it when it ends.
    pub auto_remove: bool,
    /// A terminal for the command.
    pub tty: bool,
    /// Keep its standard input open.
    pub stdin: bool,
    /// The ports of the service too.
    pub ports: bool,
}

impl Engine {
    /// Makes a container for one command, and has what its service depends on up. It is not started.
    ///
    /// # Errors
    /// As [`Engine::compose_up`] and [`Engine::container_create`].
    pub fn compose_run(
        &self,
        name: &Name,
        up: &Up,
        run: &Run,
        progress: &dyn Progress,
    ) -> Result<container::View> {
        let options = Options {
            services: vec![run.service.clone()],
            before: Some(run.service.clone()),
            ..up.options.clone()
        };
        let up = Up { options, ..up.clone() };
        drop(self.compose_up(name, &up, progress)?);
        let stack = self.read_stack(name, &up)?;
        let key = &run.service;
        let mut refused = Refused::new();
        let images = self.stack_images(&stack, &|one| one == key, &mut refused)?;
        refuse_all(name, refused)?;
        let (Some(mut launch), Some(image)) = (launch::launch(&stack, key, 1, ""), images.get(key))
        else {
            let title = format!("The service {key} is no container");
            return Err(Error::new(ErrorKind::Usage, title).about(key));
        };
        // Whoever else looks for a free name waits until this one is taken.
        let _stack = self.lock_stack(name, progress)?;
        launch.name = run.name.clone().map_or_else(|| self.name_of_run(name, key), Ok)?;
        make_folders(&launch)?;
        // What has no name in the file is this container's own too, and goes with it.
        let service_own = std::mem::take(&mut launch.own_volumes);
        let is_own =
            |bind: &Bind| bind.source.volume().is_some_and(|one| service_own.contains(one));
        let own: Vec<Bind> = launch.binds.extract_if(.., |bind| is_own(bind)).collect();
        for label in [STACK, SERVICE, REPLICA, HASH] {
            launch.labels.remove(label);
        }
        launch.labels.insert(RUN.to_owned(), name.to_string());
        if !run.ports {
            launch.publish.clear();
        }
        launch.restart = Restart::No;
        // One more beside the service: nobody is to find it by that one's names, nor has it what only one can have, and what it does is
        // not what that one's health is told by.
        for to in &mut launch.networks {
            (to.ip, to.mac) = (None, None);
            to.aliases.clear();
        }
        launch.health = Wanted { none: true, ..Wanted::default() };
        if run.entrypoint.is_some() {
            // The service's command is for the service's entrypoint.
            (launch.entrypoint, launch.command) = (run.entrypoint.clone(), None);
        }
        if !run.command.is_empty() {
            launch.command = Some(run.command.clone());
        }
        let mut create = wanted(launch, image)?;
        create.own_volumes = own.into_iter().map(|bind| bind.target).collect();
        if let Some(container) = stack.services.get(key).and_then(|one| one.container()) {
            create.binds.extend(self.config_binds(&stack, container)?);
        }
        create.env.extend(run.env.iter().cloned());
        create.user = run.user.clone().or(create.user);
        create.workdir = run.workdir.clone().or(create.workdir);
        (create.auto_remove, create.tty, create.stdin) = (run.auto_remove, run.tty, run.stdin);
        self.container_create(create)
    }

    /// A name that no container has yet: `STACK-SERVICE-run-1`.
    fn name_of_run(&self, stack: &Name, key: &str) -> Result<Name> {
        let free = (1..10_000)
            .filter_map(|n| names::plain(&format!("{stack}-{key}-run-{n}")))
            .find(|name| !self.container_exists(name));
        free.ok_or_else(|| Error::new(ErrorKind::Resource, "No name is free"))
    }

    /// Removes the containers that were made for one command of a stack.
    pub(super) fn remove_runs(&self, stack: &Name) -> Result<()> {
        let is_run = |spec: &Spec| spec.labels.get(RUN).map(String::as_str) == Some(stack.as_str());
        for spec in self.specs()?.into_iter().filter(is_run) {
            match self.container_delete(&spec.name, true) {
                Err(error) if error.kind != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
