//! Subnets: which there may be, and the numbers of the addresses in them.
//!
//! A workload has one number in a network, from which both of its addresses follow: number 5 of 10.0.0.0/24 and fd00::/64 is
//! 10.0.0.5 and fd00::5. So to give out one number is to give out both.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// A subnet that can't be a network's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SubnetError {
    /// There is a host's part in it.
    #[error("{0} is an address in {1}, not a subnet")]
    HasHost(IpNet, IpNet),
    /// Of another size than can be used.
    #[error("{0} has a prefix that is not from {1} to {2}")]
    Size(IpNet, u8, u8),
    /// Addresses that no network may have.
    #[error("{0} is not for networks: {1}")]
    Special(IpNet, &'static str),
}

/// Checks a network's IPv4 subnet.
///
/// # Errors
/// When it has a host's part, is too small or too large, or is not for hosts.
pub fn check_ipv4(subnet: Ipv4Net) -> Result<(), SubnetError> {
    let (net, first) = (IpNet::V4(subnet), subnet.network());
    if subnet.addr() != first {
        return Err(SubnetError::HasHost(net, IpNet::V4(subnet.trunc())));
    }
    let special = [
        (first.is_loopback(), "it is the loopback's"),
        (first.is_multicast(), "they are groups'"),
        (first.is_link_local(), "they are good on one link only"),
        (first.octets()[0] == 0 || first.octets()[0] >= 240, "nobody can have them"),
    ];
    if let Some((_, why)) = special.into_iter().find(|(is, _)| *is) {
        return Err(SubnetError::Special(net, why));
    }
    if (8..=30).contains(&subnet.prefix_len()) {
        Ok(())
    } else {
        Err(SubnetError::Size(net, 8, 30))
    }
}

/// Checks a network's IPv6 subnet: it must have a number for each that the IPv4 subnet has.
///
/// # Errors
/// As [`check_ipv4`].
pub fn check_ipv6(subnet: Ipv6Net) -> Result<(), SubnetError> {
    let (net, first) = (IpNet::V6(subnet), subnet.network());
    if subnet.addr() != first {
        return Err(SubnetError::HasHost(net, IpNet::V6(subnet.trunc())));
    }
    let special = [
        (first.is_multicast(), "they are groups'"),
        (first.segments()[0] & 0xffc0 == 0xfe80, "they are good on one link only"),
        (first.segments()[0] == 0, "nobody can have them"),
    ];
    if let Some((_, why)) = special.into_iter().find(|(is, _)| *is) {
        return Err(SubnetError::Special(net, why));
    }
    if (16..=96).contains(&subnet.prefix_len()) {
        Ok(())
    } else {
        Err(SubnetError::Size(net, 16, 96))
    }
}

/// The numbers that workloads may have: all but the subnet's own, the host's and the broadcast's.
#[must_use]
pub fn numbers(subnet: Ipv4Net) -> RangeInclusive<u32> {
    let size = 1_u64 << (32 - subnet.prefix_len());
    2..=u32::try_from(size - 2).expect("a subnet of at most 24 bits")
}

/// The address of that number.
#[must_use]
pub fn ip_of(subnet: Ipv4Net, number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(subnet.network().to_bits() | number)
}

/// The IPv6 address of that number.
#[must_use]
pub fn ipv6_of(subnet: Ipv6Net, number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(subnet.network().to_bits() | u128::from(number))
}

/// The number of an address; none where it is not one for a workload in this subnet.
#[must_use]
pub fn number_of(subnet: Ipv4Net, ip: Ipv4Addr) -> Option<u32> {
    let number = ip.to_bits() & subnet.hostmask().to_bits();
    (subnet.contains(&ip) && numbers(subnet).contains(&number)).then_some(number)
}
