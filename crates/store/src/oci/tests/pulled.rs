//! Images that somebody else has: unpacked as they come, whatever their digests are made by, and fetched again where they are damaged.

use super::*;
use crate::cas::Verified;
use crate::images::{Ask, Limits, Menders, Pulled, Work};
use crate::{Copies, Origin, Platform, Progress};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use volt_host::files::{Lock, LockMode, Wait};
use volt_model::registry::{Digest, Remote};

/// How it goes wrong at first, or waits.
type Meanwhile<'a> = &'a (dyn Fn(&str, &mut File) + Sync);

/// Whoever has the blobs of a layout, of which one is the image itself.
struct Served<'a> {
    layout: &'a Layout,
    image: Digest,
    meanwhile: Meanwhile<'a>,
}

impl Served<'_> {
    fn blob(&self, digest: &str) -> Vec<u8> {
        let digest: Digest = digest.parse().unwrap();
        self.layout.0[&format!("blobs/{}/{}", digest.algorithm(), digest.hex())].clone()
    }
}

impl Origin for Served<'_> {
    fn place(&self) -> Remote {
        Remote::of(&"registry.example/app:1".parse().unwrap(), "")
    }

    fn document(&self, digest: Option<&str>) -> crate::Result<Vec<u8>> {
        Ok(self.blob(digest.unwrap_or(self.image.as_str())))
    }

    fn fetch(
        &self,
        digest: &str,
        _: u64,
        to: &mut File,
        _: &dyn Fn(u64) -> bool,
    ) -> crate::Result<()> {
        let bytes = self.blob(digest);
        // Half of it is there for whoever follows.
        to.write_all(&bytes[..bytes.len() / 2]).unwrap();
        (self.meanwhile)(digest, to);
        to.set_len(0).unwrap();
        to.write_all(&bytes).unwrap();
        Ok(())
    }
}

impl Place {
    fn pull(&self, origin: &dyn Origin, keep: bool) -> crate::Result<Image> {
        let options = ImportOptions { existing: Existing::Replace, ..Default::default() };
        let (platform, dir) = (Platform::own(), self.dir.path().join("blobs"));
        let pulled = Pulled { origin, platform: &platform, dir: &dir, keep };
        self.images.pull(&name(), pulled, options, work())
    }

    fn object(&self, bytes: &[u8]) -> PathBuf {
        self.images.cas().objects().path(&crate::Digest::of(bytes))
    }

    fn mended(&self, ask: Ask<'_>) -> Verified {
        let mut verified = self.images.cas().verify(&|| Ok(Vec::new()), &Silent).unwrap();
        assert!(!verified.damages.is_empty());
        let menders = Menders {
            copies: Copies { named: &[], beside: &[] },
            ask,
            ask_tree: &|remote| Err(crate::Error::NoTree(remote.to_string())),
            dir: &self.dir.path().join("blobs"),
            lists: &self.dir.path().join("lists"),
            limits: Limits::default(),
        };
        self.images.mend(&mut verified, menders, &|| Ok(Vec::new()), work()).unwrap();
        verified
    }
}

/// A layout whose blobs are named by SHA-512, with one image.
fn by_sha512() -> (Layout, Value) {
    fn blob(layout: &mut Layout, bytes: Vec<u8>) -> Value {
        let long = format!("sha512:{}", "0".repeat(128)).parse::<Digest>().unwrap();
        let mut hasher = long.hasher();
        hasher.update(&bytes);
        let (digest, size) = (hasher.finish(), bytes.len());
        layout.0.insert(format!("blobs/sha512/{}", digest.hex()), bytes);
        json!({ "digest": digest.as_str(), "size": size })
    }
    let mut layout = Layout::new();
    let plain: Vec<Value> =
        layers().iter().map(|(plain, _)| blob(&mut layout, plain.clone())).collect();
    let ids: Vec<&Value> = plain.iter().map(|plain| &plain["digest"]).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": run(), "rootfs": { "type": "layers", "diff_ids": ids },
    });
    let config = blob(&mut layout, config.to_string().into_bytes());
    let stored: Vec<Value> =
        layers().iter().map(|(plain, how)| blob(&mut layout, packed(plain, *how))).collect();
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": stored });
    let mut manifest = blob(&mut layout, manifest.to_string().into_bytes());
    manifest["mediaType"] = "application/vnd.oci.image.manifest.v1+json".into();
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    let index = blob(&mut layout, index.to_string().into_bytes());
    (layout, index)
}

fn digest(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

#[test]
fn digests_of_sha512_are_those_of_documents_too() {
    let (layout, index) = by_sha512();
    let place = Place::new();
    let served = Served { layout: &layout, image: digest(&index), meanwhile: &|_, _| {} };
    let image = place.pull(&served, true).unwrap();
    is_whole(&place, &image);
    // The documents as they are named, by which they can be sent again.
    assert_eq!(image.blobs.iter().filter(|blob| blob.digest.starts_with("sha512:")).count(), 5);
    assert!(image.pulled.unwrap().reference.starts_with("sha512:"));
    let layout = layout.index(&[index]);
    is_whole(&place, &place.import_dir(&layout).unwrap());
    is_whole(&place, &place.import(layout.tar()).unwrap());
    // Each of them is checked.
    let blobs: Vec<&String> = layout.0.keys().filter(|name| name.starts_with("blobs")).collect();
    let used: Vec<&&String> = blobs.iter().filter(|name| is_used(&layout, name)).collect();
    assert_eq!(used.len(), 6);
    for name in used {
        let mut wrong = Layout(layout.0.clone());
        let blob = wrong.0.get_mut(*name).unwrap();
        *blob.last_mut().unwrap() ^= 1;
        let place = Place::new();
        place.import_dir(&wrong).unwrap_err();
        place.is_clean(name);
    }
}

/// Whether a blob is a document or a layer as it is stored: plain layers lie beside those that are packed, under the same name where
/// nothing packs them.
fn is_used(layout: &Layout, name: &str) -> bool {
    let digest = name.trim_start_matches("blobs/sha512/");
    let names = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.contains("schemaVersion") && text.contains(digest)
    };
    layout.0.values().any(|bytes| names(bytes))
}

#[test]
fn a_layer_is_unpacked_as_it_comes() {
    let place = Place::new();
    let mut layout = Layout::new();
    let (first, rest) = ("first", "x".repeat(2 << 20));
    let plain = layer(&[("first", first), ("rest", &rest)]);
    let image = layout.image(&[(plain, Compression::None)], &run());
    let object = place.object(first.as_bytes());
    let seen = AtomicU32::new(0);
    // Half of the layer has come, and the other half does not before the first file is stored.
    let meanwhile = |_: &str, to: &mut File| {
        if to.metadata().unwrap().len() < 1 << 20 {
            return;
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if object.exists() {
                seen.fetch_add(1, Ordering::Relaxed);
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let served = Served { layout: &layout, image: digest(&image), meanwhile: &meanwhile };
    place.pull(&served, false).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    assert_eq!(place.files()["rest"].len(), 2 << 20);
    place.is_clean("unpacked as it comes");
}

/// Somebody who soon wants it no longer.
struct Impatient(Instant);

impl Progress for Impatient {
    fn step(&self, _: &str) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}

    fn cancelled(&self) -> bool {
        self.0.elapsed() > Duration::from_millis(300)
    }
}

fn impatient() -> Impatient {
    Impatient(Instant::now())
}

#[test]
fn who_waits_for_another_s_download_can_give_up() {
    let place = Place::new();
    let mut layout = Layout::new();
    let image = layout.image(&layers(), &run());
    let served = Served { layout: &layout, image: digest(&image), meanwhile: &|_, _| {} };
    // Each document and layer in turn is fetched by somebody who comes to nothing.
    let mut given_up = 0;
    let blobs = layout.0.keys();
    for blob in blobs.filter_map(|name| name.strip_prefix("blobs/sha256/")) {
        let dir = place.dir.path().join(blob);
        fs::create_dir(&dir).unwrap();
        let lock = dir.join(blob).with_extension("lock");
        let _held = Lock::take(&lock, LockMode::Exclusive, Wait::No).unwrap();
        let progress = impatient();
        let work = Work { progress: &progress, ..work() };
        let options = ImportOptions { existing: Existing::Replace, ..Default::default() };
        let pulled = Pulled { origin: &served, platform: &Platform::own(), dir: &dir, keep: false };
        match place.images.pull(&name(), pulled, options, work) {
            // The manifest is no blob of a registry.
            Ok(_) => {}
            Err(Error::Cancelled) => given_up += 1,
            Err(error) => panic!("{blob}: {error}"),
        }
        assert!(progress.0.elapsed() < Duration::from_secs(20), "{blob}");
    }
    assert_eq!(given_up, 4, "a config and three layers");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the archiver that people have")]
fn a_vast_file_of_an_archive_keeps_nobody_waiting() {
    let place = Place::new();
    let (dir, id) = (place.dir.path(), "0123456789abcdef".repeat(4));
    fs::File::create(dir.join(&id)).unwrap().set_len(40 << 30).unwrap();
    let tar = std::process::Command::new("tar")
        .args(["--sparse", "--format=posix", "-cf", "vast.tar", &id])
        .current_dir(dir)
        .status();
    assert!(tar.unwrap().success());
    let progress = impatient();
    let work = Work { progress: &progress, ..work() };
    let archive = File::open(dir.join("vast.tar")).unwrap();
    let given_up = place.images.import_tar(&name(), archive, ImportOptions::default(), work);
    assert!(matches!(given_up, Err(Error::Cancelled)), "{given_up:?}");
    assert!(progress.0.elapsed() < Duration::from_secs(20));
    place.is_clean("a vast file");
}

#[test]
fn nonsense_that_came_first_is_unpacked_anew() {
    let place = Place::new();
    let mut layout = Layout::new();
    let image = layout.image(&layers(), &run());
    // All of each layer comes wrong, and stays so for a while.
    let meanwhile = |_: &str, to: &mut File| {
        let length = to.metadata().unwrap().len();
        to.set_len(0).unwrap();
        to.write_all(&vec![b'?'; usize::try_from(length * 2).unwrap()]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    };
    let served = Served { layout: &layout, image: digest(&image), meanwhile: &meanwhile };
    is_whole(&place, &place.pull(&served, false).unwrap());
}

#[test]
fn what_is_damaged_is_fetched_again() {
    let place = Place::new();
    let mut layout = Layout::new();
    let image = layout.image(&layers(), &run());
    let served = Served { layout: &layout, image: digest(&image), meanwhile: &|_, _| {} };
    let pulled = place.pull(&served, true).unwrap();
    let (file, tree) = (place.object(b"3"), place.images.cas().objects().path(&pulled.tree));
    let offline = |remote: &Remote| -> crate::Result<Box<dyn Origin>> {
        let reason = format!("nobody listens at {}", remote.host);
        Err(Error::Elsewhere { reason, kind: volt_model::kind::ErrorKind::Network })
    };
    let online = |remote: &Remote| -> crate::Result<Box<dyn Origin>> {
        assert_eq!(remote.to_string(), format!("registry.example/app@{}", digest(&image)));
        let layout: &'static Layout = Box::leak(Box::new(Layout(layout.0.clone())));
        Ok(Box::new(Served { layout, image: digest(&image), meanwhile: &|_, _| {} }))
    };
    // Out of what is kept, of files and of the tree itself.
    for damaged in [&file, &tree] {
        fs::remove_file(damaged).unwrap();
        assert!(place.mended(&offline).damages.iter().all(|damage| damage.is_repaired));
        is_whole(&place, &pulled);
    }
    // What is kept is damaged too.
    let layer = place.images.cas().objects().path(&pulled.blobs.last().unwrap().object);
    fs::remove_file(&file).unwrap();
    fs::remove_file(&layer).unwrap();
    let verified = place.mended(&offline);
    assert_eq!(verified.damages.len(), 2);
    let hint = verified.damages[0].hint.as_ref().unwrap();
    for word in ["registry.example/app@sha256:", "nobody listens", "pull --force test"] {
        assert!(hint.contains(word), "{hint}");
    }
    assert!(place.mended(&online).damages.iter().all(|damage| damage.is_repaired));
    assert!(layer.exists());
    is_whole(&place, &pulled);
    // Nothing is kept.
    place.images.forget_blobs().unwrap();
    place.images.cas().collect(&|| Ok(Vec::new())).unwrap();
    fs::remove_file(&tree).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(place.mended(&online).damages.iter().all(|damage| damage.is_repaired));
    is_whole(&place, &pulled);
}
