//! Stacks whose change fails or is broken off: all is as it was, also where one waits for another.

use super::compose::{is_gone, stack, steps, within};
use serde_json::json;
use std::time::Duration;
use volt_e2e::on_hosts;

const GATED: &str = "\
name: gated
services:
  db:
    image: tiny
    command: sh -c 'touch /well; exec sleep 1000'
    stop_grace_period: 1s
    healthcheck: {test: test -e /well, interval: 500ms, retries: 2, start_period: 1s}
  migrate: {image: tiny, command: sh -c 'exit 0'}
  web:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    depends_on: {db: {condition: service_healthy}, migrate: {condition: service_completed_successfully}}
";

on_hosts! {
    fn compose_undo_starts_again_who_waits_for_others(host) {
        let host = &*host.private("gated");
        host.tiny();
        stack(host, "gated", GATED);
        within(host, "gated", "volt compose up -d").ok();
        let is_up = |why: &str| {
            let both = host.sh("systemctl is-active volt-container@gated-db-1 volt-container@gated-web-1");
            assert_eq!(both.stdout.trim(), "active\nactive", "{why}");
        };
        is_up("at first");
        let changed = GATED.replace("command: sleep 1000", "command: sleep 2000");
        for (why, text) in [
            ("the new db never gets well", changed.replace("touch /well; ", "")),
            ("the new migration fails", changed.replace("exit 0", "exit 3")),
            ("the new web can't be run", changed.replace("exit 0", "exit 0; exit 3").replace("sleep 2000", "/no/such")),
        ] {
            stack(host, "gated", &text);
            let said = within(host, "gated", "volt compose up -d").fails(1);
            assert!(said.contains("All is as it was before"), "{why}: {said}");
            is_up(why);
            // What was done once is done: nobody waits for it in vain.
            within(host, "gated", "volt compose restart web").ok();
            host.sh("systemctl restart volt-container@gated-web-1").ok();
            is_up(why);
        }
        stack(host, "gated", GATED);
        assert_eq!(steps(&within(host, "gated", "volt compose up -d -o json").json()), [""; 0]);
        within(host, "gated", "volt compose down").ok();
        is_gone(host, "gated");
    }
}

const AGAIN: &str = "\
name: again
services:
  db: {image: tiny, command: sleep 1000, stop_grace_period: 1s}
  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s, depends_on: {db: {condition: service_started, restart: true}}}
  last: {image: tiny, command: sleep 1000, stop_grace_period: 1s, depends_on: [web]}
";

on_hosts! {
    fn compose_undo_starts_again_who_was_started_again(host) {
        host.tiny();
        stack(host, "again", AGAIN);
        within(host, "again", "volt compose up -d").ok();
        // A new db, on which web is started again; and then one that can't be.
        let changed = AGAIN.replacen("sleep 1000", "sleep 1001", 1).replace("last: {image: tiny, command: sleep 1000", "last: {image: tiny, command: /no/such");
        stack(host, "again", &changed);
        let said = within(host, "again", "volt compose up -d").fails(1);
        assert!(said.contains("All is as it was before"), "{said}");
        let began = |key: &str| -> u64 {
            host.sh(&format!("systemctl show -P ActiveEnterTimestampMonotonic volt-container@again-{key}-1")).ok().parse().unwrap()
        };
        assert!(began("db") < began("web") && began("web") < began("last"), "{} {} {}", began("db"), began("web"), began("last"));
        within(host, "again", "volt compose down").ok();
        is_gone(host, "again");
    }
}

const HUNG: &str = "\
name: hung
services:
  web:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    post_start: [{command: [sleep, '4321']}]
";

on_hosts! {
    fn compose_undo_ends_a_command_that_hangs(host) {
        host.tiny();
        stack(host, "hung", HUNG);
        let line = "volt compose up -d & up=$!; for i in $(seq 300); do pgrep -f '[s]leep 4321' && break; sleep 0.1; done; kill $up; timeout 60 tail --pid=$up -f /dev/null";
        within(host, "hung", line).ok();
        // The daemon goes on to undo what it did.
        host.until(Duration::from_secs(60), "! pgrep -f '[s]leep 4321' && ! volt compose -p hung ls -o name | grep -x hung");
        is_gone(host, "hung");
    }
}

on_hosts! {
    fn compose_undo_leaves_a_stopped_stack_stopped(host) {
        host.tiny();
        let text = "name: halted\nservices:\n  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}\n";
        stack(host, "halted", text);
        within(host, "halted", "volt compose up -d && volt compose stop").ok();
        stack(host, "halted", &text.replace("stop_grace", "healthcheck: {test: 'false', interval: 500ms, retries: 1}, stop_grace"));
        within(host, "halted", "volt compose up --wait").fails(1);
        let target = "volt-compose@halted.target";
        assert_eq!(host.sh(&format!("systemctl is-active {target} volt-container@halted-web-1; systemctl is-enabled {target}")).stdout, "inactive\ninactive\ndisabled\n");
        within(host, "halted", "volt compose down").ok();
        is_gone(host, "halted");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], json!([]));
    }
}

const NEVER: &str = "\
name: never
services:
  db:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    healthcheck: {test: 'false', interval: 500ms, timeout: 2s, retries: 1, start_period: 0s, on_unhealthy: restart}
  web: {image: tiny, command: sleep 1000, depends_on: {db: {condition: service_healthy}}}
";

on_hosts! {
    fn compose_undo_comes_though_who_is_ill_is_started_again(host) {
        host.tiny();
        stack(host, "never", NEVER);
        let begun = std::time::Instant::now();
        let said = within(host, "never", "timeout 300 volt compose up -d").fails(7);
        assert!(said.contains("never-db-1 is not healthy after"), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(240), "{said}");
        is_gone(host, "never");
    }
}
