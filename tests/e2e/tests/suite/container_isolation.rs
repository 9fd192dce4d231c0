//! What a container can and cannot do, seen from inside as its root.

use volt_e2e::{Host, on_hosts};

fn inside(host: &Host, name: &str, line: &str) -> String {
    host.volt(&["container", "exec", name, "sh", "-c", line]).ok()
}

on_hosts! {
    fn container_confinement_of_an_app(host) {
        host.tiny();
        let app = host.container("app");
        host.volt(&["run", "-d", "--name", "app", "tiny", "sleep", "1000"]).ok();
        let status = inside(host, "app", "cat /proc/self/status");
        let value = |key: &str| status.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default().trim().to_owned();
        // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP SETFCAP; low ports are open to all in its namespace.
        assert_eq!(value("CapBnd:"), "00000000800001fb");
        assert_eq!(value("CapEff:"), "00000000800001fb");
        assert_eq!(inside(host, "app", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), "0");
        assert_eq!(value("CapAmb:"), "0000000000000000");
        assert_eq!(value("NoNewPrivs:"), "1");
        assert_eq!(value("Seccomp:"), "2");
        assert_eq!(value("Uid:").split_whitespace().next(), Some("0"));

        for (what, line) in [
            ("mount", "mount -t tmpfs none /mnt"),
            ("write to sysctls", "echo 1 > /proc/sys/kernel/sysrq"),
            ("remount /sys", "mount -o remount,rw /sys"),
            ("make a device", "mknod /tmp/null c 1 3"),
            ("change the host name", "hostname other"),
            ("make a user namespace", "unshare -U true"),
            ("set the clock", "! date -s 2001-01-01 2>&1 | grep -q permitted"),
        ] {
            let output = host.volt(&["container", "exec", "app", "sh", "-c", line]);
            assert_ne!(output.code, 0, "it can {what}: {output:?}");
        }
        let base = app.inspect()["id_base"].as_u64().unwrap();
        assert!(base >= 524_288 && base.is_multiple_of(65_536), "{base}");
        let pid = app.inspect()["pid"].as_u64().unwrap();
        let outside = host.sh(&format!("awk '/^Uid:/ {{print $2}}' /proc/{pid}/status")).ok();
        assert_eq!(outside, base.to_string());
    }
}

on_hosts! {
    fn container_namespaces_are_its_own(host) {
        host.tiny();
        let own = host.container("own");
        host.volt(&["run", "-d", "--name", "own", "tiny", "sleep", "1000"]).ok();
        let pid = own.inspect()["pid"].as_u64().unwrap();
        for kind in ["mnt", "pid", "uts", "ipc", "net", "user", "cgroup"] {
            let line = format!("test $(readlink /proc/{pid}/ns/{kind}) != $(readlink /proc/1/ns/{kind})");
            assert_eq!(host.sh(&line).code, 0, "{kind} is the host's");
        }
        assert_eq!(inside(host, "own", "ls /sys/class/net"), "eth0\nlo");
        assert_eq!(inside(host, "own", "hostname"), "own");
        assert!(inside(host, "own", "ps | wc -l").trim().parse::<u32>().unwrap() < 8);
        assert!(inside(host, "own", "cat /sys/class/net/lo/flags").contains("0x9"), "loopback is down");
    }
}

on_hosts! {
    fn container_network_of_the_host(host) {
        host.tiny();
        let _guard = host.container("net");
        host.volt(&["run", "-d", "--name", "net", "--network", "host", "tiny", "sleep", "1000"]).ok();
        let own = host.sh("readlink /proc/1/ns/net").ok();
        assert_eq!(inside(host, "net", "readlink /proc/self/ns/net"), own);
    }
}

on_hosts! {
    fn container_image_is_never_written(host) {
        let host = host.private("writer");
        host.tiny();
        // Of every object and file of a root: what it is, and what is in it.
        let sum = "cd /var/lib/volt/cas && find objects variants roots -type f ! -path 'roots/locks/*' ! -name .gate -exec stat -c '%n %s %u %g %a %Y' {} + -exec sha256sum {} + | sort";
        let attack = r#"
            echo x > /bin/new
            find / -xdev -type f | grep -v ^/proc | while read -r f; do
                cat "$f" > /dev/null 2>&1; chmod u+w "$f"; chown 5:5 "$f"; touch "$f"; printf x | dd of="$f" conv=notrunc 2>/dev/null
                printf x >> "$f"; ln "$f" "$f.second"; mv "$f" "$f.moved"; printf y > "$f.second"; rm -f "$f.second"
            done 2>/dev/null
            cd /etc && echo done; rm -rf /etc /usr 2>/dev/null; true"#;
        for form in ["", "links"] {
            if !form.is_empty() {
                // As if the kernel could do no better.
                host.sh(&format!("echo {form} > /run/volt/root-form")).ok();
            }
            host.volt(&["run", "--rm", "tiny", "true"]).ok();
            let before = host.sh(sum).ok();
            assert_eq!(before.contains("/rootfs/"), form == "links" || !host.sh("cat /run/volt/root-form").ok().starts_with("image"), "{before}");
            let said = host.volt(&["run", "--name", "writer", "tiny", "sh", "-c", attack]).ok();
            assert_eq!(said, "done");
            assert_eq!(host.sh(sum).ok(), before, "the image changed");
            assert_eq!(host.sh("stat -c %u:%g /var/lib/volt/containers/writer/upper/bin/new.moved").ok(), "5:5");
            host.volt(&["container", "delete", "writer"]).ok();
            assert!(host.volt(&["cas", "verify"]).ok().contains("all good"));
        }
    }
}

on_hosts! {
    fn container_metadata_alone_is_copied_and_read_back_whole(host) {
        let host = host.private("meta");
        host.tiny();
        for form in ["", "links"] {
            if !form.is_empty() {
                host.sh(&format!("echo {form} > /run/volt/root-form")).ok();
            }
            host.volt(&["run", "--name", "meta", "tiny", "sh", "-c", "chmod 700 /bin/busybox; chown 5:5 /etc/passwd; mv /usr /usr2; mkdir /usr"]).ok();
            let upper = "/var/lib/volt/containers/meta/upper";
            // Only its attributes are in the writable layer; what reads it reads through the image.
            host.sh(&format!("set -- $(stat -c '%a %s %b' {upper}/bin/busybox) && test $1 = 700 && test $2 -gt 100000 && test $3 -le 8")).ok();
            let sum = host.sh("sha256sum < /srv/images/tiny/bin/busybox 2>/dev/null || tar -xOf /srv/images/tiny.tar ./bin/busybox | sha256sum").ok();
            host.sh("volt container export meta > /tmp/meta.tar && rm -rf /tmp/meta && mkdir /tmp/meta && tar -xpf /tmp/meta.tar --numeric-owner -C /tmp/meta").ok();
            assert_eq!(host.sh("sha256sum < /tmp/meta/bin/busybox").ok(), sum);
            assert_eq!(host.sh("stat -c '%a' /tmp/meta/bin/busybox; stat -c %u:%g /tmp/meta/etc/passwd; test -s /tmp/meta/etc/passwd && ls -d /tmp/meta/usr2").ok(), "700\n5:5\n/tmp/meta/usr2");
            host.sh("volt container cp meta:/bin/busybox /tmp/meta/copy").ok();
            assert_eq!(host.sh("sha256sum < /tmp/meta/copy").ok(), sum);
            // A writable layer works over the other form too: the kernel may be another after a boot.
            host.sh("if grep -q links /run/volt/root-form; then rm /run/volt/root-form; else echo links > /run/volt/root-form; fi").ok();
            host.volt(&["container", "start", "meta"]).ok();
            host.volt(&["container", "wait", "meta"]).ok();
            host.sh("volt container cp meta:/bin/busybox /tmp/meta/copy2").ok();
            assert_eq!(host.sh("sha256sum < /tmp/meta/copy2").ok(), sum);
            host.volt(&["container", "delete", "meta"]).ok();
        }
    }
}

on_hosts! {
    fn container_read_only_and_tmpfs(host) {
        host.tiny();
        let _guard = host.container("ro");
        host.volt(&["run", "-d", "--name", "ro", "--read-only", "--tmpfs", "/scratch:size=1M", "tiny", "sleep", "1000"]).ok();
        assert_ne!(host.volt(&["container", "exec", "ro", "touch", "/etc/x"]).code, 0);
        inside(host, "ro", "echo x > /scratch/x");
        assert_ne!(host.volt(&["container", "exec", "ro", "dd", "if=/dev/zero", "of=/scratch/big", "bs=1M", "count=3"]).code, 0);
    }
}

on_hosts! {
    fn container_capabilities_and_user(host) {
        host.tiny();
        let _guard = host.container("caps");
        host.volt(&["run", "-d", "--name", "caps", "--cap-drop", "ALL", "--cap-add", "NET_RAW", "tiny", "sleep", "1000"]).ok();
        assert!(inside(host, "caps", "grep CapBnd /proc/self/status").ends_with("0000000000002000"));
        let _user = host.container("user");
        host.volt(&["run", "-d", "--name", "user", "--user", "app", "tiny", "sleep", "1000"]).ok();
        assert_eq!(inside(host, "user", "id -u"), "1000");
        assert!(inside(host, "user", "grep CapEff /proc/self/status").ends_with("0000000000000000"));
        assert_eq!(inside(host, "user", "echo through > /dev/stdout"), "through");
        host.volt(&["container", "create", "--name", "x", "--cap-add", "NONSENSE", "tiny", "true"]).fails(2);
    }
}

on_hosts! {
    fn container_reaches_no_machine_by_vsock(host) {
        host.debian();
        let _guard = host.container("families");
        host.volt(&["run", "-d", "--name", "families", "debian", "sleep", "1000"]).ok();
        // AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, and then AF_VSOCK.
        for (family, allowed) in [(1, true), (2, true), (10, true), (16, true), (40, false)] {
            let kind = if family == 16 { 3 } else { 1 };
            let script = format!("socket(S, {family}, {kind}, 0) or die $!");
            let output = host.volt(&["container", "exec", "families", "perl", "-e", &script]);
            assert_eq!(output.code == 0, allowed, "{family}: {output:?}");
            if !allowed {
                assert!(output.stderr.contains("Operation not permitted"), "{output:?}");
            }
        }
    }
}
