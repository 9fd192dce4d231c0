//! Who may ask for what: every operation of the table is asked for over the real socket by a user without any group, by a member of each
//! group that is given something, and by root. What is asked for is not there, so nothing comes of what is allowed.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use volt_api::operations::OPERATIONS;
use volt_api::{OperationInfo, Privilege};
use volt_e2e::{Host, on_hosts};

/// Who asks, the group they are in, and what they may beside reading.
const USERS: [(&str, &str, &[Privilege]); 4] = [
    ("outsider", "", &[]),
    ("reader", "systemd-journal", &[]),
    ("member", "volt", &[Privilege::Container]),
    ("root", "", &[Privilege::Container, Privilege::Admin]),
];

/// What follows asks for one operation and writes a line: its id, the status of the answer, the answer.
fn asking(info: &OperationInfo) -> String {
    let path = info.path.replace("{name}", "no-such-thing").replace("{key}", "no.such.key");
    let path = path.replace("{snapshot}", "none");
    let path = path.replace("{request_id}", "none");
    assert!(!path.contains('{'), "another placeholder: {path}");
    let body = if info.method == "GET" { "" } else { "-d '{}'" };
    // What streams without an end has its status all the same.
    format!(
        "printf '%s ' {id} $(curl -s --max-time 2 -o $answer -w '%{{http_code}}' --unix-socket /run/volt/volt.sock \
         -X {method} -H 'content-type: application/json' {body} 'http://volt{path}'); tr '\\n' ' ' < $answer | head -c 4000; echo\n",
        id = info.id,
        method = info.method,
    )
}

/// Status and answer of each operation, as it is told to this user.
fn answers(host: &Host, user: &str) -> BTreeMap<String, (u16, Value)> {
    let lines: String = OPERATIONS.iter().map(asking).collect();
    let script = format!("answer=$(mktemp)\n{lines}rm -f $answer\n");
    let said = host.run_with(&["runuser", "-u", user, "--", "sh"], script.as_bytes()).ok();
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (id, status) = (words.next().unwrap(), words.next().unwrap());
        let answer = serde_json::from_str(words.next().unwrap_or_default()).unwrap_or_default();
        (id.to_owned(), (status.parse().unwrap(), answer))
    };
    said.lines().map(line).collect()
}

on_hosts! {
    fn system_privileges_are_those_of_the_table(host) {
        // The configuration is written and the store swept on the way.
        let host = host.private("privileges");
        host.tiny();
        for (user, group, may) in USERS {
            if user != "root" {
                host.sh(&format!("useradd -m {user} && for group in {group}; do usermod -aG $group {user}; done")).ok();
            }
            let answers = answers(&host, user);
            assert_eq!(answers.len(), OPERATIONS.len(), "{answers:?}");
            for info in OPERATIONS {
                let (status, answer) = &answers[info.id];
                let allowed = info.privilege == Privilege::Read || may.contains(&info.privilege);
                assert_eq!(answer["kind"] != "permission" && *status != 403, allowed, "{user}: {}: {status} {answer}", info.id);
                // Nobody answers nothing.
                assert!((200..600).contains(status), "{user}: {}: {status} {answer}", info.id);
                if allowed {
                    continue;
                }
                assert_eq!((*status, &answer["status"]), (403, &403.into()), "{}", info.id);
                let text = format!("{} {}", answer["title"], answer["hint"]);
                let wanted = match info.privilege {
                    Privilege::Container => ["takes the group `volt`".to_owned(), format!("usermod -aG volt {user}")],
                    _ => [format!("{user} may not do this"), "needs root".to_owned()],
                };
                assert!(wanted.iter().all(|part| text.contains(part)), "{}: {text}", info.id);
            }
            // Each refusal of a change is in the trail.
            let trail = host.volt(&["audit", "list", "--user", user, "-o", "json"]).json();
            let refused = trail.as_array().unwrap().iter().filter(|record| record["result"] == "refused");
            let refused: BTreeSet<String> = refused.map(|record| record["action"].as_str().unwrap().to_owned()).collect();
            let changes = OPERATIONS.iter().filter(|info| info.changes && info.privilege != Privilege::Read && !may.contains(&info.privilege));
            assert_eq!(refused, changes.map(OperationInfo::action).collect(), "{user}");
        }
    }
}

on_hosts! {
    fn system_keeps_what_containers_wrote_from_other_users(host) {
        host.tiny();
        let _guard = host.container("setuid");
        // Others make the tester a member of the group, who may do more.
        host.sh("id neighbour > /dev/null 2>&1 || useradd -m neighbour").ok();
        let stack = "{name: setuid, services: {setuid: {image: tiny, command: sleep 1000, container_name: setuid, stop_grace_period: 1s, volumes: ['kept:/kept', \
            {type: volume, source: kept, target: /part, volume: {subpath: sub}}]}}, volumes: {kept: {name: setuid, external: true}}}";
        host.run_with(&["sh", "-c", "cat > /tmp/setuid.yaml"], stack.as_bytes()).ok();
        host.sh("volt volume create setuid && mkdir /var/lib/volt/volumes/setuid/_data/sub && volt compose -f /tmp/setuid.yaml up -d && \
            volt container copy /usr/bin/id setuid:/ && \
            volt exec setuid sh -c 'for at in / /kept/ /part/; do test $at = / || cp /id $at; chown 0:0 $at/id; chmod 4755 $at/id; done'").ok();
        let lib = ["containers/setuid/upper", "containers/setuid/rootfs", "volumes/setuid/_data"];
        let lib = lib.map(|place| format!("/var/lib/volt/{place}/id"));
        for file in lib.into_iter().chain(["/run/volt/containers/setuid/parts/1/id".to_owned()]) {
            host.sh(&format!("test -u {file}")).ok();
            let ran = host.run(&["runuser", "-u", "neighbour", "--", &file]);
            assert!(ran.code != 0 && ran.stderr.contains("Permission denied"), "{file}: {ran:?}");
        }
        host.sh("volt compose -f /tmp/setuid.yaml down && volt volume delete setuid").ok();
    }
}

on_hosts! {
    fn system_privileges_within_operations(host) {
        let host = host.private("within");
        host.sh("useradd -m outsider; useradd -m -G systemd-journal reader; useradd -m -G volt member").ok();
        host.tiny();
        host.volt(&["run", "-d", "--name", "shown", "tiny", "sh", "-c", "echo said; sleep 1000"]).ok();
        host.sh("logger -t e2e hello; journalctl --sync").ok();
        let ask = |user: &str, line: &str| host.run(&["runuser", "-u", user, "--", "sh", "-c", &format!("cd; volt {line}")]);
        // By shape of operation, as the command line tells it.
        for line in [
            "container create tiny true", "container exec shown true", "container attach shown", "container copy shown:/etc/passwd -",
            "container copy /etc/passwd shown:/tmp/", "container export shown", "image pull debian", "image import /srv/images/tiny.tar mine", "image export tiny",
            "volume create mine", "net connect volt0 shown", "net disconnect volt0 shown", "snapshot create shown", "container commit shown mine", "container clone shown mine", "workload freeze shown", "audit list",
        ] {
            let said = ask("outsider", line).fails(5);
            assert!(said.contains("this takes the group `volt`") && said.contains("sudo usermod -aG volt outsider"), "{line}: {said}");
        }
        for line in ["config set container.dns 192.0.2.1", "net create mine", "net delete volt0", "cas gc", "system prune --yes", "system check --repair"] {
            for user in ["outsider", "member"] {
                assert!(ask(user, line).fails(5).contains(&format!("{user} may not do this: this needs root")), "{line}");
            }
        }
        // Units of the host are root's, to change and, but for who reads the journal anyway, to read.
        for verb in ["start", "stop", "restart", "freeze", "thaw"] {
            let said = ask("member", &format!("workload {verb} dbus.service")).fails(5);
            assert!(said.contains("dbus.service, a unit of the host, needs root"), "{verb}: {said}");
        }
        let said = ask("outsider", "logs dbus.service").fails(5);
        assert!(said.contains("sudo usermod -aG systemd-journal outsider"), "{said}");
        for user in ["reader", "member"] {
            ask(user, "logs dbus.service").ok();
        }
        host.until(std::time::Duration::from_secs(10), "volt logs shown | grep -q said");
        assert_eq!(ask("outsider", "logs shown").ok(), "said");
        // A stack gives nobody services or tasks of the host; what is in containers and what these use is for the group.
        let file = |name: &str, text: &str| {
            let line = format!("mkdir -p /srv/{name} && cat > /srv/{name}/compose.yaml");
            host.run_with(&["sh", "-c", &line], format!("name: {name}\n{text}").as_bytes()).ok();
        };
        file("inside", "services: {web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}}\nnetworks: {default: }\n");
        file("outside", "services: {web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}, work: {exec: /bin/sleep 1000}}\n");
        file("timed", "services: {web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}}\ntasks: {now: {exec: /bin/true, every: 1h}}\n");
        ask("member", "compose -f /srv/inside/compose.yaml up -d").ok();
        file("traced", "services: {web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}, free: {image: tiny, command: sleep 1000, isolation: proot, network_mode: host, stop_grace_period: 1s}}\n");
        for name in ["outside", "timed", "traced"] {
            let up = format!("compose -f /srv/{name}/compose.yaml up -d");
            for line in [up.clone(), format!("compose -f /srv/{name}/compose.yaml run web true")] {
                let said = ask("member", &line).fails(5);
                assert!(said.contains("a stack with a service or task of the host, or a container that nothing confines, needs root"), "{line}: {said}");
            }
            host.volt(&up.split(' ').collect::<Vec<_>>()).ok();
            // Nor may they remove or replace what root has brought up.
            let said = ask("member", &format!("compose -p {name} down")).fails(5);
            assert!(said.contains("needs root"), "{said}");
            file(name, "services: {web: {image: tiny, command: sleep 1000, stop_grace_period: 1s}}\n");
            ask("member", &format!("compose -f /srv/{name}/compose.yaml up -d --remove-orphans")).fails(5);
            // To start and stop is for the group, as with each alone.
            ask("member", &format!("compose -p {name} restart")).ok();
            host.volt(&["compose", "-p", name, "down"]).ok();
        }
        ask("member", "compose -p inside down").ok();
        // What proot runs is a process of root's like any other: only root makes one, or reaches into it.
        let made = "container create --name free --backend proot --network host tiny sleep 1000";
        for line in [made, &made.replace("container create", "run -d")] {
            let said = ask("member", line).fails(5);
            assert!(said.contains("a container that nothing confines (proot) needs root"), "{line}: {said}");
        }
        host.volt(&made.split(' ').collect::<Vec<_>>()).ok();
        ask("member", "container start free").ok();
        for line in ["container exec free true", "container attach free", "container copy /etc/passwd free:/tmp/", "container clone free freer"] {
            assert!(ask("member", line).fails(5).contains("nothing confines"), "{line}");
        }
        ask("member", "container stop --timeout 1 free").ok();
        host.volt(&["config", "set", "container.backend", "proot"]).ok();
        assert!(ask("member", "container create tiny true").fails(5).contains("nothing confines"));
        assert!(ask("member", "compose -f /srv/inside/compose.yaml up -d").fails(5).contains("nothing confines"));
        host.volt(&["config", "set", "container.backend", ""]).ok();
        // A path of the host is read with root's rights, so only root may name one; the command sends what it reads itself.
        let import = "curl -s --unix-socket /run/volt/volt.sock -X POST 'http://volt/api/v1/images/import?image=theirs&path=/srv/images/tiny.tar'";
        let said = host.run(&["runuser", "-u", "member", "--", "sh", "-c", import]).json();
        assert_eq!((&said["status"], &said["kind"]), (&403.into(), &"permission".into()), "{said}");
        ask("member", "image import /srv/images/tiny.tar theirs").ok();
        ask("member", "image delete theirs").ok();
    }
}
