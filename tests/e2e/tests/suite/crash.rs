//! Commands killed from outside at every system call that changes something: afterwards one ordinary command, and there is the
//! old state or the new one, with nothing left over.
//!
//! The daemon is masked, so the command itself does the work.

use volt_e2e::{Host, on_hosts};

/// What is typed, and how the state is laid before it.
struct Case {
    name: &'static str,
    before: &'static str,
    command: &'static [&'static str],
    after: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "container create",
        before: "true",
        command: &["container", "create", "--name", "crash", "tiny", "sleep", "1000"],
        after: "volt container delete --force crash || test $? = 3",
    },
    Case {
        name: "container start",
        before: "volt container create --name crash tiny sleep 1000",
        command: &["container", "start", "crash"],
        after: "volt container start crash && volt container delete --force crash",
    },
    Case {
        name: "container stop",
        before: "volt container create --name crash tiny sleep 1000 && volt container start crash",
        command: &["container", "stop", "crash"],
        after: "volt container stop crash && volt container delete crash",
    },
    Case {
        name: "container update",
        before: "volt container create --name crash tiny sleep 1000",
        command: &["container", "update", "--memory", "64M", "--restart", "always", "crash"],
        after: "volt container inspect crash -o json > /dev/null && volt container delete crash",
    },
    Case {
        name: "container rename",
        before: "volt container create --name crash tiny sleep 1000",
        command: &["container", "rename", "crash", "crashed"],
        after: "volt container delete crash || volt container delete crashed",
    },
    Case {
        name: "container delete",
        before: "volt container create --name crash tiny sleep 1000",
        command: &["container", "delete", "crash"],
        after: "volt container delete crash || test $? = 3",
    },
    Case {
        name: "volume create",
        before: "true",
        command: &["volume", "create", "crash"],
        after: "volt volume delete crash || test $? = 3",
    },
    Case {
        name: "volume delete",
        before: "volt volume create crash",
        command: &["volume", "delete", "crash"],
        after: "volt volume delete crash || test $? = 3",
    },
    Case {
        name: "image import",
        before: "true",
        command: &["image", "import", "/tmp/crash.tar", "crash"],
        after: "volt image delete crash || test $? = 3",
    },
    Case {
        name: "image delete",
        before: "volt image import /tmp/crash.tar crash",
        command: &["image", "delete", "crash"],
        after: "volt image delete crash || test $? = 3",
    },
];

/// A bound on the calls of one command, so that a loop would be noticed.
const MOST: u32 = 1000;

fn survives(host: &Host, case: &Case) {
    let clean = "volt container delete --force crash crashed; volt volume delete crash; volt image delete crash; true";
    for limit in 1..MOST {
        drop(host.sh(&format!("({clean}) >/dev/null 2>&1")));
        host.sh(case.before).ok();
        let limit = limit.to_string();
        let killed = host.run(&[&["/tmp/killat", &limit, "volt"], case.command].concat());
        let done = killed.stderr.contains("done after");
        assert!(done || killed.code == 99, "{}: {killed:?}", case.name);
        host.sh(case.after).ok();
        let check = host.volt(&["system", "check", "-o", "json"]).json();
        assert_eq!(check["findings"], serde_json::json!([]), "{} {}", case.name, killed.stderr);
        if done {
            assert_eq!(killed.code, 0, "{}: {killed:?}", case.name);
            return;
        }
    }
    panic!("{} made more than {MOST} calls", case.name);
}

on_hosts! {
    fn system_survives_a_kill_at_every_call(host) {
        let host = host.private("crash");
        host.tiny();
        host.put(env!("CARGO_BIN_EXE_killat"), "/tmp/killat");
        host.sh("mkdir -p /tmp/crash/usr/bin && echo x > /tmp/crash/usr/bin/x && ln -s x /tmp/crash/usr/bin/y && tar cf /tmp/crash.tar -C /tmp/crash .").ok();
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        for case in CASES {
            survives(&host, case);
        }
    }
}
