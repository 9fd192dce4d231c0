//! The health of services of systemd in stacks: looked at, waited for, and acted on.

use super::compose::{is_gone, stack, steps, within};
use serde_json::Value;
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

const WELL: &str = "\
name: well
services:
  page:
    exec: [/bin/busybox, httpd, -f, -p, '127.0.0.1:18093', -h, /srv/well]
    restart: always
    healthcheck: {http: 18093/ready, interval: 500ms, start_interval: 200ms, retries: 2, start_period: 1m, on_unhealthy: restart}
  told:
    exec: [/bin/sh, -c, 'sleep 1; touch \"$$STATE_DIRECTORY/up\" /tmp/up; exec sleep 1000']
    sandbox: strict
    environment: {COLOUR: 'deep blue'}
    healthcheck:
      test: 'test -e \"$$STATE_DIRECTORY/up\" && test -e /tmp/up && test \"$${COLOUR}\" = \"deep blue\" && ! touch /etc/x 2> /dev/null && echo 50% as $$(id -u)'
      interval: 500ms
      start_period: 1m
  after:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    depends_on: {page: {condition: service_healthy}, told: {condition: service_healthy}}
";

fn health(host: &Host, name: &str) -> Value {
    host.volt(&["health", "status", name, "-o", "json"]).json()
}

on_hosts! {
    fn compose_looks_at_the_health_of_services(host) {
        let host = &*host.private("well");
        host.tiny();
        host.sh("mkdir -p /srv/well").ok();
        stack(host, "well", WELL);
        let inside = |line: &str| within(host, "well", line);
        let minute = Duration::from_secs(60);

        // Who waits begins when both are well, and not before.
        inside("(until systemctl is-active -q well-page-1; do sleep 0.1; done; sleep 3; touch /srv/well/ready) & volt compose up -d").ok();
        let begun = |unit: &str| host.sh(&format!("systemctl show -P ActiveEnterTimestampMonotonic {unit}")).ok().parse::<u64>().unwrap();
        assert!(begun("volt-container@well-after-1") > begun("well-page-1") + 2_000_000);
        for name in ["well-page-1", "well-told-1"] {
            let found = health(host, name);
            assert_eq!(found["status"], "healthy", "{found}");
            assert_eq!(host.volt(&["service", "status", name, "-o", "json"]).json()["health"], "healthy");
        }
        assert!(host.volt(&["ps"]).ok().lines().any(|line| line.contains("well-page-1") && line.contains("(healthy)")));
        assert_eq!(host.volt(&["health", "list", "-o", "name"]).ok(), "well-page-1\nwell-told-1");
        let past = host.volt(&["health", "history", "well-told-1", "-o", "json"]).json();
        let user = host.sh("stat -c %u /proc/$(systemctl show -P MainPID well-told-1)").ok();
        assert_ne!(user, "0");
        assert!(past.as_array().unwrap().iter().any(|entry| entry["said"] == format!("50% as {user}")), "{past}");
        assert_eq!(steps(&inside("volt compose up -d -o json").json()), [""; 0]);
        inside("volt compose up -d --wait").ok();

        // As systemd sees it, at boot too.
        assert!(host.sh("systemctl show -P Requires volt-container@well-after-1").ok().contains("volt-service-healthy@well-page-1.service"));
        host.reboot();
        host.until(minute, "systemctl is-active volt-container@well-after-1");
        assert_eq!(health(host, "well-page-1")["status"], "healthy");

        // Ill, it is started again; well, it was so once.
        let run = || host.sh("systemctl show -P InvocationID well-page-1").ok();
        let before = run();
        host.sh("rm /srv/well/ready").ok();
        host.until(minute, &format!("test \"$(systemctl show -P InvocationID well-page-1)\" != {before}"));
        host.sh("touch /srv/well/ready").ok();
        host.until(minute, "volt health status well-page-1 -o json | grep -F '\"healthy\"'");
        let past = host.volt(&["health", "history", "well-page-1", "-o", "json"]).json();
        let what: Vec<&str> = past.as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
        assert!(what.contains(&"unhealthy") && what.contains(&"restarted"), "{past}");
        assert_eq!(host.sh("systemctl is-active volt-container@well-after-1").ok(), "active");

        // The user's file holds over it; a command on the host is root's to write.
        host.sh("id member >/dev/null 2>&1 || useradd -m -G volt member").ok();
        let member = |line: &str| host.run(&["runuser", "-u", "member", "--", "sh", "-c", line]);
        member("volt health configure --tcp 18093 well-page-1").ok();
        assert_eq!(health(host, "well-page-1")["check"]["tcp"], 18093);
        member("volt health configure --cmd 'touch /srv/well/theirs' well-page-1").fails(5);
        host.volt(&["health", "configure", "--cmd", "sleep 60", "--timeout", "500ms", "--retries", "1", "--interval", "500ms", "--on-unhealthy", "none", "--start-period", "0s", "well-page-1"]).ok();
        host.until(minute, "volt health status well-page-1 -o json | grep -F '\"unhealthy\"'");
        assert!(host.volt(&["health", "status", "well-page-1"]).ok().contains("no end within 500ms"));
        host.volt(&["health", "configure", "--reset", "well-page-1"]).ok();

        host.volt(&["compose", "-p", "well", "down"]).ok();
        is_gone(host, "well");
        assert_eq!(host.sh("ls /run/volt/health /var/lib/volt/health | grep well; true").ok(), "");

        // One that never gets well: its last words, and all is as it was.
        stack(host, "well", &WELL.replace("start_period: 1m, on_unhealthy: restart", "start_period: 1s").replace("18093/ready", "18093/never"));
        let said = inside("volt compose up -d").fails(1);
        assert!(said.contains("The service well-page-1 is unhealthy") && said.contains("404"), "{said}");
        is_gone(host, "well");
    }
}

const LATE: &str = "\
name: late
services:
  web:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully}}
  db:
    image: tiny
    command: sh -c 'test -e /data/once || touch /data/once /data/well; exec sleep 1000'
    stop_grace_period: 1s
    restart: always
    healthcheck: {test: test -e /data/well, interval: 500ms, retries: 2}
    volumes: ['data:/data']
  init: {image: tiny, command: sh -c 'sleep 1; test -e /data/well', volumes: ['data:/data'], depends_on: [db]}
volumes: {data: }
";

on_hosts! {
    fn compose_begins_late_who_found_a_gate_shut_at_boot(host) {
        let host = &*host.private("late");
        host.tiny();
        stack(host, "late", LATE);
        within(host, "late", "volt compose up -d").ok();
        let minute = Duration::from_secs(60);
        let active = |unit: &str| host.sh(&format!("systemctl is-active {unit}")).stdout.trim().to_owned();
        assert_eq!(active("volt-container@late-web-1"), "active");

        // Neither gate opens, and the boot has its end.
        host.volt(&["exec", "late-db-1", "rm", "/data/well"]).ok();
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.reboot();
        let up = "systemctl is-active multi-user.target volt-reopen@late-db-1 volt-reopen@late-init-1";
        host.until(minute, &format!("test \"$({up} | sort -u)\" = active"));
        assert_eq!(active("volt-container@late-web-1"), "inactive");

        // It begins when all that it waits for is so far, and not before.
        host.volt(&["exec", "late-db-1", "touch", "/data/well"]).ok();
        host.until(minute, "volt health status late-db-1 -o json | grep -F '\"healthy\"'");
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(active("volt-container@late-web-1"), "inactive");
        host.sh("systemctl start volt-container@late-init-1").ok();
        host.until(minute, "systemctl is-active volt-container@late-web-1");
        host.until(minute, "test -z \"$(systemctl list-units --plain --no-legend 'volt-reopen@*')\"");

        // Who was stopped stays so.
        host.sh("systemctl stop volt-container@late-web-1").ok();
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(active("volt-container@late-web-1"), "inactive");

        // A stack that is down is waited for by nobody.
        host.volt(&["exec", "late-db-1", "rm", "/data/well"]).ok();
        host.until(minute, "volt health status late-db-1 -o json | grep -F '\"unhealthy\"'");
        host.sh("systemctl start volt-container@late-web-1").fails(1);
        host.volt(&["compose", "-p", "late", "down", "-v"]).ok();
        is_gone(host, "late");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

const DONE: &str = "\
name: done
services:
  first:
    exec: [/bin/sh, -c, 'echo at work; sleep 2; test ! -e /srv/done/bad || exit 3']
    sandbox: strict
  web:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    depends_on: {first: {condition: service_completed_successfully}, migrate: {condition: service_completed_successfully}}
  last: {exec: /bin/sleep 1000, depends_on: {boxed: {condition: service_completed_successfully}}}
tasks:
  migrate: {exec: [/bin/sh, -c, 'sleep 1; test ! -e /srv/done/bad || exit 4'], every: 1h, depends_on: [first]}
  boxed: {exec: [sh, -c, 'sleep 1'], container: tiny, on_calendar: '03:00'}
";

const NEED: &str = "\
name: need
services:
  db:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    volumes: ['state:/need']
    healthcheck: {test: test ! -e /need/ill, interval: 1s, timeout: 5s, retries: 2}
  first: {exec: /bin/true}
  web:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    depends_on: {first: {condition: service_completed_successfully}, migrate: {condition: service_completed_successfully}}
tasks:
  migrate: {exec: /bin/true, on_calendar: '03:00', depends_on: {db: {condition: service_healthy}}}
volumes: {state: {}}
";

on_hosts! {
    fn compose_runs_no_task_before_what_it_needs(host) {
        let host = &*host.private("need");
        host.tiny();
        let ill = "/var/lib/volt/volumes/need-state/_data/ill";
        let runs = || host.volt(&["task", "history", "need-migrate-1", "-o", "json"]).json().as_array().unwrap().len();
        stack(host, "need", NEED);
        within(host, "need", "volt compose up -d").ok();
        assert_eq!(runs(), 1);
        // What somebody waits for stays done where what comes after it fails, and all is as it was.
        let other = NEED.replace("first: {exec: /bin/true}", "first: {exec: [/bin/sh, -c, exit]}").replace("image: tiny\n    command: sleep 1000\n    stop_grace_period: 1s\n    depends_on", "image: tiny\n    command: /no/such\n    stop_grace_period: 1s\n    depends_on");
        stack(host, "need", &other);
        assert_ne!(within(host, "need", "volt compose up -d").code, 0);
        host.sh("systemctl is-active volt-container@need-web-1 && systemctl restart volt-container@need-web-1 && systemctl is-active volt-container@need-web-1").ok();
        stack(host, "need", NEED);
        assert_eq!(steps(&within(host, "need", "volt compose up -d -o json").json()), [""; 0]);
        // At boot it doesn't get well, so nothing is run that needs it; and then it does.
        host.sh(&format!("systemctl mask --now volt.socket volt.service; touch {ill}")).ok();
        host.reboot();
        let minute = Duration::from_secs(60);
        host.until(minute, "systemctl is-active multi-user.target volt-container@need-db-1 && systemctl is-active volt-reopen@need-migrate-1");
        host.sh("! systemctl is-active volt-container@need-web-1 volt-task-need-migrate-1.timer").ok();
        assert_eq!(runs(), 1);
        host.sh(&format!("rm {ill}")).ok();
        host.until(minute, "systemctl is-active volt-container@need-web-1");
        assert_eq!(runs(), 2);
        host.sh("systemctl unmask volt.socket volt.service").ok();
        within(host, "need", "volt compose down -v").ok();
        is_gone(host, "need");
    }
}

on_hosts! {
    fn compose_waits_until_services_and_tasks_are_done(host) {
        let host = &*host.private("done");
        host.tiny();
        host.sh("mkdir -p /srv/done").ok();
        stack(host, "done", DONE);
        let inside = |line: &str| within(host, "done", line);
        let minute = Duration::from_secs(60);
        let web = "volt-container@done-web-1";
        let active = |unit: &str| host.sh(&format!("systemctl is-active {unit}")).stdout.trim().to_owned();
        let runs = |task: &str| -> Vec<String> {
            let past = host.volt(&["task", "history", task, "-o", "json"]).json();
            past.as_array().unwrap().iter().map(|run| run["result"].as_str().unwrap().to_owned()).collect()
        };

        // What somebody waits for is done before he begins, a task by a run of its own, and is not done again.
        inside("volt compose up -d --wait").ok();
        assert_eq!((active(web), active("done-last-1"), active("done-first-1")), ("active".into(), "active".into(), "inactive".into()));
        assert_eq!((runs("done-migrate-1"), runs("done-boxed-1")), (vec!["success".to_owned()], vec!["success".to_owned()]));
        let ended = host.sh("date -d \"$(sed 's/.*finished\":\"\\([^\"]*\\).*/\\1/' /run/volt/done/done-first-1.json)\" +%s%3N").ok();
        let begun = host.sh(&format!("date -d \"$(systemctl show -P ExecMainStartTimestamp --timestamp=us {web})\" +%s%3N")).ok();
        assert!(begun.parse::<u64>().unwrap() >= ended.parse::<u64>().unwrap(), "{begun} {ended}");
        assert_eq!(steps(&inside("volt compose up -d -o json").json()), [""; 0]);
        let gates = host.sh(&format!("systemctl show -P Requires {web} done-last-1")).ok();
        for gate in ["service-completed@done-first-1", "task-completed@done-migrate-1", "task-completed@done-boxed-1"] {
            assert!(gates.contains(&format!("volt-{gate}.service")), "{gates}");
        }

        // At boot too, with no daemon.
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.reboot();
        host.until(minute, &format!("systemctl is-active {web} done-last-1"));
        assert_eq!((runs("done-migrate-1").len(), runs("done-boxed-1").len()), (2, 2));

        // Neither is done well: the boot has its end, and he begins when both are.
        host.sh("touch /srv/done/bad").ok();
        host.reboot();
        let up = "systemctl is-active multi-user.target volt-reopen@done-first-1 volt-reopen@done-migrate-1 done-last-1";
        host.until(minute, &format!("test \"$({up} | sort -u)\" = active"));
        assert_eq!(active(web), "inactive");
        host.sh("rm /srv/done/bad; systemctl start done-first-1").ok();
        std::thread::sleep(Duration::from_secs(6));
        assert_eq!(active(web), "inactive");
        host.volt(&["task", "run", "done-migrate-1"]).ok();
        host.until(minute, &format!("systemctl is-active {web}"));
        host.until(minute, "test -z \"$(systemctl list-units --plain --no-legend 'volt-reopen@*')\"");
        assert_eq!(steps(&inside("volt compose up -d -o json").json()), [""; 0]);

        // One that is another now is done anew.
        stack(host, "done", &DONE.replace("echo at work", "echo at other work").replace("sleep 1; test", "sleep 2; test"));
        let done = steps(&inside("volt compose up -d -o json").json());
        assert!(done.contains(&"start workload done-first-1".to_owned()), "{done:?}");
        host.until(minute, "journalctl -b -u done-first-1 --no-pager | grep 'at other work'");
        inside("volt compose down").ok();
        is_gone(host, "done");
        assert_eq!(host.sh("ls /run/volt/done").ok(), "");

        // Its last words, and all is as it was.
        host.sh("touch /srv/done/bad").ok();
        let said = inside("volt compose up -d").fails(1);
        assert!(said.contains("The service done-first-1 has not completed: exit-code, exit code 3") && said.contains("at other work"), "{said}");
        is_gone(host, "done");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}
