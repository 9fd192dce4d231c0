//! Stack files as people have them: names that Volt gives nothing itself, what was there before, profiles.

use super::compose::{is_gone, stack, steps, within};
use volt_e2e::on_hosts;

const ORDINARY: &str = "\
name: ordinary
services:
  my_db:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    container_name: Ordinary_DB.main
    networks: {back: {aliases: [store.example.com, Store_2]}}
    volumes: ['kept:/kept']
  web:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    networks: [back]
    links: ['my_db:the_db']
  worker:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    profiles: [more]
    scale: 2
networks: {back: }
volumes: {kept: }
";

on_hosts! {
    fn compose_finds_services_as_their_files_call_them(host) {
        host.tiny();
        stack(host, "ordinary", ORDINARY);
        host.sh("volt volume create ordinary-kept > /dev/null").ok();
        let up = "volt compose --profile more up -d";
        within(host, "ordinary", up).ok();
        let asked = |name: &str| within(host, "ordinary", &format!("volt compose exec -T web nslookup {name}"));
        let own = within(host, "ordinary", "volt compose exec -T my_db hostname -i").ok();
        for name in ["my_db", "my-db", "Ordinary_DB.main", "ordinary-db-main", "store.example.com", "store_2", "the_db", "MY_DB"] {
            let answer = asked(name).ok();
            assert!(answer.contains(own.trim()), "{name}: {answer}");
        }
        // The name of another network's, and of no one.
        assert_ne!(asked("other_db").code, 0);

        // What was there before is used, and stays nobody's.
        assert_eq!(steps(&within(host, "ordinary", &format!("{up} -o json")).json()), [""; 0]);

        // What a command needs is up; what else is stays as it was, at a boot too.
        let wanted = || host.sh("systemctl show -P Wants volt-compose@ordinary.target | tr ' ' '\\n' | sort").ok();
        let all = wanted();
        assert!(all.contains("volt-container@ordinary-worker-2.service"), "{all}");
        assert_eq!(within(host, "ordinary", "volt compose run --rm -T web echo done").ok(), "done");
        within(host, "ordinary", "volt compose up -d web").ok();
        assert_eq!(wanted(), all);
        within(host, "ordinary", "volt compose down -v --remove-orphans").ok();
        host.sh("volt volume delete ordinary-kept").ok();
        is_gone(host, "ordinary");
    }
}

on_hosts! {
    fn compose_asks_the_name_servers_of_a_container(host) {
        let host = &*host.private("asks");
        host.tiny();
        host.sh("apt-get -qq -o Acquire::Languages=none update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends bind9-dnsutils > /dev/null").ok();
        // Two servers, each with an answer of its own: the host's, and another one.
        for (last, answer) in [(7, 8), (9, 10)] {
            host.sh(&format!(
                "ip addr add 198.51.100.{last}/32 dev lo && systemd-run --quiet dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file \
                 --no-resolv --no-hosts --local-ttl=300 --bind-interfaces --listen-address=198.51.100.{last} --host-record=b.example,192.0.2.{answer}"
            ))
            .ok();
        }
        host.sh("echo nameserver 198.51.100.7 > /etc/resolv.conf").ok();
        let service = "image: tiny, command: sleep 1000, stop_grace_period: 1s";
        let text = format!("name: asks\nservices:\n  plain: {{{service}}}\n  own: {{{service}, dns: [198.51.100.9]}}\n  alone: {{{service}, dns: 198.51.100.9, network_mode: host}}\n");
        stack(host, "asks", &text);
        assert!(!within(host, "asks", "volt compose up -d 2>&1").ok().contains("does nothing"));
        let asked = |who: &str, name: &str| {
            let server = format!("$(awk '/^nameserver/ {{ print $2; exit }}' /run/volt/containers/asks-{who}-1/resolv.conf)");
            host.sh(&format!("ip netns exec volt-asks-{who}-1 dig +short {name} @{server}")).ok().trim().to_owned()
        };
        // What the one is told the other is not, though it was asked for a moment ago; and both know the stack.
        for _ in 0..2 {
            assert_eq!((asked("plain", "b.example"), asked("own", "b.example")), ("192.0.2.8".into(), "192.0.2.10".into()));
        }
        assert!(!asked("own", "plain").is_empty());
        assert_eq!(asked("own", "plain"), asked("plain", "plain"));
        assert_eq!(host.sh("cat /run/volt/containers/asks-alone-1/resolv.conf").ok(), "nameserver 198.51.100.9");
        host.sh("systemctl restart volt-container@asks-own-1").ok();
        assert_eq!(asked("own", "b.example"), "192.0.2.10");
        within(host, "asks", "volt compose down").ok();
        is_gone(host, "asks");
        // One that would be another for who asks is left out.
        stack(host, "asks", &text.replace("198.51.100.9]", "127.0.0.1, 198.51.100.9]"));
        assert!(within(host, "asks", "volt compose up -d 2>&1").ok().contains("is left out"));
        assert_eq!(asked("own", "b.example"), "192.0.2.10");
        within(host, "asks", "volt compose down").ok();
        is_gone(host, "asks");
    }
}
