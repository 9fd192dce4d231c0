//! The network cards of a VM. Each is a cable whose far end lies loose, as a tap device in the network namespace of the VM's QEMU
//! (none of it is seen on the machine), until `host link` plugs it in.

use std::path::Path;

use crate::cache;
use crate::host::state::State;
use crate::run::{Result, fail, program};

/// How many links a VM can have.
const CARDS: usize = 3;

/// A network card of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cable {
    /// The address by which the VM knows the card.
    pub(crate) mac: String,
    /// The far end, while it lies loose.
    pub(crate) tap: String,
}

fn all(name: &str) -> Vec<Cable> {
    let bytes = cache::hash(name).to_be_bytes();
    let mac =
        |number| format!("52:54:{:02x}:{:02x}:{:02x}:{number:02x}", bytes[0], bytes[1], bytes[2]);
    (0..CARDS).map(|number| Cable { mac: mac(number), tap: format!("tap{number}") }).collect()
}

/// QEMU's arguments for the cards; there are none where the machine makes no tap devices.
pub(super) fn arguments(name: &str) -> Vec<String> {
    if !Path::new("/dev/net/tun").exists() {
        return Vec::new();
    }
    let card = |cable: Cable| {
        let (tap, mac) = (cable.tap, cable.mac);
        let far = format!("tap,id={tap},ifname={tap},script=no,downscript=no");
        let near = format!("virtio-net-pci,netdev={tap},mac={mac},romfile=");
        ["-netdev".to_owned(), far, "-device".to_owned(), near]
    };
    all(name).into_iter().flat_map(card).collect()
}

/// A card of a running VM that is not plugged in yet.
pub(crate) fn free(vm: &State) -> Result<Cable> {
    let pid = vm.keeper.pid.to_string();
    let ip = program("nsenter").args(["--target", &pid, "--net", "--", "ip", "-oneline", "link"]);
    let text = ip.read()?;
    // One that has a bridge for its master is in use.
    let loose = |tap: &str| {
        let name = format!(" {tap}: ");
        text.lines().any(|line| line.contains(&name) && !line.contains(" master "))
    };
    all(&vm.name)
        .into_iter()
        .find(|cable| loose(&cable.tap))
        .map_or_else(|| fail(format!("host {} has no network card left to join by", vm.name)), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_told_apart_on_one_wire() {
        let mut macs: Vec<String> =
            ["one", "two"].iter().flat_map(|name| all(name)).map(|cable| cable.mac).collect();
        macs.sort();
        macs.dedup();
        assert_eq!(macs.len(), 2 * CARDS);
    }
}
