//! Commands killed from outside at every system call that changes something: afterwards one ordinary command, and there is the
//! old state or the new one, with nothing left over.
//!
//! The daemon is masked, so the command itself does the work. What systemd runs (`volt internal …`) is killed in its unit.
//!
//! An image is pulled by debootstrap, which takes seconds: Volt's own part is killed at every call with a stand-in that unpacks a
//! small tree, and the real one is killed at some moments of its work.

use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// What is typed, and how the state is laid before it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) before: &'static str,
    pub(super) command: &'static [&'static str],
    pub(super) after: &'static str,
}

/// It is there, then it can be started, or it is not.
const RUNS_OR_IS_NOT: &str = "volt container start crash; c=$?; if test $c = 0; then volt container exec crash true && volt container delete --force crash; else test $c = 3; fi";

/// What systemd was told and what was asked for are both the old or both the new.
const UPDATED: &str = "volt container start crash && volt container exec crash true && \
    case \"$(systemctl show -P MemoryMax volt-container@crash) $(systemctl show -P Restart volt-container@crash) $(volt container inspect crash -o json | grep -c '\"always\"')\" in \
    '67108864 always 1'|'infinity no 0') volt container delete --force crash;; *) systemctl cat volt-container@crash; volt container inspect crash -o yaml; exit 1;; esac";

/// It has one of the two names, and runs by it.
const RENAMED: &str = "volt container start crash 2>/dev/null || volt container start crashed; n=$(volt ps -o name); \
    test \"$n\" = crash -o \"$n\" = crashed && volt container exec $n true && volt container delete --force $n";

/// It is there, then it can be started, or it is not, and the host has no such unit.
const SERVES_OR_IS_NOT: &str = "volt service start crash; c=$?; if test $c = 0; then systemctl is-active crash.service && volt service delete --force crash; \
    else test $c = 3; fi && ! test -e /etc/systemd/system/crash.service";

/// The drop-in is there whole, or it is not.
const EDITED: &str = "volt service start crash && case \"$(cat /etc/systemd/system/crash.service.d/override.conf) $(systemctl show -P Nice crash.service)\" in \
    ' 0'|'[Service]\nNice=7 7') volt service delete --force crash;; *) systemctl cat crash.service; exit 1;; esac";

/// It is there, then it can be run, or it is not, and the host has no such timer.
const TICKS_OR_IS_NOT: &str = "volt task run crash; c=$?; if test $c = 0; then volt task delete crash; else test $c = 3; fi && \
    ! ls /etc/systemd/system/volt-task-crash* /etc/systemd/system/timers.target.wants/volt-task-crash* 2>/dev/null | grep .";

/// It is there with all that was imported, or it is not.
const IMAGE: &str = "i=crash; rm -rf /tmp/out; mkdir /tmp/out; volt image export --file /tmp/out.tar $i; c=$?; \
    if test $c = 0; then tar -xf /tmp/out.tar -C /tmp/out && grep -qx x /tmp/out/usr/bin/y || exit 1; fi; volt image delete $i; test $? = $c";

/// The same of what was pulled.
const PULLED: &str = "i=debian-minimal; rm -rf /tmp/out; mkdir /tmp/out; volt image export --file /tmp/out.tar $i; c=$?; \
    if test $c = 0; then tar -xf /tmp/out.tar -C /tmp/out && test -d /tmp/out/usr || exit 1; fi; volt image delete $i; test $? = $c";

pub(super) const CASES: &[Case] = &[
    Case {
        name: "container create",
        before: "true",
        command: &["container", "create", "--name", "crash", "tiny", "sleep", "1000"],
        after: RUNS_OR_IS_NOT,
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
        after: UPDATED,
    },
    Case {
        name: "container rename",
        before: "volt container create --name crash tiny sleep 1000",
        command: &["container", "rename", "crash", "crashed"],
        after: RENAMED,
    },
    Case {
        name: "container delete",
        before: "volt container create --name crash tiny sleep 1000",
        command: &["container", "delete", "crash"],
        after: RUNS_OR_IS_NOT,
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
        after: IMAGE,
    },
    Case {
        name: "image delete",
        before: "volt image import /tmp/crash.tar crash",
        command: &["image", "delete", "crash"],
        after: IMAGE,
    },
];

/// Other ways through the same steps.
const VARIANTS: &[Case] = &[
    Case {
        name: "container delete --force of a running one",
        before: "volt run -d --name crash tiny sleep 1000",
        command: &["container", "delete", "--force", "crash"],
        after: RUNS_OR_IS_NOT,
    },
    Case {
        name: "container restart",
        before: "volt run -d --name crash tiny sleep 1000",
        command: &["container", "restart", "crash"],
        after: "volt container stop crash && volt container start crash && volt container exec crash true && volt container delete --force crash",
    },
    Case {
        name: "container update of a running one",
        before: "volt run -d --name crash tiny sleep 1000",
        command: &["container", "update", "--pids", "100", "crash"],
        after: "volt container update --pids 200 crash && test $(systemctl show -P TasksMax volt-container@crash) = 200 && volt container delete --force crash",
    },
    Case {
        name: "run --rm",
        before: "true",
        command: &["run", "--rm", "--name", "crash", "tiny", "true"],
        after: "volt container delete --force crash || test $? = 3",
    },
    Case {
        name: "container rename of one that comes up at boot",
        before: "volt run -d --restart always --name crash tiny sleep 1000 && volt container stop crash",
        command: &["container", "rename", "crash", "crashed"],
        after: "volt container stop crash >/dev/null 2>&1; for name in $(volt ps -a -o name); do ls /etc/systemd/system/multi-user.target.wants/volt-container@$name.service && volt container delete $name || exit 1; done; ! ls /etc/systemd/system/multi-user.target.wants/volt-container@*",
    },
    Case {
        name: "container delete of one that comes up at boot",
        before: "volt run -d --restart always --name crash tiny sleep 1000 && volt container stop crash",
        command: &["container", "delete", "crash"],
        after: "{ volt container delete crash || test $? = 3; } && ! ls /etc/systemd/system/multi-user.target.wants/volt-container@*",
    },
    Case {
        name: "image pull",
        before: "true",
        command: &["image", "pull", "debian-minimal", "--mirror", "file:///srv/mirror"],
        after: PULLED,
    },
];

/// The content-addressed store: names and objects, as they are before the command or behind it, and all of them whole.
const STORE: &[Case] = &[
    Case {
        name: "cas build",
        before: "volt cas delete crash >/dev/null 2>&1; volt cas gc",
        command: &["cas", "build", "--ref", "crash", "/tmp/crash"],
        after: "volt cas build --ref crash /tmp/crash && volt cas verify && volt cas cat crash usr/bin/y",
    },
    Case {
        name: "cas build of a changed folder",
        before: "volt cas build --ref crash /tmp/crash && date +%s%N > /tmp/crash/etc/changed",
        command: &["cas", "build", "--ref", "crash", "/tmp/crash"],
        after: "volt cas gc && volt cas verify && volt cas cat crash usr/bin/y",
    },
    Case {
        name: "cas gc",
        before: "volt cas build --ref crash /tmp/crash && volt cas build --ref kept /tmp/crash/usr && volt cas delete crash",
        command: &["cas", "gc"],
        after: "volt cas gc && volt cas verify && volt cas cat kept bin/y",
    },
    Case {
        name: "cas delete",
        before: "volt cas build --ref crash /tmp/crash",
        command: &["cas", "delete", "crash"],
        after: "volt cas verify && volt cas delete crash || test $? = 3",
    },
];

/// A container that has changed since its snapshot.
const CHANGED: &str = "volt container create --name crash tiny sleep 1000 && echo 1 > /tmp/x && volt container copy /tmp/x crash:/x && \
    volt snapshot create crash one && echo 2 > /tmp/x && volt container copy /tmp/x crash:/x && volt container copy /tmp/x crash:/y";

/// It is what it was, or what it is; systemd alone starts it, and it needs no command of Volt's before.
const ONE_OR_THE_OTHER: &str = "systemctl start volt-container@crash.service && \
    volt container exec crash sh -c 'test $(cat /x) = 1 -a ! -e /y || test $(cat /x) = 2 -a -e /y' && volt container delete --force crash";

/// Snapshots: each is there, whole, or it is not.
const SNAPSHOTS: &[Case] = &[
    Case {
        name: "snapshot create",
        before: CHANGED,
        command: &["snapshot", "create", "crash", "two"],
        after: "volt snapshot create crash three && volt cas cat snapshots/crash/three y && { volt cas cat snapshots/crash/two y || test $? = 3; } && \
            volt cas verify && volt container delete crash && volt cas gc",
    },
    Case {
        name: "snapshot restore",
        before: CHANGED,
        command: &["snapshot", "restore", "crash", "one"],
        after: ONE_OR_THE_OTHER,
    },
    Case {
        name: "snapshot delete",
        before: CHANGED,
        command: &["snapshot", "delete", "crash", "one"],
        after: "volt cas verify && { volt snapshot delete crash one || test $? = 3; } && volt container delete crash",
    },
    Case {
        name: "container clone",
        before: CHANGED,
        command: &["container", "clone", "crash", "crashed"],
        after: "volt container start crashed; c=$?; if test $c = 0; then volt container exec crashed test -e /y; else test $c = 3; fi && \
            volt container delete --force crash && { volt container delete --force crashed || test $c = 3; } && volt cas gc",
    },
    Case {
        name: "container commit",
        before: CHANGED,
        command: &["container", "commit", "crash", "crash"],
        after: "volt image inspect crash; c=$?; if test $c = 0; then volt run --rm --name crashed crash test -e /y; else test $c = 3; fi && \
            volt container delete crash && { volt image delete crash; test $? = $c; }",
    },
    Case {
        name: "snapshot create of a running one",
        before: "volt run -d --name crash tiny sleep 1000",
        command: &["snapshot", "create", "crash", "one"],
        // It goes on by itself: exec mends nothing.
        after: "n=0; until volt container exec crash true 2>/dev/null; do n=$((n+1)); test $n -lt 50 || exit 1; sleep 0.1; done; \
            volt snapshot create crash two && volt container exec crash true && volt container delete --force crash",
    },
];

/// Who is connected by his record reaches the gateway and finds names, and nobody else does.
const AS_CONNECTED: &str = "if grep -q crashnet /var/lib/volt/containers/crash/config.json; \
    then ip netns exec volt-crash ping -c 1 -W 2 10.66.0.1 && volt exec crash nslookup crash.crashnet; \
    else ! ip netns exec volt-crash ping -c 1 -W 1 10.66.0.1 && ! volt exec crash grep nameserver /etc/resolv.conf && ! ip -o link show | grep vo-; fi";

/// Its page is had by the port that it publishes where it runs; else nothing of it is there.
const AS_STARTED: &str = "if systemctl is-active volt-container@crash; \
    then ip netns exec volt-crash ping -c 1 -W 2 10.0.0.1 && for at in 127.0.0.1 10.0.0.1; do n=0; \
        until test \"$(timeout 4 busybox wget -q -O - http://$at:9399/)\" = crash; do n=$((n+1)); test $n -lt 20 || exit 1; sleep 0.1; done; done; \
    else ! busybox nc -w 1 127.0.0.1 9399 < /dev/null && ! ip -o link show | grep vo- && ! ls /run/netns | grep crash; fi";

/// Somebody can be connected to it, or it is not there.
const AS_MADE: &str = "if test -e /var/lib/volt/networks/crashnet.json; \
    then volt run --rm --name crash --network crashnet tiny nslookup crash.crashnet; \
    else ! ip link show volt-crashnet; fi";

/// Its interface is a port of the network's bridge and its machine is given an address, or it is not there.
const AS_PLUGGED: &str = "if volt net tap list -o name | grep crash; then test $(ip -o link show master volt-crashnet | wc -l) = 1 && \
    systemctl is-active volt-dhcp@crashnet && grep -q ,crash$ /run/volt/dhcp/crashnet/hosts.told; \
    else ! ip -o link show | grep vo- && ! grep -q ,crash$ /run/volt/dhcp/crashnet/hosts.told; fi";

/// The machine of a TAP would be given an address there, or it is not there.
const AS_SERVED: &str = "if test -e /var/lib/volt/networks/crashnet.json; \
    then volt net tap create --network crashnet crash && systemctl is-active volt-dhcp@crashnet && volt net tap delete crash; \
    else ! ip link show volt-crashnet && ! systemctl is-active volt-dhcp@crashnet; fi";

/// The host has a bridge exactly where it has its record.
const AS_BRIDGED: &str = "if test -e /var/lib/volt/bridges/crashbr.json; then ip link show type bridge crashbr; else ! ip link show crashbr; fi";

/// It is held to the rate that its record says, both ways, or to none.
const AS_LIMITED: &str = "wanted=0; grep -q '\"rate\": *\"*[0-9]' /var/lib/volt/containers/crash/config.json && wanted=2; \
    port=$(ip -o link show master volt-crashnet | sed 's/.*\\(vo-[^@:]*\\)[@:].*/\\1/'); \
    test $({ tc qdisc show dev $port; tc -n volt-crash qdisc show; } | grep -c 'rate 100Mbit') = $wanted";

/// Two members of one network, of which one asks the other, and nothing is denied.
const TWO: &str = "volt net inspect crashnet > /dev/null 2>&1 || { volt net create --subnet 10.66.0.0/24 crashnet && \
    volt run -d --name crash --network crashnet tiny sleep 1000 && volt run -d --name crashed --network crashnet --ip 10.66.0.9 -p 9398:9399 tiny httpd -f -p 9399 -h / && \
    until ip netns exec volt-crash busybox nc -w 1 10.66.0.9 9399 < /dev/null; do sleep 0.1; done; } && \
    { volt firewall rule delete crash; volt net policy delete crash; volt net policy default crashnet allow; true; } > /dev/null 2>&1";

/// The second is reached by the first.
const MET: &str = "ip netns exec volt-crash busybox nc -w 1 10.66.0.9 9399 < /dev/null";

/// What the record says of them and what they meet are the same; the published port leads in nevertheless.
const AS_ALLOWED: &str = "busybox nc -w 1 10.66.0.1 9398 < /dev/null || exit 1; said=no; volt net policy test crash crashed:9399 -o json | grep -q '\"allowed\": *true' && said=yes; \
    met=no; ip netns exec volt-crash busybox nc -w 1 10.66.0.9 9399 < /dev/null && met=yes; echo said $said, met $met; test $said = $met";

/// Networks: what comes after looks whether who is connected is what the records say, and mends nothing.
const NETWORKS: &[Case] = &[
    Case {
        name: "net create",
        before: "true",
        command: &["net", "create", "--subnet", "10.66.0.0/24", "crashnet"],
        after: AS_MADE,
    },
    Case {
        name: "net delete",
        before: "volt net create --subnet 10.66.0.0/24 crashnet",
        command: &["net", "delete", "crashnet"],
        after: AS_MADE,
    },
    Case {
        name: "net create --dhcp",
        before: "true",
        command: &["net", "create", "--dhcp", "--subnet", "10.66.0.0/24", "crashnet"],
        after: AS_SERVED,
    },
    Case {
        name: "container start with networks and ports",
        before: SERVING,
        command: &["container", "start", "crash"],
        after: AS_STARTED,
    },
    Case {
        name: "container stop with networks and ports",
        before: "volt run -d --name crash --network volt0 -p 9399:80 tiny sh -c 'mkdir /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www'",
        command: &["container", "stop", "-t", "1", "crash"],
        after: AS_STARTED,
    },
    Case {
        name: "net connect",
        before: "volt net create --subnet 10.66.0.0/24 crashnet && volt run -d --name crash --network none tiny sleep 1000",
        command: &["net", "connect", "crashnet", "crash"],
        after: AS_CONNECTED,
    },
    Case {
        name: "net disconnect",
        before: "volt net create --subnet 10.66.0.0/24 crashnet && volt run -d --name crash --network crashnet tiny sleep 1000",
        command: &["net", "disconnect", "crashnet", "crash"],
        after: AS_CONNECTED,
    },
    Case {
        name: "net tap create",
        before: "volt net create --dhcp --subnet 10.66.0.0/24 crashnet",
        command: &["net", "tap", "create", "--network", "crashnet", "crash"],
        after: AS_PLUGGED,
    },
    Case {
        name: "net tap delete",
        before: "volt net create --dhcp --subnet 10.66.0.0/24 crashnet && volt net tap create --network crashnet crash",
        command: &["net", "tap", "delete", "crash"],
        after: AS_PLUGGED,
    },
    Case {
        name: "container update --rate",
        before: "volt net create --subnet 10.66.0.0/24 crashnet && volt run -d --name crash --network crashnet tiny sleep 1000",
        command: &["container", "update", "--rate", "100mbit", "crash"],
        after: AS_LIMITED,
    },
    Case {
        name: "net bridge create",
        before: "volt net bridge delete crashbr || test $? = 3",
        command: &["net", "bridge", "create", "crashbr"],
        after: AS_BRIDGED,
    },
    Case {
        name: "net bridge delete",
        before: "test -e /var/lib/volt/bridges/crashbr.json || volt net bridge create crashbr",
        command: &["net", "bridge", "delete", "crashbr"],
        after: AS_BRIDGED,
    },
];

/// What swaps rules between two members: each denies what was allowed.
const RULES: &[Case] = &[
    Case {
        name: "firewall rule add",
        before: "true",
        command: &[
            "firewall",
            "rule",
            "add",
            "--name",
            "crash",
            "deny",
            "--from",
            "crash",
            "--to",
            "net:crashnet",
            "--port",
            "9399",
        ],
        after: AS_ALLOWED,
    },
    Case {
        name: "firewall reload",
        before: "volt firewall rule add --name crash deny --from crash --to crashed --port 9398 && sed -i s/9398/9399/ /etc/volt/firewall-rules.json",
        command: &["firewall", "reload"],
        after: AS_ALLOWED,
    },
    Case {
        name: "net policy create",
        before: "true",
        command: &[
            "net", "policy", "create", "--deny", "--from", "crash", "--to", "crashed", "--port",
            "9399", "crash",
        ],
        after: AS_ALLOWED,
    },
    Case {
        name: "net policy default",
        before: "true",
        command: &["net", "policy", "default", "crashnet", "deny"],
        after: AS_ALLOWED,
    },
];

/// The same for units that Volt writes.
const UNITS: &[Case] = &[
    Case {
        name: "service create",
        before: "true",
        command: &["service", "create", "crash", "--", "sleep", "1000"],
        after: SERVES_OR_IS_NOT,
    },
    Case {
        name: "service delete",
        before: "volt service create crash -e A=1 -- sleep 1000",
        command: &["service", "delete", "crash"],
        after: SERVES_OR_IS_NOT,
    },
    Case {
        name: "service edit",
        before: "volt service create crash -- sleep 1000; printf '#!/bin/sh\nsed -i 1aNice=7 \"$1\"\n' > /usr/local/bin/vi; chmod +x /usr/local/bin/vi",
        command: &["-y", "service", "edit", "crash"],
        after: EDITED,
    },
    Case {
        name: "task create",
        before: "true",
        command: &["task", "create", "crash", "--every", "1h", "--", "sleep", "0"],
        after: TICKS_OR_IS_NOT,
    },
    Case {
        name: "task delete",
        before: "volt task create crash --every 1h -- sleep 0",
        command: &["task", "delete", "crash"],
        after: TICKS_OR_IS_NOT,
    },
];

/// What systemd runs, how its unit is told to run it beneath killat, and what makes systemd run it.
struct UnitCase {
    name: &'static str,
    /// The unit, and its drop-in; a shell fills in what is in it.
    unit: &'static str,
    dropin: &'static str,
    act: &'static str,
}

const RUN: &str = "sed -n 's/^ExecStart=:/ExecStart=:\\/tmp\\/killat @\\/tmp\\/killat.n /p' /etc/systemd/system/volt-container@crash.service.d/50-volt.conf";

const UNIT_CASES: &[UnitCase] = &[
    UnitCase {
        name: "internal prepare",
        unit: "volt-prepare@crash.service",
        dropin: "echo ExecStart=; echo 'ExecStart=/tmp/killat @/tmp/killat.n /usr/bin/volt internal prepare %i'",
        act: "systemctl start volt-container@crash.service",
    },
    UnitCase {
        name: "internal release",
        unit: "volt-prepare@crash.service",
        dropin: "echo ExecStop=; echo 'ExecStop=/tmp/killat @/tmp/killat.n /usr/bin/volt internal release %i'",
        act: "systemctl start volt-container@crash.service; systemctl stop volt-container@crash.service volt-prepare@crash.service",
    },
    UnitCase {
        name: "internal exited",
        unit: "volt-exited@crash.service",
        dropin: "echo ExecStart=; echo 'ExecStart=/tmp/killat @/tmp/killat.n /usr/bin/volt internal exited %i'",
        act: "volt container start crash; systemctl kill -s KILL --kill-who main volt-container@crash.service",
    },
    UnitCase {
        name: "internal run",
        unit: "volt-container@crash.service",
        dropin: "echo NotifyAccess=all; echo ExecStart=; $RUN",
        act: "volt container start crash; volt container stop crash",
    },
];

/// One that is to be reached by a port of the host's.
const SERVING: &str = "volt container create --name crash --network volt0 -p 9399:80 tiny sh -c 'mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www'";

/// Whoever was killed, systemd has done what it does about it.
const SETTLED: &str = "n=0; while systemctl show -P ActiveState volt-container@crash volt-prepare@crash volt-exited@crash volt-proxy@crash | grep ing$; do \
    n=$((n+1)); test $n -lt 200 || exit 1; sleep 0.1; done";

/// Neither an interface nor a namespace nor a file is left of a container that is deleted, nor does the firewall know of it.
const GONE: &str = "volt container delete --force crash && ! ip -o link show | grep vo- && test -z \"$(ls /run/netns)$(ls /run/volt/networks)\" && \
    nft -s list ruleset > /tmp/rules && diff /tmp/rules.before /tmp/rules && ! busybox nc -w 1 127.0.0.1 9399 < /dev/null && \
    ! systemctl is-active volt-proxy@crash && volt system check";

/// A bound on the calls of one command, so that a loop would be noticed.
const MOST: usize = 1000;

pub(super) const CLEAN: &str = "(volt container delete --force crash crashed; volt service delete --force crash; volt task delete --force crash; volt net delete crashnet; volt volume delete crash; volt image delete crash debian-minimal; true) >/dev/null 2>&1";

/// The step from one call to the next: every call on one suite, every third on the other, which makes the same ones.
fn step(host: &Host) -> usize {
    if host.suite() == "trixie" { 1 } else { 3 }
}

fn survives(host: &Host, case: &Case, step: usize) {
    host.sh(CLEAN).ok();
    for limit in (1..MOST).step_by(step) {
        host.sh(case.before).ok();
        let limit = limit.to_string();
        let killed = host.run(&[&["/tmp/killat", &limit, "volt"], case.command].concat());
        let done = killed.stderr.contains("done after");
        assert!(done || killed.code == 99, "{}: {killed:?}", case.name);
        whole(host, case.name, case.after, &killed.stderr);
        if done {
            assert_eq!(killed.code, 0, "{}: {killed:?}", case.name);
            return;
        }
    }
    panic!("{} made more than {MOST} calls", case.name);
}

/// The same at so many of its calls.
pub(super) fn survives_some(host: &Host, case: &Case, count: usize) {
    host.sh(CLEAN).ok();
    host.sh(case.before).ok();
    let whole_run = host.run(&[&["/tmp/killat", "100000", "volt"], case.command].concat());
    whole(host, case.name, case.after, &whole_run.stderr);
    for limit in some_of(counted(&whole_run.stderr), count, host) {
        host.sh(case.before).ok();
        let killed =
            host.run(&[&["/tmp/killat", &limit.to_string(), "volt"], case.command].concat());
        assert!(killed.code == 99 || killed.code == 0, "{}: {killed:?}", case.name);
        whole(host, case.name, case.after, &killed.stderr);
    }
}

/// Whatever is left of networks a check finds, and a repair mends.
const FOUND: &str = "while systemctl list-jobs --no-legend | grep -q volt-; do sleep 0.1; done; \
    volt system check || { volt system check --repair && volt system check; }";

/// Whoever watches over networks has taken away whatever was left, and nobody has asked for it. There is a second for that before anybody looks: a
/// check lets go of locks too, and would be what it waits for.
const UNASKED: &str = "while systemctl list-jobs --no-legend | grep -q volt-; do sleep 0.1; done; sleep 1; n=0; \
    until volt system check; do n=$((n+1)); test $n -lt 20 || exit 1; sleep 0.2; done";

/// Nobody watches any more: it would mend by itself what is to be mended by a repair.
const UNWATCHED: &str =
    "systemctl mask --now volt-network.service && ! systemctl is-active volt-network.service";

/// Killed at so many of its calls: no command but a check, and a repair where nobody watches, comes before it is seen what is connected.
/// `first` lays the state that all cases begin with.
fn is_found(host: &Host, case: &Case, first: &str, look: &str, count: usize) {
    let killed_at = |limit: usize| {
        host.sh(first).ok();
        host.sh(case.before).ok();
        let limit = limit.to_string();
        let killed = host.run(&[&["/tmp/killat", &limit, "volt"], case.command].concat());
        assert!(matches!(killed.code, 0 | 99), "{}: {killed:?}", case.name);
        for look in [look, case.after] {
            let output = host.sh(look);
            assert_eq!(output.code, 0, "{} {}: {output:?}", case.name, killed.stderr);
        }
        killed.stderr
    };
    let calls = counted(&killed_at(100_000));
    for limit in some_of(calls, count, host) {
        killed_at(limit);
    }
    host.sh(first).ok();
}

/// Has systemd run this much of what a unit runs, and says how it ended; then the unit is as before.
fn killed_in_unit(host: &Host, case: &UnitCase, limit: usize) -> String {
    let folder = format!("/etc/systemd/system/{}.d", case.unit);
    let dropin = case.dropin.replace("$RUN", RUN);
    host.sh(&format!(
        "mkdir -p {folder} && \
         {{ echo [Service]; echo StandardError=append:/tmp/killat.log; {dropin}; }} > {folder}/60-killat.conf && \
         systemctl daemon-reload && rm -f /tmp/killat.log && echo {limit} > /tmp/killat.n"
    ))
    .ok();
    drop(host.sh(case.act));
    let ended = "grep -q -e 'killed at' -e 'done after' /tmp/killat.log";
    host.until(Duration::from_secs(20), ended);
    host.sh(&format!("cat /tmp/killat.log; rm -r {folder}/60-killat.conf; systemctl daemon-reload"))
        .ok()
}

fn survives_in_unit(host: &Host, case: &UnitCase) {
    host.sh(CLEAN).ok();
    for limit in (1..MOST).step_by(step(host)) {
        host.sh("volt container create --name crash tiny sleep 1000").ok();
        let said = killed_in_unit(host, case, limit);
        let after = "volt container start crash && volt container exec crash true && volt container stop crash && volt container delete crash";
        whole(host, case.name, after, &said);
        if said.contains("done after") {
            return;
        }
    }
    panic!("{} made more than {MOST} calls", case.name);
}

/// The same on a network, at so many of its calls: what is left a check finds and a repair mends; it can be started again, and its page is
/// had by its port; and without it the network is as it was before it came.
fn is_found_in_unit(host: &Host, case: &UnitCase, look: &str, count: usize) {
    let killed_at = |limit: usize| {
        host.sh(SERVING).ok();
        let said = killed_in_unit(host, case, limit);
        for look in [SETTLED, look, AS_STARTED, "volt container start crash", AS_STARTED, GONE] {
            let output = host.sh(look);
            assert_eq!(output.code, 0, "{} {said}: {output:?}", case.name);
        }
        said
    };
    let calls = counted(&killed_at(100_000));
    for limit in some_of(calls, count, host) {
        killed_at(limit);
    }
}

/// One ordinary command, and nothing is left.
pub(super) fn whole(host: &Host, name: &str, after: &str, said: &str) {
    let output = host.sh(after);
    assert_eq!(output.code, 0, "{name} {said}: {output:?}");
    let check = host.volt(&["system", "check", "-o", "json"]).json();
    assert_eq!(check["findings"], serde_json::json!([]), "{name} {said}");
}

/// What kills, on a host that has the image it needs.
pub(super) fn arm(host: &Host) {
    host.tiny();
    host.put(env!("CARGO_BIN_EXE_killat"), "/tmp/killat");
    // What is killed on a network has a suite of its own.
    host.sh("volt config set container.network none").ok();
}

/// How many calls killat has counted.
pub(super) fn counted(said: &str) -> usize {
    let (_, rest) = said.split_once("done after ").unwrap_or_else(|| panic!("no end: {said}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Some of so many calls, others on each suite.
pub(super) fn some_of(total: usize, count: usize, host: &Host) -> impl Iterator<Item = usize> {
    let step = (total / count).max(1);
    let first = if host.suite() == "trixie" { 1 } else { 1 + step / 2 };
    (first..=total).step_by(step)
}

/// A host of the test's own, whose commands do their work themselves.
pub(super) fn prepare(host: &Host) {
    arm(host);
    host.sh("mkdir -p /tmp/crash/usr/bin /tmp/crash/etc && echo x > /tmp/crash/usr/bin/x && ln -s x /tmp/crash/usr/bin/y && tar cf /tmp/crash.tar -C /tmp/crash .").ok();
    host.sh("systemctl mask --now volt.socket volt.service").ok();
}

on_hosts! {
    fn system_survives_a_kill_at_every_call(host) {
        let host = host.private("crash");
        prepare(&host);
        for case in CASES {
            survives(&host, case, step(&host));
        }
    }
}

on_hosts! {
    fn service_and_task_survive_a_kill_at_some_calls(host) {
        let host = host.private("crashplain");
        prepare(&host);
        // systemd reads all units again behind each.
        let step = if host.suite() == "trixie" { 3 } else { 5 };
        for case in UNITS {
            survives(&host, case, step);
        }
    }
}

on_hosts! {
    fn cas_survives_a_kill_at_every_call(host) {
        let host = host.private("crashcas");
        prepare(&host);
        for case in STORE {
            survives(&host, case, 1);
        }
    }
}

on_hosts! {
    fn snapshot_survives_a_kill_at_some_calls(host) {
        let host = host.private("crashsnap");
        prepare(&host);
        // What comes before and behind takes long: at every fifth call, and others on the other suite.
        let step = if host.suite() == "trixie" { 5 } else { 7 };
        for case in SNAPSHOTS {
            survives(&host, case, step);
        }
    }
}

on_hosts! {
    fn net_survives_a_kill_at_some_calls(host) {
        let host = host.private("crashnet");
        prepare(&host);
        // At every one where there is time.
        let count = volt_e2e::soak_seconds().map_or(2, |_| usize::MAX);
        let nothing = format!("{{ volt net tap delete crash; volt net bridge delete crashbr; }} > /dev/null 2>&1; {CLEAN}; ! ip -o link show | grep vo- && test -z \"$(ls /run/netns)\" && volt system check");
        for look in [UNASKED, FOUND] {
            if look == FOUND {
                host.sh(UNWATCHED).ok();
            }
            for case in NETWORKS {
                is_found(&host, case, &nothing, look, count);
            }
            for case in RULES {
                is_found(&host, case, TWO, look, count);
                // One that nobody kills denies what was allowed.
                host.sh(MET).ok();
                host.sh(case.before).ok();
                host.volt(case.command).ok();
                host.sh(MET).fails(1);
            }
            host.sh("volt firewall rule delete crash; volt net policy delete crash; volt net policy default crashnet allow").ok();
            host.sh(&nothing).ok();
        }
    }
}

on_hosts! {
    fn container_survives_a_kill_at_every_call(host) {
        let host = host.private("crashmore");
        prepare(&host);
        for case in VARIANTS.iter().filter(|case| case.name != "image pull") {
            survives(&host, case, step(&host));
        }
    }
}

on_hosts! {
    fn image_pull_survives_a_kill_at_every_call(host) {
        let host = host.private("crashpull");
        prepare(&host);
        // The real one, killed somewhere between its first and its last package.
        for moment in ["0.3", "1", "2", "3"] {
            let killed = host.sh(&format!("timeout -s KILL {moment} volt image pull debian-minimal:{} --mirror file:///srv/mirror", host.suite()));
            assert_eq!(killed.code, 137, "{killed:?}");
            host.until(Duration::from_secs(5), "! pgrep debootstrap");
            whole(&host, "debootstrap", "volt image import /tmp/crash.tar crash && volt image delete crash", moment);
            host.sh("! ls -A /var/lib/volt/tmp | grep -v .gate && ! findmnt -rno TARGET | grep /var/lib/volt/tmp").ok();
        }
        let stand_in = "#!/bin/sh\ntest \"$1\" = --version && exit\nfor word; do test -d \"$word\" && tar xf /tmp/crash.tar -C \"$word\"; done; exit 0\n";
        host.sh(&format!("printf '%s' '{stand_in}' > /usr/sbin/debootstrap")).ok();
        for case in VARIANTS.iter().filter(|case| case.name == "image pull") {
            survives(&host, case, 1);
        }
    }
}

on_hosts! {
    fn system_survives_a_kill_at_every_call_in_units(host) {
        let host = host.private("crashunit");
        prepare(&host);
        for case in UNIT_CASES {
            survives_in_unit(&host, case);
        }
    }
}

on_hosts! {
    fn net_survives_a_kill_at_some_calls_in_units(host) {
        let host = host.private("crashwire");
        prepare(&host);
        // The network as it is without anybody.
        host.sh(&format!("{SERVING} && volt container start crash && volt container delete --force crash && nft -s list ruleset > /tmp/rules.before")).ok();
        host.sh("grep volt /tmp/rules.before").ok();
        let count = volt_e2e::soak_seconds().map_or(4, |_| usize::MAX);
        for look in [UNASKED, FOUND] {
            if look == FOUND {
                host.sh(UNWATCHED).ok();
            }
            for case in UNIT_CASES {
                is_found_in_unit(&host, case, look, count);
            }
        }
    }
}
