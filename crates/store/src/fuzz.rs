//! What a fuzzer calls: hostile bytes through the very path of an import.

use crate::archive::TarReader;
use crate::manifest::{Decoder, Encoder};
use crate::memtree::MemTree;
use crate::tree::Quota;
use crate::{Cas, Error, Images, ImportOptions, Limits, Silent, Work};
use std::path::Path;

/// Imports these bytes below `dir`, a scratch folder. Panics where the store breaks a promise: a failed import leaves
/// nothing, a successful one can be exported and deleted.
pub fn import_bytes(dir: &Path, data: &[u8]) {
    let images = Images::open(dir, !rustix::process::geteuid().is_root());
    let name: volt_model::image::ImageRef = "fuzz".parse().expect("the name is a good one");
    let limits = Limits { bytes: 1 << 20, entries: 1000, ratio: 1000 };
    let options = ImportOptions { limits, ..ImportOptions::default() };
    let mut is_taken = false;
    let work = Work { wanted: &|| Ok(Vec::new()), progress: &Silent };
    match images.import_tar(&name, std::io::Cursor::new(data.to_vec()), options, work) {
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
