//! What the content of a volume lies on: a folder of Volt's, or what a driver mounts on that, as a unit of systemd.

use crate::name::Name;
use crate::size::Bytes;
use crate::unitfile::{check_path, escape, sentence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::str::FromStr;

/// Who keeps the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// This host: a folder, or with options whatever `mount` is told (`type`, `device`, `o`).
    #[default]
    Local,
    /// Its memory, for as long as a container has the volume (`size`, `mode`, `uid`, `gid`, `o`).
    Tmpfs,
    /// A server (`addr`, `device`, `o`).
    Nfs,
}

impl Driver {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Local, Self::Tmpfs, Self::Nfs];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Tmpfs => "tmpfs",
            Self::Nfs => "nfs",
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Driver {
    type Err = VolumeError;

    fn from_str(text: &str) -> Result<Self, VolumeError> {
        let known = Self::ALL.into_iter().find(|driver| driver.as_str() == text);
        known.ok_or_else(|| {
            VolumeError(format!("there is no driver `{text}`: write local, tmpfs or nfs"))
        })
    }
}

/// Why a volume can't be so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct VolumeError(String);

/// What is mounted on a volume's folder while a container has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// What.
    pub what: String,
    /// The type of its file system; `none` for a folder of the host.
    pub kind: String,
    /// Options of the mount, with commas between them.
    pub options: String,
}

impl Mounted {
    /// Whether it lies on a server.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.kind.starts_with("nfs")
    }
}

/// What a driver mounts by its options; nothing where the content lies in the folder itself.
///
/// # Errors
/// For options that the driver doesn't have, or that say too little.
pub fn mounted(
    driver: Driver,
    options: &BTreeMap<String, String>,
) -> Result<Option<Mounted>, VolumeError> {
    let known: &[&str] = match driver {
        Driver::Local => &["type", "device", "o"],
        Driver::Tmpfs => &["size", "mode", "uid", "gid", "nr_inodes", "o", "device", "type"],
        Driver::Nfs => &["addr", "device", "o", "type"],
    };
    for (key, value) in options {
        if !known.contains(&key.as_str()) {
            let all = known.join(", ");
            return Err(VolumeError(format!(
                "the driver {driver} has no option `{key}`: it has {all}"
            )));
        }
        if value.contains(|c: char| c.is_control() || c == '\\') {
            let what = "a control character or a backslash in it";
            return Err(VolumeError(format!("the option `{key}` has {what}")));
        }
    }
    let said = |key: &str| options.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let words = words_of(said("o").unwrap_or_default());
    let kind = said("type");
    match (driver, kind) {
        (Driver::Local, None) if options.is_empty() => Ok(None),
        (Driver::Local, None | Some("none" | "bind")) => folder(said("device"), words).map(Some),
        (Driver::Local | Driver::Tmpfs, Some("tmpfs")) | (Driver::Tmpfs, None) => {
            memory(options, words).map(Some)
        }
        (Driver::Local | Driver::Nfs, Some(kind @ ("nfs" | "nfs4"))) => {
            server(kind, (said("addr"), said("device")), words).map(Some)
        }
        (Driver::Nfs, None) => server("nfs", (said("addr"), said("device")), words).map(Some),
        (_, Some(kind)) => Err(VolumeError(format!(
            "the driver {driver} mounts no `{kind}`: write none with o: bind, tmpfs or nfs"
        ))),
    }
}

fn words_of(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn folder(device: Option<&str>, words: Vec<String>) -> Result<Mounted, VolumeError> {
    let needs = "a folder of the host takes o: bind and device with its absolute path";
    let device = device.ok_or_else(|| VolumeError(needs.to_owned()))?;
    if check_path(device).is_err() || device.split('/').any(|part| part == "..") {
        return Err(VolumeError(format!("`{device}` is no absolute path; {needs}")));
    }
    let mut options = words;
    if !options.iter().any(|word| word == "bind" || word == "rbind") {
        return Err(VolumeError(needs.to_owned()));
    }
    options.retain(|word| word != "rbind" && word != "bind");
    options.insert(0, "bind".to_owned());
    Ok(Mounted { what: device.to_owned(), kind: "none".to_owned(), options: options.join(",") })
}

fn memory(options: &BTreeMap<String, String>, words: Vec<String>) -> Result<Mounted, VolumeError> {
    let mut all = words;
    for key in ["size", "mode", "uid", "gid", "nr_inodes"] {
        if let Some(value) = options.get(key) {
            all.push(format!("{key}={value}"));
        }
    }
    for word in &mut all {
        let Some((key, value)) = word.split_once('=') else { continue };
        let wrong = || VolumeError(format!("`{value}` is no {key} of a memory file system"));
        match key {
            // The kernel knows `64m`, people write `64M` and `64MiB` too.
            "size" if !value.ends_with('%') => {
                let size: Bytes = value.parse().map_err(|_| wrong())?;
                *word = format!("size={}", size.0);
            }
            "uid" | "gid" if value.parse::<u32>().is_err() => return Err(wrong()),
            "mode" if u32::from_str_radix(value, 8).is_err() => return Err(wrong()),
            _ => {}
        }
    }
    all.push("nodev".to_owned());
    Ok(Mounted { what: "tmpfs".to_owned(), kind: "tmpfs".to_owned(), options: all.join(",") })
}

/// Compose files say `device: ":/path"` and `o: addr=SERVER`; `SERVER:/path` is understood too.
fn server(
    kind: &str,
    (addr, device): (Option<&str>, Option<&str>),
    words: Vec<String>,
) -> Result<Mounted, VolumeError> {
    let needs = "a folder of a server takes o: addr=SERVER and device: \":/PATH\"";
    let in_words = words.iter().find_map(|word| word.strip_prefix("addr=")).map(str::to_owned);
    let device = device.ok_or_else(|| VolumeError(needs.to_owned()))?;
    let (host, path) = device.rsplit_once(":/").ok_or_else(|| VolumeError(needs.to_owned()))?;
    let host = match (host, addr, &in_words) {
        ("", Some(addr), _) => addr,
        ("", None, Some(addr)) => addr.as_str(),
        (host, _, _) => host,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]_%".contains(c);
    if host.is_empty() || !host.chars().all(plain) || check_path(&format!("/{path}")).is_err() {
        return Err(VolumeError(needs.to_owned()));
    }
    // An address with colons stands in brackets before a path.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
    let mut options: Vec<String> =
        words.into_iter().filter(|word| !word.starts_with("addr=")).collect();
    options.push("nodev".to_owned());
    Ok(Mounted {
        what: format!("{host}:/{path}"),
        kind: kind.to_owned(),
        options: options.join(","),
    })
}

/// The unit that mounts on a path, as `systemd-escape --path --suffix=mount` has it.
#[must_use]
pub fn unit_name(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut out = String::new();
    for (place, byte) in text.trim_matches('/').bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if place == 0 => out.push_str("\\x2e"),
            b if b.is_ascii_alphanumeric() || b":_.".contains(&b) => out.push(char::from(b)),
            b => drop(write!(out, "\\x{b:02x}")),
        }
    }
    format!("{out}.mount")
}

/// Renders the unit. It is there while somebody needs it.
#[must_use]
pub fn render(volume: &Name, mounted: &Mounted, place: &Path) -> String {
    let mut out = String::from("# Rendered by Volt from the volume's record.\n[Unit]\n");
    let about = sentence(&format!("Volt volume {volume} ({})", mounted.what));
    let _ = writeln!(out, "Description={about}\nStopWhenUnneeded=yes\n\n[Mount]");
    let _ = writeln!(out, "What={}", escape(&mounted.what));
    let _ = writeln!(out, "Where={}", escape(&place.to_string_lossy()));
    let _ = writeln!(out, "Type={}", mounted.kind);
    let _ = writeln!(out, "Options={}", escape(&mounted.options));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn line(driver: Driver, all: &[(&str, &str)]) -> String {
        match mounted(driver, &options(all)) {
            Ok(Some(found)) => format!("{} {} {}", found.kind, found.what, found.options),
            Ok(None) => "folder".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn as_compose_files_write_them() {
        for (driver, all, wanted) in [
            (Driver::Local, &[][..], "folder"),
            (
                Driver::Local,
                &[("type", "none"), ("o", "bind"), ("device", "/srv/a b")][..],
                "none /srv/a b bind",
            ),
            (Driver::Local, &[("o", "rbind,ro"), ("device", "/srv")][..], "none /srv bind,ro"),
            (
                Driver::Local,
                &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=100m,uid=1000")][..],
                "tmpfs tmpfs size=104857600,uid=1000,nodev",
            ),
            (
                Driver::Tmpfs,
                &[("size", "50%"), ("mode", "0700")][..],
                "tmpfs tmpfs size=50%,mode=0700,nodev",
            ),
            (Driver::Tmpfs, &[][..], "tmpfs tmpfs nodev"),
            (
                Driver::Local,
                &[("type", "nfs"), ("o", "addr=10.0.0.1,rw"), ("device", ":/export/x")][..],
                "nfs 10.0.0.1:/export/x rw,nodev",
            ),
            (
                Driver::Nfs,
                &[("addr", "fd00::1"), ("device", ":/x"), ("type", "nfs4")][..],
                "nfs4 [fd00::1]:/x nodev",
            ),
            (
                Driver::Nfs,
                &[("device", "files:/x"), ("o", "nfsvers=4")][..],
                "nfs files:/x nfsvers=4,nodev",
            ),
        ] {
            assert_eq!(line(driver, all), wanted);
        }
        for (driver, all) in [
            (Driver::Local, &[("type", "none"), ("device", "/srv")][..]),
            (Driver::Local, &[("o", "bind"), ("device", "srv")][..]),
            (Driver::Local, &[("type", "ext4"), ("device", "/dev/sda1")][..]),
            (Driver::Local, &[("size", "5G")][..]),
            (Driver::Tmpfs, &[("size", "much")][..]),
            (Driver::Nfs, &[("device", ":/x")][..]),
            (Driver::Nfs, &[("o", "addr=10.0.0.1\nExecStart=x"), ("device", ":/x")][..]),
        ] {
            assert!(mounted(driver, &options(all)).is_err(), "{all:?} was taken");
        }
    }

    #[test]
    fn what_a_person_finds_in_systemctl_cat() {
        let place = Path::new("/var/lib/volt/volumes/shop-data/_data");
        assert_eq!(unit_name(place), "var-lib-volt-volumes-shop\\x2ddata-_data.mount");
        let found = mounted(Driver::Tmpfs, &options(&[("size", "1M")])).unwrap().unwrap();
        let text = render(&"shop-data".parse().unwrap(), &found, place);
        assert!(text.ends_with("StopWhenUnneeded=yes\n\n[Mount]\nWhat=tmpfs\nWhere=/var/lib/volt/volumes/shop-data/_data\nType=tmpfs\nOptions=size=1048576,nodev\n"), "{text}");
    }

    proptest! {
        #[test]
        fn no_option_begins_a_line(device in ".{0,20}", o in ".{0,20}", kind in "none|tmpfs|nfs|.{0,4}") {
            let all = options(&[("type", &kind), ("device", &device), ("o", &o)]);
            if let Ok(Some(found)) = mounted(Driver::Local, &all) {
                let text = render(&"v".parse().unwrap(), &found, Path::new("/v"));
                prop_assert_eq!(text.lines().count(), 10);
            }
        }
    }
}
