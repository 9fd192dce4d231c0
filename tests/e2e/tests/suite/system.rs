//! The host, the configuration, and Volt's own state.

use volt_e2e::on_hosts;

on_hosts! {
    fn system_check_finds_nothing_amiss(host) {
        let seen = host.volt(&["system", "check", "-o", "json"]).json();
        let state = |id: &str| seen["checks"].as_array().unwrap().iter().find(|c| c["id"] == id).map(|c| c["state"].clone());
        for id in ["systemd", "nspawn"] {
            assert_eq!(state(id), Some("ok".into()), "{id}: {seen}");
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
        host.sh("! ls -d /etc/systemd/system/volt-container@ghost.service.d /var/lib/volt/ids/1000013824").ok();
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
