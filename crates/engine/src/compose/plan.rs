//! What `up` would do.

use super::{Plan, Up, read, unready};
use crate::Engine;
use crate::error::Result;
use std::collections::BTreeMap;
use volt_compose::{Stack, plan};
use volt_model::name::Name;
use volt_store::Image;

/// A plan with what it was made of.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) hashes: BTreeMap<String, String>,
    pub(super) images: BTreeMap<String, Image>,
}

impl Engine {
    /// Says what `up` would do.
    ///
    /// # Errors
    /// As [`Engine::compose_up`] refuses a stack.
    pub fn compose_plan(&self, name: &Name, up: &Up) -> Result<Plan> {
        Ok(self.plan_up(&self.read_stack(name, up)?, up)?.plan)
    }

    /// The stack that is to be brought up, if all of it can be.
    pub(super) fn read_stack(&self, name: &Name, up: &Up) -> Result<Stack> {
        let stack = read(name, &up.document)?;
        unready::refuse(&stack)?;
        if let Some(key) = up.options.services.iter().find(|key| !stack.services.contains_key(*key))
        {
            return Err(super::no_service(name, key));
        }
        Ok(stack)
    }

    pub(super) fn plan_up(&self, stack: &Stack, up: &Up) -> Result<Planned> {
        self.check_external(stack)?;
        let chosen = plan::chosen(stack, &up.options);
        let images = self.stack_images(stack, &|key| chosen.contains(key))?;
        let hashes = Self::stack_hashes(stack, &images);
        let have = self.stack_have(&stack.name)?;
        Ok(Planned { plan: plan::up(stack, &have, &hashes, &up.options), hashes, images })
    }
}
