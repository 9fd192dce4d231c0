//! `volt compose` killed from outside at some of its system calls that change something: the next `up` carries on and ends right, or
//! the next `down` leaves no trace. In `cargo xtask soak stack-kills` at every call.

use super::crash::{Case, prepare, survives_some};
use volt_e2e::{Host, on_hosts, soak_seconds};

/// At so many calls where nobody says more.
const COUNT: usize = 4;

const ONE: &str = "\
name: crash
services:
  web:
    image: tiny
    command: httpd -f -p 80 -h /srv
    ports: ['127.0.0.1:9399:80']
    volumes: [site:/srv, /own, {type: volume, source: site, target: /part, volume: {subpath: sub}}]
    stop_grace_period: 2s
    configs: [page]
    secrets: [word]
    networks: {default: {}, fixed: {ipv4_address: 10.67.0.9}}
    depends_on: {init: {condition: service_completed_successfully}, db: {condition: service_started}}
  init: {image: tiny, command: sh -c 'mkdir -p /srv/sub && cat /page > /srv/index.html', volumes: [site:/srv], configs: [page]}
  db: {image: tiny, command: 'httpd -f -p 80 -h /etc', scale: 2, stop_grace_period: 2s}
  aside: {image: with-volume, command: sleep 1000, stop_grace_period: 2s, networks: [fixed], volumes: ['scratch:/scratch']}
  unit: {exec: /bin/sleep 1000, depends_on: [db]}
tasks: {tick: {exec: /bin/true, every: 1h, depends_on: [unit]}}
volumes: {site: , scratch: {driver: tmpfs, driver_opts: {size: 1M}}}
networks: {fixed: {ipam: {config: [{subnet: 10.67.0.0/24}]}}}
configs: {page: {content: page}}
secrets: {word: {content: swordfish}}
";

/// What of the first is another in the second: a container, a network with a member, the number of a service, a secret, a service and a
/// task of the host.
const CHANGES: [(&str, &str); 7] = [
    ("httpd -f -p 80 -h /srv", "httpd -f -v -p 80 -h /srv"),
    ("-h /etc", "-v -h /etc"),
    ("scale: 2", "scale: 1"),
    ("fixed: {ipam", "fixed: {internal: true, ipam"),
    ("swordfish", "monkfish"),
    ("exec: /bin/sleep 1000", "exec: /bin/sleep 2000"),
    ("every: 1h", "every: 2h"),
];

const UP_ONE: &str = "volt compose -f /srv/one.yaml up -d";

/// What is up works, a further `up` finds nothing to do, and nothing is left when it is down.
const WORKS: &str = "works() { \
    for i in $(seq 50); do curl -s http://127.0.0.1:9399/ | grep -qx page && break; sleep 0.1; done; \
    curl -s http://127.0.0.1:9399/ | grep -qx page && volt compose -p crash exec -T web wget -qO- http://db/hostname >/dev/null && \
    volt compose -p crash exec -T web sh -c 'test -d /part && grep -q fish /run/secrets/word' && \
    systemctl is-active -q crash-unit-1.service volt-task-crash-tick-1.timer && findmnt -n -t tmpfs /var/lib/volt/volumes/crash-scratch/_data && \
    volt compose -p crash ps -a -o name | tr '\\n' ' ' | grep -x \"$2\" && \
    volt compose -f $1 up -d -o json | tr -d ' \\n' | grep -F '\"steps\":[]'; }; \
    gone() { cd /etc/systemd/system && \
    ! ls -d *@crash* */*@crash* *crash-unit* *crash-tick* /etc/volt/secrets/crash* /var/lib/volt/*/crash* /run/volt/containers/crash* /run/volt/networks/crash* 2>/dev/null | grep . && \
    ! findmnt -rno TARGET | grep crash- && ! ip link | grep vo-cra; }; ";

/// Goes on by `up` of this file, which has these containers then.
fn carries_on(file: &str, names: &str) -> String {
    format!(
        "{WORKS} volt compose -f {file} up -d && works {file} '{names} ' && volt compose -p crash down -v && gone"
    )
}

fn goes() -> String {
    format!("{WORKS} {{ volt compose -p crash down -v || test $? = 3; }} && gone")
}

fn lay(host: &Host) {
    prepare(host);
    host.sh("mkdir -p /tmp/root && tar -xf /srv/images/tiny.tar -C /tmp/root && volt image build --volume /data /tmp/root with-volume").ok();
    let two = CHANGES.iter().fold(ONE.to_owned(), |text, (old, new)| text.replace(old, new));
    for (name, text) in [("one", ONE), ("two", &two)] {
        let line = format!("cat > /srv/{name}.yaml");
        host.run_with(&["sh", "-c", &line], text.as_bytes()).ok();
    }
}

/// Kills a command at some of its calls, once for each way to go on.
fn kills(host: &Host, name: &'static str, before: &'static str, command: &'static [&'static str]) {
    let all_one =
        "crash-aside-1 crash-db-1 crash-db-2 crash-init-1 crash-tick-1 crash-unit-1 crash-web-1";
    let all_two = "crash-aside-1 crash-db-1 crash-init-1 crash-tick-1 crash-unit-1 crash-web-1";
    let (file, names) = match command.contains(&"/srv/two.yaml") {
        true => ("/srv/two.yaml", all_two),
        false => ("/srv/one.yaml", all_one),
    };
    for after in [carries_on(file, names), goes()] {
        let case = Case { name, before, command, after: after.leak() };
        survives_some(host, &case, soak_seconds().map_or(COUNT, |_| usize::MAX));
    }
}

on_hosts! {
    fn compose_survives_a_kill_of_up(host) {
        let host = &*host.private("crashup");
        lay(host);
        kills(host, "compose up", "true", &["compose", "-f", "/srv/one.yaml", "up", "-d"]);
        kills(host, "compose up of another", UP_ONE, &["compose", "-f", "/srv/two.yaml", "up", "-d"]);
    }
}

on_hosts! {
    fn compose_survives_a_kill_of_down(host) {
        let host = &*host.private("crashdown");
        lay(host);
        kills(host, "compose down", UP_ONE, &["compose", "-p", "crash", "down", "-v"]);
        kills(host, "compose restart", UP_ONE, &["compose", "-p", "crash", "restart"]);
    }
}
