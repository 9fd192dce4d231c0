//! Images and who stands on them.

use super::{Compression, ExportFormat, Pull, Source};
use crate::system::tests::{engine, spec};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_store::Silent;

#[test]
fn imported_named_used_removed() {
    let (dir, engine) = engine();
    let root = dir.path().join("tree");
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::write(root.join("etc/os-release"), "PRETTY_NAME=Test\n").unwrap();
    let name: ImageRef = "test:1".parse().unwrap();
    let import = |force| engine.image_import(&name, Source::Path(root.clone()), force, &Silent);
    let made = import(false).unwrap();
    assert_eq!(import(false).unwrap_err().kind, ErrorKind::AlreadyExists);
    let other: ImageRef = "other".parse().unwrap();
    assert_eq!(engine.image_tag(&name, &other).unwrap().image.tree, made.image.tree);

    let mut archive = Vec::new();
    drop(
        engine
            .image_export(&(&name).into(), (ExportFormat::Rootfs, Compression::None), &mut archive)
            .unwrap(),
    );
    let copy: ImageRef = "copy".parse().unwrap();
    let archive = Source::Reader(Box::new(std::io::Cursor::new(archive)));
    let copied = engine.image_import(&copy, archive, false, &Silent).unwrap();
    assert_eq!(copied.image.tree, made.image.tree, "the same tree has the same name");
    let tree = Source::Tree(format!("stellarium://{}", made.image.tree).parse().unwrap());
    let again = engine.image_import(&copy, tree, true, &Silent).unwrap();
    assert_eq!(again.image.tree, made.image.tree);

    let mut user = spec("web");
    user.tree = made.image.tree.to_string();
    std::fs::create_dir_all(engine.paths().container(&user.name)).unwrap();
    engine.save_spec(&user).unwrap();
    engine.image_delete(&other).unwrap();
    engine.image_delete(&copy).unwrap();
    let error = engine.image_delete(&name).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("web"), "{}", error.message);
    let used = |name: &ImageRef| engine.image_inspect(&name.into()).unwrap().used_by;
    assert_eq!(used(&name), [user.name.clone()]);
    std::fs::remove_dir_all(engine.paths().container(&user.name)).unwrap();
    engine.image_delete(&name).unwrap();
    assert_eq!(engine.image_inspect(&(&name).into()).unwrap_err().kind, ErrorKind::NotFound);
    assert!(engine.image_list().unwrap().is_empty());
    assert_eq!(engine.cas_gc(true).unwrap().objects, 0, "all of it went with its last name");
}

#[test]
fn what_is_too_large_or_elsewhere_is_refused() {
    let (dir, engine) = engine();
    engine.config_write("image: {max_size: 1K}\n".into(), None).unwrap();
    let root = dir.path().join("tree");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("big"), vec![b'x'; 2000]).unwrap();
    let name: ImageRef = "big".parse().unwrap();
    let import =
        |path| engine.image_import(&name, Source::Path(path), false, &Silent).unwrap_err().kind;
    assert_eq!(import(root), ErrorKind::InvalidConfig);
    assert_eq!(import("relative".into()), ErrorKind::Usage);
    assert_eq!(import("/nonexistent/x.tar".into()), ErrorKind::NotFound);
    assert_eq!(import("/dev/zero".into()), ErrorKind::Usage);
    let pull = |name: &str| Pull {
        registry: super::FromRegistry::default(),
        image: name.parse().unwrap(),
        mirror: None,
        variant: None,
        include: vec![],
        force: false,
    };
    let error = engine.image_pull(pull("127.0.0.1:9/app:1"), &Silent).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network);
    assert!(engine.image_list().unwrap().is_empty());
}
