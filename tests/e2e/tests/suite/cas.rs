//! The content-addressed store.

use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// A Debian root with all that makes roots hard to keep, below `/var/tmp/PLACE/root`.
const ROOT: &str = r#"
set -e
mkdir -p root && cd root
tar -xpf /srv/images/debian-$SUITE.tar --numeric-owner
mkdir -p odd && cd odd
perl -e 'open my $f, ">", "no\xfftext\n\\" or die; print $f "odd"; close $f; open my $g, ">", "n" x 255 or die'
touch -d '1969-12-31 23:59:58.123456789 UTC' old; touch -d '2030-01-01 00:00:00.000000001 UTC' .
cp /bin/true suid; chmod 4755 suid; cp /bin/true sgid; chgrp 33 sgid; chmod 2755 sgid; mkdir sticky; chmod 1777 sticky
chown 1000:4000000000 old
mkfifo pipe; mknod null c 1 3; mknod loop b 7 200; chmod 600 null; chown 3:4 loop
cp /bin/true capable
perl -e '
  sub set { my ($file, $name, $value) = @_; syscall(188, $file, $name, $value, length $value, 0) == 0 or die "$file $name: $!" }
  set("capable", "security.capability", pack("V5", 0x02000001, 0x400, 0, 0, 0));
  my $acl = pack("V", 2) . join "", map { pack("vvV", @$_) } [1,6,0xffffffff], [2,4,1000], [4,4,0xffffffff], [16,4,0xffffffff], [32,4,0xffffffff];
  set($_, "system.posix_acl_access", $acl) for qw(old pipe null loop); set("sticky", "system.posix_acl_default", $acl);
  set("old", "user.note", "a\0b\n=c");'
ln suid suid-too; ln -s nowhere dangling; ln dangling dangling-too; ln pipe pipe-too
perl -e 'socket(S, 1, 1, 0) && bind(S, pack("S a*", 1, "a-socket")) or die'; ln a-socket b-socket
truncate -s 20M hollow; truncate -s 20M middle; echo data | dd of=middle bs=4096 seek=1000 conv=notrunc status=none
head -c 5000000 /dev/urandom > large
perl -e 'my $d = "d" x 200; for (1..19) { mkdir $d or die; chdir $d or die } open my $f, ">", "deep" or die; print $f "deep"'
"#;

/// All that a folder has, as the kernel tells it: by no reader of Volt's. Sockets, which no archive has, are passed over.
const TELL: &str = r#"
import hashlib, os, stat, sys
os.chdir(sys.argv[1])
seen = {}
def tell(path):
    s = os.lstat(path)
    if stat.S_ISSOCK(s.st_mode): return
    same, what = seen.setdefault((s.st_dev, s.st_ino), path), b''
    if stat.S_ISREG(s.st_mode): what = (s.st_size, hashlib.sha256(open(path, 'rb').read()).hexdigest(), s.st_blocks * 512 < s.st_size)
    if stat.S_ISLNK(s.st_mode): what = os.readlink(path)
    if stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode): what = s.st_rdev
    names = sorted(os.listxattr(path, follow_symlinks=False))
    values = [(name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in names]
    print(path, oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, same, what, values)
    if stat.S_ISDIR(s.st_mode):
        for name in sorted(os.listdir(path)): tell(path + b'/' + name)
tell(b'.')
"#;

/// Makes the root; a folder of the test's own with it.
fn debian_root(host: &Host, place: &str) -> String {
    let dir = format!("/var/tmp/{place}");
    let suite = host.suite();
    host.sh(&format!("rm -rf {dir} && mkdir {dir} && cd {dir} && SUITE={suite} && {ROOT}")).ok();
    dir
}

on_hosts! {
    fn cas_round_trip_of_a_debian_root(host) {
        let dir = debian_root(host, "casround");
        let built = host.volt(&["cas", "build", "--ref", "round/root:1", &format!("{dir}/root"), "-o", "json"]).json();
        assert!(built["entries"].as_u64().unwrap() > 3000, "{built}");
        let left: Vec<_> = built["left_out"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        assert!(left.len() == 2 && left[0].contains("odd/a-socket") && left[1].contains("odd/b-socket"), "{built}");
        host.sh(&format!("cd {dir} && volt cas export --file one.tar round/root:1 && volt cas export round/root:1 | cmp - one.tar")).ok();
        host.sh(&format!("cd {dir} && mkdir back && tar -xpf one.tar --numeric-owner --xattrs --xattrs-include='*' -C back")).ok();
        host.run_with(&["sh", "-c", &format!("cat > {dir}/tell")], TELL.as_bytes()).ok();
        host.sh(&format!("cd {dir} && python3 tell root > was && python3 tell back > is && diff was is")).ok();
        for (file, what) in [("odd/capable", "security.capability"), ("odd/old", "system.posix_acl_access"), ("odd/old", "user.note"), ("odd/pipe", "system.posix_acl_access"), ("odd/null", "system.posix_acl_access"), ("odd/suid", "0o104755")] {
            host.sh(&format!("grep -F \"b'./{file}'\" {dir}/is | grep -qF {what}")).ok();
        }
        let back = host.volt(&["cas", "build", "--ref", "round/back", &format!("{dir}/back"), "-o", "json"]).json();
        let differences = host.volt(&["cas", "diff", "round/root:1", "round/back"]).ok();
        assert_eq!(differences, "No difference.");
        assert_eq!(back["tree"], built["tree"]);
        assert_eq!(back["new"], 0);
        // As an image it is the same tree, but for its devices.
        host.volt(&["image", "import", "stellarium://round/root:1", "round/image"]).ok();
        let lost = host.volt(&["cas", "diff", "round/root:1", "images/round/image"]).ok();
        assert!(lost.ends_with("- odd/loop\n- odd/null") && lost.lines().all(|line| line.starts_with("- dev/") || line.starts_with("- odd/")), "{lost}");
        host.volt(&["image", "import", "stellarium://round/none", "round/image", "--force"]).fails(3);
        let devices = host.volt(&["image", "inspect", "stellarium://round/root:1"]).fails(2);
        assert!(devices.contains("has devices, such as") && devices.contains("image import"), "{devices}");
        host.volt(&["image", "delete", "round/image"]).ok();
        // What people see of it.
        let look = |path: &str| host.volt(&["cas", "ls", "round/root:1", path, "-o", "json"]).json()[0].clone();
        assert_eq!((look("odd/suid-too")["mode"].clone(), look("odd/suid-too")["same_as"].clone()), ("4755".into(), "odd/suid".into()));
        assert_eq!(look("odd/loop")["kind"], "block device");
        assert_eq!(look("odd/old")["modified"], "1969-12-31T23:59:58.123456789Z");
        assert_eq!(look("odd/old")["gid"], 4_000_000_000_u64);
        assert_eq!(host.volt(&["cas", "cat", "round/root:1", r"odd/no\xfftext\x0a\\"]).ok(), "odd");
        let deep = ["odd".to_owned()].into_iter().chain(std::iter::repeat_n("d".repeat(200), 19)).chain(["deep".to_owned()]);
        assert_eq!(host.volt(&["cas", "cat", "round/root:1", &deep.collect::<Vec<_>>().join("/")]).ok(), "deep");
        assert!(host.volt(&["cas", "cat", "round/root:1", "etc/os-release"]).ok().contains("Debian"));
        assert_eq!(host.volt(&["cas", "cat", &format!("stellarium://{}", look(r"odd/no\xfftext\x0a\\")["digest"].as_str().unwrap())]).ok(), "odd");
        host.volt(&["cas", "cat", "round/root:1", "odd"]).fails(2);
        host.volt(&["cas", "cat", "round/root:1", "no/such"]).fails(3);
        host.volt(&["cas", "ls", "no-such-tree"]).fails(3);
        host.volt(&["cas", "delete", "round/root:1", "round/back"]).ok();
        host.volt(&["cas", "delete", "round/back"]).fails(3);
        host.sh(&format!("rm -rf {dir}")).ok();
    }
}

on_hosts! {
    fn cas_status_list_dedup_diff_gc(host) {
        let host = host.private("cas");
        assert_eq!(host.volt(&["cas", "status"]).ok(), "0 trees, 0 logical, 0 stored\n0 objects, 0 on disk");
        host.sh("mkdir -p /var/tmp/t/a && cd /var/tmp/t && head -c 1000000 /dev/urandom > a/x && echo one > y && sleep 0.2").ok();
        host.volt(&["cas", "build", "/var/tmp/t"]).ok();
        let again = host.volt(&["cas", "build", "/var/tmp/t", "--ref", "again", "-o", "json"]).json();
        assert_eq!(again["new"], 0, "{again}");
        host.sh("cd /var/tmp/t && echo two > y && ln -s y z && rm -f /tmp/k && sleep 0.2").ok();
        let third = host.volt(&["cas", "build", "/var/tmp/t", "--ref", "third", "-o", "json"]).json();
        assert_eq!(third["new"], 4, "{third}");
        assert_eq!(host.volt(&["cas", "list", "-o", "name"]).ok(), "again\nt\nthird");
        let status = host.volt(&["cas", "status", "-o", "json"]).json();
        assert_eq!((status["refs"].clone(), status["trees"].clone()), (3.into(), 2.into()), "{status}");
        assert_eq!(status["logical"], 2_000_008);
        assert!(status["on_disk"].as_u64() >= status["stored"].as_u64(), "{status}");
        assert!(host.volt(&["cas", "status"]).ok().contains("2 trees, 1.9M logical, 97"));
        let dedup = host.volt(&["cas", "dedup", "-o", "json"]).json();
        assert_eq!((dedup["pairs"][0]["files"].clone(), dedup["pairs"][0]["bytes"].clone()), (1.into(), 1_000_000.into()), "{dedup}");
        let changes = host.volt(&["cas", "diff", "t", "third"]).ok();
        assert!(changes.contains("~ y (content, time)") && changes.contains("+ z"), "{changes}");
        // Only root stores, and what it does is in the trail.
        assert!(host.volt(&["audit", "list", "--action", "cas."]).ok().contains("third"));
        host.volt(&["cas", "delete", "third"]).ok();
        let would = host.volt(&["cas", "gc", "--dry-run", "-o", "json"]).json();
        assert_eq!(would["objects"], 2, "{would}");
        let df = host.volt(&["system", "df", "-o", "json"]).json();
        let row = df.as_array().unwrap().iter().find(|row| row["kind"] == "cas").unwrap().clone();
        assert_eq!((row["count"].clone(), row["reclaimable"].clone()), (5.into(), would["on_disk"].clone()), "{df}");
        assert!(host.volt(&["system", "prune", "--dry-run"]).ok().contains("cas 2 objects"));
        assert_eq!(host.volt(&["cas", "gc", "-o", "json"]).json()["objects"], 2);
        assert_eq!(host.volt(&["cas", "gc", "-o", "json"]).json()["objects"], 0);
        host.volt(&["cas", "verify"]).ok();
        host.volt(&["cas", "build", "/no/such"]).fails(3);
        host.volt(&["cas", "build", "/etc/passwd"]).fails(2);
        let hint = host.sh("mkdir -p '/var/tmp/a b' && volt cas build '/var/tmp/a b'").fails(2);
        assert!(hint.contains("--ref"), "{hint}");
        host.volt(&["cas", "build", "/var/lib/volt"]).fails(2);
    }
}

on_hosts! {
    fn cas_verify_names_damage_and_repairs_it(host) {
        let host = host.private("casbad");
        host.sh("mkdir -p /var/tmp/t/a && cd /var/tmp/t && head -c 9000000 /dev/urandom > large && echo one > a/one && ln a/one two && echo other > other && cp -a /var/tmp/t /var/tmp/copy").ok();
        host.volt(&["cas", "build", "/var/tmp/t"]).ok();
        let object = |path: &str| {
            let seen = host.volt(&["cas", "ls", "t", path, "-o", "json"]).json();
            let digest = seen[0]["digest"].as_str().unwrap().trim_start_matches("blake3:").to_owned();
            format!("/var/lib/volt/cas/objects/{}/{digest}", &digest[..2])
        };
        assert_eq!(host.sh("stat -c '%a %U' /var/lib/volt/cas/objects").ok(), "700 root");
        assert_eq!(host.sh(&format!("stat -c %U {}", object("large"))).ok(), "root");
        let flip = |path: &str| host.sh(&format!("perl -e 'open my $f, \"+<\", $ARGV[0] or die; my $at = (-s $f) - 1; seek $f, $at, 0; read $f, my $c, 1; seek $f, $at, 0; print $f chr(ord($c) ^ 1)' {}", object(path))).ok();
        for (path, how) in [("a/one", "flip"), ("large", "flip"), ("large", "cut"), ("other", "remove")] {
            let file = object(path);
            match how {
                "flip" => drop(flip(path)),
                "cut" => drop(host.sh(&format!("truncate -s -1 {file}")).ok()),
                _ => drop(host.sh(&format!("rm {file}")).ok()),
            }
            // Never silently: not to standard output, not to a file.
            let error = host.sh(&format!("volt cas cat t {path} > /tmp/out"));
            // What breaks off behind its first bytes can't say why.
            assert_eq!(error.code, if (path, how) == ("large", "flip") { 6 } else { 1 }, "{error:?}");
            assert!(error.stderr.contains("damaged"), "{how} {path}: {error:?}");
            assert_ne!(host.sh("rm -f /tmp/t.tar; volt cas export --file /tmp/t.tar t").code, 0);
            host.sh("! test -e /tmp/t.tar").ok();
            assert_ne!(host.sh("volt cas export t > /tmp/t.tar").code, 0);
            let found = host.volt(&["cas", "verify"]);
            assert_eq!(found.code, 1, "{found:?}");
            assert!(found.stdout.contains("1 object damaged") && found.stdout.contains(&format!("t: {path}")), "{found:?}");
            assert_eq!(found.stdout.contains("in quarantine"), how != "remove", "{found:?}");
            let repaired = host.volt(&["cas", "verify", "--repair", "/var/tmp/copy"]).ok();
            assert!(repaired.contains("all good again"), "{repaired}");
            assert!(host.volt(&["cas", "verify"]).ok().contains("all good"));
            host.sh(&format!("volt cas cat t {path} | cmp - /var/tmp/t/{path}")).ok();
        }
        // The tree itself: nothing goes while it can't be read.
        let tree = host.volt(&["cas", "list", "-o", "json"]).json()[0]["tree"].as_str().unwrap().trim_start_matches("blake3:").to_owned();
        host.sh(&format!("truncate -s 5 /var/lib/volt/cas/objects/{}/{tree}", &tree[..2])).ok();
        assert!(host.volt(&["cas", "gc"]).fails(1).contains("volt cas verify"));
        assert!(host.volt(&["cas", "verify"]).stdout.contains("the whole tree"));
        assert!(host.volt(&["cas", "verify", "--repair"]).ok().contains("all good again"));
        host.volt(&["cas", "gc"]).ok();
        host.sh("! ls /var/lib/volt/cas/quarantine/*").ok();
        // What a killed command leaves is found and mended.
        host.sh("boot=$(tr -d - < /proc/sys/kernel/random/boot_id); cd /var/lib/volt/cas/tmp && echo x > object-4000001-0 && : > lease-$boot-4000001-0").ok();
        let seen = host.volt(&["system", "check", "-o", "json"]);
        assert_eq!((seen.code, seen.stdout.matches("4000001").count()), (1, 2), "{seen:?}");
        host.volt(&["system", "check", "--repair"]).ok();
        host.volt(&["system", "check"]).ok();
    }
}

on_hosts! {
    fn cas_verify_once_a_week_in_the_background(host) {
        let host = host.private("casscrub");
        assert_eq!(host.sh("systemctl is-active volt-scrub.timer && systemctl is-enabled volt-scrub.timer").ok(), "active\nenabled");
        host.sh("mkdir /var/tmp/t && echo one > /var/tmp/t/one && volt cas build /var/tmp/t && systemctl start volt-scrub.service").ok();
        // The journal takes its time, and what a process said that is gone by then bears its unit's name only.
        let says = |words: &str| host.until(Duration::from_secs(30), &format!("journalctl -o cat _SYSTEMD_UNIT=volt-scrub.service | tail -n 1 | grep -Ex '{words}'"));
        says("2 objects, [0-9]+ bytes read; 0 damaged");
        host.sh("for f in /var/lib/volt/cas/objects/*/*; do if [ $(stat -c %s $f) = 4 ]; then printf two\\\\n > $f; fi; done").ok();
        let line = "timeout 20 volt events --kind object -o json > /tmp/events & p=$!; sleep 1; ! systemctl start volt-scrub.service 2>&1; sleep 1; kill $p; cat /tmp/events";
        let events = host.sh(line).ok();
        assert!(events.contains("\"quarantined\"") && events.contains("\"blake3:"), "{events}");
        says("2 objects, [0-9]+ bytes read; 1 damaged");
        assert_eq!(host.sh("journalctl -o cat -p err _SYSTEMD_UNIT=volt-scrub.service | grep -c 'blake3.* it is not what its name says: t; '").ok(), "1");
        host.sh("volt cas verify --repair && systemctl start volt-scrub.service").ok();
        says("2 objects, [0-9]+ bytes read; 0 damaged");
    }
}

on_hosts! {
    fn cas_gc_beside_those_who_store(host) {
        let host = host.private("casgc");
        host.sh("for i in 1 2 3; do mkdir -p /var/tmp/w$i; for n in $(seq 60); do echo $n > /var/tmp/w$i/$n; done; done").ok();
        let writer = "for round in $(seq 15); do echo $round-$i > /var/tmp/w$i/new; volt cas build /var/tmp/w$i >/dev/null || exit 1; volt cas export w$i > /dev/null || exit 2; done";
        let line = format!("for i in 1 2 3; do ({writer}) & writers=\"$writers $!\"; done; (while ! test -e /tmp/over; do volt cas gc >/dev/null || exit 3; done) & gc=$!; code=0; for w in $writers; do wait $w || code=$?; done; touch /tmp/over; wait $gc || code=$?; exit $code");
        host.sh(&line).ok();
        assert!(host.volt(&["cas", "verify"]).ok().contains("3 trees: all good"));
        assert_eq!(host.volt(&["system", "check"]).code, 0);
    }
}

on_hosts! {
    fn cas_damage_reaches_no_container(host) {
        let host = host.private("casroot");
        host.tiny();
        host.volt(&["image", "tag", "tiny", "other"]).ok();
        for form in ["", "links"] {
            if !form.is_empty() {
                host.sh(&format!("echo {form} > /run/volt/root-form")).ok();
            }
            host.volt(&["run", "--name", "one", "tiny", "true"]).ok();
            let seen = host.volt(&["cas", "ls", "images/tiny", "bin/busybox", "-o", "json"]).json();
            let digest = seen[0]["digest"].as_str().unwrap().trim_start_matches("blake3:").to_owned();
            let object = format!("/var/lib/volt/cas/objects/{}/{digest}", &digest[..2]);
            host.sh(&format!("cp -a {object} /tmp/good")).ok();
            let flip = format!("perl -e 'open my $f, \"+<\", $ARGV[0] or die; seek $f, 5000, 0; read $f, my $c, 1; seek $f, 5000, 0; print $f chr(ord($c) ^ 1)' {object}");
            for harm in [flip, format!("truncate -s -1 {object}"), format!("rm {object}")] {
                // What a boot does: nothing counts as read any more.
                host.sh(&format!("{harm}; rm -rf /var/lib/volt/cas/index/checked-*")).ok();
                let error = host.volt(&["container", "start", "one"]);
                if error.code == 0 {
                    // A root of hard links may have a file of its own, which is good.
                    assert!(host.sh("cat /run/volt/root-form").ok().starts_with("links"), "{harm}: {error:?}");
                    host.volt(&["container", "wait", "one"]).ok();
                    host.sh("volt container cp one:/bin/busybox /tmp/out && cmp /tmp/out /tmp/good").ok();
                } else {
                    assert_eq!(error.code, 1, "{harm}: {error:?}");
                    for word in [&digest, "bin/busybox", "images/tiny", "images/other", "container one"] {
                        assert!(error.stderr.contains(word), "{word}: {error:?}");
                    }
                    host.volt(&["run", "--rm", "other", "true"]).fails(1);
                }
                let found = host.volt(&["cas", "verify"]);
                assert_eq!(found.code, 1, "{found:?}");
                assert!(found.stdout.contains("container one: ") && found.stdout.contains("images/other:latest: "), "{found:?}");
                host.sh("rm -rf /tmp/back && mkdir /tmp/back && cp /tmp/good /tmp/back/ && volt cas verify --repair /tmp/back").ok();
                host.volt(&["container", "start", "one"]).ok();
                host.volt(&["container", "wait", "one"]).ok();
            }
            if form == "links" {
                // What is gone from among the objects, a root of hard links still has.
                host.sh(&format!("rm {object} && volt cas verify --repair && cmp {object} /tmp/good")).ok();
            }
            host.volt(&["container", "delete", "one"]).ok();
        }
        // What is damaged of a root itself is made again.
        host.sh("for f in /var/lib/volt/cas/roots/*/rootfs/bin/busybox; do cp -p $f /tmp/good && rm $f && cp -p /tmp/good $f && echo x >> $f; done").ok();
        host.sh("rm -rf /var/lib/volt/cas/index/checked-*; volt run --rm tiny cat /bin/busybox | cmp - /tmp/good").ok();
        host.sh("for f in /var/lib/volt/cas/roots/*.erofs; do test -e $f && echo x > $f; done; rm -rf /var/lib/volt/cas/index/checked-*; rm /run/volt/root-form").ok();
        host.volt(&["run", "--rm", "tiny", "true"]).ok();
    }
}

on_hosts! {
    fn cas_speaks_of_images_and_containers(host) {
        let host = host.private("casimg");
        host.tiny();
        host.sh("volt image export tiny | zstd -q > /tmp/two.tar.zst && volt image import /tmp/two.tar.zst two").ok();
        let tree = |name: &str| host.volt(&["image", "inspect", name, "-o", "json"]).json()["tree"].clone();
        assert_eq!(tree("two"), tree("tiny"), "the same tree has the same name");
        assert_eq!(host.volt(&["cas", "list", "-o", "name"]).ok(), "images/tiny:latest\nimages/two:latest");
        assert!(host.volt(&["cas", "cat", "images/two", "etc/passwd"]).ok().contains("root"));
        host.volt(&["run", "--name", "stays", "two", "true"]).ok();
        host.volt(&["image", "delete", "tiny"]).ok();
        host.volt(&["image", "delete", "two"]).fails(9);
        host.sh("mkdir /tmp/empty && volt image import /tmp/empty two --force && volt cas gc").ok();
        // Nothing but the container has its tree any more.
        host.volt(&["container", "start", "stays"]).ok();
        host.volt(&["container", "wait", "stays"]).ok();
        let before = host.volt(&["cas", "status", "-o", "json"]).json()["objects"].as_u64().unwrap();
        assert!(before > 2, "{before}");
        host.volt(&["container", "delete", "stays"]).ok();
        host.volt(&["cas", "gc"]).ok();
        assert_eq!(host.volt(&["cas", "status", "-o", "json"]).json()["objects"], 1);
        host.sh("! ls /var/lib/volt/cas/roots | grep -E '^[0-9a-f]{64}$|erofs' | grep -v $(volt image inspect two -o json | grep -o 'blake3:[0-9a-f]*' | cut -d: -f2)").ok();
        assert_eq!(host.volt(&["system", "check"]).code, 0);
    }
}

on_hosts! {
    fn cas_trees_stand_where_images_do(host) {
        let host = host.private("casurl");
        host.tiny();
        host.sh("mkdir /tmp/t && volt image export tiny | tar -x -C /tmp/t && echo mine > /tmp/t/etc/mine && volt cas build --ref team/site:1 /tmp/t").ok();
        assert_eq!(host.volt(&["run", "--rm", "stellarium://team/site:1", "cat", "/etc/mine"]).ok(), "mine");
        // A tree says nothing of how it is run, an image does so by this name too.
        let silent = host.volt(&["run", "--rm", "stellarium://team/site:1"]).fails(2);
        assert!(silent.contains("stellarium://team/site:1 names no command"), "{silent}");
        host.sh("mkdir /tmp/empty && volt image build --entrypoint /bin/cat --command /etc/mine /tmp/t speaks").ok();
        assert_eq!(host.volt(&["run", "--rm", "stellarium://images/speaks"]).ok(), "mine");
        host.volt(&["image", "delete", "speaks"]).ok();
        // By its digest; the container keeps it when the name is gone.
        let listed = host.volt(&["cas", "list", "-o", "json"]).json();
        let tree = listed.as_array().unwrap().iter().find(|tree| tree["name"] == "team/site:1").unwrap()["tree"].as_str().unwrap().to_owned();
        let url = format!("stellarium://{tree}");
        host.volt(&["container", "create", "--name", "kept", &url, "cat", "/etc/mine"]).ok();
        host.sh("volt cas delete team/site:1 && volt cas gc").ok();
        assert_eq!(host.volt(&["container", "inspect", "kept", "-o", "json"]).json()["image"], format!("stellarium@{tree}"));
        host.volt(&["container", "start", "kept"]).ok();
        host.volt(&["container", "wait", "kept"]).ok();
        // What the others say of it.
        assert_eq!(host.volt(&["image", "inspect", &url, "-o", "json"]).json()["tree"], tree.as_str());
        host.sh(&format!("volt image export {url} | tar -xO ./etc/mine etc/mine 2>/dev/null | grep -qx mine")).ok();
        assert!(host.volt(&["image", "push", &url]).fails(2).contains("at a registry"));
        let none = host.volt(&["run", "--rm", "stellarium://none", "true"]).fails(3);
        assert!(none.contains("no tree `none`") && none.contains("volt cas list"), "{none}");
        host.volt(&["run", "--rm", "stellarium://", "true"]).fails(2);
        host.volt(&["container", "delete", "kept"]).ok();
        host.volt(&["cas", "gc"]).ok();
        host.volt(&["run", "--rm", &url, "true"]).fails(3);
        assert_eq!(host.volt(&["system", "check"]).code, 0);
    }
}
