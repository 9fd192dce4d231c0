//! The spec: what to execute and how to confine it, parsed from NUL-terminated `key=value` records.
//!
//! Unknown keys are errors, not ignored: a key this version does not know might be one that confines.

use std::ffi::CString;
use std::fmt;
use std::io::Read;

/// The longest spec that is read, in bytes.
pub const MAX_SPEC: u64 = 1 << 20;
/// The most instructions a seccomp filter may have (the kernel's own limit).
const MAX_FILTER: usize = 4096;

/// Who the command runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// Numbers inside the container.
    Ids {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
        /// Supplementary groups.
        groups: Vec<u32>,
    },
    /// `NAME[:GROUP]`, to be looked up in the image.
    Named(String),
}

/// One resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// The kernel's number of the resource.
    pub resource: u32,
    /// The limit in force.
    pub soft: u64,
    /// What the soft limit may be raised to.
    pub hard: u64,
}

/// One instruction of a seccomp filter, as `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Jump when true.
    pub jt: u8,
    /// Jump when false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// A parsed spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Who the command runs as.
    pub user: User,
    /// Groups that it has besides, by name or number, to be looked up in the image.
    pub add_groups: Vec<String>,
    /// Working directory.
    pub cwd: CString,
    /// Whether the working directory is made when absent; not for a further command, where it is a slip of the finger.
    pub make_cwd: bool,
    /// A terminal in place of pipes.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin: bool,
    /// What runs this traces it, without privileges: it stays open to that, and can neither confine nor change its user.
    pub traced: bool,
    /// Wait for `go` before executing.
    pub hold: bool,
    /// The bounding set that remains.
    pub caps: u64,
    /// Set no_new_privs.
    pub no_new_privs: bool,
    /// The seccomp filters, in the order in which they are loaded; the kernel takes the strictest answer.
    pub filters: Vec<Vec<Instruction>>,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
    /// The command's umask.
    pub umask: u32,
    /// What the command gets for SIGTERM.
    pub stop_signal: i32,
    /// `NAME=VALUE`.
    pub env: Vec<CString>,
    /// The command and its arguments; at least one.
    pub args: Vec<CString>,
}

/// Why a spec was not understood.
#[derive(Debug)]
pub enum SpecError {
    /// It could not be read.
    Read(std::io::Error),
    /// It is longer than [`MAX_SPEC`].
    TooLong,
    /// Its last record has no NUL: it was cut.
    Cut,
    /// The first record is not `version=1`.
    Version,
    /// A record of this key is not understood.
    Record(String),
    /// This key stands twice.
    Twice(String),
    /// This key is not known.
    Unknown(String),
    /// This key is missing.
    Missing(&'static str),
}

impl fmt::Display for SpecError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(out, "cannot be read: {error}"),
            Self::TooLong => write!(out, "is longer than {MAX_SPEC} bytes"),
            Self::Cut => write!(out, "ends in the middle of a record"),
            Self::Version => write!(out, "is not of version 1"),
            Self::Record(key) => write!(out, "has a value of {key} that is not understood"),
            Self::Twice(key) => write!(out, "has {key} twice"),
            Self::Unknown(key) => write!(out, "has the unknown key {key:?}"),
            Self::Missing(key) => write!(out, "has no {key}"),
        }
    }
}

impl std::error::Error for SpecError {}

/// Reads and parses a spec.
///
/// # Errors
///
/// It cannot be read, is too long, or is not understood.
pub fn read(from: impl Read) -> Result<Spec, SpecError> {
    let mut bytes = Vec::new();
    from.take(MAX_SPEC + 1).read_to_end(&mut bytes).map_err(SpecError::Read)?;
    if bytes.len() as u64 > MAX_SPEC {
        return Err(SpecError::TooLong);
    }
    parse(&bytes)
}

/// Parses a spec.
///
/// # Errors
///
/// The bytes are not a spec of version 1.
pub fn parse(bytes: &[u8]) -> Result<Spec, SpecError> {
    let body = bytes.strip_suffix(b"\0").ok_or(SpecError::Cut)?;
    let mut records = body.split(|byte| *byte == 0);
    if records.next() != Some(b"version=1") {
        return Err(SpecError::Version);
    }
    let mut found = Found::default();
    for record in records {
        let Some(at) = record.iter().position(|byte| *byte == b'=') else {
            return Err(SpecError::Record(shown(record)));
        };
        let (key, value) = (&record[..at], &record[at + 1..]);
        found.take(key, value)?;
    }
    found.finish()
}

/// What was found so far.
#[derive(Default)]
struct Found {
    seen: Vec<Vec<u8>>,
    uid: Option<u32>,
    gid: Option<u32>,
    groups: Vec<u32>,
    user: Option<String>,
    add_groups: Vec<String>,
    cwd: Option<CString>,
    tty: bool,
    stdin: bool,
    traced: bool,
    hold: bool,
    caps: Option<u64>,
    no_new_privs: bool,
    filters: Vec<Vec<Instruction>>,
    rlimits: Vec<Rlimit>,
    umask: Option<u32>,
    stop_signal: Option<i32>,
    env: Vec<CString>,
    args: Vec<CString>,
}

impl Found {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), SpecError> {
        let wrong = || SpecError::Record(shown(key));
        let text = || std::str::from_utf8(value).map_err(|_| wrong());
        let number = || text()?.parse::<u32>().map_err(|_| wrong());
        let flag = || if value == b"1" { Ok(true) } else { Err(wrong()) };
        let string = || CString::new(value).map_err(|_| wrong());
        match key {
            b"group" => {
                self.groups.push(number()?);
                return Ok(());
            }
            b"add-group" => {
                self.add_groups.push(text()?.to_owned());
                return Ok(());
            }
            b"seccomp" => {
                self.filters.push(filter(value).ok_or_else(wrong)?);
                return Ok(());
            }
            b"rlimit" => {
                self.rlimits.push(rlimit(text()?).ok_or_else(wrong)?);
                return Ok(());
            }
            b"env" => {
                if value.iter().position(|byte| *byte == b'=').is_none_or(|at| at == 0) {
                    return Err(wrong());
                }
                self.env.push(string()?);
                return Ok(());
            }
            b"arg" => {
                self.args.push(string()?);
                return Ok(());
            }
            _ => {}
        }
        if self.seen.iter().any(|other| other == key) {
            return Err(SpecError::Twice(shown(key)));
        }
        self.seen.push(key.to_vec());
        match key {
            b"uid" => self.uid = Some(number()?),
            b"gid" => self.gid = Some(number()?),
            b"user" => self.user = Some(text()?.to_owned()),
            b"cwd" => self.cwd = Some(string()?),
            b"tty" => self.tty = flag()?,
            b"stdin" => self.stdin = flag()?,
            b"traced" => self.traced = flag()?,
            b"hold" => self.hold = flag()?,
            b"caps" => {
                self.caps = Some(u64::from_str_radix(text()?, 16).map_err(|_| wrong())?);
            }
            b"nnp" => self.no_new_privs = flag()?,
            b"umask" => {
                let mask = u32::from_str_radix(text()?, 8).map_err(|_| wrong())?;
                self.umask = Some(if mask <= 0o777 { mask } else { return Err(wrong()) });
            }
            b"stop-signal" => {
                let signal = number()?;
                self.stop_signal = Some(match i32::try_from(signal) {
                    Ok(signal @ 1..=64) => signal,
                    _ => return Err(wrong()),
                });
            }
            _ => return Err(SpecError::Unknown(shown(key))),
        }
        Ok(())
    }

    fn finish(self) -> Result<Spec, SpecError> {
        if self.args.first().is_none_or(|program| program.is_empty()) {
            return Err(SpecError::Missing("arg"));
        }
        let user = match (self.user, self.uid, self.gid) {
            (Some(name), None, None) if self.groups.is_empty() => User::Named(name),
            (Some(_), ..) => return Err(SpecError::Twice("user".to_owned())),
            (None, Some(uid), Some(gid)) => User::Ids { uid, gid, groups: self.groups },
            (None, None, _) => return Err(SpecError::Missing("uid")),
            (None, Some(_), None) => return Err(SpecError::Missing("gid")),
        };
        Ok(Spec {
            user,
            add_groups: self.add_groups,
            cwd: self.cwd.unwrap_or_else(|| c"/".to_owned()),
            make_cwd: true,
            tty: self.tty,
            stdin: self.stdin,
            traced: self.traced,
            hold: self.hold,
            caps: self.caps.unwrap_or(0),
            no_new_privs: self.no_new_privs,
            filters: self.filters,
            rlimits: self.rlimits,
            umask: self.umask.unwrap_or(0o022),
            stop_signal: self.stop_signal.unwrap_or(libc::SIGTERM),
            env: self.env,
            args: self.args,
        })
    }
}

/// A key for a message: bounded, and readable whatever it contains.
fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(&key[..key.len().min(40)]).into_owned()
}

fn rlimit(text: &str) -> Option<Rlimit> {
    let (name, limits) = text.split_once(':')?;
    let (soft, hard) = limits.split_once(':')?;
    let resource = match name {
        "AS" => libc::RLIMIT_AS,
        "CORE" => libc::RLIMIT_CORE,
        "CPU" => libc::RLIMIT_CPU,
        "DATA" => libc::RLIMIT_DATA,
        "FSIZE" => libc::RLIMIT_FSIZE,
        "LOCKS" => libc::RLIMIT_LOCKS,
        "MEMLOCK" => libc::RLIMIT_MEMLOCK,
        "MSGQUEUE" => libc::RLIMIT_MSGQUEUE,
        "NICE" => libc::RLIMIT_NICE,
        "NOFILE" => libc::RLIMIT_NOFILE,
        "NPROC" => libc::RLIMIT_NPROC,
        "RSS" => libc::RLIMIT_RSS,
        "RTPRIO" => libc::RLIMIT_RTPRIO,
        "RTTIME" => libc::RLIMIT_RTTIME,
        "SIGPENDING" => libc::RLIMIT_SIGPENDING,
        "STACK" => libc::RLIMIT_STACK,
        _ => return None,
    };
    Some(Rlimit { resource, soft: soft.parse().ok()?, hard: hard.parse().ok()? })
}

/// Hex of `struct sock_filter[]` in the machine's byte order.
fn filter(hex: &[u8]) -> Option<Vec<Instruction>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    if !hex.len().is_multiple_of(16) || hex.len() / 16 > MAX_FILTER {
        return None;
    }
    let mut instructions = Vec::with_capacity(hex.len() / 16);
    for piece in hex.chunks_exact(16) {
        let mut raw = [0_u8; 8];
        for (byte, pair) in raw.iter_mut().zip(piece.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        let [a, b, jt, jf, k @ ..] = raw;
        instructions.push(Instruction {
            code: u16::from_ne_bytes([a, b]),
            jt,
            jf,
            k: u32::from_ne_bytes(k),
        });
    }
    Some(instructions)
}

#[cfg(test)]
mod tests;
