//! Who the host asks: the name servers of its `resolv.conf`, read again when the file is another.

use super::locked;
use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use volt_host::files;

/// How many of them are asked.
const MOST: usize = 8;
/// The largest file that is read, in bytes.
const LARGEST: usize = 64 << 10;
/// How long nobody looks whether the file is another.
const PAUSE: Duration = Duration::from_secs(1);

/// The host's resolvers.
#[derive(Debug)]
pub(super) struct Resolvers {
    file: PathBuf,
    port: u16,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    looked: Option<Instant>,
    /// Device, number, time of change: another file has others.
    stamp: Option<(u64, u64, i64, i64)>,
    own: HashSet<IpAddr>,
    all: Arc<[SocketAddr]>,
}

impl Resolvers {
    /// Those that this file names, where they answer at this port.
    pub(super) fn new(file: &Path, port: u16) -> Self {
        Self { file: file.to_owned(), port, known: Mutex::default() }
    }

    /// Tells which addresses are the server's own.
    pub(super) fn set_own(&self, own: &HashSet<IpAddr>) {
        let mut known = locked(&self.known);
        known.own.clone_from(own);
        (known.stamp, known.looked) = (None, None);
    }

    /// Whom to ask for somebody who has these, which is never the server itself.
    pub(super) fn of(&self, servers: &[IpAddr]) -> Arc<[SocketAddr]> {
        let known = locked(&self.known);
        let others = servers.iter().filter(|server| !known.own.contains(server));
        others.map(|server| SocketAddr::new(*server, self.port)).take(MOST).collect()
    }

    /// Whom to ask, in the host's order.
    pub(super) fn all(&self) -> Arc<[SocketAddr]> {
        let mut known = locked(&self.known);
        if known.looked.is_none_or(|at| at.elapsed() >= PAUSE) {
            known.looked = Some(Instant::now());
            let stamp = fs::metadata(&self.file)
                .ok()
                .map(|data| (data.dev(), data.ino(), data.ctime(), data.ctime_nsec()));
            // A link may lead to another file now; where there is none, those of before are better than nobody.
            if stamp.is_some() && stamp != known.stamp {
                match files::read_text(&self.file, LARGEST) {
                    Ok(text) => {
                        let own = |server: &SocketAddr| !known.own.contains(&server.ip());
                        known.all =
                            parse(&text, self.port).into_iter().filter(own).take(MOST).collect();
                        known.stamp = stamp;
                    }
                    Err(error) => tracing::warn!(%error, "the resolvers stay as they were"),
                }
            }
        }
        Arc::clone(&known.all)
    }
}

/// The name servers of a `resolv.conf`.
fn parse(text: &str, port: u16) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver")
            && let Some(server) = words.next().and_then(|word| server(word, port))
            && !all.contains(&server)
        {
            all.push(server);
        }
    }
    all
}

/// An address, perhaps with the link it is on: `fe80::1%eth0`.
fn server(word: &str, port: u16) -> Option<SocketAddr> {
    let Some((address, link)) = word.split_once('%') else {
        return Some(SocketAddr::new(word.parse().ok()?, port));
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let index = link.parse().ok().or_else(|| {
        let path = Path::new("/sys/class/net").join(link).join("ifindex");
        // A name with a slash in it would lead elsewhere.
        let text = (!link.contains('/')).then(|| files::read_text(&path, 64).ok())??;
        text.trim().parse().ok()
    });
    Some(SocketAddrV6::new(address, port, 0, index?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read() {
        let text = "# none\nsearch example\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 x\n\
             nameserver nothing\nnameserver 192.0.2.1\n nameserver fe80::1%1\nnameserver fe80::1%../x\n";
        let all: Vec<String> = parse(text, 53).iter().map(ToString::to_string).collect();
        assert_eq!(all, ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%1]:53"]);
    }

    #[test]
    fn another_file_is_read_again_and_the_server_itself_never_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("resolv.conf");
        let resolvers = Resolvers::new(&file, 53);
        assert!(resolvers.all().is_empty());
        fs::write(&file, "nameserver 192.0.2.1\nnameserver 10.0.0.1\n").unwrap();
        resolvers.set_own(&HashSet::from(["10.0.0.1".parse().unwrap()]));
        assert_eq!(*resolvers.all(), ["192.0.2.1:53".parse().unwrap()]);
        let asked = ["10.0.0.1", "192.0.2.9"].map(|text| text.parse().unwrap());
        assert_eq!(*resolvers.of(&asked), ["192.0.2.9:53".parse().unwrap()]);
        fs::write(dir.path().join("new"), "nameserver 192.0.2.2\n").unwrap();
        fs::rename(dir.path().join("new"), &file).unwrap();
        locked(&resolvers.known).looked = None;
        assert_eq!(*resolvers.all(), ["192.0.2.2:53".parse().unwrap()]);
        fs::remove_file(&file).unwrap();
        locked(&resolvers.known).looked = None;
        assert_eq!(resolvers.all().len(), 1);
    }
}
