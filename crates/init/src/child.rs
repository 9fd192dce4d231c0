//! The command's process, from fork to execve: session, standard descriptors, limits, identity, confinement.
#![expect(unsafe_code, reason = "fork and execve, and what only may stand between them")]

use std::ffi::{CStr, CString};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use rustix::fs::{Gid, Mode, Uid};
use rustix::pipe::PipeFlags;
use rustix::process::Pid;

use crate::passwd::Account;
use crate::spec::Spec;
use crate::stdio::Stdio;
use crate::{Failure, NOT_FOUND, confine};

/// Where programs are looked for when the spec's environment does not say.
const PATH: &CStr = c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts the command and waits until it is executed.
///
/// # Errors
///
/// It could not be executed; its process is gone then, though not yet reaped.
pub fn start(spec: &Spec, account: &Account, stdio: Stdio) -> Result<Pid, Failure> {
    let program = Program::new(&spec.args, &spec.env, &account.home);
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
        .map_err(|error| Failure::internal("cannot make a pipe", error))?;
    // SAFETY: this process has one thread, so the child may go on as if nothing had happened.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        drop(read);
        let failure = become_command(spec, account, &stdio, &program);
        let mut report = vec![failure.code];
        report.extend_from_slice(failure.message.as_bytes());
        drop(std::fs::File::from(write).write_all(&report));
        // SAFETY: ends this process without running the parent's destructors a second time.
        unsafe { libc::_exit(i32::from(failure.code)) };
    }
    let Some(pid) = Pid::from_raw(pid).filter(|pid| pid.as_raw_nonzero().get() > 0) else {
        return Err(Failure::internal("cannot fork", io::Error::last_os_error()));
    };
    drop(write);
    drop(stdio);
    // The pipe closes by itself when the program is executed; anything on it is why it was not.
    let mut report = Vec::new();
    let read = std::fs::File::from(read).take(4096).read_to_end(&mut report);
    match (read, report.split_first()) {
        (Ok(_), None) => Ok(pid),
        (_, Some((code, message))) => {
            Err(Failure { code: *code, message: String::from_utf8_lossy(message).into_owned() })
        }
        (Err(error), None) => Err(Failure::internal("cannot learn of the command", error)),
    }
}

/// Everything that execve needs, allocated before the fork.
struct Program {
    /// What to try, in order.
    candidates: Vec<CString>,
    name: String,
    args: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    /// Keeps what `env` points at and the spec does not own.
    _defaults: Vec<CString>,
}

impl Program {
    /// What is executed: `args`, the first of which is looked for in the `PATH` of `env`. Both must live on.
    fn new(args: &[CString], env: &[CString], home: &str) -> Self {
        let has = |name: &[u8]| env.iter().any(|entry| entry.as_bytes().starts_with(name));
        let mut defaults = Vec::new();
        if !has(b"PATH=") {
            defaults.push(PATH.to_owned());
        }
        if !has(b"HOME=") {
            defaults.extend(CString::new(format!("HOME={home}")));
        }
        let path = env
            .iter()
            .chain(&defaults)
            .rev()
            .find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="))
            .unwrap_or_default();
        let program = args[0].as_bytes();
        let candidates = candidates(program, path);
        let pointers = |list: &mut dyn Iterator<Item = &CString>| {
            list.map(|text| text.as_ptr()).chain([ptr::null()]).collect::<Vec<_>>()
        };
        Self {
            candidates,
            name: String::from_utf8_lossy(program).into_owned(),
            args: pointers(&mut args.iter()),
            env: pointers(&mut env.iter().chain(&defaults)),
            _defaults: defaults,
        }
    }

    /// Becomes the program; returns only to say why not.
    fn execute(&self) -> Failure {
        let mut found = None;
        for candidate in &self.candidates {
            // SAFETY: all three are NUL-terminated, the arrays end in a null pointer, and what they point at lives on.
            unsafe { libc::execve(candidate.as_ptr(), self.args.as_ptr(), self.env.as_ptr()) };
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if !exists(candidate) => {}
                // As a shell does: go on looking, but remember that there was something.
                _ => found = found.or(Some((candidate, error))),
            }
        }
        match found {
            None => {
                Failure { code: NOT_FOUND, message: format!("{}: command not found", self.name) }
            }
            Some((candidate, error)) if error.raw_os_error() == Some(libc::ENOENT) => Failure {
                code: NOT_FOUND,
                message: format!("{}: its interpreter does not exist", candidate.to_string_lossy()),
            },
            Some((candidate, error)) => Failure::refused(&candidate.to_string_lossy(), why(&error)),
        }
    }
}

/// The kernel's reason in the words a shell would use.
fn why(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES) => "permission denied".to_owned(),
        Some(libc::ENOEXEC) => "exec format error".to_owned(),
        _ => error.to_string(),
    }
}

fn exists(path: &CStr) -> bool {
    rustix::fs::lstat(path).is_ok()
}

/// Every file that `program` could mean: itself when it has a slash, else one for each folder of `path`.
fn candidates(program: &[u8], path: &[u8]) -> Vec<CString> {
    if program.contains(&b'/') {
        return CString::new(program).into_iter().collect();
    }
    path.split(|byte| *byte == b':')
        .filter_map(|folder| {
            let folder: &[u8] = if folder.is_empty() { b"." } else { folder };
            CString::new([folder, b"/", program].concat()).ok()
        })
        .collect()
}

fn become_command(spec: &Spec, account: &Account, stdio: &Stdio, program: &Program) -> Failure {
    match prepare(spec, account, stdio) {
        Ok(()) => program.execute(),
        Err(failure) => failure,
    }
}

fn prepare(spec: &Spec, account: &Account, stdio: &Stdio) -> Result<(), Failure> {
    let internal = |what: &'static str| move |error| Failure::internal(what, error);
    rustix::process::setsid().map_err(|error| Failure::internal("setsid", error))?;
    attach_stdio(stdio).map_err(internal("standard input and output"))?;
    for limit in &spec.rlimits {
        confine::limit_resource(*limit).map_err(|error| Failure::refused("rlimit", error))?;
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let cwd = std::ffi::OsStr::from_bytes(spec.cwd.to_bytes());
    enter(Path::new(cwd), spec.make_cwd)?;
    rustix::process::umask(Mode::from_raw_mode(spec.umask));
    if spec.traced {
        reset_signals();
        return Ok(());
    }
    if !spec.no_new_privs {
        // Without no_new_privs only a privileged process may install a filter, which this is until it changes user.
        confine::filter_calls(&spec.filters).map_err(internal("seccomp filter"))?;
    }
    change_user(spec, account).map_err(|error| Failure::refused("cannot change user", error))?;
    if spec.no_new_privs {
        confine::no_new_privs().map_err(internal("no_new_privs"))?;
        // Last, so that the filter need not allow anything but execve.
        reset_signals();
        return confine::filter_calls(&spec.filters).map_err(internal("seccomp filter"));
    }
    reset_signals();
    Ok(())
}

fn attach_stdio(stdio: &Stdio) -> io::Result<()> {
    if stdio.tty {
        rustix::process::ioctl_tiocsctty(&stdio.stdin)?;
    }
    for (fd, number) in [(&stdio.stdin, 0), (&stdio.stdout, 1), (&stdio.stderr, 2)] {
        put_at(fd, number)?;
    }
    // Whatever else was inherited stays here; the descriptors of init itself are marked already.
    // SAFETY: only marks descriptors; none is closed before execve.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Ok(())
}

fn put_at(fd: &OwnedFd, number: i32) -> io::Result<()> {
    // SAFETY: init keeps nothing of its own at 0 to 2, see `run`, so no other owner loses its descriptor.
    let result = unsafe { libc::dup2(fd.as_raw_fd(), number) };
    if result == number { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Goes to the working directory, making it where it does not exist and that is wanted.
fn enter(cwd: &Path, make: bool) -> Result<(), Failure> {
    let entered = match rustix::process::chdir(cwd) {
        Err(rustix::io::Errno::NOENT) if make => {
            std::fs::create_dir_all(cwd).and_then(|()| Ok(rustix::process::chdir(cwd)?))
        }
        other => other.map_err(io::Error::from),
    };
    entered.map_err(|error| {
        Failure::refused(&format!("cannot enter the working directory {}", cwd.display()), error)
    })
}

fn change_user(spec: &Spec, account: &Account) -> io::Result<()> {
    let groups: Vec<Gid> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&groups)?;
    confine::bound_capabilities(spec.caps)?;
    rustix::thread::set_keep_capabilities(false)?;
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    // For root what is left is the bounding set; for everybody else setuid has emptied the sets already.
    confine::limit_capabilities(if account.uid == 0 { spec.caps } else { 0 })
}

/// Gives the command the signals as a shell would: all at their defaults, none blocked. What was sent to this process
/// so far arrives now.
fn reset_signals() {
    // The C library's own call refuses its two internal signals, which the caller may have left ignored.
    let default = [0_u64; 4];
    for number in 1..=64_i32 {
        // SAFETY: all zeroes is a struct sigaction of the kernel's with SIG_DFL; refused for SIGKILL and SIGSTOP.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), ptr::null::<u64>(), 8);
        }
    }
    // SAFETY: `none` is initialised by sigemptyset before it is read.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_as_execvp_does() {
        let list = |program: &str, path: &str| -> Vec<String> {
            candidates(program.as_bytes(), path.as_bytes())
                .into_iter()
                .map(|text| text.into_string().unwrap())
                .collect()
        };
        assert_eq!(list("sh", "/bin:/usr/bin"), ["/bin/sh", "/usr/bin/sh"]);
        assert_eq!(list("sh", "/bin:"), ["/bin/sh", "./sh"]);
        assert_eq!(list("./run", "/bin"), ["./run"]);
        assert_eq!(list("/bin/sh", ""), ["/bin/sh"]);
    }
}
