//! Policies: who may reach whom on networks.

mod test;

pub use test::{Answer, End};

use crate::Engine;
use crate::error::Result;
use crate::firewall::{add, remove};
use volt_model::name::Name;
use volt_model::net::policy::{Action, Direction, Kind, Statement};

impl Engine {
    /// Makes a policy, and puts it in force.
    ///
    /// # Errors
    /// `AlreadyExists` for a taken name, `NotFound` for a network that there is not, `Usage` for a policy that can't be, `InvalidConfig` where the file can't be read.
    pub fn net_policy_create(&self, policy: Statement) -> Result<Statement> {
        self.change_orders(|orders| {
            add(Kind::Policy, &mut orders.policies.policies, policy.clone())?;
            self.refuse_unknown_networks(&policy)?;
            Ok(policy)
        })
    }

    /// The policies that are in force, in the order in which they were made.
    ///
    /// # Errors
    /// `InvalidConfig` where they can't be read.
    pub fn net_policy_list(&self) -> Result<Vec<Statement>> {
        Ok(self.orders()?.policies.policies)
    }

    /// Takes a policy away.
    ///
    /// # Errors
    /// `NotFound`; `InvalidConfig` where the file can't be read.
    pub fn net_policy_delete(&self, name: &Name) -> Result<()> {
        self.change_orders(|orders| remove(Kind::Policy, &mut orders.policies.policies, name))
    }

    /// Says what is done in a network with what no policy is about: with what comes to its members, what they begin, or both.
    ///
    /// # Errors
    /// `NotFound` for a network that there is not; `InvalidConfig` where the file can't be read.
    pub fn net_policy_default(
        &self,
        network: &Name,
        action: Action,
        direction: Option<Direction>,
    ) -> Result<super::View> {
        drop(self.network(network)?);
        self.change_orders(|orders| {
            let mut own = orders.policies.defaults.remove(network).unwrap_or_default();
            if direction != Some(Direction::Egress) {
                own.ingress = action;
            }
            if direction != Some(Direction::Ingress) {
                own.egress = action;
            }
            if own != Default::default() {
                orders.policies.defaults.insert(network.clone(), own);
            }
            Ok(())
        })?;
        self.net_inspect(network)
    }
}
