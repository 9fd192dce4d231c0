//! Executing the program in a child (only a child is in a joined pid namespace) and passing signals to it.

use super::{Error, Orders};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;

/// Signals that are meant for the program.
const FORWARDED: [i32; 7] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
];

pub(super) fn execute_and_wait(orders: &Orders) -> Result<i32, Error> {
    // Everything that allocates comes before the fork.
    let argv: Result<Vec<CString>, _> =
        orders.argv.iter().map(|arg| CString::new(arg.as_bytes())).collect();
    let argv = argv.map_err(|_| Error::Usage("an argument holds a NUL"))?;
    let mut pointers: Vec<*const libc::c_char> = argv.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let signals = signal_set();
    mask(libc::SIG_BLOCK, &signals).map_err(Error::step("block signals"))?;
    // SAFETY: this process has one thread, as `main` demands (a second would have failed the join).
    match unsafe { libc::fork() } {
        -1 => Err(Error::step("fork")(io::Error::last_os_error())),
        0 => execute(orders.program.as_raw_fd(), &pointers, &orders.keep, &signals),
        child => wait(child, &signals).map_err(Error::step("wait for the program")),
    }
}

fn signal_set() -> libc::sigset_t {
    // SAFETY: the set is filled by sigemptyset before it is read; the numbers are valid.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in FORWARDED.into_iter().chain([libc::SIGCHLD]) {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

fn mask(how: i32, signals: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: the set lives through the call; no old one is asked for.
    match unsafe { libc::sigprocmask(how, signals, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The child: never returns. 127 where the program is not found, 126 where it cannot be executed.
fn execute(
    program: RawFd,
    argv: &[*const libc::c_char],
    keep: &[RawFd],
    signals: &libc::sigset_t,
) -> ! {
    let environment: [*const libc::c_char; 1] = [std::ptr::null()];
    // SAFETY: system calls on memory that lives until exec; both lists end with a null pointer.
    unsafe {
        // The program goes with us: nobody would pass on its signals or its exit code.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        for fd in keep {
            libc::fcntl(*fd, libc::F_SETFD, 0);
        }
        libc::sigprocmask(libc::SIG_UNBLOCK, signals, std::ptr::null_mut());
        // Rust ignores it in every process, and what is ignored stays so across exec.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::syscall(
            libc::SYS_execveat,
            program,
            c"".as_ptr(),
            argv.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
        let missing = io::Error::last_os_error().raw_os_error() == Some(libc::ENOENT);
        libc::_exit(if missing { 127 } else { 126 })
    }
}

fn wait(child: i32, signals: &libc::sigset_t) -> io::Result<i32> {
    loop {
        // SAFETY: the set lives through the call; no details are asked for.
        let signal = unsafe { libc::sigwaitinfo(signals, std::ptr::null_mut()) };
        if signal == -1 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        } else if signal == libc::SIGCHLD {
            let mut status = 0;
            // SAFETY: the pid is that of our own child.
            let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
            if ended == child && libc::WIFEXITED(status) {
                return Ok(libc::WEXITSTATUS(status));
            }
            if ended == child && libc::WIFSIGNALED(status) {
                return Ok(128 + libc::WTERMSIG(status));
            }
        } else {
            // SAFETY: the child is not reaped yet, so the pid is its own.
            unsafe { libc::kill(child, signal) };
        }
    }
}
