//! The stacks of `tests/e2e/stacks`, of the shapes that people publish: each is brought up, written to through its front door, started
//! again, read from, and taken away without a trace. Eight of them in every run, each on one suite; all of them on both, and again and
//! again, in `cargo xtask soak stacks`.

use super::compose::{is_gone, steps};
use std::time::{Duration, Instant};
use volt_e2e::{Host, on_hosts, soak_seconds, xtask_command};

/// Where they are, here and on the host.
pub(super) const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/stacks");
pub(super) const THERE: &str = "/home/stacks";

/// Those of every run.
const SOME: [&str; 8] =
    ["git", "guestbook", "migrations", "mqtt", "profiles", "proxy", "queue", "scaled"];

/// How all of a stack is started again.
const AGAIN: [&str; 3] = ["volt compose restart", "systemctl", "boot"];

/// The longest that something takes to be there.
const LONG: Duration = Duration::from_secs(60);

/// The names of all there are.
pub(super) fn all() -> Vec<String> {
    let folders = std::fs::read_dir(HERE).unwrap().map(|entry| entry.unwrap());
    let stacks = folders.filter(|folder| folder.path().join("compose.yaml").exists());
    let mut names: Vec<String> =
        stacks.map(|folder| folder.file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Lays the stacks and the image that all of them are made of, by the name of each package.
fn lay(host: &Host, set: &str) {
    let made = xtask_command().args(["cache", "packaged", set]).output().unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    let said = String::from_utf8(made.stdout).unwrap();
    let (archive, packages) = said.split_once('\n').unwrap();
    host.put(archive, "/var/tmp/packaged.tar");
    host.put(HERE, THERE);
    host.sh("volt image import /var/tmp/packaged.tar packaged && rm /var/tmp/packaged.tar").ok();
    let packages = packages.split_whitespace().collect::<Vec<_>>().join(" ");
    host.sh(&format!("for name in {packages}; do volt image tag packaged $name || exit; done"))
        .ok();
}

fn show(host: &Host, name: &str, again: &str) {
    let within = |line: &str| format!("cd {THERE}/{name} && {line}");
    host.sh(&within("volt compose up -d --wait")).ok();
    host.until(LONG, &within("sh ./drive write"));
    let stack = host.sh(&within("volt compose ls -o name")).ok();
    match again {
        "systemctl" => {
            let unit = format!("volt-compose@{stack}.target");
            host.sh(&format!("systemctl stop {unit}")).ok();
            let left = "systemctl list-units -q 'volt-container@*'";
            host.until(LONG, &format!("! {left} | grep -F @{name}"));
            host.sh(&format!("systemctl start {unit}")).ok();
        }
        "boot" => host.reboot(),
        line => drop(host.sh(&within(line)).ok()),
    }
    host.until(LONG, &within("sh ./drive read"));
    // What nobody reads from may be on its way up.
    let begun = "systemctl list-units -q --all --state activating 'volt-*@*'";
    host.until(LONG, &format!("! {begun} | grep -F @{name}"));
    assert_eq!(steps(&host.sh(&within("volt compose up -d -o json")).json()), [""; 0], "{name}");
    host.sh(&within("volt compose down -v")).ok();
    is_gone(host, &stack);
    let check = host.volt(&["system", "check", "-o", "json"]).json();
    assert_eq!(check["findings"], serde_json::json!([]), "{name}");
}

/// The example of Volt's own pages, word for word, where `debian-minimal` is an image in which these two commands are: the real nginx, and
/// the real postgres behind what makes its database at the first start.
fn show_published(host: &Host) {
    let within = |line: &str| host.sh(&format!("cd {THERE}/published && {line}"));
    host.sh("volt container create --name published packaged true").ok();
    within("volt cp ./postgres published:/usr/local/bin/postgres && volt cp ../entrypoints/postgres.sh published:/usr/local/bin/").ok();
    host.sh("volt container commit published debian-minimal && volt container delete published")
        .ok();
    let ask =
        |line: &str| format!("volt exec published-db-1 psql -h /tmp -U postgres -tAc \"{line}\"");
    within("volt compose up -d").ok();
    host.until(LONG, "curl -sf http://127.0.0.1:80/ | grep -F nginx");
    host.until(LONG, &ask("create table fish (name text)"));
    host.sh(&ask("insert into fish values ('trout')")).ok();
    assert_eq!(within("volt compose ps -o name").ok(), "published-db-1\npublished-web-1");
    within("volt compose logs db | grep 'ready to accept connections'").ok();
    within("volt compose restart").ok();
    host.until(LONG, &format!("{} | grep -x trout", ask("select name from fish")));
    host.sh("echo hello > /var/lib/volt/volumes/published-webdata/_data/html/hello").ok();
    host.until(LONG, "curl -sf http://127.0.0.1:80/hello | grep -x hello");
    within("volt compose down -v").ok();
    is_gone(host, "published");
    host.sh("volt image delete debian-minimal").ok();
}

on_hosts! {
    fn compose_brings_up_what_people_publish(host) {
        let host = &*host.private("stacks");
        let Some(seconds) = soak_seconds() else {
            lay(host, "some");
            let odd = usize::from(host.suite() == "trixie");
            // One of each suite's four by a boot.
            for (index, name) in SOME.iter().skip(odd).step_by(2).enumerate() {
                show(host, name, AGAIN[index % AGAIN.len()]);
            }
            show_published(host);
            return;
        };
        lay(host, "all");
        show_published(host);
        let (names, end) = (all(), Instant::now() + Duration::from_secs(seconds));
        for round in 0.. {
            for (index, name) in names.iter().enumerate() {
                show(host, name, AGAIN[(index + round) % AGAIN.len()]);
            }
            if Instant::now() >= end {
                break;
            }
        }
    }
}
