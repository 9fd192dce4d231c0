//! Commands of a user without root killed from outside, at some of the system calls that change something: what a command of theirs
//! leaves half-way is whole after the next one, and no process is left.

use super::container_proot::Alone;
use super::crash::{arm, counted, some_of};
use std::time::Duration;
use volt_e2e::on_hosts;

/// What is typed, what before it, and the ordinary command after it.
const CASES: [(&str, &str, &str); 5] = [
    (
        "container create --name crash tiny sleep 1000",
        "true",
        "volt container delete --force crash || test $? = 3",
    ),
    (
        "container start crash",
        "volt container create --name crash tiny sleep 1000",
        "volt container start crash && volt container delete --force crash",
    ),
    (
        "container stop crash",
        "volt run -d --name crash tiny sleep 1000",
        "volt container stop crash && volt container delete crash",
    ),
    (
        "container delete --force crash",
        "volt run -d --name crash tiny sleep 1000",
        "volt container delete --force crash || test $? = 3",
    ),
    (
        "container delete crash",
        "volt container create --name crash tiny sleep 1000",
        "volt container delete crash || test $? = 3",
    ),
];

/// At how many of its calls each command is tried, about.
const SAMPLES: usize = 14;

on_hosts! {
    fn container_proot_survives_a_kill_at_some_calls(host) {
        let host = host.private("crashproot");
        arm(&host);
        let me = Alone::new(&host, "crash");
        let whole = |command: &str, after: &str, said: &str| {
            let output = me.sh(after);
            assert_eq!(output.code, 0, "{command} {said}: {output:?}");
            let check = me.sh("volt system check -o json").json();
            assert_eq!(check["findings"], serde_json::json!([]), "{command} {said}");
            host.until(Duration::from_secs(10), "! pgrep -u tester");
        };
        for (command, before, after) in CASES {
            me.sh(before).ok();
            let done = me.sh(&format!("/tmp/killat {} volt {command}", u32::MAX));
            let total = counted(&done.stderr);
            done.ok();
            whole(command, after, "whole");
            for limit in some_of(total, SAMPLES, &host) {
                me.sh(before).ok();
                let killed = me.sh(&format!("/tmp/killat {limit} volt {command}"));
                assert!(killed.code == 99 || killed.stderr.contains("done after"), "{command}: {killed:?}");
                whole(command, after, &killed.stderr);
            }
        }
    }
}
