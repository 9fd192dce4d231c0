//! Networks where something is otherwise than one expects: a host that loses its IPv6, ports that the kernel has, a name that changes, a
//! record that can't be read, a process that is killed.

use super::net::{address, reaches, serve};
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// Waits until the page of a container is had from another one.
fn until_reached(host: &Host, from: &str, to: &str) {
    let line = format!("timeout 3 volt exec {from} wget -q -O - http://{to}/");
    host.until(Duration::from_secs(15), &line);
}

on_hosts! {
    fn net_goes_on_where_the_host_loses_its_ipv6(host) {
        let host = &*host.private("lonefour");
        host.tiny();
        host.sh("volt net create --subnet 10.67.0.0/24 --ipv6 fd67::/64 both").ok();
        serve(host, "six1", "--network both -p 8068:80");
        let (one, one6) = address(host, "six1");
        assert!(reaches(host, None, &format!("[{one6}]"), "six1"));
        host.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1").ok();
        // Who comes, who comes again, and what is put back.
        serve(host, "six2", "--network both");
        host.sh("volt container restart six1 && systemctl restart volt-network.service && ip link delete volt-both").ok();
        until_reached(host, "six2", &one);
        let (two, two6) = address(host, "six2");
        assert!(reaches(host, Some("six1"), &two, "six2") && two6.is_empty());
        assert!(reaches(host, None, "127.0.0.1:8068", "six1") && reaches(host, Some("six2"), "six1", "six1"));
        host.sh("volt system check && journalctl -u volt-network.service | grep 'no IPv6'").ok();
        assert!(host.sh("volt net create --ipv6 fd66::/64 six").fails(10).contains("no IPv6"));
        // It comes back with the host's.
        host.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=0").ok();
        host.until(Duration::from_secs(15), "ip -6 addr show dev volt-both | grep -q fd67::1/64");
        host.sh("volt container restart six1 && volt container restart six2").ok();
        until_reached(host, "six2", &format!("[{one6}]"));
        host.sh("volt delete --force six1 six2 && volt net delete both && volt system check").ok();
    }
}

on_hosts! {
    fn net_ports_that_lead_nowhere_are_refused(host) {
        host.tiny();
        let _guards = ["nowhere1", "nowhere2"].map(|name| host.container(name));
        // One that the kernel has, as it has WireGuard's and NFS's.
        host.sh("ip link delete vx0 2>/dev/null; ip link add vx0 type vxlan id 7 dstport 4799 dev lo && ip link set vx0 up").ok();
        let error = host.sh("volt run --name nowhere1 --network volt0 -p 4799:80/udp tiny true").fails(9);
        assert!(error.contains("4799/udp") && error.contains("the kernel itself"), "{error}");
        host.sh("ip link delete vx0; volt start nowhere1 && volt delete --force nowhere1").ok();
        // One of IPv6 to a network without.
        host.sh("volt net delete lone4 2>/dev/null; volt net create --subnet 10.67.1.0/24 lone4").ok();
        let error = host.sh("volt run --name nowhere2 --network lone4 -p [2001:db8::1]:8069:80 tiny true").fails(2);
        assert!(error.contains("lone4, which has no IPv6") && error.contains("volt net create --ipv6"), "{error}");
        // By the loopback it leads there.
        serve(host, "nowhere2", "--network lone4 -p [::1]:8069:80");
        assert!(reaches(host, None, "[::1]:8069", "nowhere2"));
        host.sh("volt delete --force nowhere2 && volt net delete lone4").ok();
    }
}

on_hosts! {
    fn net_policy_holds_whoever_is_called_otherwise(host) {
        let host = &*host.private("called");
        host.tiny();
        host.sh("volt net create --subnet 10.67.2.0/24 polr && volt net create --subnet 10.67.3.0/24 polq").ok();
        serve(host, "call1", "--network polr");
        serve(host, "call2", "--network polr -p 8070:80");
        serve(host, "call3", "--network polq");
        host.sh("volt net policy create --deny --from call1 --to call2 --port 80 apart && volt firewall rule add --name mute deny --from call1 --to host --port 8071").ok();
        // What is edited and not yet asked for stays so.
        host.sh("sed -i 's/8071/8072/' /etc/volt/firewall-rules.json").ok();
        host.sh("volt stop -t 1 call1 && volt container rename call1 site && volt start site").ok();
        let _site = host.container_as_it_is("site");
        let (two, _) = address(host, "call2");
        host.until(Duration::from_secs(10), "timeout 3 volt exec call3 wget -q -O - http://10.67.3.1:8070/");
        assert!(!reaches(host, Some("site"), &two, "call2") && reaches(host, None, &two, "call2"));
        host.sh("! grep -r call1 /etc/volt /var/lib/volt/firewall.json && grep 8072 /etc/volt/firewall-rules.json && grep 8071 /var/lib/volt/firewall.json").ok();
        assert!(host.volt(&["firewall", "status"]).ok().contains("volt firewall reload"));
        // A file that can't be read may say the old name for ever.
        host.sh("cp /etc/volt/firewall-rules.json /root/rules; echo nonsense >> /etc/volt/firewall-rules.json; volt stop -t 1 site").ok();
        assert!(host.sh("volt container rename site call1").fails(12).contains("firewall-rules.json"));
        host.sh("cp /root/rules /etc/volt/firewall-rules.json && volt firewall rule delete mute && volt start site").ok();
        // A published port is a second way, with an answer of its own.
        let told = |from: &str, to: &str| {
            let seen = host.volt(&["net", "policy", "test", from, to, "-o", "json"]).json();
            let each = seen.as_array().unwrap().iter();
            each.map(|one| (one["allowed"].as_bool().unwrap(), one["by"].as_str().unwrap().to_owned())).collect::<Vec<_>>()
        };
        let answers = told("call3", "call2:80");
        assert!(answers.len() == 2 && !answers[0].0 && answers[1].0 && answers[1].1.contains("by the host's port 8070/tcp"), "{answers:?}");
        assert!(!reaches(host, Some("call3"), &two, "call2") && reaches(host, Some("call3"), "10.67.3.1:8070", "call2"));
        assert!(told("site", "call2:80").iter().all(|(allowed, _)| !allowed) && !reaches(host, Some("site"), "10.67.2.1:8070", "call2"));
        // Who has another's network is held by nothing that is said of him, and a network has to be there.
        host.sh("volt run -d --name hosted --network host tiny sleep 1000").ok();
        let said = host.sh("volt net policy create --deny --from hosted --to call2 vain 2>&1").ok();
        assert!(said.contains("hosted has the host's network"), "{said}");
        assert!(host.sh("volt net policy test hosted call2:80").fails(9).contains("the host's network"));
        for words in ["net policy create --from net:typo nobody", "firewall rule add deny --to net:typo"] {
            assert!(host.sh(&format!("volt {words}")).fails(3).contains("typo"), "{words}");
        }
        // Names are told whatever is closed.
        host.sh("systemd-run --quiet --collect busybox httpd -f -p 81 -h /etc").ok();
        host.until(Duration::from_secs(10), "volt exec site timeout 4 wget -q -O /dev/null http://10.67.2.1:81/passwd");
        host.sh("volt firewall rule add --name silent deny --from net:polr --to host").ok();
        host.sh("volt exec site nslookup call2").ok();
        assert_ne!(host.sh("volt exec site timeout 4 wget -q -O /dev/null http://10.67.2.1:81/passwd").code, 0);
        assert!(told("site", "host:53/udp")[0].0 && !told("site", "host:81")[0].0);
        host.sh("volt firewall rule delete silent && volt net policy delete apart vain && volt delete --force site call2 call3 hosted && volt net delete polr polq && volt system check").ok();
    }
}

on_hosts! {
    fn net_members_keep_what_they_have_when_others_break(host) {
        let host = &*host.private("breaks");
        host.tiny();
        host.sh("volt net create --subnet 10.67.4.0/24 broke && volt net create --subnet 10.67.5.0/24 --no-dns quiet").ok();
        serve(host, "keep1", "--network broke -p 8073:80");
        serve(host, "keep2", "--network broke --restart always");
        // Names of a network whose record nobody can read, while others come and go.
        let record = "/var/lib/volt/networks/broke.json";
        host.sh(&format!("cp {record} /root/broke && echo nonsense > {record}")).ok();
        serve(host, "quiet1", "--network quiet");
        serve(host, "quiet2", "--network quiet");
        assert!(reaches(host, Some("keep2"), "keep1", "keep1"));
        // Where a network has no names, they are reached by addresses alone.
        let (one, _) = address(host, "quiet1");
        assert!(reaches(host, Some("quiet2"), &one, "quiet1"));
        host.sh("! volt exec quiet2 grep 10.67.5.1 /etc/resolv.conf && ! volt exec quiet2 timeout 4 wget -q -O - http://quiet1/").ok();
        host.sh(&format!("cp /root/broke {record} && volt system check")).ok();
        // The proxy of the loopback, and a container that is begun again: the port leads there.
        host.sh("systemctl kill --signal KILL volt-proxy@keep1.service").ok();
        host.until(Duration::from_secs(15), "timeout 3 busybox wget -q -O - http://127.0.0.1:8073/ | grep keep1");
        host.sh("volt delete --force keep1").ok();
        serve(host, "keep1", "--network broke -p 8073:80 --restart always");
        let main = host.sh("systemctl show -P MainPID volt-container@keep1").ok();
        host.sh(&format!("kill -KILL {}", main.trim())).ok();
        host.until(Duration::from_secs(20), &format!("pid=$(systemctl show -P MainPID volt-container@keep1); test $pid != 0 -a $pid != {} && timeout 3 busybox wget -q -O - http://127.0.0.1:8073/ | grep keep1", main.trim()));
        until_reached(host, "keep2", "10.67.4.1:8073");
        // What is its alone a clone doesn't have.
        host.sh("volt run -d --name keep3 --network broke:mac=02-00-00-00-77-01:ip=10.67.4.77 tiny sleep 1000 && volt container clone keep3 keep4 && volt start keep4").ok();
        // Where nobody watches over networks a check tells it, and whoever comes has it done.
        host.sh("systemctl stop volt-network.service").ok();
        let check = host.volt(&["system", "check"]);
        assert!(check.code == 1 && check.stdout.contains("volt-network.service"), "{check:?}");
        host.sh("volt system check --repair && systemctl is-active volt-network.service && volt system check").ok();
        host.sh("systemctl stop volt-network.service && volt restart -t 1 keep2").ok();
        host.until(Duration::from_secs(10), "systemctl is-active volt-network.service");
        host.sh("systemctl stop volt-network.service && timeout 20 volt net tap create --network broke keep5 && systemctl is-active volt-network.service && volt net tap delete keep5").ok();
        host.sh("volt delete --force keep1 keep2 keep3 keep4 quiet1 quiet2 && volt net delete broke quiet && volt system check").ok();
    }
}

on_hosts! {
    fn net_takes_other_addresses_where_a_tunnel_has_the_usual(host) {
        let host = &*host.private("tunnel");
        host.tiny();
        host.sh("ip link add tunnel type veth peer name far && ip link set far up && ip link set tunnel up && ip route add 10.0.0.0/8 dev tunnel").ok();
        serve(host, "beside1", "-p 8072:80");
        let (one, _) = address(host, "beside1");
        assert!(one.starts_with("172.16.0."), "{one}");
        host.sh("volt net create beside").ok();
        serve(host, "beside2", "--network beside --network volt0");
        let (two, _) = address(host, "beside2");
        assert!(two.starts_with("172.16.1."), "{two}");
        assert!(reaches(host, Some("beside2"), "beside1", "beside1") && reaches(host, None, "127.0.0.1:8072", "beside1"));
        host.sh("volt delete --force beside1 beside2 && volt net delete beside && volt system check").ok();
    }
}

on_hosts! {
    fn net_isolated_members_are_apart_by_published_ports_too(host) {
        let host = &*host.private("shut");
        host.tiny();
        host.sh("volt net create --isolate --subnet 10.67.2.0/24 --ipv6 fd69::/64 shut").ok();
        // Who hears what comes by IPv4 leaves the port of an IPv6 address to others.
        host.sh("systemd-run -q --unit shut-hears busybox httpd -f -p 0.0.0.0:8071 -h /etc").ok();
        serve(host, "shut1", "--network shut -p 8070:80 -p [fd69::1]:8071:80");
        serve(host, "shut2", "--network shut");
        let (one, _) = address(host, "shut1");
        assert!(reaches(host, None, "[fd69::1]:8071", "shut1") && reaches(host, None, "10.67.2.1:8070", "shut1"));
        // Whether the kernel leads such packets within the bridge or through the host.
        let file = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        for value in ["0", "1"] {
            host.sh(&format!("! test -e {file} || echo {value} > {file}")).ok();
            for address in [&one, "10.67.2.1:8070", "[fd69::1]:8071"] {
                assert!(!reaches(host, Some("shut2"), address, "shut1"), "{address}");
            }
        }
        let said = host.sh("volt net policy test shut2 shut1:80").ok();
        assert!(said.contains("denied") && !said.contains("allowed"), "{said}");
        let error = host.sh("volt run --rm --network shut -p 10.67.2.1:8071:80 tiny true").fails(9);
        assert!(error.contains("busybox"), "{error}");
        host.sh("volt delete --force shut1 shut2 && volt net delete shut && volt system check").ok();
    }
}
