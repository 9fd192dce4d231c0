//! Where everything lies. Every path hangs from one root, so a test or a user without root can move them all.

use crate::name::Name;
use std::path::{Path, PathBuf};

/// The folders of one installation of Volt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Configuration, `/etc/volt`.
    pub etc: PathBuf,
    /// What must not be lost, `/var/lib/volt`.
    pub lib: PathBuf,
    /// What lives until the next boot, `/run/volt`.
    pub run: PathBuf,
    /// What may be deleted at any time, `/var/cache/volt`.
    pub cache: PathBuf,
    /// Logs, `/var/log/volt`.
    pub log: PathBuf,
    /// Where systemd reads the administrator's units, `/etc/systemd/system`.
    pub units: PathBuf,
    /// Where systemd reads units that live until the next boot, `/run/systemd/system`.
    pub runtime_units: PathBuf,
    /// Where named network namespaces are bound, `/run/netns`.
    pub netns: PathBuf,
    /// The root they hang from, when it is not `/`.
    pub root: Option<PathBuf>,
    /// The configuration file, where it is not the one in `etc`.
    pub config: Option<PathBuf>,
}

impl Paths {
    /// Below `root`, as the file system hierarchy draws them.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self {
            etc: root.join("etc/volt"),
            lib: root.join("var/lib/volt"),
            run: root.join("run/volt"),
            cache: root.join("var/cache/volt"),
            log: root.join("var/log/volt"),
            units: root.join("etc/systemd/system"),
            runtime_units: root.join("run/systemd/system"),
            netns: root.join("run/netns"),
            root: (root != Path::new("/")).then(|| root.to_owned()),
            config: None,
        }
    }

    /// A user's own, from the XDG folders, for the backend that needs no root.
    #[must_use]
    pub fn of_user(xdg: &Xdg) -> Self {
        Self {
            etc: xdg.config.join("volt"),
            lib: xdg.data.join("volt"),
            run: xdg.runtime.join("volt"),
            cache: xdg.cache.join("volt"),
            log: xdg.state.join("volt"),
            units: xdg.config.join("systemd/user"),
            runtime_units: xdg.runtime.join("systemd/user"),
            netns: xdg.runtime.join("volt/netns"),
            root: None,
            config: None,
        }
    }

    /// The API's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run.join("volt.sock")
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| self.etc.join("config.yaml"))
    }

    /// The audit trail.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.log.join("audit.log")
    }

    /// The folder of all containers.
    #[must_use]
    pub fn containers(&self) -> PathBuf {
        self.lib.join("containers")
    }

    /// What is kept of one container.
    #[must_use]
    pub fn container(&self, name: &Name) -> PathBuf {
        self.containers().join(name.as_str())
    }

    /// What lives while one container is prepared.
    #[must_use]
    pub fn container_run(&self, name: &Name) -> PathBuf {
        self.run.join("containers").join(name.as_str())
    }

    /// The network namespace of a container.
    #[must_use]
    pub fn container_netns(&self, name: &Name) -> PathBuf {
        self.netns.join(format!("volt-{name}"))
    }

    /// The folder of all services.
    #[must_use]
    pub fn services(&self) -> PathBuf {
        self.lib.join("services")
    }

    /// What is kept of one service.
    #[must_use]
    pub fn service(&self, name: &Name) -> PathBuf {
        self.services().join(name.as_str())
    }

    /// The folder of all tasks.
    #[must_use]
    pub fn tasks(&self) -> PathBuf {
        self.lib.join("tasks")
    }

    /// What is kept of one task.
    #[must_use]
    pub fn task(&self, name: &Name) -> PathBuf {
        self.tasks().join(name.as_str())
    }

    /// The stacks that were brought up.
    #[must_use]
    pub fn stacks(&self) -> PathBuf {
        self.lib.join("stacks")
    }

    /// The networks that were asked for.
    #[must_use]
    pub fn networks(&self) -> PathBuf {
        self.lib.join("networks")
    }

    /// The bridges that belong to no network.
    #[must_use]
    pub fn bridges(&self) -> PathBuf {
        self.lib.join("bridges")
    }

    /// Who may reach whom, between workloads, as the user writes it.
    #[must_use]
    pub fn network_policies(&self) -> PathBuf {
        self.etc.join("network-policies.json")
    }

    /// The rules of the firewall as the user writes them.
    #[must_use]
    pub fn firewall_rules(&self) -> PathBuf {
        self.etc.join("firewall-rules.json")
    }

    /// Both as they were last found good.
    #[must_use]
    pub fn orders(&self) -> PathBuf {
        self.lib.join("firewall.json")
    }

    /// The TAP interfaces that were asked for.
    #[must_use]
    pub fn taps(&self) -> PathBuf {
        self.lib.join("taps")
    }

    /// What the servers of addresses read and write, a folder for each network that has one.
    #[must_use]
    pub fn dhcp(&self) -> PathBuf {
        self.run.join("dhcp")
    }

    /// What workloads have of networks while they are connected.
    #[must_use]
    pub fn attached(&self) -> PathBuf {
        self.run.join("networks")
    }

    /// What was put back of networks that another program had taken away.
    #[must_use]
    pub fn restored(&self) -> PathBuf {
        self.run.join("restored")
    }

    /// What is being fetched of images, and was by a pull that broke off.
    #[must_use]
    pub fn downloads(&self) -> PathBuf {
        self.cache.join("blobs")
    }

    /// The database of what must be unique: addresses.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.lib.join("volt.db")
    }

    /// The folder of all volumes.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.lib.join("volumes")
    }

    /// The claims on ranges of user ids.
    #[must_use]
    pub fn ids(&self) -> PathBuf {
        self.lib.join("ids")
    }

    /// Changes of several steps that are under way.
    #[must_use]
    pub fn intents(&self) -> PathBuf {
        self.lib.join("intents")
    }

    /// Stages: what is built before it is published.
    #[must_use]
    pub fn stages(&self) -> PathBuf {
        self.lib.join("tmp")
    }

    /// What the server of names answers from ([`crate::dns::Table`]).
    #[must_use]
    pub fn dns_table(&self) -> PathBuf {
        self.run.join("dns.json")
    }

    /// Checks of workloads' health as the user writes them, `NAME.yaml` each.
    #[must_use]
    pub fn health_checks(&self) -> PathBuf {
        self.etc.join("health")
    }

    /// How workloads are.
    #[must_use]
    pub fn health(&self) -> PathBuf {
        self.run.join("health")
    }

    /// How workloads were.
    #[must_use]
    pub fn health_history(&self) -> PathBuf {
        self.lib.join("health")
    }

    /// Lock files.
    #[must_use]
    pub fn locks(&self) -> PathBuf {
        self.run.join("locks")
    }

    /// Links to the generated unit files.
    #[must_use]
    pub fn unit_links(&self) -> PathBuf {
        self.lib.join("units")
    }
}

/// A user's folders, as the XDG base directory specification names them; whoever reads the environment fills it in.
#[derive(Clone, Debug)]
pub struct Xdg {
    /// `XDG_CONFIG_HOME`, `~/.config`.
    pub config: PathBuf,
    /// `XDG_DATA_HOME`, `~/.local/share`.
    pub data: PathBuf,
    /// `XDG_STATE_HOME`, `~/.local/state`.
    pub state: PathBuf,
    /// `XDG_CACHE_HOME`, `~/.cache`.
    pub cache: PathBuf,
    /// `XDG_RUNTIME_DIR`, `/run/user/UID`.
    pub runtime: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_documented_tree() {
        let paths = Paths::below(Path::new("/"));
        assert_eq!(paths.socket(), Path::new("/run/volt/volt.sock"));
        assert_eq!(
            paths.container(&"web".parse().unwrap()),
            Path::new("/var/lib/volt/containers/web")
        );
        assert_eq!(paths.root, None);
        assert_eq!(Paths::below(Path::new("/x")).etc, Path::new("/x/etc/volt"));
    }
}
