//! Options of `container create` and `run` that no other test of a container types, each by what it does inside and to the container.

use std::time::Duration;
use volt_e2e::on_hosts;

on_hosts! {
    fn container_options_of_the_command(host) {
        host.tiny();
        let run = |words: &[&str]| host.volt(&[&["run", "--rm"], words].concat());
        // In place of the image's, with what is typed behind the image as its arguments.
        assert_eq!(run(&["--entrypoint", "/bin/echo", "tiny", "hello", "-n"]).ok(), "hello -n");
        run(&["--entrypoint", "false", "tiny"]).fails(1);
        assert_eq!(run(&["--entrypoint", "", "tiny", "echo", "plain"]).ok(), "plain");
        run(&["--entrypoint", "/no/such", "tiny"]).fails(127);

        host.sh("cd /tmp && printf '# of the test\\n\\nCOLOUR=blue\\nSIZE= two words # kept\\nTAKEN\\nABSENT\\n' > one.env && printf 'COLOUR=red\\nSHAPE=round\\n' > two.env").ok();
        let seen = host.sh("cd /tmp && export TAKEN='from here' && volt run --rm --env-file one.env --env-file two.env -e SHAPE=square tiny env");
        let seen = seen.ok();
        let lines: Vec<&str> = seen.lines().collect();
        // The later file over the earlier, and `-e` over both.
        for wanted in ["COLOUR=red", "SIZE= two words # kept", "TAKEN=from here", "SHAPE=square"] {
            assert!(lines.contains(&wanted), "{wanted} is missing: {lines:?}");
        }
        assert!(!seen.contains("ABSENT"), "{seen}");
        host.sh("printf 'A=1\\nexport B=2\\n' > /tmp/bad.env").ok();
        let said = run(&["--env-file", "/tmp/bad.env", "tiny", "env"]).fails(12);
        assert!(said.contains("/tmp/bad.env:2"), "{said}");
        run(&["--env-file", "/no/such.env", "tiny", "env"]).fails(12);

        let named = run(&["--name", "container-name", "--hostname", "front", "tiny", "sh", "-c", "hostname; cat /etc/hostname /proc/sys/kernel/hostname; grep -w front /etc/hosts"]).ok();
        let mut lines = named.lines();
        assert!((0..3).all(|_| lines.next() == Some("front")) && lines.next().is_some(), "{named}");
        run(&["--hostname", "no_such name", "tiny", "true"]).fails(2);
    }
}

on_hosts! {
    fn container_options_of_the_container(host) {
        host.tiny();
        let marked = host.container("marked");
        host.volt(&["container", "create", "--name", "marked", "--label", "tier=front", "--label", "empty", "-l", "note=a=b", "--stop-signal", "USR1", "--stop-timeout", "60",
            "tiny", "sh", "-c", "trap 'echo asked; exit 5' USR1; trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"]).ok();
        let seen = marked.inspect();
        assert_eq!(seen["labels"], serde_json::json!({ "tier": "front", "empty": "", "note": "a=b" }), "{seen}");
        assert!(host.volt(&["ps", "-a", "-o", "wide"]).ok().lines().any(|line| line.starts_with("marked ") && line.contains("tier=front")));
        let listed = host.volt(&["container", "list", "-a", "-o", "json"]).json();
        assert!(listed.as_array().unwrap().iter().any(|one| one["name"] == "marked" && one["labels"]["tier"] == "front"), "{listed}");
        host.volt(&["container", "create", "--name", "other", "--label", "=x", "tiny", "true"]).fails(2);
        // By Volt's verb and by systemd's.
        for stop in ["volt stop marked", "systemctl stop volt-container@marked.service"] {
            host.volt(&["start", "marked"]).ok();
            host.until(Duration::from_secs(10), "test $(volt logs marked | grep -c ready) -gt $(volt logs marked | grep -c asked)");
            host.sh(stop).ok();
            host.volt(&["container", "wait", "marked"]).ok();
            assert_eq!(marked.inspect()["exit"]["code"], 5, "{stop}");
        }
        assert_eq!(host.volt(&["logs", "marked"]).ok().matches("asked").count(), 2);
        host.volt(&["container", "create", "--name", "other", "--stop-signal", "NOPE", "tiny", "true"]).fails(2);
    }
}
