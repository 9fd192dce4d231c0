//! The host, the configuration, and Volt's own state.

use volt_e2e::{Host, on_hosts, on_vms};

/// What `system check` looks at, and a line of shell by which the host itself says whether it is there and whole.
const FACTS: &[(&str, &str)] = &[
    (
        "systemd",
        "test $(cat /proc/1/comm) = systemd && dpkg --compare-versions $(dpkg-query -Wf '${Version}' systemd) ge 252",
    ),
    ("dbus", "busctl --system status > /dev/null"),
    ("nspawn", "dpkg-query -L systemd-container | grep -x /usr/bin/systemd-nspawn"),
    ("machined", "machinectl list > /dev/null"),
    ("journal", "journalctl --header -n 0 | grep '^File path: /var/log/journal/'"),
    ("kernel", "dpkg --compare-versions $(cut -d' ' -f3 /proc/version) ge 6.1"),
    (
        "cgroup",
        "for name in cpu memory pids io; do grep -w $name /sys/fs/cgroup/cgroup.controllers || exit 1; done",
    ),
    (
        "overlay",
        "mkdir -p /tmp/facts/a /tmp/facts/b && mount -t overlay facts -o lowerdir=/tmp/facts/a:/tmp/facts/b /tmp/facts/a && umount /tmp/facts/a",
    ),
    (
        "idmap",
        "mkdir -p /var/lib/machines/facts && tar -xf /srv/images/tiny.tar -C /var/lib/machines/facts && systemd-nspawn -q --register=no \
        --machine=facts -D /var/lib/machines/facts --private-users=1879048192:65536 --private-users-ownership=map --pipe grep ' / [^ ]*idmapped ' /proc/self/mountinfo",
    ),
    ("userns", "unshare --user true"),
    ("userns-all", "runuser -u tester -- unshare --user --map-root-user true"),
    ("netns", "unshare --net true"),
    (
        "seccomp",
        "systemd-run -q --pipe --wait -p SystemCallFilter='~mkdir mkdirat' -p SystemCallErrorNumber=EXDEV sh -c 'mkdir /tmp/facts-filtered 2>&1 | grep -i cross-device'",
    ),
    ("landlock", "perl -e 'exit(syscall(444, 0, 0, 1) < 1)'"),
    ("kvm", "test -c /dev/kvm && exec 3<> /dev/kvm"),
    ("nft", "dpkg-query -L nftables | grep -x /usr/sbin/nft"),
    ("debootstrap", "dpkg-query -L debootstrap | grep -x /usr/sbin/debootstrap"),
    ("proot", "dpkg-query -L proot | grep -x /usr/bin/proot"),
    ("disk", "test $(df --output=avail -k /var/lib/volt | tail -n 1) -ge 1048576"),
];

/// What stands in the detail, by a line of shell that writes it.
const DETAILS: &[(&str, &str)] = &[
    (
        "systemd",
        "busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Version | grep -oE '[0-9]+' | head -n 1",
    ),
    ("nspawn", "dpkg-query -Wf '${Version}' systemd-container | grep -oE '^[0-9]+'"),
    ("kernel", "cut -d' ' -f3 /proc/version"),
    ("cgroup", "cat /sys/fs/cgroup/cgroup.controllers"),
    ("landlock", "perl -e 'print syscall(444, 0, 0, 1)'"),
    ("userns", "cat /proc/sys/user/max_user_namespaces"),
    (
        "disk",
        "stat -f -c '%b %S' /var/lib/volt | { read blocks size; echo of $((blocks * size / 1048576)) MiB free; }",
    ),
];

/// Each fact is as the host itself says; what is missing has a command that mends it, or none is said to.
fn facts(host: &Host) {
    let check = || {
        host.volt(&["system", "check", "-o", "json"]).json()["checks"].as_array().unwrap().clone()
    };
    let checks = check();
    let mut ids: Vec<&str> = checks.iter().map(|check| check["id"].as_str().unwrap()).collect();
    let mut known: Vec<&str> = FACTS.iter().map(|fact| fact.0).collect();
    ids.sort_unstable();
    known.sort_unstable();
    assert_eq!(ids, known);
    for check in &checks {
        let id = check["id"].as_str().unwrap();
        let (_, line) = FACTS.iter().find(|fact| fact.0 == id).unwrap();
        let said = host.sh(line);
        assert_eq!(check["state"] == "ok", said.code == 0, "{check}\n{said:?}");
        let detail = check["detail"].as_str().unwrap();
        if let Some((_, line)) = DETAILS.iter().find(|(name, _)| *name == id)
            && check["state"] == "ok"
        {
            let said = host.sh(line).ok();
            assert!(!said.is_empty() && detail.contains(&said), "{detail}: {said}");
        }
        let told = (check["remedy"].is_string(), detail.contains("no command mends that"));
        assert_eq!(told.0 ^ told.1, check["state"] != "ok", "{check}");
    }
    // What a remedy says is true.
    for check in checks.iter().filter(|check| check["remedy"].is_string()) {
        host.sh(check["remedy"].as_str().unwrap()).ok();
    }
    for check in check() {
        assert!(check["remedy"].is_null(), "{check}");
    }
    host.sh("rm -rf /tmp/facts /var/lib/machines/facts").ok();
}

on_hosts! {
    fn system_check_tells_facts(host) {
        facts(host);
    }
}

on_vms! {
    fn system_check_tells_facts_of_a_machine(host) {
        facts(host);
    }
}

on_hosts! {
    fn system_manual_is_read(host) {
        for (page, text) in [("volt", "Exit codes:"), ("volt-container-start", "volt container start")] {
            let said = host.run(&["man", page]);
            assert!(said.code == 0 && said.stdout.contains(text), "{said:?}");
        }
    }
}

on_hosts! {
    fn system_info_df_version_and_prune(host) {
        host.tiny();
        let info = host.volt(&["system", "info", "-o", "json"]).json();
        assert!(info["backends"].to_string().contains("systemd"), "{info}");
        assert!(info["images"].as_u64().unwrap() >= 1);
        let df = host.volt(&["system", "df", "-o", "json"]).json();
        assert!(df.as_array().unwrap().iter().any(|u| u["kind"] == "images" && u["size"].as_u64() > Some(0)), "{df}");
        assert!(host.volt(&["version"]).ok().contains(env!("CARGO_PKG_VERSION").split('.').next().unwrap()));
        host.volt(&["system", "prune", "--dry-run", "--yes"]).ok();
    }
}

on_hosts! {
    fn system_prune_frees_what_nothing_uses(host) {
        let host = host.private("prune");
        host.tiny();
        let image = |name: &str| host.sh(&format!("mkdir -p /tmp/{name} && tar -xf /srv/images/tiny.tar -C /tmp/{name} && head -c 3000000 /dev/urandom > /tmp/{name}/own && volt image import /tmp/{name} {name}")).ok();
        for name in ["kept", "spare", "used"] {
            image(name);
        }
        host.sh("for v in mounted spare; do volt volume create $v && head -c 1000000 /dev/urandom > /var/lib/volt/volumes/$v/_data/own; done").ok();
        host.volt(&["run", "-d", "--name", "runs", "-v", "mounted:/data", "used", "sleep", "1000"]).ok();
        host.volt(&["container", "create", "--name", "lies", "kept", "cat", "/own"]).ok();
        host.sh("mkdir -p /var/cache/volt && head -c 500000 /dev/zero > /var/cache/volt/old").ok();
        let disk = || host.sh("sync; du -sb --apparent-size /var/lib/volt /var/cache/volt | awk '{ all += $1 } END { print all }'").ok().parse::<u64>().unwrap();
        let names = |noun: &str| host.volt(&[noun, "list", "-o", "name"]).ok();
        let prune = |words: &[&str]| host.volt(&[&["system", "prune", "-o", "json"], words].concat());
        let reclaimable = |kind: &str| {
            let df = host.volt(&["system", "df", "-o", "json"]).json();
            df.as_array().unwrap().iter().find(|row| row["kind"] == kind).unwrap()["reclaimable"].as_u64().unwrap()
        };
        // What is not named stays, and nobody is there to say yes.
        let removed = prune(&[]).json()["removed"].clone();
        assert_eq!(removed, serde_json::json!(["cache old"]));
        assert!(prune(&["--all"]).fails(2).contains("--yes"));
        assert_eq!((names("image"), names("volume")), ("kept\nspare\ntiny\nused".to_owned(), "mounted\nspare".to_owned()));
        let before = disk();
        let (images, volumes) = (reclaimable("images"), reclaimable("volumes"));
        assert!(images >= 3_000_000 && volumes > 900_000, "{images} {volumes}");
        let would = prune(&["--all", "--dry-run"]).json();
        let pruned = prune(&["--all", "--yes"]).json();
        let freed = before - disk();
        let removed = pruned["removed"].to_string();
        for gone in ["image spare", "image tiny", "volume spare"] {
            assert!(removed.contains(gone) && would["removed"].to_string().contains(gone), "{gone}: {pruned} {would}");
        }
        assert!(!removed.contains("kept") && !removed.contains("mounted") && !removed.contains("used"), "{pruned}");
        let told = pruned["freed"].as_u64().unwrap();
        assert!(freed > 3_900_000 && told.abs_diff(freed) < freed / 4, "told {told}, freed {freed}");
        assert_eq!((names("image"), names("volume")), ("kept\nused".to_owned(), "mounted".to_owned()));
        // All that is used is whole.
        let sum = |file: &str| host.sh(&format!("sha256sum < {file}")).ok();
        assert_eq!(host.sh("volt exec runs cat /own | sha256sum").ok(), sum("/tmp/used/own"));
        assert_eq!(host.sh("volt exec runs cat /data/own | sha256sum").ok(), sum("/var/lib/volt/volumes/mounted/_data/own"));
        assert_eq!(host.sh("volt start lies && volt container wait lies && volt logs lies | wc -c").code, 0);
        assert_eq!(host.sh("volt run --rm kept sha256sum < /dev/null /own | cut -d' ' -f1").ok(), sum("/tmp/kept/own").trim_end_matches("  -"));
        assert!(host.volt(&["cas", "verify"]).ok().contains("all good"));
        assert!(prune(&["--all", "--yes"]).json()["removed"].as_array().unwrap().is_empty());
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn config_show_get_set(host) {
        let host = host.private("config");
        host.sh("cp -a /etc/volt/config.yaml /tmp/config.keep 2>/dev/null; true").ok();
        host.volt(&["config", "set", "container.stop_timeout", "7"]).ok();
        assert_eq!(host.volt(&["config", "get", "container.stop_timeout"]).ok(), "7");
        host.volt(&["config", "set", "container.dns", "+=", "192.0.2.1"]).ok();
        host.volt(&["config", "set", "container.dns", "+=", "192.0.2.2"]).ok();
        host.volt(&["config", "set", "container.dns", "-=", "192.0.2.1"]).ok();
        assert_eq!(host.volt(&["config", "get", "container.dns", "-o", "json"]).json()["value"], serde_json::json!(["192.0.2.2"]));
        let near = host.volt(&["config", "set", "container.stop_timeot", "7"]).fails(3);
        assert!(near.contains("stop_timeout"), "{near}");
        assert_ne!(host.volt(&["config", "set", "container.stop_timeout", "soon"]).code, 0);
        assert!(host.volt(&["config", "show"]).ok().contains("daemon.idle_seconds"));
        host.sh("EDITOR='sed -i s/7/8/' volt config edit").ok();
        assert_eq!(host.volt(&["config", "get", "container.stop_timeout"]).ok(), "8");
        for (editors, seconds) in [("VISUAL='sed -i s/\\(t:.\\)8/\\19/' EDITOR=false", "9"), ("VISUAL= EDITOR='sed -i s/\\(t:.\\)9/\\110/'", "10")] {
            host.sh(&format!("{editors} volt config edit")).ok();
            assert_eq!(host.volt(&["config", "get", "container.stop_timeout"]).ok(), seconds, "{editors}");
        }
        // What is wrong is not taken, and kept where it is said to be.
        let said = host.sh("EDITOR='sed -i s/\\(t:.\\)10/\\1soon/' volt config edit < /dev/null").fails(12);
        let kept = said.lines().find_map(|line| line.strip_prefix("warning: What you wrote is kept in ")).unwrap_or_else(|| panic!("{said}"));
        host.sh(&format!("grep -q soon {kept} && rm {kept}")).ok();
        assert_eq!(host.volt(&["config", "get", "container.stop_timeout"]).ok(), "10");
        // The words for a backend are those that there are.
        host.volt(&["config", "set", "container.backend", "proot"]).ok();
        let said = host.volt(&["config", "set", "container.backend", "docker"]).fails(12);
        assert!(said.contains("nothing, `systemd`, `proot`"), "{said}");
        host.volt(&["config", "set", "container.backend", ""]).ok();
        host.sh("rm -f /etc/volt/config.yaml; test ! -e /tmp/config.keep || mv /tmp/config.keep /etc/volt/config.yaml").ok();
    }
}

on_hosts! {
    fn system_check_repairs_what_is_left_over(host) {
        let host = host.private("repair");
        host.sh("mkdir -p /etc/systemd/system/volt-container@ghost.service.d && echo > /etc/systemd/system/volt-container@ghost.service.d/50-volt.conf; mkdir -p /var/lib/volt/ids && echo ghost > /var/lib/volt/ids/1000013824").ok();
        let seen = host.volt(&["system", "check", "-o", "json"]);
        assert!(seen.stdout.contains("ghost"), "{seen:?}");
        host.volt(&["system", "check", "--repair"]).ok();
        host.gone(&["/etc/systemd/system/volt-container@ghost.service.d", "/var/lib/volt/ids/1000013824"]);
    }
}

on_hosts! {
    fn system_missing_tools_are_told_by_their_package(host) {
        let host = host.private("bare");
        host.tiny();
        let pull = format!("volt image pull debian-minimal:{} --mirror file:///srv/mirror", host.suite());
        host.volt(&["container", "create", "--name", "old", "tiny", "true"]).ok();
        let before = host.sh("find /var/lib/volt | grep -v /log | sort").ok();
        for (program, package, lines) in [
            ("/usr/bin/systemd-nspawn", "systemd-container", &["volt container create --name new tiny true", "volt container start old", "volt run --rm tiny true"][..]),
            ("/usr/sbin/debootstrap", "debootstrap", &[&*pull]),
            ("/usr/bin/proot", "proot", &["volt container create --backend proot --name new tiny true"]),
        ] {
            host.run(&["mv", program, "/root/away"]).ok();
            for line in lines {
                let said = host.sh(line).fails(10);
                assert!(said.contains(&format!("apt install {package}")), "{line}: {said}");
            }
            // Alone in its field, so that the whole word is meant.
            let checks = host.volt(&["system", "check", "-o", "json"]).json()["checks"].to_string();
            assert!(checks.contains(&format!("apt install {package}\"")), "{program}: {checks}");
            host.run(&["mv", "/root/away", program]).ok();
            assert_eq!(host.sh("find /var/lib/volt | grep -v /log | sort").ok(), before, "{program}");
        }
        // What Volt can do itself needs no program: zstd and xz are not installed everywhere.
        host.sh("for tool in zstd xz gzip; do $tool -c /srv/images/tiny.tar > /tmp/tiny.tar.$tool && mv $(command -v $tool) /root/away && volt image import /tmp/tiny.tar.$tool packed-$tool && mv /root/away /usr/bin/$tool || exit 1; done").ok();
    }
}
