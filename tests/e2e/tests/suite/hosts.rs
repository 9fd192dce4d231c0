//! The test hosts themselves: that nothing is left of one, however it ended, and that two can be joined.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use volt_e2e::{Host, PrivateHost, here, xtask, xtask_command};

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
    fn begin(&self) -> Child {
        let words = [&["host", "up", &self.name, "--no-build"], self.options].concat();
        xtask_command().args(words).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn up(&self) -> Host {
        assert!(self.begin().wait().unwrap().success());
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
        let ours = each.filter(|folder| {
            let text = |file: &str| fs::read(folder.join(file)).unwrap_or_default();
            let (words, groups) = (text("cmdline"), text("cgroup"));
            words.split(|byte| *byte == 0).any(|word| word == self.name.as_bytes())
                || String::from_utf8_lossy(&groups).contains(&group)
        });
        ours.map(|folder| folder.display().to_string()).collect()
    }

    #[track_caller]
    fn no_processes(&self) {
        let end = Instant::now() + Duration::from_secs(15);
        while !self.processes().is_empty() {
            assert!(Instant::now() < end, "processes are left: {:?}", self.processes());
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
        assert!(!String::from_utf8_lossy(&status.stdout).contains(&self.name));
        assert_eq!(new(&after.interfaces, &before.interfaces), [""; 0]);
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
        up.kill().unwrap();
        up.wait().unwrap();
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
        let end = Instant::now() + Duration::from_secs(60);
        while trial.state().is_none_or(|state| state["keeper"]["pid"] == 0) {
            assert!(Instant::now() < end, "no QEMU");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_secs(2));
        kill_keeper(&trial);
        // Who brings it up hears of it, and takes the rest away.
        assert!(!up.wait().unwrap().success());
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
