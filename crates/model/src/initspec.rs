//! The spec that a container's init reads: what to execute and how to confine it, rendered as NUL-terminated records.
//!
//! The reader is `crates/init`, which depends on nothing here; the format is the table in ARCHITECTURE.md. Must not
//! decide policy (which capabilities, which filter): it only writes down what it is given.

use std::fmt::Write as _;

use thiserror::Error;

/// The longest spec that init reads, in bytes.
pub const MAX_SPEC: usize = 1 << 20;

/// Who the command runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitUser {
    /// Numbers inside the container.
    Ids {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
        /// Supplementary groups.
        groups: Vec<u32>,
    },
    /// `NAME[:GROUP]` or `UID[:GID]`, which init looks up in the image's own `/etc/passwd` and `/etc/group`.
    Named(String),
}

/// A resource limit, by its name without `RLIMIT_` (`NOFILE`); `u64::MAX` is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitRlimit {
    /// Upper-case name as in getrlimit(2), without the prefix.
    pub name: String,
    /// The limit in force.
    pub soft: u64,
    /// What the soft limit may be raised to.
    pub hard: u64,
}

/// What init executes, and under which confinement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitSpec {
    /// Who the command runs as.
    pub user: InitUser,
    /// Groups that it has besides, by name or number.
    pub add_groups: Vec<String>,
    /// Working directory inside the container; made when absent.
    pub cwd: String,
    /// Give the command a terminal in place of three pipes.
    pub tty: bool,
    /// Keep standard input open; else it is `/dev/null`. A terminal is always open.
    pub stdin: bool,
    /// Init is traced, without privileges, by what runs it (proot): it neither confines nor changes the user.
    pub traced: bool,
    /// Wait for `go` on the control socket before executing.
    pub hold: bool,
    /// The capability bounding set that remains, one bit a capability.
    pub caps: u64,
    /// Set no_new_privs: set-user-id programs have no effect.
    pub no_new_privs: bool,
    /// The seccomp filters, each the bytes of a `struct sock_filter[]`, in the order in which they are loaded; the kernel
    /// takes the strictest answer.
    pub seccomp: Vec<Vec<u8>>,
    /// Resource limits of the command.
    pub rlimits: Vec<InitRlimit>,
    /// The command's umask; init's own (0022) where absent.
    pub umask: Option<u32>,
    /// The number of the signal that the command gets when init gets SIGTERM; SIGTERM where absent.
    pub stop_signal: Option<u8>,
    /// The whole environment. Init adds HOME and PATH where they lack.
    pub env: Vec<(String, String)>,
    /// The command and its arguments; the first is looked up in PATH unless it has a slash.
    pub args: Vec<String>,
}

impl InitSpec {
    /// `args` as root in `/`, with pipes, no capability and no filter.
    #[must_use]
    pub fn new(args: Vec<String>) -> Self {
        Self {
            user: InitUser::Ids { uid: 0, gid: 0, groups: Vec::new() },
            add_groups: Vec::new(),
            cwd: "/".to_owned(),
            tty: false,
            stdin: false,
            traced: false,
            hold: false,
            caps: 0,
            no_new_privs: true,
            seccomp: Vec::new(),
            rlimits: Vec::new(),
            umask: None,
            stop_signal: None,
            env: Vec::new(),
            args,
        }
    }
}

/// Why a spec cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InitSpecError {
    /// There is no command.
    #[error("there is no command to run")]
    NoCommand,
    /// A value contains a NUL byte, which ends a record.
    #[error("the value of {0} contains a NUL byte")]
    Nul(&'static str),
    /// The name of an environment variable is empty or contains `=`.
    #[error("{0:?} cannot be the name of an environment variable")]
    EnvName(String),
    /// The seccomp filter is not a whole number of instructions.
    #[error("a seccomp filter of {0} bytes is not a whole number of instructions")]
    Filter(usize),
    /// The whole is longer than [`MAX_SPEC`].
    #[error("command and environment are {0} bytes together, more than {MAX_SPEC}")]
    TooLong(usize),
}

impl InitSpec {
    /// The spec as init reads it.
    ///
    /// # Errors
    ///
    /// A value cannot be written in the format, or the whole is too long.
    pub fn render(&self) -> Result<Vec<u8>, InitSpecError> {
        if self.args.first().is_none_or(String::is_empty) {
            return Err(InitSpecError::NoCommand);
        }
        if let Some(bad) = self.seccomp.iter().find(|f| f.is_empty() || !f.len().is_multiple_of(8))
        {
            return Err(InitSpecError::Filter(bad.len()));
        }
        let mut out = Records::default();
        out.put("version", "1")?;
        match &self.user {
            InitUser::Ids { uid, gid, groups } => {
                out.put("uid", &uid.to_string())?;
                out.put("gid", &gid.to_string())?;
                for group in groups {
                    out.put("group", &group.to_string())?;
                }
            }
            InitUser::Named(name) => out.put("user", name)?,
        }
        for group in &self.add_groups {
            out.put("add-group", group)?;
        }
        out.put("cwd", &self.cwd)?;
        out.flag("tty", self.tty)?;
        out.flag("stdin", self.stdin)?;
        out.flag("traced", self.traced)?;
        out.flag("hold", self.hold)?;
        out.put("caps", &format!("{:x}", self.caps))?;
        out.flag("nnp", self.no_new_privs)?;
        for filter in &self.seccomp {
            out.put("seccomp", &hex(filter))?;
        }
        for limit in &self.rlimits {
            out.put("rlimit", &format!("{}:{}:{}", limit.name, limit.soft, limit.hard))?;
        }
        if let Some(umask) = self.umask {
            out.put("umask", &format!("{umask:o}"))?;
        }
        if let Some(signal) = self.stop_signal {
            out.put("stop-signal", &signal.to_string())?;
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains('=') {
                return Err(InitSpecError::EnvName(name.clone()));
            }
            out.put("env", &format!("{name}={value}"))?;
        }
        for arg in &self.args {
            out.put("arg", arg)?;
        }
        if out.0.len() > MAX_SPEC {
            return Err(InitSpecError::TooLong(out.0.len()));
        }
        Ok(out.0)
    }
}

#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn put(&mut self, key: &'static str, value: &str) -> Result<(), InitSpecError> {
        if value.contains('\0') {
            return Err(InitSpecError::Nul(key));
        }
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(b'=');
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
        Ok(())
    }

    fn flag(&mut self, key: &'static str, on: bool) -> Result<(), InitSpecError> {
        if on { self.put(key, "1") } else { Ok(()) }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_spec_is_the_records_of_the_contract_in_order() {
        let mut spec = InitSpec::new(vec!["sh".into(), "-c".into(), "a=b\nc".into()]);
        spec.user = InitUser::Ids { uid: 33, gid: 34, groups: vec![4, 27] };
        spec.add_groups = vec!["mail".into()];
        spec.cwd = "/srv".into();
        spec.tty = true;
        spec.hold = true;
        spec.caps = 0xa804_25fb;
        spec.seccomp = vec![vec![6, 0, 0, 0, 0, 0, 0xff, 0x7f]];
        spec.rlimits = vec![InitRlimit { name: "NOFILE".into(), soft: 1024, hard: u64::MAX }];
        spec.umask = Some(0o27);
        spec.stop_signal = Some(3);
        spec.env = vec![("A".into(), "x=y".into())];
        let text = String::from_utf8(spec.render().unwrap()).unwrap();
        let expected = "version=1|uid=33|gid=34|group=4|group=27|add-group=mail|cwd=/srv|tty=1|hold=1|caps=a80425fb|nnp=1|\
             seccomp=060000000000ff7f|rlimit=NOFILE:1024:18446744073709551615|umask=27|stop-signal=3|env=A=x=y|\
             arg=sh|arg=-c|arg=a=b\nc|";
        assert_eq!(text.replace('\0', "|"), expected);
    }

    #[test]
    fn what_the_format_cannot_hold_is_refused() {
        let base = InitSpec::new(vec!["true".into()]);
        let cases = [
            (InitSpec::new(vec![]), InitSpecError::NoCommand),
            (InitSpec { cwd: "/a\0b".into(), ..base.clone() }, InitSpecError::Nul("cwd")),
            (
                InitSpec { env: vec![("A=".into(), String::new())], ..base.clone() },
                InitSpecError::EnvName("A=".into()),
            ),
            (InitSpec { seccomp: vec![vec![0; 7]], ..base.clone() }, InitSpecError::Filter(7)),
        ];
        for (spec, error) in cases {
            assert_eq!(spec.render(), Err(error));
        }
        let long = InitSpec { args: vec!["x".repeat(MAX_SPEC)], ..base };
        assert!(matches!(long.render(), Err(InitSpecError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn every_record_ends_in_nul_and_args_come_back(args in proptest::collection::vec("[^\0]{1,40}", 1..6)) {
            let bytes = InitSpec::new(args.clone()).render().unwrap();
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(text.ends_with('\0'));
            let found: Vec<&str> = text.split('\0').filter_map(|r| r.strip_prefix("arg=")).collect();
            prop_assert_eq!(found, args);
        }
    }
}
