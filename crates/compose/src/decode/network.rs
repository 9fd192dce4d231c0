//! Networks, ports and names: of a service, and of the stack.

use super::{At, Decoder};
use crate::stack::{Connection, Container, External, Network, NetworkMode, Pool};
use crate::yaml::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use volt_model::container::ExtraHost;
use volt_model::container::around::AroundError;
use volt_model::net::{Alias, Publish};

impl Decoder<'_> {
    pub(super) fn network_fields(&mut self, at: &At<'_>, container: &mut Container) {
        container.network = self.network_mode(at);
        self.mac_of_first(at, &mut container.network);
        self.found_as_called(at, container);
        container.links = self.links(at);
        container.ports = self.ports(at);
        container.expose = self.expose(at);
        container.extra_hosts = self.extra_hosts(at);
        container.dns = self.name_servers(at);
        container.dns_opt = self.texts(at, "dns_opt");
        container.dns_search = self.texts(at, "dns_search");
        let whose = match &container.network {
            NetworkMode::Host => "the host's network, where ports need no way in",
            NetworkMode::Service(_) | NetworkMode::Container(_) => {
                "the network of another, who has the ports that lead into it"
            }
            NetworkMode::None | NetworkMode::Networks(_) => return,
        };
        if let Some(ports) = at.get("ports").filter(|_| !container.ports.is_empty()) {
            self.wrong_hinted(
                &ports,
                format!("it has {whose}"),
                "Remove `ports`, or `network_mode`",
            );
        }
    }

    /// The servers of names that can be asked for a container.
    fn name_servers(&mut self, at: &At<'_>) -> Vec<IpAddr> {
        let mut servers = Vec::new();
        for item in self.list_or_one(at, "dns") {
            let Some(server) = self.parse::<IpAddr>(&item) else { continue };
            match server.to_canonical().is_loopback() {
                true => self.odd(
                    &item,
                    "is left out: Volt asks for the container, and its own loopback is another one",
                ),
                false => servers.push(server),
            }
        }
        servers
    }

    /// Where Volt calls a container otherwise than the file does, others find it as the file does too.
    fn found_as_called(&mut self, at: &At<'_>, container: &mut Container) {
        let text = at.said("container_name").and_then(|name| name.node.as_text());
        let NetworkMode::Networks(map) = &mut container.network else { return };
        let Some(text) = text.filter(|text| text.parse::<Alias>().is_ok()) else { return };
        if container.container_name.as_ref().is_some_and(|name| name.as_str() != text) {
            for connection in map.values_mut() {
                connection.aliases.push(text.to_owned());
                connection.aliases.sort();
                connection.aliases.dedup();
            }
        }
    }

    /// The hardware address of a service without a network's name: that of the connection which is its way out.
    fn mac_of_first(&mut self, at: &At<'_>, network: &mut NetworkMode) {
        let Some(field) = at.said("mac_address") else { return };
        let NetworkMode::Networks(map) = network else {
            self.wrong_hinted(&field, "it has no network of its own", "Remove it");
            return;
        };
        let mac = self.parse_of(at, "mac_address");
        if let Some(first) = map.values_mut().min_by_key(|one| Reverse(one.gw_priority)) {
            first.mac_address = first.mac_address.or(mac);
        }
    }

    pub(super) fn network_mode(&mut self, at: &At<'_>) -> NetworkMode {
        let Some(mode) = at.said("network_mode") else { return self.connections(at) };
        if at.get("networks").is_some() {
            self.wrong_hinted(&mode, "it has network_mode and networks", "Remove one of them");
        }
        let Some(text) = self.text(&mode) else { return NetworkMode::None };
        match (text.as_str(), text.split_once(':')) {
            ("none", _) => NetworkMode::None,
            ("host", _) => NetworkMode::Host,
            ("bridge" | "default", _) => NetworkMode::default(),
            (_, Some(("service", service))) => {
                self.places
                    .insert(format!("{}.network_mode.{service}", at.path), mode.node.place.clone());
                NetworkMode::Service(service.to_owned())
            }
            (_, Some(("container", name))) => match self.called(&mode, name) {
                Some(name) => NetworkMode::Container(name),
                None => NetworkMode::None,
            },
            _ => {
                let hint = "Write none, host, service:NAME, container:NAME, or use `networks`";
                self.wrong_hinted(&mode, format!("`{text}` is no network mode"), hint);
                NetworkMode::None
            }
        }
    }

    fn connections(&mut self, at: &At<'_>) -> NetworkMode {
        let Some(networks) = at.get("networks") else { return NetworkMode::default() };
        let mut map = BTreeMap::new();
        match &networks.node.value {
            Value::Map(entries) if !entries.is_empty() => {
                for (key, below) in networks.entries() {
                    self.places.insert(below.path.clone(), below.node.place.clone());
                    map.insert(key.to_owned(), self.connection(&below));
                }
            }
            Value::List(items) if !items.is_empty() => {
                for item in networks.items() {
                    if let Some(key) = self.text(&item) {
                        self.places
                            .insert(format!("{}.{key}", networks.path), item.node.place.clone());
                        map.insert(key, Connection::default());
                    }
                }
            }
            Value::Map(_) | Value::List(_) => return NetworkMode::default(),
            _ => self.wrong(
                &networks,
                format!("a list of networks belongs here, not {}", networks.node.kind()),
            ),
        }
        NetworkMode::Networks(map)
    }

    fn connection(&mut self, at: &At<'_>) -> Connection {
        let mut connection = Connection {
            aliases: self.texts(at, "aliases"),
            ipv4_address: self.parse_of(at, "ipv4_address"),
            ipv6_address: self.parse_of(at, "ipv6_address"),
            mac_address: self.parse_of(at, "mac_address"),
            gw_priority: self.number_of(at, "gw_priority").unwrap_or(0),
        };
        connection.aliases.sort();
        connection.aliases.dedup();
        for error in connection.aliases.iter().filter_map(|alias| alias.parse::<Alias>().err()) {
            self.odd(at, error);
        }
        connection
    }

    /// `SERVICE:ALIAS`; that they make a dependency is seen to with `depends_on`.
    fn links(&mut self, at: &At<'_>) -> BTreeMap<String, String> {
        let mut links = BTreeMap::new();
        for item in self.list(at, "links") {
            let Some((key, alias)) = item.node.as_text().and_then(|text| text.split_once(':'))
            else {
                continue;
            };
            match alias.parse::<Alias>() {
                Ok(alias) => drop(links.insert(alias.to_string(), key.to_owned())),
                Err(error) => self.wrong(&item, error),
            }
        }
        links
    }

    /// Both forms of `ports` (Compose Specification, 05-services: ports).
    pub(super) fn ports(&mut self, at: &At<'_>) -> Vec<Publish> {
        let mut all = Vec::new();
        if let Some(list) = at.get("ports") {
            self.note(list.path.clone(), &list);
        }
        for item in self.list(at, "ports") {
            match &item.node.value {
                Value::Map(_) => all.extend(self.long_port(&item)),
                _ => all.extend(self.short_ports(&item)),
            }
        }
        all
    }

    fn short_ports(&mut self, at: &At<'_>) -> Vec<Publish> {
        let Some(mut text) = self.text(at) else { return Vec::new() };
        if let Some(any) = one_of(&text) {
            self.odd(at, format!("`{text}` gets any free port of the host, not one of these"));
            text = any;
        }
        // A range without a port of the host: each gets a free one.
        let parsed: Result<Vec<Publish>, _> = match inside_ports(&text) {
            Some((range, protocol)) if range.start() < range.end() => {
                range.map(|port| format!("{port}/{protocol}").parse()).collect()
            }
            _ => bracketed(&text).parse().map(|one| vec![one]),
        };
        parsed.unwrap_or_else(|error| {
            let hint = "Write \"8080:80\", \"127.0.0.1:8080:80\", or \"53:53/udp\"";
            self.wrong_hinted(at, error, hint);
            Vec::new()
        })
    }

    fn long_port(&mut self, at: &At<'_>) -> Option<Publish> {
        let Some(target) = self.text_of(at, "target") else {
            self.wrong_hinted(
                at,
                "it has no target",
                "Write `target:` with the port in the container",
            );
            return None;
        };
        let published = self.text_of(at, "published").unwrap_or_default();
        let protocol = self.text_of(at, "protocol").unwrap_or_else(|| "tcp".to_owned());
        let address: Option<IpAddr> = self.parse_of(at, "host_ip");
        let address = match address {
            Some(IpAddr::V6(address)) => format!("[{address}]:"),
            Some(IpAddr::V4(address)) => format!("{address}:"),
            None => String::new(),
        };
        let mut text = match (published.as_str(), address.as_str()) {
            ("", "") => format!("{target}/{protocol}"),
            _ => format!("{address}{published}:{target}/{protocol}"),
        };
        if let Some(any) = one_of(&text) {
            self.odd(at, format!("`{published}` gets any free port of the host, not one of these"));
            text = any;
        }
        text.parse().map_err(|error| self.wrong(at, error)).ok()
    }

    fn expose(&mut self, at: &At<'_>) -> Vec<String> {
        let mut all = Vec::new();
        for item in self.list(at, "expose") {
            let Some(text) = self.text(&item) else { continue };
            match inside_ports(&text) {
                Some(_) => all.push(text),
                None => self.wrong(
                    &item,
                    format!("`{text}` is no port of a container: write 8080, 8080-8090 or 53/udp"),
                ),
            }
        }
        all
    }

    /// `NAME=ADDRESS`, `NAME:ADDRESS`, or a mapping; `host-gateway` is the host itself.
    pub(super) fn extra_hosts(&mut self, at: &At<'_>) -> Vec<ExtraHost> {
        let Some(hosts) = at.get("extra_hosts") else { return Vec::new() };
        let mut all = Vec::new();
        if let Value::Map(_) = hosts.node.value {
            for (name, below) in hosts.entries() {
                let values = if matches!(below.node.value, Value::List(_)) {
                    below.items()
                } else {
                    vec![below]
                };
                for value in values {
                    if let Some(address) = self.text(&value) {
                        all.extend(self.extra_host(&value, &format!("{name}={address}")));
                    }
                }
            }
            return all;
        }
        for item in self.list(at, "extra_hosts") {
            if let Some(text) = self.text(&item) {
                all.extend(self.extra_host(&item, &text));
            }
        }
        all
    }

    fn extra_host(&mut self, at: &At<'_>, text: &str) -> Option<ExtraHost> {
        text.parse().map_err(|error: AroundError| self.wrong(at, error)).ok()
    }

    /// A network of the stack (Compose Specification, 06-networks; `subnet` and `mtu` are Volt's).
    pub(super) fn network(&mut self, at: &At<'_>) -> Network {
        if at.node.is_null() || !self.is_map(at) {
            return Network::default();
        }
        let (external, name) = self.external(at, &["name", "external"]);
        let mut pools = Vec::new();
        pools.extend(self.parse_of(at, "subnet").map(|subnet| Pool { subnet, gateway: None }));
        if let Some(ipam) = at.get("ipam") {
            for config in self.list(&ipam, "config") {
                if let Some(subnet) = self.parse_of(&config, "subnet") {
                    pools.push(Pool { subnet, gateway: self.parse_of(&config, "gateway") });
                }
            }
        }
        let options = self.driver_options(at);
        let mtu = options.get("mtu").or_else(|| options.get("com.docker.network.driver.mtu"));
        let mtu = mtu.and_then(|text| text.parse().ok());
        let known = ["mtu", "com.docker.network.driver.mtu"];
        for option in options.keys().filter(|option| !known.contains(&option.as_str())) {
            self.odd(at, format!("the option `{option}` of its driver does nothing here"));
        }
        if let Some(driver) = at.get("driver")
            && !matches!(driver.node.as_text(), Some("bridge" | "default"))
        {
            let text = self.text(&driver).unwrap_or_default();
            self.wrong_hinted(
                &driver,
                format!("there is no network driver `{text}`"),
                "Remove `driver`, or write bridge",
            );
        }
        Network {
            name,
            external,
            internal: self.flag(at, "internal"),
            enable_ipv6: self.flag_or(at, "enable_ipv6"),
            pools,
            mtu: self.number_of(at, "mtu").or(mtu),
            labels: self.labels(at),
        }
    }

    pub(super) fn driver_options(&mut self, at: &At<'_>) -> BTreeMap<String, String> {
        self.pairs(at, "driver_opts")
    }

    /// `external: true`, or its old form with a name in it; and the name. Beside it nothing else has a meaning.
    pub(super) fn external(&mut self, at: &At<'_>, may: &[&str]) -> (External, Option<String>) {
        let mut name = self.text_of(at, "name");
        let is = match at.get("external") {
            Some(old) if matches!(old.node.value, Value::Map(_)) => {
                name = name.or_else(|| self.text_of(&old, "name"));
                true
            }
            Some(_) => self.flag(at, "external"),
            None => false,
        };
        let own = |key: &str| may.contains(&key) || key.starts_with("x-");
        if is && let Some((key, other)) = at.entries().into_iter().find(|(key, _)| !own(key)) {
            self.wrong_hinted(
                &other,
                format!("it is external, so `{key}` means nothing"),
                "Remove it, or `external`",
            );
        }
        (if is { External::Yes } else { External::No }, name)
    }
}

/// Ports of a container alone: `8080`, `8080-8090`, `53/udp`.
fn inside_ports(text: &str) -> Option<(RangeInclusive<u16>, &str)> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    let good =
        first > 0 && first <= last && last - first < 1024 && matches!(protocol, "tcp" | "udp");
    good.then_some((first..=last, protocol))
}

/// One port of a container that is to have one of several of the host, `8000-9000:80`: without those of the host.
fn one_of(text: &str) -> Option<String> {
    let (rest, inside) = text.rsplit_once(':')?;
    let (address, outside) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (first, last) = outside.split_once('-')?;
    let range = first.parse::<u16>().ok()? < last.parse::<u16>().ok()?;
    let ports = inside.split('/').next().unwrap_or_default();
    let any = if address.is_empty() { inside.to_owned() } else { format!("{address}::{inside}") };
    (range && !ports.contains('-')).then_some(any)
}

/// `::1:6000:6000` as `[::1]:6000:6000`: Compose takes IPv6 addresses without brackets too.
fn bracketed(text: &str) -> String {
    if text.starts_with('[') || text.matches(':').count() < 4 {
        return text.to_owned();
    }
    let mut parts = text.rsplitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(inside), Some(host), Some(address))
            if address.parse::<std::net::Ipv6Addr>().is_ok() =>
        {
            format!("[{address}]:{host}:{inside}")
        }
        _ => text.to_owned(),
    }
}
