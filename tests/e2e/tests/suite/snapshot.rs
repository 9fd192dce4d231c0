//! Snapshots of containers.

use volt_e2e::{Host, on_hosts};

/// What makes a writable layer hard to read: new, changed, linked, gone and covered entries, folders that were renamed, files of
/// which only attributes changed, and those under another name.
const CHANGES: &str = "set -e
    echo new > /srv/new; ln /srv/new /srv/twin; echo more >> /etc/profile; ln -s nowhere /srv/link; mkfifo /srv/pipe
    chmod 4711 /usr/bin/perl; chown 1000:2000 /usr/bin/tar; chmod 640 /etc/bash.bashrc; mv /etc/bash.bashrc /srv/bashrc
    rm /usr/bin/cut; rm -r /etc/skel; mkdir /etc/skel; echo own > /etc/skel/own
    mv /usr/share/common-licenses /usr/share/moved; rm /usr/share/moved/BSD; chmod 600 /usr/share/moved/Artistic
    mkdir -m 1777 /srv/sticky; touch -d '2001-02-03 04:05:06.789' /srv/new";

/// Writes down everything there is in a root, with all that can be seen of it.
fn look(host: &Host, archive: &str, to: &str) {
    host.sh(&format!(
        "rm -rf /tmp/seen && mkdir /tmp/seen && cd /tmp/seen && {archive} | tar -xp --numeric-owner --xattrs --xattrs-include='*' && \
         {{ find . -printf '%P %y %m %U %G %n %l %T@\n' | sort; find . -type f -exec sha256sum {{}} + | sort; }} > {to}; rm -rf /tmp/seen"
    ))
    .ok();
}

fn changes(host: &Host, words: &[&str]) -> Vec<(String, String)> {
    let changes = host.volt(&[&["snapshot", "diff"], words, &["-o", "json"]].concat()).json();
    let text = |change: &serde_json::Value, key: &str| change[key].as_str().unwrap().to_owned();
    let pair = |change| (text(change, "change"), text(change, "path"));
    changes.as_array().unwrap().iter().map(pair).collect()
}

on_hosts! {
    fn snapshot_create_list_diff_restore_delete(host) {
        host.debian();
        let web = host.container("snap");
        host.volt(&["run", "-d", "--name", "snap", "debian", "sleep", "1000"]).ok();
        host.volt(&["exec", "snap", "sh", "-c", CHANGES]).ok();
        let one = host.volt(&["snapshot", "create", "snap", "one", "-o", "json"]).json();
        assert_eq!((&one["name"], &one["container"], web.state()), (&"one".into(), &"snap".into(), "running".into()), "{one}");
        // perl has new attributes only: its megabytes are neither written nor stored again.
        assert!(one["size"].as_u64().unwrap() < 100_000, "{one}");
        // What is mounted while it runs is no part of it.
        host.volt(&["container", "stop", "--time", "1", "snap"]).ok();
        look(host, "volt cas export snapshots/snap/one", "/tmp/seen.snapshot");
        look(host, "volt container export snap", "/tmp/seen.container");
        host.sh("test $(wc -l < /tmp/seen.snapshot) -gt 4000 && diff /tmp/seen.snapshot /tmp/seen.container").ok();
        host.volt(&["container", "start", "snap"]).ok();
        assert_eq!(host.volt(&["cas", "ls", "snapshots/snap/one", "srv/new", "-o", "json"]).json()[0]["uid"], 0);

        // Nothing changed: nothing is stored but the list of what there is, and that is the same one.
        host.sh("sleep 0.2").ok();
        let two = host.volt(&["snapshot", "create", "snap", "two", "-o", "json"]).json();
        assert_eq!((&two["new"], &two["tree"]), (&0.into(), &one["tree"]), "{two}");
        assert_eq!(host.volt(&["snapshot", "diff", "snap", "one"]).ok(), "No difference.");
        host.volt(&["exec", "snap", "sh", "-c", "rm /srv/twin; echo x > /srv/later; echo y >> /etc/profile; chmod 700 /srv/sticky"]).ok();
        let later = [("changed", "etc/profile"), ("changed", "srv"), ("added", "srv/later"), ("changed", "srv/new"), ("changed", "srv/sticky"), ("removed", "srv/twin")];
        let later = later.map(|(change, path)| (change.to_owned(), path.to_owned()));
        // The other name of a file that lost one is the same as before.
        let later: Vec<_> = later.into_iter().filter(|(_, path)| path != "srv/new").collect();
        assert_eq!(changes(host, &["snap", "two"]), later);
        host.volt(&["snapshot", "create", "snap"]).ok();
        let list = host.volt(&["snapshot", "list", "snap", "-o", "name"]).ok();
        let third = list.lines().last().unwrap().to_owned();
        assert_eq!(list, format!("one\ntwo\n{third}"));
        assert_eq!(changes(host, &["snap", "one", &third]), later);
        assert!(host.volt(&["snapshot", "diff", "snap", "two", &third]).ok().contains("- srv/twin"));
        assert_eq!(host.volt(&["container", "inspect", "snap", "-o", "json"]).json()["snapshots"].as_array().unwrap().len(), 3);
        let image = host.volt(&["image", "inspect", "debian", "-o", "json"]).json();
        assert!(image["snapshots"].as_array().unwrap().contains(&"snap/one".into()), "{image}");

        // What costs the container nothing must not cost the host an hour; and a socket is no part of a tree, whatever its names.
        host.volt(&["exec", "snap", "truncate", "-s", "100G", "/srv/vast"]).ok();
        let said = host.volt(&["snapshot", "create", "snap", "vast"]).fails(12);
        assert!(said.contains("srv/vast"), "{said}");
        let sockets = r#"rm /srv/vast; perl -e 'socket(S, 1, 1, 0) && bind(S, pack("S a*", 1, "/srv/a")) or die' && ln /srv/a /srv/b"#;
        host.volt(&["exec", "snap", "sh", "-c", sockets]).ok();
        let left = host.volt(&["snapshot", "create", "snap", "sockets", "-o", "json"]).json()["left_out"].clone();
        assert!(left[0].as_str().unwrap().contains("srv/a") && left[1].as_str().unwrap().contains("srv/b"), "{left}");
        assert!(host.volt(&["cas", "ls", "snapshots/snap/sockets", "srv"]).ok().contains("srv/later"));
        host.volt(&["snapshot", "delete", "snap", "sockets"]).ok();

        host.volt(&["snapshot", "create", "snap", "one"]).fails(4);
        host.volt(&["snapshot", "create", "snap", "No Name"]).fails(2);
        host.volt(&["snapshot", "create", "no-such"]).fails(3);
        host.volt(&["snapshot", "list", "no-such"]).fails(3);
        for words in [&["snapshot", "diff", "snap", "none"][..], &["snapshot", "restore", "snap", "none"], &["snapshot", "delete", "snap", "none"]] {
            assert!(host.volt(words).fails(3).contains("volt snapshot list snap"), "{words:?}");
        }
        let said = host.volt(&["snapshot", "restore", "snap", "one"]).fails(9);
        assert!(said.contains("volt container stop snap"), "{said}");

        // Back, and forth again; systemd alone starts it then.
        host.volt(&["container", "stop", "--time", "1", "snap"]).ok();
        host.volt(&["snapshot", "restore", "snap", "one"]).ok();
        assert_eq!(host.volt(&["snapshot", "diff", "snap", "one"]).ok(), "No difference.");
        host.sh("systemctl start volt-container@snap.service").ok();
        host.volt(&["exec", "snap", "sh", "-c", "test /srv/twin -ef /srv/new -a ! -e /srv/later -a ! -e /usr/bin/cut -a \"$(stat -c %a /usr/bin/perl)\" = 4711 && perl -e 1"]).ok();
        host.volt(&["exec", "snap", "sh", "-c", "echo after > /srv/after"]).ok();
        assert_eq!(changes(host, &["snap", "one"]).iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>(), ["srv", "srv/after"]);
        host.volt(&["container", "stop", "--time", "1", "snap"]).ok();
        host.volt(&["snapshot", "restore", "snap", &third]).ok();
        host.volt(&["container", "start", "snap"]).ok();
        host.volt(&["exec", "snap", "sh", "-c", "test -e /srv/later -a ! -e /srv/after -a ! -e /srv/twin"]).ok();

        // They go with the name, and with the container.
        host.volt(&["snapshot", "delete", "snap", "two", &third]).ok();
        host.volt(&["container", "stop", "--time", "1", "snap"]).ok();
        let _renamed = host.container("snapped");
        host.volt(&["container", "rename", "snap", "snapped"]).ok();
        assert_eq!(host.volt(&["snapshot", "list", "snapped", "-o", "name"]).ok(), "one");
        host.volt(&["snapshot", "restore", "snapped", "one"]).ok();
        host.volt(&["container", "delete", "snapped"]).ok();
        host.volt(&["snapshot", "list", "snapped"]).fails(3);
        let left = host.volt(&["cas", "list", "-o", "name"]).ok();
        assert!(!left.contains("snapshots/snap/") && !left.contains("snapshots/snapped/"), "{left}");
        let trail = host.volt(&["audit", "list", "--action", "snapshot.", "-o", "json"]).json();
        assert!(trail.as_array().unwrap().iter().any(|record| record["action"] == "snapshot.restore" && record["resource"] == "snapped"), "{trail}");
    }
}

/// An image whose root is nobody's usual one, as a tree and as an image of the name `odd`.
const ODD_ROOT: &str = r#"set -e; mkdir /var/tmp/odd; cd /var/tmp/odd; tar -xpf /srv/images/tiny.tar; mkdir -p dev etc proc run sys tmp var
    chmod 1711 .; chown 5:6 .
    perl -e 'my $acl = pack("V", 2) . join "", map { pack("vvV", @$_) } [1,7,-1], [2,5,7], [4,1,-1], [16,5,-1], [32,1,-1];
      my ($root, $name) = (".", "system.posix_acl_access"); syscall(188, $root, $name, $acl, length $acl, 0) == 0 or die $!'
    touch -d '2001-02-03 04:05:06.789 UTC' .; volt cas build --ref odd .; volt image import stellarium://odd odd"#;

on_hosts! {
    fn snapshot_and_commit_have_the_root_that_the_image_has(host) {
        let host = host.private("odd");
        host.sh(ODD_ROOT).ok();
        for (name, umask) in [("by-daemon", "022"), ("by-itself", "077")] {
            let seen = host.sh(&format!("umask {umask}; volt run --name {name} odd stat -c '%a %u %g %Y' /")).ok();
            assert_eq!(seen, "1751 5 6 981173106", "{name}");
            host.sh(&format!("umask {umask}; volt run --rm --user 1000 odd ls /bin/sh")).ok();
            host.sh(&format!("volt snapshot create {name} one && volt container commit {name} {name}")).ok();
            for tree in [format!("snapshots/{name}/one"), format!("images/{name}")] {
                assert_eq!(host.volt(&["cas", "diff", "odd", &tree]).ok(), "No difference.");
            }
            // The second one is made without a daemon.
            host.sh("systemctl mask --now volt.socket volt.service").ok();
        }
    }
}

on_hosts! {
    fn snapshot_of_a_running_container_is_of_one_moment(host) {
        host.tiny();
        let busy = host.container("snapbusy");
        // Of two files one is never further behind than a step.
        let write = "n=0; while :; do n=$((n+1)); echo $n > /t; mv /t /a; echo $n > /t; mv /t /b; done";
        host.volt(&["run", "-d", "--name", "snapbusy", "tiny", "sh", "-c", write]).ok();
        host.until(std::time::Duration::from_secs(10), "volt exec snapbusy test -e /b");
        host.volt(&["exec", "snapbusy", "sh", "-c", "for n in 1 2 3 4 5 6 7 8; do head -c 2000000 /dev/urandom > /large-$n; done"]).ok();
        for name in ["x", "y", "z"] {
            host.volt(&["snapshot", "create", "snapbusy", name]).ok();
            let read = |file: &str| host.volt(&["cas", "cat", &format!("snapshots/snapbusy/{name}"), file]).ok().parse::<u64>().unwrap();
            let (a, b) = (read("a"), read("b"));
            assert!(a == b || a == b + 1, "{a} {b}");
            assert_eq!(busy.state(), "running");
        }
        // Whoever was frozen stays frozen.
        host.volt(&["workload", "freeze", "snapbusy"]).ok();
        host.volt(&["snapshot", "create", "snapbusy", "frozen"]).ok();
        assert_eq!(busy.state(), "frozen");
        host.volt(&["workload", "thaw", "snapbusy"]).ok();
        let before = "n=$(volt exec snapbusy cat /a); sleep 0.3; test $(volt exec snapbusy cat /a) -gt $n";
        host.sh(before).ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
        // What removes itself has no snapshots, and says what to do.
        host.volt(&["container", "delete", "--force", "snapbusy"]).ok();
        host.volt(&["run", "-d", "--rm", "--name", "snapbusy", "tiny", "sleep", "1000"]).ok();
        assert!(host.volt(&["snapshot", "create", "snapbusy"]).fails(9).contains("container commit snapbusy"));
    }
}

on_hosts! {
    fn container_clone_of_now_and_of_a_snapshot(host) {
        host.tiny();
        let _guards = ["cloneme", "cloned", "older", "grown"].map(|name| host.container(name));
        host.sh("mkdir -p /tmp/clone/data && cd /tmp/clone && tar -xf /srv/images/tiny.tar && echo base > base && tar -cf /tmp/clone.tar . && volt image import --force /tmp/clone.tar cloneable").ok();
        host.sh("volt volume delete cloneshared 2>/dev/null; volt volume create cloneshared").ok();
        host.volt(&["run", "-d", "--name", "cloneme", "-e", "COLOUR=blue", "-v", "cloneshared:/shared", "--memory", "64M", "cloneable", "sleep", "1000"]).ok();
        host.volt(&["exec", "cloneme", "sh", "-c", "echo one > /file && echo s > /shared/s && rm /base"]).ok();
        host.volt(&["snapshot", "create", "cloneme", "one"]).ok();
        host.volt(&["exec", "cloneme", "sh", "-c", "echo two > /file"]).ok();
        host.volt(&["container", "clone", "cloneme", "cloned"]).ok();
        host.volt(&["container", "clone", "--snapshot", "one", "cloneme", "older"]).ok();
        host.volt(&["container", "clone", "cloneme", "older"]).fails(4);
        host.volt(&["container", "clone", "cloneme", "cloneme"]).fails(4);
        host.volt(&["container", "clone", "nobody", "other"]).fails(3);
        host.volt(&["container", "clone", "--snapshot", "none", "cloneme", "other"]).fails(3);
        // They need neither the container nor the image any more.
        host.volt(&["container", "delete", "--force", "cloneme"]).ok();
        host.volt(&["image", "delete", "cloneable"]).ok();
        host.volt(&["cas", "gc"]).ok();
        for (name, file) in [("cloned", "two"), ("older", "one")] {
            let made = host.volt(&["container", "inspect", name, "-o", "json"]).json();
            assert_eq!((&made["state"], &made["hostname"], &made["limits"]["memory"]), (&"stopped".into(), &name.into(), &"64M".into()), "{made}");
            host.volt(&["container", "start", name]).ok();
            let inside = host.volt(&["exec", name, "sh", "-c", "cat /file; ls /base 2>/dev/null; cat /shared/s; stat -c %u /file; echo $COLOUR"]).ok();
            assert_eq!(inside, format!("{file}\ns\n0\nblue"));
        }
        // A clone is cloned while it runs, and has ids of its own.
        host.volt(&["container", "clone", "cloned", "grown"]).ok();
        let base = |name: &str| host.volt(&["container", "inspect", name, "-o", "json"]).json()["id_base"].clone();
        assert_ne!(base("cloned"), base("grown"));
        host.volt(&["container", "start", "grown"]).ok();
        assert_eq!(host.volt(&["exec", "grown", "cat", "/file"]).ok(), "two");
        for name in ["cloned", "older", "grown"] {
            host.volt(&["container", "delete", "--force", name]).ok();
        }
        host.volt(&["cas", "verify"]).ok();
        host.sh("volt volume delete cloneshared").ok();
    }
}

on_hosts! {
    fn container_commit_makes_an_image(host) {
        host.tiny();
        let _guard = host.container("committed");
        host.sh("for image in made:1 made:2 alone; do volt image delete $image; done >/dev/null 2>&1; true").ok();
        host.volt(&["run", "-d", "--name", "committed", "-e", "SECRET=1", "tiny", "sleep", "1000"]).ok();
        host.volt(&["exec", "committed", "sh", "-c", "echo said > /said && chmod 600 /etc/passwd && adduser -D -H web 2>/dev/null || echo 'web:x:1000:1000::/:/bin/sh' >> /etc/passwd"]).ok();
        let stored = || host.volt(&["cas", "status", "-o", "json"]).json()["stored"].as_u64().unwrap();
        let before = stored();
        let made = host.volt(&["container", "commit", "--message", "with a file", "committed", "made:1", "-o", "json"]).json();
        assert_eq!(made["source"], "container committed: with a file");
        assert!(stored() - before < 100_000, "what the image has is there already");
        // As the image is run, not as the container: its secrets are its own.
        let tiny = host.volt(&["image", "inspect", "tiny", "-o", "json"]).json();
        for key in ["env", "command", "entrypoint"] {
            assert_eq!(made[key], tiny[key], "{key}");
        }
        assert_eq!(host.volt(&["run", "--rm", "--name", "committee", "made:1", "sh", "-c", "cat /said; stat -c %a /etc/passwd"]).ok(), "said\n600");
        host.volt(&["container", "commit", "committed", "made:1"]).fails(4);
        host.volt(&["container", "commit", "nobody", "made:9"]).fails(3);
        host.volt(&["container", "commit", "--workdir", "srv", "committed", "made:9"]).fails(2);
        host.volt(&["container", "stop", "--time", "1", "committed"]).ok();
        let made = host.volt(&["container", "commit", "--entrypoint", "/bin/echo", "--command", "-n it works", "--env", "A=b", "--user", "1000", "--workdir", "/tmp", "--label", "who=me", "committed", "made:2", "-o", "json"]).json();
        assert_eq!((&made["entrypoint"], &made["command"]), (&serde_json::json!(["/bin/echo"]), &serde_json::json!(["-n", "it", "works"])), "{made}");
        assert_eq!((&made["user"], &made["workdir"], &made["labels"]["who"]), (&"1000".into(), &"/tmp".into(), &"me".into()), "{made}");
        assert_eq!(host.volt(&["run", "--rm", "--name", "committee", "made:2"]).ok(), "it works");
        assert_eq!(host.volt(&["run", "--rm", "--name", "committee", "--entrypoint", "/bin/sh", "made:2", "-c", "echo $A; id -u; pwd"]).ok(), "b\n1000\n/tmp");
        host.volt(&["container", "commit", "--force", "committed", "made:2"]).ok();
        // Images of others, and none of it needs the container any more.
        host.sh("volt image export --format oci --file /tmp/made.oci made:1 && volt image import /tmp/made.oci alone").ok();
        assert_eq!(host.volt(&["run", "--rm", "--name", "committee", "alone", "cat", "/said"]).ok(), "said");
        host.volt(&["container", "delete", "committed"]).ok();
        assert_eq!(host.volt(&["run", "--rm", "--name", "committee", "made:2", "cat", "/said"]).ok(), "said");
        host.sh("volt image delete made:1 made:2 alone").ok();
    }
}
