//! What stays when a stack is changed, stopped or taken away: what is said of its workloads, what they wrote, and what is somebody else's.

use super::compose::{is_gone, stack, steps, within};
use serde_json::json;
use std::time::Duration;
use volt_e2e::on_hosts;

const SAID: &str = "\
name: said
services:
  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}
";

on_hosts! {
    fn compose_kept_is_what_is_said_of_a_container_that_is_made_anew(host) {
        let host = &*host.private("said");
        host.tiny();
        stack(host, "said", SAID);
        within(host, "said", "volt compose up -d").ok();
        host.sh("volt snapshot create said-web-1 first && volt health configure --cmd true said-web-1").ok();
        host.sh("volt net policy create --deny --from said-web-1 --to any --port 25 shut").ok();
        let address = || host.sh("grep '\"ip\"' /run/volt/networks/said-web-1.json").ok();
        let before = address();
        let is_said = || {
            assert_eq!(address(), before);
            assert_eq!(host.volt(&["snapshot", "list", "said-web-1", "-o", "name"]).ok(), "first");
            assert_eq!(host.sh("ls /etc/volt/health").ok(), "said-web-1.yaml");
            let policies = host.sh("cat /etc/volt/network-policies.json /var/lib/volt/firewall.json").ok();
            assert!(policies.contains("said-web-1") && !policies.contains("said-web-1-was"), "{policies}");
            host.until(Duration::from_secs(20), "volt health status said-web-1 -o json | grep -F '\"healthy\"'");
        };
        is_said();
        // What fails is put back, what is good stays.
        stack(host, "said", &SAID.replace("sleep 1000", "/no/such"));
        within(host, "said", "volt compose up -d").fails(1);
        is_said();
        stack(host, "said", &SAID.replace("1000", "1001"));
        within(host, "said", "volt compose up -d").ok();
        is_said();

        // What was begun and left is gone on with.
        stack(host, "said", &SAID.replace("sleep 1000", "/no/such"));
        within(host, "said", "volt compose up -d --no-rollback").fails(1);
        host.sh("volt container inspect said-web-1-was").ok();
        stack(host, "said", &SAID.replace("1000", "1001"));
        within(host, "said", "volt compose up -d").ok();
        host.volt(&["container", "inspect", "said-web-1-was"]).fails(3);
        is_said();

        // A container of somebody else that is called as the old one is to be meanwhile.
        host.volt(&["container", "create", "--name", "said-web-1-was", "tiny", "true"]).ok();
        let run = || host.sh("systemctl show -P InvocationID volt-container@said-web-1").ok();
        let before = run();
        stack(host, "said", SAID);
        for verb in ["plan", "up -d"] {
            let said = within(host, "said", &format!("volt compose {verb}")).fails(9);
            assert!(said.contains("said-web-1-was is taken"), "{said}");
        }
        assert_eq!(run(), before);
        host.volt(&["container", "delete", "said-web-1-was"]).ok();
        within(host, "said", "volt compose up -d").ok();
        is_said();
        host.sh("volt net policy delete shut && rm /etc/volt/health/said-web-1.yaml").ok();
        within(host, "said", "volt compose down").ok();
        is_gone(host, "said");
    }
}

const WROTE: &str = "\
name: wrote
services:
  worker:
    exec: [/bin/sh, -c, 'date >> \"$$STATE_DIRECTORY/kept\"; exec sleep 1000']
    sandbox: strict
  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}
";

on_hosts! {
    fn compose_kept_is_what_services_wrote(host) {
        host.tiny();
        stack(host, "wrote", WROTE);
        let lines = |count: u8| host.until(Duration::from_secs(10), &format!("test \"$(cat /var/lib/private/svc-wrote-worker-1/kept | wc -l)\" = {count}"));
        within(host, "wrote", "volt compose up -d").ok();
        lines(1);
        within(host, "wrote", "volt compose down && volt compose up -d").ok();
        lines(2);
        // It becomes something else, which fails; and it is in the file no more.
        let web = "name: wrote\nservices:\n  worker: {image: tiny, command: /no/such, stop_grace_period: 1s}\n";
        stack(host, "wrote", web);
        within(host, "wrote", "volt compose up -d").fails(1);
        lines(3);
        stack(host, "wrote", "name: wrote\nservices:\n  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}\n");
        within(host, "wrote", "volt compose up -d --remove-orphans").ok();
        lines(3);
        stack(host, "wrote", WROTE);
        within(host, "wrote", "volt compose up -d").ok();
        lines(4);
        within(host, "wrote", "volt compose down --volumes").ok();
        host.sh("! test -e /var/lib/private/svc-wrote-worker-1").ok();
        is_gone(host, "wrote");

        // What ends late ends in the time that is given, or by a signal.
        stack(host, "wrote", "name: wrote\nservices:\n  worker: {exec: [/bin/sh, -c, \"trap '' TERM; while :; do sleep 1; done\"], stop_grace_period: 5m, restart: always}\n");
        within(host, "wrote", "volt compose up -d").ok();
        host.until(Duration::from_secs(10), "pgrep -f \"[t]rap '' TERM\"");
        let pid = || host.sh("systemctl show -P MainPID wrote-worker-1").ok();
        let before = pid();
        within(host, "wrote", "volt compose kill worker").ok();
        host.until(Duration::from_secs(10), &format!("test \"$(systemctl show -P MainPID wrote-worker-1)\" != {before}"));
        host.until(Duration::from_secs(10), "systemctl is-active wrote-worker-1");
        within(host, "wrote", "timeout 60 volt compose down --time 1").ok();
        is_gone(host, "wrote");
    }
}

on_hosts! {
    fn compose_kept_secrets_may_change_their_sizes_at_once(host) {
        host.tiny();
        stack(host, "sizes", "name: sizes\nservices:\n  work: {exec: /bin/sleep 1000, secrets: [a, b]}\nsecrets: {a: {file: ./a}, b: {file: ./b}}\n");
        let up = |a: u32, b: u32| within(host, "sizes", &format!("head -c {a} /dev/zero > a; head -c {b} /dev/zero > b; volt compose up -d"));
        up(10, 600_000).ok();
        up(600_000, 10).ok();
        up(10, 600_000).ok();
        // Both are too much, and all stays as it was.
        up(600_000, 600_001).fails(11);
        up(10, 600_000).ok();
        host.sh("systemctl restart sizes-work-1 && systemctl is-active sizes-work-1").ok();
        within(host, "sizes", "volt compose down").ok();
        is_gone(host, "sizes");
    }
}

const NIGHTLY: &str = "\
name: nightly
tasks:
  kept: {exec: /bin/true, on_calendar: '03:00'}
  missed: {exec: /bin/true, on_calendar: '03:00', persistent: false}
";

on_hosts! {
    fn compose_kept_times_of_tasks_are_made_up_for_at_boot(host) {
        let host = &*host.private("nightly");
        stack(host, "nightly", NIGHTLY);
        within(host, "nightly", "volt compose up -d").ok();
        // The host slept through two nights.
        host.sh("systemctl stop 'volt-task-nightly-*.timer' && ls /var/lib/systemd/timers/stamp-volt-task-nightly-kept-1.timer && touch -d '2 days ago' /var/lib/systemd/timers/stamp-volt-task-nightly-*").ok();
        host.reboot();
        let runs = |task: &str| host.volt(&["task", "history", task, "-o", "json"]).json().as_array().unwrap().len();
        host.until(Duration::from_secs(60), "volt task history nightly-kept-1 -o json | grep success");
        assert_eq!((runs("nightly-kept-1"), runs("nightly-missed-1")), (1, 0));
        within(host, "nightly", "volt compose down").ok();
        is_gone(host, "nightly");
    }
}

const OTHERS: &str = "\
name: others
services:
  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s, restart: always}
  more: {image: tiny, command: sleep 1000, stop_grace_period: 1s, profiles: [x]}
";

on_hosts! {
    fn compose_kept_are_profiles_stops_and_stacks_of_others(host) {
        let host = &*host.private("others");
        host.tiny();
        stack(host, "others", OTHERS);
        let inside = |line: &str| within(host, "others", line);

        // A command in a stack that is not up: nothing is to come up at boot.
        inside("volt compose run --rm -T web true").ok();
        host.sh("! systemctl is-enabled volt-compose@others.target && ! systemctl is-active volt-compose@others.target").ok();

        // What another profile has is left alone, and goes with all of the stack.
        inside("volt compose --profile x up -d").ok();
        let done = inside("volt compose up -d --remove-orphans 2>&1").ok();
        assert!(!done.contains("others-more-1"), "{done}");
        host.sh("systemctl is-active volt-container@others-more-1").ok();
        let said = inside("volt compose down 2>&1").ok();
        assert!(!said.contains("doesn't have"), "{said}");
        is_gone(host, "others");

        // Stopped, nothing of it comes up at boot.
        inside("volt compose up -d && volt compose stop").ok();
        host.reboot();
        host.until(Duration::from_secs(60), "systemctl is-active multi-user.target");
        assert_eq!(host.sh("systemctl is-active volt-container@others-web-1").stdout.trim(), "inactive");
        inside("volt compose start").ok();
        host.reboot();
        host.until(Duration::from_secs(60), "systemctl is-active volt-container@others-web-1");

        // A stack of the host that is called so is not that one.
        host.sh("mkdir -p /etc/volt/compose && echo 'services: {page: {image: tiny, command: sleep 1000, stop_grace_period: 1s}}' > /etc/volt/compose/others.yaml").ok();
        host.sh("systemctl restart volt-stacks").fails(1);
        let said = host.sh("journalctl -q -b -u volt-stacks").ok();
        assert!(said.contains("There is another stack others already, of /srv/stacks/others/compose.yaml"), "{said}");
        assert_eq!(host.volt(&["compose", "-p", "others", "ps", "-a", "-o", "name"]).ok(), "others-web-1");
        inside("volt compose down").ok();
        host.sh("systemctl restart volt-stacks && systemctl restart volt-stacks").ok();
        assert_eq!(host.volt(&["compose", "-p", "others", "ps", "-a", "-o", "name"]).ok(), "others-page-1");
        host.sh("rm /etc/volt/compose/others.yaml && volt compose -p others down").ok();
        is_gone(host, "others");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], json!([]));
        assert_eq!(steps(&inside("volt compose up -d -o json").json()).len(), 3);
        inside("volt compose down").ok();
    }
}
