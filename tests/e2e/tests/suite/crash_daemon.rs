//! The daemon killed from outside, at some of the system calls that change something, while a client asks it: the client hears of it,
//! and whoever asks next, of a new daemon, finds the old state or the new one with nothing left over.

use super::crash::{CASES, CLEAN, Case, arm, counted, some_of, whole};
use std::time::Duration;
use volt_e2e::{Host, Output, on_hosts};

/// The daemon beneath killat, which lets be whom systemd starts after the one that was killed.
const DROPIN: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nNotifyAccess=all\nStandardError=append:/tmp/killat.log\nExecStart=\n\
                      ExecStart=/tmp/killat !/tmp/killat.n /usr/bin/volt daemon\n";

/// At how many of its calls each command is tried, about.
const SAMPLES: usize = 12;

/// Asks a fresh daemon that is to be killed at its call of that number.
fn ask(host: &Host, case: &Case, limit: usize) -> Output {
    let fresh = format!(
        "{} && systemctl stop volt.service && rm -f /tmp/killat.log && echo {limit} > /tmp/killat.n",
        case.before
    );
    host.sh(&fresh).ok();
    host.run(&[&["timeout", "60", "volt"], case.command].concat())
}

fn log(host: &Host) -> String {
    host.sh("cat /tmp/killat.log").ok()
}

fn survives(host: &Host, case: &Case) {
    host.sh(CLEAN).ok();
    // What it comes to where nobody is killed; the end of a daemon that was asked to leave included.
    ask(host, case, usize::MAX).ok();
    host.run(&["systemctl", "stop", "volt.service"]).ok();
    let total = counted(&log(host));
    whole(host, case.name, case.after, "whole");
    let mut told = 0;
    for limit in some_of(total, SAMPLES, host) {
        let said = ask(host, case, limit);
        // One that is killed before it has accepted leaves the client to the next.
        if said.code != 0 {
            host.until(Duration::from_secs(10), "grep -q 'killed at' /tmp/killat.log");
            let error = said.fails(6);
            assert!(
                error.contains("connection to the Volt daemon broke"),
                "{}: {error}",
                case.name
            );
            told += 1;
        } else if !log(host).contains("killed at") {
            // Not yet: it may be on its way out.
            host.run(&["systemctl", "stop", "volt.service"]).ok();
        }
        whole(host, case.name, case.after, &log(host));
    }
    assert!(told > 0, "{}: no client of {total} calls was ever cut off", case.name);
}

on_hosts! {
    fn container_survives_a_killed_daemon(host) {
        let host = host.private("crashdaemon");
        arm(&host);
        let folder = "/etc/systemd/system/volt.service.d";
        host.sh(&format!("mkdir {folder} && printf '{DROPIN}' > {folder}/60-killat.conf && systemctl daemon-reload && systemctl stop volt.service")).ok();
        for case in CASES.iter().filter(|case| case.name.starts_with("container ")) {
            survives(&host, case);
        }
        // Who follows a log misses nothing and gets nothing twice.
        host.sh(&format!("rm -r {folder} && systemctl daemon-reload && systemctl stop volt.service")).ok();
        let count = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 0.01; done";
        host.sh(&format!("volt run -d --name count tiny sh -c '{count}'")).ok();
        host.sh("volt logs -f count > /tmp/count.log 2>&1 & for i in 1 2 3; do sleep 0.5; systemctl kill -s KILL volt.service; sleep 0.5; systemctl restart volt.service; done; wait").ok();
        let all: Vec<String> = (1..=400).map(|n| n.to_string()).collect();
        assert_eq!(host.sh("cat /tmp/count.log").ok().lines().collect::<Vec<_>>(), all);
        // Nor does a command that somebody waits for end with the daemon, whether it is removed at its end or not.
        for (how, ends) in [("systemctl restart volt.service", "finished"), ("systemctl kill -s KILL volt.service", "finished")] {
            let run = "volt run --rm --name job -v job:/out tiny sh -c 'sleep 2; echo finished > /out/job'";
            let said = host.sh(&format!("rm -f /var/lib/volt/volumes/job/_data/job; ({run}; echo rc $?) > /tmp/said 2>&1 & sleep 1; {how}; wait; cat /tmp/said")).ok();
            assert!(said.contains("rc 6") && said.contains("job runs on"), "{said}");
            host.until(Duration::from_secs(10), "test -s /var/lib/volt/volumes/job/_data/job && ! volt ps -a | grep job");
            assert_eq!(host.sh("cat /var/lib/volt/volumes/job/_data/job").ok(), ends, "{how}");
        }
    }
}
