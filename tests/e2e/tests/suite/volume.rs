//! Volumes and folders of the host in containers.

use super::image_build::install;
use std::time::Duration;
use volt_e2e::{on_hosts, on_vms};

on_hosts! {
    fn volume_life_cycle(host) {
        host.tiny();
        let _guard = host.container("vol");
        host.volt(&["volume", "create", "data"]).ok();
        host.volt(&["volume", "create", "data"]).fails(4);
        host.sh("test -f /var/lib/volt/volumes/data.json && test -d /var/lib/volt/volumes/data/_data").ok();
        host.volt(&["run", "--name", "vol", "-v", "data:/data", "tiny", "sh", "-c", "echo kept > /data/x; chown 1000:1000 /data/x"]).ok();
        assert_eq!(host.sh("stat -c %u /var/lib/volt/volumes/data/_data/x").ok(), "1000");
        host.volt(&["volume", "delete", "data"]).fails(9);
        assert!(host.volt(&["volume", "list", "-o", "name"]).ok().contains("data"));
        host.volt(&["container", "delete", "vol"]).ok();
        assert_eq!(host.volt(&["run", "--rm", "-v", "data:/data:ro", "tiny", "cat", "/data/x"]).ok(), "kept");
        assert_ne!(host.volt(&["run", "--rm", "-v", "data:/data:ro", "tiny", "touch", "/data/y"]).code, 0);
        assert_eq!(host.volt(&["volume", "inspect", "data", "-o", "json"]).json()["name"], "data");
        host.sh("head -c 3000000 /dev/urandom > /var/lib/volt/volumes/data/_data/y").ok();
        let listed = host.volt(&["volume", "list", "-o", "json"]).json();
        let size = listed.as_array().unwrap().iter().find(|one| one["name"] == "data").unwrap()["size"].as_u64().unwrap();
        assert!((3_000_000..3_100_000).contains(&size), "{listed}");
        host.volt(&["volume", "delete", "data"]).ok();
        host.volt(&["volume", "inspect", "data"]).fails(3);
    }
}

on_hosts! {
    fn volume_folder_of_the_host(host) {
        host.tiny();
        host.sh("rm -rf /tmp/shared && mkdir /tmp/shared && echo from-host > /tmp/shared/a").ok();
        host.volt(&["run", "--rm", "-v", "/tmp/shared:/mnt/s", "tiny", "sh", "-c", "cat /mnt/s/a && echo from-inside > /mnt/s/b"]).ok();
        assert_eq!(host.sh("cat /tmp/shared/b; stat -c %u /tmp/shared/b").ok(), "from-inside\n0");
        host.volt(&["run", "--rm", "-v", "/no/such/dir:/x", "tiny", "true"]).fails(3);
        host.volt(&["run", "--rm", "-v", "/tmp:/proc/x", "tiny", "true"]).fails(2);
    }
}

on_hosts! {
    fn container_mounts_that_can_not_be_are_refused_early(host) {
        host.tiny();
        let _guard = host.container("mounts");
        let refused = |source: &str, code: i32| {
            let mount = format!("{source}:/y");
            let error = host.volt(&["container", "create", "--name", "mounts", "-v", &mount, "tiny", "true"]).fails(code);
            assert!(error.contains(source), "{error}");
            error
        };
        refused("/no/such/folder", 3);
        let _other = host.container("mounted");
        host.volt(&["container", "create", "--name", "mounted", "tiny", "true"]).ok();
        refused("/var/lib/volt/containers/mounted", 9);
        // The root of a test host is an overlay, which knows no maps of ids.
        host.sh("mkdir -p /srv/over").ok();
        assert!(refused("/srv/over", 10).contains("maps of ids"));
        host.sh("mkdir -p /tmp/around/within && mount -t tmpfs none /tmp/around/within").ok();
        assert!(refused("/tmp/around", 10).contains("/tmp/around/within"));
        host.sh("umount /tmp/around/within").ok();

        host.volt(&["container", "create", "--name", "mounts", "-v", "/tmp/around:/y", "tiny", "true"]).ok();
        host.sh("rm -r /tmp/around").ok();
        assert!(host.volt(&["start", "mounts"]).fails(3).contains("There is no /tmp/around"));
    }
}

on_hosts! {
    fn volume_and_image_stay_while_a_record_can_not_be_read(host) {
        let host = host.private("unread");
        host.tiny();
        host.volt(&["run", "-d", "--name", "unread", "-v", "precious:/data", "tiny", "sh", "-c", "echo kept > /data/file; exec sleep 1000"]).ok();
        host.sh("cd /var/lib/volt/containers/unread && cp config.json /root && echo '{' > config.json").ok();
        for (command, code) in [("volume delete precious", 12), ("image delete tiny", 9), ("system prune --volumes --yes", 12), ("cas gc", 12), ("container inspect unread", 12)] {
            let said = host.sh(&format!("volt {command}")).fails(code);
            assert!(said.contains("unread"), "{command}: {said}");
        }
        let check = host.volt(&["system", "check"]);
        assert!(check.code == 1 && check.stdout.contains("containers/unread/config.json"), "{check:?}");
        let listed = host.sh("volt ps -a | grep '^unread '").ok();
        assert!(listed.contains("can't be read"), "{listed}");
        let listed = host.volt(&["container", "list"]);
        assert!(listed.code == 0 && listed.stderr.contains("unread: its record can't be read"), "{listed:?}");
        host.sh("cp /root/config.json /var/lib/volt/containers/unread/ && grep -x kept /var/lib/volt/volumes/precious/_data/file").ok();
        assert_eq!(host.volt(&["exec", "unread", "cat", "/data/file"]).ok(), "kept");
        // Given up, it goes with all that runs of it.
        host.sh("echo '{' > /var/lib/volt/containers/unread/config.json").ok();
        host.volt(&["container", "delete", "unread"]).fails(12);
        host.volt(&["container", "delete", "--force", "unread"]).ok();
        host.sh("! machinectl show unread && ! systemctl is-active volt-container@unread.service && ! test -e /var/lib/volt/containers/unread").ok();
        host.volt(&["volume", "delete", "precious"]).ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

on_vms! {
    fn volume_of_a_server_is_mounted_while_somebody_uses_it(host) {
        let host = &*host.private("files");
        host.tiny();
        install(host, "nfs-kernel-server");
        // Whoever writes is the server's own user: it knows no ids of containers. A sticky folder would keep others from that one's files
        // (fs.protected_regular).
        host.sh("mkdir -p /export && mount -t tmpfs none /export && chmod 777 /export && \
            echo '/export 127.0.0.1(rw,all_squash,fsid=7,insecure)' > /etc/exports && systemctl restart nfs-server").ok();
        host.volt(&["volume", "create", "--driver", "nfs", "--opt", "addr=127.0.0.1", "--opt", "device=:/export", "--opt", "o=soft,timeo=50,retry=0", "media"]).ok();
        let place = "/var/lib/volt/volumes/media/_data";
        assert_eq!(host.sh(&format!("findmnt -no FSTYPE {place}")).stdout, "", "nobody uses it");

        host.volt(&["run", "-d", "--name", "writer", "-v", "media:/m", "tiny", "sh", "-c", "echo from inside > /m/note; exec sleep 1000"]).ok();
        host.volt(&["run", "-d", "--name", "reader", "-v", "media:/m:ro", "tiny", "sleep", "1000"]).ok();
        host.until(Duration::from_secs(30), "grep -q 'from inside' /export/note");
        assert!(host.sh(&format!("findmnt -no FSTYPE {place}")).ok().starts_with("nfs"));
        host.sh("echo from outside > /export/answer").ok();
        host.until(Duration::from_secs(90), "volt exec reader cat /m/answer");
        assert_eq!(host.volt(&["exec", "reader", "cat", "/m/note", "/m/answer"]).ok(), "from inside\nfrom outside");
        assert_ne!(host.volt(&["exec", "reader", "touch", "/m/more"]).code, 0);
        host.volt(&["volume", "delete", "media"]).fails(9);
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));

        host.sh("volt stop writer reader").ok();
        host.until(Duration::from_secs(30), &format!("! findmnt {place}"));
        // Without its server nothing starts, rather than write into an empty folder.
        host.sh("systemctl stop nfs-server").ok();
        let said = host.volt(&["start", "writer"]).fails(1);
        assert!(said.contains("media"), "{said}");
        assert_eq!(host.sh(&format!("ls {place}")).ok(), "");
        host.sh("systemctl start nfs-server && volt start writer && volt exec writer cat /m/answer").ok();
        host.sh("volt delete --force writer reader && volt volume delete media").ok();
        assert_eq!(host.sh("cat /export/answer").ok(), "from outside");
    }
}
