//! What processes of a container may do and what is mounted for them, as the kernel tells them inside: exactly what ARCHITECTURE.md says.

use std::collections::BTreeSet;
use volt_e2e::{Host, on_hosts};

/// Of a booted container: nspawn's own set, but for NET_ADMIN and NET_BIND_SERVICE, which it gives only with a network that it has made.
const OF_A_SYSTEM: &str = "00000000fdecabff";
/// Of a command: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP SETFCAP.
const OF_A_COMMAND: &str = "00000000800001fb";

/// A mount that may be there: where, of which type (`*`: the host's disk), with which flags, and whether it has to be. What ends with `*`
/// stands for all below.
type Row = (&'static str, &'static str, &'static str, bool);

const OF_ALL: [Row; 33] = [
    ("/", "overlay", "rw,nodev", true),
    ("/tmp", "tmpfs", "rw,nosuid,nodev", true),
    ("/run", "tmpfs", "rw,nosuid,nodev", true),
    ("/dev", "tmpfs", "rw,nosuid", true),
    ("/dev/shm", "tmpfs", "rw,nosuid,nodev", true),
    ("/dev/pts", "devpts", "rw,nosuid,noexec", true),
    ("/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec", true),
    ("/sys", "sysfs", "ro,nosuid,nodev,noexec", true),
    ("/sys/fs/cgroup", "cgroup2", "rw,nosuid,nodev,noexec", true),
    ("/etc/hosts", "tmpfs", "ro,nosuid,nodev", true),
    ("/etc/hostname", "tmpfs", "ro,nosuid,nodev", true),
    ("/etc/resolv.conf", "tmpfs", "ro,nosuid,nodev", true),
    ("/proc", "proc", "rw,nosuid,nodev,noexec", true),
    ("/proc/sys", "proc", "ro,nosuid,nodev,noexec", true),
    // What this kernel has of them.
    ("/proc/acpi", "proc", "ro,nosuid,nodev,noexec", false),
    ("/proc/apm", "proc", "ro,nosuid,nodev,noexec", false),
    ("/proc/asound", "proc", "ro,nosuid,nodev,noexec", false),
    ("/proc/bus", "proc", "ro,nosuid,nodev,noexec", false),
    ("/proc/fs", "proc", "ro,nosuid,nodev,noexec", false),
    ("/proc/irq", "proc", "ro,nosuid,nodev,noexec", false),
    ("/proc/scsi", "proc", "ro,nosuid,nodev,noexec", false),
    // Empty files in place of what tells of the host, and a boot id of its own.
    ("/proc/kallsyms", "tmpfs", "ro,nosuid,nodev,noexec", false),
    ("/proc/kcore", "tmpfs", "ro,nosuid,nodev,noexec", false),
    ("/proc/keys", "tmpfs", "ro,nosuid,nodev,noexec", false),
    ("/proc/sysrq-trigger", "tmpfs", "ro,nosuid,nodev,noexec", false),
    ("/proc/timer_list", "tmpfs", "ro,nosuid,nodev,noexec", false),
    ("/proc/kmsg", "tmpfs", "rw,nosuid,nodev", true),
    ("/proc/sys/kernel/random/boot_id", "tmpfs", "ro,nosuid,nodev,noexec", true),
    // Where nspawn and machined reach in.
    ("/run/host", "tmpfs", "ro,nosuid,nodev,noexec", true),
    ("/run/host/os-release", "*", "ro,nosuid,nodev,noexec", true),
    ("/run/host/incoming", "tmpfs", "ro", true),
    ("/run/host/unix-export", "tmpfs", "rw,nosuid,nodev,noexec,nosymfollow", false),
    // Under the one above it.
    ("/proc/sys/kernel/random/boot_id", "tmpfs", "rw,nosuid,nodev", true),
];

/// Under those above them, with nspawn 252.
const OF_252: [Row; 2] = [
    ("/run/host/os-release", "*", "rw", false),
    ("/run/host/incoming", "tmpfs", "rw,nosuid,nodev", false),
];

const OF_COMMANDS: [Row; 2] =
    [("/run/.volt/init", "*", "ro", true), ("/run/.volt/spec", "tmpfs", "ro,nosuid,nodev", true)];

/// What the system inside mounts by itself.
const OF_SYSTEMS: [Row; 4] = [
    ("/run/lock", "tmpfs", "rw,nosuid,nodev,noexec", true),
    ("/run/user/*", "tmpfs", "rw,nosuid,nodev", false),
    ("/run/credentials/*", "ramfs", "ro,nosuid,nodev,noexec,nosymfollow", false),
    ("/run/credentials/*", "ramfs", "ro,nosuid,nodev,noexec", false),
];

fn inside(host: &Host, name: &str, words: &[&str]) -> String {
    host.volt(&[&["exec", name], words].concat()).ok()
}

/// What `/proc/PID/status` of a process inside has behind a key.
fn status(host: &Host, name: &str, pid: &str, key: &str) -> String {
    let text = inside(host, name, &["cat", &format!("/proc/{pid}/status")]);
    let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("{key} in {text}")).trim().to_owned()
}

#[track_caller]
fn check_mounts(host: &Host, name: &str, more: &[Row]) {
    let text = inside(host, name, &["cat", "/proc/self/mountinfo"]);
    let seen: Vec<(String, String, String)> = text
        .lines()
        .map(|line| {
            let (place, from) = line.split_once(" - ").unwrap();
            let place: Vec<&str> = place.split(' ').collect();
            let flags: Vec<&str> = place[5].split(',').filter(|flag| *flag != "relatime").collect();
            (place[4].to_owned(), from.split(' ').next().unwrap().to_owned(), flags.join(","))
        })
        .collect();
    let rows: Vec<&Row> = OF_ALL.iter().chain(&OF_252).chain(more).collect();
    let fits = |row: &Row, mount: &(String, String, String)| {
        let place = match row.0.strip_suffix('*') {
            Some(above) => mount.0.starts_with(above),
            None => mount.0 == row.0,
        };
        place && (row.1 == "*" || row.1 == mount.1) && row.2 == mount.2
    };
    let strange: Vec<_> =
        seen.iter().filter(|mount| !rows.iter().any(|row| fits(row, mount))).collect();
    let missing: Vec<_> =
        rows.iter().filter(|row| row.3 && !seen.iter().any(|mount| fits(row, mount))).collect();
    assert!(
        strange.is_empty() && missing.is_empty(),
        "not wanted: {strange:#?}\nmissing: {missing:#?}\nin\n{text}"
    );
}

/// Nodes of devices are those that every program needs; links and folders don't count.
#[track_caller]
fn check_devices(host: &Host, name: &str) {
    let line = "cd /dev && for node in $(find . -type b -o -type c | sort); do stat -c '%n %a %t:%T' $node; done";
    let text = inside(host, name, &["sh", "-c", line]);
    let mut wanted = BTreeSet::from([
        "./full 666 1:7",
        "./null 666 1:3",
        "./random 666 1:8",
        "./tty 666 5:0",
        "./urandom 666 1:9",
        "./zero 666 1:5",
        "./pts/ptmx 666 5:2",
    ]);
    // nspawn 257 lets those mount by FUSE who have a user namespace.
    let seen: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with("./pts/0 ") && *line != "./fuse 666 a:e5")
        .collect();
    if !seen.contains("./pts/ptmx 666 5:2") {
        wanted.remove("./pts/ptmx 666 5:2");
    }
    assert_eq!(seen, wanted);
}

#[track_caller]
fn check_ids(host: &Host, name: &str) {
    let base = host.volt(&["container", "inspect", name, "-o", "json"]).json()["id_base"]
        .as_u64()
        .unwrap();
    for map in ["uid_map", "gid_map"] {
        let text = inside(host, name, &["cat", &format!("/proc/self/{map}")]);
        let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(numbers, [0, base, 65_536], "{map}");
    }
}

on_hosts! {
    fn container_of_a_command_sees_and_may_do_just_this(host) {
        host.tiny();
        let _guard = host.container("just-this");
        host.volt(&["run", "-d", "--name", "just-this", "tiny", "sleep", "1000"]).ok();
        // What was executed first, and what exec has executed.
        for pid in ["2", "self"] {
            let has = |key: &str| status(host, "just-this", pid, key);
            for (key, value) in [
                ("CapInh", "0000000000000000"), ("CapPrm", OF_A_COMMAND), ("CapEff", OF_A_COMMAND), ("CapBnd", OF_A_COMMAND),
                ("CapAmb", "0000000000000000"), ("NoNewPrivs", "1"), ("Seccomp", "2"), ("Groups", ""),
            ] {
                assert_eq!(has(key), value, "{key} of {pid}");
            }
            assert!(has("Seccomp_filters").parse::<u32>().unwrap() >= 1);
        }
        check_ids(host, "just-this");
        check_mounts(host, "just-this", &OF_COMMANDS);
        check_devices(host, "just-this");
        assert_eq!(inside(host, "just-this", &["cat", "/etc/hostname"]), "just-this");
    }
}

on_hosts! {
    fn container_that_boots_sees_and_may_do_just_this(host) {
        host.system();
        let _guard = host.container("system-this");
        host.volt(&["run", "-d", "--name", "system-this", "system"]).ok();
        host.until(std::time::Duration::from_secs(90), "volt exec system-this systemctl is-system-running | grep -E '^(running|degraded)$'");
        for pid in ["1", "self"] {
            let has = |key: &str| status(host, "system-this", pid, key);
            for (key, value) in [
                ("CapPrm", OF_A_SYSTEM), ("CapEff", OF_A_SYSTEM), ("CapBnd", OF_A_SYSTEM), ("CapAmb", "0000000000000000"),
                ("NoNewPrivs", "0"), ("Seccomp", "2"),
            ] {
                assert_eq!(has(key), value, "{key} of {pid}");
            }
        }
        check_ids(host, "system-this");
        check_mounts(host, "system-this", &OF_SYSTEMS);
        check_devices(host, "system-this");
        // Its own namespaces, each.
        let pid = host.volt(&["container", "inspect", "system-this", "-o", "json"]).json()["pid"].as_u64().unwrap();
        for kind in ["mnt", "pid", "uts", "ipc", "net", "user", "cgroup"] {
            host.sh(&format!("test $(readlink /proc/{pid}/ns/{kind}) != $(readlink /proc/1/ns/{kind})")).ok();
        }
        for (what, line) in [
            ("write to sysctls", "echo 1 > /proc/sys/kernel/sysrq"),
            ("make a device", "mknod /root/null c 1 3 && echo x > /root/null"),
            ("set the clock", "date -s 2001-01-01"),
            ("remount /sys", "mount -o remount,rw /sys"),
        ] {
            let output = host.volt(&["exec", "system-this", "sh", "-c", line]);
            assert_ne!(output.code, 0, "it can {what}: {output:?}");
        }
    }
}
