//! Files into and out of containers.

use volt_e2e::on_hosts;

on_hosts! {
    fn container_copy_both_ways(host) {
        host.tiny();
        let _guard = host.container("cp");
        host.sh("rm -rf /tmp/cp && mkdir -p /tmp/cp/in/sub && echo one > /tmp/cp/in/a && echo two > /tmp/cp/in/sub/b && chmod 750 /tmp/cp/in/sub").ok();
        host.volt(&["container", "create", "--name", "cp", "tiny", "sleep", "1000"]).ok();
        // While it is stopped, and while it runs.
        for state in ["stopped", "running"] {
            host.volt(&["container", "copy", "/tmp/cp/in", &format!("cp:/{state}")]).ok();
            if state == "stopped" {
                host.volt(&["container", "start", "cp"]).ok();
            }
            assert_eq!(host.volt(&["container", "exec", "cp", "cat", &format!("/{state}/sub/b")]).ok(), "two");
            assert_eq!(host.volt(&["container", "exec", "cp", "stat", "-c", "%u:%g %a", &format!("/{state}/sub")]).ok(), "0:0 750");
            host.volt(&["container", "copy", &format!("cp:/{state}"), &format!("/tmp/cp/{state}")]).ok();
            host.sh(&format!("diff -r /tmp/cp/in /tmp/cp/{state}")).ok();
        }
        host.volt(&["container", "copy", "cp:/no/such", "/tmp/cp/x"]).fails(3);
    }
}

on_hosts! {
    fn container_copy_never_leaves_the_root(host) {
        host.tiny();
        let _guard = host.container("sly");
        host.sh("echo secret > /tmp/host-secret; rm -f /tmp/written").ok();
        host.volt(&["run", "-d", "--name", "sly", "tiny", "sh", "-c", "ln -s /tmp/host-secret /out; ln -s ../../../../../tmp /up; ln -s /proc/1/root/tmp /proc-up; sleep 1000"]).ok();
        host.until(std::time::Duration::from_secs(10), "volt container exec sly test -h /proc-up");
        let out = host.sh("volt container copy sly:/out - | tar xO 2>/dev/null");
        assert!(!out.stdout.contains("secret"), "{out:?}");
        for link in ["up", "proc-up"] {
            drop(host.sh(&format!("echo x > /tmp/payload; volt container copy /tmp/payload sly:/{link}/written")));
            host.sh("! test -e /tmp/written").ok();
        }
    }
}

on_hosts! {
    fn container_export_has_the_containers_own_ids(host) {
        host.tiny();
        let _guard = host.container("exp");
        host.volt(&["run", "-d", "--name", "exp", "tiny", "sh", "-c", "echo hi > /made; chown 1000:1000 /made; sleep 1000"]).ok();
        host.until(std::time::Duration::from_secs(10), "volt container exec exp test -s /made");
        let list = host.sh("volt container export exp | tar tvn --numeric-owner").ok();
        assert!(list.lines().any(|l| l.contains("1000/1000") && l.ends_with("made")), "{list}");
        assert!(list.lines().any(|l| l.contains("0/0") && l.contains("bin/busybox")), "{list}");
    }
}

on_hosts! {
    fn container_copy_names_what_it_leaves_out(host) {
        host.tiny();
        let _guard = host.container("special");
        host.volt(&["container", "create", "--name", "special", "tiny", "true"]).ok();
        host.sh("rm -rf /tmp/special && mkdir /tmp/special && mkfifo /tmp/special/pipe && echo x > /tmp/special/file").ok();
        let copied = host.volt(&["copy", "/tmp/special", "special:/srv"]);
        assert!(copied.code == 0 && copied.stderr.contains("/tmp/special/pipe"), "{copied:?}");
        assert!(host.volt(&["copy", "/tmp/special/pipe", "special:/srv"]).fails(2).contains("/tmp/special/pipe"));
        host.sh("rm -rf /tmp/back && mkdir /tmp/back && volt copy special:/srv /tmp/back && find /tmp/back -name file | grep -q file").ok();
    }
}
