//! Layouts and archives of images that an enemy made: refused, and nothing of them is kept.

use super::*;

/// The files of a layout, of which one is to be harmed.
type Files = BTreeMap<String, Vec<u8>>;
/// What is done to a good layout.
type Harm = fn(&mut Files);

/// The layer, which is larger than all else.
fn largest(files: &Files) -> String {
    files.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap().0.clone()
}

fn parsed(files: &Files, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

/// The name of what a descriptor points to.
fn named(descriptor: &Value) -> String {
    format!("blobs/sha256/{}", descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:"))
}

/// Puts a document in another's place, with a digest that is right.
fn put(files: &mut Files, value: &Value) -> Value {
    let bytes = value.to_string().into_bytes();
    let (digest, size) = (sha256(&bytes), bytes.len());
    let descriptor = json!({ "digest": digest, "size": size });
    files.insert(named(&descriptor), bytes);
    descriptor
}

/// Changes the index.
fn index(files: &mut Files, change: impl FnOnce(&mut Value)) {
    let mut index = parsed(files, "index.json");
    change(&mut index);
    files.insert("index.json".into(), index.to_string().into_bytes());
}

/// Changes the manifest, and what points to it.
fn manifest(files: &mut Files, change: impl FnOnce(&mut Value)) {
    let name = named(&parsed(files, "index.json")["manifests"][0]);
    let mut manifest = parsed(files, &name);
    change(&mut manifest);
    let descriptor = put(files, &manifest);
    index(files, |index| index["manifests"][0] = descriptor);
}

/// Changes the config, and what points to it.
fn config(files: &mut Files, change: impl FnOnce(&mut Value)) {
    let name = named(&parsed(files, "index.json")["manifests"][0]);
    let mut config = parsed(files, &named(&parsed(files, &name)["config"]));
    change(&mut config);
    let descriptor = put(files, &config);
    manifest(files, |manifest| manifest["config"] = descriptor);
}

const NONE: &str = "sha256:00000000000000000000000000000000000000000000000000000000000000ff";

/// What is done to a good layout, and a part of the reason it is refused for.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn harms() -> Vec<(&'static str, Harm, &'static str)> {
    vec![
        (
            "a layer changed",
            |f| *f.get_mut(&largest(f)).unwrap().last_mut().unwrap() ^= 1,
            "digest",
        ),
        ("a layer cut", |f| f.get_mut(&largest(f)).unwrap().truncate(100), ""),
        ("a layer longer", |f| f.get_mut(&largest(f)).unwrap().push(0), "digest"),
        ("a layer missing", |f| drop(f.remove(&largest(f))), "missing"),
        ("a layer empty", |f| f.get_mut(&largest(f)).unwrap().clear(), ""),
        ("a layer of noise", |f| f.get_mut(&largest(f)).unwrap().fill(0x5a), ""),
        ("no layout", |f| drop(f.insert("oci-layout".into(), b"{}".to_vec())), "version"),
        (
            "a layout of the future",
            |f| {
                let marker = br#"{"imageLayoutVersion": "2.0.0"}"#;
                f.insert("oci-layout".into(), marker.to_vec());
            },
            "version",
        ),
        (
            "a layout that is none",
            |f| drop(f.insert("oci-layout".into(), b"x".to_vec())),
            "can't be read",
        ),
        (
            "an index that is none",
            |f| drop(f.insert("index.json".into(), b"[1]".to_vec())),
            "index",
        ),
        (
            "an index that is huge",
            |f| drop(f.insert("index.json".into(), vec![b' '; 5 << 20])),
            "4 MiB",
        ),
        (
            "an index that is deep",
            |f| drop(f.insert("index.json".into(), vec![b'['; 1 << 20])),
            "can't be read",
        ),
        ("an index of nothing", |f| index(f, |index| index["manifests"] = json!([])), "none"),
        (
            "an index that climbs",
            |f| {
                index(f, |index| {
                    index["manifests"][0]["digest"] = "sha256:../../../../etc/passwd".into();
                });
            },
            "no digest of SHA-256",
        ),
        (
            "a digest in capitals",
            |f| index(f, |index| index["manifests"][0]["digest"] = NONE.to_uppercase().into()),
            "no digest of SHA-256",
        ),
        (
            "a digest of another kind",
            |f| index(f, |index| index["manifests"][0]["digest"] = "md5:00".into()),
            "no digest of SHA-256",
        ),
        (
            "a manifest that is not there",
            |f| index(f, |index| index["manifests"][0]["digest"] = NONE.into()),
            "missing",
        ),
        (
            "a manifest of another size",
            |f| index(f, |index| index["manifests"][0]["size"] = 1.into()),
            "digest",
        ),
        (
            "a manifest of a negative size",
            |f| index(f, |index| index["manifests"][0]["size"] = (-1).into()),
            "can't be read",
        ),
        (
            "too many manifests",
            |f| {
                index(f, |index| {
                    let one = index["manifests"][0].clone();
                    index["manifests"] = vec![one; 1001].into();
                });
            },
            "too many",
        ),
        (
            "indexes without end",
            |f| {
                for _ in 0..6 {
                    let whole = parsed(f, "index.json");
                    let descriptor = put(f, &whole);
                    index(f, |index| index["manifests"][0] = descriptor);
                }
            },
            "without end",
        ),
        (
            "a manifest of another version",
            |f| manifest(f, |m| m["schemaVersion"] = 1.into()),
            "version",
        ),
        (
            "a manifest that is an index as well",
            |f| manifest(f, |m| m["manifests"] = json!([])),
            "neither",
        ),
        (
            "a manifest that says it is another thing",
            |f| manifest(f, |m| m["mediaType"] = "text/html".into()),
            "neither",
        ),
        ("a manifest without layers", |f| manifest(f, |m| m["layers"] = json!([])), "same layers"),
        (
            "layers that its config does not know",
            |f| {
                manifest(f, |m| {
                    let first = m["layers"][0].clone();
                    m["layers"].as_array_mut().unwrap().push(first);
                });
            },
            "same layers",
        ),
        (
            "too many layers",
            |f| {
                manifest(f, |m| {
                    let first = m["layers"][0].clone();
                    m["layers"] = vec![first; 501].into();
                });
            },
            "too many layers",
        ),
        (
            "an encrypted layer",
            |f| {
                let kind = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
                manifest(f, |m| m["layers"][0]["mediaType"] = kind.into());
            },
            "encrypted",
        ),
        (
            "a layer that says it is smaller",
            |f| manifest(f, |m| m["layers"][0]["size"] = 1.into()),
            "digest",
        ),
        (
            "a layer that says it is larger",
            |f| manifest(f, |m| m["layers"][0]["size"] = (1_u64 << 60).into()),
            "digest",
        ),
        (
            "a layer that climbs",
            |f| manifest(f, |m| m["layers"][0]["digest"] = "sha256:../index.json".into()),
            "no digest of SHA-256",
        ),
        (
            "layers in another order",
            |f| manifest(f, |m| m["layers"].as_array_mut().unwrap().reverse()),
            "digest",
        ),
        (
            "a layer that is the config",
            |f| manifest(f, |m| m["layers"][0] = m["config"].clone()),
            "",
        ),
        (
            "a config that is not there",
            |f| manifest(f, |m| m["config"]["digest"] = NONE.into()),
            "missing",
        ),
        (
            "a config that is a layer",
            |f| manifest(f, |m| m["config"] = m["layers"][1].clone()),
            "config",
        ),
        (
            "a config of other layers",
            |f| config(f, |c| c["rootfs"]["diff_ids"][0] = NONE.into()),
            "digest",
        ),
        (
            "a config of no layers",
            |f| config(f, |c| c["rootfs"]["diff_ids"] = json!([])),
            "same layers",
        ),
        (
            "a config of another kind",
            |f| config(f, |c| c["rootfs"]["type"] = "blocks".into()),
            "layers",
        ),
        (
            "a config without a root",
            |f| config(f, |c| drop(c.as_object_mut().unwrap().remove("rootfs"))),
            "config",
        ),
        (
            "a NUL in a variable",
            |f| config(f, |c| c["config"]["Env"] = json!(["A=a\u{0}b"])),
            "NUL",
        ),
        (
            "a NUL in the entrypoint",
            |f| config(f, |c| c["config"]["Entrypoint"] = json!(["/bin/\u{0}sh"])),
            "NUL",
        ),
        (
            "a NUL in a volume",
            |f| config(f, |c| c["config"]["Volumes"] = json!({ "/a\u{0}b": {} })),
            "NUL",
        ),
        ("a NUL in the user", |f| config(f, |c| c["config"]["User"] = "a\u{0}b".into()), "NUL"),
        (
            "too many variables",
            |f| config(f, |c| c["config"]["Env"] = vec!["A=b"; 10_001].into()),
            "too long",
        ),
        (
            "a config that is huge",
            |f| config(f, |c| c["comment"] = "x".repeat(5 << 20).into()),
            "4 MiB",
        ),
        (
            "a command that is no list",
            |f| config(f, |c| c["config"]["Cmd"] = json!({ "a": 1 })),
            "config",
        ),
    ]
}

#[test]
fn hostile_images_are_refused_and_leave_nothing() {
    let mut good = Layout::new();
    let image = good.image(&layers(), &run());
    let good = good.index(&[image]);
    let refused = |what: &str, reason: &str, place: &Place, result: crate::Result<Image>| {
        match result {
            Ok(_) => panic!("{what}: taken"),
            Err(Error::Io { .. }) => panic!("{what}: not refused but failed"),
            Err(error) => assert!(error.to_string().contains(reason), "{what}: {error}"),
        }
        place.is_clean(what);
    };
    for (what, harm, reason) in harms() {
        let place = Place::new();
        let mut layout = Layout(good.0.clone());
        harm(&mut layout.0);
        refused(what, reason, &place, place.import_dir(&layout));
        refused(what, reason, &place, place.import(layout.tar()));
    }
}

/// An archive as `docker save` writes it, of these members: a name, and a link's target or a file's bytes.
fn saved(members: &[(&str, std::result::Result<&str, &[u8]>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, what) in members {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        match what {
            Ok(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, name, target).unwrap();
            }
            Err(bytes) => {
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, name, *bytes).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

#[test]
fn hostile_archives_of_docker_are_refused_and_leave_nothing() {
    let plain = layer(&[("a", "b")]);
    let config =
        json!({ "rootfs": { "type": "layers", "diff_ids": [sha256(&plain)] } }).to_string();
    let of = |config: &str, layers: &[&str]| {
        json!([{ "Config": config, "RepoTags": ["x:1"], "Layers": layers }]).to_string()
    };
    let good = of("config.json", &["layer.tar"]);
    let (layer, config) = (Err(&plain[..]), Err(config.as_bytes()));
    let (climbing, absolute) =
        (of("../../../etc/passwd", &["layer.tar"]), of("/etc/hostname", &[]));
    let outside = of("config.json", &["../../../../etc/passwd"]);
    let (missing, none) = (of("config.json", &["other.tar"]), of("config.json", &[]));
    let twice = format!("[{0},{0}]", &good[1..good.len() - 1]);
    let all = |manifest: &str, members: &[(&str, std::result::Result<&str, &[u8]>)]| {
        saved(&[&[("manifest.json", Err(manifest.as_bytes()))], members].concat())
    };
    for (what, archive, reason) in [
        ("a config that climbs", all(&climbing, &[("layer.tar", layer)]), "climbs"),
        ("a config of the host", all(&absolute, &[]), "missing"),
        ("a layer that climbs", all(&outside, &[("config.json", config)]), "climbs"),
        ("a layer that is not there", all(&missing, &[("config.json", config)]), "missing"),
        (
            "no layers where the config has one",
            all(&none, &[("config.json", config)]),
            "same layers",
        ),
        ("two images", all(&twice, &[("config.json", config), ("layer.tar", layer)]), "several"),
        ("no image", all("[]", &[("config.json", config)]), "none"),
        ("a manifest that is none", all("{}", &[]), "can't be read"),
        ("no manifest", saved(&[("repositories", Err(b"{}")), ("layer.tar", layer)]), "neither"),
        (
            "a layer that links to outside",
            all(&good, &[("config.json", config), ("layer.tar", Ok("../../../../etc/passwd"))]),
            "",
        ),
        (
            "a layer that links to the host",
            all(&good, &[("config.json", config), ("layer.tar", Ok("/etc/passwd"))]),
            "",
        ),
        (
            "layers that link in circles",
            all(&good, &[("config.json", config), ("layer.tar", Ok("b")), ("b", Ok("layer.tar"))]),
            "circles",
        ),
        (
            "another layer than its config says",
            all(&good, &[("config.json", config), ("layer.tar", Err(b"x"))]),
            "",
        ),
    ] {
        let place = Place::new();
        match place.import(archive) {
            Ok(_) => panic!("{what}: taken"),
            Err(Error::Io { .. }) => panic!("{what}: not refused but failed"),
            Err(error) => assert!(error.to_string().contains(reason), "{what}: {error}"),
        }
        place.is_clean(what);
    }
}
