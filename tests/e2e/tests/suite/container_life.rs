//! The life of a container, as systemd and machined see it.

use std::time::Duration;
use volt_e2e::on_hosts;

const LONG: Duration = Duration::from_secs(20);

on_hosts! {
    fn container_life_cycle(host) {
        host.tiny();
        let web = host.container("life");
        host.volt(&["container", "create", "--name", "life", "tiny", "sleep", "1000"]).ok();
        assert_eq!(web.state(), "stopped");
        let again = host.volt(&["container", "create", "--name", "life", "tiny", "sleep", "1"]).fails(4);
        assert!(again.contains("life"), "{again}");

        host.volt(&["container", "start", "life"]).ok();
        assert_eq!(web.state(), "running");
        assert_eq!(host.run(&["systemctl", "is-active", "volt-container@life.service"]).ok(), "active");
        // Volt has prepared it itself, so the unit for that was skipped.
        host.sh("test -e /run/volt/containers/life/ahead && ! systemctl is-active volt-prepare@life.service").ok();
        assert!(host.run(&["machinectl", "list", "--no-legend"]).ok().contains("life"));
        let group = host.run(&["systemctl", "show", "-P", "ControlGroup", "volt-container@life.service"]).ok();
        assert_eq!(group, "/system.slice/volt-container@life.service");
        assert!(host.volt(&["ps", "-o", "name"]).ok().lines().any(|l| l == "life"));

        host.volt(&["container", "delete", "life"]).fails(9);
        host.volt(&["container", "restart", "life"]).ok();
        assert_eq!(web.state(), "running");
        host.volt(&["container", "stop", "life"]).ok();
        assert_eq!(web.state(), "stopped");
        assert_eq!(web.inspect()["exit"]["code"], 143);
        host.sh("! mountpoint -q /var/lib/volt/containers/life/rootfs").ok();
        host.sh("! test -e /run/netns/volt-life").ok();

        host.volt(&["container", "delete", "life"]).ok();
        host.volt(&["container", "inspect", "life"]).fails(3);
        host.gone(&["/etc/systemd/system/volt-container@life.service.d", "/var/lib/volt/containers/life"]);
    }
}

on_hosts! {
    fn container_start_by_systemctl_is_the_same(host) {
        host.tiny();
        let twin = host.container("twin");
        host.volt(&["container", "create", "--name", "twin", "tiny", "sleep", "1000"]).ok();
        host.run(&["systemctl", "start", "volt-container@twin.service"]).ok();
        assert_eq!(twin.state(), "running");
        host.sh("systemctl is-active volt-prepare@twin.service && ! test -e /run/volt/containers/twin/ahead").ok();
        host.run(&["systemctl", "restart", "volt-container@twin.service"]).ok();
        assert_eq!(twin.state(), "running");
        host.run(&["systemctl", "stop", "volt-container@twin.service"]).ok();
        assert_eq!(twin.state(), "stopped");
        host.until(LONG, "! systemctl is-active -q volt-prepare@twin.service && ! test -e /run/netns/volt-twin");
    }
}

on_hosts! {
    fn container_start_while_it_stops(host) {
        host.tiny();
        let anew = host.container("anew");
        let slow = "trap 'sleep 1; exit 0' TERM; while true; do sleep 0.1; done";
        host.volt(&["run", "-d", "--name", "anew", "--network", "volt0", "tiny", "sh", "-c", slow]).ok();
        // First on what Volt has prepared, then on what the unit has.
        for _ in 0..3 {
            let before = anew.inspect()["pid"].clone();
            host.sh("systemctl stop --no-block volt-container@anew && sleep 0.3 && systemctl start volt-container@anew").ok();
            assert_eq!(anew.state(), "running");
            assert_ne!(anew.inspect()["pid"], before);
            host.sh("ip netns exec volt-anew ping -c 1 -W 2 10.0.0.1").ok();
        }
        host.sh("systemctl start volt-container@anew && volt exec anew true").ok();
        host.volt(&["delete", "--force", "anew"]).ok();
        host.gone(&["/run/netns/volt-anew", "/run/volt/containers/anew"]);
    }
}

on_hosts! {
    fn container_whose_main_process_is_killed(host) {
        host.tiny();
        let orphan = host.container("orphan");
        host.volt(&["container", "create", "--name", "orphan", "tiny", "sleep", "1000"]).ok();
        let gone = "! test -e /run/volt/containers/orphan && ! test -e /run/netns/volt-orphan \
                    && ! mountpoint -q /var/lib/volt/containers/orphan/rootfs";
        let kill = "kill -9 $(systemctl show -P MainPID volt-container@orphan.service)";
        for start in ["volt start orphan", "systemctl start volt-container@orphan.service"] {
            host.sh("volt container delete --force orphan && volt container create --name orphan tiny sleep 1000").ok();
            host.sh(start).ok();
            host.sh(kill).ok();
            // Nobody types a command of Volt's: the unit that is for this records it.
            host.until(LONG, "test -e /var/lib/volt/containers/orphan/exit.json");
            host.until(LONG, gone);
            assert_eq!(orphan.state(), "failed");
            let exit = &orphan.inspect()["exit"];
            assert_eq!((exit["code"].as_i64(), exit["reason"].as_str()), (Some(137), Some("killed by SIGKILL")));
            host.sh(start).ok();
            assert_eq!(orphan.state(), "running");
            host.volt(&["stop", "orphan"]).ok();
            host.until(LONG, gone);
        }
        host.volt(&["container", "update", "--restart", "always", "orphan"]).ok();
        for start in ["volt start orphan", "systemctl start volt-container@orphan.service"] {
            host.sh(start).ok();
            let main = "systemctl show -P MainPID volt-container@orphan.service";
            let before = host.sh(main).ok();
            host.sh(kill).ok();
            let again = format!("systemctl is-active volt-container@orphan.service && test $({main}) != {before}");
            host.until(LONG, &again);
            assert_eq!(orphan.state(), "running");
            host.volt(&["stop", "orphan"]).ok();
            host.until(LONG, gone);
        }
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn container_that_does_not_heed_its_stop_signal(host) {
        host.tiny();
        let deaf = host.container("deaf");
        let script = "trap '' TERM; echo up; while :; do sleep 0.1; done";
        host.volt(&["container", "create", "--name", "deaf", "--stop-timeout", "1", "tiny", "sh", "-c", script]).ok();
        host.volt(&["start", "deaf"]).ok();
        host.until(LONG, "volt logs deaf | grep -q up");
        // What stopped it and what starts it do not get into each other's way.
        host.run(&["systemctl", "restart", "volt-container@deaf.service"]).ok();
        assert_eq!(deaf.state(), "running");
        let exit = &deaf.inspect()["exit"];
        assert_eq!(exit["code"], 137);
        assert_eq!(exit["reason"], "killed: it did not stop in time");
        host.volt(&["exec", "deaf", "true"]).ok();
        host.volt(&["stop", "deaf"]).ok();
        assert_eq!(deaf.inspect()["exit"]["reason"], "killed: it did not stop in time");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn container_starts_again_the_moment_it_has_ended(host) {
        host.tiny();
        let again = host.container("again");
        host.volt(&["run", "--name", "again", "tiny", "true"]).ok();
        for _ in 0..5 {
            host.sh("volt start again && volt container wait again").ok();
            assert_eq!(host.sh("volt run --rm --name brief tiny echo once && volt run --rm --name brief tiny echo twice").ok(), "once\ntwice");
            // Nor is there anything to wait for to rename or remove it.
            host.sh("volt run --name spent tiny true && volt container rename spent gone && volt run --name spent tiny true && volt container delete spent gone").ok();
        }
        assert_eq!(again.inspect()["exit"]["code"], 0);
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn container_whose_unit_can_not_be_executed(host) {
        let host = host.private("noexec");
        host.tiny();
        let stuck = host.container("stuck");
        host.volt(&["container", "create", "--name", "stuck", "tiny", "sleep", "1000"]).ok();
        host.sh("mkdir -p /run/systemd/system/volt-container@stuck.service.d && printf '[Service]\\nExecStart=\\nExecStart=/nowhere\\n' > /run/systemd/system/volt-container@stuck.service.d/99.conf").ok();
        let said = host.volt(&["start", "stuck"]).fails(1);
        assert!(said.contains("stuck"), "{said}");
        let exit = &stuck.inspect()["exit"];
        assert!(exit["reason"].as_str().unwrap().starts_with("could not start"), "{exit}");
        host.sh("! test -e /run/volt/containers/stuck && ! mountpoint -q /var/lib/volt/containers/stuck/rootfs").ok();
        host.sh("rm -r /run/systemd/system/volt-container@stuck.service.d").ok();
        host.volt(&["start", "stuck"]).ok();
        host.volt(&["stop", "stuck"]).ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn container_exit_status_survives_the_unit(host) {
        host.tiny();
        let dead = host.container("dead");
        for (command, code, state, reason) in [
            ("exit 0", 0, "stopped", "exited"),
            ("exit 3", 3, "failed", "exited"),
            ("exit 133", 133, "failed", "exited"),
            ("kill -9 $$", 137, "failed", "killed by SIGKILL"),
        ] {
            drop(host.volt(&["container", "delete", "--force", "dead"]));
            host.volt(&["container", "create", "--name", "dead", "tiny", "sh", "-c", command]).ok();
            host.volt(&["container", "start", "dead"]).ok();
            let waited = host.volt(&["container", "wait", "dead", "-o", "json"]).ok();
            assert!(waited.contains(&code.to_string()), "{command}: {waited}");
            let seen = dead.inspect();
            assert_eq!((seen["exit"]["code"].as_i64(), seen["exit"]["reason"].as_str()), (Some(code), Some(reason)), "{command}");
            assert_eq!(seen["state"], state, "{command}");
        }
    }
}

on_hosts! {
    fn container_start_that_fails_says_why(host) {
        host.tiny();
        let _guard = host.container("nope");
        let run = ["run", "--name", "nope"];
        for (words, run_code) in [(&["tiny", "/no/such/program"][..], 127), (&["tiny", "/etc/passwd"], 126)] {
            let program = words[1];
            host.volt(&[&["container", "create", "--name", "nope"], words].concat()).ok();
            let error = host.volt(&["container", "start", "nope"]).fails(1);
            assert!(error.contains("did not start") && error.contains(program), "{error}");
            // It is what the unit said last.
            host.sh("journalctl --sync").ok();
            let journal = host.sh("journalctl -u volt-container@nope.service VOLT_WORKLOAD=nope -o cat --no-pager | tail -n 1").ok();
            assert!(journal.contains(program) && error.contains(&journal), "{journal}: {error}");
            let seen = host.volt(&["container", "inspect", "nope", "-o", "json"]).json();
            assert_eq!(seen["exit"]["code"], run_code, "{seen}");
            host.volt(&["container", "delete", "nope"]).ok();

            let error = host.volt(&[&run[..], words].concat()).fails(run_code);
            assert!(error.contains(program), "{error}");
            host.volt(&["container", "delete", "nope"]).ok();
            let error = host.volt(&[&run[..], &["--detach"], words].concat()).fails(1);
            assert!(error.contains("did not start") && error.contains(program), "{error}");
            host.volt(&["container", "delete", "nope"]).ok();
        }
    }
}

on_hosts! {
    fn container_start_says_what_the_unit_said_last(host) {
        let host = host.private("last-words");
        host.tiny();
        let drop_in = |name: &str, start: &str| {
            let dir = format!("/run/systemd/system/volt-container@{name}.service.d");
            let text = format!("[Service]\nExecStart=\nExecStart={start}\n");
            host.run_with(&["sh", "-c", &format!("mkdir -p {dir} && cat > {dir}/99.conf && systemctl daemon-reload")], text.as_bytes()).ok();
        };
        let create = |name: &str| host.volt(&["container", "create", "--name", name, "tiny", "sleep", "1000"]).ok();
        // systemd-nspawn fails by itself.
        create("nspawn");
        let own = host.run(&["systemctl", "cat", "volt-container@nspawn.service"]).ok();
        let own = own.lines().rev().find_map(|line| line.strip_prefix("ExecStart=:")).unwrap().to_owned();
        drop_in("nspawn", &own.replace("--keep-unit", "--keep-unit --no-such-option"));
        // The process of the unit says why before it fails; is not there at all; and is killed without a word.
        create("words");
        drop_in("words", r#"/bin/sh -c "echo first; echo the disk is on fire >&2; exit 5""#);
        create("absent");
        drop_in("absent", "/nowhere/at/all");
        create("killed");
        drop_in("killed", r#"/bin/sh -c "echo about to go; kill -9 $$$$""#);
        for (name, said) in [
            ("nspawn", &["unrecognized option '--no-such-option'"][..]),
            ("words", &["exit-code, 5", "first\n", "the disk is on fire\n"]),
            ("absent", &["exit-code, 203", "/nowhere/at/all: No such file or directory"]),
            ("killed", &["signal, 137", "about to go\n"]),
        ] {
            let ways = [
                host.volt(&["container", "start", name]),
                host.volt(&["workload", "start", name]),
                host.volt(&["container", "restart", name]),
            ];
            for way in ways {
                let error = way.fails(1);
                assert!(error.contains(&format!("The container {name} did not start")), "{error}");
                assert!(said.iter().all(|said| error.contains(said)), "{said:?}: {error}");
            }
            let seen = host.volt(&["container", "inspect", name, "-o", "json"]).json();
            assert_eq!(seen["state"], "failed", "{seen}");
            assert!(seen["exit"]["reason"].as_str().unwrap().starts_with("could not start"), "{seen}");
        }
        // `run` is no different, whether it connects or not. What it makes is what lay there before.
        for (flags, code) in [(&["run", "--detach"][..], 1), (&["run"], 1)] {
            host.volt(&["container", "delete", "words"]).ok();
            let error = host.volt(&[flags, &["--name", "words", "tiny", "true"]].concat()).fails(code);
            assert!(error.contains("the disk is on fire"), "{error}");
        }
    }
}

on_hosts! {
    fn container_restart_policy_is_systemds(host) {
        host.tiny();
        let phoenix = host.container("phoenix");
        host.volt(&["container", "create", "--name", "phoenix", "--restart", "always", "tiny", "sleep", "1000"]).ok();
        host.volt(&["container", "start", "phoenix"]).ok();
        let before = phoenix.inspect()["pid"].as_u64().unwrap();
        host.volt(&["container", "kill", "phoenix"]).ok();
        host.until(LONG, &format!("p=$(volt container inspect phoenix -o json | grep -o '\"pid\": [0-9]*' | grep -o '[0-9]*'); test -n \"$p\" -a \"$p\" != {before}"));
        assert_eq!(phoenix.state(), "running");
        host.volt(&["container", "stop", "phoenix"]).ok();
        assert_eq!(phoenix.state(), "stopped");
    }
}

on_hosts! {
    fn container_restart_after_failures_is_counted(host) {
        host.tiny();
        let trier = host.container("trier");
        host.volt(&["run", "-d", "--name", "trier", "--restart", "on-failure:2", "tiny", "sh", "-c", "echo tried; exit 3"]).ok();
        let tries = |count: usize| host.until(LONG, &format!("test $(volt logs trier | grep -c tried) = {count} && test $(systemctl show -P ActiveState volt-container@trier) = failed"));
        tries(3);
        assert_eq!((trier.state().as_str(), trier.inspect()["exit"]["code"].as_i64()), ("failed", Some(3)));
        // Given up is not for ever: whoever starts it by hand has all tries again.
        host.volt(&["start", "trier"]).ok();
        tries(6);
    }
}

on_hosts! {
    fn container_that_removes_itself_can_be_restarted(host) {
        host.tiny();
        let passing = host.container("passing");
        host.volt(&["run", "-d", "--rm", "--name", "passing", "tiny", "sleep", "1000"]).ok();
        let first = passing.inspect()["pid"].clone();
        for command in [&["container", "restart", "passing"][..], &["workload", "restart", "passing"]] {
            host.volt(command).ok();
            assert_eq!(passing.state(), "running");
        }
        assert_ne!(passing.inspect()["pid"], first);
        host.volt(&["stop", "passing"]).ok();
        host.volt(&["container", "inspect", "passing"]).fails(3);
        host.volt(&["start", "passing"]).fails(3);
        host.sh("! test -e /etc/systemd/system/volt-container@passing.service.d && ! test -e /run/volt/containers/passing").ok();
        // One that is on its way down is gone when it is down.
        host.volt(&["run", "-d", "--rm", "--name", "passing", "tiny", "sh", "-c", "trap 'sleep 1; exit' TERM; while :; do sleep 0.05; done"]).ok();
        host.sh("systemctl stop --no-block volt-container@passing").ok();
        host.volt(&["start", "passing"]).fails(3);
        host.volt(&["container", "list", "--all", "-o", "json"]).ok();
    }
}

on_hosts! {
    fn container_verbs_of_systemctl_are_volts_own(host) {
        host.tiny();
        let (asked, held) = (host.container("asked"), host.container("held"));
        host.volt(&["run", "-d", "--rm", "--name", "asked", "tiny", "sleep", "1000"]).ok();
        let pid = asked.inspect()["pid"].as_u64();
        host.run(&["systemctl", "restart", "volt-container@asked.service"]).ok();
        let seen = asked.inspect();
        assert!(seen["state"] == "running" && seen["pid"].as_u64() != pid, "{seen}");
        host.run(&["systemctl", "stop", "volt-container@asked.service"]).ok();
        host.until(Duration::from_secs(10), "! volt ps -a | grep asked");
        host.sh("! systemctl --failed --no-legend | grep asked").ok();
        // One that is held still heeds a stop by either.
        for stop in ["systemctl stop volt-container@held.service", "volt stop held"] {
            host.sh("volt rm --force held 2>/dev/null; volt run -d --name held tiny sleep 1000 && volt workload freeze held").ok();
            host.sh(stop).ok();
            let seen = held.inspect();
            assert!(seen["state"] == "stopped" && seen["exit"]["code"] == 143, "{stop}: {seen}");
        }
        // What would keep it from its next start is found while it runs.
        host.sh("volt start held && rm /etc/systemd/system/volt-container@held.service.d/50-volt.conf").ok();
        assert!(host.volt(&["system", "check"]).stdout.contains("held"));
        host.volt(&["system", "check", "--repair"]).ok();
        host.sh("volt restart held && ! volt system check | grep held").ok();
    }
}

on_hosts! {
    fn container_rename(host) {
        host.tiny();
        let _old = host.container("before");
        let after = host.container("after");
        host.volt(&["container", "create", "--name", "before", "tiny", "sh", "-c", "cat /mark; hostname; sleep 1000"]).ok();
        host.volt(&["container", "start", "before"]).ok();
        host.volt(&["container", "rename", "before", "after"]).fails(9);
        host.volt(&["container", "exec", "before", "sh", "-c", "echo kept > /mark"]).ok();
        host.volt(&["container", "stop", "before"]).ok();
        host.volt(&["container", "rename", "before", "after"]).ok();
        host.volt(&["container", "inspect", "before"]).fails(3);
        host.volt(&["container", "start", "after"]).ok();
        assert_eq!(host.volt(&["container", "exec", "after", "cat", "/mark"]).ok(), "kept");
        assert_eq!(host.volt(&["container", "exec", "after", "hostname"]).ok(), "after");
        assert_eq!(after.state(), "running");
    }
}

on_hosts! {
    fn container_kill(host) {
        host.tiny();
        let target = host.container("target");
        host.volt(&["container", "create", "--name", "target", "tiny", "sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.05; done"]).ok();
        host.volt(&["container", "kill", "target"]).fails(9);
        host.volt(&["container", "start", "target"]).ok();
        host.volt(&["container", "kill", "--signal", "USR1", "target"]).ok();
        host.volt(&["container", "wait", "target"]).ok();
        assert_eq!(target.inspect()["exit"]["code"], 7);
        host.volt(&["container", "kill", "--signal", "NOPE", "target"]).fails(2);
        host.volt(&["container", "delete", "target"]).ok();
        // Whatever it is, it comes to the command as it was sent: also what asks to stop, where something else does.
        let signals = ["TERM", "INT", "HUP", "ALRM", "ABRT", "CONT", "PIPE", "35", "63"];
        let traps: String = signals.iter().map(|signal| format!("trap 'echo got {signal}' {signal}; ")).collect();
        let script = format!("{traps} echo ready; while :; do sleep 0.05; done");
        host.volt(&["run", "-d", "--name", "target", "--stop-signal", "QUIT", "tiny", "sh", "-c", &script]).ok();
        host.until(LONG, "volt logs target | grep -q ready");
        for signal in signals {
            host.volt(&["container", "kill", "--signal", signal, "target"]).ok();
            host.until(LONG, &format!("volt logs target | grep -qx 'got {signal}'"));
        }
        host.volt(&["container", "kill", "--signal", "STOP", "target"]).ok();
        let stopped = "grep -q '^State:.T' /proc/$(pgrep -P $(cut -d ' ' -f 1 /run/volt/containers/target/leader) -x sh)/status";
        host.until(LONG, stopped);
        host.volt(&["container", "kill", "--signal", "CONT", "target"]).ok();
        host.until(LONG, &format!("! {stopped}"));
        assert_eq!(target.state(), "running");
    }
}

on_hosts! {
    fn container_list_and_aliases(host) {
        host.tiny();
        let _guard = host.container("listed");
        host.volt(&["container", "create", "--name", "listed", "tiny", "true"]).ok();
        for words in [&["container", "list", "--all", "-o", "name"][..], &["container", "ls", "-a", "-o", "name"], &["ps", "-a", "-o", "name"]] {
            assert!(host.volt(words).ok().lines().any(|l| l == "listed"), "{words:?}");
        }
        let all = host.volt(&["container", "list", "--all", "-o", "json"]).json();
        let own = all.as_array().unwrap().iter().find(|c| c["name"] == "listed").unwrap();
        assert_eq!(own["image"], "tiny");
        host.volt(&["container", "rm", "listed"]).ok();
    }
}

on_hosts! {
    fn container_wait_on_what_removes_itself(host) {
        host.tiny();
        let _guard = host.container("mayfly");
        for _ in 0..3 {
            host.volt(&["run", "-d", "--rm", "--name", "mayfly", "tiny", "sh", "-c", "sleep 3; exit 5"]).ok();
            let waited = host.volt(&["container", "wait", "mayfly", "-o", "json"]);
            assert!(waited.stdout.contains("\"code\": 5"), "{waited:?}");
            host.until(LONG, "! test -e /var/lib/volt/containers/mayfly");
        }
    }
}

on_hosts! {
    fn container_stop_may_wait_longer_than_its_own_time(host) {
        host.tiny();
        let slow = host.container("slow");
        let command = "trap 'sleep 3; exit 9' TERM; while :; do sleep 0.1; done";
        host.volt(&["run", "-d", "--name", "slow", "--stop-timeout", "1", "tiny", "sh", "-c", command]).ok();
        host.volt(&["container", "stop", "--timeout", "20", "slow"]).ok();
        assert_eq!(slow.inspect()["exit"]["code"], 9);
        // The next stop has its own time again.
        host.volt(&["container", "start", "slow"]).ok();
        host.volt(&["container", "stop", "slow"]).ok();
        assert_eq!(slow.inspect()["exit"]["code"], 137);
    }
}

on_hosts! {
    fn container_limits_are_taken_away(host) {
        host.tiny();
        let lim = host.container("unbound");
        host.volt(&["run", "-d", "--name", "unbound", "--memory", "64M", "--cpu", "50", "--pids", "20", "tiny", "sleep", "1000"]).ok();
        let says = |property: &str| host.run(&["systemctl", "show", "-P", property, "volt-container@unbound.service"]).ok();
        assert_eq!(says("MemoryMax"), (64 << 20).to_string());
        host.volt(&["container", "update", "--memory", "none", "--cpus", "unlimited", "--pids", "none", "unbound"]).ok();
        for at in ["live", "after a restart"] {
            assert_eq!(says("MemoryMax"), "infinity", "{at}");
            assert_eq!(says("CPUQuotaPerSecUSec"), "infinity", "{at}");
            assert_eq!(says("TasksMax"), "16384", "{at}");
            host.volt(&["container", "restart", "unbound"]).ok();
        }
        assert_eq!(lim.inspect()["limits"], serde_json::json!({}));
    }
}

on_hosts! {
    fn container_stopped_by_systemctl_stays_down_at_boot(host) {
        host.tiny();
        let unit = |name: &str| format!("volt-container@{name}.service");
        let link = |name: &str| format!("/etc/systemd/system/multi-user.target.wants/{}", unit(name));
        for (name, policy, stays) in
            [("link-unless", "unless-stopped", false), ("link-failure", "on-failure", false), ("link-always", "always", true)]
        {
            let _guard = host.container(name);
            host.volt(&["container", "create", "--name", name, "--restart", policy, "tiny", "sleep", "1000"]).ok();
            host.sh(&format!("! test -L {}", link(name))).ok();
            host.run(&["systemctl", "start", &unit(name)]).ok();
            host.sh(&format!("test -L {}", link(name))).ok();
            host.run(&["systemctl", "restart", &unit(name)]).ok();
            host.sh(&format!("test -L {}", link(name))).ok();
            host.run(&["systemctl", "stop", &unit(name)]).ok();
            host.until(LONG, &format!("! systemctl is-active -q volt-prepare@{name}.service"));
            let not = if stays { "" } else { "!" };
            host.until(LONG, &format!("{not} test -L {}", link(name)));
        }
    }
}

on_hosts! {
    fn container_is_powered_off_by_machinectl(host) {
        host.tiny();
        let off = host.container("off");
        host.volt(&["run", "-d", "--name", "off", "tiny", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done"]).ok();
        host.run(&["machinectl", "poweroff", "off"]).ok();
        host.volt(&["container", "wait", "off"]).ok();
        assert_eq!(off.inspect()["exit"]["code"], 7);
    }
}

on_hosts! {
    fn container_that_is_attached_to_is_audited_as_started(host) {
        host.tiny();
        let _guard = host.container("trail");
        host.volt(&["run", "--name", "trail", "tiny", "true"]).ok();
        for action in ["container.create", "container.attach", "container.start"] {
            host.sh(&format!("grep '\"resource\":\"trail\"' /var/log/volt/audit.log | grep -q '\"{action}\"'")).ok();
        }
    }
}

on_hosts! {
    fn container_that_makes_no_sense_is_refused(host) {
        host.tiny();
        let create = |words: &[&str]| host.volt(&[&["container", "create", "--name", "nonsense"], words, &["tiny", "true"]].concat());
        create(&["--rm", "--restart", "always"]).fails(2);
        let error = create(&["--network", "host", "--cap-add", "NET_BIND_SERVICE"]).fails(2);
        assert!(error.contains("ip_unprivileged_port_start"), "{error}");
        create(&["--network", "host", "--cap-add", "NET_ADMIN"]).fails(2);
    }
}
