//! What an enemy would send: refused with nothing left, or neutralised and named.

use super::*;
use crate::Error;
use crate::archive::TarReader;
use crate::archive::compress::{self, Compression, Packer, StreamLimits};
use std::io::{Read, Write};

pub(super) const SMALL: Limits = Limits { bytes: 1 << 20, entries: 50, ratio: 1000 };

/// Lies told in a header: what is written into its field before the checksum is made.
fn lie(range: std::ops::Range<usize>, value: &[u8]) -> Vec<u8> {
    let value = value.to_vec();
    let block = Raw::block(b"liar", b'0', b"", 0);
    let change = move |block: &mut [u8; BLOCK]| block[range].copy_from_slice(&value);
    Raw::default().file("good", b"x").with(block, change, b"").end()
}

fn sparse(size: &str, map: &str, data: &[u8]) -> Vec<u8> {
    let records = [("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", map.as_bytes())];
    Raw::default().pax(&records).file("holes", data).end()
}

fn sparse_1_0(size: &str, map: &[u8]) -> Vec<u8> {
    let records = [
        ("GNU.sparse.major", &b"1"[..]),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.realsize", size.as_bytes()),
    ];
    Raw::default().pax(&records).file("holes", map).end()
}

fn gnu_sparse(pairs: &[(u64, u64)], real: u64, more: bool, data: &[u8]) -> Vec<u8> {
    let block = Raw::block(b"holes", b'S', b"", data.len() as u64);
    let change = |block: &mut [u8; BLOCK]| {
        block[257..265].copy_from_slice(b"ustar  \0");
        for (i, (offset, length)) in pairs.iter().enumerate() {
            put_octal(&mut block[386 + 24 * i..398 + 24 * i], *offset);
            put_octal(&mut block[398 + 24 * i..410 + 24 * i], *length);
        }
        block[482] = more.into();
        put_octal(&mut block[483..495], real);
    };
    Raw::default().with(block, change, data).end()
}

fn long(flag: u8, body: &[u8]) -> Raw {
    Raw::default().extension(flag, body)
}

/// Archives and a part of the reason they are refused for.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn refused() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let raw = Raw::default;
    let deep = "d/".repeat(2100);
    vec![
        ("climbs", raw().file("../evil", b"x").end(), "climbs"),
        ("climbs within", raw().file("a/../../evil", b"x").end(), "climbs"),
        ("climbs from the root", raw().file("/etc/../../evil", b"x").end(), "climbs"),
        ("climbs as PAX path", raw().pax(&[("path", b"../evil")]).file("ok", b"x").end(), "climbs"),
        ("climbs as long name", long(b'L', b"../../evil\0").file("ok", b"x").end(), "climbs"),
        ("a folder that climbs", raw().dir("../").end(), "climbs"),
        ("links to outside", raw().link("x", "../../../outside/secret").end(), "links to outside"),
        ("links to what is not there", raw().link("x", "/outside/secret").end(), "does not exist"),
        ("links to a folder", raw().dir("d/").link("x", "d").end(), "links to a folder"),
        ("links to the root", raw().link("x", ".").end(), "links to the root"),
        ("links to itself", raw().link("x", "x").end(), "not there"),
        (
            "links through a link",
            raw().symlink("l", "/outside").link("x", "l/secret").end(),
            "does not exist",
        ),
        (
            "below a link to nowhere",
            raw().symlink("l", "/outside").file("l/evil", b"x").end(),
            "leads nowhere",
        ),
        ("below a file", raw().file("a", b"x").file("a/b", b"y").end(), "no folder"),
        (
            "links in circles",
            raw().symlink("a", "b").symlink("b", "a").file("a/x", b"").end(),
            "circles",
        ),
        ("in place of a full folder", raw().file("d/x", b"").symlink("d", "/").end(), "not empty"),
        (
            "a file in place of a full folder",
            raw().file("d/x", b"").file("d", b"").end(),
            "not empty",
        ),
        ("a link in place of the root", raw().symlink("./", "/outside").end(), "place of the root"),
        ("a file in place of the root", raw().file(".", b"").end(), "place of the root"),
        ("no name", raw().file("", b"x").end(), "no name"),
        ("a long part", long(b'L', &[b'n'; 256]).file("ok", b"").end(), "longer than 255"),
        ("a long path", long(b'L', deep.as_bytes()).file("ok", b"").end(), "longer than 4095"),
        ("a NUL in the name", raw().pax(&[("path", b"a\0b")]).file("ok", b"").end(), "NUL"),
        ("a link without target", raw().kind("l", b'2').end(), "without a target"),
        ("a link with a long target", long(b'K', &[b't'; 5000]).kind("l", b'2').end(), "no path"),
        (
            "the data is not there",
            raw().with(Raw::block(b"f", b'0', b"", 5000), |_| (), b"x").0,
            "ends",
        ),
        (
            "larger than the limit",
            raw().file("f", &[0; 2 << 20]).end(),
            "larger than 1048576 bytes",
        ),
        ("an absurd size", lie(124..136, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), "absurd"),
        ("a size beyond counting", lie(124..136, b"\x80\0\0\x01\0\0\0\0\0\0\0\0"), "size"),
        ("a negative size", lie(124..136, &[0xff; 12]), "size"),
        ("a size that is no number", lie(124..136, b"12x45678901\0"), "size"),
        (
            "a PAX size that is absurd",
            raw().pax(&[("size", b"18446744073709551615")]).file("f", b"").end(),
            "absurd",
        ),
        (
            "a PAX size that is no number",
            raw().pax(&[("size", b"-1")]).file("f", b"").end(),
            "number",
        ),
        (
            "a wrong checksum",
            {
                let mut a = raw().file("a", b"").file("b", b"").end();
                a[512 + 148] = b'7';
                a[512 + 1] ^= 1;
                a
            },
            "checksum",
        ),
        (
            "owned by nobody there can be",
            raw().pax(&[("uid", b"4294967295")]).file("f", b"").end(),
            "owner",
        ),
        (
            "owned by a number too large",
            raw().pax(&[("gid", b"4294967296")]).file("f", b"").end(),
            "owner",
        ),
        ("a time that is none", raw().pax(&[("mtime", b"yesterday")]).file("f", b"").end(), "time"),
        (
            "a record that lies",
            long(b'x', b"99 path=a\n").file("f", b"").end(),
            "lies about its length",
        ),
        ("a record without length", long(b'x', b"path=a\n").file("f", b"").end(), "no length"),
        (
            "a huge extension header",
            raw().with(Raw::block(b"x", b'x', b"", 1 << 31), |_| (), b"").0,
            "larger than 1 MiB",
        ),
        (
            "a huge long name",
            long(b'L', &vec![b'a'; (1 << 20) + 1]).file("f", b"").end(),
            "larger than 1 MiB",
        ),
        (
            "a global header with a path",
            long(b'g', b"13 path=evil\n").file("f", b"").end(),
            "global",
        ),
        ("a global header with a size", long(b'g', b"9 size=1\n").file("f", b"").end(), "global"),
        (
            "an end behind an extension",
            raw().file("f", b"").pax(&[("path", b"x")]).end(),
            "behind an extension",
        ),
        ("no end", raw().file("f", b"x").0, "ends"),
        (
            "half a header",
            {
                let mut a = raw().file("f", b"x").file("g", b"y").0;
                a.truncate(1024 + 100);
                a
            },
            "ends",
        ),
        (
            "too many entries",
            (0..60).fold(raw(), |a, i| a.file(&format!("f{i}"), b"")).end(),
            "more than 50",
        ),
        (
            "too many headers",
            (0..300).fold(raw(), |a, _| a.extension(b'g', b"")).file("f", b"").end(),
            "too many",
        ),
        ("another volume", raw().kind("f", b'M').end(), "volume"),
        (
            "holes beyond the limit",
            sparse("1152921504606846976", "0,1", b"x"),
            "larger than 1048576",
        ),
        ("holes that overlap", sparse("100", "0,10,5,10", &[0; 20]), "does not fit"),
        ("holes backwards", sparse("100", "50,1,0,1", b"xy"), "does not fit"),
        ("data beyond the size", sparse("10", "5,10", &[0; 10]), "does not fit"),
        ("data that is not stored", sparse("100", "0,50", b"x"), "lies about its data"),
        ("a map of odd length", sparse("100", "0,1,5", b"x"), "broken"),
        ("a map that is none", sparse("100", "0,x", b"x"), "broken"),
        (
            "a map whose sum overflows",
            sparse("18446744073709551615", "0,18446744073709551615,1,18446744073709551615", b"x"),
            "does not fit",
        ),
        ("a 1.0 map that is none", sparse_1_0("100", b"x\n"), "broken"),
        ("a 1.0 map without end", sparse_1_0("100", &[b'1'; 512]), "broken"),
        ("a 1.0 map too long", sparse_1_0("100", b"99999999\n"), "broken"),
        ("a 1.0 map cut off", sparse_1_0("100", b"300\n0\n1\n"), "broken"),
        (
            "old holes that overlap",
            gnu_sparse(&[(0, 10), (5, 10)], 100, false, &[0; 20]),
            "does not fit",
        ),
        ("old holes without their map", gnu_sparse(&[(0, 1)], 100, true, b"x"), "broken"),
        ("old holes that lie", gnu_sparse(&[(0, 100)], 100, false, b"x"), "lies about its data"),
    ]
}

#[test]
fn what_is_refused_leaves_nothing() {
    for (what, archive, reason) in refused() {
        let place = Place::new();
        match place.import(&archive, SMALL) {
            Ok(_) => panic!("{what}: taken"),
            Err(Error::Io { .. } | Error::Input(_)) => panic!("{what}: not refused but failed"),
            Err(error) => assert!(error.to_string().contains(reason), "{what}: {error}"),
        }
        place.check(what);
    }
}

/// Archives, and a part of what is noted about them.
pub(super) fn neutralised() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let raw = Raw::default;
    let xattr =
        |key: &str| raw().pax(&[(&format!("SCHILY.xattr.{key}"), b"x")]).file("f", b"").end();
    vec![
        ("a character device", raw().kind("dev/null", b'3').end(), "character device 0:0"),
        ("a block device", raw().kind("dev/sda", b'4').end(), "block device"),
        (
            "a link to a device",
            raw().kind("d", b'3').link("x", "d").end(),
            "link to something that was left out",
        ),
        ("an unknown kind", raw().kind("x", b'Z').end(), "unknown kind"),
        ("an absolute name", raw().file("/etc/passwd", b"x").end(), "absolute name"),
        (
            "behind an absolute link",
            raw().dir("etc/").symlink("l", "/etc").file("l/x", b"x").end(),
            "leads out",
        ),
        (
            "behind a climbing link",
            raw().symlink("l", "../../../..").file("l/x", b"x").end(),
            "leads out",
        ),
        (
            "overlayfs steered",
            xattr("trusted.overlay.opaque"),
            "trusted.overlay.opaque was left out",
        ),
        ("overlayfs steered as a user", xattr("user.overlay.redirect"), "was left out"),
        ("a label", xattr("security.selinux"), "security.selinux was left out"),
        ("broken capabilities", xattr("security.capability"), "cannot be set"),
        ("a broken access list", xattr("system.posix_acl_access"), "cannot be set"),
        (
            "an access list as text",
            raw().pax(&[("SCHILY.acl.access", b"user::rwx")]).file("f", b"").end(),
            "text form",
        ),
    ]
}

#[test]
fn what_is_neutralised_is_named() {
    for (what, archive, note) in neutralised() {
        let place = Place::new();
        let image = place.import(&archive, SMALL).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(
            image.neutralised.iter().any(|n| n.what.contains(note)),
            "{what}: {:?}",
            image.neutralised
        );
        place.check(what);
    }
}

#[test]
fn writes_stay_inside() {
    let outside = |place: &Place| place.outside().to_str().unwrap().to_owned();
    // A hard link to a link is the link itself; writing to it replaces it.
    let place = Place::new();
    let secret = format!("{}/secret", outside(&place));
    let archive =
        Raw::default().symlink("s", &secret).link("h", "s").file("h", b"evil").file("s", b"evil");
    place.import(&archive.end(), SMALL).unwrap();
    place.check("write through a hard link to a link");
    assert_eq!(read(place.root().join("h")), b"evil");
    // A folder replaced by a link: neither later entries nor the folder's attributes follow it.
    let place = Place::new();
    let before = std::fs::metadata(place.outside()).unwrap();
    let archive = Raw::default().dir("d").symlink("d", &outside(&place)).file("ok", b"");
    place.import(&archive.clone().end(), SMALL).unwrap();
    let after = std::fs::metadata(place.outside()).unwrap();
    assert_eq!(
        (before.permissions(), before.modified().unwrap()),
        (after.permissions(), after.modified().unwrap())
    );
    assert!(place.import(&archive.file("d/evil", b"x").end(), SMALL).is_err());
    place.check("a folder replaced by a link");
    // Absolute links lead to the image's own root.
    let place = Place::new();
    let archive = Raw::default().dir("etc/").symlink("l", "/etc").file("l/passwd", b"mine");
    place.import(&archive.end(), SMALL).unwrap();
    assert_eq!(read(place.root().join("etc/passwd")), b"mine");
}

#[test]
fn the_last_of_a_name_wins() {
    let place = Place::new();
    let archive = Raw::default()
        .file("f", b"first")
        .file("f", b"second")
        .dir("d")
        .file("d", b"now a file")
        .file("g", b"")
        .dir("g")
        .symlink("lib", "usr")
        .dir("lib/")
        .file("lib/x", b"x")
        .file("one", b"1")
        .link("two", "one")
        .link("two", "one")
        .file("one", b"new");
    place.import(&archive.end(), SMALL).unwrap();
    let root = place.root();
    assert_eq!(read(root.join("f")), b"second");
    assert_eq!(read(root.join("d")), b"now a file");
    assert!(root.join("g").is_dir());
    assert!(std::fs::symlink_metadata(root.join("lib")).unwrap().is_dir());
    assert_eq!((read(root.join("one")), read(root.join("two"))), (b"new".to_vec(), b"1".to_vec()));
}

#[test]
fn an_extension_header_has_its_own_size() {
    // A PAX size in front of a long name is the file's and not the name's.
    let place = Place::new();
    let archive = Raw::default().pax(&[("size", b"5")]).extension(b'L', b"long-name\0");
    let block = Raw::block(b"short", b'0', b"", 0);
    place.import(&archive.with(block, |_| (), b"12345").end(), SMALL).unwrap();
    assert_eq!(read(place.root().join("long-name")), b"12345");
}

fn packed(plain: &[u8], compression: Compression) -> Vec<u8> {
    let mut out = Vec::new();
    let mut packer = Packer::new(&mut out, compression).unwrap();
    packer.write_all(plain).unwrap();
    packer.finish().unwrap();
    out
}

#[test]
fn truncated_and_damaged_streams_are_refused() {
    // Not compressible, so that a cut is a cut in the data.
    let noise: Vec<u8> =
        (0..40_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let plain = Raw::default().file("a", &noise).file("b", &noise).end();
    for compression in [Compression::None, Compression::Gzip, Compression::Xz, Compression::Zstd] {
        let whole = packed(&plain, compression);
        let place = Place::new();
        place.import(&whole, SMALL).unwrap_or_else(|error| panic!("{compression:?}: {error}"));
        place.images.delete(&name(), &|_| Vec::new()).unwrap();
        // A plain archive may lose its padding, a compressed one nothing at all.
        let tail = if compression == Compression::None { 1024 } else { 1 };
        for cut in
            (0..whole.len() - tail).step_by(whole.len() / 13).chain([1, 5, 9, whole.len() - tail])
        {
            let result = place.import(&whole[..cut], SMALL);
            assert!(
                matches!(result, Err(Error::Damaged(_) | Error::NotAnArchive(_))),
                "{compression:?} cut at {cut}: {result:?}"
            );
        }
        if compression != Compression::None {
            let mut bad = whole.clone();
            let middle = bad.len() / 2;
            bad[middle] ^= 0x55;
            let result = place.import(&bad, SMALL);
            assert!(
                matches!(result, Err(Error::Damaged(_) | Error::Refused { .. })),
                "{compression:?}: {result:?}"
            );
        }
        place.check("a damaged stream");
    }
}

#[test]
fn what_a_digest_covers_may_lack_its_end() {
    let whole = Raw::default().file("a", b"first").file("b", b"second").end();
    let behind_b = 512 + 512 + 512 + b"second".len();
    let names = |bytes: &[u8]| -> crate::Result<Vec<String>> {
        let mut archive = TarReader::of_checked(bytes, 100);
        let mut names = Vec::new();
        while let Some(member) = archive.next_member()? {
            names.push(String::from_utf8_lossy(member.entry.path.as_bytes()).into_owned());
        }
        Ok(names)
    };
    for end in [whole.len(), whole.len() - 1024, behind_b] {
        assert_eq!(names(&whole[..end]).unwrap(), ["a", "b"], "{end}");
    }
    assert_eq!(names(&[]).unwrap(), [""; 0]);
    for cut in [behind_b - 1, 1024 + 100, 512 + 3] {
        assert!(matches!(names(&whole[..cut]), Err(Error::Damaged(_))), "{cut}");
    }
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"x", "too short"),
        (b"BZh91AY&SY", "bzip2"),
        (b"PK\x03\x04rest", "zip"),
        (&[b'#'; 4096], "tar header"),
        (&packed(b"hello", Compression::Gzip), "too short"),
        (&packed(&[b'#'; 4096], Compression::Zstd), "tar header"),
    ] {
        let place = Place::new();
        let error = place.import(bytes, SMALL).unwrap_err();
        assert!(matches!(&error, Error::NotAnArchive(reason) if reason.contains(word)), "{error}");
        place.check("no archive");
    }
}

#[test]
fn bombs_are_stopped() {
    let zeros = packed(&Raw::default().file("zeros", &vec![0; 100 << 20]).0, Compression::Zstd);
    let place = Place::new();
    let error = place.import(&zeros, SMALL).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    place.check("a bomb in a file");
    // Zeros behind the end are read for their checksum, within limits.
    let mut plain = Raw::default().file("f", b"").end();
    plain.resize(plain.len() + (100 << 20), 0);
    let error = place.import(&packed(&plain, Compression::Zstd), SMALL).unwrap_err();
    assert!(
        matches!(&error, Error::Damaged(reason) if reason.contains("unpacks to more")),
        "{error}"
    );
    place.check("a bomb behind the end");
}

#[test]
fn a_ratio_is_suspicious_beyond_a_gibibyte() {
    let mut bomb = packed(&vec![0; 64 << 20], Compression::Zstd);
    // Frames follow each other: 20 of them are 1.25 GiB.
    bomb = bomb.repeat(20);
    let limits = StreamLimits { bytes: u64::MAX, ratio: 1000 };
    let (mut plain, _) = compress::decompress(&bomb[..], limits).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let error = loop {
        match plain.read(&mut buffer) {
            Ok(0) => panic!("it was let through"),
            Ok(_) => {}
            Err(error) => break compress::input_error(error),
        }
    };
    assert!(matches!(&error, Error::Damaged(reason) if reason.contains("bomb")), "{error}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(150))]

    /// Good archives with bytes changed: any answer will do, but not a panic, a mess, or a write outside.
    #[test]
    fn mutated_archives_break_nothing(
        which in 0usize..200,
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 0..6),
    ) {
        let mut all: Vec<Vec<u8>> = refused().into_iter().chain(neutralised()).map(|(_, archive, _)| archive).collect();
        let which = which % all.len();
        let mut archive = all.swap_remove(which);
        for (at, byte) in changes {
            if !archive.is_empty() {
                let at = at.index(archive.len());
                archive[at] = byte;
                // Most changes would end at the checksum.
                if let Some(block) = archive[at / BLOCK * BLOCK..].first_chunk_mut::<BLOCK>() {
                    seal(block);
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        crate::fuzz::import_bytes(dir.path(), &archive);
    }
}
