//! Tasks: commands that timers of systemd start.

use serde_json::Value;
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

fn task(host: &Host, name: &str) -> Value {
    host.volt(&["task", "inspect", name, "-o", "json"]).json()
}

fn history(host: &Host, name: &str) -> Vec<Value> {
    host.volt(&["task", "history", name, "-o", "json"]).json().as_array().unwrap().clone()
}

/// Takes a task away that an earlier run of a test left.
fn without(host: &Host, name: &str) {
    drop(host.volt(&["task", "delete", "--force", name]));
}

on_hosts! {
    fn task_life_cycle(host) {
        without(host, "tk-life");
        host.volt(&["task", "create", "tk-life", "--cron", "0 3 13 * fri", "--random-delay", "10m", "--timeout", "1h", "--exec", "/bin/sh -c 'echo out; echo err >&2; exit 3'"]).ok();
        let seen = task(host, "tk-life");
        assert_eq!((&seen["state"], &seen["enabled"], &seen["schedule"]), (&"stopped".into(), &true.into(), &"cron 0 3 13 * fri".into()), "{seen}");
        assert!(seen["next"].as_str().unwrap().starts_with("20"), "{seen}");
        assert_eq!(host.sh("systemctl is-active volt-task-tk-life.timer; systemctl is-enabled volt-task-tk-life.timer").ok(), "active\nenabled");
        let timer = host.sh("systemctl cat volt-task-tk-life.timer").ok();
        assert!(timer.contains("OnCalendar=*-*-13 03:00:00\nOnCalendar=Fri *-*-* 03:00:00\nPersistent=yes"), "{timer}");
        assert_eq!(host.sh("systemctl show -P RandomizedDelayUSec volt-task-tk-life.timer").ok(), "10min");
        let listed = host.volt(&["task", "list"]).ok();
        assert!(listed.contains("tk-life") && listed.contains("cron 0 3 13 * fri"), "{listed}");
        // Now, with what it writes and its exit code.
        let ran = host.volt(&["task", "run", "tk-life"]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.stdout.contains("out") && ran.stdout.contains("err") && ran.stderr.contains("exit-code"), "{ran:?}");
        let runs = history(host, "tk-life");
        assert_eq!((runs.len(), &runs[0]["result"], &runs[0]["exit_code"]), (1, &"exit-code".into(), &3.into()), "{runs:?}");
        assert_eq!(task(host, "tk-life")["state"], "failed");
        assert!(host.volt(&["task", "logs", "tk-life"]).ok().contains("err"));
        host.volt(&["task", "disable", "tk-life"]).ok();
        let seen = task(host, "tk-life");
        assert!(seen["enabled"] == false && seen["next"].is_null(), "{seen}");
        host.volt(&["task", "run", "tk-life"]).fails(3);
        assert_eq!(history(host, "tk-life").len(), 2);
        host.volt(&["task", "enable", "tk-life"]).ok();
        host.volt(&["task", "delete", "tk-life"]).ok();
        host.volt(&["task", "inspect", "tk-life"]).fails(3);
        host.sh("! systemctl cat volt-task-tk-life.timer 2>/dev/null").ok();
        host.gone(&["/etc/systemd/system/*tk-life*", "/etc/systemd/system/timers.target.wants/*tk-life*", "/var/lib/volt/tasks/tk-life", "/var/lib/volt/units/*tk-life*", "/var/lib/systemd/timers/*tk-life*", "/var/lib/private/task-tk-life"]);
    }
}

on_hosts! {
    fn task_in_a_container_stands_still_as_a_whole(host) {
        host.tiny();
        without(host, "tk-still");
        host.volt(&["task", "create", "tk-still", "--every", "1h", "--container", "tiny", "--", "sh", "-c", "while :; do echo x >> /count; sleep 0.1; done"]).ok();
        host.sh("systemctl start --no-block volt-task-tk-still.service").ok();
        let count = || host.sh("wc -l < /var/lib/volt/containers/task-tk-still/upper/count").ok();
        host.until(Duration::from_secs(20), "test $(wc -l < /var/lib/volt/containers/task-tk-still/upper/count) -gt 2");
        host.volt(&["workload", "freeze", "tk-still"]).ok();
        let before = count();
        // What does not happen is no event: ten of its lines would have come.
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(count(), before);
        host.volt(&["workload", "thaw", "tk-still"]).ok();
        host.until(Duration::from_secs(10), &format!("test $(wc -l < /var/lib/volt/containers/task-tk-still/upper/count) -gt {before}"));
        // What stands still is ended too.
        host.volt(&["workload", "freeze", "tk-still"]).ok();
        host.volt(&["workload", "stop", "tk-still"]).ok();
        host.until(Duration::from_secs(20), "! volt container inspect task-tk-still 2> /dev/null");
        host.volt(&["task", "delete", "--force", "tk-still"]).ok();
    }
}

on_hosts! {
    fn task_is_started_by_its_timer_and_never_twice_at_once(host) {
        without(host, "tk-timer");
        host.volt(&["task", "create", "tk-timer", "--every", "1s", "--", "/bin/sh", "-c", "echo began; sleep 3; echo ended"]).ok();
        host.until(Duration::from_secs(20), "test $(volt task history tk-timer -o json | grep -c '\"success\"') -ge 2");
        let log = host.volt(&["task", "logs", "tk-timer"]).ok();
        let words: Vec<&str> = log.lines().filter(|line| ["began", "ended"].contains(line)).collect();
        assert!(words.chunks(2).all(|pair| pair[0] == "began" && pair.get(1).is_none_or(|word| *word == "ended")), "{log}");
        let listed = host.volt(&["ps", "-a", "--kind", "task", "-o", "json"]).json();
        assert!(listed.as_array().unwrap().iter().any(|w| w["name"] == "tk-timer" && w["kind"] == "task"), "{listed}");
        // A run that is under way is a workload like others.
        host.until(Duration::from_secs(10), "volt ps -o name | grep -qx tk-timer && volt workload freeze tk-timer");
        assert_eq!(task(host, "tk-timer")["state"], "frozen");
        host.volt(&["workload", "thaw", "tk-timer"]).ok();
        host.until(Duration::from_secs(10), "volt ps -o name | grep -qx tk-timer && volt task run tk-timer; test $? = 9");
        host.volt(&["workload", "stop", "tk-timer"]).ok();
        host.volt(&["workload", "start", "tk-timer"]).ok();
        host.volt(&["task", "delete", "tk-timer"]).fails(9);
        host.volt(&["task", "delete", "--force", "tk-timer"]).ok();
        host.sh("! pgrep -f '[e]cho began'").ok();
    }
}

on_hosts! {
    fn task_and_service_events(host) {
        without(host, "tk-told");
        drop(host.volt(&["service", "delete", "--force", "sv-told"]));
        host.sh("systemd-run --quiet --unit tk-events sh -c 'exec volt events -o json > /tmp/tk-events'; sleep 1").ok();
        host.volt(&["task", "create", "tk-told", "--on-calendar", "yearly", "--", "/bin/sh", "-c", "sleep 1; exit 3"]).ok();
        let events = |kind: &str| -> Vec<String> {
            let name = if kind == "task" { "tk-told" } else { "sv-told" };
            let text = host.sh("cat /tmp/tk-events").ok();
            let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let own = all.filter(|event| event["kind"] == kind && event["name"] == name);
            own.map(|event| format!("{} {}", event["action"].as_str().unwrap(), event["details"]["exit_code"].as_str().unwrap_or("-"))).collect()
        };
        let until = |kind: &str, expected: &[&str]| {
            let deadline = std::time::Instant::now() + Duration::from_secs(20);
            while events(kind) != expected {
                assert!(std::time::Instant::now() < deadline, "{:?}, not {expected:?}", events(kind));
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        host.volt(&["task", "run", "tk-told"]).fails(3);
        until("task", &["created -", "started -", "failed 3"]);
        // One that is over at once is told of all the same, and each run once.
        host.volt(&["task", "delete", "tk-told"]).ok();
        host.volt(&["task", "create", "tk-told", "--on-calendar", "yearly", "--", "true"]).ok();
        host.volt(&["task", "run", "tk-told"]).ok();
        host.volt(&["task", "run", "tk-told"]).ok();
        let first = ["created -", "started -", "failed 3", "deleted -"];
        let second = ["created -", "started -", "stopped 0", "started -", "stopped 0"];
        until("task", &[&first[..], &second[..]].concat());

        host.volt(&["service", "create", "sv-told", "--", "sleep", "1000"]).ok();
        host.volt(&["service", "start", "sv-told"]).ok();
        host.until(Duration::from_secs(10), "systemctl is-active sv-told");
        std::thread::sleep(Duration::from_millis(500));
        host.volt(&["workload", "freeze", "sv-told"]).ok();
        std::thread::sleep(Duration::from_millis(2500));
        host.volt(&["workload", "thaw", "sv-told"]).ok();
        std::thread::sleep(Duration::from_millis(2500));
        host.sh("systemctl kill --signal KILL sv-told").ok();
        host.until(Duration::from_secs(20), "grep sv-told /tmp/tk-events | grep -Eq 'failed|restarting'");
        let told = events("service");
        assert!(told.starts_with(&["created -", "started -", "frozen -", "thawed -"].map(str::to_owned)), "{told:?}");
        host.sh("systemctl stop tk-events").ok();
        host.volt(&["task", "delete", "tk-told"]).ok();
        host.volt(&["service", "delete", "--force", "sv-told"]).ok();
    }
}

on_hosts! {
    fn task_retries_and_time_limit(host) {
        for name in ["tk-retry", "tk-slow"] {
            without(host, name);
        }
        host.volt(&["task", "create", "tk-retry", "--on-calendar", "yearly", "--retry", "1", "--", "/bin/sh", "-c", "echo tried; exit 5"]).ok();
        let ran = host.volt(&["task", "run", "tk-retry"]);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert_eq!(ran.stdout.matches("tried").count(), 2, "{ran:?}");
        let runs = history(host, "tk-retry");
        assert_eq!(runs.iter().map(|run| run["attempt"].clone()).collect::<Vec<_>>(), [1, 2], "{runs:?}");
        assert_eq!(task(host, "tk-retry")["state"], "failed");
        // Each start has all its tries.
        host.volt(&["task", "run", "tk-retry"]).fails(5);
        assert_eq!(history(host, "tk-retry").len(), 4);
        host.volt(&["task", "create", "tk-slow", "--on-calendar", "yearly", "--timeout", "1s", "--", "sleep", "1000"]).ok();
        let said = host.volt(&["task", "run", "tk-slow"]);
        assert!(said.code != 0 && said.stderr.contains("timeout"), "{said:?}");
        host.volt(&["task", "delete", "tk-retry", "tk-slow"]).ok();
    }
}

on_hosts! {
    fn task_in_a_container(host) {
        let host = host.private("tkbox");
        host.tiny();
        host.volt(&["task", "create", "boxed", "--container", "tiny", "--on-calendar", "yearly", "-e", "WORDS=two words", "--memory", "64M", "--", "sh", "-c", "echo $WORDS; hostname; exit 4"]).ok();
        for masked in [false, true] {
            if masked {
                host.sh("systemctl mask --now volt.socket volt.service").ok();
            }
            let ran = host.volt(&["task", "run", "boxed"]);
            assert_eq!(ran.code, 4, "{ran:?}");
            assert!(ran.stdout.contains("two words") && ran.stdout.contains("task-boxed"), "{ran:?}");
        }
        host.sh("! systemctl show volt-task-boxed.service | grep -q 'two words'").ok();
        assert_eq!(host.volt(&["container", "list", "--all", "-o", "name"]).ok(), "");
        // One whose client is killed takes its container along.
        host.volt(&["task", "create", "stuck", "--container", "tiny", "--on-calendar", "yearly", "--", "sleep", "1000"]).ok();
        host.volt(&["workload", "start", "stuck"]).ok();
        host.until(Duration::from_secs(20), "volt ps -o name | grep -qx task-stuck");
        host.sh("systemctl kill --signal KILL --kill-who main volt-task-stuck.service").ok();
        host.until(Duration::from_secs(20), "test -z \"$(volt container list --all -o name)\"");
        assert_eq!(history(&host, "stuck")[0]["exit_code"], 137);
        // Where all of its unit is killed the next run does.
        host.volt(&["workload", "start", "stuck"]).ok();
        host.until(Duration::from_secs(20), "volt ps -o name | grep -qx task-stuck");
        host.sh("systemctl kill --signal KILL volt-task-stuck.service; sleep 1").ok();
        host.volt(&["workload", "start", "stuck"]).ok();
        host.until(Duration::from_secs(20), "systemctl is-active volt-container@task-stuck.service && volt workload stop stuck");
        host.until(Duration::from_secs(20), "test -z \"$(volt container list --all -o name)\"");
        host.volt(&["task", "delete", "boxed", "stuck"]).ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn task_that_can_not_be_is_refused(host) {
        without(host, "tk-bad");
        let create = |more: &[&str]| host.volt(&[&["task", "create", "tk-bad"], more].concat());
        create(&["--", "true"]).fails(2);
        create(&["--every", "5m", "--cron", "* * * * *", "--", "true"]).fails(2);
        create(&["--every", "soon", "--", "true"]).fails(2);
        assert!(create(&["--cron", "61 * * * *", "--", "true"]).fails(2).contains("minute"));
        assert!(create(&["--on-calendar", "whenever", "--", "true"]).fails(12).contains("whenever"));
        assert!(create(&["--on-calendar", "*-02-30", "--", "true"]).fails(12).contains("never"));
        create(&["--every", "5m", "--timeout", "0s", "--", "true"]).fails(2);
        create(&["--every", "5m"]).fails(2);
        create(&["--every", "5m", "--container", "tiny", "--writable", "/srv", "--", "true"]).fails(2);
        create(&["--every", "5m", "--", "/no/such/program"]).fails(12);
        host.gone(&["/etc/systemd/system/*tk-bad*", "/var/lib/volt/tasks/tk-bad"]);
        for verb in ["run", "history", "enable", "disable", "delete", "logs"] {
            host.volt(&["task", verb, "tk-none"]).fails(3);
        }
        // What cron means is what systemd takes.
        for line in ["*/5 * * * *", "0 9-17/2 * jan-jun 1-5", "5/20 1 1,15 * 7", "@monthly"] {
            create(&["--cron", line, "--disabled", "--", "true"]).ok();
            create(&["--cron", line, "--", "true"]).fails(4);
            host.volt(&["task", "delete", "tk-bad"]).ok();
        }
    }
}
