//! The daemon: who may what, what is written down, and that nothing depends on its life.

use std::time::Duration;
use volt_e2e::on_hosts;

on_hosts! {
    fn system_daemon_leaves_and_workloads_go_on(host) {
        let host = host.private("leaves");
        host.tiny();
        let lives = host.container("lives");
        host.volt(&["run", "-d", "--name", "lives", "tiny", "sleep", "1000"]).ok();
        let pid = lives.inspect()["pid"].as_u64();
        host.sh("systemctl kill -s KILL volt.service; sleep 0.2; true").ok();
        assert_eq!(lives.state(), "running");
        assert_eq!(lives.inspect()["pid"].as_u64(), pid);
        assert_eq!(host.volt(&["container", "exec", "lives", "echo", "still"]).ok(), "still");
        host.run(&["systemctl", "stop", "volt.service"]).ok();
        assert_eq!(lives.state(), "running");
    }
}

on_hosts! {
    fn system_users_may_what_the_table_says(host) {
        host.tiny();
        let _guard = host.container("secretive");
        host.sh("id reader >/dev/null 2>&1 || useradd -m reader; id member >/dev/null 2>&1 || useradd -m -G volt member").ok();
        host.volt(&["run", "-d", "--name", "secretive", "-e", "PASSWORD=hunter2", "tiny", "sleep", "1000"]).ok();
        let as_user = |user: &str, line: &str| host.run(&["runuser", "-u", user, "--", "sh", "-c", line]);

        assert!(as_user("reader", "volt ps -o name").ok().contains("secretive"));
        assert!(!as_user("reader", "volt container inspect secretive -o json").ok().contains("hunter2"));
        let refused = as_user("reader", "volt container stop secretive").fails(5);
        assert!(refused.contains("volt"), "the group to join is not named: {refused}");
        as_user("reader", "volt config set daemon.idle_seconds 61").fails(5);

        assert!(as_user("member", "volt container inspect secretive -o json").ok().contains("hunter2"));
        as_user("member", "volt container exec secretive true").ok();
        as_user("member", "volt config set daemon.idle_seconds 61").fails(5);
        as_user("member", "volt workload stop dbus.service").fails(5);

        let audit = host.sh("cat /var/log/volt/audit.log").ok();
        let line = audit.lines().rev().find(|l| l.contains("container.stop") && l.contains("reader")).unwrap();
        assert!(line.contains("\"result\":\"refused\""), "{line}");
        assert!(!audit.contains("hunter2"), "a secret is in the audit trail");
    }
}

on_hosts! {
    fn audit_list_and_show(host) {
        host.tiny();
        let _guard = host.container("audited");
        host.volt(&["container", "create", "--name", "audited", "tiny", "true"]).ok();
        host.volt(&["container", "create", "--name", "audited", "tiny", "true"]).fails(4);
        let all = host.volt(&["audit", "list", "-o", "json"]).json();
        let own: Vec<_> = all.as_array().unwrap().iter().filter(|r| r["resource"] == "audited" && r["action"] == "container.create").collect();
        assert_eq!(own.len(), 2, "{own:?}");
        assert_eq!((own[0]["result"].as_str(), own[1]["result"].as_str()), (Some("success"), Some("failure")));
        let id = own[0]["request_id"].as_str().unwrap();
        assert_eq!(host.volt(&["audit", "show", id, "-o", "json"]).json()["user"], "root");
        assert!(own[0].get("error").is_none(), "{}", own[0]);
        // What failed, by the name that its error has: why, and as people read it.
        let failed = host.volt(&["-o", "json", "container", "create", "--name", "audited", "tiny", "true"]).fails(4);
        let failed: serde_json::Value = serde_json::from_str(&failed).unwrap();
        let id = failed["request"].as_str().unwrap();
        let shown = host.volt(&["audit", "show", id, "-o", "json"]).json();
        assert_eq!((&shown["action"], &shown["resource"], &shown["result"], &shown["uid"]), (&"container.create".into(), &"audited".into(), &"failure".into(), &0.into()), "{shown}");
        assert!(shown["error"].as_str().unwrap().contains(failed["title"].as_str().unwrap()), "{shown}");
        let text = host.volt(&["audit", "show", id]).ok();
        for (key, value) in [("Result", "failure"), ("Action", "container.create"), ("Request", id), ("Error", failed["title"].as_str().unwrap())] {
            assert!(text.lines().any(|line| line.starts_with(key) && line.contains(value)), "{key}: {text}");
        }
        host.volt(&["audit", "show", "no-such-request"]).fails(3);
    }
}

on_hosts! {
    fn system_embedded_without_the_daemon(host) {
        let host = host.private("embedded");
        host.tiny();
        let _guard = host.container("alone");
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        let made = host.volt(&["run", "-d", "--name", "alone", "tiny", "sleep", "1000"]);
        let state = host.volt(&["container", "inspect", "alone", "-o", "json"]);
        let stopped = host.volt(&["container", "stop", "alone"]);
        host.sh("systemctl unmask volt.socket volt.service; systemctl start volt.socket").ok();
        made.ok();
        assert_eq!(state.json()["state"], "running");
        stopped.ok();
    }
}

on_hosts! {
    fn event_stream_tells_what_happens(host) {
        host.tiny();
        let _guard = host.container("eventful");
        let line = "timeout 15 volt events -o json > /tmp/events & p=$!; sleep 0.5; volt run --name eventful tiny true; sleep 1; volt container delete eventful; sleep 1; kill $p; cat /tmp/events";
        let events = host.sh(line);
        for action in ["created", "started", "stopped", "deleted"] {
            let seen = events.stdout.lines().any(|l| l.contains("eventful") && l.contains(&format!("\"{action}\"")));
            assert!(seen, "{action} is missing: {events:?}");
        }
    }
}

on_hosts! {
    fn event_stream_of_one_kind_or_name(host) {
        host.tiny();
        let (_one, _other) = (host.container("picked"), host.container("passed"));
        drop(host.sh("volt volume delete picked; volt image delete picked"));
        // Each writes a file of its own; all have begun before anything happens.
        let line = "rm -rf /tmp/picky && mkdir /tmp/picky && cd /tmp/picky; \
            for flags in '--kind container' '--kind volume' '--kind image' '--name picked' '--kind volume --name picked' '--name passed'; do \
                timeout 60 volt events -o json $flags > \"$flags\" & all=\"$all $!\"; done; sleep 1; \
            volt volume create picked; volt image tag tiny picked; volt run --name picked tiny true; volt run --name passed tiny true; \
            volt container delete picked passed; volt volume delete picked; volt image delete picked; sleep 1; kill $all; wait";
        drop(host.sh(line));
        let told = |flags: &str| -> Vec<(String, String, String)> {
            let text = host.run(&["cat", &format!("/tmp/picky/{flags}")]).ok();
            let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            let word = |event: &serde_json::Value, key: &str| event[key].as_str().unwrap().to_owned();
            // Others work on this host too.
            let own = events.filter(|event| ["picked", "passed"].iter().any(|name| event["name"].as_str().unwrap().starts_with(name)));
            own.map(|event| (word(&event, "kind"), word(&event, "name"), word(&event, "action"))).collect()
        };
        let has = |all: &[(String, String, String)], kind: &str, name: &str| {
            all.iter().any(|event| event.0 == kind && event.1.starts_with(name) && event.2 == "created") && all.iter().any(|event| event.0 == kind && event.1.starts_with(name) && event.2 == "deleted")
        };
        for (flags, container, volume, image, passed) in [
            ("--kind container", true, false, false, true), ("--kind volume", false, true, false, false), ("--kind image", false, false, true, false),
            ("--name picked", true, true, true, false), ("--kind volume --name picked", false, true, false, false), ("--name passed", false, false, false, true),
        ] {
            let all = told(flags);
            let seen = [has(&all, "container", "picked"), has(&all, "volume", "picked"), has(&all, "image", "picked"), has(&all, "container", "passed")];
            assert_eq!(seen, [container, volume, image, passed], "{flags}: {all:?}");
            // And nothing else of these.
            let any = |kind: &str, name: &str| all.iter().any(|event| event.0 == kind && event.1.starts_with(name));
            assert_eq!([any("container", "picked"), any("volume", "picked"), any("image", "picked"), any("container", "passed")], seen, "{flags}: {all:?}");
        }
        host.volt(&["events", "--kind", "nonsense"]).fails(2);
    }
}

on_hosts! {
    fn system_api_over_the_socket(host) {
        let get = |path: &str| host.sh(&format!("curl -s --unix-socket /run/volt/volt.sock http://localhost{path}"));
        assert_eq!(get("/openapi").json()["openapi"], "3.1.0");
        let problem = get("/api/v1/containers/no-such-thing").json();
        assert_eq!((problem["status"].as_u64(), problem["kind"].as_str()), (Some(404), Some("not-found")));
        assert_eq!(get("/api/v1/nothing").json()["status"], 404);
        let bad = host.sh("curl -s --unix-socket /run/volt/volt.sock -X POST -H 'content-type: application/json' -d '{\"image\":\"tiny\",\"imge\":1}' http://localhost/api/v1/containers").json();
        assert_eq!(bad["status"], 400, "{bad}");
        assert!(bad.to_string().contains("imge"), "{bad}");
    }
}

on_hosts! {
    fn system_daemon_signals(host) {
        host.until(Duration::from_secs(10), "volt system info -o json | grep -q daemon");
        host.sh("systemctl kill -s HUP volt.service && systemctl kill -s USR1 volt.service && systemctl kill -s USR2 volt.service && sleep 0.3").ok();
        host.run(&["systemctl", "is-active", "volt.service"]).ok();
    }
}

on_hosts! {
    fn system_daemon_leaves_when_nobody_needs_it(host) {
        let host = host.private("idle");
        host.tiny();
        assert_eq!(host.volt(&["config", "get", "daemon.idle_seconds"]).ok(), "60");
        host.volt(&["config", "set", "daemon.idle_seconds", "2"]).ok();
        // It has to be told of its configuration; then a follower is a duty, and a running container is none.
        host.sh("systemctl reload volt.service && volt run -d --name runs tiny sleep 1000").ok();
        let seen = host.sh("timeout 6 volt events > /tmp/events & sleep 5; systemctl is-active volt.service; wait").ok();
        assert_eq!(seen, "active");
        host.until(Duration::from_secs(10), "test $(systemctl is-active volt.service) = inactive");
        assert_eq!(host.run(&["systemctl", "show", "-P", "Result", "volt.service"]).ok(), "success");
        assert_eq!(host.run(&["systemctl", "is-active", "volt.socket"]).ok(), "active");
        host.sh("test -S /run/volt/volt.sock").ok();
        assert_eq!(host.volt(&["ps", "-o", "name"]).ok(), "runs");
        assert_eq!(host.run(&["systemctl", "is-active", "volt.service"]).ok(), "active");
    }
}

on_hosts! {
    fn system_host_names_another_daemon(host) {
        let host = host.private("second");
        host.tiny();
        host.volt(&["run", "-d", "--name", "here", "tiny", "sleep", "1000"]).ok();
        host.sh("systemd-run --quiet --unit second volt --root /srv/second daemon").ok();
        let socket = "/srv/second/run/volt/volt.sock";
        host.until(Duration::from_secs(10), &format!("test -S {socket}"));
        for name in [socket.to_owned(), format!("unix://{socket}")] {
            let info = host.sh(&format!("VOLT_HOST={name} volt system info -o json")).json();
            assert!(info["root"].as_str().is_some_and(|root| root.starts_with("/srv/second")), "{info}");
            assert_eq!(host.volt(&["--host", &name, "ps", "-a", "-o", "name"]).ok(), "");
        }
        host.sh(&format!("VOLT_HOST={socket} volt volume create there && test -d /srv/second/var/lib/volt/volumes/there && ! test -e /var/lib/volt/volumes/there")).ok();
        // The network, by a tunnel of the user's own: here what systemd brings.
        host.sh("systemd-run --quiet --unit tunnel systemd-socket-activate -l 127.0.0.1:7070 /usr/lib/systemd/systemd-socket-proxyd /run/volt/volt.sock").ok();
        host.until(Duration::from_secs(10), "VOLT_HOST=tcp://127.0.0.1:7070 volt ps");
        let far = |line: &str| host.sh(&format!("export VOLT_HOST=tcp://127.0.0.1:7070; {line}"));
        assert_eq!(far("volt ps -o name").ok(), "here");
        assert_eq!(far("echo typed | volt exec -i here cat").ok(), "typed");
        far("volt exec here sh -c 'exit 7'").fails(7);
        assert_eq!(far("volt run --rm tiny echo far").ok(), "far");
        for nobody in ["/no/such.sock", "tcp://127.0.0.1:1"] {
            host.sh(&format!("VOLT_HOST={nobody} volt ps")).fails(6);
        }
        host.sh("VOLT_HOST=nonsense volt ps").fails(2);
        host.sh("systemctl stop second tunnel").ok();
    }
}

on_hosts! {
    fn audit_trail_is_the_groups_to_read(host) {
        host.tiny();
        host.volt(&["image", "tag", "tiny", "tagged"]).ok();
        host.volt(&["image", "delete", "tagged"]).ok();
        assert_eq!(host.run(&["stat", "-c", "%U:%G %a", "/var/log/volt/audit.log"]).ok(), "root:volt 640");
    }
}

on_hosts! {
    fn system_users_without_the_daemon_look_or_have_their_own(host) {
        let host = host.private("own");
        host.sh("useradd -m -G volt joe; useradd -m stranger; systemctl mask --now volt.socket volt.service").ok();
        let joe = |line: &str| host.run(&["runuser", "-u", "joe", "--", "sh", "-c", &format!("cd; {line}")]);
        // What is there can be looked at, and a daemon that is down is no reason to begin elsewhere.
        host.sh("volt volume create seen").ok();
        assert_eq!(joe("volt volume list -o name").ok(), "seen");
        host.tiny();
        host.sh("volt run -d --name shown tiny sh -c 'echo said; sleep 1000'").ok();
        for command in [
            "ps", "container list", "container inspect shown", "image list", "image inspect tiny", "top --once", "workload inspect shown",
            "system info", "system df", "config show", "cas list", "version",
        ] {
            joe(&format!("volt {command}")).ok();
        }
        assert_eq!(host.sh("volt container inspect shown -o json | grep '\"pid\"'").ok(), joe("volt container inspect shown -o json | grep '\"pid\"'").ok());
        assert!(joe("volt ps").ok().contains("shown"));
        // Who is not of the group is told that it is not for them.
        for command in ["ps", "volume list", "container inspect shown"] {
            let error = host.sh(&format!("runuser -u stranger -- volt {command}")).fails(5);
            assert!(error.contains("needs more rights"), "{error}");
        }
        let check = joe("volt system check");
        assert!(check.stdout.contains("systemd"), "{check:?}");
        let told = joe("(sleep 1; echo) | timeout 2 volt events");
        assert_eq!((told.code, told.stderr.as_str()), (124, ""), "{told:?}");
        // journald has the log for those whom the host lets read it.
        let error = joe("volt logs shown").fails(5);
        assert!(error.contains("systemd-journal"), "{error}");
        host.sh("usermod -aG systemd-journal joe").ok();
        host.until(std::time::Duration::from_secs(20), "runuser -u joe -- volt logs shown | grep -qx said");
        host.sh("volt rm -f shown").ok();
        let error = joe("volt volume create mine").fails(5);
        assert!(error.contains("/run/volt/volt.sock") && error.contains("--root DIR"), "{error}");
        // Once he has one of his own, that is asked.
        joe("mkdir -p ~/.local/share/volt").ok();
        assert_eq!(joe("volt volume create mine").ok(), "mine");
        let error = joe("volt volume inspect other").fails(3);
        assert!(error.contains("/home/joe/.local/share/volt") && error.contains("/run/volt/volt.sock"), "{error}");
        joe("volt --root / volume create other").fails(5);

        joe("volt --root ~/there image import /srv/images/tiny.tar tiny").ok();
        assert_eq!(joe("volt --root ~/there run --rm tiny id -u").ok(), "0");
        assert!(joe("volt --root ~/there container inspect none").fails(3).contains("/home/joe/there"));
        // What the container's environment says is for its command, not for the programs of the host around it.
        let loud = joe("volt --root ~/there run --rm -e LD_PRELOAD=/none.so -e LD_DEBUG=libs -e A=1 -w /made/here tiny sh -c 'echo $LD_PRELOAD $A; pwd'");
        assert_eq!((loud.stdout.as_str(), loud.stderr.as_str()), ("/none.so 1\n/made/here\n", ""), "{loud:?}");
        joe("volt --root ~/there run -d --name stays tiny sleep 100").ok();
        let error = joe("volt --root ~/there exec -w /nope stays true").fails(126);
        assert!(error.contains("working directory /nope"), "{error}");
        joe("volt --root ~/there rm -f stays").ok();
        joe("volt --root /srv/not-his volume create x").fails(5);
    }
}
