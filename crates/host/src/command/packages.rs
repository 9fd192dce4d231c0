//! Which Debian package holds a program, so that an error can name what to install.

/// The Debian package of a program, where Volt knows it.
pub fn package_of(program: &str) -> Option<&'static str> {
    TABLE.iter().find(|(programs, _)| programs.contains(&program)).map(|(_, package)| *package)
}

const TABLE: &[(&[&str], &str)] = &[
    (&["systemd-nspawn", "machinectl"], "systemd-container"),
    (&["systemd-creds", "systemd-analyze"], "systemd"),
    (
        &["systemctl", "journalctl", "systemd-run", "systemd-analyze", "busctl", "systemd"],
        "systemd",
    ),
    (&["systemd-sysusers", "systemd-tmpfiles"], "systemd"),
    (&["dbus-daemon"], "dbus-daemon"),
    (&["debootstrap"], "debootstrap"),
    (&["proot"], "proot"),
    (&["nft"], "nftables"),
    (&["ip", "bridge", "tc", "ss"], "iproute2"),
    (&["tcpdump"], "tcpdump"),
    (&["getent", "ldd"], "libc-bin"),
    (&["tar"], "tar"),
    (&["gzip"], "gzip"),
    (&["xz"], "xz-utils"),
    (&["zstd"], "zstd"),
    (&["mkfs.erofs", "fsck.erofs"], "erofs-utils"),
    (&["mkfs.ext4", "e2fsck"], "e2fsprogs"),
    (&["mount", "umount", "losetup"], "mount"),
    (&["unshare", "nsenter", "setpriv"], "util-linux"),
    (&["newuidmap", "newgidmap"], "uidmap"),
    (&["git"], "git"),
    (&["qemu-system-x86_64"], "qemu-system-x86"),
    (&["qemu-img"], "qemu-utils"),
    (&["ssh"], "openssh-client"),
    (&["podman"], "podman"),
    (&["buildah"], "buildah"),
];
