//! Commands that wait for each other.

use super::create::Create;
use crate::image::Source;
use crate::system::tests::engine;
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::Duration;
use volt_model::container::Seccomp;
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
