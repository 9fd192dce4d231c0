//! Archives that others wrote are read, and others read ours.

use super::*;
use crate::archive::TarReader;
use crate::tree::{Kind, Segment, Shape, Time};
use std::io::Read;

fn only_member(archive: &[u8]) -> (crate::tree::Entry, Vec<u8>) {
    let mut reader = TarReader::new(archive, 100);
    let member = reader.next_member().unwrap().unwrap();
    let mut data = Vec::new();
    reader.data().read_to_end(&mut data).unwrap();
    assert!(reader.next_member().unwrap().is_none());
    (member.entry, data)
}

#[test]
fn holes_in_all_their_forms() {
    let want = Shape {
        size: 100,
        segments: vec![Segment { offset: 10, length: 2 }, Segment { offset: 50, length: 3 }],
    };
    let data = b"abcde";
    let map: [(&str, &[u8]); 2] =
        [("GNU.sparse.size", b"100"), ("GNU.sparse.map", b"10,2,50,3,100,0")];
    let pairs: [(&str, &[u8]); 7] = [
        ("GNU.sparse.size", b"100"),
        ("GNU.sparse.offset", b"10"),
        ("GNU.sparse.numbytes", b"2"),
        ("GNU.sparse.offset", b"50"),
        ("GNU.sparse.numbytes", b"3"),
        ("GNU.sparse.offset", b"100"),
        ("GNU.sparse.numbytes", b"0"),
    ];
    let front: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"holes"),
        ("GNU.sparse.realsize", b"100"),
    ];
    let mut stored = b"3\n10\n2\n50\n3\n100\n0\n".to_vec();
    stored.resize(BLOCK, 0);
    stored.extend_from_slice(data);
    for archive in [
        Raw::default().pax(&pairs).file("holes", data).end(),
        Raw::default().pax(&map).file("holes", data).end(),
        Raw::default().pax(&front).file("GNUSparseFile.0/holes", &stored).end(),
    ] {
        let (entry, read) = only_member(&archive);
        assert_eq!(entry.path.as_bytes(), b"holes");
        assert_eq!((entry.kind, read), (Kind::File(want.clone()), data.to_vec()));
    }
}

#[test]
fn attributes_in_extension_headers() {
    let records: [(&str, &[u8]); 6] = [
        ("mtime", b"-1.5"),
        ("uid", b"3000000"),
        ("gid", b"70000"),
        ("path", b"\xff\xfename"),
        ("SCHILY.xattr.user.a", b"1\0\n2"),
        ("SCHILY.xattr.user.empty", b""),
    ];
    let (entry, _) = only_member(&Raw::default().pax(&records).file("x", b"").end());
    assert_eq!(entry.path.as_bytes(), b"\xff\xfename");
    assert_eq!(entry.meta.mtime, Time { seconds: -2, nanoseconds: 500_000_000 });
    assert_eq!((entry.meta.uid, entry.meta.gid), (3_000_000, 70_000));
    assert_eq!(
        entry.meta.xattrs,
        [(b"user.a".to_vec(), b"1\0\n2".to_vec()), (b"user.empty".to_vec(), vec![])]
    );
}

#[test]
fn old_and_odd_headers() {
    // V7: no magic, a folder is a file with a slash.
    let block = Raw::block(b"old/", 0, b"", 0);
    let (entry, _) = only_member(&Raw::default().with(block, |b| b[257..265].fill(0), b"").end());
    assert_eq!(entry.kind, Kind::Directory);
    // A prefix counts for POSIX only; GNU keeps times there.
    let block = Raw::block(b"name", b'0', b"", 0);
    let (entry, _) = only_member(
        &Raw::default().with(block, |b| b[345..351].copy_from_slice(b"prefix"), b"").end(),
    );
    assert_eq!(entry.path.as_bytes(), b"prefix/name");
    let gnu = |b: &mut [u8; BLOCK]| {
        b[257..265].copy_from_slice(b"ustar  \0");
        b[345..357].copy_from_slice(b"14000000000\0");
    };
    let (entry, _) = only_member(&Raw::default().with(block, gnu, b"").end());
    assert_eq!(entry.path.as_bytes(), b"name");
    // A time before 1970 in base 256, and a volume label in front.
    let archive =
        Raw::default().kind("label", b'V').with(block, |b| b[136..148].fill(0xff), b"").end();
    assert_eq!(only_member(&archive).0.meta.mtime.seconds, -1);
}

#[test]
fn the_tar_crate_s_archives_are_read() {
    let mut builder = tar::Builder::new(Vec::new());
    let long = format!("{}/file", "folder-with-a-long-name/".repeat(12));
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o4755);
    header.set_mtime(1_700_000_000);
    builder.append_data(&mut header, &long, &b"abc"[..]).unwrap();
    let archive = builder.into_inner().unwrap();
    let (entry, data) = only_member(&archive);
    assert_eq!((entry.meta.mode, data), (0o4755, b"abc".to_vec()));
    assert_eq!(entry.path.as_bytes(), long.replace("//", "/").as_bytes());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..3000), seal_it: bool) {
        let mut bytes = bytes;
        if seal_it {
            bytes.chunks_exact_mut(BLOCK).for_each(|block| seal(block.try_into().unwrap()));
        }
        let mut reader = TarReader::new(&bytes[..], 100);
        while let Ok(Some(_)) = reader.next_member() {}
    }
}
