//! Services: plain units of systemd that Volt writes, and those of the host.

use serde_json::Value;
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// How exposed a service may be in each sandbox, on every suite of Debian.
const EXPOSURE: [(&str, f64); 4] =
    [("standard", 2.0), ("strict", 1.0), ("web", 2.5), ("none", 9.6)];

fn status(host: &Host, name: &str) -> Value {
    host.volt(&["service", "status", name, "-o", "json"]).json()
}

/// Takes a service away that an earlier run of a test left.
fn without(host: &Host, name: &str) {
    drop(host.volt(&["service", "delete", "--force", name]));
}

on_hosts! {
    fn service_life_cycle(host) {
        without(host, "svc-life");
        host.volt(&["service", "create", "svc-life", "--exec", "/bin/sh -c 'echo \"50% $HOME of it\"; exec sleep 1000'", "--label", "team=web"]).ok();
        host.sh("test -f /etc/systemd/system/svc-life.service && test -L /var/lib/volt/units/svc-life.service").ok();
        assert_eq!(status(host, "svc-life")["state"], "stopped");
        host.volt(&["service", "start", "svc-life"]).ok();
        assert_eq!(host.run(&["systemctl", "is-active", "svc-life.service"]).ok(), "active");
        let seen = status(host, "svc-life");
        assert_eq!((&seen["state"], &seen["enabled"], &seen["profile"]), (&"running".into(), &"disabled".into(), &"standard".into()), "{seen}");
        // What was typed is what runs: systemd expands neither % nor $.
        host.until(Duration::from_secs(10), "volt service logs svc-life | grep -qF '50%  of it' || volt service logs svc-life | grep -qF '50% /'");
        let listed = host.volt(&["service", "list"]).ok();
        assert!(listed.contains("svc-life") && listed.contains("running"), "{listed}");
        let shown = host.volt(&["service", "show", "svc-life"]).ok();
        assert!(shown.starts_with("# /etc/systemd/system/svc-life.service\n") && shown.contains("ProtectSystem=strict"), "{shown}");
        let pid = seen["pid"].clone();
        host.volt(&["service", "kill", "--signal", "0", "svc-life"]).fails(2);
        host.volt(&["service", "kill", "svc-life"]).ok();
        host.until(Duration::from_secs(10), &format!("test \"$(systemctl show -P MainPID svc-life)\" != {pid}"));
        host.volt(&["service", "restart", "svc-life"]).ok();
        assert_ne!(status(host, "svc-life")["pid"], pid);
        host.volt(&["service", "enable", "svc-life"]).ok();
        assert_eq!(host.run(&["systemctl", "is-enabled", "svc-life.service"]).ok(), "enabled");
        host.volt(&["service", "disable", "svc-life"]).ok();
        assert_eq!(status(host, "svc-life")["enabled"], "disabled");
        host.volt(&["service", "delete", "svc-life"]).fails(9);
        host.volt(&["service", "stop", "svc-life"]).ok();
        host.volt(&["service", "kill", "svc-life"]).fails(9);
        assert_eq!(host.sh("systemctl is-active svc-life.service || true").ok(), "inactive");
        host.volt(&["service", "delete", "svc-life"]).ok();
        host.volt(&["service", "status", "svc-life"]).fails(3);
        host.sh("! systemctl cat svc-life.service 2>/dev/null").ok();
        host.gone(&["/etc/systemd/system/*svc-life*", "/var/lib/volt/units/svc-life*", "/var/lib/volt/services/svc-life", "/var/lib/svc-svc-life", "/var/lib/private/svc-svc-life"]);
    }
}

on_hosts! {
    fn service_is_confined_by_its_profile(host) {
        for (profile, own) in [("standard", true), ("strict", true), ("none", false)] {
            let name = format!("svc-{profile}");
            without(host, &name);
            let script = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; id -u; touch /usr/x && echo wrote; touch $STATE_DIRECTORY/kept && echo kept; ls /sys/class/net | tr '\\n' ' '; echo; exec sleep 1000";
            host.volt(&["service", "create", &name, "--profile", profile, "--", "/bin/sh", "-c", script]).ok();
            host.volt(&["service", "start", &name]).ok();
            host.until(Duration::from_secs(10), &format!("volt service logs {name} | grep -qw lo"));
            let said = host.volt(&["service", "logs", &name]).ok();
            assert!(said.contains("NoNewPrivs:\t1"), "{said}");
            assert_eq!(said.contains("CapEff:\t0000000000000000"), own, "{said}");
            // The user is there while it runs.
            assert_eq!(said.lines().any(|line| line == "0"), !own, "{said}");
            assert_eq!(host.sh(&format!("systemctl show -P User {name}.service")).ok(), if own { format!("svc-{name}") } else { String::new() });
            assert_eq!(said.lines().any(|line| line == "wrote"), !own, "{said}");
            assert!(!own || said.lines().any(|line| line == "kept"), "{said}");
            host.sh("rm -f /usr/x /kept").ok();
            host.volt(&["service", "delete", "--force", &name]).ok();
            host.gone(&[&format!("/var/lib/svc-{name}"), &format!("/var/lib/private/svc-{name}")]);
        }
        // Who asks for the page of a service that listens at a low port gets an answer, if it is there or not.
        let low = |profile: &str| {
            without(host, "svc-low");
            host.volt(&["service", "create", "svc-low", "--profile", profile, "--", "/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:907", "-h", "/srv"]).ok();
            host.volt(&["service", "start", "svc-low"])
        };
        drop(low("standard"));
        host.until(Duration::from_secs(10), "systemctl is-failed -q svc-low && volt service logs svc-low | grep -q 'ermission denied'");
        low("web").ok();
        host.until(Duration::from_secs(10), "curl -s -o /dev/null http://127.0.0.1:907/");
        assert_ne!(host.sh("ps -o user= -p $(systemctl show -P MainPID svc-low)").ok(), "root");
        host.volt(&["service", "delete", "--force", "svc-low"]).ok();
        // As whom, where and with what it is told.
        without(host, "svc-told");
        host.sh("mkdir -p '/srv/a b' && chown nobody '/srv/a b'").ok();
        host.volt(&["service", "create", "svc-told", "--user", "nobody", "--workdir", "/srv/a b", "--writable", "/srv/a b", "-e", "WORDS=it's \"50%\" of $HOME\n\\two", "--memory", "64M", "--", "/bin/sh", "-c", "id -un > who; pwd >> who; printf '%s\\n' \"$WORDS\" >> who; exec sleep 1000"]).ok();
        host.volt(&["service", "start", "svc-told"]).ok();
        host.until(Duration::from_secs(10), "test $(wc -l < '/srv/a b/who') = 4");
        assert_eq!(host.sh("cat '/srv/a b/who'").ok(), "nobody\n/srv/a b\nit's \"50%\" of $HOME\n\\two");
        assert_eq!(host.sh("systemctl show -P MemoryMax svc-told.service").ok(), "67108864");
        assert_eq!(status(host, "svc-told")["env"], serde_json::json!(["WORDS=it's \"50%\" of $HOME\n\\two"]));
        // The value is in no unit and no property.
        host.sh("! systemctl cat svc-told.service | grep -q of.*HOME && ! systemctl show svc-told.service | grep -q 'of .HOME' && test $(stat -c %a /var/lib/volt/services/svc-told/environment) = 640").ok();
        host.volt(&["service", "delete", "--force", "svc-told"]).ok();
    }
}

on_hosts! {
    fn service_list_profiles_with_their_exposure(host) {
        let profiles = host.volt(&["service", "list", "--profiles", "-o", "json"]).json();
        for (name, most) in EXPOSURE {
            let found = profiles.as_array().unwrap().iter().find(|p| p["name"] == name).unwrap();
            let exposure = found["exposure"].as_f64().unwrap();
            assert!(exposure <= most, "{name}: {exposure}");
        }
        assert!(host.volt(&["service", "list", "--profiles"]).ok().contains("EXPOSURE"));
    }
}

on_hosts! {
    fn service_names_that_can_not_be_are_refused(host) {
        host.tiny();
        let _guard = host.container("svc-taken");
        without(host, "svc-first");
        host.volt(&["container", "create", "--name", "svc-taken", "tiny", "true"]).ok();
        let create = |name: &str, more: &[&str]| host.volt(&[&["service", "create", name], more].concat());
        assert!(create("svc-taken", &["--", "sleep", "1"]).fails(4).contains("container named svc-taken"));
        assert!(create("dbus", &["--", "sleep", "1"]).fails(4).contains("dbus.service"));
        create("volt-web", &["--", "sleep", "1"]).fails(2);
        create("Web", &["--", "sleep", "1"]).fails(2);
        create("svc-first", &[]).fails(2);
        create("svc-first", &["--exec", "'open"]).fails(2);
        create("svc-first", &["--", "./relative"]).fails(2);
        create("svc-first", &["--user", "a b", "--", "sleep", "1"]).fails(2);
        assert!(create("svc-first", &["--user", "nosuch", "--", "sleep", "1"]).fails(3).contains("user named nosuch"));
        create("svc-first", &["--profile", "loose", "--", "sleep", "1"]).fails(2);
        create("svc-first", &["--rate", "1mbit", "--", "sleep", "1"]).fails(2);
        assert!(create("svc-first", &["--", "/no/such/program"]).fails(12).contains("/no/such/program"));
        host.gone(&["/etc/systemd/system/svc-first*", "/var/lib/volt/services/svc-first", "/var/lib/volt/units/svc-first*"]);
        create("svc-first", &["--", "sleep", "1000"]).ok();
        create("svc-first", &["--", "sleep", "1000"]).fails(4);
        host.volt(&["container", "create", "--name", "svc-first", "tiny", "true"]).fails(4);
        host.volt(&["container", "rename", "svc-taken", "svc-first"]).fails(4);
        host.volt(&["service", "delete", "svc-first"]).ok();
        host.volt(&["service", "start", "svc-first"]).fails(3);
        assert!(host.volt(&["service", "start", "dbus"]).fails(3).contains("dbus.service"));
    }
}

on_hosts! {
    fn service_that_does_not_start_says_why(host) {
        without(host, "svc-bad");
        host.sh("printf '#!/bin/sh\\necho no port is free >&2\\nexit 7\\n' > /usr/local/bin/svc-bad; chmod 644 /usr/local/bin/svc-bad; chmod +x /usr/local/bin/svc-bad").ok();
        host.volt(&["service", "create", "svc-bad", "--restart", "on-failure:1", "--exec", "/usr/local/bin/svc-bad"]).ok();
        drop(host.volt(&["service", "start", "svc-bad"]));
        host.until(Duration::from_secs(20), "test $(systemctl show -P ActiveState svc-bad.service) = failed");
        let seen = status(host, "svc-bad");
        assert_eq!((&seen["state"], &seen["exit_code"]), (&"failed".into(), &7.into()), "{seen}");
        assert!(host.volt(&["service", "logs", "svc-bad"]).ok().contains("no port is free"));
        host.sh("rm /usr/local/bin/svc-bad").ok();
        let said = host.volt(&["service", "start", "svc-bad"]).fails(1);
        assert!(said.contains("svc-bad.service did not start") && said.contains("/usr/local/bin/svc-bad"), "{said}");
        host.volt(&["service", "delete", "--force", "svc-bad"]).ok();
    }
}

on_hosts! {
    fn service_edit_never_leaves_a_broken_unit(host) {
        without(host, "svc-edit");
        host.volt(&["service", "create", "svc-edit", "--now", "--", "sleep", "1000"]).ok();
        let edit = |name: &str, script: &str| host.run(&["env", &format!("EDITOR=/usr/local/bin/svc-{script}"), "volt", "service", "edit", name]);
        let editor = |script: &str, text: &str| {
            host.sh(&format!("printf '%s' '#!/bin/sh\n{text}\n' > /usr/local/bin/svc-{script} && chmod +x /usr/local/bin/svc-{script}")).ok();
        };
        editor("good", "sed -i \"1a Nice=7\" \"$1\"");
        editor("bad", "sed -i \"1a Nice=many\" \"$1\"");
        editor("unknown", "sed -i \"1a Nise=7\" \"$1\"");
        editor("empty", ": > \"$1\"");
        edit("svc-edit", "good").ok();
        assert_eq!(host.sh("cat /etc/systemd/system/svc-edit.service.d/override.conf").ok(), "[Service]\nNice=7");
        host.volt(&["service", "restart", "svc-edit"]).ok();
        assert_eq!(host.sh("systemctl show -P Nice svc-edit.service").ok(), "7");
        for script in ["bad", "unknown"] {
            let said = edit("svc-edit", script).fails(12);
            assert!(said.contains("override.conf:2"), "{said}");
            assert_eq!(host.sh("cat /etc/systemd/system/svc-edit.service.d/override.conf; systemctl show -P NeedDaemonReload svc-edit.service").ok(), "[Service]\nNice=7\nno");
        }
        edit("svc-edit", "empty").ok();
        host.sh("! test -e /etc/systemd/system/svc-edit.service.d").ok();
        // A unit of the host is edited as `systemctl edit` does.
        host.sh("printf '[Service]\\nExecStart=/bin/sleep 1000\\n' > /etc/systemd/system/e2e-edit.service; systemctl daemon-reload").ok();
        edit("e2e-edit.service", "good").ok();
        assert_eq!(host.sh("systemctl show -P Nice e2e-edit.service").ok(), "7");
        edit("e2e-edit.service", "empty").ok();
        host.sh("rm /etc/systemd/system/e2e-edit.service; systemctl daemon-reload; rm /usr/local/bin/svc-*").ok();
        host.volt(&["service", "edit", "no-such.service"]).fails(3);
        host.volt(&["service", "delete", "--force", "svc-edit"]).ok();
    }
}

on_hosts! {
    fn service_verbs_on_a_unit_of_the_host(host) {
        host.sh("printf '[Service]\\nExecStart=/bin/sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/e2e-host.service; systemctl daemon-reload").ok();
        for (verb, active) in [("start", "active"), ("restart", "active"), ("stop", "inactive")] {
            host.volt(&["service", verb, "e2e-host.service"]).ok();
            assert_eq!(host.sh("systemctl is-active e2e-host.service || true").ok(), active);
        }
        host.volt(&["service", "enable", "--now", "e2e-host.service"]).ok();
        let seen = status(host, "e2e-host.service");
        assert_eq!((&seen["state"], &seen["enabled"]), (&"running".into(), &"enabled".into()), "{seen}");
        assert!(host.volt(&["service", "list", "--all", "-o", "name"]).ok().lines().any(|name| name == "e2e-host.service"));
        assert!(host.volt(&["service", "show", "e2e-host.service"]).ok().contains("ExecStart=/bin/sleep 1000"));
        assert!(host.volt(&["service", "logs", "e2e-host.service"]).ok().contains("Started"));
        host.volt(&["service", "disable", "--now", "e2e-host.service"]).ok();
        assert_eq!(status(host, "e2e-host.service")["state"], "stopped");
        // It is the host's: Volt removes none.
        host.volt(&["service", "delete", "e2e-host.service"]).fails(2);
        host.volt(&["service", "status", "no-such.service"]).fails(3);
        host.sh("rm /etc/systemd/system/e2e-host.service; systemctl daemon-reload").ok();
    }
}

on_hosts! {
    fn service_is_a_workload(host) {
        without(host, "svc-work");
        host.volt(&["service", "create", "svc-work", "--now", "--", "/bin/sh", "-c", "while :; do :; done"]).ok();
        let listed = host.volt(&["ps", "-o", "json"]).json();
        let found = listed.as_array().unwrap().iter().find(|w| w["name"] == "svc-work").unwrap();
        assert_eq!((&found["kind"], &found["unit"], &found["state"]), (&"service".into(), &"svc-work.service".into(), &"running".into()));
        assert_eq!(host.volt(&["workload", "inspect", "svc-work", "-o", "json"]).json()["kind"], "service");
        assert!(host.volt(&["top", "--once", "-o", "json"]).json().as_array().unwrap().iter().any(|u| u["name"] == "svc-work" && u["kind"] == "service"));
        host.volt(&["workload", "freeze", "svc-work"]).ok();
        assert_eq!(status(host, "svc-work")["state"], "frozen");
        host.volt(&["service", "start", "svc-work"]).fails(9);
        let used = || host.sh("grep usage_usec /sys/fs/cgroup/system.slice/svc-work.service/cpu.stat 2>/dev/null || echo none").ok();
        let before = used();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(used(), before);
        host.volt(&["workload", "thaw", "svc-work"]).ok();
        assert_eq!(status(host, "svc-work")["state"], "running");
        host.volt(&["workload", "thaw", "svc-work"]).ok();
        host.volt(&["workload", "freeze", "svc-work"]).ok();
        host.volt(&["workload", "stop", "svc-work"]).ok();
        host.volt(&["workload", "freeze", "svc-work"]).fails(9);
        host.volt(&["workload", "start", "svc-work"]).ok();
        host.volt(&["workload", "restart", "svc-work"]).ok();
        assert!(host.volt(&["workload", "list", "--kind", "service", "-o", "name"]).ok().lines().any(|name| name == "svc-work"));
        host.volt(&["service", "delete", "--force", "svc-work"]).ok();
    }
}

on_hosts! {
    fn service_survives_a_reboot_without_the_daemon(host) {
        let host = host.private("svcboot");
        host.volt(&["service", "create", "kept", "--now", "--", "sleep", "1000"]).ok();
        host.volt(&["service", "create", "asleep", "--", "sleep", "1000"]).ok();
        host.volt(&["task", "create", "tick", "--every", "5s", "--", "/bin/echo", "tick"]).ok();
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.reboot();
        host.until(Duration::from_secs(30), "systemctl is-active kept.service");
        assert_eq!(status(&host, "asleep")["state"], "stopped");
        host.until(Duration::from_secs(30), "volt task history tick -o json | grep -q success");
        host.volt(&["service", "restart", "kept"]).ok();
        host.volt(&["task", "run", "tick"]).ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
        for command in ["service delete --force kept asleep", "task delete --force tick"] {
            host.sh(&format!("volt {command}")).ok();
        }
        host.sh("! ls /etc/systemd/system | grep -E 'kept|asleep|tick' && test -z \"$(ls -A /var/lib/volt/services)$(ls -A /var/lib/volt/tasks)\"").ok();
    }
}
