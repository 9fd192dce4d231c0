//! What the syscall filter and the capabilities forbid, tried from inside as root: each call by itself, with the error that is said.

use volt_e2e::{Host, on_hosts};

/// A call and its arguments as perl has them.
type Call = (i64, &'static str);

/// Refused with EPERM by the filter alone: without it the kernel does it, or says something else.
const REFUSED: [Call; 14] = [
    // KEYCTL_GET_KEYRING_ID of the process's keyring, made where there is none.
    (libc::SYS_keyctl, "0, -2, 1"),
    (libc::SYS_add_key, "$user, $word, $word, 1, -2"),
    (libc::SYS_request_key, "$user, $none, 0, 0"),
    (libc::SYS_io_uring_setup, "0, 0"),
    (libc::SYS_io_uring_enter, "-1, 0, 0, 0, 0, 0"),
    (libc::SYS_io_uring_register, "-1, 0, 0, 0"),
    // UFFD_USER_MODE_ONLY
    (libc::SYS_userfaultfd, "1"),
    (libc::SYS_kcmp, "$$, $$, 1, 0, 0"),
    (libc::SYS_get_mempolicy, "0, 0, 0, 0, 0"),
    (libc::SYS_set_mempolicy, "0, 0, 0"),
    (libc::SYS_name_to_handle_at, "-1, $none, 0, 0, 0"),
    (libc::SYS_perf_event_open, "0, 0, -1, -1, 0"),
    (libc::SYS_setns, "-1, 0"),
    (libc::SYS_unshare, "0"),
];

/// Refused with EPERM by the filter, whatever the kernel would say to whoever is not the host's root.
const REFUSED_ANYWAY: [i64; 22] = [
    libc::SYS_bpf,
    libc::SYS_open_by_handle_at,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_fsopen,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_sethostname,
    libc::SYS_quotactl,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
];

/// Not in the filter's list, so answered ENOSYS, on which libraries fall back; the kernel has them.
const UNKNOWN: [Call; 3] =
    [(libc::SYS_clone3, "0, 0"), (libc::SYS_modify_ldt, "0, $room, 8"), (libc::SYS_sysfs, "3")];

/// A script of perl that writes for each call the number of its error, or 0.
fn script<'a>(calls: impl IntoIterator<Item = (i64, &'a str)>) -> String {
    let each = calls.into_iter().map(|(number, arguments)| {
        format!("$! = 0; print syscall({number}, {arguments}) < 0 ? $! + 0 : 0, \"\\n\"; ")
    });
    let prelude = "($user, $word, $none, $room) = ('user', 'word', 'none', ' ' x 64); ";
    prelude.to_owned() + &each.collect::<String>()
}

/// What the calls of `script` answered.
#[track_caller]
fn answers(host: &Host, words: &[&str], script: &str) -> Vec<i32> {
    let said = host.volt(&[words, &["perl", "-e", script]].concat()).ok();
    said.lines().map(|line| line.parse().unwrap()).collect()
}

on_hosts! {
    fn container_syscalls_are_refused_by_the_filter(host) {
        host.debian();
        let (_one, _other) = (host.container("filtered"), host.container("unfiltered"));
        host.volt(&["run", "-d", "--name", "filtered", "debian", "sleep", "1000"]).ok();
        host.volt(&["run", "-d", "--name", "unfiltered", "--seccomp", "unconfined", "debian", "sleep", "1000"]).ok();
        let all = script([&REFUSED[..], &UNKNOWN].concat());
        let wanted = [vec![libc::EPERM; REFUSED.len()], vec![libc::ENOSYS; UNKNOWN.len()]].concat();
        // As the first command, and as one that joins.
        assert_eq!(answers(host, &["run", "--rm", "debian"], &all), wanted);
        assert_eq!(answers(host, &["exec", "filtered"], &all), wanted);
        for words in [&["run", "--rm", "--seccomp", "unconfined", "debian"][..], &["exec", "unfiltered"]] {
            let otherwise = answers(host, words, &all);
            assert!(otherwise.len() == wanted.len() && !otherwise.iter().any(|error| [libc::EPERM, libc::ENOSYS].contains(error)), "{words:?}: {otherwise:?}");
        }
        let anyway = script(REFUSED_ANYWAY.map(|number| (number, "0, 0, 0, 0, 0, 0")));
        assert_eq!(answers(host, &["exec", "filtered"], &anyway), vec![libc::EPERM; REFUSED_ANYWAY.len()]);
        // What is refused but for the filter is still refused by the missing capability.
        for line in ["hostname other", "mount -t tmpfs none /mnt"] {
            assert_ne!(host.volt(&["exec", "unfiltered", "sh", "-c", line]).code, 0, "{line}");
        }
        assert_eq!(host.volt(&["exec", "unfiltered", "sed", "-n", "s/^Seccomp:.//p", "/proc/self/status"]).ok(), "0");
        assert_eq!(host.volt(&["exec", "unfiltered", "sed", "-n", "s/^NoNewPrivs:.//p", "/proc/self/status"]).ok(), "1");
    }
}

on_hosts! {
    fn container_syscalls_that_administration_needs(host) {
        host.debian();
        let _guard = host.container("admin");
        host.volt(&["run", "-d", "--name", "admin", "--cap-add", "SYS_ADMIN", "debian", "sleep", "1000"]).ok();
        host.volt(&["exec", "admin", "sh", "-c", "hostname other && mount -t tmpfs none /mnt && umount /mnt && unshare --mount --uts true"]).ok();
        // Its name is its own.
        assert_ne!(host.sh("hostname").ok(), "other");
        let mut still = REFUSED.to_vec();
        still.retain(|(number, _)| ![libc::SYS_setns, libc::SYS_unshare].contains(number));
        still.push((libc::SYS_bpf, "0, 0, 0"));
        let wanted = vec![libc::EPERM; still.len()];
        assert_eq!(answers(host, &["exec", "admin"], &script(still)), wanted);
    }
}

/// What a capability allows: a line of shell, typed by root inside, that needs it.
const NEEDS: [(&str, &str); 9] = [
    ("CHOWN", "chown 5:5 /srv/own"),
    ("DAC_OVERRIDE", "cat /srv/closed"),
    ("FOWNER", "chmod 600 /srv/others"),
    ("FSETID", "chmod 2755 /srv/group && test -g /srv/group"),
    ("KILL", "kill -0 2"),
    ("SETGID", "perl -e '$) = 7; exit($) == 7 ? 0 : 1)'"),
    ("SETUID", "perl -e '$> = 7; exit($> == 7 ? 0 : 1)'"),
    ("SYS_CHROOT", "chroot / true"),
    ("SYS_ADMIN", "hostname other"),
];
/// How many of them every container has.
const GIVEN: usize = 7;

on_hosts! {
    fn container_capabilities_are_felt_inside(host) {
        host.debian();
        let _guard = host.container("felt");
        drop(host.volt(&["volume", "delete", "felt"]));
        host.volt(&["volume", "create", "felt"]).ok();
        // Files of another user and group; what runs first is that user's too.
        let files = "cd /srv && touch own closed others group && chmod 0 closed && chown 7:7 closed others && chown 0:7 group";
        host.volt(&["run", "--rm", "-v", "felt:/srv", "debian", "sh", "-c", files]).ok();
        for (flag, words, allowed) in [("--label", "as=it-is", GIVEN), ("--cap-drop", "ALL", 0), ("--cap-add", "SYS_CHROOT,SYS_ADMIN", NEEDS.len())] {
            host.volt(&["run", "-d", "--name", "felt", "--user", "7:7", "-v", "felt:/srv", flag, words, "debian", "sleep", "1000"]).ok();
            for (index, (capability, line)) in NEEDS.iter().enumerate() {
                let output = host.volt(&["exec", "--user", "0", "felt", "sh", "-c", line]);
                assert_eq!(output.code == 0, index < allowed, "{flag} {words}, {capability}: {output:?}");
            }
            host.volt(&["delete", "--force", "felt"]).ok();
        }
        host.volt(&["volume", "delete", "felt"]).ok();
    }
}
