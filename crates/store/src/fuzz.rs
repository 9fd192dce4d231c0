//! What a fuzzer calls: hostile bytes through the very path of an import, and folders as somebody makes them who means no good.

use crate::archive::TarReader;
use crate::cas::BuildOptions;
use crate::manifest::{Decoder, Encoder, Node, NodeKind};
use crate::memtree::MemTree;
use crate::tree::Quota;
use crate::{Cas, Error, Images, ImportOptions, Limits, Silent, Work};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::{fs, io};

/// Imports these bytes below `dir`, a scratch folder. Panics where the store breaks a promise: a failed import leaves
/// nothing, a successful one can be exported and deleted.
pub fn import_bytes(dir: &Path, data: &[u8]) {
    let images = Images::open(dir, !rustix::process::geteuid().is_root());
    let name: volt_model::image::ImageRef = "fuzz".parse().expect("the name is a good one");
    let limits = Limits { bytes: 1 << 20, entries: 1000, ratio: 1000 };
    let options = ImportOptions { limits, ..ImportOptions::default() };
    let mut is_taken = false;
    let work = Work { wanted: &|| Ok(Vec::new()), progress: &Silent };
    let data = with_checksums(data);
    match images.import_tar(&name, std::io::Cursor::new(data), options, work) {
        Ok(_) => {
            is_taken = true;
            images
                .export(&name, &mut std::io::sink(), &crate::ExportOptions::default(), &Silent)
                .expect("what was imported can be exported");
            images.delete(&name, &|_| Vec::new()).expect("what was imported can be deleted");
        }
        Err(Error::Io { doing, path, source }) => {
            panic!("an archive made the kernel refuse: {doing} {}: {source}", path.display());
        }
        Err(_) => {}
    }
    let problems = images.check(&|_| Vec::new()).expect("the store can be checked");
    assert!(problems.is_empty(), "left behind: {problems:?}");
    let garbage = Cas::open(dir).collect(&|| Ok(Vec::new())).expect("garbage can be collected");
    assert!(is_taken || garbage.objects == 0, "left behind: {garbage:?}");
}

/// These bytes with good checksums where a tar archive has its headers: else hardly any of them gets behind the first. What begins as
/// something compressed stays as it is, and one in eight of the others.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut data = data.to_vec();
    let is_packed = [&[0x1f, 0x8b][..], &[0x28, 0xb5], &[0xfd, b'7']];
    if is_packed.iter().any(|magic| data.starts_with(magic))
        || data.last().is_some_and(|b| b % 8 == 7)
    {
        return data;
    }
    let mut at = 0_usize;
    while let Some(block) = data.get_mut(at..at.saturating_add(BLOCK)) {
        at += BLOCK;
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        if !(b'1'..=b'6').contains(&block[156]) {
            let digits = block[124..136].iter().filter(|byte| (b'0'..=b'7').contains(*byte));
            let size = digits.fold(0, |size: usize, digit| (size << 3) | usize::from(digit - b'0'));
            at = at.saturating_add(size.saturating_add(BLOCK - 1) / BLOCK * BLOCK);
        }
    }
    data
}

/// Makes a folder in `dir`, a scratch folder, as these bytes say, and stores it. Panics where what was stored is not what is there.
pub fn folder_bytes(dir: &Path, data: &[u8]) {
    let from = dir.join("from");
    fs::create_dir(&from).expect("the folder is a new one");
    for act in data.as_chunks::<3>().0.iter().take(100) {
        // What can't be done is left.
        drop(perform(&from, *act));
    }
    let cas = Cas::open(&dir.join("lib"));
    let lease = cas.lease(&|| Ok(Vec::new())).expect("the store is a new one");
    let options = BuildOptions { devices: false, ..BuildOptions::default() };
    let build = || cas.build(&lease, &from, &options, &Silent).expect("a folder can be stored");
    let built = build();
    let tree = cas.tree(&built.tree).expect("what was stored is a tree");
    for node in &tree.nodes {
        let inode = |node: &Node| {
            let path = from.join(OsStr::from_bytes(node.path.as_bytes()));
            fs::symlink_metadata(path).expect("what is in the tree is there").ino()
        };
        assert_eq!(inode(node), inode(tree.real(node)), "{:?} is another file", node.path);
        if let NodeKind::File(content) = &node.kind {
            let is_good = cas.objects().check(&content.digest).expect("objects can be read");
            assert_eq!(is_good, Some(true), "{:?} is not stored", node.path);
        }
    }
    let left_out = built.notes.list.len() as u64 + built.notes.more;
    let mut count = 0;
    crate::tree::walk(&from, &mut |_| {
        count += 1;
        Ok(crate::tree::Flow::Descend)
    })
    .expect("it can be read");
    assert_eq!(built.entries + left_out, count, "something is neither stored nor named");
    assert_eq!(build().tree, built.tree);
}

/// Something that is done in a folder.
fn perform(root: &Path, [act, a, b]: [u8; 3]) -> io::Result<()> {
    let path = |of: u8| {
        let folder = ["", "x", "x/y", "z"][usize::from(of % 4)];
        root.join(folder).join(["x", "y", "z", "w"][usize::from(of / 4 % 4)])
    };
    match act % 8 {
        0 => fs::create_dir_all(path(a)),
        // Never into what is there: it may be a pipe, which nobody reads.
        1 => fs::File::create_new(path(a))?.write_all(&vec![b; usize::from(b) * 40]),
        2 => fs::hard_link(path(a), path(b)),
        3 => symlink(path(b), path(a)),
        4 => UnixListener::bind(path(a)).map(drop),
        5 => Ok(mknodat(CWD, path(a), FileType::Fifo, Mode::RUSR, 0)?),
        6 => {
            let file = fs::File::create_new(path(a))?;
            file.set_len(u64::from(b) << 14)?;
            file.write_all_at(b"data", u64::from(b) << 13)
        }
        _ => fs::rename(path(a), path(b)),
    }
}

/// Reads these bytes as each document of an image that others write, and as two layers. Panics where what becomes of the layers is
/// no tree.
pub fn oci_bytes(data: &[u8]) {
    crate::oci::read_any(data);
    let mut tree = MemTree::new(Quota { bytes: 1 << 20, entries: 10_000 });
    for layer in [&data[..data.len() / 2], &data[data.len() / 2..]] {
        tree.begin_layer().expect("there are two");
        let mut archive = TarReader::of_checked(layer, 10_000);
        while let Ok(Some(member)) = archive.next_member() {
            if tree.put(&member.entry).is_err() {
                break;
            }
        }
    }
    let manifest = tree.encode().expect("a vector takes all that is written");
    let mut nodes = Decoder::new(&manifest[..]).expect("it begins as one");
    while nodes.next().expect("it is the one way to write a tree").is_some() {}
}

/// Reads these bytes as a manifest. Panics where what was taken is not the one way to write its tree.
pub fn manifest_bytes(data: &[u8]) {
    let Ok(mut nodes) = Decoder::new(data) else { return };
    let mut encoder = Encoder::new(Vec::new()).expect("a vector takes all that is written");
    loop {
        match nodes.next() {
            Ok(Some(node)) => drop(encoder.put(&node)),
            Ok(None) => break,
            Err(_) => return,
        }
    }
    let again = encoder.finish().expect("a vector takes all that is written");
    assert!(again == data, "two ways to write one tree");
}

/// Reads these bytes as each document of a tree in a registry. Panics where a list that was taken is not the one way to write it.
pub fn transfer_bytes(data: &[u8]) {
    crate::transfer::read_any(data);
    for magic in [&b"volt-pack 1\n"[..], b"volt-recipes 1\n"] {
        crate::transfer::read_any(&[magic, data].concat());
    }
}
