//! `/proc/self/mountinfo`. Pure.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A mount, as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountEntry {
    /// Its id; unique while it exists.
    pub id: u64,
    /// The id of the mount it is on.
    pub parent: u64,
    /// Which folder of the file system is its root.
    pub root: PathBuf,
    /// Where it is.
    pub mount_point: PathBuf,
    /// Its own options: `rw,nodev,…`.
    pub options: String,
    /// The type of the file system.
    pub fs_type: String,
    /// What it was mounted from.
    pub source: String,
    /// The options of the file system.
    pub super_options: String,
}

/// Reads the kernel's list; lines that are no mounts are left out.
pub fn parse_mountinfo(text: &[u8]) -> Vec<MountEntry> {
    text.split(|byte| *byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<MountEntry> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut next = || fields.next();
    let id = number(next()?)?;
    let parent = number(next()?)?;
    let _device = next()?;
    let root = path(next()?);
    let mount_point = path(next()?);
    let options = text(next()?);
    // Any number of optional fields, ended by a hyphen.
    while next()? != b"-" {}
    let fs_type = text(next()?);
    let source = text(next()?);
    let super_options = text(next().unwrap_or_default());
    Some(MountEntry { id, parent, root, mount_point, options, fs_type, source, super_options })
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn path(field: &[u8]) -> PathBuf {
    OsString::from_vec(unescape(field)).into()
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(field)).into_owned()
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut at = 0;
    while let Some(&byte) = field.get(at) {
        let digits = field.get(at + 1..at + 4).filter(|_| byte == b'\\');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(code.unwrap_or(byte));
        at += if code.is_some() { 4 } else { 1 };
    }
    plain
}
