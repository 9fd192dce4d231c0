//! All that is known of one workload.

use super::{Kind, View};
use crate::Engine;
use crate::container;
use crate::error::Result;
use std::collections::BTreeMap;
use volt_host::systemd::Property;
use volt_model::name::Target;

/// What systemd is asked for.
const PROPERTIES: [&str; 31] = [
    "ActiveEnterTimestamp",
    "ActiveState",
    "CPUUsageNSec",
    "ControlGroup",
    "Description",
    "DropInPaths",
    "ExecMainCode",
    "ExecMainExitTimestamp",
    "ExecMainStartTimestamp",
    "ExecMainStatus",
    "FragmentPath",
    "Id",
    "InactiveEnterTimestamp",
    "InvocationID",
    "LoadState",
    "MainPID",
    "MemoryCurrent",
    "MemoryMax",
    "MemoryPeak",
    "NRestarts",
    "NeedDaemonReload",
    "Requires",
    "Restart",
    "Result",
    "Slice",
    "SubState",
    "TasksCurrent",
    "TasksMax",
    "Type",
    "UnitFileState",
    "WantedBy",
];

/// All that is known of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// What `ps` shows.
    pub workload: View,
    /// Its container, where it is one.
    pub container: Option<container::View>,
    /// What systemd says of its unit.
    pub properties: BTreeMap<String, String>,
}

impl Engine {
    /// Shows all that is known of a workload or a unit of the host.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn workload_inspect(&self, target: &Target) -> Result<Details> {
        match target {
            Target::Workload(name) if self.kind_of(name) != Kind::Container => {
                let workload: View = match self.kind_of(name) {
                    Kind::Task => self.task_inspect(name)?.into(),
                    _ => self.service_status(target)?.into(),
                };
                let properties = match &workload.unit {
                    Some(unit) if self.can_use_systemd_to_look() => self.properties(unit)?,
                    _ => BTreeMap::new(),
                };
                Ok(Details { workload, container: None, properties })
            }
            Target::Workload(name) => {
                let container = self.container_inspect(name)?;
                let workload = View::from(container.clone());
                let properties = match &workload.unit {
                    Some(unit) if self.can_use_systemd_to_look() => self.properties(unit)?,
                    _ => BTreeMap::new(),
                };
                Ok(Details { workload, container: Some(container), properties })
            }
            Target::Unit(unit) => {
                let workload = self.unit_view(unit)?;
                Ok(Details { workload, container: None, properties: self.properties(unit)? })
            }
        }
    }

    fn properties(&self, unit: &str) -> Result<BTreeMap<String, String>> {
        let all = self.systemd().unit_properties(unit, &PROPERTIES)?;
        Ok(all.0.into_iter().filter_map(|(name, value)| Some((name, shown(value)?))).collect())
    }
}

/// A property as `systemctl show` writes it.
fn shown(value: Property) -> Option<String> {
    Some(match value {
        Property::U64(u64::MAX) => "infinity".to_owned(),
        Property::U64(number) => number.to_string(),
        Property::I64(number) => number.to_string(),
        Property::Bool(on) => if on { "yes" } else { "no" }.to_owned(),
        Property::Text(text) => text,
        Property::Texts(texts) => texts.join(" "),
        Property::Bytes(bytes) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        Property::Other => return None,
    })
}
