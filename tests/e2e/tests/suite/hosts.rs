//! The test hosts themselves: that nothing is left of one, however it ended, and that two can be joined.

use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use volt_e2e::{Host, PrivateHost, here, xtask, xtask_command};

/// `host up` under way.
struct Up {
    child: Child,
    said: File,
}

impl Up {
    /// Its exit code and what it said, within the time that a VM has to come up.
    #[track_caller]
    fn ends(mut self) -> (Option<i32>, String) {
        let end = Instant::now() + Duration::from_secs(240);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "'host up' does not end: {}", self.says());
            std::thread::sleep(Duration::from_millis(20));
        };
        (status.code(), self.says())
    }

    fn says(&mut self) -> String {
        let mut said = String::new();
        self.said.rewind().unwrap();
        self.said.read_to_string(&mut said).unwrap();
        said
    }
}

/// A host by its name alone, up or not.
struct Trial {
    name: String,
    options: &'static [&'static str],
}

impl Trial {
    fn new(purpose: &str, options: &'static [&'static str]) -> Self {
        let trial = Self { name: Host::shared(purpose).name().to_owned(), options };
        trial.down();
        trial
    }

    /// Begins to bring it up.
    fn begin(&self) -> Up {
        let words = [&["host", "up", &self.name, "--no-build"], self.options].concat();
        // Not a pipe: what a killed one leaves running would hold it.
        let said = File::from(memfd_create("said", MemfdFlags::CLOEXEC).unwrap());
        let mut up = xtask_command();
        up.args(words).stdin(Stdio::null()).stderr(said.try_clone().unwrap());
        Up { child: up.spawn().unwrap(), said }
    }

    fn up(&self) -> Host {
        let (code, said) = self.begin().ends();
        assert_eq!(code, Some(0), "{said}");
        Host::named(&self.name)
    }

    fn down(&self) {
        xtask(&["host", "down", &self.name]);
    }

    /// What is known of it, if anything.
    fn state(&self) -> Option<Value> {
        let output = xtask_command().args(["host", "inspect", &self.name]).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// The processes of it: in its part of the cgroup tree, or with its name on their command line.
    fn processes(&self) -> Vec<String> {
        let group = format!("/{}/", self.name);
        let each = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let text = |folder: &Path, file: &str| {
            let bytes = fs::read(folder.join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let ours = each.filter(|folder| {
            text(folder, "cmdline").split('\0').any(|word| word == self.name)
                || text(folder, "cgroup").contains(&group)
        });
        // With what they are and do, for whoever wonders why they are there.
        let told = |folder: PathBuf| {
            let words = text(&folder, "cmdline").replace('\0', " ");
            let (stat, group) = (text(&folder, "stat"), text(&folder, "cgroup"));
            format!("{words}\n{stat}{group}")
        };
        ours.map(told).collect()
    }

    #[track_caller]
    fn no_processes(&self) {
        // The memory of a VM takes its time to be given back where others compute.
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "processes are left:\n{}", left.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// That the machine has nothing of it any more: it was taken away, and `before` is what the machine had before it was there.
    #[track_caller]
    fn nothing_is_left(&self, before: &Machine) {
        self.no_processes();
        assert_eq!(self.state(), None);
        let after = Machine::now();
        let new = |after: &[String], before: &[String]| -> Vec<String> {
            after.iter().filter(|line| !before.contains(line)).cloned().collect()
        };
        // Others come and go meanwhile; theirs do not have our name.
        let ours = |lines: Vec<String>| -> Vec<String> {
            lines.into_iter().filter(|line| line.contains(&self.name)).collect()
        };
        assert_eq!(ours(after.mounts), [""; 0]);
        assert_eq!(ours(after.files), [""; 0]);
        assert_eq!(ours(after.loops), [""; 0]);
        let status = xtask_command().args(["host", "status"]).output().unwrap();
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(!status.contains(&self.name), "{status}");
        // Interfaces don't have it, but nobody else's stay that long.
        let end = Instant::now() + Duration::from_secs(10);
        while new(&Machine::now().interfaces, &before.interfaces) != [""; 0] {
            let now = here("ip -details link");
            assert!(Instant::now() < end, "before: {:?}, now:\n{now}", before.interfaces);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What a machine has that a host could leave.
struct Machine {
    mounts: Vec<String>,
    interfaces: Vec<String>,
    files: Vec<String>,
    loops: Vec<String>,
}

impl Machine {
    fn now() -> Self {
        let lines = |file: &str| -> Vec<String> {
            fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
        };
        let names = |folder: &Path| -> Vec<String> {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path().display().to_string()).collect()
        };
        let mounts = lines("/proc/self/mountinfo");
        // Where hosts keep what they have: their state (and the sockets of a VM), their disks, their cgroups.
        let groups = mounts.iter().filter(|line| line.contains(" - cgroup2 "));
        let groups = groups.filter_map(|line| line.split(' ').nth(4));
        let mut files = names(Path::new("/run/volt-xtask/hosts"));
        files.extend(names(Path::new("/var/cache/volt-xtask/hosts")));
        files.extend(groups.flat_map(|place| names(&Path::new(place).join("volt-xtask"))));
        let block = names(Path::new("/sys/block"));
        let loops = block.iter().map(|device| lines(&format!("{device}/loop/backing_file")));
        Self {
            interfaces: names(Path::new("/sys/class/net")),
            files,
            loops: loops.flatten().collect(),
            mounts,
        }
    }
}

/// The process that holds a host: the keeper of one in namespaces, QEMU of a VM.
fn kill_keeper(trial: &Trial) {
    here(&format!("kill -KILL {}", trial.state().unwrap()["keeper"]["pid"]));
}

/// Kills `host up` after each of these times, and takes away what it had made by then.
fn killed_while_it_comes_up(trial: &Trial, moments: &[u64], before: &Machine) {
    for moment in moments {
        let mut up = trial.begin();
        std::thread::sleep(Duration::from_millis(*moment));
        up.child.kill().unwrap();
        up.child.wait().unwrap();
        trial.down();
        trial.nothing_is_left(before);
    }
}

mod hosts_leave_nothing_when_killed {
    use super::*;

    #[test]
    fn t2_hosts() {
        let trial = Trial::new("killed", &["--no-volt"]);
        let before = Machine::now();
        killed_while_it_comes_up(&trial, &[5, 30, 60, 100, 150, 250, 500], &before);

        // With all that a test may have left in it.
        let host = trial.up();
        host.sh(&format!(
            "truncate -s 8M /tmp/{name}-data /root/{name}-root && losetup -f /tmp/{name}-data && losetup -f /root/{name}-root && \
             mkfs.ext4 -q /tmp/{name}-data && mount -o loop /tmp/{name}-data /mnt && ip netns add inner && ip link add left type veth peer right netns inner && \
             systemd-run --quiet --unit stays sleep 100000 && setsid -f sleep 100000 >/dev/null 2>&1",
            name = trial.name
        )).ok();
        assert!(!trial.processes().is_empty());
        assert!(Machine::now().loops.iter().any(|file| file.contains(&trial.name)));
        kill_keeper(&trial);
        trial.no_processes();
        trial.down();
        trial.nothing_is_left(&before);

        // `host down` itself, and then it is asked once more.
        for moment in [5, 20, 60, 150] {
            let _host = trial.up();
            let mut down = xtask_command().args(["host", "down", &trial.name]).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(moment));
            down.kill().unwrap();
            down.wait().unwrap();
            trial.down();
            trial.nothing_is_left(&before);
        }
    }

    #[test]
    fn t3_hosts() {
        let trial = Trial::new("vm-killed", &["--no-volt", "--vm"]);
        let before = Machine::now();
        killed_while_it_comes_up(&trial, &[50, 300, 1000, 4000], &before);
        let mut up = trial.begin();
        let end = Instant::now() + Duration::from_secs(120);
        while trial.state().is_none_or(|state| state["keeper"]["pid"] == 0) {
            assert!(Instant::now() < end, "no QEMU: {:?}: {}", trial.state(), up.says());
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_secs(2));
        assert!(trial.state().is_some(), "it ended by itself: {}", up.says());
        kill_keeper(&trial);
        // Who brings it up hears of it, and takes the rest away.
        let (code, said) = up.ends();
        assert!(code == Some(1) && said.contains("the VM has died"), "{code:?}: {said}");
        trial.nothing_is_left(&before);
    }
}

/// A page of one host, asked for from the other.
fn talk(server: &Host, client: &Host, address: &str) {
    client.until(Duration::from_secs(20), &format!("ping -c 1 -W 1 {address}"));
    server.sh(&format!("mkdir -p /srv-page && echo of {} > /srv-page/index.html && systemd-run --quiet --collect --unit page busybox httpd -f -p {address}:80 -h /srv-page", server.name())).ok();
    client.until(
        Duration::from_secs(20),
        &format!("curl -sf --max-time 5 http://{address}/ | grep 'of {}'", server.name()),
    );
    server.sh("systemctl stop page").ok();
}

mod hosts_are_linked {
    use super::*;

    #[test]
    fn t2_hosts() {
        let (one, other) = (lone("left", "trixie"), lone("right", "bookworm"));
        assert_ne!(one.sh("ping -c 1 -W 1 10.9.0.2").code, 0);
        xtask(&[
            "host",
            "link",
            &format!("{}:lan0=10.9.0.1/24", one.name()),
            &format!("{}=10.9.0.2/24", other.name()),
        ]);
        talk(&other, &one, "10.9.0.2");
        talk(&one, &other, "10.9.0.1");
        // A second cable, and no way around.
        xtask(&[
            "host",
            "link",
            &format!("{}:lan1=10.9.1.1/24", one.name()),
            &format!("{}:lan1=10.9.1.2/24", other.name()),
        ]);
        talk(&other, &one, "10.9.1.2");
        other.sh("ip link set lan1 down").ok();
        assert_ne!(one.sh("ping -c 1 -W 1 10.9.1.2").code, 0);
    }

    #[test]
    fn t3_trixie() {
        let vm = Host::shared("vm-trixie");
        let other = lone("beside", "trixie");
        let far = format!("{}:wan7=10.9.7.2/24", other.name());
        xtask(&["host", "link", &format!("{}:wan7=10.9.7.1/24", vm.name()), &far]);
        talk(&other, &vm, "10.9.7.2");
        talk(&vm, &other, "10.9.7.1");
        vm.sh("ip link set wan7 down").ok();
    }

    fn lone(purpose: &str, suite: &str) -> PrivateHost {
        Host::named(Host::shared(suite).name()).private(purpose)
    }
}
