//! Images.

use std::time::Duration;
use volt_e2e::on_hosts;

on_hosts! {
    fn image_import_list_tag_export_delete(host) {
        host.tiny();
        let _guard = host.container("imgc");
        host.sh("volt image delete one 2>/dev/null; volt image delete two 2>/dev/null; volt image delete back 2>/dev/null; true").ok();
        host.sh("zstd -qf /srv/images/tiny.tar -o /tmp/tiny.tar.zst && volt image import /tmp/tiny.tar.zst one").ok();
        host.volt(&["image", "import", "/srv/images/tiny.tar", "one"]).fails(4);
        host.volt(&["image", "tag", "one", "two"]).ok();
        let seen = host.volt(&["image", "inspect", "two", "-o", "json"]).json();
        assert!(seen["size"].as_u64().unwrap() > 100_000, "{seen}");
        host.volt(&["container", "create", "--name", "imgc", "two", "true"]).ok();
        host.volt(&["image", "delete", "one"]).ok();
        let used = host.volt(&["image", "delete", "two"]).fails(9);
        assert!(used.contains("imgc"), "{used}");
        host.volt(&["container", "delete", "imgc"]).ok();
        host.sh("volt image export two > /tmp/two.tar && volt image import - back < /tmp/two.tar && volt image export back | cmp - /tmp/two.tar").ok();
        host.volt(&["image", "delete", "two"]).ok();
        host.volt(&["image", "delete", "back"]).ok();
        host.volt(&["image", "inspect", "two"]).fails(3);
        assert!(host.volt(&["image", "list", "-o", "name"]).ok().contains("tiny"));
    }
}

on_hosts! {
    fn image_pull_debian(host) {
        let suite = if host.name().contains("bookworm") { "bookworm" } else { "trixie" };
        let name = format!("debian-minimal:{suite}");
        drop(host.volt(&["image", "delete", &name]));
        host.volt(&["image", "pull", &name, "--mirror", "file:///srv/mirror"]).ok();
        let seen = host.volt(&["image", "inspect", &name, "-o", "json"]).json();
        assert!(seen["os"].as_str().unwrap().contains("Debian"), "{seen}");
        assert_eq!(host.volt(&["run", "--rm", &name, "sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"]).ok(), suite);
        host.volt(&["image", "delete", &name]).ok();
    }
}

on_hosts! {
    fn image_hostile_archives_leave_nothing(host) {
        let host = host.private("hostile");
        host.tiny();
        drop(host.volt(&["image", "delete", "bad"]));
        let before = host.sh("find /var/lib/volt/images /var/lib/volt/tmp | sort | sha256sum").ok();
        for name in ["../../../../tmp/climbed", "a/../../../tmp/climbed"] {
            host.sh(&format!("cd / && echo x > /tmp/climber && tar cPf /tmp/bad.tar --transform='s|.*|{name}|' /tmp/climber")).ok();
            let error = host.volt(&["image", "import", "/tmp/bad.tar", "bad"]).fails(12);
            assert!(error.contains("climb"), "{error}");
        }
        host.sh("head -c 100000 /dev/urandom > /tmp/noise; head -c 700000 /srv/images/tiny.tar > /tmp/short.tar").ok();
        for file in ["/tmp/noise", "/tmp/short.tar"] {
            let output = host.volt(&["image", "import", file, "bad"]);
            assert_ne!(output.code, 0, "{file}: {output:?}");
        }
        host.sh("! test -e /tmp/climbed").ok();
        assert_eq!(host.sh("find /var/lib/volt/images /var/lib/volt/tmp | sort | sha256sum").ok(), before);
    }
}

on_hosts! {
    fn image_pull_that_is_broken_off_leaves_nothing(host) {
        // Where nobody else pulls.
        let host = host.private("broken");
        // A mirror that takes requests and never answers.
        let mirror = "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8099', Listen => 9, ReuseAddr => 1) or die; \
                      my @all; while (my $c = $s->accept) { push @all, $c }";
        host.run(&["systemd-run", "--quiet", "--collect", "--unit=hanging-mirror", "perl", "-e", mirror]).ok();
        host.until(Duration::from_secs(5), "ss -Hltn 'sport = :8099' | grep -q . || grep -q 1FA3 /proc/net/tcp");
        let suite = host.suite();
        let pull = format!("timeout -s INT 3 volt image pull debian:{suite} --force --mirror http://127.0.0.1:8099/debian");
        // It was under way until then.
        assert_eq!(host.sh(&pull).code, 124);
        host.until(Duration::from_secs(10), "! pgrep -x debootstrap && ! pgrep wget");
        host.until(Duration::from_secs(10), "! ls -d /var/lib/volt/tmp/image-* 2>/dev/null | grep .");
        host.run(&["systemctl", "stop", "hanging-mirror"]).ok();
    }
}
