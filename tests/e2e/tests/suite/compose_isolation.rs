//! Stacks whose services are isolated in different ways: the same file, commands, names and ports for all of them.

use super::compose::{is_gone, stack, steps, within};
use std::time::Duration;
use volt_e2e::on_hosts;

const LONG: Duration = Duration::from_secs(60);

const TRACED: &str = "\
name: traced
services:
  web:
    image: tiny
    isolation: proot
    command: sh -c 'echo $$KIND says; exec httpd -f -p 80 -h /etc'
    environment: {KIND: traced}
    ports: ['127.0.0.1:18096:80']
    restart: always
    mem_limit: 64m
    stop_grace_period: 1s
    volumes: ['data:/data']
    healthcheck: {test: [CMD, wget, -qO-, 'http://127.0.0.1/hostname'], interval: 1s, retries: 30}
    depends_on: {db: {condition: service_healthy}, first: {condition: service_completed_successfully}}
  db:
    image: tiny
    command: sh -c 'echo $$KIND says; exec httpd -f -p 8080 -h /etc'
    environment: {KIND: boxed}
    stop_grace_period: 1s
    healthcheck: {tcp: '8080', interval: 1s, retries: 30}
  first: {image: tiny, isolation: proot, command: 'test -s /etc/hostname'}
  last: {image: tiny, command: sleep 1000, stop_grace_period: 1s, depends_on: {web: {condition: service_healthy}}}
volumes: {data: }
";

on_hosts! {
    fn compose_runs_by_proot_where_that_is_asked_for(host) {
        let host = &*host.private("traced");
        host.tiny();
        stack(host, "traced", TRACED);
        let inside = |line: &str| within(host, "traced", line);
        let seen = |name: &str| host.volt(&["container", "inspect", name, "-o", "json"]).json();
        let front = "test \"$(curl -sf http://127.0.0.1:18096/hostname)\" = traced-web-1";
        let works = || {
            host.until(LONG, front);
            for (from, to, name) in [("last", "web", "traced-web-1"), ("web", "db:8080", "traced-db-1")] {
                assert_eq!(inside(&format!("volt compose exec -T {from} wget -qO- http://{to}/hostname")).ok(), name);
            }
        };
        inside("volt compose up -d --wait").ok();
        works();
        assert_eq!(steps(&inside("volt compose up -d -o json").json()), [""; 0]);
        assert_eq!((&seen("traced-web-1")["backend"], &seen("traced-db-1")["backend"]), (&"proot".into(), &"systemd".into()));
        // A unit like every other, whose processes have its network and cgroup, and else are where the host's are.
        let web = "volt-container@traced-web-1.service";
        let pid = || seen("traced-web-1")["pid"].as_u64().unwrap();
        host.sh(&format!("systemctl is-active {web} volt-healthy@traced-web-1.service && test $(systemctl show -P MemoryMax {web}) = 67108864")).ok();
        host.sh(&format!("cd /proc/{}/ns && for one in mnt pid user; do test $(readlink $one) = $(readlink /proc/1/ns/$one) || exit 1; done; test $(readlink net) != $(readlink /proc/1/ns/net)", pid())).ok();
        host.sh("! machinectl show traced-web-1 2> /dev/null && machinectl show traced-db-1 > /dev/null").ok();
        let exec = format!("volt compose exec -T web sh -c 'echo $KIND; readlink /proc/self/ns/net; grep ^0: /proc/self/cgroup'; readlink /proc/{0}/ns/net; grep ^0: /proc/{0}/cgroup", pid());
        let said = inside(&exec).ok();
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[0] == "traced" && lines[1] == lines[3] && lines[2] == lines[4] && lines[2].ends_with(&format!("{web}/payload")), "{said}");
        inside("volt compose exec -T web sh -c 'exit 7'").fails(7);
        assert_eq!(inside("echo typed | volt compose exec -T web cat").ok(), "typed");
        for (key, kind) in [("web", "traced"), ("db", "boxed")] {
            assert!(inside(&format!("volt compose logs {key}")).ok().contains(&format!("{kind} says")));
        }
        host.sh("journalctl -q VOLT_STACK=traced VOLT_STACK_SERVICE=web | grep -q 'traced says'").ok();
        inside("echo copied > file && volt compose cp file web:/tmp/ && volt compose exec -T web cat /tmp/file && volt compose cp web:/tmp/file back && cmp file back").ok();
        inside("volt compose exec -T web sh -c 'echo kept > /data/note'").ok();
        assert!(inside("volt compose cp web:/data/note back").fails(9).contains("/data"));
        assert_eq!(host.sh("cat /var/lib/volt/volumes/traced-data/_data/note").ok(), "kept");
        assert!(host.volt(&["top", "--once", "-o", "json"]).ok().contains("traced-web-1"));

        // Held, killed, restarted; with what was started beside it.
        inside("volt compose pause web").ok();
        assert_eq!(seen("traced-web-1")["state"], "frozen");
        host.sh("! timeout 1 curl -sf http://127.0.0.1:18096/hostname").ok();
        inside("volt compose unpause web").ok();
        works();
        host.sh("volt exec traced-web-1 sleep 4711 < /dev/null > /dev/null 2>&1 &").ok();
        host.until(LONG, "pgrep -f '[s]leep 4711'");
        let before = pid();
        host.sh("pkill -9 -f '[h]ttpd -f -p 80 '").ok();
        host.until(LONG, &format!("test $(systemctl show -P NRestarts {web}) -ge 1"));
        works();
        assert_ne!(pid(), before);
        assert_eq!(host.sh("pgrep -f '[s]leep 4711'; true").ok(), "");
        inside("volt compose restart web").ok();
        works();

        // By systemd, and by a boot without Volt's daemon.
        host.sh("systemctl stop volt-compose@traced.target").ok();
        host.until(LONG, &format!("test $(systemctl is-active {web}) = inactive && ! pgrep -f '[h]ttpd -f'"));
        host.sh("systemctl start volt-compose@traced.target").ok();
        works();
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.reboot();
        works();
        assert_eq!(host.sh("cat /var/lib/volt/volumes/traced-data/_data/note; volt exec traced-web-1 cat /tmp/file").ok(), "kept\ncopied");
        host.sh("systemctl unmask volt.socket volt.service && systemctl start volt.socket").ok();
        assert_eq!(host.sh("systemctl list-units --failed --plain --no-legend 'volt*' '*traced*'").ok(), "");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));

        // What proot can't do is refused before anything changes; another way to run it is another container.
        for (field, why) in [("read_only: true", "read-only"), ("user: '7'", "another user"), ("cap_add: [NET_ADMIN]", "capabilities"), ("hostname: other", "host name")] {
            stack(host, "traced", &TRACED.replace("    mem_limit", &format!("    {field}\n    mem_limit")));
            let said = inside("volt compose up -d").fails(10);
            assert!(said.contains(why), "{said}");
        }
        works();
        stack(host, "traced", &TRACED.replace("    isolation: proot\n", ""));
        inside("volt compose up -d --wait").ok();
        assert_eq!(seen("traced-web-1")["backend"], "systemd");
        works();
        stack(host, "traced", TRACED);
        inside("volt compose up -d --wait").ok();
        works();
        host.volt(&["compose", "-p", "traced", "down", "--volumes"]).ok();
        is_gone(host, "traced");
        assert_eq!(host.sh("pgrep -af '[h]ttpd -f|/[p]root '; find /run/netns /run/volt/containers -mindepth 1; true").ok(), "");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn compose_proot_does_what_containers_do(host) {
        let host = &*host.private("byproot");
        host.tiny();
        // Outside of a stack too, and with what reads and copies its root.
        host.volt(&["run", "-d", "--name", "free", "--backend", "proot", "--pids", "100", "--restart", "on-failure", "tiny", "sh", "-c", "echo one > /tmp/page; exec sleep 1000"]).ok();
        host.until(LONG, "volt exec free test -s /tmp/page");
        host.sh("echo 'volt snapshot create free before && volt exec free sh -c \"echo two > /tmp/page\" && volt stop --timeout 1 free && volt snapshot restore free before && volt start free' | sh -e").ok();
        host.sh("volt container update --pids 50 free && test $(systemctl show -P TasksMax volt-container@free) = 50").ok();
        host.sh("volt container stop --timeout 1 free && volt container rename free freed && volt container clone freed freer && volt start freed freer").ok();
        assert_eq!(host.sh("volt container export freed | tar -xO tmp/page; volt container exec freer cat /etc/hostname").ok(), "one\nfreer");
        // A terminal, a size, a user that it can't have, the network of another.
        assert!(host.sh("script -qec 'volt exec -it freed tty' /dev/null").ok().contains("/dev/pts/"));
        host.volt(&["exec", "--user", "7", "freed", "true"]).fails(10);
        host.volt(&["run", "--rm", "--backend", "proot", "--network", "container:freed", "tiny", "wget", "-qO-", "http://127.0.0.1:1"]).fails(1);
        host.volt(&["container", "kill", "freed"]).ok();
        host.until(LONG, "test $(systemctl show -P NRestarts volt-container@freed) = 1 && volt exec freed true");
        host.volt(&["container", "delete", "--force", "freed", "freer"]).ok();
        // A file of root's that sets the user id does not do so for others on the host.
        host.volt(&["run", "-d", "--name", "free", "--backend", "proot", "tiny", "sleep", "1000"]).ok();
        host.sh("volt container copy /usr/bin/id free:/tmp/ && volt exec free sh -c 'chown 0:0 /tmp/id && chmod 4755 /tmp/id'").ok();
        host.sh("test -u /var/lib/volt/containers/free/rootfs/tmp/id && findmnt -rno OPTIONS /var/lib/volt/containers/free/rootfs | grep -w nosuid").ok();
        host.volt(&["container", "delete", "--force", "free"]).ok();
        // Whoever a program becomes, it has its files and its volumes.
        host.debian();
        let become_another = "id -u > /kept/a && setpriv --reuid 1000 --clear-groups cat /etc/passwd /kept/a";
        assert!(host.volt(&["run", "--rm", "--backend", "proot", "-v", "freed:/kept", "debian", "sh", "-c", become_another]).ok().contains("root:"));
        // Memory, what it must not write to, and secrets.
        host.sh("mkdir -p /srv/fixed && echo one > /srv/fixed/file").ok();
        host.run_with(&["volt", "secret", "create", "free-key", "-"], b"swordfish").ok();
        let given = ["-v", "freed:/kept:ro", "-v", "/srv/fixed:/fixed:ro", "-v", "/srv/fixed/file:/one:ro", "--tmpfs", "/fast:size=1m"];
        let run = |more: &[&str], script: &str| host.volt(&[&["run", "--rm", "--backend", "proot"], &given[..], more, &["debian", "sh", "-c", script]].concat());
        let reads = "cat /run/secrets/free-key /fixed/file /one /kept/a; for file in /fixed/file /one /kept/a; do echo x > $file && exit 7; done 2>/dev/null; \
            echo x > /fast/x && ! head -c 2000000 /dev/zero > /fast/y 2>/dev/null && echo so";
        assert_eq!(run(&["--secret", "free-key"], reads).ok(), "swordfishone\none\n0\nso");
        host.volt(&["secret", "delete", "free-key"]).ok();
        host.volt(&["volume", "delete", "freed"]).ok();
        assert_eq!(host.sh("pgrep -a proot; true").ok(), "");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}
