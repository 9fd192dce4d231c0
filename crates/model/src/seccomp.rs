//! The syscall filter of app containers, compiled to BPF ahead of the start.
//!
//! Two programs, both loaded, of which the kernel takes the stricter answer: one allows by list and answers ENOSYS to
//! all it doesn't know, so that a C library newer than this list falls back; the other answers EPERM to what is
//! known and refused, so that a person reads "Operation not permitted" and not "Function not implemented".

use crate::caps::CapSet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// A program as `seccomp(2)` takes it: `struct sock_filter[]`, in the byte order of this machine.
pub type Program = Vec<u8>;

/// Why a filter could not be compiled: never for the built-in lists on a machine Volt is built for.
#[derive(Debug, thiserror::Error)]
#[error("The syscall filter can't be compiled")]
pub struct SeccompError(#[from] seccompiler::BackendError);

macro_rules! calls {
    ($($name:ident)*) => { &[$(concat_sys!($name)),*] };
}
macro_rules! concat_sys {
    ($name:ident) => {
        libc::$name
    };
}

/// What any program may call.
#[rustfmt::skip]
const ALLOWED: &[i64] = calls![
    SYS_read SYS_write SYS_close SYS_fstat SYS_lseek SYS_mmap SYS_mprotect SYS_munmap SYS_brk SYS_rt_sigaction
    SYS_rt_sigprocmask SYS_rt_sigreturn SYS_ioctl SYS_pread64 SYS_pwrite64 SYS_readv SYS_writev SYS_preadv SYS_pwritev
    SYS_preadv2 SYS_pwritev2 SYS_sched_yield SYS_mremap SYS_msync SYS_mincore SYS_madvise SYS_shmget SYS_shmat SYS_shmctl
    SYS_shmdt SYS_dup SYS_dup3 SYS_nanosleep SYS_getitimer SYS_setitimer SYS_getpid SYS_sendfile SYS_socket SYS_socketpair
    SYS_connect SYS_accept SYS_accept4 SYS_bind SYS_listen SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_sendmmsg
    SYS_recvmmsg SYS_shutdown SYS_getsockname SYS_getpeername SYS_setsockopt SYS_getsockopt SYS_execve SYS_execveat
    SYS_exit SYS_exit_group SYS_wait4 SYS_waitid SYS_kill SYS_tkill SYS_tgkill SYS_uname SYS_semget SYS_semop SYS_semctl
    SYS_semtimedop SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_fcntl SYS_flock SYS_fsync SYS_fdatasync SYS_truncate
    SYS_ftruncate SYS_getcwd SYS_chdir SYS_fchdir SYS_fchmod SYS_fchown SYS_umask SYS_gettimeofday SYS_getrlimit
    SYS_getrusage SYS_sysinfo SYS_times SYS_getuid SYS_getgid SYS_setuid SYS_setgid SYS_geteuid SYS_getegid SYS_setpgid
    SYS_getppid SYS_setsid SYS_setreuid SYS_setregid SYS_getgroups SYS_setgroups SYS_setresuid SYS_getresuid
    SYS_setresgid SYS_getresgid SYS_getpgid SYS_setfsuid SYS_setfsgid SYS_getsid SYS_capget SYS_capset SYS_rt_sigpending
    SYS_rt_sigtimedwait SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo SYS_rt_sigsuspend SYS_sigaltstack SYS_personality
    SYS_statfs SYS_fstatfs SYS_getpriority SYS_setpriority SYS_sched_setparam SYS_sched_getparam SYS_sched_setscheduler
    SYS_sched_getscheduler SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_rr_get_interval
    SYS_sched_setattr SYS_sched_getattr SYS_sched_setaffinity SYS_sched_getaffinity SYS_mlock SYS_mlock2 SYS_munlock
    SYS_mlockall SYS_munlockall SYS_prctl SYS_setrlimit SYS_prlimit64 SYS_sync SYS_syncfs SYS_chroot SYS_gettid
    SYS_readahead SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_getxattr SYS_lgetxattr SYS_fgetxattr SYS_listxattr
    SYS_llistxattr SYS_flistxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr SYS_futex SYS_futex_waitv
    SYS_io_setup SYS_io_destroy SYS_io_getevents SYS_io_submit SYS_io_cancel SYS_set_tid_address
    SYS_restart_syscall SYS_fadvise64 SYS_timer_create SYS_timer_settime SYS_timer_gettime SYS_timer_getoverrun
    SYS_timer_delete SYS_clock_gettime SYS_clock_getres SYS_clock_nanosleep SYS_epoll_create1 SYS_epoll_ctl
    SYS_epoll_pwait SYS_epoll_pwait2 SYS_mq_open SYS_mq_unlink SYS_mq_timedsend SYS_mq_timedreceive SYS_mq_notify
    SYS_mq_getsetattr SYS_ioprio_set SYS_ioprio_get SYS_inotify_init1 SYS_inotify_add_watch SYS_inotify_rm_watch
    SYS_openat SYS_openat2 SYS_mkdirat SYS_mknodat SYS_fchownat SYS_newfstatat SYS_unlinkat SYS_renameat SYS_renameat2
    SYS_linkat SYS_symlinkat SYS_readlinkat SYS_fchmodat SYS_faccessat SYS_faccessat2 SYS_pselect6 SYS_ppoll
    SYS_set_robust_list SYS_get_robust_list SYS_splice SYS_tee SYS_sync_file_range SYS_vmsplice SYS_utimensat
    SYS_signalfd4 SYS_timerfd_create SYS_timerfd_settime SYS_timerfd_gettime SYS_eventfd2 SYS_pipe2 SYS_fallocate
    SYS_getcpu SYS_process_vm_readv SYS_process_vm_writev SYS_seccomp SYS_getrandom SYS_memfd_create SYS_membarrier
    SYS_copy_file_range SYS_pkey_mprotect SYS_pkey_alloc SYS_pkey_free SYS_statx SYS_rseq SYS_pidfd_send_signal
    SYS_pidfd_open SYS_pidfd_getfd SYS_close_range SYS_landlock_create_ruleset SYS_landlock_add_rule
    SYS_landlock_restrict_self SYS_memfd_secret SYS_process_mrelease SYS_ptrace SYS_remap_file_pages SYS_getdents64
    SYS_fchmodat2 SYS_adjtimex SYS_clock_adjtime
];

/// Calls that only x86-64 still has beside their newer forms.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_HERE: &[i64] = calls![
    SYS_open SYS_stat SYS_lstat SYS_poll SYS_access SYS_pipe SYS_select SYS_dup2 SYS_pause SYS_alarm SYS_fork SYS_vfork
    SYS_rename SYS_mkdir SYS_rmdir SYS_creat SYS_link SYS_unlink SYS_symlink SYS_readlink SYS_chmod SYS_chown SYS_lchown
    SYS_getpgrp SYS_utime SYS_mknod SYS_arch_prctl SYS_time SYS_epoll_create SYS_getdents SYS_epoll_ctl_old
    SYS_epoll_wait_old SYS_epoll_wait SYS_utimes SYS_futimesat SYS_signalfd SYS_eventfd SYS_inotify_init SYS_get_thread_area
    SYS_set_thread_area
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

/// Known and refused: what reaches into the kernel, its keys, its clock or other namespaces. Those of the second list are
/// allowed where the container was given SYS_ADMIN.
#[rustfmt::skip]
const REFUSED: &[i64] = calls![
    SYS_keyctl SYS_add_key SYS_request_key SYS_bpf SYS_perf_event_open SYS_kexec_load SYS_kexec_file_load SYS_init_module
    SYS_finit_module SYS_delete_module SYS_open_by_handle_at SYS_name_to_handle_at SYS_acct SYS_settimeofday
    SYS_clock_settime SYS_swapon SYS_swapoff SYS_reboot SYS_syslog SYS_lookup_dcookie SYS_userfaultfd SYS_io_uring_setup
    SYS_io_uring_enter SYS_io_uring_register SYS_vhangup SYS_kcmp SYS_mbind SYS_set_mempolicy SYS_get_mempolicy
    SYS_migrate_pages SYS_move_pages SYS_nfsservctl
];
#[rustfmt::skip]
const REFUSED_BUT_FOR_ADMIN: &[i64] = calls![
    SYS_mount SYS_umount2 SYS_pivot_root SYS_unshare SYS_setns SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick
    SYS_move_mount SYS_open_tree SYS_mount_setattr SYS_sethostname SYS_setdomainname SYS_fanotify_init
    SYS_fanotify_mark SYS_quotactl SYS_quotactl_fd
];

/// `CLONE_NEW*`: a plain `clone` may set none of them.
const NAMESPACE_FLAGS: u64 = 0x7E02_0000;

/// The programs of the default profile for a container with the capabilities `caps`, in the order in which they are to be
/// loaded.
///
/// # Errors
/// When the machine's architecture has no filter.
pub fn default_profile(caps: CapSet) -> Result<Vec<Program>, SeccompError> {
    let admin = caps.iter().any(|cap| cap.to_string() == "SYS_ADMIN");
    let refused: Vec<i64> =
        if admin { REFUSED.to_vec() } else { [REFUSED, REFUSED_BUT_FOR_ADMIN].concat() };
    let mut known: BTreeMap<i64, Vec<SeccompRule>> =
        [ALLOWED, ALLOWED_HERE, REFUSED, REFUSED_BUT_FOR_ADMIN]
            .concat()
            .into_iter()
            .map(|call| (call, Vec::new()))
            .collect();
    let clone = if admin { Vec::new() } else { vec![no_namespaces()?] };
    known.insert(libc::SYS_clone, clone);
    if admin {
        known.insert(libc::SYS_clone3, Vec::new());
    }
    let allow = compile(known, SeccompAction::Errno(errno(libc::ENOSYS)), SeccompAction::Allow)?;
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
        refused.into_iter().map(|call| (call, Vec::new())).collect();
    refused.insert(libc::SYS_socket, vec![to_other_machines()?]);
    let refuse = compile(refused, SeccompAction::Allow, SeccompAction::Errno(errno(libc::EPERM)))?;
    Ok(vec![refuse, allow])
}

fn errno(number: i32) -> u32 {
    number.unsigned_abs()
}

/// Matches a `clone` that makes no namespace. `clone3` hides its flags behind a pointer, so it is answered ENOSYS, on which
/// every C library falls back to `clone`.
fn no_namespaces() -> Result<SeccompRule, SeccompError> {
    let flags = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(NAMESPACE_FLAGS),
        0,
    )?;
    Ok(SeccompRule::new(vec![flags])?)
}

/// Matches a `socket` that reaches the host or virtual machines past every network namespace, as the default filters of other
/// engines do.
fn to_other_machines() -> Result<SeccompRule, SeccompError> {
    let family = u64::from(libc::AF_VSOCK.unsigned_abs());
    // The kernel reads an int: what stands above it must not hide the family.
    let vsock = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family)?;
    Ok(SeccompRule::new(vec![vsock])?)
}

fn compile(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<Program, SeccompError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let program: BpfProgram = SeccompFilter::new(rules, otherwise, matched, arch)?.try_into()?;
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for step in &program {
        bytes.extend_from_slice(&step.code.to_ne_bytes());
        bytes.extend_from_slice(&[step.jt, step.jf]);
        bytes.extend_from_slice(&step.k.to_ne_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_fit_the_kernels_bound() {
        for caps in [CapSet::app_default(), CapSet::all()] {
            let programs = default_profile(caps).unwrap();
            assert_eq!(programs.len(), 2);
            for program in programs {
                assert!(program.len().is_multiple_of(8) && program.len() / 8 < 4096);
            }
        }
    }

    #[test]
    fn nothing_is_allowed_and_refused() {
        for call in [REFUSED, REFUSED_BUT_FOR_ADMIN].concat() {
            assert!(!ALLOWED.contains(&call) && !ALLOWED_HERE.contains(&call), "{call}");
        }
    }
}
