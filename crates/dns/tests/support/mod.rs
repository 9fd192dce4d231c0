//! A server on the loopback's addresses, askers at others of them, and a resolver whose answers are made up.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as tests do")]

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::message::Message;
use domain::base::message_builder::MessageBuilder;
use domain::base::{Name, Ttl};
use domain::rdata::{A, AllRecordData, Soa};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use volt_dns::forward::message::asked;

/// Where the resolver answers; at `DEAD` nobody does.
pub(crate) const RESOLVER: &str = "127.77.9.9";
pub(crate) const DEAD: &str = "127.77.9.8";

/// A server that serves until the test's process ends.
pub(crate) struct Server {
    pub(crate) dir: tempfile::TempDir,
    port: u16,
    /// The names that the resolver was asked for.
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// One with this table, whose host has these resolvers.
    pub(crate) fn begin(table: &str, resolvers: &[&str]) -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let lines = resolvers.iter().map(|server| format!("nameserver {server}\n"));
        std::fs::write(dir.path().join("resolv.conf"), lines.collect::<String>()).unwrap();
        let server = Self { dir, port, heard: resolve(port) };
        server.write(table);
        server.serve();
        server.until("127.77.1.2", "127.77.1.1", "web", "NOERROR 127.77.1.2");
        server
    }

    /// Where it listens, at every gateway.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn serve(&self) {
        let settings = volt_dns::Settings {
            table: self.dir.path().join("dns.json"),
            resolv_conf: self.dir.path().join("resolv.conf"),
            port: self.port,
        };
        thread::spawn(move || volt_dns::serve(&settings));
    }

    /// Puts another table in the place of the one that is there.
    pub(crate) fn write(&self, table: &str) {
        let path = self.dir.path();
        std::fs::write(path.join("new"), table).unwrap();
        std::fs::rename(path.join("new"), path.join("dns.json")).unwrap();
    }

    /// What `source` is told at `gateway`: the code and the addresses, or `silence`.
    pub(crate) fn ask(&self, source: &str, gateway: &str, name: &str) -> String {
        self.send(source, gateway, &asked(3, name, Rtype::A, true))
            .map_or("silence".into(), |reply| told(&reply))
    }

    /// Asks until the answer is this one, for at most as long as a change may take.
    pub(crate) fn until(&self, source: &str, gateway: &str, name: &str, wanted: &str) -> Duration {
        let begun = std::time::Instant::now();
        loop {
            let got = self.ask(source, gateway, name);
            if got == wanted {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{name} is {got}, not {wanted}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What comes back for these bytes in a datagram.
    pub(crate) fn send(&self, source: &str, gateway: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let socket = UdpSocket::bind((source, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
        socket.connect((gateway, self.port)).unwrap();
        socket.send(bytes).ok()?;
        let mut reply = vec![0; 4096];
        let length = socket.recv(&mut reply).ok()?;
        reply.truncate(length);
        Some(reply)
    }

    /// What comes back on a connection, also for several queries at once.
    pub(crate) fn connect(&self, gateway: &str, queries: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut stream = TcpStream::connect((gateway, self.port)).unwrap();
        for query in queries {
            stream.write_all(&u16::try_from(query.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(query).unwrap();
        }
        queries.iter().map(|_| framed(&mut stream)).collect()
    }
}

fn framed(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// A reply in a line; `cut` where it says that there is more.
pub(crate) fn told(reply: &[u8]) -> String {
    let message = Message::from_octets(reply).unwrap();
    let mut words = vec![message.header().rcode().to_string()];
    for record in message.answer().unwrap().limit_to::<AllRecordData<_, _>>() {
        words.push(record.unwrap().data().to_string());
    }
    if message.header().tc() {
        words.push("cut".into());
    }
    words.join(" ")
}

/// Answers as the first label says, and writes down what was asked.
fn resolve(port: u16) -> Arc<Mutex<Vec<String>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let socket = UdpSocket::bind((RESOLVER, port)).unwrap();
    let listener = TcpListener::bind((RESOLVER, port)).unwrap();
    let note = Arc::clone(&heard);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            if let Some(reply) = made_up(&bytes[..length], true, &note) {
                socket.send_to(&reply, from).unwrap();
            }
        }
    });
    let note = Arc::clone(&heard);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let query = framed(&mut stream);
            let reply = made_up(&query, false, &note).unwrap();
            let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length, &reply[..]].concat()).unwrap();
        }
    });
    heard
}

fn made_up(query: &[u8], datagram: bool, heard: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
    let query = Message::from_octets(query).unwrap();
    let name = query.sole_question().unwrap().qname().to_string();
    let how = if datagram { "" } else { " on a connection" };
    heard.lock().unwrap().push(format!("{name}{how}"));
    let first = name.split('.').next().unwrap_or_default();
    let zone: Name<Vec<u8>> = "example".parse().unwrap();
    let code = match first {
        "none" => Rcode::NXDOMAIN,
        "broken" => Rcode::SERVFAIL,
        "old" if query.opt().is_some() => Rcode::FORMERR,
        _ => Rcode::NOERROR,
    };
    if first == "late" {
        thread::sleep(Duration::from_millis(300));
    }
    let mut builder = MessageBuilder::new_vec().start_answer(&query, code).unwrap();
    let count = match first {
        _ if code != Rcode::NOERROR => 0,
        "large" if datagram => {
            builder.header_mut().set_tc(true);
            0
        }
        "large" => 100,
        _ => 1,
    };
    let owner: Name<Vec<u8>> = name.parse().unwrap();
    for number in 0..count {
        let address = A::new(Ipv4Addr::new(192, 0, 2, number));
        builder.push((&owner, Class::IN, Ttl::from_secs(60), address)).unwrap();
    }
    let mut builder = builder.authority();
    if code == Rcode::NXDOMAIN {
        let ttl = Ttl::from_secs(60);
        let soa = Soa::new(&zone, &zone, 1.into(), ttl, ttl, ttl, ttl);
        builder.push((&zone, Class::IN, ttl, soa)).unwrap();
    }
    Some(builder.finish())
}
