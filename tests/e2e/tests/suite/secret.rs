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
        // As much as this systemd decrypts, for a container and for a service, and no byte more.
        let most = "870400";
        let large = |size: u32| host.sh(&format!("head -c {size} /dev/urandom | volt secret create --replace e2e-large -"));
        assert!(large(870_401).fails(11).contains(most));
        large(870_400).ok();
        assert_eq!(host.sh("volt run --rm --secret e2e-large tiny sh -c 'wc -c < /run/secrets/e2e-large'").ok(), most);
        host.volt(&["task", "create", "--every", "1h", "--secret", "e2e-large", "strong-task", "--", "/bin/sh", "-c", "wc -c < $CREDENTIALS_DIRECTORY/e2e-large"]).ok();
        assert_eq!(host.volt(&["task", "run", "strong-task"]).ok().trim(), most);
        host.volt(&["task", "delete", "strong-task"]).ok();
        host.volt(&["secret", "delete", "e2e-large"]).ok();
    }
}

on_hosts! {
    fn secret_is_given_to_services_and_tasks(host) {
        let leave = || drop(host.sh("volt service delete --force secret-svc; volt task delete --force secret-task; volt secret delete e2e-word; true"));
        leave();
        host.run_with(&["volt", "secret", "create", "e2e-word", "-"], b"barracuda").ok();
        let look = "cd $CREDENTIALS_DIRECTORY && wc -c < word > $STATE_DIRECTORY/size && cmp word e2e-word && stat -c %a word >> $STATE_DIRECTORY/size && exec sleep 1000";
        let both = ["--secret", "e2e-word", "--secret", "e2e-word,target=word"];
        let create = |more: &[&str]| host.volt(&[&["service", "create", "--now"], more, &["secret-svc", "--", "/bin/sh", "-c", look]].concat());
        create(&["--secret", "none-such"]).fails(3);
        create(&["--secret", "e2e-word,target=/etc/word"]).fails(2);
        create(&["--secret", "e2e-word", "--secret", "e2e-word"]).fails(2);
        // In every sandbox that has a folder of its own. Where systemd gives it to the user by a list of access, that list's mask is what a group
        // seems to have.
        for profile in ["standard", "strict", "web"] {
            create(&[&["--profile", profile], &both[..]].concat()).ok();
            host.sh("for i in $(seq 150); do cat /var/lib/svc-secret-svc/size | tr '\\n' ' ' | grep -qxE '9 4[04]0 ' && exit 0; sleep 0.2; done 2>/dev/null; cat /var/lib/svc-secret-svc/size; systemctl cat secret-svc; journalctl -b --no-pager -u secret-svc; exit 1").ok();
            assert_eq!(host.volt(&["service", "status", "secret-svc", "-o", "json"]).json()["secrets"][1], "e2e-word,target=word");
            let said = host.volt(&["secret", "delete", "e2e-word"]).fails(9);
            assert!(said.contains("volt service delete secret-svc"), "{said}");
            host.volt(&["service", "delete", "--force", "secret-svc"]).ok();
        }
        let line = "test $(cat $CREDENTIALS_DIRECTORY/word | wc -c) = 9 && echo it is there";
        host.volt(&["task", "create", "--every", "1h", "--secret", "e2e-word,target=word", "secret-task", "--", "/bin/sh", "-c", line]).ok();
        assert!(host.volt(&["task", "run", "secret-task"]).ok().contains("it is there"));
        let said = host.volt(&["secret", "delete", "e2e-word"]).fails(9);
        assert!(said.contains("volt task delete secret-task"), "{said}");
        host.volt(&["task", "delete", "secret-task"]).ok();
        host.volt(&["secret", "delete", "e2e-word"]).ok();
        assert_eq!(host.run_with(&["sh"], b"journalctl -b | grep -q '[b]arracuda'").code, 1);
        // As much as systemd takes, and no byte more.
        let large = |size: u32| host.sh(&format!("head -c {size} /dev/urandom | volt secret create --replace e2e-word -"));
        let task = |more: &[&str]| host.volt(&[&["task", "create", "--every", "1h"], more, &["secret-task", "--", "/bin/sh", "-c", "wc -c < $CREDENTIALS_DIRECTORY/word"]].concat());
        large((1 << 19) - 6).ok();
        task(&both).ok();
        assert_eq!(host.volt(&["task", "run", "secret-task"]).ok().trim(), "524282");
        // Another value too, whoever has it already.
        let said = large((1 << 19) - 5).fails(11);
        assert!(said.contains("task secret-task") && said.contains("1048578 bytes"), "{said}");
        assert_eq!(host.volt(&["task", "run", "secret-task"]).ok().trim(), "524282");
        large((1 << 19) - 7).ok();
        assert_eq!(host.volt(&["task", "run", "secret-task"]).ok().trim(), "524281");
        host.volt(&["task", "delete", "secret-task"]).ok();
        large((1 << 19) - 5).ok();
        assert!(task(&both).fails(11).contains("1048578 bytes"));
        assert!(create(&both).fails(11).contains("1048578 bytes"));
        host.gone(&["/etc/systemd/system/*secret-*", "/var/lib/volt/services/secret-svc", "/var/lib/volt/tasks/secret-task"]);
        leave();
    }
}
