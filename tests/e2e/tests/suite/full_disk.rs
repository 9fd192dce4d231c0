//! A full disk: what needs space is refused with exit code 11 and leaves nothing half made, and what frees space works all the same.

use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// Puts what Volt keeps, the audit trail too, on a small disk of its own.
fn lay_small_disk(host: &Host) {
    host.sh("systemctl stop volt.socket volt.service && truncate -s 96M /tmp/disk && mkfs.ext4 -q -m 0 /tmp/disk && mount -o loop /tmp/disk /var/lib/volt && mkdir /var/lib/volt/log && mount --bind /var/lib/volt/log /var/log/volt && systemctl start volt.socket").ok();
}

/// A tree that is larger than that disk, as a folder and at a registry.
fn serve_large_tree(host: &Host) {
    host.put("/usr/bin/docker-registry", "/tmp/docker-registry");
    host.sh("printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: /dev/shm/registry}}\nhttp: {addr: 127.0.0.1:5000}\n' > /tmp/registry.yml && systemd-run --unit registry /tmp/docker-registry serve /tmp/registry.yml").ok();
    host.until(Duration::from_secs(20), "curl -sf http://127.0.0.1:5000/v2/");
    host.sh("mkdir /dev/shm/large && cd /dev/shm/large && for n in $(seq 70); do head -c 1000000 /dev/urandom > $n; done && volt --root /dev/shm/there cas build --ref large . && volt --root /dev/shm/there cas push large 127.0.0.1:5000/trees/large:1 && rm -r /dev/shm/there").ok();
}

/// All there is on the disk, but for the trail, the log and what is kept back.
fn tree(host: &Host) -> String {
    host.sh("cd /var/lib/volt && find . -path ./lost+found -prune -o -path ./log -prune -o -name 'rest*' -o -name reserve -o -name upper -prune -o -name rootfs -prune -o -printf '%p %y\n' | sort").ok()
}

fn findings(host: &Host) -> serde_json::Value {
    host.volt(&["system", "check", "-o", "json"]).json()["findings"].clone()
}

on_hosts! {
    fn system_survives_a_full_disk(host) {
        let host = host.private("full");
        lay_small_disk(&host);
        host.tiny();
        host.volt(&["container", "create", "--name", "old", "tiny", "sleep", "1000"]).ok();
        host.sh("volt volume create data && volt volume delete data && volt snapshot create old one").ok();
        host.volt(&["run", "-d", "--name", "calm", "tiny", "sleep", "1000"]).ok();
        host.sh("head -c 40M /dev/zero > /var/lib/volt/rest").ok();
        let before = tree(&host);
        // Larger than the disk.
        for line in [
            format!("volt image import /srv/images/debian-{}.tar again", host.suite()),
            format!("volt image pull debian-minimal:{} --mirror file:///srv/mirror", host.suite()),
        ] {
            let said = host.sh(&line).fails(11);
            assert!(said.contains("The disk is full"), "{said}");
            assert_eq!(tree(&host), before, "{line}");
        }
        host.volt(&["run", "-d", "--name", "hog", "tiny", "sh", "-c", "cat /dev/zero > /fill; echo full; sleep 1000"]).ok();
        host.until(Duration::from_secs(20), "volt logs hog | grep -q full");
        // To the last block, and again before each command: what was given back by one would do for the next.
        let fill = "sync; dd if=/dev/zero bs=4k oflag=append,sync conv=notrunc of=/var/lib/volt/rest 2>/dev/null; while echo x 2>/dev/null > /var/lib/volt/rest.$(date +%N); do :; done; true";
        host.sh(fill).ok();
        let before = tree(&host);
        for line in [
            "volt container create --name new tiny true",
            "volt run --rm --name new tiny true",
            "volt image import /srv/images/tiny.tar again",
            "volt image pull debian-minimal --mirror file:///srv/mirror",
            "volt volume create data",
            "volt container update --memory 64M old",
            "volt container rename old older",
            "volt snapshot create old two",
            "volt snapshot restore old one",
            "volt container clone old new",
            "volt container commit old new",
            "volt container start old",
        ] {
            host.sh(fill).ok();
            let said = host.sh(line).fails(11);
            assert!(said.contains("The disk is full") && said.contains("volt system prune"), "{line}: {said}");
            assert_eq!(tree(&host), before, "{line}");
            assert_eq!(findings(&host), serde_json::json!([]), "{line}");
        }
        host.sh("! mountpoint -q /var/lib/volt/containers/old/rootfs && ! test -e /run/netns/volt-old").ok();
        let old = host.volt(&["container", "inspect", "old", "-o", "json"]).json();
        assert_eq!((&old["state"], old["limits"].get("memory")), (&"stopped".into(), None), "{old}");

        host.sh(fill).ok();
        host.volt(&["snapshot", "delete", "old", "one"]).ok();
        host.sh(fill).ok();
        host.volt(&["container", "stop", "hog"]).ok();
        let hog = host.volt(&["container", "inspect", "hog", "-o", "json"]).json();
        assert_eq!((&hog["state"], &hog["exit"]["code"]), (&"stopped".into(), &143.into()), "{hog}");
        host.sh(fill).ok();
        host.volt(&["container", "delete", "--force", "calm"]).ok();
        host.volt(&["container", "delete", "hog"]).ok();
        let trail = host.sh("tail -n 3 /var/log/volt/audit.log").ok();
        assert!(trail.lines().all(|line| line.contains("\"success\"")) && trail.lines().count() == 3, "{trail}");
        // There is space again, for work and to keep some back.
        host.volt(&["container", "start", "old"]).ok();
        host.sh("test -s /var/lib/volt/reserve -a -s /var/log/volt/reserve").ok();
        assert_eq!(findings(&host), serde_json::json!([]));
        host.volt(&["container", "delete", "--force", "old"]).ok();
        host.sh("systemctl stop volt.socket volt.service; umount /var/log/volt /var/lib/volt").ok();
    }
}

on_hosts! {
    fn cas_gives_a_full_disk_back(host) {
        let host = host.private("full-cas");
        serve_large_tree(&host);
        lay_small_disk(&host);
        host.tiny();
        host.sh("head -c 40M /dev/zero > /var/lib/volt/rest").ok();
        let before = tree(&host);
        for line in [
            "volt cas build --ref large /dev/shm/large",
            "volt cas pull --ref large 127.0.0.1:5000/trees/large:1",
        ] {
            let said = host.sh(line).fails(11);
            assert!(said.contains("The disk is full"), "{said}");
            assert_eq!(tree(&host), before, "{line}");
        }
        host.sh("systemctl stop volt.socket volt.service; umount /var/log/volt /var/lib/volt").ok();
    }
}
