//! Stacks: brought up, changed, undone, stopped, booted and taken away on a real systemd.

use serde_json::Value;
use std::time::{Duration, Instant};
use volt_e2e::{Host, Output, on_hosts};

const SHOP: &str = "\
name: shop
description: The shop
services:
  web:
    image: tiny
    command: httpd -f -p 8080 -h /srv
    ports: ['127.0.0.1:18080:8080']
    volumes: [site:/srv]
    depends_on: [db]
  db:
    image: tiny
    command: [httpd, -f, -p, '80', -h, /]
    environment: {KIND: 'a $$b'}
    stop_grace_period: 1s
volumes:
  site:
";

/// The folder of a stack with its file.
pub(super) fn stack(host: &Host, name: &str, text: &str) {
    let line = format!("mkdir -p /srv/stacks/{name} && cat > /srv/stacks/{name}/compose.yaml");
    host.run_with(&["sh", "-c", &line], text.as_bytes()).ok();
}

/// A command in that folder.
pub(super) fn within(host: &Host, name: &str, line: &str) -> Output {
    host.sh(&format!("cd /srv/stacks/{name} || exit 99; {line}"))
}

/// What was done by a command that says so as JSON: `create workload shop-web-1`.
pub(super) fn steps(done: &Value) -> Vec<String> {
    let step = |step: &Value| {
        let word = |key: &str| step[key].as_str().unwrap().to_owned();
        format!("{} {} {}", word("action"), word("kind"), word("name"))
    };
    done["steps"].as_array().unwrap().iter().map(step).collect()
}

/// Nothing of a stack is left, and nothing is amiss.
pub(super) fn is_gone(host: &Host, name: &str) {
    let left = host.sh(&format!(
        "cd /etc/systemd/system && ls -d *@{name}.* *@{name}-* */*@{name}.* */*@{name}-* 2>/dev/null; \
         cd /var/lib/volt && ls -d */{name} */{name}-* */{name}.json 2>/dev/null; \
         cd /run/volt && ls -d containers/{name}-* networks/{name}-* 2>/dev/null; volt net list -o name | grep '^{name}-'; true"
    ));
    assert_eq!(left.ok(), "");
    // systemd forgets units in its own time.
    host.until(Duration::from_secs(5), &format!("test -z \"$(systemctl list-units --all --plain --no-legend '*@{name}-*' '*@{name}.*')\""));
}

on_hosts! {
    fn compose_up_changes_what_changed_and_down_takes_all_away(host) {
        let host = &*host.private("compose");
        host.tiny();
        stack(host, "shop", SHOP);
        let plan = within(host, "shop", "volt compose plan -o json").json();
        let all = [
            "create network shop-default", "create volume shop-site", "create workload shop-db-1", "create workload shop-web-1",
            "start workload shop-db-1", "start workload shop-web-1",
        ];
        assert_eq!(steps(&plan), all);
        assert_eq!(steps(&within(host, "shop", "volt compose up -d -o json").json()), all);
        assert_eq!(within(host, "shop", "volt compose ps -o name").ok(), "shop-db-1\nshop-web-1");
        let ls = within(host, "shop", "volt compose ls -o json").json();
        assert_eq!((&ls[0]["name"], &ls[0]["workloads"][1]["service"]), (&"shop".into(), &"web".into()));

        // Services are found by name, ports lead in, and systemd knows whose it is.
        host.sh("echo front > /var/lib/volt/volumes/shop-site/_data/index.html").ok();
        assert_eq!(host.sh("curl -sf http://127.0.0.1:18080/").ok(), "front");
        within(host, "shop", "volt compose exec web wget -qO- http://db/etc/hostname").ok();
        assert_eq!(within(host, "shop", "volt compose exec db sh -c 'echo $KIND'").ok(), "a $b");
        assert_eq!(host.sh("systemctl is-active volt-compose@shop.target").ok(), "active");
        assert_eq!(host.sh("systemctl is-enabled volt-compose@shop.target").ok(), "enabled");
        assert!(host.sh("systemctl show -P PartOf volt-container@shop-web-1").ok().contains("volt-compose@shop.target"));

        // A second one finds nothing to do.
        let before = host.sh("systemctl show -P InvocationID volt-container@shop-web-1 volt-container@shop-db-1").ok();
        assert_eq!(steps(&within(host, "shop", "volt compose up -d -o json").json()), [""; 0]);
        // What changed is made anew, and only that.
        stack(host, "shop", &SHOP.replace("httpd -f -p 8080", "httpd -f -v -p 8080"));
        let changed = ["recreate workload shop-web-1", "start workload shop-web-1"];
        assert_eq!(steps(&within(host, "shop", "volt compose up -d -o json").json()), changed);
        assert_eq!(host.sh("curl -sf http://127.0.0.1:18080/").ok(), "front");
        let after = host.sh("systemctl show -P InvocationID volt-container@shop-web-1 volt-container@shop-db-1").ok();
        let [before, after] = [&before, &after].map(|ids| ids.split_whitespace().collect::<Vec<_>>());
        assert!(before[0] != after[0] && before[1] == after[1], "{before:?} {after:?}");
        assert_eq!(host.sh("ls /var/lib/volt/containers").ok(), "shop-db-1\nshop-web-1");

        // A network that changed takes its members with it.
        stack(host, "shop", &format!("{SHOP}networks: {{default: {{internal: true}}}}\n").replace("    ports: ['127.0.0.1:18080:8080']\n", ""));
        let done = steps(&within(host, "shop", "volt compose up -d -o json").json());
        assert!(done.contains(&"recreate network shop-default".to_owned()), "{done:?}");
        within(host, "shop", "volt compose exec web wget -qO- http://db/etc/hostname").ok();
        assert_eq!(host.volt(&["net", "inspect", "shop-default", "-o", "json"]).json()["internal"], true);

        // More of one, and fewer.
        within(host, "shop", "volt compose up -d --scale db=3").ok();
        assert_eq!(within(host, "shop", "volt compose ps -o name db").ok(), "shop-db-1\nshop-db-2\nshop-db-3");
        within(host, "shop", "volt compose up -d").ok();
        assert_eq!(within(host, "shop", "volt compose ps -a -o name db").ok(), "shop-db-1");
        assert!(!host.sh("systemctl show -P Wants volt-compose@shop.target").ok().contains("shop-db-2"));

        within(host, "shop", "volt compose down").ok();
        host.sh("test -d /var/lib/volt/volumes/shop-site && rm -r /srv/stacks/shop").ok();
        // The volume was kept, and is known as the stack's without any file.
        host.volt(&["compose", "-p", "shop", "down", "--volumes"]).ok();
        is_gone(host, "shop");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
        host.volt(&["compose", "-p", "shop", "down"]).fails(3);
        host.volt(&["compose", "-p", "shop", "ps"]).fails(3);
    }
}

const ORDER: &str = "\
name: order
services:
  app:
    image: tiny
    command: sh -c 'cat /data/made && exec sleep 1000'
    volumes: [data:/data]
    stop_grace_period: 1s
    depends_on:
      init: {condition: service_completed_successfully}
      db: {condition: service_started, restart: true}
  init:
    image: tiny
    command: sh -c 'sleep 1; echo made > /data/made'
    volumes: [data:/data]
    depends_on: [db]
  db: {image: tiny, command: sleep 1000, stop_grace_period: 1s}
volumes: {data: }
";

on_hosts! {
    fn compose_starts_in_order_and_waits_for_what_is_to_be_done_first(host) {
        host.tiny();
        stack(host, "order", ORDER);
        within(host, "order", "volt compose up -d").ok();
        host.until(Duration::from_secs(10), "volt logs order-app-1 | grep -qx made");
        let began = |unit: &str| -> u64 {
            host.sh(&format!("systemctl show -P ExecMainStartTimestampMonotonic volt-container@order-{unit}-1")).ok().parse().unwrap()
        };
        assert!(began("db") <= began("init") && began("init") + 1_000_000 <= began("app"));
        // What is done is done once.
        assert_eq!(steps(&within(host, "order", "volt compose up -d -o json").json()), [""; 0]);
        stack(host, "order", &ORDER.replace("sleep 1000, stop", "sleep 2000, stop"));
        let done = steps(&within(host, "order", "volt compose up -d -o json").json());
        assert_eq!(done, ["recreate workload order-db-1", "start workload order-db-1", "restart workload order-app-1"]);
        // systemd has the order too: against it on the way down.
        assert!(host.sh("systemctl show -P After volt-container@order-app-1").ok().contains("volt-container@order-db-1.service"));
        assert_eq!(steps(&within(host, "order", "volt compose stop -o json").json()), ["stop workload order-app-1", "stop workload order-db-1"]);
        assert_eq!(host.sh("systemctl is-active volt-compose@order.target").stdout.trim(), "inactive");
        assert_ne!(host.sh("systemctl is-enabled volt-compose@order.target").stdout.trim(), "enabled");
        assert_eq!(steps(&within(host, "order", "volt compose start -o json").json()), ["start workload order-db-1", "start workload order-app-1"]);
        assert_eq!(steps(&within(host, "order", "volt compose restart app -o json").json()), ["restart workload order-app-1"]);

        // One that does not do what others wait for: its last words, and all is as it was.
        stack(host, "order", &ORDER.replace("sleep 1; echo made > /data/made", "echo cannot >&2; exit 7").replace("name: order", "name: order2"));
        let said = within(host, "order", "volt compose up -d").fails(1);
        assert!(said.contains("order2-init-1 did not end well") && said.contains("cannot") && said.contains("All is as it was before"), "{said}");
        is_gone(host, "order2");
        stack(host, "order", ORDER);
        within(host, "order", "volt compose down -v").ok();
        is_gone(host, "order");
    }
}

on_hosts! {
    fn compose_undoes_what_it_began(host) {
        host.tiny();
        let text = "name: undo\nservices:\n  a: {image: tiny, command: sleep 1000, stop_grace_period: 1s, volumes: ['/kept']}\n  b: {image: tiny, command: sleep 1000, depends_on: [a], stop_grace_period: 1s}\n";
        stack(host, "undo", text);
        within(host, "undo", "volt compose up -d").ok();
        within(host, "undo", "volt compose exec a sh -c 'echo written > /mark; echo kept > /kept/x'").ok();
        let record = host.sh("cat /var/lib/volt/stacks/undo/stack.json").ok();
        // The new a runs before b fails: it goes, and the old one is there with what it wrote.
        let broken = text.replace("a: {image: tiny, command: sleep 1000", "a: {image: tiny, command: sleep 2000").replace("b: {image: tiny, command: sleep 1000", "c: {image: tiny, command: sleep 1000, stop_grace_period: 1s}\n  b: {image: tiny, command: /no/such/program");
        stack(host, "undo", &broken);
        let said = within(host, "undo", "volt compose up -d").fails(1);
        assert!(said.contains("undo-b-1 did not start"), "{said}");
        assert_eq!(within(host, "undo", "volt compose ps -a -o name").ok(), "undo-a-1\nundo-b-1");
        assert_eq!(host.sh("volt exec undo-a-1 cat /mark /kept/x").ok(), "written\nkept");
        assert_eq!(host.sh("cat /var/lib/volt/stacks/undo/stack.json").ok(), record);
        host.sh("systemctl is-active volt-container@undo-a-1 volt-container@undo-b-1").ok();
        stack(host, "undo", text);
        assert_eq!(steps(&within(host, "undo", "volt compose up -d -o json").json()), [""; 0]);
        // Left as it is where that is wanted; a volume without a name goes over to the new one.
        stack(host, "undo", &broken);
        within(host, "undo", "volt compose up -d --no-rollback").fails(1);
        stack(host, "undo", text);
        within(host, "undo", "volt compose up -d --remove-orphans").ok();
        assert_eq!(host.sh("volt exec undo-a-1 cat /kept/x; ls /var/lib/volt/containers | grep undo").ok(), "kept\nundo-a-1\nundo-b-1");
        within(host, "undo", "volt compose down -v").ok();
        is_gone(host, "undo");
    }
}

on_hosts! {
    fn compose_two_at_once_and_one_that_is_killed(host) {
        let host = &*host.private("compose-killed");
        host.tiny();
        let text = "name: twice\nservices:\n  a: {image: tiny, command: sleep 3}\n  b: {image: tiny, command: sleep 1000, stop_grace_period: 1s, depends_on: {a: {condition: service_completed_successfully}}}\n";
        stack(host, "twice", text);
        // The second waits for the first, says so, and finds nothing to do.
        let said = within(host, "twice", "volt compose up -d & sleep 1.5; volt compose up -d -o json; wait $!");
        assert!(said.stderr.contains("Waiting for another command on the stack twice"), "{said:?}");
        assert_eq!(steps(&said.json()), [""; 0]);
        within(host, "twice", "volt compose down").ok();

        // Killed at any moment, the next one carries on.
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        let mut text = text.replace("sleep 3", "true");
        for moment in [0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 1.2] {
            text = text.replace("sleep 1000", "sleep 100").replace("sleep 100,", "sleep 1000,");
            stack(host, "twice", &text);
            within(host, "twice", &format!("volt compose up -d --force-recreate & sleep {moment}; kill -9 $!; wait $!; true")).ok();
            within(host, "twice", "volt compose up -d").ok();
            // What was begun before may still be at its work.
            host.until(Duration::from_secs(10), "test \"$(volt compose -p twice ps -o name)\" = twice-b-1");
            assert_eq!(host.sh("ls /var/lib/volt/containers").ok(), "twice-a-1\ntwice-b-1", "{moment}");
        }
        within(host, "twice", "volt compose up -d --force-recreate & sleep 0.3; kill -9 $!; wait $!; volt compose down").ok();
        is_gone(host, "twice");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn compose_is_a_target_that_a_reboot_brings_back(host) {
        let host = &*host.private("compose-boot");
        host.tiny();
        // What people write is on one line for systemd, whatever it ends with.
        stack(host, "shop", &SHOP.replace("The shop", "'C:\\shop\\'"));
        within(host, "shop", "volt compose up -d").ok();
        assert_eq!(host.sh("systemctl show -P Description volt-compose@shop.target").ok(), "Volt stack shop: C:\\shop");
        assert_eq!(host.sh("systemctl show -P Wants volt-compose@shop.target | tr ' ' '\n' | grep -c volt-container@").ok(), "2");
        stack(host, "shop", SHOP);
        within(host, "shop", "volt compose up -d").ok();
        // One of the host's own, which is not up yet.
        let own = "services: {a: {image: tiny, command: sleep 1000, stop_grace_period: 1s, configs: [note]}}\nconfigs: {note: {file: ./note.txt}}\n";
        host.run_with(&["sh", "-c", "mkdir -p /etc/volt/compose/own && echo noted > /etc/volt/compose/own/note.txt && cat > /etc/volt/compose/own.yaml"], own.as_bytes()).ok();
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.sh("systemctl stop volt-compose@shop.target").ok();
        let active = "systemctl is-active volt-container@shop-web-1 volt-container@shop-db-1";
        host.until(Duration::from_secs(30), "test \"$(systemctl is-active volt-container@shop-web-1 volt-container@shop-db-1 | sort -u)\" = inactive");
        host.sh("systemctl start volt-compose@shop.target").ok();
        host.sh(active).ok();
        host.reboot();
        host.until(Duration::from_secs(30), active);
        host.until(Duration::from_secs(10), "curl -s http://127.0.0.1:18080/ -o /dev/null");
        host.until(Duration::from_secs(30), "test \"$(volt exec own-a-1 cat /note)\" = noted");
        within(host, "shop", "volt compose exec web wget -qO- http://db/etc/hostname").ok();
        let began = |unit: &str| -> u64 {
            host.sh(&format!("systemctl show -P ActiveEnterTimestampMonotonic volt-container@shop-{unit}-1")).ok().parse().unwrap()
        };
        assert!(began("db") <= began("web"));
        assert_eq!(steps(&within(host, "shop", "volt compose up -d -o json").json()), [""; 0]);
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
        within(host, "shop", "volt compose down -v && volt compose -p own down").ok();
        is_gone(host, "shop");
        is_gone(host, "own");
    }
}

on_hosts! {
    fn compose_waits_for_health_also_at_boot(host) {
        let host = &*host.private("compose-well");
        host.tiny();
        let well = "name: well\nservices:\n  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s, depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully}}}\n  db:\n    image: tiny\n    command: sh -c 'rm -f /tmp/well; sleep 3; touch /tmp/well; exec sleep 1000'\n    stop_grace_period: 1s\n    healthcheck: {test: test -e /tmp/well, interval: 1s, retries: 30}\n  init: {image: tiny, command: sh -c 'echo began; sleep 2'}\n";
        stack(host, "well", well);
        let at = |unit: &str| -> u64 {
            let line = format!("systemctl show -P ActiveEnterTimestamp --timestamp=unix volt-container@well-{unit}-1 | tr -d @");
            host.sh(&line).ok().parse().unwrap()
        };
        let runs = || host.sh("volt logs well-init-1 | grep -c began").ok();
        within(host, "well", "volt compose up -d").ok();
        host.sh("volt ps | grep well-db-1 | grep healthy").ok();
        assert!(at("web") >= at("db") + 2 && at("web") > at("init"));
        assert_eq!(runs(), "1");
        // Who comes later finds the gates open.
        host.sh("volt compose -p well restart web && systemctl restart volt-container@well-web-1").ok();
        assert_eq!(runs(), "1");
        assert_eq!(steps(&within(host, "well", "volt compose up -d -o json").json()), [""; 0]);
        // All of it again waits again, and so does who only wants to know.
        within(host, "well", "volt compose restart").ok();
        assert!(at("web") >= at("db") + 2);
        within(host, "well", "volt compose restart db && volt compose up -d --wait").ok();
        host.sh("volt ps | grep well-db-1 | grep healthy").ok();
        assert_eq!(runs(), "1");
        // What never gets well is told, with its last words, and nothing stays.
        let ill = well.replace("name: well", "name: ill").replace("test -e /tmp/well, interval: 1s, retries: 30", "echo not yet; false, interval: 1s, retries: 2");
        stack(host, "ill", &ill);
        let said = within(host, "ill", "volt compose up -d").fails(1);
        assert!(said.contains("ill-db-1") && said.contains("unhealthy") && said.contains("not yet"), "{said}");
        is_gone(host, "ill");
        // At boot the gates alone keep the order.
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.reboot();
        host.until(Duration::from_secs(60), "systemctl is-active volt-container@well-web-1");
        assert!(at("web") >= at("db") + 2 && at("web") > at("init"));
        assert_eq!(runs(), "2");
        within(host, "well", "volt compose down").ok();
        is_gone(host, "well");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn compose_refuses_before_anything_changes(host) {
        host.tiny();
        stack(host, "bad", "name: bad\nservices:\n  web:\n    imgae: tiny\n    command: true\n    volumes: ['dta:/x']\n  b: {image: tiny, depends_on: [c]}\n");
        let said = within(host, "bad", "volt compose up -d").fails(12);
        assert!(said.contains("compose.yaml:4:5") && said.contains("Did you mean `image`") && said.contains("it depends on `c`"), "{said}");
        within(host, "bad", "volt compose config").fails(12);
        stack(host, "bad", "name: bad\nservices:\n  web: {image: no-such-image, pull_policy: never}\n");
        within(host, "bad", "volt compose up -d").fails(3);
        stack(host, "bad", "name: bad\nservices:\n  web: {image: tiny, isolation: microvm}\nvms: {old: {image: tiny}}\n");
        let said = within(host, "bad", "volt compose up -d").fails(10);
        assert!(said.contains("old: ") && said.contains("web: "), "{said}");
        stack(host, "bad", "name: bad\nservices:\n  web: {image: tiny, command: sleep 1000, networks: [other]}\nnetworks: {other: {external: true}}\n");
        within(host, "bad", "volt compose up -d").fails(3);
        stack(host, "bad", "name: bad\nservices:\n  web: {image: tiny, command: sleep 1000}\n");
        let said = within(host, "bad", "volt compose up -d weeb").fails(3);
        assert!(said.contains("Did you mean `web`?"), "{said}");
        for verb in ["start", "stop", "restart", "ps", "down"] {
            host.volt(&["compose", "-p", "bad", verb]).fails(3);
        }
        is_gone(host, "bad");
    }
}

const LACKING: &str = "\
name: lacking
services:
  web: {image: registry.invalid/none, networks: [gone, other], volumes: ['lost:/x'], secrets: [mine, theirs], configs: [one, two]}
  box: {image: tiny, isolation: microvm}
  work: {exec: /bin/true, user: nobody-there}
networks: {gone: {external: true}, other: {external: true}}
volumes: {lost: {external: true}}
secrets: {mine: {environment: NOT_SET}, theirs: {external: true}}
configs: {one: {file: ./one.txt}, two: {external: true}}
";

on_hosts! {
    fn compose_refuses_all_at_once_before_it_gets_an_image(host) {
        host.tiny();
        stack(host, "lacking", LACKING);
        let said = within(host, "lacking", "volt compose up -d").fails(3);
        for line in ["secrets.mine: the variable NOT_SET is not set", "configs.one: there is no file"] {
            let place = said.lines().find(|said| said.contains(line)).unwrap_or_else(|| panic!("{line}: {said}"));
            assert!(place.contains("lacking/compose.yaml:"), "{said}");
        }
        within(host, "lacking", "echo x > one.txt").ok();
        for verb in ["up -d", "run web true"] {
            let said = within(host, "lacking", &format!("NOT_SET=1 volt compose {verb}")).fails(12);
            let lines = [
                "compose.yaml:6:12: networks.gone: ", "networks.other: ", "volumes.lost: ", "secrets.theirs: ", "configs.two: ",
                "compose.yaml:4:3: box: There is no isolation: microvm yet", "work: ",
            ];
            for line in lines {
                assert!(said.contains(line), "{line}: {said}");
            }
            assert!(!said.contains("registry.invalid"), "{said}");
        }
        let said = within(host, "lacking", "NOT_SET=1 volt compose plan").fails(12);
        assert!(said.contains("web: There is no image registry.invalid/none"), "{said}");
        is_gone(host, "lacking");
    }
}

on_hosts! {
    fn compose_reaches_into_a_stack(host) {
        host.tiny();
        let text = "name: reach\nservices:\n  a: {image: tiny, command: sh -c 'echo hello from a; exec sleep 1000', stop_grace_period: 1s}\n  b: {image: tiny, command: sleep 1000, stop_grace_period: 1s, depends_on: [a]}\n";
        stack(host, "reach", text);
        within(host, "reach", "volt compose up --wait").ok();
        host.until(Duration::from_secs(10), "volt compose -p reach logs a | grep -q 'hello from a'");
        host.until(Duration::from_secs(10), "journalctl -q VOLT_STACK=reach VOLT_STACK_SERVICE=a VOLT_STACK_REPLICA=1 | grep -q 'hello from a'");
        assert!(within(host, "reach", "volt compose logs").ok().contains("reach-a-1: hello from a"));
        // As it is written, and of the next run too.
        let lines = |count: u8| format!("for i in $(seq 300); do test $(grep -c 'reach-a-1: hello from a' /tmp/reach.follow) = {count} && break; sleep 0.1; done");
        within(host, "reach", &format!("timeout 60 volt compose logs -f > /tmp/reach.follow & follow=$!; {}; volt compose restart a && {}; kill $follow && grep -c 'reach-a-1: hello from a' /tmp/reach.follow", lines(1), lines(2))).ok();
        assert!(within(host, "reach", "volt compose images -o json").ok().contains("tiny"));
        within(host, "reach", "volt compose exec b test -e /bin/busybox").ok();
        within(host, "reach", "volt compose exec b sh -c 'exit 9'").fails(9);
        within(host, "reach", "volt compose pause b").ok();
        assert!(within(host, "reach", "volt compose ps").ok().contains("frozen"));
        // What is paused goes on.
        assert_eq!(steps(&within(host, "reach", "volt compose up -d -o json").json()), ["unpause workload reach-b-1"]);
        within(host, "reach", "volt compose pause && volt compose unpause").ok();
        within(host, "reach", "volt compose kill a").ok();
        host.until(Duration::from_secs(10), "volt compose -p reach ps -a | grep reach-a-1 | grep -q 'exit 137'");
        assert_eq!(steps(&within(host, "reach", "volt compose up -d -o json").json()), ["start workload reach-a-1"]);
        // Files and what the host knows of it.
        within(host, "reach", "echo copied > /tmp/reach.txt && volt compose cp /tmp/reach.txt b:/copied && volt compose cp b:/copied /tmp/reach.back && cmp /tmp/reach.txt /tmp/reach.back").ok();
        assert!(within(host, "reach", "volt compose top --once b").ok().contains("reach-b-1"));
        assert_eq!(within(host, "reach", "volt compose port b").ok(), "");
        within(host, "reach", "volt compose port b 80").fails(3);
        within(host, "reach", "(sleep 1; volt compose kill --signal TERM b) & timeout 60 volt compose wait b; wait").ok();
        within(host, "reach", "timeout 3 volt compose events > /tmp/reach.events & sleep 1; volt compose restart b; wait; grep -q 'reach-b-1' /tmp/reach.events").ok();
        // One command in a container of its own, with what its service needs.
        within(host, "reach", "volt compose stop && volt compose run --rm -T -e MARK=m b sh -c 'test $MARK = m && nslookup a && exit 4'").fails(4);
        assert_eq!(within(host, "reach", "volt compose ps -o name").ok(), "reach-a-1");
        within(host, "reach", "volt compose run -d --name reach-once b").ok();
        within(host, "reach", "volt compose run none").fails(3);
        within(host, "reach", "volt compose up -d").ok();
        assert!(within(host, "reach", "volt compose graph").ok().contains("← a"));
        within(host, "reach", "volt compose graph --svg /tmp/reach.svg && grep -q '<svg' /tmp/reach.svg").ok();
        assert_eq!(within(host, "reach", "volt compose config --services").ok(), "a\nb");
        // What is printed is the same stack.
        within(host, "reach", "volt compose config > /tmp/one.yaml && volt compose -f /tmp/one.yaml config > /tmp/two.yaml && cmp /tmp/one.yaml /tmp/two.yaml").ok();
        assert_eq!(steps(&host.sh("volt compose -f /tmp/one.yaml up -d -o json").json()), [""; 0]);
        assert!(within(host, "reach", "volt compose convert --to quadlet").ok().contains("[Container]"));
        // In the foreground: the logs, until somebody wants the end.
        within(host, "reach", "volt compose down").ok();
        within(host, "reach", "volt compose up > /tmp/reach.log 2> /tmp/reach.err & up=$!; for i in $(seq 300); do grep -q 'reach-a-1: hello from a' /tmp/reach.log && break; sleep 0.1; done; kill $up; wait $up").ok();
        assert!(host.sh("cat /tmp/reach.log").ok().contains("reach-a-1: hello from a"));
        assert_eq!(within(host, "reach", "volt compose ps -o name").ok(), "");
        within(host, "reach", "volt compose down").ok();
        is_gone(host, "reach");
    }
}

const ONE_MORE: &str = "\
name: onemore
services:
  db:
    image: tiny
    command: httpd -f -p 80 -h /etc
    stop_grace_period: 1s
    networks: {back: {ipv4_address: 10.88.7.10, mac_address: '02:00:00:00:88:07', aliases: [base]}}
    healthcheck: {tcp: '80', interval: 300ms, retries: 1, start_period: 0s, on_unhealthy: restart}
  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s, networks: [back], depends_on: [away]}
  away: {image: not-there, pull_policy: never, networks: [back]}
networks: {back: {ipam: {config: [{subnet: 10.88.7.0/24}]}}}
";

on_hosts! {
    fn compose_run_is_one_more_beside_the_service(host) {
        host.tiny();
        stack(host, "onemore", ONE_MORE);
        // What nobody asked for needs no image.
        let said = within(host, "onemore", "volt compose up -d").fails(3);
        assert!(said.contains("compose.yaml:10:3: away: there is no image not-there"), "{said}");
        within(host, "onemore", "volt compose up -d --no-deps db web").ok();
        // It is refused neither the address of the service nor to be removed, and nobody restarts it because it answers nothing.
        within(host, "onemore", "volt compose run -d --rm --name onemore-shell db sleep 1000").ok();
        for name in ["db", "base"] {
            let found = within(host, "onemore", &format!("volt compose exec web nslookup {name}")).ok();
            assert!(found.contains("10.88.7.10"), "{found}");
            assert_eq!(found.lines().filter(|line| line.contains("Address") && line.contains("10.88.7.")).filter(|line| !line.contains("10.88.7.1:") && !line.ends_with("10.88.7.1")).count(), 1, "{found}");
        }
        assert!(host.volt(&["container", "inspect", "onemore-shell", "-o", "json"]).json()["health"].is_null());
        assert_eq!(host.sh("volt ps -o name | grep onemore-shell").ok(), "onemore-shell");
        host.sh("volt stop -t 1 onemore-shell").ok();
        // The service's command is not for another entrypoint.
        let run = |words: &str| within(host, "onemore", &format!("volt compose run --rm {words}"));
        assert_eq!(run("--no-deps --entrypoint \"sh -c 'echo its own'\" web").ok(), "its own");
        assert_eq!(run("--no-deps --entrypoint echo web one two").ok(), "one two");
        // Many at once, which need not be called anything.
        within(host, "onemore", "for n in 1 2 3 4; do volt compose run -d --no-deps web sleep 1000 > /tmp/onemore.$n & all=\"$all $!\"; done; for one in $all; do wait $one || exit 1; done").ok();
        assert_eq!(host.sh("cat /tmp/onemore.[1-4] | sort -u | wc -l").ok(), "4");
        // As people type it, and scripts.
        assert_eq!(within(host, "onemore", "volt compose exec -it web echo typed < /dev/null").ok(), "typed");
        assert_eq!(within(host, "onemore", "volt compose ps -q web").ok(), "onemore-web-1");
        assert_eq!(within(host, "onemore", "volt compose logs --tail all web").ok(), "");
        within(host, "onemore", "volt compose down").ok();
        is_gone(host, "onemore");
        assert!(within(host, "onemore", "volt compose down").ok().is_empty());
    }
}

on_hosts! {
    fn compose_has_nothing_to_do_fast(host) {
        host.tiny();
        let services: String = (1..=20).map(|n| format!("  s{n}: {{image: tiny, command: sleep 1000, stop_grace_period: 1s}}\n")).collect();
        stack(host, "many", &format!("name: many\nservices:\n{services}"));
        within(host, "many", "volt compose up -d").ok();
        assert_eq!(within(host, "many", "volt compose ps -o name | wc -l").ok(), "20");
        assert_eq!(steps(&within(host, "many", "volt compose up -d -o json").json()), [""; 0]);
        let runs = || host.sh("systemctl show -P InvocationID 'volt-container@many-*' | sort").ok();
        let before = runs();
        let times = within(host, "many", "for i in 1 2 3 4 5; do a=$(date +%s%N); volt compose up -d 2>/dev/null; b=$(date +%s%N); echo $(((b - a) / 1000000)); done").ok();
        let best: u64 = times.lines().map(|line| line.parse().unwrap()).min().unwrap();
        assert_eq!(runs(), before);
        // The bench says how fast; this that it is no matter of starting anything, where a start takes a tenth of a second.
        assert!(best < 500, "{times}");
        let began = Instant::now();
        within(host, "many", "volt compose down").ok();
        assert!(began.elapsed() < Duration::from_secs(60));
        is_gone(host, "many");
    }
}

on_hosts! {
    fn compose_gives_configs_and_runs_hooks(host) {
        host.tiny();
        let text = "name: given\nservices:\n  a:\n    image: tiny\n    command: sleep 1000\n    stop_grace_period: 1s\n    configs: [{source: one, target: /etc/one, uid: '7', mode: 0440}, two, three]\n    \
                    volumes: ['said:/said']\n    post_start: [{command: [sh, -c, 'echo up >> /said/turns']}]\n    pre_stop: [{command: [sh, -c, 'echo $$WORD >> turns'], environment: {WORD: down}, working_dir: /said, user: '0'}]\n\
                    configs: {one: {file: ./one.txt}, two: {content: 'of the file'}, three: {environment: THREE}}\nvolumes: {said: }\n";
        stack(host, "given", text);
        within(host, "given", "echo first > one.txt; THREE=variable volt compose up -d").ok();
        let read = || within(host, "given", "volt compose exec a sh -c 'cat /etc/one /two; echo; cat /three; echo; stat -c %u:%a /etc/one'").ok();
        assert_eq!(read(), "first\nof the file\nvariable\n7:440");
        assert_eq!(steps(&within(host, "given", "THREE=variable volt compose up -d -o json").json()), [""; 0]);
        // Another content is another container.
        within(host, "given", "echo second > one.txt; THREE=variable volt compose up -d").ok();
        assert_eq!(read(), "second\nof the file\nvariable\n7:440");
        assert_eq!(host.sh("ls /var/lib/volt/stacks/given/configs | wc -l; cat /var/lib/volt/volumes/given-said/_data/turns").ok(), "3\nup\ndown\nup");
        within(host, "given", "volt compose up -d").fails(3);
        // A command that fails undoes the start.
        stack(host, "given", &text.replace("echo up >> /said/turns", "echo oh no; exit 5"));
        let said = within(host, "given", "THREE=variable volt compose up -d").fails(1);
        assert!(said.contains("ended with code 5: oh no"), "{said}");
        assert_eq!(read(), "second\nof the file\nvariable\n7:440");
        // What runs again was begun as it had been.
        assert_eq!(host.sh("cat /var/lib/volt/volumes/given-said/_data/turns").ok(), "up\ndown\nup\ndown\nup");
        host.volt(&["compose", "-p", "given", "down", "-v"]).ok();
        is_gone(host, "given");
    }
}
