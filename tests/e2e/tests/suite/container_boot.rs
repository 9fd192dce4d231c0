//! Containers that boot their image's own systemd.

use std::time::Duration;
use volt_e2e::{Host, on_hosts};

const LONG: Duration = Duration::from_secs(180);

/// Waits until the system in it has come up, and nothing of it has failed.
#[track_caller]
pub(super) fn is_up(host: &Host, name: &str) {
    host.until(
        LONG,
        &format!(
            "volt exec {name} systemctl is-system-running --wait | grep -E '^(running|degraded)$'"
        ),
    );
    let failed = host.volt(&["exec", name, "systemctl", "--failed", "--plain", "--no-legend"]).ok();
    assert_eq!(failed, "", "units that failed inside");
}

on_hosts! {
    fn container_boot_is_a_machine(host) {
        host.system();
        let machine = host.container("machine");
        // The image alone says that it boots.
        host.volt(&["run", "-d", "--name", "machine", "system"]).ok();
        assert_eq!(machine.inspect()["mode"], "boot");
        is_up(host, "machine");
        let listed = host.sh("machinectl list --no-legend | grep -w machine").ok();
        assert!(listed.contains("container systemd-nspawn debian"), "{listed}");
        assert_eq!(host.run(&["machinectl", "show", "--property=Unit", "--value", "machine"]).ok(), "volt-container@machine.service");
        assert_eq!(host.volt(&["exec", "machine", "cat", "/proc/1/comm"]).ok(), "systemd");

        // In by Volt and by systemd's own tools.
        assert_eq!(host.volt(&["exec", "machine", "sh", "-c", "id -u; hostname; pwd"]).ok(), "0\nmachine\n/");
        assert_eq!(host.run(&["systemd-run", "-M", "machine", "--pipe", "--wait", "--quiet", "hostname"]).ok(), "machine");
        assert_eq!(host.run_with(&["volt", "shell", "machine"], b"echo typed; exit 6\n").code, 6);

        // Its console is the container's log; its own journal is its own.
        host.until(LONG, "volt logs machine | grep -q 'Welcome to' && volt logs machine | grep -q 'Multi-User System'");
        host.volt(&["exec", "machine", "systemd-cat", "--identifier=witness", "echo", "in the journal"]).ok();
        host.until(LONG, "journalctl -M machine -t witness -o cat --no-pager | grep -qx 'in the journal'");
        assert!(!host.volt(&["logs", "machine"]).ok().contains("in the journal"));
        host.sh("journalctl -u volt-container@machine.service -o cat --no-pager | grep -q 'Welcome to'").ok();
        host.volt(&["exec", "machine", "sh", "-c", "echo on the console > /dev/console"]).ok();
        host.until(LONG, "volt logs machine | grep -q 'on the console'");

        // Stopped in order, by each way there is.
        let witness = "printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\nExecStop=/bin/sh -c \"echo ended >> /var/witness\"\\n[Install]\\nWantedBy=multi-user.target\\n' \
                       > /etc/systemd/system/witness.service && systemctl enable --now --quiet witness.service";
        host.volt(&["exec", "machine", "sh", "-c", witness]).ok();
        for (count, stop) in [(1, "volt stop machine"), (2, "systemctl stop volt-container@machine.service"), (3, "machinectl poweroff machine"),
            (4, "volt exec machine systemctl poweroff")]
        {
            host.sh(stop).ok();
            assert_eq!(host.volt(&["container", "wait", "machine"]).ok().lines().last(), Some("0"), "{stop}");
            host.until(LONG, "! systemctl is-active -q volt-container@machine.service && ! test -e /run/netns/volt-machine");
            assert_eq!(machine.state(), "stopped", "{stop}");
            assert_eq!(machine.inspect()["exit"]["reason"], "exited", "{stop}");
            host.volt(&["start", "machine"]).ok();
            is_up(host, "machine");
            assert_eq!(host.volt(&["exec", "machine", "grep", "-c", "ended", "/var/witness"]).ok(), count.to_string(), "{stop}");
        }
        // Booted again, which is no end.
        let before = machine.inspect()["pid"].clone();
        host.run(&["machinectl", "reboot", "machine"]).ok();
        host.until(LONG, &format!("pid=$(cut -d' ' -f1 /run/volt/containers/machine/leader) && test \"$pid\" != {before}"));
        is_up(host, "machine");
        assert_eq!(host.volt(&["exec", "machine", "grep", "-c", "ended", "/var/witness"]).ok(), "5");
        // As soon as it counts as started it heeds who stops it.
        host.volt(&["stop", "machine"]).ok();
        for stop in ["machinectl poweroff machine && volt container wait machine", "volt stop machine"] {
            host.sh(&format!("volt start machine && {stop}")).ok();
            assert_eq!(machine.inspect()["exit"]["reason"], "exited", "{stop}");
        }
        host.sh("volt start machine && volt container kill machine; volt container wait machine; true").ok();
        let exit = &machine.inspect()["exit"];
        assert!(exit["code"] == 137 && exit["reason"] == "killed by SIGKILL", "{exit}");
        host.volt(&["delete", "--force", "machine"]).ok();
        assert_eq!(host.run(&["machinectl", "list", "--no-legend"]).ok().lines().filter(|line| line.starts_with("machine ")).count(), 0);
    }
}

on_hosts! {
    fn container_boot_is_chosen(host) {
        host.tiny();
        host.debian();
        host.system();
        let boots = |image: &str| host.volt(&["image", "inspect", image, "-o", "json"]).json()["boot"].clone();
        assert_eq!([boots("tiny"), boots("debian"), boots("system")], [false, false, true]);
        let _guard = host.container("chosen");
        let create = |words: &[&str]| host.volt(&[&["container", "create", "--name", "chosen"], words].concat());
        let mode = |words: &[&str]| {
            create(words).ok();
            let mode = host.volt(&["container", "inspect", "chosen", "-o", "json"]).json()["mode"].clone();
            host.volt(&["delete", "chosen"]).ok();
            mode
        };
        assert_eq!(mode(&["system"]), "boot");
        assert_eq!(mode(&["--boot", "system"]), "boot");
        assert_eq!(mode(&["system", "true"]), "app");
        assert_eq!(mode(&["--no-boot", "system", "true"]), "app");
        assert_eq!(host.volt(&["run", "--rm", "--name", "chosen", "system", "echo", "as a command"]).ok(), "as a command");
        for image in ["tiny", "debian"] {
            let error = create(&["--boot", image]).fails(12);
            assert!(error.contains("can't boot"), "{error}");
        }
        // What only a command has is not left out without a word.
        for words in [&["--boot", "system", "true"][..], &["--user", "app", "system"], &["-e", "A=1", "--boot", "system"], &["--cap-add", "SYS_TIME", "system"]] {
            let error = create(words).fails(2);
            assert!(error.contains("its own init decides"), "{error}");
        }
    }
}
