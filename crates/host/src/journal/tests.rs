//! Lines of journalctl, and datagrams against a socket of our own. A real journal is read in `tests/systemd.rs`.

use super::read::Order;
use super::*;
use proptest::prelude::*;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime};

#[test]
fn lines_of_journalctl() {
    let line = br#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1000001","MESSAGE":[104,255,10],
        "PRIORITY":"3","_PID":"7","_SYSTEMD_UNIT":"init.scope","UNIT":"web.service","_COMM":"systemd",
        "VOLT_STREAM":["stderr","x"],"VOLT_WORKLOAD":"web"}"#;
    let entry = parse_entry(line).unwrap();
    assert_eq!(entry.message, b"h\xff\n");
    assert_eq!(entry.time, SystemTime::UNIX_EPOCH + Duration::from_micros(1_000_001));
    assert_eq!((entry.priority, entry.pid, entry.cursor.as_str()), (Some(3), Some(7), "s=1"));
    assert_eq!(entry.unit.as_deref(), Some("web.service"));
    assert_eq!(entry.stream.as_deref(), Some("stderr"));
    assert_eq!(entry.identifier.as_deref(), Some("systemd"));
    let null = br#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":null}"#;
    assert!(parse_entry(null).unwrap().message.is_empty());
    assert!(parse_entry(b"-- No entries --").is_none());
}

#[test]
fn arguments_of_journalctl() {
    let at = SystemTime::UNIX_EPOCH + Duration::from_micros(5_000_001);
    let query = Query::new().unit("a.service").field("X", "-y").since(at).lines(3).follow();
    let args = query.arguments(Order::OldestFirst);
    for wanted in ["--unit=a.service", "--since=@5.000001", "--lines=3", "--follow"] {
        assert!(args.iter().any(|arg| arg == wanted), "{wanted} in {args:?}");
    }
    assert_eq!(args[args.len() - 2..], ["--", "X=-y"]);
    let both = Query::new().about("a.service").about("b.service").arguments(Order::OldestFirst);
    let terms = both.join(" ");
    let (a, b) = (
        "_SYSTEMD_UNIT=a.service + UNIT=a.service _UID=0",
        "_SYSTEMD_UNIT=b.service + UNIT=b.service _UID=0",
    );
    assert!(terms.ends_with(&format!("-- {a} + {b}")), "{terms}");
    assert!(Query::new().follow().arguments(Order::OldestFirst).contains(&"--no-tail".to_owned()));
}

proptest! {
    #[test]
    fn entries_never_panic(line in ".{0,200}") {
        parse_entry(line.as_bytes());
    }
}

#[test]
fn writes_small_and_big_entries() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut writer = JournalWriter::to(&path, &[("VOLT_WORKLOAD", "web")]).unwrap();
    writer.write(b"a\nb", 6, &[("VOLT_STREAM", "stdout")]).unwrap();
    let mut buffer = [0; 200];
    let size = socket.recv(&mut buffer).unwrap();
    let expected =
        b"VOLT_WORKLOAD=web\nMESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY=6\nVOLT_STREAM=stdout\n";
    assert_eq!(&buffer[..size], expected);
    // Far more than a datagram holds: an empty datagram with a descriptor.
    writer.write(&vec![b'x'; 4 << 20], 6, &[]).unwrap();
    assert_eq!(socket.recv(&mut buffer).unwrap(), 0);
}
