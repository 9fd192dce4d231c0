//! Archives as others write them, and as an enemy would.

mod foreign;
mod hostile;
mod layers;

use super::BLOCK;
use super::header::{put_octal, seal};
use super::pax::put_record;
use crate::images::tests::{copied, work};
use crate::{Existing, Image, Images, ImportOptions, Limits, Result};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use volt_model::image::ImageRef;

/// An archive made by hand, so that it can lie.
#[derive(Default, Clone)]
struct Raw(Vec<u8>);

impl Raw {
    fn block(name: &[u8], flag: u8, link: &[u8], size: u64) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..name.len()].copy_from_slice(name);
        for (range, value) in
            [(100..108, 0o644), (108..116, 0), (116..124, 0), (124..136, size), (136..148, 1)]
        {
            put_octal(&mut block[range], value);
        }
        block[156] = flag;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        block
    }

    /// A header that is changed before its checksum is made, and whatever bytes behind it.
    fn with(
        mut self,
        mut block: [u8; BLOCK],
        change: impl FnOnce(&mut [u8; BLOCK]),
        data: &[u8],
    ) -> Self {
        change(&mut block);
        seal(&mut block);
        self.0.extend_from_slice(&block);
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    fn file(self, name: &str, data: &[u8]) -> Self {
        let block = Self::block(name.as_bytes(), b'0', b"", data.len() as u64);
        self.with(block, |_| (), data)
    }

    fn dir(self, name: &str) -> Self {
        self.with(
            Self::block(name.as_bytes(), b'5', b"", 0),
            |b| assert!(put_octal(&mut b[100..108], 0o755)),
            b"",
        )
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.with(Self::block(name.as_bytes(), b'2', target.as_bytes(), 0), |_| (), b"")
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.with(Self::block(name.as_bytes(), b'1', target.as_bytes(), 0), |_| (), b"")
    }

    fn kind(self, name: &str, flag: u8) -> Self {
        self.with(Self::block(name.as_bytes(), flag, b"", 0), |_| (), b"")
    }

    fn extension(self, flag: u8, body: &[u8]) -> Self {
        self.with(Self::block(b"extension", flag, b"", body.len() as u64), |_| (), body)
    }

    fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            put_record(&mut body, key.as_bytes(), value);
        }
        self.extension(b'x', &body)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 2 * BLOCK]);
        self.0
    }
}

/// A store in a folder with something beside it that no archive may touch.
struct Place {
    dir: tempfile::TempDir,
    images: Images,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("outside")).unwrap();
        std::fs::write(dir.path().join("outside/secret"), "untouched").unwrap();
        let images = Images::open(&dir.path().join("lib"), !is_root());
        Self { dir, images }
    }

    fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    fn import(&self, archive: &[u8], limits: Limits) -> Result<Image> {
        let options = ImportOptions { limits, existing: Existing::Replace, ..Default::default() };
        self.images.import_tar(&name(), Cursor::new(archive.to_vec()), options, work())
    }

    fn root(&self) -> PathBuf {
        copied(&self.images, &name(), self.dir.path())
    }

    /// Nothing happened outside, and nothing is left where nothing was imported.
    fn check(&self, what: &str) {
        let outside: Vec<_> = std::fs::read_dir(self.outside()).unwrap().collect();
        assert_eq!(outside.len(), 1, "{what}: something was written outside");
        assert_eq!(std::fs::read(self.outside().join("secret")).unwrap(), b"untouched", "{what}");
        let problems = self.images.check(&|_| Vec::new()).unwrap();
        assert_eq!(problems, [], "{what}: left behind");
        let cas = crate::Cas::open(&self.dir.path().join("lib"));
        let garbage = cas.garbage(&|| Ok(Vec::new())).unwrap();
        assert_eq!(garbage.objects, 0, "{what}: objects are left");
    }
}

fn name() -> ImageRef {
    "test".parse().unwrap()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
