//! Images.

use std::time::Duration;
use volt_e2e::on_hosts;

on_hosts! {
    fn image_import_list_tag_export_delete(host) {
        host.tiny();
        let _guard = host.container("imgc");
        host.sh("volt image delete one 2>/dev/null; volt image delete two 2>/dev/null; volt image delete back 2>/dev/null; true").ok();
        // A tree that no other image is.
        host.sh("mkdir -p /tmp/own && tar -xf /srv/images/tiny.tar -C /tmp/own && echo own > /tmp/own/own && tar -cf /tmp/own.tar -C /tmp/own .").ok();
        host.sh("zstd -qf /tmp/own.tar -o /tmp/own.tar.zst && volt image import /tmp/own.tar.zst one").ok();
        host.volt(&["image", "import", "/tmp/own.tar", "one"]).fails(4);
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
    fn image_pull_debian_from_the_hosts_own_sources(host) {
        let host = host.private("sources");
        let name = format!("debian-minimal:{}", host.suite());
        let pull = || host.volt(&["image", "pull", &name]);
        // None is Debian's own: nobody may be asked but whom debootstrap itself knows, and there is no way to them.
        host.sh("rm -rf /etc/apt/sources.list.d && mkdir /etc/apt/sources.list.d && ln -s /srv/mirror /srv/debian && \
                 echo 'deb http://127.0.0.1:2/ubuntu noble main' > /etc/apt/sources.list").ok();
        assert!(!pull().fails(8).contains("127.0.0.1:2"));
        // One line a source: what is a comment, has only sources, or is not Debian's is passed over.
        host.sh("printf '# deb http://127.0.0.1:3/debian x main\ndeb-src http://127.0.0.1:4/debian x main\ndeb [trusted=yes] http://127.0.0.1:5/debian x main\n' >> /etc/apt/sources.list").ok();
        assert!(pull().fails(8).contains("http://127.0.0.1:5/debian"));
        // In stanzas, of which the first is turned off; the configuration comes before them, and what is typed before that.
        host.sh(&format!("rm /etc/apt/sources.list && printf 'Enabled: no\nTypes: deb\nURIs: http://127.0.0.1:6/debian\nSuites: x\nComponents: main\n\n\
                 Types: deb deb-src\nURIs:\n file:///srv/debian\nSuites: {}\nComponents: main\n' > /etc/apt/sources.list.d/debian.sources", host.suite())).ok();
        host.volt(&["config", "set", "image.mirror", "http://127.0.0.1:7/debian"]).ok();
        assert!(pull().fails(8).contains("http://127.0.0.1:7/debian"));
        assert!(host.volt(&["image", "pull", &name, "--mirror", "http://127.0.0.1:8/debian"]).fails(8).contains("http://127.0.0.1:8/debian"));
        host.volt(&["config", "set", "image.mirror", ""]).ok();
        let output = pull();
        for step in ["Retrieving Packages", "Validating libc6", "Configuring libc6", "Storing"] {
            assert!(output.stderr.lines().any(|line| line.starts_with(step)), "{step}: {output:?}");
        }
        assert!(!output.stderr.contains(['\r', '\x1b']), "{output:?}");
        assert_eq!(output.ok(), name);
        let seen = host.volt(&["image", "inspect", &name, "-o", "json"]).json();
        assert!(seen["os"].as_str().unwrap().contains("Debian"), "{seen}");
        assert_eq!(host.volt(&["run", "--rm", &name, "sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"]).ok(), host.suite());
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn image_pull_debian_in_a_variant(host) {
        let suite = host.suite();
        let name = format!("debian:{suite}");
        drop(host.volt(&["image", "delete", &name]));
        let pull = |words: &[&str]| host.volt(&[&["image", "pull", &name, "--mirror", "file:///srv/mirror", "--force"], words].concat());
        let error = pull(&["--variant", "nonsense"]);
        assert_ne!(error.code, 0, "{error:?}");
        assert!(error.stderr.contains("unsupported variant"), "{error:?}");
        pull(&["--variant", "--help"]).fails(2);
        host.volt(&["image", "inspect", &name]).fails(3);
        // The mirror of a test host holds what a minimal system needs, and not what debootstrap's standard one has beyond that.
        pull(&["--variant", "minbase", "--include", "busybox-static"]).ok();
        let inside = |line: &str| host.volt(&["run", "--rm", "--name", "variant", &name, "sh", "-c", line]).ok();
        let states = inside("dpkg-query -W -f '${Package} ${Priority} ${db:Status-Status}\n'");
        assert!(states.contains("apt required installed") || states.contains("apt important installed"), "{states}");
        assert!(states.contains("busybox-static") && !states.contains("\nnano "), "{states}");
        host.volt(&["image", "delete", &name]).ok();
    }
}

on_hosts! {
    fn image_import_of_a_folder(host) {
        host.tiny();
        drop(host.sh("volt image delete folder; rm -rf /tmp/folder"));
        host.sh("mkdir -p /tmp/folder && cd /tmp/folder && tar xf /srv/images/tiny.tar && mkdir -m 1777 -p var/shared 'var/with space' \
            && echo content > var/file && ln var/file var/twin && ln -s ../etc/passwd var/link && chown 1000:2000 var/file && chmod 4750 var/file \
            && touch -d 2001-02-03T04:05:06Z var/file && mkfifo var/pipe && truncate -s 3M var/hole").ok();
        // Read by the server where it sees the same folder; and as an archive from one who may not name a path of the server's.
        host.sh("cd /tmp && volt image import ./folder folder").ok();
        host.sh("usermod --append --groups volt tester").ok();
        let mine = "setpriv --reuid tester --regid tester --init-groups volt image import /tmp/folder mine";
        let error = host.sh(mine).fails(5);
        assert!(error.contains("/tmp/folder/root: Permission denied"), "{error}");
        host.volt(&["image", "inspect", "mine"]).fails(3);
        host.sh("chmod -R a+rX /tmp/folder").ok();
        host.sh(mine).ok();
        assert_eq!(host.volt(&["run", "--rm", "--name", "from-mine", "mine", "stat", "-c", "%u:%g", "/var/file"]).ok(), "1000:2000");
        host.volt(&["image", "delete", "mine"]).ok();
        host.volt(&["image", "import", "/tmp/folder", "folder"]).fails(4);
        host.volt(&["image", "import", "--force", "/tmp/folder", "folder"]).ok();
        let list = |dir: &str| format!("cd {dir} && find . \\( -type d -printf '%p %m %U:%G %Ts\\n' \\) -o -printf '%p %y %m %U:%G %s %Ts %n %l\\n' | sort");
        host.sh(&format!("rm -rf /tmp/out && mkdir /tmp/out && volt image export folder | tar -x -C /tmp/out && ({}) > /tmp/out.list", list("/tmp/out"))).ok();
        host.sh(&format!("({}) > /tmp/own.list; diff /tmp/own.list /tmp/out.list", list("/tmp/folder"))).ok();
        let seen = host.volt(&["run", "--rm", "--name", "from-folder", "folder", "sh", "-c", "cat var/twin; stat -c '%a %u:%g %Y %h' var/file; readlink var/link"]).ok();
        assert_eq!(seen, "content\n4755 1000:2000 981173106 2\n../etc/passwd");
        let error = host.volt(&["image", "import", "/tmp/no-such-folder", "other"]);
        assert!(error.code == 3 && error.stderr.contains("/tmp/no-such-folder"), "{error:?}");
        host.volt(&["image", "delete", "folder"]).ok();
    }
}

on_hosts! {
    fn image_import_tells_how_far_it_is(host) {
        drop(host.volt(&["image", "delete", "told"]));
        // Something that takes its time, also on a quick machine.
        host.sh("mkdir -p /tmp/told/etc && head -c 600M /dev/urandom > /tmp/told/large && tar -C /tmp/told -cf /tmp/told.tar . && rm -r /tmp/told").ok();
        let archive = "/tmp/told.tar".to_owned();
        // At a terminal: a bar with what is done of what there is to do, how fast that goes, and how long it still takes.
        let mut screen = host.terminal(&["volt", "image", "import", &archive, "told"], 120, 30);
        screen.until("Unpacking [");
        screen.until(" MiB/");
        screen.until(" MiB (");
        screen.until(" MiB/s, ");
        screen.until(" left)");
        // All of it goes, and the answer stays.
        screen.until("\x1b[2Ktold");
        assert_eq!(screen.ends(), (0, "\r\n".to_owned()));
        // Elsewhere: a line a step, on standard error.
        let output = host.volt(&["image", "import", "--force", &archive, "told"]);
        assert!(output.stderr.starts_with("Unpacking\nStoring\n"), "{output:?}");
        assert!(!output.stderr.contains(['\r', '\x1b', '%']), "{output:?}");
        assert_eq!(output.ok(), "told");
        // And nothing where that is asked for, also at a terminal.
        let quiet = ["volt", "-q", "image", "import", "--force", &archive, "told"];
        assert_eq!(host.run(&quiet).stderr, "");
        assert_eq!(host.terminal(&quiet, 120, 30).ends(), (0, "told\r\n".to_owned()));
        host.sh("volt image delete told && rm /tmp/told.tar && volt cas gc").ok();
    }
}

on_hosts! {
    fn image_hostile_archives_leave_nothing(host) {
        let host = host.private("hostile");
        host.tiny();
        drop(host.volt(&["image", "delete", "bad"]));
        let all = "cd /var/lib/volt/cas && find refs objects roots variants quarantine tmp ../tmp /var/cache/volt '(' -type f ! -name collecting ! -name .gate -o -type d -name 'image-*' ')' 2>/dev/null | sort";
        let before = host.sh(all).ok();
        for name in ["../../../../tmp/climbed", "a/../../../tmp/climbed"] {
            host.sh(&format!("cd / && echo x > /tmp/climber && tar cPf /tmp/bad.tar --transform='s|.*|{name}|' /tmp/climber")).ok();
            let error = host.volt(&["image", "import", "/tmp/bad.tar", "bad"]).fails(12);
            assert!(error.contains("climb"), "{error}");
        }
        host.sh("head -c 100000 /dev/urandom > /tmp/noise; head -c 700000 /srv/images/tiny.tar > /tmp/short.tar").ok();
        // A folder too may be larger than anything, and cost its maker nothing.
        host.sh("rm -rf /tmp/vast && mkdir /tmp/vast && truncate -s 100G /tmp/vast/hole").ok();
        for file in ["/tmp/noise", "/tmp/short.tar", "/tmp/vast"] {
            let output = host.volt(&["image", "import", file, "bad"]);
            assert_ne!(output.code, 0, "{file}: {output:?}");
        }
        host.sh("! test -e /tmp/climbed").ok();
        assert_eq!(host.sh(all).ok(), before);
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

/// An image of two layers as an OCI layout in `/tmp/app`, made by hand of the host's own tools: the second takes away and adds.
const APP: &str = r#"
set -e
rm -rf /tmp/app /tmp/l1 /tmp/l2 && mkdir -p /tmp/app/blobs/sha256 /tmp/l1 /tmp/l2/data && cd /tmp
tar -xf /srv/images/tiny.tar -C l1 && echo gone > l1/gone && mkdir -p l1/data && echo from-the-image > l1/data/seed && chown 1000:1000 l1/data/seed
: > l2/.wh.gone; printf '#!/bin/sh\necho "$FLAVOUR $(id -u) $(pwd) $*"; cat /data/seed; test ! -e /gone; echo new > /data/new && ls /data | wc -l\n' > l2/entry && chmod 755 l2/entry
blob() { sum=$(sha256sum < $1 | cut -d' ' -f1); size=$(stat -c %s $1); mv $1 app/blobs/sha256/$sum; echo "\"digest\":\"sha256:$sum\",\"size\":$size"; }
tar -cf l1.tar -C l1 . && tar -cf l2.tar -C l2 .
d1=$(sha256sum < l1.tar | cut -d' ' -f1); d2=$(sha256sum < l2.tar | cut -d' ' -f1)
gzip -f l1.tar && zstd -qf --rm l2.tar
one=$(blob l1.tar.gz); two=$(blob l2.tar.zst)
cat > config.json <<END
{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/entry"],"Cmd":["one","two"],"Env":["FLAVOUR=oci"],"WorkingDir":"/usr",
"Volumes":{"/data":{}},"StopSignal":"SIGQUIT","ExposedPorts":{"80/tcp":{}}},"rootfs":{"type":"layers","diff_ids":["sha256:$d1","sha256:$d2"]}}
END
config=$(blob config.json)
echo "{\"schemaVersion\":2,\"config\":{$config},\"layers\":[{$one},{$two}]}" > manifest && manifest=$(blob manifest)
echo "{\"schemaVersion\":2,\"manifests\":[{$manifest}]}" > app/index.json
echo '{"imageLayoutVersion":"1.0.0"}' > app/oci-layout
"#;

on_hosts! {
    fn image_of_oci_and_docker_runs_as_it_says(host) {
        let host = host.private("oci");
        host.tiny();
        host.sh(APP).ok();
        let said = "oci 0 /usr one two\nfrom-the-image\n2";
        host.volt(&["image", "import", "/tmp/app", "layout"]).ok();
        assert_eq!(host.volt(&["run", "--rm", "layout"]).ok(), said);
        assert_eq!(host.volt(&["volume", "list", "-o", "name"]).ok(), "", "its volume went with it");
        host.sh("tar -cf /tmp/app.tar -C /tmp/app . && gzip -kf /tmp/app.tar && volt image import /tmp/app.tar.gz archive").ok();
        assert_eq!(host.volt(&["run", "--rm", "archive", "x"]).ok(), said.replace("one two", "x"));
        // With another entrypoint, or none, its arguments are not meant either.
        assert_eq!(host.volt(&["run", "--rm", "--entrypoint", "/bin/echo", "layout"]).ok(), "");
        assert_eq!(host.volt(&["run", "--rm", "--entrypoint", "/bin/echo", "layout", "x"]).ok(), "x");
        assert_eq!(host.volt(&["run", "--rm", "--entrypoint", "", "layout", "pwd"]).ok(), "/usr");
        for format in ["oci", "docker"] {
            host.sh(&format!("volt image export --format {format} --compress gzip layout > /tmp/back.tar && volt image import - back-{format} < /tmp/back.tar")).ok();
            let tree = |name: &str| host.volt(&["image", "inspect", name, "-o", "json"]).json()["tree"].clone();
            assert_eq!(tree(&format!("back-{format}")), tree("layout"));
            assert_eq!(host.volt(&["run", "--rm", &format!("back-{format}")]).ok(), said);
        }
        let seen = host.volt(&["image", "inspect", "back-oci", "-o", "json"]).json();
        assert_eq!((seen["stop_signal"].clone(), seen["exposed_ports"][0].clone()), ("SIGQUIT".into(), "80/tcp".into()), "{seen}");
        // A volume that is kept, one that is given, and none of the host's for a hostile image.
        host.volt(&["run", "--name", "kept", "layout"]).ok();
        let volume = host.volt(&["volume", "list", "-o", "name"]).ok();
        assert!(volume.starts_with("kept-"), "{volume}");
        host.volt(&["container", "delete", "kept"]).ok();
        host.volt(&["volume", "delete", &volume]).ok();
        host.sh("volt volume create own && echo mine > /var/lib/volt/volumes/own/_data/seed").ok();
        assert!(host.volt(&["run", "--rm", "-v", "own:/data", "layout"]).ok().contains("mine"));
        assert_eq!(host.volt(&["volume", "list", "-o", "name"]).ok(), "own");
        // One bit of a layer, and nothing is kept.
        let files = "find /var/lib/volt/cas/objects -type f | wc -l";
        let before = host.sh(&format!("volt cas gc >/dev/null; {files}")).ok();
        host.sh("f=$(ls -S /tmp/app/blobs/sha256/* | head -1); printf x | dd of=$f bs=1 seek=5000 conv=notrunc 2>/dev/null").ok();
        assert!(host.volt(&["image", "import", "/tmp/app", "bad"]).fails(12).contains("digest"));
        assert_eq!(host.sh(files).ok(), before);
        assert_eq!(host.volt(&["system", "check"]).code, 0);
    }
}
