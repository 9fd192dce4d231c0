//! Health checks: what is looked at, what follows, the gates that wait for it, and all of that with no daemon.

use serde_json::Value;
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

const SOON: Duration = Duration::from_secs(30);

/// Waits until a container's health is this.
#[track_caller]
fn becomes(host: &Host, name: &str, status: &str) {
    host.until(
        SOON,
        &format!("volt health status {name} -o json | grep -q '\"status\": *\"{status}\"'"),
    );
}

fn status(host: &Host, name: &str) -> Value {
    host.volt(&["health", "status", name, "-o", "json"]).json()
}

/// What became of a container's health, in words.
fn past(host: &Host, name: &str) -> Vec<String> {
    let past = host.volt(&["health", "history", name, "-o", "json"]).json();
    past.as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["what"].as_str().unwrap().to_owned())
        .collect()
}

on_hosts! {
    fn health_is_found_out_by_pages_ports_and_commands(host) {
        let host = host.private("health");
        host.tiny();
        host.sh("mkdir -p /tmp/www && echo well > /tmp/www/page && chmod -R a+rX /tmp/www").ok();
        host.sh("systemd-run --quiet --unit told sh -c 'exec volt events --kind health -o json > /tmp/events'; sleep 1").ok();
        host.volt(&["run", "-d", "--name", "page", "-v", "/tmp/www:/www:ro", "--health-http", "80/page", "--health-interval", "1s", "--health-retries", "2", "tiny", "httpd", "-f", "-p", "80", "-h", "/www"]).ok();
        // Only its own loopback leads to this one.
        host.volt(&["run", "-d", "--name", "port", "--network", "none", "--health-tcp", "80", "--health-interval", "1s", "tiny", "httpd", "-f", "-p", "127.0.0.1:80"]).ok();
        host.volt(&["run", "-d", "--name", "shared", "--network", "host", "--health-http", "8099", "--health-status", "404", "--health-interval", "1s", "tiny", "httpd", "-f", "-p", "8099", "-h", "/tmp"]).ok();
        host.volt(&["run", "-d", "--name", "inside", "--health-cmd", "echo looking; test -e /tmp/well", "--health-interval", "1s", "--health-retries", "2", "tiny", "sleep", "1000"]).ok();
        host.volt(&["run", "-d", "--name", "slow", "--health-cmd", "sleep 1000", "--health-interval", "1s", "--health-timeout", "500ms", "--health-retries", "1", "tiny", "sleep", "1000"]).ok();
        host.volt(&["run", "-d", "--name", "early", "--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1", "--health-start-period", "1h", "tiny", "sleep", "1000"]).ok();
        host.volt(&["run", "-d", "--name", "unasked", "tiny", "sleep", "1000"]).ok();
        for name in ["page", "port", "shared"] {
            becomes(&host, name, "healthy");
        }
        for name in ["inside", "slow"] {
            becomes(&host, name, "unhealthy");
        }
        host.sh("volt ps | grep '^page ' | grep -E 'up .* \\(healthy\\)' && volt ps | grep '^inside ' | grep -F '(unhealthy)'").ok();
        assert_eq!(host.volt(&["inspect", "page", "-o", "json"]).json()["container"]["health_check"]["http"]["path"], "/page");
        let inside = status(&host, "inside");
        assert_eq!(inside["last_words"], "exit code 1: looking", "{inside}");
        assert_eq!(status(&host, "slow")["last_words"], "no end within 500ms");
        // What was killed for its time is gone.
        host.until(SOON, "test $(volt exec slow ps | grep -c 'sleep 1000') -le 3");
        let early = status(&host, "early");
        assert_eq!((&early["status"], &early["streak"]), (&"starting".into(), &0.into()), "{early}");
        host.volt(&["exec", "inside", "touch", "/tmp/well"]).ok();
        becomes(&host, "inside", "healthy");
        host.sh("rm /tmp/www/page").ok();
        becomes(&host, "page", "unhealthy");
        assert!(status(&host, "page")["last_words"].as_str().unwrap().ends_with("/page: 404"));
        assert_eq!(past(&host, "page").last().unwrap(), "unhealthy");
        // Nobody who is held still is ill.
        host.volt(&["workload", "freeze", "port"]).ok();
        host.sh("sleep 6").ok();
        assert_eq!(status(&host, "port")["status"], "healthy");
        host.volt(&["workload", "thaw", "port"]).ok();
        let events = host.sh("cat /tmp/events").ok();
        for (name, action) in [("page", "healthy"), ("page", "unhealthy"), ("inside", "unhealthy"), ("inside", "healthy")] {
            let told = |line: &str| line.replace(' ', "").contains(&format!("\"name\":\"{name}\"")) && line.replace(' ', "").contains(&format!("\"action\":\"{action}\""));
            assert!(events.lines().any(told), "{name} {action}: {events}");
        }
        host.sh("journalctl -u volt-health -o cat | grep -E 'unhealthy.*inside'").ok();

        host.volt(&["health", "status", "unasked"]).fails(3);
        host.volt(&["health", "history", "unasked"]).fails(3);
        host.volt(&["health", "status", "nobody"]).fails(3);
        host.volt(&["health", "configure", "nobody", "--tcp", "80"]).fails(3);
        for flags in ["--health-http x", "--health-tcp 80 --health-cmd true", "--health-interval 1s", "--health-tcp 80 --health-interval 1ms", "--rm --health-tcp 80 --on-unhealthy restart", "--no-healthcheck --health-retries 3"] {
            host.sh(&format!("volt container create --name refused {flags} tiny true")).fails(2);
        }
        let listed = host.volt(&["health", "list", "-o", "json"]).json();
        let names: Vec<&str> = listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["early", "inside", "page", "port", "shared", "slow"]);
        // Who is in no group sees how they are, and not what they say.
        host.sh("useradd -m outsider").ok();
        let seen = host.sh("runuser -u outsider -- volt health status inside -o json").json();
        assert_eq!((&seen["status"], &seen["last_words"]), (&"healthy".into(), &Value::Null));
        host.volt(&["delete", "--force", "page", "inside"]).ok();
        host.until(SOON, "! ls /run/volt/health /var/lib/volt/health | grep -E 'page|inside'");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn health_of_images_and_of_files_with_no_daemon(host) {
        let host = host.private("checks");
        host.tiny();
        // As a pull would have it from the image's config.
        let config = r#"{"Test":["CMD-SHELL","test -e /tmp/well"],"Interval":1000000000,"Retries":2}"#;
        host.sh(&format!("volt image tag tiny checked && sed -Ei 's|\"config\": *\\{{|&\"healthcheck\":{config},|' /var/lib/volt/cas/refs/images/checked%3Alatest.json")).ok();
        host.volt(&["run", "-d", "--name", "said", "checked", "sleep", "1000"]).ok();
        host.volt(&["run", "-d", "--name", "often", "--health-retries", "1000", "checked", "sleep", "1000"]).ok();
        host.volt(&["run", "-d", "--name", "quiet", "--no-healthcheck", "checked", "sleep", "1000"]).ok();
        becomes(&host, "said", "unhealthy");
        host.volt(&["exec", "said", "touch", "/tmp/well"]).ok();
        becomes(&host, "said", "healthy");
        assert_eq!(status(&host, "often")["check"]["interval"], "1s");
        host.volt(&["health", "status", "quiet"]).fails(3);

        // Written by hand, with nobody there but who looks.
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.volt(&["run", "-d", "--name", "plain", "tiny", "sleep", "1000"]).ok();
        host.sh("systemctl stop volt-health.service && mkdir -p /etc/volt/health && printf 'exec: echo by hand; false\\ninterval: 1s\\nretries: 1\\n' > /etc/volt/health/plain.yaml").ok();
        becomes(&host, "plain", "unhealthy");
        assert_eq!(status(&host, "plain")["last_words"], "exit code 1: by hand");
        // A file that is wrong changes nothing, and its place is said.
        host.sh("printf 'exec: \"true\"\\nintervall: 1s\\n' > /root/bad && mv /root/bad /etc/volt/health/plain.yaml").ok();
        host.until(SOON, "journalctl -u volt-health -o cat | grep 'not heeded' | grep -F 'line 2'");
        let plain = status(&host, "plain");
        assert_eq!(plain["status"], "unhealthy");
        assert!(plain["problem"].as_str().unwrap().contains("line 2, column 1"), "{plain}");
        assert!(host.volt(&["system", "check"]).stdout.contains("/etc/volt/health/plain.yaml"));
        host.sh("printf 'exec: \"true\"\\ninterval: 1s\\n' > /root/good && mv /root/good /etc/volt/health/plain.yaml").ok();
        becomes(&host, "plain", "healthy");
        // By the command, over what the container has; and taken away again.
        host.volt(&["health", "configure", "said", "--tcp", "1", "--retries", "1"]).ok();
        becomes(&host, "said", "unhealthy");
        assert_eq!(status(&host, "said")["check"]["interval"], "1s");
        host.sh("grep -x 'tcp: 1' /etc/volt/health/said.yaml").ok();
        host.volt(&["health", "configure", "said", "--reset"]).ok();
        becomes(&host, "said", "healthy");
        host.sh("! test -e /etc/volt/health/said.yaml").ok();
        host.volt(&["health", "configure", "said", "--none"]).ok();
        host.until(SOON, "test \"$(volt health status said -o json | grep '\"check\"')\" = ''");
        host.volt(&["health", "configure", "quiet", "--retries", "3"]).fails(2);
        host.volt(&["health", "configure", "quiet", "--http", "80/", "--header", "A=b\nC: d"]).fails(2);

        // Killed, it comes back and knows what it knew.
        let since = status(&host, "plain")["since"].clone();
        let pid = || host.sh("systemctl show -P MainPID volt-health.service").ok();
        let before = pid();
        host.sh("systemctl kill -s KILL volt-health.service").ok();
        host.until(SOON, &format!("p=$(systemctl show -P MainPID volt-health.service); test $p != 0 && test $p != {before}"));
        host.sh("sleep 3").ok();
        let plain = status(&host, "plain");
        assert_eq!((&plain["status"], &plain["since"]), (&"healthy".into(), &since), "{plain}");
    }
}

on_hosts! {
    fn health_that_is_bad_restarts_and_stops(host) {
        let host = host.private("sick");
        host.tiny();
        let sick = ["--health-cmd", "false", "--health-interval", "1s", "--health-retries", "1"];
        for what in ["none", "stop", "restart"] {
            host.volt(&[&["run", "-d", "--name", what, "--restart", "always", "--on-unhealthy", what], &sick[..], &["tiny", "sleep", "1000"]].concat()).ok();
        }
        host.until(SOON, "systemctl show -P ActiveState volt-container@stop.service | grep -x inactive");
        host.until(SOON, "volt health history stop -o json | grep -q '\"stopped\"'");
        assert_eq!(past(&host, "stop").last().unwrap(), "stopped");
        host.until(Duration::from_secs(60), "test $(volt health history restart -o json | grep -c \"restarted\") -ge 2");
        // The second one waits ten seconds.
        let restarts = "volt health history restart -o json | tr -d ' \\n' | tr '{' '\\n' | grep '\"restarted\"' | grep -o '\"time\":\"[^\"]*' | cut -c 9- | date -f - +%s";
        let times: Vec<u64> = host.sh(restarts).ok().lines().map(|line| line.parse().unwrap()).collect();
        assert!(times[1] - times[0] >= 10, "{times:?}");
        host.until(SOON, "systemctl is-active volt-container@restart.service");
        assert_eq!(host.volt(&["container", "inspect", "none", "-o", "json"]).json()["health"], "unhealthy");
        assert!(!past(&host, "none").contains(&"restarted".to_owned()));
        let tries = status(&host, "restart")["restarts"].as_u64().unwrap();
        assert!((1..=3).contains(&tries), "{tries}");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

/// A unit that others than Volt would write: it comes after a gate.
fn gated(host: &Host, unit: &str, gate: &str) {
    // One that waits for an end begins nothing.
    let begun = gate.strip_prefix("volt-completed@").map(|name| format!("volt-container@{name}"));
    let begun = begun.unwrap_or_default();
    let text = format!(
        "[Unit]\nWants={begun}\nRequires={gate}\nAfter={gate}\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo {unit} >> /run/order'\n[Install]\nWantedBy=multi-user.target\n"
    );
    host.run_with(
        &[
            "sh",
            "-c",
            &format!("cat > /etc/systemd/system/{unit}.service && systemctl daemon-reload"),
        ],
        text.as_bytes(),
    )
    .ok();
}

on_hosts! {
    fn health_gates_hold_at_boot_and_with_no_daemon(host) {
        let host = host.private("gates");
        host.tiny();
        let create = |name: &str, more: &str, command: &str| {
            host.sh(&format!("volt container create --name {name} --health-interval 1s --health-cmd 'test -e /tmp/well' {more} tiny sh -c '{command}'")).ok();
        };
        create("db", "--health-retries 30 --restart unless-stopped", "rm -f /tmp/well; sleep 3; touch /tmp/well; echo db is well; exec sleep 1000");
        create("ill", "--health-retries 1", "exec sleep 1000");
        host.volt(&["container", "create", "--name", "good", "tiny", "sh", "-c", "sleep 2"]).ok();
        host.volt(&["container", "create", "--name", "bad", "tiny", "sh", "-c", "sleep 1; exit 3"]).ok();
        host.volt(&["container", "create", "--name", "unasked", "tiny", "sleep", "1000"]).ok();
        for (unit, gate) in [("after-db", "volt-healthy@db"), ("after-ill", "volt-healthy@ill"), ("after-good", "volt-completed@good"), ("after-bad", "volt-completed@bad"), ("after-unasked", "volt-healthy@unasked")] {
            gated(&host, unit, &format!("{gate}.service"));
        }
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.sh("rm -f /run/order; systemctl start after-db.service && grep -x after-db /run/order && systemctl is-active volt-container@db.service && volt health status db | grep -w healthy").ok();
        host.sh("systemctl start after-good.service && grep -x after-good /run/order && ! systemctl is-active volt-container@good.service").ok();
        for (unit, gate, words) in [("after-ill", "volt-healthy@ill", "is unhealthy; its check last said: exit code 1"), ("after-bad", "volt-completed@bad", "exit code 3"), ("after-unasked", "volt-healthy@unasked", "has no health check")] {
            assert_ne!(host.sh(&format!("systemctl start {unit}.service")).code, 0, "{unit}");
            host.sh(&format!("! grep -x {unit} /run/order && journalctl -u {gate} -o cat | grep -F '{words}'")).ok();
        }
        // The end of the container is not the end of who came after it; the next who comes after it waits again.
        host.sh("volt kill db; systemctl is-active after-db.service").ok();
        host.sh("systemctl stop after-db.service").ok();
        host.until(SOON, "! systemctl is-active volt-healthy@db.service");
        host.sh("systemctl restart volt-container@db.service; rm /run/order; systemctl start after-db.service && grep -x after-db /run/order && volt health status db | grep -w healthy").ok();
        // At boot.
        host.sh("systemctl enable after-db.service after-good.service").ok();
        host.reboot();
        host.until(Duration::from_secs(60), "systemctl is-active after-db.service after-good.service");
        host.sh("volt health status db | grep -w healthy && test $(sort /run/order | uniq | wc -l) = 2").ok();
        let at = |unit: &str, what: &str| host.sh(&format!("systemctl show -P {what} --timestamp=unix {unit} | tr -d @")).ok().parse::<u64>().unwrap();
        assert!(at("after-db.service", "ActiveEnterTimestamp") >= at("volt-container@db.service", "ActiveEnterTimestamp") + 2);
    }
}
