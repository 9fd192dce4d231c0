//! The backend proot: a user without root, where no systemd and no daemon can be reached.

use std::time::{Duration, Instant};
use volt_e2e::{Host, Output, on_hosts};

/// A user's own Volt: the sockets of systemd, D-Bus and Volt, and Volt's own folder, are hidden from what it runs.
pub(super) struct Alone {
    host: Host,
    home: String,
}

impl Alone {
    /// With a home of that name, and the image `tiny` in it.
    pub(super) fn new(host: &Host, name: &str) -> Self {
        let home = format!("/home/tester/{name}");
        let alone = Self { host: host.clone(), home };
        let home = &alone.home;
        drop(alone.sh("volt ps -a -o name | xargs -r volt container delete --force"));
        host.sh(&format!("rm -rf {home} && install -d -o tester -g tester {home}")).ok();
        alone.sh("volt image import /srv/images/tiny.tar tiny").ok();
        alone
    }

    /// Runs a line of shell there.
    pub(super) fn sh(&self, line: &str) -> Output {
        let hide = "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && exec runuser -u tester -- \
                    env -i HOME=$1 PATH=/usr/bin:/bin sh -c \"cd && $2\"";
        self.host.run(&["unshare", "--mount", "sh", "-c", hide, "sh", &self.home, line])
    }

    /// Waits until a line of shell succeeds.
    #[track_caller]
    pub(super) fn until(&self, line: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let output = self.sh(line);
            if output.code == 0 {
                return;
            }
            assert!(Instant::now() < end, "never so: {output:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What `volt container inspect` says: state, exit code, reason.
    #[track_caller]
    fn end(&self, name: &str) -> (String, i64, String) {
        let seen = self.sh(&format!("volt container inspect {name} -o json")).json();
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        (
            word(&seen["state"]),
            seen["exit"]["code"].as_i64().unwrap_or(-1),
            word(&seen["exit"]["reason"]),
        )
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        drop(self.sh("volt ps -a -o name | xargs -r volt container delete --force"));
    }
}

on_hosts! {
    fn container_proot_life_cycle(host) {
        let me = Alone::new(host, "life");
        let info = me.sh("volt system info -o json").json();
        assert_eq!((&info["served_by"], &info["backends"]), (&"embedded".into(), &serde_json::json!(["proot"])), "{info}");

        me.sh("volt container create --name web tiny sh -c 'echo out; echo err >&2; exec sleep 1002'").ok();
        me.sh("volt container create --name web tiny true").fails(4);
        assert_eq!(me.end("web").0, "stopped");
        me.sh("volt container exec web true").fails(9);
        me.sh("volt container start web").ok();
        assert_eq!(me.sh("volt ps -o name").ok(), "web");
        assert_eq!(me.end("web").0, "running");
        // As this user, and nobody's child: the command that started it has long ended.
        let pid = me.sh("volt container inspect web -o json").json()["pid"].as_u64().unwrap();
        assert_eq!(host.sh(&format!("stat -c %U /proc/{pid}; tr '\\0' ' ' < /proc/{pid}/cmdline")).ok(), "tester\nsleep 1002 ");

        me.until("volt logs web | grep -q err");
        assert_eq!(me.sh("volt logs --stream stdout web").ok(), "out");
        assert_eq!(me.sh("volt logs --stream stderr web").ok(), "err");
        assert_eq!(me.sh("volt exec web sh -c 'echo inside; id -u'").ok(), "inside\n0");
        me.sh("volt exec web sh -c 'exit 7'").fails(7);
        assert_eq!(me.sh("volt exec -e GREETING=hi -w /bin web sh -c 'echo $GREETING; pwd'").ok(), "hi\n/bin");
        assert_eq!(me.sh("echo typed | volt exec -i web cat").ok(), "typed");
        me.sh("volt exec web /no/such/program").fails(127);

        let told = |name: &str| me.sh(&format!("cat .local/share/volt/containers/{name}/state.json")).json();
        let running = told("web");
        assert_eq!((&running["state"], &running["pid"]), (&"running".into(), &pid.into()), "{running}");
        assert!(running["started"].is_string() && running.as_object().unwrap().len() == 3, "{running}");

        me.sh("volt container delete web").fails(9);
        me.sh("volt container restart web").ok();
        assert_eq!(me.end("web").0, "running");
        me.sh("volt stop web").ok();
        assert_eq!(me.end("web"), ("stopped".to_owned(), 143, "killed by SIGTERM".to_owned()));
        let stopped = told("web");
        assert_eq!((&stopped["state"], &stopped["exit_code"], &stopped["reason"]), (&"stopped".into(), &143.into(), &"killed by SIGTERM".into()));
        assert!(stopped["started"].as_str() < stopped["ended"].as_str(), "{stopped}");
        // Its command ends by itself; and all of it is killed, so that nobody can write how it ended.
        me.sh("volt container create --name brief tiny sh -c 'sleep 0.3; exit 3' && volt start brief && volt container wait brief").ok();
        assert_eq!((&told("brief")["state"], &told("brief")["exit_code"]), (&"failed".into(), &3.into()));
        me.sh("volt start web && volt workload freeze web").ok();
        assert_eq!(told("web")["state"], "frozen");
        me.sh("volt workload thaw web").ok();
        assert_eq!(told("web")["state"], "running");
        // Its own only: other tests have theirs as the same user.
        host.sh("pkill -9 -u tester -f /home/tester/life/; pkill -9 -u tester -xf 'sleep 1002'; true").ok();
        me.until("! volt ps -o name | grep web");
        assert_eq!(me.end("web").1, 137);
        assert_eq!((&told("web")["state"], &told("web")["exit_code"]), (&"failed".into(), &137.into()));
        me.sh("volt start web && volt stop web && volt container delete brief").ok();
        assert_eq!(me.sh("volt container wait web").ok().lines().last(), Some("143"));
        me.sh("volt container delete web").ok();
        me.sh("volt container inspect web").fails(3);
        me.sh("! find .local -name '*web*' -not -path '*/locks/*' | grep .").ok();
        assert_eq!(me.sh("volt system check -o json").json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn container_proot_stop_is_told_right(host) {
        let me = Alone::new(host, "stops");
        // Stopped at once, again and again: proot must have passed the signal on, and must not be killed before it has told the end.
        me.sh("volt container create --name quick tiny sleep 1000").ok();
        let line = "for i in $(seq 30); do volt start quick >&2 && volt stop quick >&2 && volt ps -a | grep quick; done";
        let seen = me.sh(line).ok();
        assert_eq!(seen.lines().count(), 30, "{seen}");
        assert!(!seen.contains("failed") && !seen.contains("137"), "{seen}");
        assert_eq!(me.end("quick"), ("stopped".to_owned(), 143, "killed by SIGTERM".to_owned()));

        // One that heeds the signal, one that does not, and one that is killed.
        me.sh("volt run -d --name polite tiny sh -c 'trap \"exit 5\" TERM; echo ready; while :; do sleep 0.1; done'").ok();
        me.until("volt logs polite | grep -q ready");
        me.sh("volt stop polite").ok();
        assert_eq!(me.end("polite").0, "failed");
        me.sh("volt run -d --name deaf tiny sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done'").ok();
        me.until("volt logs deaf | grep -q ready");
        me.sh("volt stop --timeout 1 deaf").ok();
        assert_eq!(me.end("deaf"), ("failed".to_owned(), 137, "killed: it did not stop in time".to_owned()));
        me.sh("volt start deaf").ok();
        me.sh("volt container kill deaf").ok();
        assert_eq!(me.end("deaf"), ("failed".to_owned(), 137, "killed by SIGKILL".to_owned()));
        me.sh("volt container kill deaf").fails(9);
        // One with something left behind in the background ends with it.
        me.sh("volt run -d --name family tiny sh -c 'sleep 1001 & sleep 1001 & exec sleep 1001'").ok();
        me.sh("volt container delete --force family").ok();
        me.sh("! ps -u tester -o args | grep '[s]leep 1001'").ok();
    }
}

on_hosts! {
    fn container_proot_ends_are_the_commands_own(host) {
        let me = Alone::new(host, "ends");
        // Whatever ends last, or by a signal, or stays: as with the other backend the command's own end is that of all.
        for (script, code) in [
            ("sleep 1 & exit 3", 3),
            ("(sleep 0.2; exit 7) & exit 0", 0),
            ("sleep 1003 & exit 4", 4),
            ("setsid sleep 1003 & sleep 0.1; exit 5", 5),
            ("kill -9 $$", 137),
            ("kill -TERM $$", 143),
            ("exit 133", 133),
            ("nosuchprogram", 127),
        ] {
            let seen = me.sh(&format!("volt run --rm tiny sh -c '{script}'"));
            assert_eq!((seen.code, seen.stdout.as_str()), (code, ""), "{script}: {seen:?}");
            assert!(!seen.stderr.contains("proot"), "{seen:?}");
        }
        me.sh("! ps -u tester -o args | grep '[s]leep 1003'").ok();
        for (command, code, reason) in [("nosuchprogram", 127, "nosuchprogram: command not found"), ("/etc/passwd", 126, "/etc/passwd: permission denied")] {
            me.sh(&format!("volt container create --name none tiny {command}")).ok();
            let said = me.sh("volt start none").fails(1);
            assert!(said.contains(reason), "{said}");
            assert_eq!((me.end("none").0.as_str(), me.end("none").1), ("failed", code), "{command}");
            me.sh("volt container delete none").ok();
        }
        // Commands beside it end with it, and it does not end with them.
        me.sh("volt run -d --name long tiny sleep 1004").ok();
        me.sh("volt exec long sh -c 'sleep 1004 & exit 6'").fails(6);
        assert_eq!(me.end("long").0, "running");
        me.sh("volt exec -w /no/such long true").fails(126);
        for words in ["exec -it long", "run --rm -it tiny"] {
            let seen = me.sh(&format!("script -qec 'volt {words} tty' /dev/null < /dev/null")).ok();
            assert!(seen.contains("/dev/pts/"), "{words}: {seen}");
        }
        me.sh("(volt exec long sleep 1004; echo $? > beside) > /dev/null 2>&1 &").ok();
        me.until("test $(ps -u tester -o args | grep -c '^[s]leep 1004') = 2");
        me.sh("volt container kill long").ok();
        me.until("test -s beside && grep 137 beside");
        me.sh("! ps -u tester -o args | grep '[s]leep 1004'").ok();
        assert_eq!(me.end("long"), ("failed".to_owned(), 137, "killed by SIGKILL".to_owned()));
        // Whichever of its supervisors is killed, nothing of it goes on.
        // Only its own: others of this user run beside it.
        let relays = "$(pgrep -d, -u tester -f 'internal relay long')";
        let inits = format!("$(pgrep -d, -P $(pgrep -d, -x proot -P {relays}))");
        for victim in [relays, &inits] {
            me.sh("volt start long && (volt exec long sleep 1004 > /dev/null 2>&1 &)").ok();
            me.until("test $(ps -u tester -o args | grep -c '^[s]leep 1004') = 2");
            host.sh(&format!("echo {victim} | tr , '\\n' | xargs kill -9")).ok();
            me.until("! ps -u tester -o args | grep '[s]leep 1004'");
            assert_eq!(me.sh("volt container wait long").ok().lines().last(), Some("137"));
        }
        me.sh("! find .local -name 'exec-*' | grep .").ok();
        assert_eq!(me.sh("volt system check -o json").json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn container_proot_run_copy_export_rename(host) {
        let me = Alone::new(host, "files");
        assert_eq!(me.sh("volt run --rm tiny echo hello").ok(), "hello");
        me.sh("volt run --rm tiny sh -c 'exit 3'").fails(3);
        assert_eq!(me.sh("echo typed | volt run --rm -i tiny cat").ok(), "typed");
        assert_eq!(me.sh("volt ps -a -o name").ok(), "");

        me.sh("mkdir in shared && echo one > in/a && ln -s /etc/passwd in/link && volt volume create data").ok();
        me.sh("volt container create --name old -v data:/data -v ./shared:/shared tiny sh -c 'echo kept > /mark; echo v > /data/v; echo s > /shared/s; exec sleep 1000'").ok();
        me.sh("volt container copy in old:/in && volt start old && volt container copy old:/in back && diff -r --no-dereference in back").ok();
        me.until("test -s shared/s && volt exec old test -s /data/v");
        me.sh("volt container copy old:/no/such x").fails(3);
        me.sh("volt container rename old new").fails(9);
        me.sh("volt stop old && volt container rename old new").ok();
        me.sh("volt container inspect old").fails(3);
        me.sh("volt start new").ok();
        assert_eq!(me.sh("volt exec new cat /mark /data/v").ok(), "kept\nv");
        let list = me.sh("volt container export new | tar t").ok();
        assert!(list.lines().any(|line| line.ends_with("in/a")), "{list}");
        me.sh("volt workload freeze new && volt container inspect new | grep -i frozen && volt workload thaw new").ok();
        assert_eq!(me.sh("volt top --once -o name").ok(), "new");
        // A snapshot is of the whole root, and owned by root as it is seen inside.
        me.sh("volt snapshot create new one && volt exec new sh -c 'echo changed > /mark; rm /bin/vi' && volt snapshot diff new one | grep -x -e '- bin/vi'").ok();
        assert_eq!(me.sh("volt cas ls snapshots/new/one mark -o json").json()[0]["uid"], 0);
        me.sh("volt stop new && volt snapshot restore new one && volt container clone new twin && volt start new && volt start twin").ok();
        assert_eq!(me.sh("volt exec new cat /mark; volt exec twin cat /mark; volt exec twin ls /bin/vi").ok(), "kept\nkept\n/bin/vi");
        me.sh("volt container delete --force new twin && volt volume delete data").ok();
        assert_eq!(me.sh("volt system check -o json").json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn container_proot_refuses_what_it_can_not_do(host) {
        let me = Alone::new(host, "refused");
        for (flags, reason) in [
            ("--memory 64M", "cgroup"),
            ("--cpus 1", "cgroup"),
            ("--network none", "network"),
            ("--boot", "boot"),
            ("--read-only", "read-only"),
            ("--tmpfs /x", "memory file systems"),
            ("--cap-add SYS_TIME", "capabilities"),
            ("--restart always", "started again"),
            ("--hostname other", "host name"),
            ("--user nobody", "user"),
        ] {
            let said = me.sh(&format!("volt container create --name no {flags} tiny true")).fails(10);
            assert!(said.contains(reason) && said.contains("proot"), "{flags}: {said}");
        }
        me.sh("volt container create --name no --backend systemd tiny true").fails(10);
        assert_eq!(me.sh("volt ps -a -o name").ok(), "");
        me.sh("volt container create --name some tiny true").ok();
        me.sh("volt container update --memory 64M some").fails(10);
        assert!(me.sh("volt container inspect some -o json").json()["limits"].get("memory").is_none());
        assert_eq!(me.sh("volt system check -o json").json()["findings"], serde_json::json!([]));
    }
}
