//! The peer that a person writes by hand: a unit that runs systemd-nspawn with nspawn's own seccomp
//! filter on an overlay, in a user namespace and a network namespace of its own, as ours is.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use super::clock::{command, run};
use super::{first, tree};
use crate::run::{Context, Result};

/// What ours takes away too, of what nspawn leaves by default.
const DROPPED: &str = "CAP_DAC_READ_SEARCH,CAP_LINUX_IMMUTABLE,CAP_NET_BROADCAST,CAP_NET_RAW,\
     CAP_IPC_OWNER,CAP_SYS_CHROOT,CAP_SYS_PTRACE,CAP_SYS_ADMIN,CAP_SYS_BOOT,CAP_SYS_NICE,\
     CAP_SYS_RESOURCE,CAP_SYS_TTY_CONFIG,CAP_MKNOD,CAP_LEASE,CAP_AUDIT_WRITE,CAP_AUDIT_CONTROL";

/// One such unit, with its ids, network namespace and idmapped view of the tree.
pub(super) struct Peer {
    name: String,
    base: u32,
}

impl Peer {
    /// Writes the unit and makes what a person would make once: the network namespace, the view.
    pub(super) fn new(number: u32, words: &[&str]) -> Result<Self> {
        // Far from what ours hands out.
        let peer = Self { name: format!("peer{number}"), base: 0x4000_0000 + number * 65536 };
        let tree = tree::unpacked()?;
        fs::create_dir_all(peer.path("view")).context(|| peer.name.clone())?;
        let map = format!("X-mount.idmap=b:0:{}:65536", peer.base);
        run(&["mount", "--bind", "--options", &map, &tree, &peer.path("view")])?;
        run(&["ip", "netns", "add", &peer.name])?;
        for file in ["hosts", "resolv.conf"] {
            fs::write(peer.path(file), "127.0.0.1 localhost\n").context(|| peer.path(file))?;
        }
        let path = format!("/run/systemd/system/{}", peer.unit());
        fs::create_dir_all("/run/systemd/system").context(|| path.clone())?;
        fs::write(&path, peer.text(words)).context(|| path.clone())?;
        Ok(peer)
    }

    /// `peerN.service`.
    pub(super) fn unit(&self) -> String {
        format!("{}.service", self.name)
    }

    fn path(&self, last: &str) -> String {
        format!("{}/{}/{last}", tree::PLACE, self.name)
    }

    fn text(&self, words: &[&str]) -> String {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let folder = format!("{}:{}", first::FOLDER, first::INSIDE);
        format!(
            "[Unit]\nStartLimitIntervalSec=0\n\
             [Service]\nType=notify\n\
             ExecStart=:/usr/bin/systemd-nspawn --quiet --keep-unit --register=yes --machine={name} \
             --hostname={name} --directory={root} --link-journal=no --resolv-conf=off --timezone=off \
             --console=pipe --private-users={base}:65536 --private-users-ownership=off \
             --kill-signal=SIGKILL --drop-capability={DROPPED} \
             --bind-ro={hosts}:/etc/hosts --bind-ro={resolv}:/etc/resolv.conf \
             --bind={folder}:idmap {command}\n\
             NetworkNamespacePath=/run/netns/{name}\nKillMode=mixed\nSlice=system.slice\n\
             Delegate=yes\nDevicePolicy=closed\nTasksMax=16384\n",
            name = self.name,
            root = self.path("root"),
            base = self.base,
            hosts = self.path("hosts"),
            resolv = self.path("resolv.conf"),
            command = quoted.join(" "),
        )
    }

    /// Makes the overlay.
    pub(super) fn mount(&self) -> Result<()> {
        for folder in ["upper", "work", "root"] {
            let path = self.path(folder);
            fs::create_dir(&path).context(|| path.clone())?;
            chown(&path, Some(self.base), Some(self.base)).context(|| path.clone())?;
        }
        let (view, upper, work) = (self.path("view"), self.path("upper"), self.path("work"));
        let options = format!("nodev,lowerdir={view},upperdir={upper},workdir={work}");
        let root = self.path("root");
        run(&["mount", "-t", "overlay", "-o", &options, "overlay", &root])
    }

    /// Takes it away with what was written.
    pub(super) fn unmount(&self) -> Result<()> {
        run(&["umount", &self.path("root")])?;
        for folder in ["upper", "work", "root"] {
            let path = self.path(folder);
            fs::remove_dir_all(&path).context(|| path.clone())?;
        }
        // Some versions of nspawn leave their lock beside the root.
        crate::cache::remove(Path::new(&self.path(".#root.lck")))
    }

    /// Takes away all that [`Peer::new`] made.
    pub(super) fn remove(self) -> Result<()> {
        run(&["ip", "netns", "delete", &self.name])?;
        run(&["umount", &self.path("view")])?;
        let path = format!("/run/systemd/system/{}", self.unit());
        fs::remove_file(&path).context(|| path.clone())?;
        let folder = format!("{}/{}", tree::PLACE, self.name);
        fs::remove_dir_all(&folder).context(|| folder.clone())
    }
}

/// Stops units, however they take it.
pub(super) fn stop(units: &[String]) -> Result<()> {
    let words = |verb| {
        let mut words = vec!["systemctl", verb];
        words.extend(units.iter().map(String::as_str));
        words
    };
    run(&words("stop"))?;
    // Killed means failed, and what failed would not be loaded anew.
    let _none_failed = command(&words("reset-failed")).succeeds();
    Ok(())
}
