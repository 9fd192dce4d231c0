//! Layouts and archives as others write them, good and bad, through the very path of an import.

mod hostile;
mod pulled;

use crate::archive::Compression;
use crate::archive::compress::Packer;
use crate::images::tests::{copied, work};
use crate::{
    Cas, Error, Existing, ExportFormat, ExportOptions, Image, Images, ImportOptions, Silent,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use volt_model::image::ImageRef;

fn sha256(bytes: &[u8]) -> String {
    crate::oci::BlobDigest::of(bytes).to_string()
}

fn name() -> ImageRef {
    "test".parse().unwrap()
}

/// A layer: names with what is in the files.
fn layer(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        if path.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn packed(plain: &[u8], compression: Compression) -> Vec<u8> {
    let mut out = Vec::new();
    let mut packer = Packer::new(&mut out, compression).unwrap();
    packer.write_all(plain).unwrap();
    packer.finish().unwrap();
    out
}

/// The files of a layout.
struct Layout(BTreeMap<String, Vec<u8>>);

impl Layout {
    fn new() -> Self {
        let marker = br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec();
        Self(BTreeMap::from([("oci-layout".to_owned(), marker)]))
    }

    fn blob(&mut self, bytes: Vec<u8>) -> Value {
        let (digest, size) = (sha256(&bytes), bytes.len());
        self.0.insert(format!("blobs/sha256/{}", digest.trim_start_matches("sha256:")), bytes);
        json!({ "digest": digest, "size": size })
    }

    fn image(&mut self, layers: &[(Vec<u8>, Compression)], run: &Value) -> Value {
        let diff_ids: Vec<String> = layers.iter().map(|(plain, _)| sha256(plain)).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": run,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = self.blob(config.to_string().into_bytes());
        let layers: Vec<Value> =
            layers.iter().map(|(plain, how)| self.blob(packed(plain, *how))).collect();
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        self.blob(manifest.to_string().into_bytes())
    }

    fn index(mut self, manifests: &[Value]) -> Self {
        let index = json!({ "schemaVersion": 2, "manifests": manifests });
        self.0.insert("index.json".into(), index.to_string().into_bytes());
        self
    }

    fn write(&self, dir: &Path) {
        for (name, bytes) in &self.0 {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    fn tar(&self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in &self.0 {
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }
}

struct Place {
    dir: tempfile::TempDir,
    images: Images,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rootless = !rustix::process::geteuid().is_root();
        let images = Images::open(&dir.path().join("lib"), rootless);
        Self { dir, images }
    }

    fn import(&self, archive: Vec<u8>) -> crate::Result<Image> {
        let options = ImportOptions { existing: Existing::Replace, ..Default::default() };
        self.images.import_tar(&name(), Cursor::new(archive), options, work())
    }

    fn import_dir(&self, layout: &Layout) -> crate::Result<Image> {
        let dir = tempfile::tempdir().unwrap();
        layout.write(dir.path());
        let options = ImportOptions { existing: Existing::Replace, ..Default::default() };
        self.images.import_dir(&name(), dir.path(), options, work())
    }

    /// The paths of what was imported, with what is in the files.
    fn files(&self) -> BTreeMap<String, String> {
        let root = copied(&self.images, &name(), self.dir.path());
        let (mut found, mut folders) = (BTreeMap::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                let shown = path.strip_prefix(&root).unwrap().display().to_string();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(shown, fs::read_to_string(path).unwrap());
                }
            }
        }
        found
    }

    fn is_clean(&self, what: &str) {
        assert_eq!(self.images.check(&|_| Vec::new()).unwrap(), [], "{what}");
        let garbage = Cas::open(&self.dir.path().join("lib")).garbage(&|| Ok(Vec::new())).unwrap();
        assert_eq!(garbage.objects, 0, "{what}");
    }
}

fn run() -> Value {
    json!({
        "User": "1000:1000", "Env": ["A=b"], "Entrypoint": ["/entry"], "Cmd": ["one", "two"], "WorkingDir": "/w",
        "Volumes": { "/data": {} }, "StopSignal": "SIGQUIT", "ExposedPorts": { "80/tcp": {} },
        "Labels": { "k": "v" }, "Healthcheck": { "Test": ["CMD", "true"], "Interval": 5 },
    })
}

fn layers() -> Vec<(Vec<u8>, Compression)> {
    vec![
        (
            layer(&[("etc/", ""), ("etc/kept", "1"), ("etc/gone", "x"), ("d/e/x", "x")]),
            Compression::Gzip,
        ),
        (
            layer(&[("etc/.wh.gone", ""), ("etc/kept", "2"), ("big", &"b".repeat(3 << 20))]),
            Compression::Zstd,
        ),
        (layer(&[("d/.wh..wh..opq", ""), ("d/new", "3")]), Compression::None),
    ]
}

fn is_whole(place: &Place, image: &Image) {
    let files = place.files();
    let seen: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(seen, ["big", "d/new", "etc/kept"]);
    assert_eq!((&*files["etc/kept"], files["big"].len()), ("2", 3 << 20));
    let config = &image.config;
    assert_eq!(
        (&*config.entrypoint, &*config.cmd),
        (&["/entry".to_owned()][..], &["one".into(), "two".into()][..])
    );
    assert_eq!(
        (config.user.as_deref(), config.workdir.as_deref()),
        (Some("1000:1000"), Some("/w"))
    );
    assert_eq!(
        (&*config.volumes, &*config.exposed_ports),
        (&["/data".to_owned()][..], &["80/tcp".to_owned()][..])
    );
    assert_eq!(
        (config.stop_signal.as_deref(), config.labels["k"].as_str()),
        (Some("SIGQUIT"), "v")
    );
    assert_eq!(config.healthcheck.as_ref().unwrap()["Interval"], 5);
    assert_eq!(image.architecture.as_deref(), Some("amd64"));
    assert_eq!(place.images.check(&|_| Vec::new()).unwrap(), []);
}

#[test]
fn a_layout_is_applied_layer_by_layer() {
    let place = Place::new();
    let mut layout = Layout::new();
    let image = layout.image(&layers(), &run());
    let layout = layout.index(&[image]);
    is_whole(&place, &place.import_dir(&layout).unwrap());
    is_whole(&place, &place.import(layout.tar()).unwrap());
    is_whole(&place, &place.import(packed(&layout.tar(), Compression::Gzip)).unwrap());
}

#[test]
fn layers_are_read_at_once_and_go_over_one_another_in_their_order() {
    let place = Place::new();
    let big = "x".repeat(200 << 10);
    let all: Vec<_> = (0..12)
        .map(|number| {
            // The earlier a layer, the longer it takes.
            let (own, last) = (format!("own{number}"), format!("{number}"));
            let gone = format!(".wh.own{}", number - 1);
            let filling = big.repeat(11 - number as usize);
            let entries = [("same", &*last), (&*own, "x"), (&*gone, ""), ("filling", &*filling)];
            (layer(&entries), Compression::Zstd)
        })
        .collect();
    let mut layout = Layout::new();
    let image = layout.image(&all, &run());
    place.import_dir(&layout.index(&[image])).unwrap();
    let files = place.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["filling", "own11", "same"]);
    assert_eq!((&*files["same"], &*files["filling"]), ("11", ""));
    // What layers hide by a file is a name and no contents; all else was stored, if only to be hidden.
    let garbage = Cas::open(&place.dir.path().join("lib")).garbage(&|| Ok(Vec::new())).unwrap();
    assert_eq!(garbage.objects, 22);
}

#[test]
fn a_blob_may_be_there_twice_where_it_is_the_same() {
    let mut layout = Layout::new();
    let image = layout.image(&layers(), &run());
    let layout = layout.index(&[image]);
    let blob = layout.0.keys().find(|name| name.starts_with("blobs")).unwrap();
    for (again, is_taken) in [(&layout.0[blob][..], true), (b"another", false)] {
        let (place, mut builder) = (Place::new(), tar::Builder::new(Vec::new()));
        for (name, bytes) in layout.0.iter().map(|(n, b)| (n, &b[..])).chain([(blob, again)]) {
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).unwrap();
        }
        match (place.import(builder.into_inner().unwrap()), is_taken) {
            (Ok(image), true) => is_whole(&place, &image),
            (Err(error), false) => {
                let error = error.to_string();
                assert!(error.contains(blob) && error.contains("twice"), "{error}");
                place.is_clean("a blob twice");
            }
            (result, _) => panic!("{result:?}"),
        }
    }
}

#[test]
fn what_is_exported_comes_back_the_same() {
    let place = Place::new();
    let mut layout = Layout::new();
    let image = layout.image(&layers(), &run());
    let image = place.import_dir(&layout.index(&[image])).unwrap();
    for (format, compression) in [
        (ExportFormat::Oci, Compression::None),
        (ExportFormat::Oci, Compression::Gzip),
        (ExportFormat::Docker, Compression::Zstd),
    ] {
        let mut archive = Vec::new();
        let options = ExportOptions { format, compression, ..Default::default() };
        place.images.export(&name(), &mut archive, &options, &Silent).unwrap();
        let mut names = Vec::new();
        for entry in tar::Archive::new(&archive[..]).entries().unwrap() {
            names.push(entry.unwrap().path().unwrap().display().to_string());
        }
        assert_eq!(names.contains(&"manifest.json".to_owned()), format == ExportFormat::Docker);
        let back = place.import(archive).unwrap();
        assert_eq!((back.tree, &back.config), (image.tree, &image.config));
        is_whole(&place, &back);
    }
    let options = ExportOptions {
        format: ExportFormat::Oci,
        compression: Compression::Xz,
        ..Default::default()
    };
    assert!(place.images.export(&name(), &mut Vec::new(), &options, &Silent).is_err());
}

/// An archive as `docker save` writes it, by what its config is called; that comes first, whose id is in `{}`.
fn saved(called: &str) -> Vec<u8> {
    let plain: Vec<Vec<u8>> = layers().into_iter().map(|(plain, _)| plain).collect();
    let diff_ids: Vec<String> = plain.iter().map(|layer| sha256(layer)).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": run(), "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let id = sha256(config.to_string().as_bytes()).trim_start_matches("sha256:").to_owned();
    let mut builder = tar::Builder::new(Vec::new());
    let mut put = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    let called = called.replace("{}", &id);
    put(&called, config.to_string().as_bytes());
    for (number, layer) in plain.iter().enumerate() {
        put(&format!("layer{number}/layer.tar"), layer);
    }
    let saved = json!([{ "Config": called, "RepoTags": ["x:1"],
        "Layers": ["layer0/layer.tar", "layer1/layer.tar", "link/layer.tar"] }]);
    put("manifest.json", saved.to_string().as_bytes());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "link/layer.tar", "../layer2/layer.tar").unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn an_archive_as_docker_and_others_save_it() {
    // Docker; crane, ko and kaniko; whoever puts first what tells nothing.
    for called in ["{}.json", "sha256:{}", "config.json", "it/is/config.json"] {
        let place = Place::new();
        let image = place.import(saved(called)).unwrap();
        is_whole(&place, &image);
        assert_eq!(image.source, "Docker archive", "{called}");
    }
    // One that has such a name by chance.
    let place = Place::new();
    let names = [("app", "x"), ("manifest.json", r#"[{"Config": "none", "Layers": ["app"]}]"#)];
    assert_eq!(place.import(layer(&names)).unwrap().source, "tar archive");
}

#[test]
fn the_image_for_this_processor_is_taken() {
    let place = Place::new();
    let mut layout = Layout::new();
    let own = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let mut make = |content: &str, platform: Value| {
        let mut image =
            layout.image(&[(layer(&[("f", content)]), Compression::None)], &json!(null));
        image["platform"] = platform;
        image
    };
    let other = make("other", json!({ "architecture": "s390x", "os": "linux" }));
    let mine = make("mine", json!({ "architecture": own, "os": "linux" }));
    let built = make("built", json!({ "architecture": "unknown", "os": "unknown" }));
    let nested = json!({ "schemaVersion": 2, "manifests": [other.clone(), mine, built.clone()] });
    let nested = layout.blob(nested.to_string().into_bytes());
    let files = layout.0.clone();
    place.import_dir(&layout.index(&[nested])).unwrap();
    assert_eq!(place.files()["f"], "mine");
    // The only one is taken, whatever it is for; of none it is said what there is.
    let only = Layout(files.clone()).index(&[other.clone(), built]);
    place.import_dir(&only).unwrap();
    assert_eq!(place.files()["f"], "other");
    let error = place.import_dir(&Layout(files).index(&[other.clone(), other])).unwrap_err();
    assert!(error.to_string().contains("linux/s390x"), "{error}");
}
