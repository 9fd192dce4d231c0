//! What is said and mended where something about networks is not as it should be: answers of `net policy test` about the host and by both
//! kinds of addresses, ports that were forgotten, a bridge with another address, a table that was lost, files that can't be used.

use super::firewall::linked;
use super::net::{address, reaches, serve};
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// The answers of `net policy test`, one for each way.
fn told(host: &Host, from: &str, to: &str) -> Vec<bool> {
    let seen = host.volt(&["net", "policy", "test", from, to, "-o", "json"]).json();
    seen.as_array().unwrap().iter().map(|one| one["allowed"].as_bool().unwrap()).collect()
}

/// `system check` finds something, and says this of it.
fn finds(host: &Host, what: &str) {
    let seen = host.sh("volt system check");
    assert!(seen.code == 1 && seen.stdout.contains(what), "{seen:?}");
}

on_hosts! {
    fn net_policy_test_knows_the_host_and_both_kinds_of_addresses(host) {
        let host = &*host.private("asked");
        host.tiny();
        host.sh("volt net create --subnet 10.67.9.0/24 --ipv6 fd67:9::/64 askn && mkdir -p /tmp/ask && echo host > /tmp/ask/index.html && \
            systemd-run --quiet --collect --unit ask-web busybox httpd -f -p 82 -h /tmp/ask").ok();
        serve(host, "ask1", "--network askn");
        serve(host, "ask2", "--network askn -p 8077:80");
        let (_, one6) = address(host, "ask1");
        let both = |to: &str, name: &str| (told(host, "ask1", to), reaches(host, Some("ask1"), to, name));
        assert_eq!(both("10.67.9.1:82", "host"), (vec![true], true));
        host.sh("volt firewall rule add --name askr deny --from ask1 --to host --port 82").ok();
        assert_eq!(both("10.67.9.1:82", "host"), (vec![false], false));
        assert_eq!(told(host, "ask1", "host:82"), [false]);
        host.sh("volt firewall rule delete askr").ok();
        // What holds for members is nothing to the host.
        host.sh("volt net policy default --egress askn deny").ok();
        assert_eq!(both("10.67.9.1:82", "host"), (vec![true], true));
        assert!(!both("ask2:80", "ask2").1);
        host.sh("volt net policy default --egress askn allow").ok();
        // By a published port the host's address is the way to a member.
        assert_eq!(both("10.67.9.1:8077", "ask2"), (vec![true], true));
        host.sh("volt net policy create --deny --from ask1 --to ask2 --port 80 askp").ok();
        assert_eq!(both("10.67.9.1:8077", "ask2"), (vec![false], false));
        host.sh("volt net policy delete askp").ok();
        assert!(host.sh("volt net policy test ask1 127.0.0.1:82").fails(2).contains("own loopback"));
        assert!(host.sh("volt net policy test 10.67.9.1 ask1:80").fails(2).contains("is let through"));
        // Of IPv6 alone something else is to be said.
        assert_eq!(told(host, "ask1", "ask2:80").len(), told(host, "ask1", "10.67.9.3:80").len());
        host.sh(&format!("volt net policy create --deny --from {one6} --to ask2 --port 80 ask6")).ok();
        let seen = host.volt(&["net", "policy", "test", "ask1", "ask2:80", "-o", "json"]).json();
        let denied = seen.as_array().unwrap().iter().find(|one| one["allowed"] == false).unwrap();
        assert_eq!((denied["from"]["ip"].as_str(), seen[0]["allowed"].as_bool()), (Some(one6.as_str()), Some(true)), "{seen}");
        host.sh("volt delete --force ask1 ask2 && volt net policy delete ask6 && volt net delete askn && volt system check").ok();
    }
}

on_hosts! {
    fn net_mends_ports_bridges_and_addresses_that_were_lost(host) {
        let host = &*host.private("mended");
        host.tiny();
        host.sh("volt net create --subnet 10.67.10.0/24 --mtu 1400 mendn").ok();
        serve(host, "mend1", "--network mendn -p 8078:80");
        serve(host, "mend2", "--network mendn");
        let by_port = || reaches(host, None, "10.67.10.1:8078", "mend1");
        assert!(by_port());
        // What tells of its connection can't be read; its port alone is another.
        for line in ["echo '{' > /run/volt/networks/mend1.json", "sed -i 's/\"host\": 8078/\"host\": 8079/' /run/volt/networks/mend1.json"] {
            host.sh(line).ok();
            // By a repair, or by whoever watches: the check lets go of locks too, and is that news.
            host.until(Duration::from_secs(15), "volt system check --repair; volt system check && grep -q '\"host\": 8078' /run/volt/networks/mend1.json");
            assert!(by_port(), "{line}");
        }
        // Another program gives the bridge another address, or lets other packets pass.
        let mac = host.sh("cat /sys/class/net/volt-mendn/address").ok();
        for line in ["ip link set volt-mendn address 02:00:00:00:00:99", "ip link set volt-mendn mtu 1300"] {
            host.sh(line).ok();
            host.until(Duration::from_secs(15), &format!("grep -q {mac} /sys/class/net/volt-mendn/address && grep -q 1400 /sys/class/net/volt-mendn/mtu"));
            assert!(reaches(host, Some("mend2"), "mend1", "mend1"));
        }
        // The table of addresses is lost: nobody is given what somebody has.
        let (one, _) = address(host, "mend1");
        host.sh("rm /var/lib/volt/volt.db").ok();
        finds(host, "is not written down");
        serve(host, "mend3", "--network mendn");
        assert!(address(host, "mend3").0 != one && reaches(host, Some("mend3"), "mend1", "mend1"));
        host.sh("mv /var/lib/volt/volt.db /root/good; head -c 4096 /dev/urandom > /var/lib/volt/volt.db").ok();
        finds(host, "/var/lib/volt/volt.db");
        let said = host.sh("volt run -d --name mend4 --network mendn tiny sleep 1000").fails(1);
        assert!(said.contains("/var/lib/volt/volt.db") && said.contains("Move it away"), "{said}");
        // What the failed command could take back only now.
        host.sh("mv /root/good /var/lib/volt/volt.db; volt system check --repair && volt system check").ok();
        host.sh("volt delete --force mend1 mend2 mend3 && volt net delete mendn && volt system check").ok();
    }
}

on_hosts! {
    fn firewall_files_that_are_gone_or_wrong_change_nothing(host) {
        let host = &*host.private("wrong");
        host.tiny();
        let file = "/etc/volt/network-policies.json";
        host.sh("volt net create --subnet 10.67.11.0/24 wrongn").ok();
        serve(host, "wrong1", "--network wrongn");
        serve(host, "wrong2", "--network wrongn");
        host.sh("volt net policy create --deny --from wrong1 --to wrong2 --port 80 wrongp").ok();
        let denied = || !reaches(host, Some("wrong1"), "wrong2", "wrong2");
        assert!(denied());
        host.sh(&format!("mv {file} /root/policies")).ok();
        let said = host.sh("volt firewall rule add --name wrongr deny --from outside --to wrong2 --port 81").fails(12);
        assert!(said.contains("network-policies.json is gone") && said.contains("volt firewall reload"), "{said}");
        assert!(denied() && host.volt(&["firewall", "status"]).ok().contains("is gone"));
        host.sh("systemctl restart volt-network.service").ok();
        assert!(denied());
        for (line, why) in [
            (format!("printf '{{\"version\":1,\\n\"policies\":[{{\"name\":\"\\377\"}}]}}' > {file}"), "line 2"),
            (format!("rm -f {file}; mkfifo {file}"), "it is no file"),
            (format!("rm -f {file}; mkdir {file}"), "it is no file"),
        ] {
            host.sh(&line).ok();
            let said = host.sh("timeout 20 volt firewall reload").fails(12);
            assert!(said.contains(why) && denied(), "{said}");
        }
        // What is said of a network that there is not is told.
        host.sh(&format!("rmdir {file}; echo '{{\"version\":1,\"defaults\":{{\"typo\":{{\"ingress\":\"deny\"}}}}}}' > {file}")).ok();
        assert!(host.volt(&["firewall", "reload"]).ok().contains("network typo"));
        assert_eq!(host.volt(&["firewall", "status", "-o", "json"]).json()["unknown"], serde_json::json!(["typo"]));
        assert!(!denied());
        host.sh(&format!("mv /root/policies {file} && volt firewall reload")).ok();
        assert!(denied());
        // Whoever asks for it, ends what a file said that is gone.
        host.sh(&format!("rm {file} && volt firewall reload")).ok();
        assert!(!denied());
        host.sh("volt delete --force wrong1 wrong2 && volt net delete wrongn && volt system check").ok();
    }
}

on_hosts! {
    fn net_is_put_back_while_a_killed_command_is_finished(host) {
        let host = &*host.private("finishing");
        host.tiny();
        host.sh("volt net create --subnet 10.67.8.0/24 slownet && mkdir -p /var/lib/volt/intents").ok();
        // To finish it takes as long as somebody holds the other name.
        let (first, second) = ("/run/volt/locks/workload-slow1", "/run/volt/locks/workload-slow2");
        host.sh(&format!("systemd-run --quiet --unit slow-holder flock {second} sleep 1000")).ok();
        host.until(Duration::from_secs(5), &format!("! flock -n {second} true"));
        let intent = "/var/lib/volt/intents/slow1.json";
        host.run_with(&["sh", "-c", &format!("cat > {intent}")], br#"{"change": "rename", "from": "slow1", "to": "slow2"}"#).ok();
        host.sh(&format!("flock {first} true")).ok();
        host.until(Duration::from_secs(5), &format!("! flock -n {first} true"));
        for table in ["inet", "bridge"] {
            host.sh(&format!("nft delete table {table} volt")).ok();
            host.until(Duration::from_secs(10), &format!("nft list table {table} volt"));
        }
        host.sh("ip link delete volt-slownet").ok();
        host.until(Duration::from_secs(10), "ip link show volt-slownet");
        host.sh(&format!("test -e {intent} && systemctl stop slow-holder")).ok();
        host.until(Duration::from_secs(10), &format!("! test -e {intent}"));
        host.sh("volt net delete slownet && volt system check").ok();
    }
}

on_hosts! {
    fn net_leaves_the_host_its_own_router(host) {
        let (host, other) = (host.private("advised"), host.private("adviser"));
        host.sh("sysctl -qw net.ipv6.conf.all.forwarding=0 net.ipv6.conf.default.accept_ra=1").ok();
        linked(&host, &other);
        host.sh("sysctl -qw net.ipv6.conf.wan.accept_ra=1").ok();
        other.sh("systemd-run --quiet --unit adviser dnsmasq -k -p 0 --conf-file=/dev/null --pid-file= --user=root --interface=wan --enable-ra --dhcp-range=fd21::,ra-only --ra-param=wan,4,1800").ok();
        let advised = "ip -6 route show default | grep -q 'dev wan.* proto ra'";
        host.until(Duration::from_secs(30), advised);
        host.sh("volt net create --subnet 10.67.7.0/24 --ipv6 fd67:7::/64 advnet && test $(cat /proc/sys/net/ipv6/conf/all/forwarding) = 1").ok();
        host.sh(advised).ok();
        host.sh("ip -6 route delete default").ok();
        host.until(Duration::from_secs(30), advised);
        host.sh("volt net delete advnet").ok();
    }
}
