//! What `up` would do.

use super::check::{Refused, refuse_all};
use super::found::stack_of;
use super::secrets::{self, Owned};
use super::volumes::volume_of;
use super::{Plan, Up, read, unready};
use crate::Engine;
use crate::error::Result;
use std::collections::BTreeMap;
use volt_compose::plan::{self, Hashes};
use volt_compose::stack::External;
use volt_compose::{Stack, hash, names};
use volt_model::name::Name;
use volt_store::Image;

/// A plan with what it was made of.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) hashes: Hashes,
    pub(super) images: BTreeMap<String, Image>,
    pub(super) owned: Owned,
}

impl Engine {
    /// Says what `up` would do.
    ///
    /// # Errors
    /// As [`Engine::compose_up`] refuses a stack.
    pub fn compose_plan(&self, name: &Name, up: &Up) -> Result<Plan> {
        Ok(self.plan_up(&self.read_stack(name, up)?, up, up.images_later)?.plan)
    }

    /// The stack that is to be brought up.
    pub(super) fn read_stack(&self, name: &Name, up: &Up) -> Result<Stack> {
        let stack = read(name, &up.document)?;
        if let Some(key) = up.options.services.iter().find(|key| !stack.services.contains_key(*key))
        {
            return Err(super::no_service(name, key));
        }
        Ok(stack)
    }

    /// What of a stack can't be so, whatever there is of it.
    fn check_stack(&self, stack: &Stack) -> Refused {
        let mut refused = unready::refused(stack);
        refused.extend(self.check_plain(stack));
        let own = stack.volumes.iter().filter(|(_, volume)| volume.external == External::No);
        refused.extend(own.filter_map(|(key, volume)| {
            let create = volume_of(volume, BTreeMap::new());
            let checked =
                create.and_then(|create| self.check_volume(&names::of_volume(stack, key), &create));
            Some((format!("volumes.{key}"), checked.err()?))
        }));
        refused.extend(self.check_external(stack));
        refused
    }

    /// Whether there is a volume of that name which belongs to no stack.
    fn is_nobodys_volume(&self, name: &Name) -> bool {
        let labels = || self.volume_metadata(name).map(|data| data.labels).unwrap_or_default();
        self.volume_exists(name) && stack_of(&labels()).is_none()
    }

    /// Plans an `up`, if all of it can be; whatever can't be told at once is. `images_later` where those that are not there are got
    /// before it.
    pub(super) fn plan_up(&self, stack: &Stack, up: &Up, images_later: bool) -> Result<Planned> {
        let mut refused = self.check_stack(stack);
        let chosen = plan::chosen(stack, &up.options);
        let is_due = |key: &str| !images_later && chosen.contains(key);
        let images = self.stack_images(stack, &is_due, &mut refused)?;
        let owned = self.owned_secrets(&stack.name)?.map_or_else(Owned::none, Ok)?;
        let used = secrets::used(stack, &chosen);
        let secrets = self.secret_marks(stack, up, (&owned, &used), &mut refused);
        let configs = self.config_marks(stack, &chosen, &mut refused);
        let services = Self::stack_hashes(stack, &images, &owned, (&secrets, &configs));
        let hashes = Hashes { services, secrets };
        let mut have = self.stack_have(&stack.name)?;
        for (key, volume) in &stack.volumes {
            // One that was there before the stack is used as it is.
            let name = names::of_volume(stack, key);
            if self.is_nobodys_volume(&name) {
                have.volumes.entry(name.to_string()).or_insert_with(|| hash::of(volume));
            }
        }
        let plan = plan::up(stack, &have, &hashes, &up.options);
        self.check_made(stack, &plan, &images, &mut refused);
        refuse_all(&stack.name, refused)?;
        Ok(Planned { plan, hashes, images, owned })
    }
}
