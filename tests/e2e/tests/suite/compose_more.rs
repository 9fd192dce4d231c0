//! Stacks of more than containers, networks and volumes: secrets, services of systemd, tasks, drivers of volumes.

use super::compose::{is_gone, stack, steps, within};
use std::time::Duration;
use volt_e2e::on_hosts;

const SEALED: &str = "\
name: sealed
services:
  a:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    secrets: [of_file, {source: of_env, target: /etc/tls/key, uid: '7', gid: '8', mode: 0400}, in_file, theirs]
  b: {image: tiny, command: sleep 1000, stop_grace_period: 1s}
secrets:
  of_file: {file: ./secret.txt}
  of_env: {environment: SEALED_ENV}
  in_file: {content: halibut-3}
  theirs: {external: true, name: sealed-theirs}
";

on_hosts! {
    fn compose_gives_secrets(host) {
        host.tiny();
        stack(host, "sealed", SEALED);
        within(host, "sealed", "printf 'swordfish-1\\0x' > secret.txt").ok();
        drop(host.volt(&["secret", "delete", "sealed-theirs"]));
        let said = within(host, "sealed", "SEALED_ENV=marlin-2 volt compose up -d").fails(3);
        assert!(said.contains("volt secret create sealed-theirs"), "{said}");
        host.run_with(&["volt", "secret", "create", "sealed-theirs", "-"], b"turbot-4").ok();
        // What says a secret must be there.
        let said = within(host, "sealed", "volt compose up -d").fails(3);
        assert!(said.contains("the variable SEALED_ENV is not set"), "{said}");
        let up = "SEALED_ENV=marlin-2 volt compose up -d -o json";
        let done = steps(&within(host, "sealed", up).json());
        for name in ["sealed-of-file", "sealed-of-env", "sealed-in-file"] {
            assert!(done.contains(&format!("create secret {name}")), "{done:?}");
        }
        let read = || within(host, "sealed", "volt compose exec a sh -c 'cd /run/secrets; tr \"\\0\" - < of_file; echo; cat /etc/tls/key; echo; cat in_file theirs; echo; stat -c %u:%g:%a /etc/tls/key of_file'").ok();
        assert_eq!(read(), "swordfish-1-x\nmarlin-2\nhalibut-3turbot-4\n7:8:400\n0:0:444");
        assert_eq!(steps(&within(host, "sealed", up).json()), [""; 0]);
        // Nothing tells of it but the file of the user. As input, so that the search does not find itself.
        let script = b"for word in '[s]wordfish' '[m]arlin-2' '[h]alibut' '[t]urbot'; do \
            grep -rqa $word /etc/volt /etc/systemd /var/lib/volt /var/log/volt && exit 1; systemctl show 'volt-container@sealed-*' | grep -q $word && exit 2; \
            journalctl -b | grep -q $word && exit 3; cat /proc/[0-9]*/cmdline 2>/dev/null | grep -aq $word && exit 4; \
            volt inspect sealed-a-1 | grep -q $word && exit 5; volt compose -p sealed ps -o json | grep -q $word && exit 6; done; exit 0";
        host.run_with(&["sh"], script).ok();
        host.sh("test $(stat -c %a /var/lib/volt/stacks/sealed/secrets.json) = 600").ok();

        // Another content is another container, for who has it.
        let change = "SEALED_ENV=salmon-5 volt compose";
        let wanted = ["recreate secret sealed-of-env", "recreate workload sealed-a-1", "start workload sealed-a-1"];
        assert_eq!(steps(&within(host, "sealed", &format!("{change} plan -o json")).json()), wanted);
        // What fails leaves the old one.
        stack(host, "sealed", &SEALED.replace("b: {image: tiny, command: sleep 1000", "b: {image: tiny, depends_on: [a], command: /no/such"));
        within(host, "sealed", &format!("{change} up -d")).fails(1);
        assert_eq!(read().lines().nth(1).unwrap(), "marlin-2");
        stack(host, "sealed", SEALED);
        assert_eq!(steps(&within(host, "sealed", up).json()), [""; 0]);
        within(host, "sealed", "printf changed > secret.txt").ok();
        within(host, "sealed", &format!("{change} up -d")).ok();
        assert_eq!(read().lines().take(2).collect::<Vec<_>>(), ["changed", "salmon-5"]);
        // One command gets them too.
        assert_eq!(within(host, "sealed", "SEALED_ENV=salmon-5 volt compose run --rm -T --no-deps a cat /etc/tls/key").ok(), "salmon-5");

        // One that somebody else made is his; what the file has no more goes.
        host.run_with(&["volt", "secret", "create", "sealed-new", "-"], b"x").ok();
        stack(host, "sealed", &SEALED.replace("in_file", "new"));
        let said = within(host, "sealed", &format!("{change} up -d")).fails(4);
        assert!(said.contains("external: true"), "{said}");
        host.volt(&["secret", "delete", "sealed-new"]).ok();
        within(host, "sealed", &format!("{change} up -d")).ok();
        assert_eq!(host.sh("volt secret list -o name | grep ^sealed").ok(), "sealed-new\nsealed-of-env\nsealed-of-file\nsealed-theirs");
        host.volt(&["compose", "-p", "sealed", "down"]).ok();
        assert_eq!(host.sh("volt secret list -o name | grep ^sealed").ok(), "sealed-theirs");
        host.volt(&["secret", "delete", "sealed-theirs"]).ok();
        is_gone(host, "sealed");
    }
}

const MIXED: &str = "\
name: mixed
services:
  db: {image: tiny, command: sleep 1000, stop_grace_period: 1s}
  worker:
    exec: [/bin/sh, -c, 'echo working as $$KIND; exec sleep 1000']
    environment: {KIND: one}
    sandbox: strict
    scale: 2
    depends_on: [db]
    labels: {team: web}
  web: {image: tiny, command: sleep 1000, stop_grace_period: 1s, depends_on: [worker]}
tasks:
  note: {exec: /bin/echo noted, every: 1h, depends_on: [worker]}
  ask: {exec: [sh, -c, 'nslookup db > /dev/null && echo db is found'], container: tiny, on_calendar: '03:00'}
";

on_hosts! {
    fn compose_has_services_and_tasks(host) {
        let host = &*host.private("compose-mixed");
        host.tiny();
        stack(host, "mixed", MIXED);
        let done = steps(&within(host, "mixed", "volt compose up -d --wait -o json").json());
        for one in ["create workload mixed-worker-2", "start workload mixed-worker-1", "create workload mixed-note-1", "start workload mixed-note-1"] {
            assert!(done.contains(&one.to_owned()), "{done:?}");
        }
        assert_eq!(steps(&within(host, "mixed", "volt compose up -d -o json").json()), [""; 0]);
        let units = "mixed-worker-1.service mixed-worker-2.service volt-task-mixed-note-1.timer volt-task-mixed-ask-1.timer volt-container@mixed-web-1.service";
        host.sh(&format!("systemctl is-active {units}")).ok();
        assert_eq!(within(host, "mixed", "volt compose ps -o name").ok(), "mixed-ask-1\nmixed-db-1\nmixed-note-1\nmixed-web-1\nmixed-worker-1\nmixed-worker-2");
        // systemd has the stack's order, and journal and labels say whose it is.
        let shown = |what: &str, unit: &str| host.sh(&format!("systemctl show -P {what} {unit}")).ok();
        assert!(shown("After", "mixed-worker-1").contains("volt-container@mixed-db-1.service"));
        assert!(shown("After", "volt-container@mixed-web-1").contains("mixed-worker-2.service"));
        assert!(shown("PartOf", "volt-task-mixed-note-1.timer").contains("volt-compose@mixed.target"));
        host.until(Duration::from_secs(10), "journalctl -q VOLT_STACK=mixed VOLT_STACK_SERVICE=worker VOLT_STACK_REPLICA=2 | grep -q 'working as one'");
        host.until(Duration::from_secs(10), "volt compose -p mixed logs worker | grep -q 'working as one'");
        assert_eq!(host.volt(&["service", "status", "mixed-worker-1", "-o", "json"]).json()["labels"]["volt.stack"], "mixed");
        // A task in a container finds the others; one on the host is run by hand as well.
        let said = host.volt(&["task", "run", "mixed-ask-1"]).ok();
        assert!(said.contains("db is found"), "{said}");
        assert!(host.volt(&["task", "run", "mixed-note-1"]).ok().contains("noted"));

        // What changed is made anew, the task with its history.
        stack(host, "mixed", &MIXED.replace("KIND: one", "KIND: two").replace("echo noted", "echo written"));
        let done = steps(&within(host, "mixed", "volt compose up -d -o json").json());
        let wanted = ["recreate workload mixed-worker-1", "start workload mixed-worker-1", "recreate workload mixed-worker-2", "start workload mixed-worker-2", "recreate workload mixed-note-1", "start workload mixed-note-1"];
        assert!(done.len() == 6 && wanted.iter().all(|one| done.contains(&(*one).to_owned())), "{done:?}");
        host.until(Duration::from_secs(10), "journalctl -q VOLT_STACK=mixed | grep -q 'working as two'");
        assert_eq!(host.volt(&["task", "history", "mixed-note-1", "-o", "json"]).json().as_array().unwrap().len(), 1);
        // What fails is undone.
        stack(host, "mixed", &MIXED.replace("KIND: one", "KIND: three").replace("web: {image: tiny, command: sleep 1000", "web: {image: tiny, command: /no/such"));
        within(host, "mixed", "volt compose up -d").fails(1);
        host.sh(&format!("systemctl is-active {units}")).ok();
        assert!(host.sh("cat /var/lib/volt/services/mixed-worker-1/environment").ok().contains("two"));
        stack(host, "mixed", &MIXED.replace("KIND: one", "KIND: two").replace("echo noted", "echo written"));
        assert_eq!(steps(&within(host, "mixed", "volt compose up -d -o json").json()), [""; 0]);

        // A run that is under way while the timer is down ends when its task is made anew, and begins with nothing of the old.
        let long = |seconds: u32| MIXED.replace("KIND: one", "KIND: two").replace("/bin/echo noted", &format!("/bin/sleep {seconds}"));
        stack(host, "mixed", &long(4321));
        within(host, "mixed", "volt compose up -d").ok();
        host.sh("systemctl stop volt-task-mixed-note-1.timer && systemctl start --no-block volt-task-mixed-note-1.service").ok();
        host.until(Duration::from_secs(10), "test $(systemctl show -P MainPID volt-task-mixed-note-1.service) != 0");
        stack(host, "mixed", &long(4322));
        within(host, "mixed", "volt compose up -d").ok();
        assert_eq!(host.sh("systemctl show -P MainPID volt-task-mixed-note-1.service").ok(), "0");
        host.sh("systemctl is-active volt-task-mixed-note-1.timer").ok();
        stack(host, "mixed", &MIXED.replace("KIND: one", "KIND: two").replace("echo noted", "echo written"));
        within(host, "mixed", "volt compose up -d").ok();

        // Stopped, started, restarted by Volt and by systemd.
        within(host, "mixed", "volt compose stop").ok();
        assert_eq!(host.sh(&format!("systemctl is-active {units} | sort -u")).ok(), "inactive");
        within(host, "mixed", "volt compose start").ok();
        host.sh(&format!("systemctl is-active {units}")).ok();
        within(host, "mixed", "volt compose restart worker note").ok();
        within(host, "mixed", "volt compose pause worker").ok();
        assert_eq!(steps(&within(host, "mixed", "volt compose up -d -o json").json()), ["unpause workload mixed-worker-1", "unpause workload mixed-worker-2"]);
        host.sh("systemctl stop volt-compose@mixed.target").ok();
        host.until(Duration::from_secs(20), &format!("test \"$(systemctl is-active {units} | sort -u)\" = inactive"));
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.reboot();
        host.until(Duration::from_secs(60), &format!("systemctl is-active {units}"));
        within(host, "mixed", "volt compose up -d --scale worker=1").ok();
        host.sh("! test -e /etc/systemd/system/mixed-worker-2.service").ok();
        // What is no more what it was.
        stack(host, "mixed", "name: mixed\nservices:\n  worker: {image: tiny, command: sleep 1000, stop_grace_period: 1s}\n  db: {exec: /bin/sleep 1000}\n");
        within(host, "mixed", "volt compose up -d --remove-orphans").ok();
        host.sh("systemctl is-active mixed-db-1.service volt-container@mixed-worker-1.service && ! systemctl cat mixed-worker-1.service").ok();
        within(host, "mixed", "volt compose down").ok();
        is_gone(host, "mixed");
        host.sh("! ls -d /etc/systemd/system/*mixed* /var/lib/volt/*/mixed* 2>/dev/null | grep .").ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));

        // What can't be is refused before anything changes; what is somebody else's is left alone.
        stack(host, "mixed", "name: mixed\nservices:\n  a: {exec: /bin/sleep 1000, user: nobody-there}\n  b: {image: tiny, command: sleep 1000}\n");
        within(host, "mixed", "volt compose up -d").fails(3);
        stack(host, "mixed", "name: mixed\nservices: {a: {exec: /bin/sleep 1000, sandbox: lax}}\n");
        within(host, "mixed", "volt compose up -d").fails(12);
        host.volt(&["service", "create", "mixed-a-1", "--exec", "/bin/sleep 1000"]).ok();
        stack(host, "mixed", "name: mixed\nservices: {a: {exec: /bin/sleep 1000}}\n");
        within(host, "mixed", "volt compose up -d").fails(4);
        host.volt(&["service", "delete", "mixed-a-1"]).ok();
    }
}

const SHARED: &str = "\
name: shared
services:
  vpn: {image: tiny, command: 'httpd -f -p 127.0.0.1:8081 -h /etc', stop_grace_period: 1s, hostname: gate, ports: ['127.0.0.1:18090:8090']}
  app: {image: tiny, command: httpd -f -p 8090 -h /etc, stop_grace_period: 1s, network_mode: 'service:vpn', healthcheck: {tcp: '8090', interval: 1s, retries: 30}}
  db: {image: tiny, command: sleep 1000, stop_grace_period: 1s, depends_on: {app: {condition: service_healthy}}}
";

on_hosts! {
    fn compose_shares_networks(host) {
        let host = &*host.private("compose-shared");
        host.tiny();
        stack(host, "shared", SHARED);
        within(host, "shared", "volt compose up -d").ok();
        let works = || {
            // One loopback, one address, the same names; ports of the one lead to the other.
            within(host, "shared", "volt compose exec app wget -qO- http://127.0.0.1:8081/hostname").ok();
            within(host, "shared", "volt compose exec app nslookup db").ok();
            host.until(Duration::from_secs(10), "curl -sf http://127.0.0.1:18090/passwd -o /dev/null");
            let [one, other] = ["vpn", "app"].map(|key| within(host, "shared", &format!("volt compose exec {key} sh -c 'ip -o -4 address; hostname; cat /etc/hosts'")).ok());
            assert_eq!(one, other);
            assert!(one.contains("gate"), "{one}");
        };
        works();
        assert_eq!(steps(&within(host, "shared", "volt compose up -d -o json").json()), [""; 0]);
        assert_eq!(host.volt(&["container", "inspect", "shared-app-1", "-o", "json"]).json()["network"], "container:shared-vpn-1");
        // With the one that it is of it is started anew: by Volt, by systemd, when that one fails.
        stack(host, "shared", &SHARED.replace("hostname: gate", "hostname: gate2"));
        within(host, "shared", "volt compose up -d").ok();
        stack(host, "shared", SHARED);
        // Also where it was not asked for.
        within(host, "shared", "volt compose up -d vpn").ok();
        works();
        // Who shares what could not be changed is back with it.
        stack(host, "shared", &SHARED.replace("'httpd -f -p 127.0.0.1:8081 -h /etc'", "/no/such"));
        within(host, "shared", "volt compose up -d").fails(1);
        works();
        stack(host, "shared", SHARED);
        within(host, "shared", "volt compose restart vpn").ok();
        works();
        // With all of the stack it is started once, and not by systemd with the one and by Volt again.
        let starts = || host.sh("journalctl --sync; journalctl -u volt-container@shared-app-1 -o cat | grep -c '^Started '").ok().trim().parse::<u32>().unwrap();
        let before = starts();
        within(host, "shared", "volt compose restart").ok();
        assert_eq!(starts(), before + 1);
        works();
        host.sh("systemctl stop volt-container@shared-vpn-1").ok();
        assert_eq!(host.sh("systemctl is-active volt-container@shared-app-1").stdout.trim(), "inactive");
        host.sh("systemctl start volt-container@shared-app-1 && systemctl is-active volt-container@shared-vpn-1").ok();
        works();
        host.reboot();
        host.until(Duration::from_secs(60), "systemctl is-active volt-container@shared-db-1");
        works();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));

        // Containers can without a stack.
        host.volt(&["run", "-d", "--name", "shared-too", "--network", "container:shared-vpn-1", "tiny", "sleep", "1000"]).ok();
        host.sh("volt exec shared-too wget -qO- http://127.0.0.1:8090/hostname").ok();
        host.volt(&["container", "create", "--name", "shared-no", "--network", "container:shared-too", "tiny", "true"]).fails(2);
        host.volt(&["container", "create", "--name", "shared-no", "--network", "container:none-such", "tiny", "true"]).fails(3);
        host.volt(&["container", "create", "--name", "shared-no", "--network", "container:shared-vpn-1", "-p", "80:80", "tiny", "true"]).fails(2);
        host.volt(&["net", "connect", "volt0", "shared-too"]).fails(9);
        host.volt(&["container", "delete", "--force", "shared-too"]).ok();
        within(host, "shared", "volt compose down").ok();
        is_gone(host, "shared");
        stack(host, "shared", "name: shared\nservices:\n  a: {exec: /bin/sleep 1000}\n  b: {image: tiny, network_mode: 'service:a'}\n");
        within(host, "shared", "volt compose up -d").fails(10);
    }
}

const KEPT: &str = "\
name: kept
services:
  a:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    volumes: ['scratch:/scratch', 'mem:/mem', 'site:/site', 'data:/data', {type: volume, source: data, target: /part, volume: {subpath: conf/a}}, {type: volume, source: data, target: /etc/one, read_only: true, volume: {subpath: conf/one}}]
  b: {image: tiny, command: sleep 1000, stop_grace_period: 1s, volumes: ['scratch:/scratch'], depends_on: [a]}
volumes:
  scratch: {driver_opts: {type: tmpfs, device: tmpfs, o: 'size=4m,mode=1777'}}
  mem: {driver: tmpfs, driver_opts: {size: 1M}}
  site: {driver: local, driver_opts: {type: none, o: bind, device: /var/lib/volt/kept-site}}
  data:
";

on_hosts! {
    fn compose_mounts_by_drivers_and_parts(host) {
        let host = &*host.private("compose-kept");
        host.tiny();
        stack(host, "kept", KEPT);
        let said = within(host, "kept", "volt compose up -d").fails(3);
        assert!(said.contains("/var/lib/volt/kept-site"), "{said}");
        host.sh("mkdir -p /var/lib/volt/kept-site && echo theirs > /var/lib/volt/kept-site/index").ok();
        // A part must be there before it is mounted.
        within(host, "kept", "volt compose up --no-start").ok();
        let said = within(host, "kept", "volt compose up -d").fails(3);
        assert!(said.contains("conf/a"), "{said}");
        let data = "/var/lib/volt/volumes/kept-data/_data";
        within(host, "kept", "volt compose up --no-start").ok();
        host.sh(&format!("mkdir -p {data}/conf/a && echo in-part > {data}/conf/a/file && echo one > {data}/conf/one")).ok();
        within(host, "kept", "volt compose up -d").ok();
        assert_eq!(steps(&within(host, "kept", "volt compose up -d -o json").json()), [""; 0]);
        let inside = |key: &str, line: &str| within(host, "kept", &format!("volt compose exec {key} sh -c '{line}'"));
        assert_eq!(inside("a", "cat /part/file /etc/one /site/index; echo new > /part/new; cat /data/conf/a/new; echo ours > /site/ours").ok(), "in-part\none\ntheirs\nnew");
        assert_eq!(host.sh("cat /var/lib/volt/kept-site/ours; stat -c %u /var/lib/volt/kept-site/ours").ok(), "ours\n0");
        assert_ne!(inside("a", "echo x > /etc/one").code, 0);
        inside("a", "echo both > /scratch/x; df -k /mem | tail -1 | grep -q 1024").ok();
        assert_eq!(inside("b", "cat /scratch/x").ok(), "both");
        assert_ne!(inside("a", "dd if=/dev/zero of=/mem/big bs=1M count=2 2>/dev/null").code, 0);
        // As systemd sees it: units that are up while somebody needs them.
        let unit = "'var-lib-volt-volumes-kept\\x2dscratch-_data.mount'";
        assert!(host.sh(&format!("systemctl cat {unit}")).ok().contains("Type=tmpfs"));
        host.sh(&format!("systemctl is-active {unit}")).ok();
        host.sh("systemctl restart volt-container@kept-b-1 && volt exec kept-b-1 cat /scratch/x").ok();
        host.volt(&["volume", "delete", "kept-site"]).fails(9);
        let listed = host.volt(&["volume", "list", "-o", "json"]).json();
        let found = listed.as_array().unwrap().iter().find(|v| v["name"] == "kept-scratch").unwrap();
        assert_eq!((&found["driver"], &found["options"]["type"]), (&"local".into(), &"tmpfs".into()), "{found}");
        assert!(host.volt(&["volume", "list"]).ok().contains("tmpfs"));
        host.reboot();
        host.until(Duration::from_secs(60), "systemctl is-active volt-container@kept-b-1");
        assert_eq!(inside("a", "cat /part/new /site/ours; ls /scratch").ok(), "new\nours");
        // Stopped, nothing is mounted any more.
        within(host, "kept", "volt compose stop").ok();
        host.until(Duration::from_secs(10), "! grep -q /kept- /proc/mounts");
        // No link leads out of a volume.
        host.sh(&format!("rm -r {data}/conf/a && ln -s /etc {data}/conf/a")).ok();
        let said = within(host, "kept", "volt compose start").fails(1);
        assert!(said.contains("link"), "{said}");
        host.sh(&format!("rm {data}/conf/a")).ok();
        within(host, "kept", "volt compose down -v").ok();
        is_gone(host, "kept");
        assert_eq!(host.sh("cat /var/lib/volt/kept-site/index; ls /etc/systemd/system/*kept* /var/lib/volt/units/*kept* 2>/dev/null; true").ok(), "theirs");

        host.sh("rm -r /var/lib/volt/kept-site").ok();

        // The same without a stack.
        host.volt(&["volume", "create", "--driver", "tmpfs", "--opt", "size=1M", "kept-own"]).ok();
        host.volt(&["run", "--rm", "-v", "kept-own:/x", "tiny", "sh", "-c", "df -k /x | tail -1 | grep -q 1024"]).ok();
        assert_eq!(host.volt(&["volume", "inspect", "kept-own", "-o", "json"]).json()["driver"], "tmpfs");
        host.volt(&["volume", "delete", "kept-own"]).ok();
        host.volt(&["volume", "create", "--driver", "tmpfs", "--opt", "size=much", "kept-own"]).fails(2);
        host.volt(&["volume", "create", "--opt", "type=ext4", "--opt", "device=/dev/sda", "kept-own"]).fails(2);
        host.volt(&["volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", "device=/no/such", "kept-own"]).fails(3);
        // A server that isn't there: systemd is asked to mount it, and the container doesn't start without.
        host.volt(&["volume", "create", "--driver", "nfs", "--opt", "addr=127.0.0.1", "--opt", "device=:/export", "kept-nfs"]).ok();
        assert!(host.sh("systemctl cat 'var-lib-volt-volumes-kept\\x2dnfs-_data.mount'").ok().contains("What=127.0.0.1:/export\n"));
        assert_ne!(host.volt(&["run", "--rm", "--name", "kept-nfs", "-v", "kept-nfs:/x", "tiny", "true"]).code, 0);
        drop(host.volt(&["container", "delete", "--force", "kept-nfs"]));
        host.volt(&["volume", "delete", "kept-nfs"]).ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn compose_has_external_configs(host) {
        host.tiny();
        stack(host, "theirs", "name: theirs\nservices:\n  a: {image: tiny, command: sleep 1000, stop_grace_period: 1s, configs: [{source: site, target: /etc/site.conf}]}\nconfigs: {site: {external: true, name: theirs.conf}}\n");
        let said = within(host, "theirs", "volt compose up -d").fails(3);
        assert!(said.contains("/etc/volt/configs/theirs.conf"), "{said}");
        host.sh("mkdir -p /etc/volt/configs && echo first > /etc/volt/configs/theirs.conf").ok();
        within(host, "theirs", "volt compose up -d").ok();
        assert_eq!(within(host, "theirs", "volt compose exec a cat /etc/site.conf").ok(), "first");
        assert_eq!(steps(&within(host, "theirs", "volt compose up -d -o json").json()), [""; 0]);
        host.sh("echo second > /etc/volt/configs/theirs.conf").ok();
        assert_eq!(steps(&within(host, "theirs", "volt compose up -d -o json").json()), ["recreate workload theirs-a-1", "start workload theirs-a-1"]);
        assert_eq!(within(host, "theirs", "volt compose exec a cat /etc/site.conf").ok(), "second");
        within(host, "theirs", "volt compose down").ok();
        host.sh("rm /etc/volt/configs/theirs.conf").ok();
        is_gone(host, "theirs");
    }
}

const AROUND: &str = "\
name: around
services:
  a:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    hostname: front
    domainname: corp.example
    mac_address: '02:5e:00:00:00:21'
    extra_hosts: ['db.example=192.0.2.7', 'host.docker.internal:host-gateway']
    dns_search: [one.example, two.example]
    dns_opt: ['ndots:2']
    sysctls: {net.core.somaxconn: 321, net.ipv4.conf.eth0.forwarding: '1'}
    shm_size: 3m
";

on_hosts! {
    fn compose_gives_names_settings_and_shared_memory(host) {
        host.tiny();
        stack(host, "around", AROUND);
        within(host, "around", "volt compose up -d").ok();
        let inside = |line: &str| host.sh(&format!("volt exec around-a-1 sh -c '{line}'"));
        let host_of = |path: &str| host.sh(&format!("cat {path}")).ok();
        let somaxconn = host_of("/proc/sys/net/core/somaxconn");
        let looks = || {
            let gateway = inside("ip route").ok().split_whitespace().skip_while(|word| *word != "via").nth(1).unwrap().to_owned();
            let hosts = inside("cat /etc/hosts").ok();
            assert!(hosts.contains("192.0.2.7 db.example\n") && hosts.contains(&format!("{gateway} host.docker.internal")), "{hosts}");
            let resolv = inside("cat /etc/resolv.conf").ok();
            assert!(hosts.contains(" front.corp.example front\n"), "{hosts}");
            assert!(resolv.contains("nameserver ") && resolv.ends_with("search one.example two.example\noptions ndots:2"), "{resolv}");
            assert_eq!(inside("cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/conf/eth0/forwarding").ok(), "321\n1");
            assert_eq!(inside("df -k /dev/shm | tail -1").ok().split_whitespace().nth(1).unwrap(), "3072");
            inside("echo x > /dev/shm/x && test \"$(stat -c %a /dev/shm)\" = 1777").ok();
        };
        looks();
        assert_eq!(host_of("/proc/sys/net/core/somaxconn"), somaxconn);
        host.sh("systemctl restart volt-container@around-a-1").ok();
        looks();
        // Who is connected by hand has the address that follows from the names.
        assert_eq!(inside("hostname; cat /sys/class/net/eth0/address").ok(), "front\n02:5e:00:00:00:21");
        // Who else asks for it is refused, as is who asks for the bridge's.
        let bridge = host.volt(&["net", "inspect", "around-default", "-o", "json"]).json()["bridge"].as_str().unwrap().to_owned();
        for (mac, whose) in [("02:5e:00:00:00:21".to_owned(), "around-a-1"), (host_of(&format!("/sys/class/net/{bridge}/address")), "the host")] {
            let network = format!("around-default:mac={}", mac.replace(':', "-"));
            let said = host.volt(&["run", "--rm", "--network", &network, "tiny", "true"]).fails(9);
            assert!(said.contains(&format!("{mac} is used in around-default by {whose}")), "{said}");
        }
        // Another network while it runs: the files stay what they are.
        host.volt(&["net", "disconnect", "around-default", "around-a-1"]).ok();
        host.volt(&["net", "connect", "around-default", "around-a-1"]).ok();
        assert!(inside("cat /etc/hosts /etc/resolv.conf").ok().contains("db.example"));
        assert_eq!(steps(&within(host, "around", "volt compose up -d -o json").json()), [""; 0]);
        stack(host, "around", &AROUND.replace("eth0.forwarding", "eth9.forwarding"));
        let said = within(host, "around", "volt compose up -d").fails(1);
        assert!(said.contains("net/ipv4/conf/eth9/forwarding"), "{said}");
        looks();
        stack(host, "around", &format!("{AROUND}    network_mode: host\n").replace("    mac_address: '02:5e:00:00:00:21'\n", ""));
        within(host, "around", "volt compose up -d").fails(2);
        host.volt(&["compose", "-p", "around", "down"]).ok();
        is_gone(host, "around");
    }
}

const STANDING: &str = "\
name: standing
services:
  a:
    image: tiny
    command: [sh, -c, 'grep ^Groups: /proc/self/status; sleep 15; exit 3']
    mem_reservation: 8m
    cpuset: '0'
    oom_score_adj: 321
    user: '33'
    group_add: [extra, '4321']
    deploy: {restart_policy: {condition: any, delay: 1700ms}}
";

on_hosts! {
    fn compose_says_how_containers_stand(host) {
        host.tiny();
        stack(host, "standing", STANDING);
        let inside = |line: &str| within(host, "standing", line);
        let begun = inside("volt compose up -d");
        assert!(!begun.stderr.contains("does nothing"), "{begun:?}");
        begun.ok();
        let unit = |what: &str| host.sh(&format!("systemctl show -P {what} volt-container@standing-a-1")).ok();
        assert_eq!((unit("MemoryLow"), unit("AllowedCPUs"), unit("RestartUSec")), ("8388608".into(), "0".into(), "1.700000s".into()));
        assert_eq!(host.sh("volt exec standing-a-1 cat /proc/1/oom_score_adj").ok(), "321");
        let said = host.sh("volt logs standing-a-1 && volt exec standing-a-1 grep ^Groups: /proc/self/status").ok();
        let groups: Vec<&str> = said.lines().filter(|line| line.contains("Groups:")).map(str::trim).collect();
        assert_eq!(groups, ["Groups:\t2000 4321"; 2], "{said}");
        assert_eq!(steps(&inside("volt compose up -d -o json").json()), [""; 0]);
        host.until(Duration::from_secs(60), "test \"$(systemctl show -P NRestarts volt-container@standing-a-1)\" -ge 1");
        // Another place is another container; what names no CPU is refused where it stands.
        stack(host, "standing", &STANDING.replace("cpuset: '0'", "cpuset: '0-'"));
        assert!(inside("volt compose up -d").fails(12).contains("names no CPUs"));
        stack(host, "standing", &STANDING.replace("oom_score_adj: 321", "oom_score_adj: -1"));
        let lines = steps(&inside("volt compose plan -o json").json());
        assert!(lines.contains(&"recreate workload standing-a-1".to_owned()), "{lines:?}");
        host.volt(&["compose", "-p", "standing", "down"]).ok();
        is_gone(host, "standing");
    }
}

const FIRM: &str = "\
name: firm
services:
  a: {image: tiny, command: sleep 1000, stop_grace_period: 1s, networks: [within]}
  b: {image: tiny, command: sleep 1000, stop_grace_period: 1s}
  c: {image: tiny, command: sleep 1000, stop_grace_period: 1s}
networks: {within: {internal: true}, default: }
";

on_hosts! {
    fn compose_refuses_what_the_engine_would_before_it_stops_anybody(host) {
        host.tiny();
        stack(host, "firm", FIRM);
        within(host, "firm", "volt compose up -d").ok();
        let runs = || host.sh("systemctl show -P InvocationID volt-container@firm-a-1 volt-container@firm-b-1 volt-container@firm-c-1").ok();
        let before = runs();
        let changed = |service: &str, what: &str| {
            let line = format!("  {service}: {{image: tiny,");
            FIRM.replace(&line, &format!("{line} {what},"))
        };
        let refused = |text: &str, code: i32, words: &[&str]| {
            stack(host, "firm", text);
            for verb in ["plan", "up -d"] {
                let said = within(host, "firm", &format!("volt compose {verb}")).fails(code);
                assert!(words.iter().all(|word| said.contains(word)), "{text}: {said}");
            }
            assert_eq!(runs(), before, "{text}");
        };
        // All at once, each with its service.
        let proc = "volumes: ['/proc:/p']";
        let two = changed("a", proc).replace("  b: {", &format!("  b: {{{proc}, "));
        refused(&two, 10, &["a: /proc can't be mounted", "b: /proc can't be mounted"]);
        let mixed = two.replace("  c: {", "  c: {network_mode: host, cap_add: [NET_ADMIN], ");
        refused(&mixed, 12, &["a: /proc", "b: /proc", "c: NET_ADMIN can do nothing in the network of the host"]);
        // Each alone.
        refused(&changed("a", "ports: ['18099:80']"), 2, &["a: The port", "can't lead in from outside to firm-within"]);
        refused(&changed("c", "network_mode: 'service:b', extra_hosts: ['x:192.0.2.1']"), 2, &["c: ", "it finds names as that one does"]);
        refused(&changed("b", "network_mode: host, sysctls: {net.ipv4.ip_forward: '1'}"), 2, &["b: ", "which is not its own"]);
        refused(&changed("b", "volumes: ['/srv/not-there:/x:ro'], blkio_config: {device_read_bps: [{path: /dev/not-there, rate: 1mb}]}"), 3, &["b: There is no disk behind /dev/not-there"]);
        stack(host, "firm", FIRM);
        assert_eq!(steps(&within(host, "firm", "volt compose up -d -o json").json()), [""; 0]);
        within(host, "firm", "volt compose down").ok();
        is_gone(host, "firm");
    }
}

/// Two that say who they are, with what each has besides.
fn movers(a: &str, b: &str) -> String {
    let service = |key: &str, fields: &str| {
        format!(
            "  {key}:\n    image: tiny\n    stop_grace_period: 1s\n    command: sh -c 'echo {key} > /tmp/index.html && exec httpd -f -p 80 -h /tmp'\n{fields}"
        )
    };
    let network = "networks: {default: {ipam: {config: [{subnet: 10.98.0.0/24}]}}}\n";
    format!("name: moves\nservices:\n{}{}{network}", service("a", a), service("b", b))
}

on_hosts! {
    fn compose_moves_names_ports_and_addresses(host) {
        let host = &*host.private("moves");
        host.tiny();
        let front = "    container_name: moves-front\n    ports: ['127.0.0.1:18098:80']\n    networks: {default: {ipv4_address: 10.98.0.2}}\n";
        let back = "    container_name: moves-back\n    ports: ['127.0.0.1:18099:80']\n    networks: {default: {ipv4_address: 10.98.0.3}}\n";
        let up = |text: &str, options: &str| {
            stack(host, "moves", text);
            let done = steps(&within(host, "moves", &format!("volt compose up -d -o json {options}")).json());
            assert_eq!(steps(&within(host, "moves", "volt compose up -d -o json").json()), [""; 0], "after {done:#?}");
            done
        };
        let says = |at: &str| host.sh(&format!("curl -sf --retry 20 --retry-delay 1 --retry-all-errors http://{at}/")).ok();
        up(&movers(front, ""), "");
        assert_eq!((says("127.0.0.1:18098"), says("10.98.0.2")), ("a".to_owned(), "a".to_owned()));
        // From one to the other, and both at once.
        for (a, b, names) in [("", front, "moves-a-1\nmoves-front"), (front, back, "moves-front\nmoves-back"), (back, front, "moves-back\nmoves-front")] {
            let done = up(&movers(a, b), "");
            let (at_front, other) = if a == front { ("a", "b") } else { ("b", "a") };
            assert_eq!([says("127.0.0.1:18098"), says("10.98.0.2")], [at_front; 2], "{done:#?}");
            if !a.is_empty() && !b.is_empty() {
                assert_eq!([says("127.0.0.1:18099"), says("10.98.0.3")], [other; 2], "{done:#?}");
            }
            assert_eq!(within(host, "moves", "volt compose ps -o name").ok(), names, "{done:#?}");
        }
        assert_eq!(within(host, "moves", "volt compose port b 80").ok(), "127.0.0.1:18098");
        assert_eq!(within(host, "moves", "volt compose port b 80 -o json").json(), serde_json::json!(["127.0.0.1:18098:80/tcp"]));
        // What fails is undone: all is as it was, at the same place.
        stack(host, "moves", &movers(front, &back.replace("    container_name", "    entrypoint: /no/such\n    container_name")));
        within(host, "moves", "volt compose up -d").fails(1);
        assert_eq!([says("127.0.0.1:18098"), says("10.98.0.2")], ["b"; 2]);
        assert_eq!([says("127.0.0.1:18099"), says("10.98.0.3")], ["a"; 2]);

        // A network that changed stays while others use it, and is made anew under who is in the file no more.
        let inner = movers(&back.replace("18099:80", "18099:80', '127.0.0.1:18100:80"), front).replace("ipam:", "mtu: 1400, ipam:");
        stack(host, "moves", &inner);
        let before = host.sh("systemctl show -P InvocationID volt-container@moves-front").ok();
        let said = within(host, "moves", "volt compose up -d a 2>&1").ok();
        assert!(said.contains("moves-front is connected to it and was not asked for"), "{said}");
        assert_eq!(host.sh("systemctl show -P InvocationID volt-container@moves-front").ok(), before);
        assert_eq!(says("127.0.0.1:18100"), "a");
        let alone = inner.replace("  b:\n", "  c:\n").replace("container_name: moves-front", "container_name: moves-new").replace("18098", "18101").replace("10.98.0.2", "10.98.0.7");
        let said = { stack(host, "moves", &alone); within(host, "moves", "volt compose up -d 2>&1").ok() };
        assert!(said.contains("moves-front is stopped and stays so"), "{said}");
        assert_eq!((says("127.0.0.1:18101"), says("10.98.0.3")), ("b".to_owned(), "a".to_owned()));
        assert_eq!(host.sh("systemctl is-active volt-container@moves-front").stdout.trim(), "inactive");
        up(&alone, "--remove-orphans");
        assert_eq!(within(host, "moves", "volt compose ps -a -o name").ok(), "moves-back\nmoves-new");
        within(host, "moves", "volt compose down").ok();
        is_gone(host, "moves");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn compose_gives_nobody_an_address_that_another_is_to_have(host) {
        host.tiny();
        let service = "image: tiny, command: sleep 1000, stop_grace_period: 1s";
        let network = "networks: {default: {ipam: {config: [{subnet: 10.97.0.0/24}]}}}\n";
        stack(host, "pinned", &format!("name: pinned\nservices:\n  a: {{{service}}}\n  b: {{{service}}}\n{network}"));
        within(host, "pinned", "volt compose up -d").ok();
        // `c` is made first, and would be given the next one.
        let pin = "networks: {default: {ipv4_address: 10.97.0.4}}";
        stack(host, "pinned", &format!("name: pinned\nservices:\n  a: {{{service}, {pin}}}\n  b: {{{service}}}\n  c: {{{service}}}\n{network}"));
        let done = steps(&within(host, "pinned", "volt compose up -d -o json").json());
        assert!(done.contains(&"recreate workload pinned-a-1".to_owned()), "{done:?}");
        let members = host.volt(&["net", "inspect", "pinned-default", "-o", "json"]).json()["members"].clone();
        let ip = |name: &str| members.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["ip"].clone();
        assert_eq!((ip("pinned-a-1"), ip("pinned-c-1")), ("10.97.0.4".into(), "10.97.0.5".into()), "{members}");
        within(host, "pinned", "volt compose down").ok();
        is_gone(host, "pinned");
    }
}

const GIVEN: &str = "\
name: given
services:
  keeper:
    exec: [/bin/sh, -c, 'cd $$CREDENTIALS_DIRECTORY && cat word theirs > $$STATE_DIRECTORY/read && exec sleep 1000']
    secrets: [{source: of_file, target: word}, theirs]
  open: {image: tiny, command: sleep 1000, stop_grace_period: 1s, secrets: [of_file]}
tasks:
  note: {exec: [/bin/sh, -c, 'wc -c < $$CREDENTIALS_DIRECTORY/of_file'], every: 1h, secrets: [of_file]}
  boxed: {exec: [sh, -c, 'wc -c < /run/secrets/inner'], container: tiny, on_calendar: '03:00', secrets: [{source: of_file, target: inner}]}
secrets:
  of_file: {file: ./secret.txt}
  theirs: {external: true, name: given-theirs}
";

on_hosts! {
    fn compose_gives_secrets_to_services_and_tasks(host) {
        let host = &*host.private("given");
        host.tiny();
        stack(host, "given", GIVEN);
        within(host, "given", "printf swordfish-1 > secret.txt").ok();
        host.run_with(&["volt", "secret", "create", "given-theirs", "-"], b"+turbot").ok();
        within(host, "given", "volt compose up -d").ok();
        // The folder that it may write to, whoever it is; what went wrong its journal says.
        let read = |wanted: &str| {
            let file = "/var/lib/svc-given-keeper-1/read";
            host.sh(&format!(
                "for i in $(seq 50); do test \"$(cat {file})\" = '{wanted}' && exit 0; sleep 0.2; done 2>/dev/null; \
                 cat {file}; systemctl cat given-keeper-1; journalctl -b --no-pager -u given-keeper-1; exit 1"
            ))
            .ok();
        };
        read("swordfish-1+turbot");
        assert_eq!(steps(&within(host, "given", "volt compose up -d -o json").json()), [""; 0]);
        let run = |name: &str| host.volt(&["task", "run", name]).ok().trim().to_owned();
        assert_eq!((run("given-note-1"), run("given-boxed-1")), ("11".into(), "11".into()));
        // Nothing else tells of it. As input, so that the search does not find itself.
        let script = b"for word in '[s]wordfish' '[t]urbot'; do grep -rqa $word /etc/volt /etc/systemd /var/lib/volt /var/log/volt && exit 1; \
            systemctl show 'given-*' 'volt-task-given-*' | grep -q $word && exit 2; journalctl -b | grep -q $word && exit 3; \
            cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | grep -aq $word && exit 4; volt service status -o json given-keeper-1 | grep -q $word && exit 5; done; exit 0";
        host.run_with(&["sh"], script).ok();
        // It stays while somebody is to have it.
        let said = host.volt(&["secret", "delete", "given-theirs"]).fails(9);
        assert!(said.contains("The service given-keeper-1") && said.contains("volt service delete"), "{said}");
        let listed = host.volt(&["secret", "list", "-o", "json"]).json();
        let used = listed.as_array().unwrap().iter().find(|one| one["name"] == "given-of-file").unwrap();
        assert_eq!(used["used_by"], serde_json::json!(["given-open-1", "given-keeper-1", "given-boxed-1", "given-note-1"]));

        // Another content is another service and another task; systemd gives it with no daemon.
        within(host, "given", "printf marlin-22 > secret.txt").ok();
        let done = steps(&within(host, "given", "volt compose up -d -o json").json());
        for name in ["keeper", "open", "note", "boxed"] {
            assert!(done.contains(&format!("recreate workload given-{name}-1")), "{done:?}");
        }
        read("marlin-22+turbot");
        assert_eq!((run("given-note-1"), run("given-boxed-1")), ("9".into(), "9".into()));
        host.run_with(&["volt", "secret", "create", "--replace", "given-theirs", "-"], b"+salmon").ok();
        host.sh("systemctl stop volt.service; systemctl restart given-keeper-1").ok();
        read("marlin-22+salmon");

        // One that was encrypted under its name, as an earlier Volt did it, is given by that name, and else says what to do.
        host.sh("printf +old | systemd-creds encrypt --quiet --with-key=host --name=given-theirs - - > /etc/volt/secrets/given-theirs.cred").ok();
        stack(host, "given", &GIVEN.replace("theirs]", "{source: theirs, target: given-theirs}]").replace("word theirs", "word given-theirs"));
        within(host, "given", "volt compose up -d").ok();
        read("marlin-22+old");
        stack(host, "given", &GIVEN.replace("theirs]", "{source: theirs, target: other}]").replace("word theirs", "word other"));
        let said = within(host, "given", "volt compose up -d").fails(9);
        assert!(said.contains("volt secret create --replace given-theirs"), "{said}");
        read("marlin-22+old");
        host.run_with(&["volt", "secret", "create", "--replace", "given-theirs", "-"], b"+new").ok();
        stack(host, "given", GIVEN);
        within(host, "given", "volt compose up -d").ok();
        read("marlin-22+new");

        // systemd says whose they are.
        let listed = host.sh("systemctl list-units --all --plain --no-legend '*given*'").ok();
        for line in ["Volt service given-keeper-1 (keeper 1 of the stack given)", "Volt task given-note-1 (note 1 of the stack given), every 1h", "Volt container given-open-1 (open 1 of the stack given)"] {
            assert!(listed.contains(line), "{listed}");
        }
        within(host, "given", "volt compose down").ok();
        is_gone(host, "given");
        assert_eq!(host.sh("volt secret list -o name | grep ^given").ok(), "given-theirs");
        host.volt(&["secret", "delete", "given-theirs"]).ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}
