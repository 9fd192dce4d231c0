//! What a fuzzer calls: hostile bytes through the very path of an import.

use crate::{Error, Images, ImportOptions, Limits, Silent};
use std::path::Path;

/// Imports these bytes below `dir`, a scratch folder. Panics where the store breaks a promise: a failed import leaves
/// nothing, a successful one can be exported and deleted.
pub fn import_bytes(dir: &Path, data: &[u8]) {
    let images = Images::open(dir, !rustix::process::geteuid().is_root());
    let name: volt_model::image::ImageRef = "fuzz".parse().expect("the name is a good one");
    let limits = Limits { bytes: 1 << 20, entries: 1000, ratio: 1000 };
    let options = ImportOptions { limits, ..ImportOptions::default() };
    match images.import_tar(&name, data, options, &Silent) {
        Ok(_) => {
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
}
