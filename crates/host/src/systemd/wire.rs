//! From what is on the bus to our types, and back. Pure.

use super::{
    ActiveState, Error, JobResult, Properties, Property, Setting, UnitChange, UnitEvent,
    UnitSummary, unit_of_path,
};
use std::collections::HashMap;
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

pub(super) type JobRemoved = (u32, OwnedObjectPath, String, String);
pub(super) type UnitFileChange = (String, String, String);
pub(super) type UnitRow =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

impl From<UnitRow> for UnitSummary {
    fn from(row: UnitRow) -> Self {
        let (name, description, load, active, sub, _following, _path, job_id, job, _job_path) = row;
        let active = ActiveState::parse(&active);
        Self { name, description, load, active, sub, job: (job_id > 0).then_some(job) }
    }
}

/// The event that a signal tells, if Volt knows it.
pub(super) fn event_of(message: &zbus::Message) -> Option<UnitEvent> {
    let header = message.header();
    let body = message.body();
    match header.member()?.as_str() {
        "PropertiesChanged" => {
            type Changed = (String, HashMap<String, OwnedVariant>, Vec<String>);
            let (_, changed, _) = body.deserialize::<Changed>().ok()?;
            let unit = unit_of_path(header.path()?.as_str())?;
            let changed = pick(changed, &["ActiveState", "SubState"]);
            if !changed.0.contains_key("ActiveState") {
                return None;
            }
            let active = ActiveState::parse(&changed.text("ActiveState"));
            let sub = changed.text("SubState");
            Some(UnitEvent { unit, change: UnitChange::State { active, sub } })
        }
        "UnitNew" => {
            let (unit, _) = body.deserialize::<(String, OwnedObjectPath)>().ok()?;
            Some(UnitEvent { unit, change: UnitChange::Loaded })
        }
        "UnitRemoved" => {
            let (unit, _) = body.deserialize::<(String, OwnedObjectPath)>().ok()?;
            Some(UnitEvent { unit, change: UnitChange::Unloaded })
        }
        "JobRemoved" => {
            let (_, _, unit, result) = body.deserialize::<JobRemoved>().ok()?;
            Some(UnitEvent { unit, change: UnitChange::JobEnded(JobResult::parse(&result)) })
        }
        "Reloading" => {
            let begins = body.deserialize::<bool>().ok()?;
            let change = UnitChange::Reloaded;
            (!begins).then_some(UnitEvent { unit: String::new(), change })
        }
        _ => None,
    }
}

/// The properties of these names; all without names.
pub(super) fn pick(all: HashMap<String, OwnedVariant>, names: &[&str]) -> Properties {
    let wanted = |name: &String| names.is_empty() || names.contains(&name.as_str());
    let picked = all.into_iter().filter(|(name, _)| wanted(name));
    Properties(picked.map(|(name, value)| (name, property(&value))).collect())
}

fn property(value: &Variant<'_>) -> Property {
    match value {
        Variant::U8(n) => Property::U64((*n).into()),
        Variant::U16(n) => Property::U64((*n).into()),
        Variant::U32(n) => Property::U64((*n).into()),
        Variant::U64(n) => Property::U64(*n),
        Variant::I16(n) => Property::I64((*n).into()),
        Variant::I32(n) => Property::I64((*n).into()),
        Variant::I64(n) => Property::I64(*n),
        Variant::Bool(b) => Property::Bool(*b),
        Variant::Str(text) => Property::Text(text.as_str().to_owned()),
        Variant::ObjectPath(path) => Property::Text(path.as_str().to_owned()),
        Variant::Array(array) => list(array),
        _ => Property::Other,
    }
}

fn list(array: &zbus::Array<'_>) -> Property {
    let texts: Option<Vec<String>> = array
        .inner()
        .iter()
        .map(|v| if let Variant::Str(text) = v { Some(text.as_str().to_owned()) } else { None })
        .collect();
    let bytes: Option<Vec<u8>> = array
        .inner()
        .iter()
        .map(|v| if let Variant::U8(b) = v { Some(*b) } else { None })
        .collect();
    match (array.element_signature(), texts, bytes) {
        (zbus::Signature::Str, Some(texts), _) => Property::Texts(texts),
        (zbus::Signature::U8, _, Some(bytes)) => Property::Bytes(bytes),
        _ => Property::Other,
    }
}

pub(super) fn variant(setting: &Setting) -> Variant<'_> {
    match setting {
        Setting::U64(number) => Variant::from(*number),
        Setting::Bool(on) => Variant::from(*on),
        Setting::Text(text) => Variant::from(text.as_str()),
        Setting::Texts(texts) => Variant::from(texts.clone()),
        Setting::Limits(limits) => Variant::from(limits.clone()),
        Setting::Bytes(bytes) => Variant::from(bytes.clone()),
    }
}

/// Whether the connection, or systemd behind it, is not there.
pub(super) fn is_gone(error: &zbus::Error) -> bool {
    use zbus::fdo;
    match error {
        zbus::Error::InputOutput(_) | zbus::Error::Connection(..) | zbus::Error::Handshake(_) => {
            true
        }
        zbus::Error::FDO(error) => matches!(
            **error,
            fdo::Error::ServiceUnknown(_)
                | fdo::Error::NameHasNoOwner(_)
                | fdo::Error::Disconnected(_)
                | fdo::Error::NoServer(_)
                | fdo::Error::NoReply(_)
        ),
        _ => false,
    }
}

pub(super) fn classify(error: &zbus::Error, unit: &str) -> Error {
    use zbus::DBusError as _;
    if is_gone(error) {
        return Error::NoBus { reason: error.to_string() };
    }
    let (name, message) = match error {
        zbus::Error::MethodError(name, message, _) => {
            (name.to_string(), message.clone().unwrap_or_default())
        }
        zbus::Error::FDO(error) => {
            (error.name().to_string(), error.description().unwrap_or_default().to_owned())
        }
        other => (String::new(), other.to_string()),
    };
    match name.rsplit('.').next().unwrap_or_default() {
        "NoSuchUnit" => Error::NoSuchUnit { unit: unit.to_owned() },
        "AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed" => {
            Error::Refused { message }
        }
        _ => Error::Other { name, message },
    }
}
