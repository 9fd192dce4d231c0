//! What a workload keeps others from having: so it goes from who has it before it comes to who is to have it.

use super::up::network_mode;
use super::{Existing, Have};
use crate::names;
use crate::stack::{NetworkMode, Service, Stack, Workload};
use std::net::Ipv4Addr;
use volt_model::net::Publish;

/// Something that only one workload can have, or that can't be made anew while somebody has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A place in a network, by its name on the host.
    Network(String),
    /// An address in a network, which is kept by who is stopped too.
    Address(String, Ipv4Addr),
    /// Ports of the host.
    Port(Publish),
}

impl Hold {
    /// Whether one can't be had while the other is.
    fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Port(one), Self::Port(two)) => one.collides(two),
            (one, two) => one == two,
        }
    }
}

impl Existing {
    /// Whether it has something now that somebody else is to have.
    fn is_in_the_way(&self, wanted: &[Hold]) -> bool {
        let has = |hold: &&Hold| matches!(hold, Hold::Address(..)) || self.state.is_up();
        self.holds.iter().filter(has).any(|hold| wanted.iter().any(|one| one.excludes(hold)))
    }
}

/// The workloads, but for this one, that have something of what it is to have.
pub(super) fn holders(have: &Have, wanted: &[Hold], but: &str) -> Vec<String> {
    let others = have.workloads.iter().filter(|(name, _)| *name != but);
    others
        .filter(|(_, existing)| existing.is_in_the_way(wanted))
        .map(|(name, _)| name.clone())
        .collect()
}

/// What a service is to have that nobody else may have.
pub(super) fn wanted(stack: &Stack, service: &Service) -> Vec<Hold> {
    let connections = network_mode(service).into_iter().flat_map(NetworkMode::connections);
    let addresses = connections.filter_map(|(key, connection)| {
        let network = names::of_network(stack, key).to_string();
        Some(Hold::Address(network, connection.ipv4_address?))
    });
    let ports = match &service.workload {
        Workload::Container(container) => &container.ports[..],
        Workload::Vm(vm) => &vm.ports,
        Workload::Service(_) | Workload::Task(_) => &[],
    };
    let ports = ports.iter().filter(|port| port.host.is_some());
    addresses.chain(ports.cloned().map(Hold::Port)).collect()
}
