//! The tasks that show Volt as a whole, each on hosts that it makes for itself.

use volt_e2e::{Host, here};

/// The main job on real input, as `cargo xtask demo` shows it: in a test host, or on this machine where systemd is its PID 1.
mod system_demo_shows_the_main_job {
    #[test]
    fn t2_hosts() {
        volt_e2e::xtask(&["demo", "--no-build"]);
    }
}

/// The same on a machine whose PID 1 is systemd: a host of its own, without Volt and with it.
mod system_demo_uses_systemd_that_is_there {
    use super::*;

    #[test]
    fn t2_trixie() {
        let host = Host::shared("trixie").private_without_volt("demo");
        shown_on(&host);
        host.sh(
            "! ls -A /var/lib/volt | grep . && ! test -e /etc/volt && ! systemctl cat volt.socket",
        )
        .ok();
    }

    #[test]
    fn t2_bookworm() {
        let host = Host::shared("bookworm").private("demo");
        shown_on(&host);
        assert_eq!(host.volt(&["ps", "-a", "-o", "name"]).ok(), "");
    }

    fn shown_on(host: &Host) {
        for (file, name) in PARTS {
            host.sh(&format!("mkdir -p $(dirname /home/demo/{name})")).ok();
            host.put(&format!("{}/{file}", target()), &format!("/home/demo/{name}"));
        }
        let said = host.sh("cd /home/demo && CARGO_TARGET_DIR=/home/demo ./xtask demo --no-build --mirror file:///srv/mirror");
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stderr.contains("Shown on this machine"), "{said:?}");
        assert!(said.stdout.contains("volt-container@guestbook-web-1.service"), "{said:?}");
    }
}

/// The same for a user who is not root: with proot, in folders of their own, on the machine itself but without its network.
mod system_demo_needs_no_root {
    use super::*;

    #[test]
    fn t2_hosts() {
        let place = here("mktemp -d /tmp/volt-demo.XXXXXX");
        for (file, name) in PARTS {
            here(&format!(
                "mkdir -p $(dirname {place}/target/{name}) && cp {}/{file} {place}/target/{name}",
                target()
            ));
        }
        // What hosts are made of is a part of a mirror; the newest is the one in use.
        let archive =
            here("ls -dt ${VOLT_XTASK_CACHE:-/var/cache/volt-xtask}/archive-trixie-*/ | head -n 1");
        let said = here(&format!(
            "chown -R 65534:65534 {place} && cd {place} && unshare --net sh -c 'ip link set lo up && exec setpriv --reuid 65534 --regid 65534 --clear-groups \
             env -i HOME={place} PATH=/usr/bin:/bin CARGO_TARGET_DIR={place}/target target/xtask demo --no-build --mirror file://{archive}' 2>&1"
        ));
        assert!(said.contains("Not root: shown with proot"), "{said}");
        assert!(said.contains("All of it worked"), "{said}");
        here(&format!("rm -r {place}"));
    }
}

/// The programs that a demo needs: where they are built, and where xtask looks for them.
const PARTS: [(&str, &str); 3] = [
    ("debug/xtask", "xtask"),
    ("host/volt", "host/volt"),
    ("x86_64-unknown-linux-gnu/host/volt-init", "x86_64-unknown-linux-gnu/host/volt-init"),
];

/// The folder that cargo builds into.
fn target() -> String {
    here("dirname $(dirname $VOLT_XTASK)")
}

/// The Debian package, on a host of each suite that never saw Volt.
mod system_package_is_installed_used_upgraded_and_purged {
    #[test]
    fn t2_hosts() {
        volt_e2e::xtask(&["dist", "--check", "--profile", "host"]);
    }
}

/// Every bench measures each of its figures: one pair on little data, which says nothing of how fast.
mod system_benches_measure {
    #[test]
    fn t2_hosts() {
        for (bench, figures) in [("container", 10), ("store", 26), ("compose", 5), ("health", 3)] {
            let words =
                ["bench", bench, "--pairs", "1", "--profile", "host", "--no-build", "--json"];
            let output = volt_e2e::xtask_command().args(words).output().unwrap();
            let (said, lines) =
                (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
            assert!(output.status.success(), "{bench}: {said}\n{lines}");
            let lines: Vec<serde_json::Value> =
                lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(lines.len(), figures, "{lines:?}");
            for line in lines {
                assert!(!line["ours"].as_array().unwrap().is_empty(), "{line}\n{said}");
                assert_eq!(
                    line["theirs"] == serde_json::json!([]),
                    line["against"] == "",
                    "{line}\n{said}"
                );
            }
        }
    }
}
