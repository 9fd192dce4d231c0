//! Rules of the firewall: about the host, about addresses, and about workloads.

use super::orders::{add, remove};
use crate::Engine;
use crate::error::Result;
use volt_model::name::Name;
use volt_model::net::policy::{Action, Kind, Ports, Statement, Who};

/// What rule was asked for.
#[derive(Clone, Debug)]
pub struct Add {
    /// What to call it; a name that is free where nothing is said.
    pub name: Option<Name>,
    /// What is done.
    pub action: Action,
    /// Who begins.
    pub from: Who,
    /// Whom they want to reach.
    pub to: Who,
    /// By which ports.
    pub ports: Vec<Ports>,
}

impl Engine {
    /// Adds a rule, and puts it in force.
    ///
    /// # Errors
    /// `AlreadyExists` for a taken name, `NotFound` for a network that there is not, `Usage` for a rule that can't be, `InvalidConfig` where the file can't be read.
    pub fn firewall_rule_add(&self, rule: Add) -> Result<Statement> {
        self.change_orders(|orders| {
            let all = &mut orders.rules.rules;
            let Add { name, action, from, to, ports } = rule;
            let name = name.unwrap_or_else(|| free_name(all));
            let new = Statement { name, action, from, to, ports };
            add(Kind::Rule, all, new.clone())?;
            self.refuse_unknown_networks(&new)?;
            Ok(new)
        })
    }

    /// The rules that are in force, in the order in which they were added.
    ///
    /// # Errors
    /// `InvalidConfig` where they can't be read.
    pub fn firewall_rule_list(&self) -> Result<Vec<Statement>> {
        Ok(self.orders()?.rules.rules)
    }

    /// Takes a rule away.
    ///
    /// # Errors
    /// `NotFound`; `InvalidConfig` where the file can't be read.
    pub fn firewall_rule_delete(&self, name: &Name) -> Result<()> {
        self.change_orders(|orders| remove(Kind::Rule, &mut orders.rules.rules, name))
    }
}

/// `rule-1`, or the next that nobody has.
fn free_name(all: &[Statement]) -> Name {
    let mut names = (1..).map(|n| format!("rule-{n}").parse::<Name>().expect("a name"));
    names
        .find(|name| all.iter().all(|one| one.name != *name))
        .expect("there are more numbers than rules")
}
