//! The files that ship with Volt, for an installation without a package. They are in the binary as they are in the repository.

use std::path::{Path, PathBuf};

/// Where the package puts Volt's binary, as the shipped units name it.
const PACKAGED: &str = "/usr/bin/volt";
/// A unit that only the package puts here.
const PACKAGED_UNIT: &str = "usr/lib/systemd/system/volt-container@.service";

/// Place below the root, and text.
const FILES: [(&str, &str); 27] = [
    ("etc/systemd/system/volt.socket", include_str!("../../../../systemd/volt.socket")),
    ("etc/systemd/system/volt.service", include_str!("../../../../systemd/volt.service")),
    (
        "etc/systemd/system/volt-container@.service",
        include_str!("../../../../systemd/volt-container@.service"),
    ),
    (
        "etc/systemd/system/volt-compose@.target",
        include_str!("../../../../systemd/volt-compose@.target"),
    ),
    (
        "etc/systemd/system/volt-prepare@.service",
        include_str!("../../../../systemd/volt-prepare@.service"),
    ),
    (
        "etc/systemd/system/volt-exited@.service",
        include_str!("../../../../systemd/volt-exited@.service"),
    ),
    ("etc/systemd/system/volt-dns.service", include_str!("../../../../systemd/volt-dns.service")),
    (
        "etc/systemd/system/volt-health.service",
        include_str!("../../../../systemd/volt-health.service"),
    ),
    ("etc/systemd/system/volt-health.path", include_str!("../../../../systemd/volt-health.path")),
    (
        "etc/systemd/system/volt-healthy@.service",
        include_str!("../../../../systemd/volt-healthy@.service"),
    ),
    (
        "etc/systemd/system/volt-service-healthy@.service",
        include_str!("../../../../systemd/volt-service-healthy@.service"),
    ),
    (
        "etc/systemd/system/volt-completed@.service",
        include_str!("../../../../systemd/volt-completed@.service"),
    ),
    (
        "etc/systemd/system/volt-service-completed@.service",
        include_str!("../../../../systemd/volt-service-completed@.service"),
    ),
    (
        "etc/systemd/system/volt-task-completed@.service",
        include_str!("../../../../systemd/volt-task-completed@.service"),
    ),
    (
        "etc/systemd/system/volt-reopen@.service",
        include_str!("../../../../systemd/volt-reopen@.service"),
    ),
    ("etc/systemd/system/volt-boot.service", include_str!("../../../../systemd/volt-boot.service")),
    (
        "etc/systemd/system/volt-firewall.service",
        include_str!("../../../../systemd/volt-firewall.service"),
    ),
    (
        "etc/systemd/system/volt-network.service",
        include_str!("../../../../systemd/volt-network.service"),
    ),
    (
        "etc/systemd/system/volt-proxy@.service",
        include_str!("../../../../systemd/volt-proxy@.service"),
    ),
    (
        "etc/systemd/system/volt-dhcp@.service",
        include_str!("../../../../systemd/volt-dhcp@.service"),
    ),
    (
        "etc/systemd/system/volt-scrub.service",
        include_str!("../../../../systemd/volt-scrub.service"),
    ),
    (
        "etc/systemd/system/volt-stacks.service",
        include_str!("../../../../systemd/volt-stacks.service"),
    ),
    ("etc/systemd/system/volt-scrub.timer", include_str!("../../../../systemd/volt-scrub.timer")),
    (
        "etc/systemd/network/10-volt.network",
        include_str!("../../../../systemd/network/10-volt.network"),
    ),
    ("etc/sysusers.d/volt.conf", include_str!("../../../../systemd/sysusers.d/volt.conf")),
    ("etc/logrotate.d/volt", include_str!("../../../../packaging/logrotate.d/volt")),
    ("etc/tmpfiles.d/volt.conf", include_str!("../../../../systemd/tmpfiles.d/volt.conf")),
];

/// Whether a package has installed them already.
pub(super) fn by_package(root: &Path) -> bool {
    root.join(PACKAGED_UNIT).exists()
}

/// Where each goes, and what it says for a binary that lies at `volt`.
pub(super) fn files(root: &Path, volt: &Path) -> Vec<(PathBuf, String)> {
    let volt = volt.to_string_lossy();
    FILES.iter().map(|(path, text)| (root.join(path), text.replace(PACKAGED, &volt))).collect()
}
