//! systemd-machined: which machines it knows.

use super::bus::Call;
use super::{Properties, Result, SystemdBus};

const SERVICE: &str = "org.freedesktop.machine1";
const PATH: &str = "/org/freedesktop/machine1";
const MANAGER: &str = "org.freedesktop.machine1.Manager";

fn manager(method: &str) -> Call<'_> {
    Call { service: SERVICE, path: PATH, interface: MANAGER, method }
}

/// A machine that machined lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// `container` or `vm`.
    pub class: String,
    /// Who registered it: `systemd-nspawn`.
    pub service: String,
}

impl SystemdBus {
    /// The machines that machined lists.
    pub fn machines(&self) -> Result<Vec<Machine>> {
        type Row = (String, String, String, zbus::OwnedObjectPath);
        let rows: Vec<Row> = self.call(&manager("ListMachines"), &())?;
        Ok(rows
            .into_iter()
            .map(|(name, class, service, _)| Machine { name, class, service })
            .collect())
    }

    /// The leader of a machine: PID 1 inside, as the host numbers it. `None` where there is no such machine.
    pub fn machine_leader(&self, name: &str) -> Result<Option<u32>> {
        let path: zbus::OwnedObjectPath = match self.call(&manager("GetMachine"), &(name,)) {
            Err(super::Error::Other { name, .. }) if name.ends_with(".NoSuchMachine") => {
                return Ok(None);
            }
            other => other?,
        };
        let interface = "org.freedesktop.machine1.Machine";
        let all: Properties = self.get(SERVICE, path.as_str(), interface, &["Leader"])?;
        Ok(all.number("Leader").and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0))
    }
}
