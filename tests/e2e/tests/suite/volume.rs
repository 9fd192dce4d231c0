//! Volumes and folders of the host in containers.

use volt_e2e::on_hosts;

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
