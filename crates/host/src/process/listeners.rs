//! Who listens on which ports of the host: `/proc/net`, and the processes that hold those sockets.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use volt_model::net::Protocol;

/// The most that is read of one of these lists, in bytes.
const LIMIT: usize = 16 << 20;
/// The files, and in which state of them a socket takes what comes: of TCP `LISTEN`, of UDP one that is not connected.
const LISTS: [(&str, Protocol, &str); 4] = [
    ("/proc/self/net/tcp", Protocol::Tcp, "0A"),
    ("/proc/self/net/tcp6", Protocol::Tcp, "0A"),
    ("/proc/self/net/udp", Protocol::Udp, "07"),
    ("/proc/self/net/udp6", Protocol::Udp, "07"),
];

/// A socket that takes what comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it carries.
    pub protocol: Protocol,
    /// Its address; unspecified where it has all.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    inode: String,
}

/// The process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// The name of its program.
    pub name: String,
    cgroup: String,
}

impl Holder {
    /// Whether it belongs to this unit.
    pub fn is_in_unit(&self, unit: &str) -> bool {
        self.cgroup.split('/').any(|part| part.trim_end() == unit)
    }
}

impl Listener {
    /// All there are in the network namespace of this process.
    pub fn all() -> io::Result<Vec<Self>> {
        let mut all = Vec::new();
        for (path, protocol, state) in LISTS {
            // A kernel without IPv6 has no lists of it.
            if let Ok(text) = crate::files::read_text(path.as_ref(), LIMIT) {
                all.extend(text.lines().skip(1).filter_map(|line| parse(line, protocol, state)));
            }
        }
        Ok(all)
    }

    /// The process that holds it; none where it is gone, or is the kernel's.
    pub fn process(&self) -> Option<Holder> {
        let wanted = format!("socket:[{}]", self.inode);
        let holds = |pid: u32| {
            let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            open.into_iter().any(|fd| {
                fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == wanted.as_str())
            })
        };
        let entries = fs::read_dir("/proc").ok()?.flatten();
        let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let pid = pids.find(|pid| holds(*pid))?;
        let text = |file| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        Some(Holder { pid, name: text("comm").trim_end().to_owned(), cgroup: text("cgroup") })
    }
}

/// One line of such a list.
fn parse(line: &str, protocol: Protocol, wanted: &str) -> Option<Listener> {
    let mut words = line.split_ascii_whitespace();
    let (_, local, _, state) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let inode = words.nth(5)?;
    if state != wanted {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some(Listener {
        protocol,
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        inode: inode.to_owned(),
    })
}

/// The kernel writes an address in words of 32 bits as this machine has them.
fn parse_address(text: &str) -> Option<IpAddr> {
    let words: Option<Vec<[u8; 4]>> = (0..text.len())
        .step_by(8)
        .map(|at| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes()))
        .collect();
    match words?.as_slice() {
        [word] => Some(IpAddr::V4(Ipv4Addr::from(*word))),
        words @ [_, _, _, _] => {
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn own_sockets_are_found_with_their_process() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("[::1]:0").unwrap();
        let all = Listener::all().unwrap();
        for (protocol, address) in
            [(Protocol::Tcp, tcp.local_addr().unwrap()), (Protocol::Udp, udp.local_addr().unwrap())]
        {
            let found = all.iter().find(|one| {
                (one.protocol, one.address, one.port) == (protocol, address.ip(), address.port())
            });
            let holder = found.unwrap().process().unwrap();
            assert_eq!(holder.pid, std::process::id());
            assert!(!holder.is_in_unit("volt-proxy@web.service"));
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "[0-9A-F: ]{0,120}") {
            drop(parse(&line, Protocol::Tcp, "0A"));
        }
    }
}
