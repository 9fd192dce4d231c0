//! Commands that wait for each other.

use super::create::Create;
use crate::image::Source;
use crate::system::tests::{engine, spec};
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::Duration;
use volt_host::command::Command;
use volt_model::container::{Seccomp, Spec};
use volt_model::image::ImageRef;
use volt_model::limits::Limits;
use volt_model::name::Name;
use volt_model::restart::Restart;
use volt_store::Silent;

fn plain(name: &Name, image: &ImageRef) -> Create {
    Create {
        name: Some(name.clone()),
        image: image.into(),
        command: vec!["true".into()],
        entrypoint: None,
        env: Vec::new(),
        user: None,
        workdir: None,
        hostname: None,
        tty: false,
        stdin: false,
        auto_remove: false,
        boot: None,
        network: None,
        publish: Vec::new(),
        expose: false,
        binds: Vec::new(),
        tmpfs: Vec::new(),
        secrets: Vec::new(),
        read_only: false,
        limits: Limits::default(),
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        seccomp: Seccomp::Default,
        restart: Restart::No,
        health: Default::default(),
        stop_signal: None,
        stop_timeout: None,
        ulimits: Vec::new(),
        around: Default::default(),
        standing: Default::default(),
        group_add: Vec::new(),
        own_volumes: Vec::new(),
        labels: BTreeMap::new(),
        backend: None,
    }
}

/// A commit has the name, and wants the names of images to itself.
#[test]
fn whoever_waits_for_a_name_keeps_no_image_from_anybody() {
    let (dir, engine) = engine();
    let root = dir.path().join("tree");
    std::fs::create_dir(&root).unwrap();
    let (name, image): (Name, ImageRef) = ("web".parse().unwrap(), "test:1".parse().unwrap());
    drop(engine.image_import(&image, Source::Path(root), false, &Silent).unwrap());
    let held = engine.lock_name(&name).unwrap();
    let (done, is_done) = channel();
    std::thread::scope(|scope| {
        let made = scope.spawn(|| engine.container_create(plain(&name, &image)));
        // So long it may take to come to where it waits.
        std::thread::sleep(Duration::from_millis(500));
        scope.spawn(|| done.send(engine.image_tag(&image, &"other".parse().unwrap()).map(drop)));
        let tagged = is_done.recv_timeout(Duration::from_secs(20));
        drop(held);
        tagged.expect("it waits for one that waits for it").unwrap();
        // What comes of it is no matter here.
        drop(made.join().unwrap());
    });
}

/// The other end of a pipe that somebody reads by then.
fn writer_of(path: &std::path::Path) -> Option<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    const NONBLOCK: i32 = 0o4000;
    for _ in 0..400 {
        std::thread::sleep(Duration::from_millis(50));
        let opened = std::fs::OpenOptions::new().write(true).custom_flags(NONBLOCK).open(path);
        if opened.is_ok() {
            return opened.ok();
        }
    }
    None
}

/// What an image has at a volume may be much; here it never comes.
#[test]
fn whoever_copies_volumes_keeps_no_image_from_anybody() {
    let (dir, engine) = engine();
    let root = dir.path().join("tree");
    std::fs::create_dir_all(root.join("data")).unwrap();
    std::fs::write(root.join("data/slow"), "slow").unwrap();
    let image: ImageRef = "test:1".parse().unwrap();
    let made = engine.image_import(&image, Source::Path(root), false, &Silent).unwrap();
    let own: [Name; 1] = ["web-data".parse().unwrap()];
    let mut spec = Spec {
        tree: made.image.tree.to_string(),
        binds: vec!["web-data:/data".parse().unwrap()],
        ..spec("web")
    };
    let hex = volt_store::Digest::of(b"slow").hex();
    let object = engine.paths().lib.join("cas/objects").join(&hex[..2]).join(&hex);
    std::fs::remove_file(&object).unwrap();
    Command::new("mkfifo").arg(&object).run().unwrap();
    let hold = engine.images().hold().unwrap();
    let other: ImageRef = "other".parse().unwrap();
    let (done, is_done) = channel();
    std::thread::scope(|scope| {
        let created = scope.spawn(|| {
            let _volumes = engine.lock_volumes(&own).unwrap();
            engine.make_whole(&mut spec, &Default::default(), (&own, Some(hold)))
        });
        let Some(slow) = writer_of(&object) else {
            panic!("it was not copied: {:?}", created.join());
        };
        scope.spawn(|| done.send(engine.image_tag(&image, &other).map(drop)));
        let tagged = is_done.recv_timeout(Duration::from_secs(20));
        let wanted = engine.wanted_trees().unwrap();
        let deleted = engine.image_delete(&image).and_then(|()| engine.image_delete(&other));
        engine.collect_garbage().unwrap();
        drop(slow);
        tagged.expect("it waits for who copies").unwrap();
        assert_eq!(wanted, [made.image.tree]);
        assert!(deleted.unwrap_err().chain().join(": ").contains("web"));
        // What is at the end of the pipe is not what its name says.
        created.join().unwrap().unwrap_err();
    });
    assert!(engine.wanted_trees().unwrap().is_empty());
}
