//! `killat N PROGRAM ARGS…`: runs a program and kills it with SIGKILL, from outside, when it is about to make its N-th system
//! call that changes something. Prints on standard error `killed at N CALL`, or `done after N calls` when it made fewer. `@FILE`
//! in place of N names a file with the number, for a unit that stays as it is; `!FILE` one that is used up: the next start of the
//! unit is let be. SIGTERM is passed on, and so are sockets of systemd's.
//!
//! All threads of the program are traced; other programs that it starts are not.
#![expect(unsafe_code, reason = "ptrace has no safe wrapper")]
#![expect(clippy::print_stderr, reason = "this is a program, and that is how it answers")]

use std::ffi::CString;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, Ordering};

/// The exit code when the program was killed.
const KILLED: u8 = 99;

/// What changes something, by number; what does so by its arguments alone is in [`changes_by_arguments`].
const CHANGING: &[(i64, &str)] = &[
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_rmdir, "rmdir"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_renameat, "renameat"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_link, "link"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_symlink, "symlink"),
    (libc::SYS_symlinkat, "symlinkat"),
    (libc::SYS_mknod, "mknod"),
    (libc::SYS_mknodat, "mknodat"),
    (libc::SYS_chmod, "chmod"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_fchmodat, "fchmodat"),
    (libc::SYS_chown, "chown"),
    (libc::SYS_fchown, "fchown"),
    (libc::SYS_lchown, "lchown"),
    (libc::SYS_fchownat, "fchownat"),
    (libc::SYS_setxattr, "setxattr"),
    (libc::SYS_lsetxattr, "lsetxattr"),
    (libc::SYS_fsetxattr, "fsetxattr"),
    (libc::SYS_utimensat, "utimensat"),
    (libc::SYS_truncate, "truncate"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_fallocate, "fallocate"),
    (libc::SYS_write, "write"),
    (libc::SYS_pwrite64, "pwrite64"),
    (libc::SYS_writev, "writev"),
    (libc::SYS_copy_file_range, "copy_file_range"),
    (libc::SYS_sendfile, "sendfile"),
    (libc::SYS_sendmsg, "sendmsg"),
    (libc::SYS_sendto, "sendto"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_syncfs, "syncfs"),
    (libc::SYS_mount, "mount"),
    (libc::SYS_umount2, "umount2"),
    (libc::SYS_move_mount, "move_mount"),
    (libc::SYS_mount_setattr, "mount_setattr"),
    (libc::SYS_unshare, "unshare"),
    (libc::SYS_creat, "creat"),
    (libc::SYS_fchmodat2, "fchmodat2"),
    (libc::SYS_removexattr, "removexattr"),
    (libc::SYS_lremovexattr, "lremovexattr"),
    (libc::SYS_fremovexattr, "fremovexattr"),
    (libc::SYS_utime, "utime"),
    (libc::SYS_utimes, "utimes"),
    (libc::SYS_futimesat, "futimesat"),
    (libc::SYS_pwritev, "pwritev"),
    (libc::SYS_pwritev2, "pwritev2"),
    (libc::SYS_splice, "splice"),
    (libc::SYS_sendmmsg, "sendmmsg"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_sync_file_range, "sync_file_range"),
    (libc::SYS_sync, "sync"),
    (libc::SYS_msync, "msync"),
    (libc::SYS_bind, "bind"),
    (libc::SYS_tkill, "tkill"),
    (libc::SYS_tgkill, "tgkill"),
    (libc::SYS_rt_sigqueueinfo, "rt_sigqueueinfo"),
    (libc::SYS_rt_tgsigqueueinfo, "rt_tgsigqueueinfo"),
    (libc::SYS_fsconfig, "fsconfig"),
    (libc::SYS_fsmount, "fsmount"),
    (libc::SYS_pivot_root, "pivot_root"),
    (libc::SYS_chroot, "chroot"),
    (libc::SYS_setns, "setns"),
    (libc::SYS_sethostname, "sethostname"),
    (libc::SYS_fork, "fork"),
    (libc::SYS_vfork, "vfork"),
];

/// The requests of `ioctl` that change something: files that share extents or get flags or a seal, loop devices, network devices.
const CHANGING_REQUESTS: &[u64] = &[
    0x4004_9409,
    0x4020_940d,
    0x4008_6602,
    0x4080_6685,
    0x8914,
    0x8916,
    0x4c00,
    0x4c01,
    0x4c0a,
    0x4c80,
    0x4c82,
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let number = args.next().and_then(|word| match word.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).ok(),
        None => match word.strip_prefix('!') {
            Some(file) => Some(used_up(file)),
            None => Some(word),
        },
    });
    let Some(limit) = number.and_then(|text| text.trim().parse().ok()) else {
        eprintln!("usage: killat N|@FILE|!FILE PROGRAM ARGS…");
        return ExitCode::from(2);
    };
    let words: Vec<CString> = args.filter_map(|word| CString::new(word).ok()).collect();
    // SAFETY: there is one thread, and the child only makes calls that are safe after fork.
    match unsafe { libc::fork() } {
        0 => execute(&words),
        child if child > 0 => trace(child, limit),
        _ => ExitCode::from(2),
    }
}

/// The number in a file, which is removed; where there is none, one that is never reached.
fn used_up(file: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_else(|_| u64::MAX.to_string());
    drop(std::fs::remove_file(file));
    text
}

/// The child's part: waits to be traced, then becomes the program.
fn execute(words: &[CString]) -> ExitCode {
    let mut pointers: Vec<*const libc::c_char> = words.iter().map(|word| word.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: the process has one thread; the pointers end with a null and outlive the call.
    unsafe {
        // systemd's sockets are for the process that this names.
        if std::env::var_os("LISTEN_PID").is_some() {
            let own = CString::new(std::process::id().to_string()).unwrap_or_default();
            libc::setenv(c"LISTEN_PID".as_ptr(), own.as_ptr(), 1);
        }
        libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
        libc::raise(libc::SIGSTOP);
        libc::execvp(pointers[0], pointers.as_ptr());
    }
    ExitCode::from(127)
}

/// Whom SIGTERM is passed on to.
static CHILD: AtomicI32 = AtomicI32::new(0);

extern "C" fn pass_on(signal: libc::c_int) {
    // SAFETY: kill may be called in a handler and touches no memory.
    unsafe { libc::kill(CHILD.load(Ordering::Relaxed), signal) };
}

fn trace(child: libc::pid_t, limit: u64) -> ExitCode {
    CHILD.store(child, Ordering::Relaxed);
    let handler: extern "C" fn(libc::c_int) = pass_on;
    // SAFETY: the handler only does what handlers may; SA_RESTART (as `signal` sets it) keeps the waits whole.
    unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
    let options = libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
    let mut status = 0;
    // SAFETY: the child stops itself before anything else; `status` outlives the calls.
    unsafe {
        libc::waitpid(child, &raw mut status, 0);
        libc::ptrace(libc::PTRACE_SETOPTIONS, child, 0, options);
        libc::ptrace(libc::PTRACE_SYSCALL, child, 0, 0);
    }
    let mut count = 0;
    loop {
        // SAFETY: as above; __WALL waits for threads too.
        let thread = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if thread < 0 {
            return ExitCode::from(2);
        }
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            if thread == child {
                eprintln!("done after {count} calls");
                let code = if libc::WIFEXITED(status) {
                    libc::WEXITSTATUS(status)
                } else {
                    128 + libc::WTERMSIG(status)
                };
                return ExitCode::from(u8::try_from(code).unwrap_or(255));
            }
            continue;
        }
        let signal = libc::WSTOPSIG(status);
        if signal == libc::SIGTRAP | 0x80
            && let Some(name) = changing_call(thread)
        {
            count += 1;
            if count == limit {
                // SAFETY: the process is our child and still there.
                unsafe { libc::kill(child, libc::SIGKILL) };
                let_go();
                eprintln!("killed at {count} {name}");
                return ExitCode::from(KILLED);
            }
        }
        // Signals of tracing itself are ours; others are the program's.
        let pass = match signal {
            libc::SIGTRAP | libc::SIGSTOP => 0,
            s if s & 0x80 != 0 => 0,
            s => s,
        };
        // SAFETY: the thread is stopped; one that is gone meanwhile makes the call fail, which is no harm.
        unsafe { libc::ptrace(libc::PTRACE_SYSCALL, thread, 0, pass) };
    }
}

/// Waits for the end of all threads of the killed program. A process that it had forked and that is traced too is none of them: it
/// goes on by itself, as it would after any kill.
fn let_go() {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call.
        let one = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if one < 0 {
            return;
        }
        if libc::WIFSTOPPED(status) {
            // SAFETY: it is stopped; a thread that dies meanwhile makes the call fail, which is no harm.
            unsafe { libc::ptrace(libc::PTRACE_DETACH, one, 0, 0) };
        }
    }
}

/// The name of the call that a thread is about to make, when it changes something.
fn changing_call(thread: libc::pid_t) -> Option<&'static str> {
    // SAFETY: plain old data that the kernel fills in; the thread is stopped.
    let info = unsafe {
        let mut info: libc::ptrace_syscall_info = std::mem::zeroed();
        let size = size_of::<libc::ptrace_syscall_info>();
        if libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, thread, size, &raw mut info) <= 0 {
            return None;
        }
        info
    };
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: the kernel said that this is what it filled in.
    let entry = unsafe { info.u.entry };
    let number = entry.nr.cast_signed();
    if let Some(name) = changes_by_arguments(thread, number, &entry.args) {
        return Some(name);
    }
    CHANGING.iter().find(|(call, _)| *call == number).map(|(_, name)| *name)
}

/// The name of a call that changes something only with some arguments: opening that creates or empties, the birth of a process (a
/// thread is none), signals, and some requests to devices.
fn changes_by_arguments(thread: libc::pid_t, number: i64, args: &[u64; 6]) -> Option<&'static str> {
    let creating = libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE & !libc::O_DIRECTORY;
    let opens = |flags: u64| flags & u64::from(creating.unsigned_abs()) != 0;
    let bears = |flags: u64| flags & u64::from(libc::CLONE_THREAD.unsigned_abs()) == 0;
    let (changes, name) = match number {
        libc::SYS_open => (opens(args[1]), "open"),
        libc::SYS_openat => (opens(args[2]), "open"),
        // These two have their flags first in what an argument points to.
        libc::SYS_openat2 => (opens(word(thread, args[2])), "open"),
        libc::SYS_clone3 => (bears(word(thread, args[0])), "clone3"),
        libc::SYS_clone => (bears(args[0]), "clone"),
        // Signal 0 only asks.
        libc::SYS_kill => (args[1] != 0, "kill"),
        libc::SYS_pidfd_send_signal => (args[1] != 0, "pidfd_send_signal"),
        libc::SYS_ioctl => (CHANGING_REQUESTS.contains(&args[1]), "ioctl"),
        _ => return None,
    };
    changes.then_some(name)
}

/// A word of the memory of a thread that is stopped; zero where there is none.
fn word(thread: libc::pid_t, address: u64) -> u64 {
    // SAFETY: the thread is stopped; the call reads its memory, not ours.
    let word = unsafe { libc::ptrace(libc::PTRACE_PEEKDATA, thread, address, 0) };
    word.cast_unsigned()
}
