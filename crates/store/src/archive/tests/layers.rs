//! What an enemy would put into the layers of an image: alone the same archives as elsewhere, and over each other what no single
//! archive can do.

use super::hostile::{neutralised, refused};
use super::*;
use crate::Error;
use crate::archive::TarReader;
use crate::oci::BlobDigest;
use std::collections::{BTreeSet, HashSet};
use std::os::unix::ffi::OsStrExt as _;

/// An image of these layers, each as its digest says, as an archive of an OCI layout.
fn image_of(layers: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = Raw::default().file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    let mut written = HashSet::new();
    // A layout has each blob once, however many layers are the same.
    let mut blob = |bytes: &[u8]| {
        let digest = BlobDigest::of(bytes);
        if written.insert(digest.hex().to_string()) {
            let whole = std::mem::take(&mut archive);
            archive = whole.file(&format!("blobs/sha256/{}", digest.hex()), bytes);
        }
        serde_json::json!({ "digest": digest, "size": bytes.len() })
    };
    let layers: Vec<_> = layers.iter().map(|layer| blob(layer)).collect();
    let ids: Vec<_> = layers.iter().map(|layer| layer["digest"].clone()).collect();
    let config = serde_json::json!({ "rootfs": { "type": "layers", "diff_ids": ids } });
    let config = blob(config.to_string().as_bytes());
    let manifest = serde_json::json!({ "schemaVersion": 2, "config": config, "layers": layers });
    let manifest = blob(manifest.to_string().as_bytes());
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [manifest] });
    archive.file("index.json", index.to_string().as_bytes()).end()
}

/// Room for what lies around the layers.
const ROOMY: Limits = Limits { bytes: 4 << 20, entries: 600, ratio: 1000 };

/// All that is in an image, with the contents of its files behind a colon.
fn contents(place: &Place) -> BTreeSet<String> {
    let root = place.root();
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.strip_prefix(&root).unwrap().as_os_str().as_bytes();
            let name = String::from_utf8_lossy(name).into_owned();
            if kind.is_file() {
                let bytes = read(&path);
                found.insert(format!("{name}:{}", String::from_utf8_lossy(&bytes)));
            } else {
                found.insert(name);
            }
            if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// Layers over each other, and all that is there then.
fn harmless() -> Vec<(&'static str, Vec<Raw>, &'static [&'static str])> {
    let raw = Raw::default;
    let base = || raw().dir("d/").file("d/x", b"1").file("top", b"2");
    let kept = &["d", "d/x:1", "top:2"][..];
    vec![
        ("a whiteout of `..`", vec![base(), raw().file("d/.wh...", b"")], kept),
        ("a whiteout of `..` of the root", vec![base(), raw().file(".wh...", b"")], kept),
        ("a whiteout of `.`", vec![base(), raw().file("d/.wh..", b"")], kept),
        ("a whiteout of nothing", vec![base(), raw().file("d/.wh.", b"")], kept),
        ("a whiteout of what is not there", vec![base(), raw().file("d/.wh.no", b"")], kept),
        ("a whiteout in no folder", vec![base(), raw().file("no/.wh.x", b"")], kept),
        ("a whiteout below a file", vec![base(), raw().file("top/.wh.x", b"")], kept),
        ("a whiteout of a path", vec![base(), raw().file("top/.wh...", b"")], kept),
        (
            "a note of aufs",
            vec![base(), raw().file(".wh..wh.plnk", b"").file(".wh..wh.aufs", b"")],
            kept,
        ),
        (
            "a whiteout behind a link to the host",
            vec![base().symlink("l", "/outside"), raw().file("l/.wh.secret", b"")],
            &["d", "d/x:1", "l", "top:2"],
        ),
        (
            "an opaque folder behind a link to the host",
            vec![base().symlink("l", "/outside"), raw().file("l/.wh..wh..opq", b"")],
            &["d", "d/x:1", "l", "top:2"],
        ),
        (
            "a whiteout behind a climbing link",
            vec![base().symlink("l", "../../.."), raw().file("l/.wh.top", b"")],
            &["d", "d/x:1", "l"],
        ),
        (
            "a whiteout by an absolute name",
            vec![base(), raw().file("/d/.wh.x", b"")],
            &["d", "top:2"],
        ),
        ("a whiteout with contents", vec![base(), raw().file(".wh.top", b"evil")], &["d", "d/x:1"]),
        ("a whiteout that is a folder", vec![base(), raw().dir(".wh.top/")], &["d", "d/x:1"]),
        (
            "a whiteout that is a link",
            vec![base(), raw().symlink(".wh.top", "/outside/secret")],
            &["d", "d/x:1"],
        ),
        (
            "a whiteout of its own layer",
            vec![base(), raw().file("new", b"n").file(".wh.new", b"")],
            &["d", "d/x:1", "new:n", "top:2"],
        ),
        (
            "the root made opaque",
            vec![base(), raw().file(".wh..wh..opq", b"").file("n", b"")],
            &["n:"],
        ),
        (
            "an opaque folder with what this layer has",
            vec![base(), raw().file("d/y", b"y").file("d/.wh..wh..opq", b"")],
            &["d", "d/y:y", "top:2"],
        ),
        ("overlayfs's own whiteout", vec![base(), raw().kind("top", b'3')], kept),
        (
            "a folder made a link, and a link a folder",
            vec![
                base(),
                raw().file("d/.wh.x", b""),
                raw().file(".wh.d", b""),
                raw().symlink("d", "/outside"),
                raw().file(".wh.d", b""),
                raw().dir("d/").file("d/secret", b"ours"),
            ],
            &["d", "d/secret:ours", "top:2"],
        ),
        (
            "a hard link to a link to the host, written to",
            vec![
                raw().symlink("s", "/outside/secret"),
                raw().link("h", "s"),
                raw().file("h", b"e"),
            ],
            &["h:e", "s"],
        ),
        (
            "a hard link to a file of another layer, which is then another",
            vec![base(), raw().link("h", "top"), raw().file("top", b"new")],
            &["d", "d/x:1", "h:2", "top:new"],
        ),
        ("one layer many times", vec![base(); 100], kept),
    ]
}

/// Layers over each other, and a part of the reason they are refused for.
fn refused_together() -> Vec<(&'static str, Vec<Raw>, &'static str)> {
    let raw = Raw::default;
    let through = || raw().symlink("l", "/outside");
    let long = || raw().extension(b'L', format!(".wh.{}\0", "n".repeat(300)).as_bytes());
    vec![
        ("through a link of another layer", vec![through(), raw().file("l/evil", b"x")], "nowhere"),
        ("a folder through a link", vec![through(), raw().dir("l/evil/")], "nowhere"),
        ("a link through a link", vec![through(), raw().symlink("l/evil", "x")], "nowhere"),
        (
            "a hard link through a link",
            vec![through(), raw().link("x", "l/secret")],
            "does not exist",
        ),
        (
            "a folder made a link, and written to",
            vec![raw().dir("d/"), raw().symlink("d", "/outside"), raw().file("d/evil", b"x")],
            "nowhere",
        ),
        (
            "links in circles over layers",
            vec![raw().symlink("a", "b"), raw().symlink("b", "a"), raw().file("a/x", b"")],
            "circles",
        ),
        (
            "a whiteout behind links in circles",
            vec![raw().symlink("a", "b"), raw().symlink("b", "a"), raw().file("a/.wh.x", b"")],
            "circles",
        ),
        ("a whiteout that climbs", vec![raw().file("../outside/.wh.secret", b"")], "climbs"),
        ("an opaque folder that climbs", vec![raw().file("a/../../.wh..wh..opq", b"")], "climbs"),
        ("a whiteout with a NUL", vec![raw().pax(&[("path", b".wh.a\0b")]).file("ok", b"")], "NUL"),
        ("a whiteout with a long name", vec![long().file("ok", b"")], "longer than 255"),
        (
            "a hard link to what is gone",
            vec![raw().file("f", b"x"), raw().file(".wh.f", b""), raw().link("h", "f")],
            "not there",
        ),
        (
            "a file in place of what another layer has filled",
            vec![raw().file("d/x", b""), raw().file("d/y", b"").file("d", b"")],
            "not empty",
        ),
        (
            "more than there may be, in all layers together",
            (0..7).map(|_| raw().file("f", &[0; 700 << 10])).collect(),
            "larger than",
        ),
    ]
}

fn import(place: &Place, layers: Vec<Raw>) -> (Vec<u8>, Result<Image>) {
    let archive = image_of(&layers.into_iter().map(Raw::end).collect::<Vec<_>>());
    let result = place.import(&archive, ROOMY);
    (archive, result)
}

#[test]
fn layers_over_layers_reach_nothing_outside() {
    for (what, layers, want) in harmless() {
        let place = Place::new();
        import(&place, layers).1.unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = contents(&place);
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), want, "{what}");
        // What a later layer has taken away of an earlier one is garbage.
        place.images.cas().collect(&|| Ok(Vec::new())).unwrap();
        place.check(what);
    }
    for (what, layers, reason) in refused_together() {
        let place = Place::new();
        let error = import(&place, layers).1.err().unwrap_or_else(|| panic!("{what}: taken"));
        assert!(error.to_string().contains(reason), "{what}: {error}");
        place.check(what);
    }
}

#[test]
fn what_is_refused_alone_is_refused_as_a_layer() {
    let good = Raw::default().file("good", b"x").end();
    // A digest covers an archive's end; and there is more room here.
    let taken = ["no end", "too many entries", "too many headers", "larger than the limit"];
    for (what, archive, _) in refused().into_iter().filter(|(what, ..)| !taken.contains(what)) {
        let place = Place::new();
        let result = place.import(&image_of(&[good.clone(), archive]), ROOMY);
        match result {
            Ok(_) => panic!("{what}: taken"),
            Err(Error::Io { .. } | Error::Input(_)) => panic!("{what}: not refused but failed"),
            Err(_) => place.check(what),
        }
    }
}

/// An archive of so many empty files that nobody would hold it in memory.
struct Crowd {
    left: u32,
    block: std::io::Cursor<Vec<u8>>,
}

impl std::io::Read for Crowd {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.block.position() as usize == self.block.get_ref().len() && self.left > 0 {
            self.left -= 1;
            self.block =
                std::io::Cursor::new(Raw::default().file(&format!("f{}", self.left), b"").0);
        }
        self.block.read(buffer)
    }
}

#[test]
fn a_million_entries_are_stopped_at_the_limit() {
    let place = Place::new();
    let crowd = Crowd { left: 1_000_000, block: std::io::Cursor::default() };
    let limits = Limits { entries: 100_000, ..Limits::default() };
    let options = ImportOptions { limits, ..ImportOptions::default() };
    let error = place.images.import_tar(&name(), crowd, options, work()).unwrap_err();
    assert!(matches!(&error, Error::Refused { entry, .. } if entry.starts_with('f')), "{error}");
    assert!(error.to_string().contains("more than 100000"), "{error}");
    place.check("a million entries");
}

#[test]
fn there_are_more_than_a_hundred_of_them() {
    let mut all: HashSet<Vec<u8>> = HashSet::new();
    all.extend(refused().into_iter().chain(neutralised()).map(|(_, archive, _)| archive));
    let alone = all.len();
    let layers = harmless().into_iter().map(|(_, layers, _)| layers);
    for layers in layers.chain(refused_together().into_iter().map(|(_, layers, _)| layers)) {
        all.insert(image_of(&layers.into_iter().map(Raw::end).collect::<Vec<_>>()));
    }
    assert!(alone >= 70 && all.len() >= 110, "{alone} alone, {} in all", all.len());
}

/// Told one by one, what is left out would take far more memory than the archive does.
#[test]
fn of_much_that_is_left_out_little_is_told() {
    let records: Vec<_> =
        (0..30_000).map(|number| (format!("SCHILY.xattr.x{number}"), &b""[..])).collect();
    let pairs: Vec<(&str, &[u8])> =
        records.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let archive = Raw::default().pax(&pairs).file("f", b"").end();
    let member = TarReader::new(&archive[..], 10).next_member().unwrap().unwrap();
    assert_eq!(member.dropped.len(), 17);
    assert_eq!(member.dropped[16], "29984 more of its attributes were left out");
}

/// An archive whose end never comes while somebody has the other end of the line.
struct Standing(std::io::Cursor<Vec<u8>>, std::sync::mpsc::Receiver<()>);

impl std::io::Read for Standing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.read(buffer)?;
        if length == 0 {
            self.1.recv().unwrap_err();
        }
        Ok(length)
    }
}

/// What becomes of small files is told as it comes, and not kept until all of the archive has come.
#[test]
fn a_file_that_cannot_be_stored_ends_it_at_once() {
    let place = Place::new();
    place.import(&Raw::default().file("first", b"1").end(), ROOMY).unwrap();
    let object = place.images.cas().objects().path(&crate::Digest::of(b"fails"));
    let folder = object.parent().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::write(folder, "").unwrap();
    let (held, line) = std::sync::mpsc::channel();
    let start = (0..600).fold(Raw::default().file("f", b"fails"), |archive, number| {
        archive.file(&format!("{number}"), &[b'x'; 1000])
    });
    let archive = Standing(std::io::Cursor::new(start.0), line);
    let (done, is_done) = std::sync::mpsc::channel();
    let images = place.images.clone();
    std::thread::spawn(move || {
        let name = "other".parse().unwrap();
        done.send(images.import_tar(&name, archive, Default::default(), work())).unwrap();
    });
    let ended = is_done.recv_timeout(std::time::Duration::from_secs(20));
    drop(held);
    let error = ended.expect("it waits for the end of the archive").unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}
