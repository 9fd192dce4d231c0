//! The parser against the contract's table, and against anything at all.

use super::*;
use proptest::prelude::*;

fn records(list: &[&str]) -> Vec<u8> {
    list.iter().flat_map(|record| [record.as_bytes(), b"\0"].concat()).collect()
}

#[test]
fn every_key_is_understood() {
    let spec = parse(&records(&[
        "version=1",
        "uid=33",
        "gid=34",
        "group=4",
        "group=27",
        "cwd=/srv",
        "tty=1",
        "stdin=1",
        "traced=1",
        "hold=1",
        "caps=a80425fb",
        "nnp=1",
        "seccomp=060000000000ff7f",
        "rlimit=NOFILE:1024:18446744073709551615",
        "umask=27",
        "stop-signal=3",
        "env=A=x=y",
        "env=B=",
        "arg=sh",
        "arg=",
    ]))
    .unwrap();
    assert_eq!(spec.user, User::Ids { uid: 33, gid: 34, groups: vec![4, 27] });
    assert_eq!(spec.cwd.as_c_str(), c"/srv");
    assert!(spec.tty && spec.stdin && spec.traced && spec.hold && spec.no_new_privs);
    assert_eq!(spec.caps, 0xa804_25fb);
    assert_eq!(spec.filters, [[Instruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }]]);
    let limit = Rlimit { resource: libc::RLIMIT_NOFILE, soft: 1024, hard: u64::MAX };
    assert_eq!(spec.rlimits, [limit]);
    assert_eq!((spec.umask, spec.stop_signal), (0o27, 3));
    assert_eq!(spec.env, [c"A=x=y".to_owned(), c"B=".to_owned()]);
    assert_eq!(spec.args, [c"sh".to_owned(), c"".to_owned()]);
}

#[test]
fn the_least_spec_has_the_defaults() {
    let spec = parse(&records(&["version=1", "user=www-data", "arg=true"])).unwrap();
    assert_eq!(spec.user, User::Named("www-data".into()));
    assert_eq!(spec.cwd.as_c_str(), c"/");
    assert_eq!((spec.caps, spec.umask, spec.stop_signal), (0, 0o22, 15));
    assert!(!spec.tty && !spec.stdin && !spec.traced && !spec.hold && !spec.no_new_privs);
}

#[test]
fn what_is_wrong_is_named() {
    let cases: [(&[&str], &str); 18] = [
        (&["version=2", "uid=0", "gid=0", "arg=x"], "is not of version 1"),
        (&["uid=0", "gid=0", "arg=x"], "is not of version 1"),
        (&["version=1", "uid=0", "gid=0"], "has no arg"),
        (&["version=1", "uid=0", "gid=0", "arg="], "has no arg"),
        (&["version=1", "arg=x"], "has no uid"),
        (&["version=1", "uid=0", "arg=x"], "has no gid"),
        (&["version=1", "uid=0", "uid=0", "gid=0", "arg=x"], "has uid twice"),
        (&["version=1", "uid=0", "gid=0", "user=x", "arg=x"], "has user twice"),
        (&["version=1", "landlock=1"], "has the unknown key \"landlock\""),
        (&["version=1", "tty=yes"], "has a value of tty that is not understood"),
        (&["version=1", "uid=-1"], "has a value of uid that is not understood"),
        (&["version=1", "caps=xyz"], "has a value of caps that is not understood"),
        (&["version=1", "seccomp=06"], "has a value of seccomp that is not understood"),
        (&["version=1", "rlimit=NOFILE:1"], "has a value of rlimit that is not understood"),
        (&["version=1", "umask=1000"], "has a value of umask that is not understood"),
        (&["version=1", "stop-signal=65"], "has a value of stop-signal that is not understood"),
        (&["version=1", "env==x"], "has a value of env that is not understood"),
        (&["version=1", "nothing"], "has a value of nothing that is not understood"),
    ];
    for (list, message) in cases {
        assert_eq!(parse(&records(list)).unwrap_err().to_string(), message, "{list:?}");
    }
    assert!(matches!(parse(b"version=1\0arg=x"), Err(SpecError::Cut)));
    assert!(matches!(read(std::io::repeat(b'x')), Err(SpecError::TooLong)));
}

proptest! {
    #[test]
    fn any_bytes_are_a_spec_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(parse(&bytes));
        let mut begun = b"version=1\0".to_vec();
        begun.extend_from_slice(&bytes);
        drop(parse(&begun));
    }

    #[test]
    fn arguments_come_back_as_they_were(args in proptest::collection::vec("[^\0]{1,40}", 1..6)) {
        let mut bytes = records(&["version=1", "uid=0", "gid=0"]);
        for arg in &args {
            bytes.extend_from_slice(&records(&[&format!("arg={arg}")]));
        }
        let spec = parse(&bytes).unwrap();
        let found: Vec<&str> = spec.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        prop_assert_eq!(found, args);
    }
}
