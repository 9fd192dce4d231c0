//! What is common to all workloads, and units of the host.

use volt_e2e::on_hosts;

on_hosts! {
    fn workload_verbs_on_a_container(host) {
        host.tiny();
        let work = host.container("work");
        host.volt(&["container", "create", "--name", "work", "tiny", "sleep", "1000"]).ok();
        host.volt(&["workload", "start", "work"]).ok();
        assert_eq!(work.state(), "running");
        host.volt(&["workload", "restart", "work"]).ok();
        assert_eq!(work.state(), "running");
        let seen = host.volt(&["workload", "inspect", "work", "-o", "json"]).json();
        assert_eq!((seen["kind"].as_str(), seen["container"]["image"].as_str()), (Some("container"), Some("tiny")));
        assert_eq!(host.volt(&["ps", "inspect", "work", "-o", "json"]).json()["name"], "work");
        assert!(host.volt(&["workload", "list", "-o", "name"]).ok().lines().any(|l| l == "work"));
        let usage = host.volt(&["top", "--once", "-o", "json"]).json();
        assert!(usage.as_array().unwrap().iter().any(|u| u["name"] == "work"), "{usage}");
        host.volt(&["workload", "stop", "work"]).ok();
        assert_eq!(work.state(), "stopped");
    }
}

on_hosts! {
    fn workload_list_shows_stacks_together(host) {
        host.tiny();
        let _alone = host.container("grouped");
        host.volt(&["run", "-d", "--name", "grouped", "tiny", "sleep", "1000"]).ok();
        let file = "name: herd\nservices: {b: {image: tiny, command: sleep 1000}, a: {image: tiny, command: sleep 1000}}\n";
        host.run_with(&["sh", "-c", "cat > /tmp/herd.yaml"], file.as_bytes()).ok();
        host.volt(&["compose", "-f", "/tmp/herd.yaml", "up", "-d"]).ok();
        let text = host.volt(&["ps"]).ok();
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| *line == "herd").unwrap();
        assert!(lines[..at].iter().any(|line| line.starts_with("grouped  ")), "{text}");
        assert!(lines[at + 1].starts_with("  herd-a-1  container") && lines[at + 2].starts_with("  herd-b-1  container"), "{text}");
        // Programs read whose it is; what belongs to no stack says nothing of one.
        let all = host.volt(&["ps", "-o", "json"]).json();
        let stack = |name: &str| all.as_array().unwrap().iter().find(|w| w["name"] == name).unwrap()["stack"].clone();
        assert_eq!((stack("herd-a-1"), stack("grouped")), ("herd".into(), serde_json::Value::Null));
        assert_eq!(host.volt(&["ps", "--stack", "herd", "-o", "name"]).ok(), "herd-a-1\nherd-b-1");
        assert_eq!(host.volt(&["workload", "list", "-a", "--stack", "no-such", "-o", "name"]).ok(), "");
        host.volt(&["compose", "-p", "herd", "down"]).ok();
        assert_eq!(host.volt(&["ps", "-a", "--stack", "herd", "-o", "name"]).ok(), "");
    }
}

on_hosts! {
    fn workload_top_is_a_screen_at_a_terminal(host) {
        host.tiny();
        let one = host.container("peak-one");
        let _two = host.container("peak-two");
        for name in ["peak-one", "peak-two"] {
            host.volt(&["run", "-d", "--name", name, "tiny", "sh", "-c", &format!("echo log-of-{name}; exec sleep 1000")]).ok();
        }
        let mut screen = host.terminal(&["sh", "-c", "echo $$ > /tmp/top.pid; exec volt top"], 130, 30);
        // Its other screen, so that what stood there comes back.
        screen.until("\x1b[?1049h");
        screen.until("peak-two");
        // What is typed after a slash narrows the list; then the only one left is chosen.
        screen.keys("/peak-two\r");
        screen.keys("l");
        screen.until("log-of-peak-two");
        screen.keys("q");
        screen.keys("e");
        screen.until("\x1b[?1049l");
        screen.until("# ");
        screen.keys("echo in-$((40 + 2))-$(hostname)\r");
        screen.until("in-42-peak-two");
        screen.keys("exit\r");
        screen.until("\x1b[?1049h");
        // It is asked before a workload is stopped.
        screen.keys("sn");
        screen.keys("sy");
        host.until(std::time::Duration::from_secs(20), "test \"$(systemctl is-active volt-container@peak-two)\" = inactive");
        assert_eq!(one.state(), "running");
        screen.keys("?");
        screen.until("Ctrl-C");
        screen.keys("qq");
        let (code, rest) = screen.ends();
        assert!(code == 0 && rest.contains("\x1b[?1049l"), "{code} {rest:?}");

        // A signal leaves the terminal as it was, too.
        for signal in ["TERM", "HUP", "QUIT", "INT"] {
            let mut screen = host.terminal(&["sh", "-c", "echo $$ > /tmp/top.pid; exec volt top"], 130, 30);
            screen.until("peak-one");
            host.sh(&format!("kill -{signal} $(cat /tmp/top.pid)")).ok();
            let (code, rest) = screen.ends();
            assert!(code != 0 && rest.contains("\x1b[?1049l"), "{signal}: {code} {rest:?}");
        }
        // Where nobody looks at a terminal it is a list after each measurement.
        let text = host.sh("volt top | head -n 3").ok();
        assert!(text.starts_with("NAME ") && !text.contains('\x1b'), "{text:?}");
    }
}

on_hosts! {
    fn workload_verbs_on_a_unit_of_the_host(host) {
        host.sh("printf '[Service]\\nExecStart=/bin/sleep 1000\\n' > /run/systemd/system/e2e-unit.service; systemctl daemon-reload").ok();
        host.volt(&["workload", "start", "e2e-unit.service"]).ok();
        assert_eq!(host.run(&["systemctl", "is-active", "e2e-unit.service"]).ok(), "active");
        let seen = host.volt(&["workload", "inspect", "e2e-unit.service", "-o", "json"]).json();
        assert_eq!(seen["state"], "running", "{seen}");
        host.volt(&["workload", "stop", "e2e-unit.service"]).ok();
        assert_eq!(host.sh("systemctl is-active e2e-unit.service || true").ok(), "inactive");
        host.volt(&["workload", "start", "no-such.service"]).fails(3);
    }
}
