//! Beside a firewall of the host: what docs/networks.md tells people to type for each does what it says there.

use super::image_build::install;
use super::net::{reaches, serve};
use volt_e2e::on_hosts;

const DOCUMENT: &str = include_str!("../../../../docs/networks.md");

/// The commands that the document gives after the line that begins so.
fn recipe(heading: &str) -> Vec<&'static str> {
    let after = DOCUMENT.lines().skip_while(|line| !line.starts_with(heading));
    let block = after.skip_while(|line| !line.starts_with("```")).skip(1);
    let commands: Vec<_> = block
        .take_while(|line| *line != "```")
        .map(|line| line.strip_prefix("$ ").unwrap())
        .collect();
    assert!(!commands.is_empty(), "{heading}");
    commands
}

/// A firewall as an administrator sets it up who lets in and passes on only what he knows.
struct Firewall {
    heading: &'static str,
    packages: &'static str,
    begin: &'static str,
    end: &'static str,
    /// Whether it judges what is sent to the host too: questions for names, for one.
    judges_input: bool,
}

const FIREWALLS: [Firewall; 4] = [
    Firewall {
        heading: "For rules in nftables",
        packages: "",
        begin: "nft 'table inet filter { chain input { type filter hook input priority 0; policy drop; ct state established,related accept; iif lo accept; meta l4proto { icmp, icmpv6 } accept; }; \
            chain forward { type filter hook forward priority 0; policy drop; }; }'",
        end: "nft delete table inet filter",
        judges_input: true,
    },
    Firewall {
        heading: "For ufw",
        packages: "ufw",
        begin: "ufw --force enable && ufw default deny routed",
        end: "ufw --force reset",
        judges_input: true,
    },
    Firewall {
        heading: "For Docker",
        packages: "iptables",
        begin: "iptables -P FORWARD DROP && iptables -N DOCKER-USER && iptables -I FORWARD -j DOCKER-USER && iptables -A DOCKER-USER -j RETURN",
        end: "iptables -P FORWARD ACCEPT && iptables -F FORWARD && iptables -F DOCKER-USER && iptables -X DOCKER-USER",
        judges_input: false,
    },
    Firewall {
        heading: "For firewalld",
        packages: "firewalld",
        begin: "sed -i 's/^IPv6_rpfilter=.*/IPv6_rpfilter=no/' /etc/firewalld/firewalld.conf && systemctl restart firewalld && firewall-cmd --state",
        end: "systemctl disable --now firewalld",
        judges_input: true,
    },
];

on_hosts! {
    fn firewall_recipes_for_others_let_containers_work(host) {
        let host = &*host.private("beside");
        host.tiny();
        host.sh("ip netns add far && ip link add wan type veth peer name wan netns far && ip addr add 10.202.6.1/24 dev wan && ip link set wan up && \
            ip -n far addr add 10.202.6.2/24 dev wan && ip -n far link set wan up && mkdir -p /tmp/far && echo far > /tmp/far/index.html && \
            systemd-run --quiet --collect --unit far-web ip netns exec far busybox httpd -f -p 80 -h /tmp/far").ok();
        serve(host, "beside1", "-p 8080:80");
        serve(host, "beside2", "");
        let works = || Works {
            inward: host.sh("ip netns exec far timeout 5 busybox wget -q -O - http://10.202.6.1:8080/").stdout.trim() == "beside1",
            outward: reaches(host, Some("beside2"), "10.202.6.2", "far"),
            names: reaches(host, Some("beside2"), "beside1", "beside1"),
        };
        let all = Works { inward: true, outward: true, names: true };
        assert_eq!(works(), all);
        for firewall in FIREWALLS {
            if !firewall.packages.is_empty() {
                install(host, firewall.packages);
            }
            // Debian enables what it installs.
            host.sh("systemctl stop firewalld 2> /dev/null; true").ok();
            host.sh(firewall.begin).ok();
            assert_eq!(works(), Works { inward: false, outward: false, names: !firewall.judges_input }, "{}", firewall.heading);
            for command in recipe(firewall.heading) {
                host.sh(command).ok();
            }
            assert_eq!(works(), all, "{}", firewall.heading);
            host.sh("volt firewall status && volt system check").ok();
            host.sh(firewall.end).ok();
            assert_eq!(works(), all, "after {}", firewall.heading);
        }
        host.sh("volt delete --force beside1 beside2 && volt system check").ok();
    }
}

/// Which ways lead where.
#[derive(Debug, PartialEq)]
struct Works {
    inward: bool,
    outward: bool,
    names: bool,
}
