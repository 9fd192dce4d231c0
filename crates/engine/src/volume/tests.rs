//! The life of a volume, and what a crash may leave.

use crate::system::tests::{engine, spec};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

#[test]
fn made_used_removed() {
    let (_dir, engine) = engine();
    let name: Name = "data".parse().unwrap();
    let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let made = engine.volume_create(&name, crate::volume::Create::plain(labels.clone())).unwrap();
    assert_eq!(made.path.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(
        engine.volume_create(&name, crate::volume::Create::default()).unwrap_err().kind,
        ErrorKind::AlreadyExists
    );
    std::fs::write(made.path.join("file"), vec![b'x'; 10_000]).unwrap();
    let seen = engine.volume_inspect(&name).unwrap();
    assert!(seen.size.unwrap() >= 10_000);
    assert_eq!((seen.created, seen.labels), (made.created, labels));

    let mut user = spec("web");
    user.binds = vec!["data:/srv".parse().unwrap(), "data:/other:ro".parse().unwrap()];
    std::fs::create_dir_all(engine.paths().container(&user.name)).unwrap();
    engine.save_spec(&user).unwrap();
    let error = engine.volume_delete(&name).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.ends_with("mounted by web"), "{}", error.message);
    assert_eq!(engine.volume_list().unwrap()[0].used_by, std::slice::from_ref(&user.name));

    std::fs::remove_dir_all(engine.paths().container(&user.name)).unwrap();
    engine.volume_delete(&name).unwrap();
    assert_eq!(engine.volume_delete(&name).unwrap_err().kind, ErrorKind::NotFound);
    assert!(engine.volume_list().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(engine.paths().volumes()).unwrap().count(), 0);
}

#[test]
fn metadata_without_a_folder_are_no_volume() {
    let (_dir, engine) = engine();
    let name: Name = "data".parse().unwrap();
    drop(engine.volume_create(&name, crate::volume::Create::default()).unwrap());
    std::fs::remove_dir_all(engine.volume_dir(&name)).unwrap();
    assert!(!engine.volume_exists(&name) && engine.volume_list().unwrap().is_empty());
    drop(engine.volume_create(&name, crate::volume::Create::default()).unwrap());
    std::fs::remove_file(engine.volume_metadata_path(&name)).unwrap();
    assert_eq!(engine.volume_list().unwrap().len(), 1);
}
