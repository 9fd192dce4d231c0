//! Secrets: encrypted at rest, files in memory inside.

use volt_e2e::on_hosts;

on_hosts! {
    fn secret_life_cycle(host) {
        host.tiny();
        let boxed = host.container("strongbox");
        drop(host.volt(&["secret", "delete", "e2e-key"]));
        host.run_with(&["volt", "secret", "create", "e2e-key", "-"], b"swordfish-1\nand \0 more").ok();
        host.volt(&["secret", "create", "e2e-key"]).fails(4);
        let listed = host.volt(&["secret", "list", "-o", "json"]).json();
        let found = listed.as_array().unwrap().iter().find(|s| s["name"] == "e2e-key").unwrap();
        assert_eq!(found["protection"], "host", "{found}");
        host.sh("test $(stat -c %a /etc/volt/secrets/e2e-key.cred) = 600 && ! grep -rq swordfish /etc/volt /var/lib/volt /var/log/volt").ok();
        host.sh("useradd -m svc-outsider 2>/dev/null; true").ok();

        host.volt(&["container", "create", "--name", "strongbox", "--secret", "e2e-key", "--secret", "e2e-key,target=/etc/tls/key,uid=1000,gid=1000,mode=0400", "tiny", "sleep", "1000"]).ok();
        host.volt(&["start", "strongbox"]).ok();
        assert_eq!(host.sh("volt exec strongbox cat /run/secrets/e2e-key | od -c | head -1; volt exec strongbox stat -c '%u %a' /run/secrets/e2e-key /etc/tls/key").ok().lines().skip(1).collect::<Vec<_>>(), ["0 444", "1000 400"]);
        assert_eq!(host.sh("volt exec strongbox cat /etc/tls/key | head -1").ok(), "swordfish-1");
        assert_ne!(host.volt(&["exec", "strongbox", "sh", "-c", "echo x > /run/secrets/e2e-key"]).code, 0);
        // It is in memory that isn't swapped, and in nothing that tells of the container.
        host.sh("findmnt -n -o FSTYPE,OPTIONS /run/volt/containers/strongbox/secrets | grep -E '^ramfs|^tmpfs.*noswap' && ! runuser -u svc-outsider -- ls /run/volt/containers/strongbox/secrets 2>/dev/null").ok();
        // As input, so that the search does not find itself.
        let script = b"! grep -rq swordfish /etc/volt /etc/systemd /var/lib/volt /var/log/volt && ! systemctl show volt-container@strongbox | grep -q swordfish \
            && ! cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | grep -aq '[s]wordfish' && ! journalctl -b | grep -q '[s]wordfish'";
        assert_eq!(host.run_with(&["sh"], script).code, 0);
        assert!(!boxed.inspect().to_string().contains("swordfish"));
        assert_eq!(boxed.inspect()["secrets"][0], "e2e-key,target=/run/secrets/e2e-key,uid=0,gid=0,mode=0444");
        host.volt(&["secret", "delete", "e2e-key"]).fails(9);

        // Another value from the next start on, which systemd may be asked for with no daemon.
        host.run_with(&["volt", "secret", "create", "--replace", "e2e-key", "-"], b"marlin-2").ok();
        assert_eq!(host.sh("volt exec strongbox cat /etc/tls/key | head -1").ok(), "swordfish-1");
        host.sh("systemctl restart volt-container@strongbox").ok();
        assert_eq!(host.sh("volt exec strongbox cat /run/secrets/e2e-key").ok(), "marlin-2");
        host.volt(&["stop", "strongbox"]).ok();
        let gone = "! test -e /run/volt/containers/strongbox/secrets && ! findmnt -n /run/volt/containers/strongbox/secrets";
        host.sh(gone).ok();
        // What somebody leaves who is killed before the start is found, and taken away.
        host.sh("volt internal prepare strongbox && findmnt -n /run/volt/containers/strongbox/secrets").ok();
        assert!(host.volt(&["system", "check", "-o", "json"]).stdout.contains("the folder of a run that is over"));
        host.volt(&["system", "check", "--repair"]).ok();
        host.sh(gone).ok();
        host.volt(&["container", "delete", "strongbox"]).ok();
        host.volt(&["secret", "delete", "e2e-key"]).ok();
        host.volt(&["secret", "delete", "e2e-key"]).fails(3);
        assert!(host.volt(&["container", "create", "--name", "strongbox", "--secret", "e2e-key", "tiny", "true"]).fails(3).contains("secret create e2e-key"));
        host.volt(&["container", "create", "--name", "strongbox", "--secret", "e2e-key,mode=9", "tiny", "true"]).fails(2);
        host.sh("head -c 2000000 /dev/zero | volt secret create e2e-large -").fails(11);
        host.volt(&["container", "create", "--name", "strongbox", "--backend", "proot", "--network", "host", "--secret", "e2e-key", "tiny", "true"]).fails(10);
    }
}
