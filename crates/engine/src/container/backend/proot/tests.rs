//! What is refused, and a real proot where one is installed.

use super::{processes::Processes, refuse, root};
use crate::system::can::program;
use crate::system::tests::{engine, spec, write_record};
use std::time::Duration;
use volt_host::command::Command;
use volt_model::container::{Backend, Mode, Network, Spec};
use volt_model::kind::ErrorKind;
use volt_model::mount::{Bind, Source};
use volt_model::name::Name;

fn plain() -> Spec {
    Spec { backend: Backend::Proot, network: Network::Host, ..spec("web") }
}

#[test]
fn what_it_can_not_do_is_refused_with_the_reason() {
    let refused = |spec: &Spec| {
        refuse::what_it_can_not_do(spec).and_then(|()| refuse::what_takes_a_unit(spec))
    };
    assert!(refused(&plain()).is_ok());
    assert!(refused(&Spec { user: Some("root".into()), ..plain() }).is_ok());
    let mut limited = plain();
    limited.limits.pids = Some(10);
    let part =
        Bind { source: Source::Host("/srv/a:b".into()), target: "/b".into(), read_only: false };
    let mut named = plain();
    named.around.dns_search = vec!["x.example".into()];
    let unconnected = Spec { network: Network::None, ..plain() };
    let fixed = Spec { binds: vec!["/srv:/srv:ro".parse().unwrap()], ..plain() };
    let secret = Spec { secrets: vec!["key".parse().unwrap()], ..plain() };
    let memory = Spec { tmpfs: vec!["/tmp".parse().unwrap()], ..plain() };
    for (spec, word) in [
        (named, "names"),
        (limited, "cgroup"),
        (unconnected, "--network host"),
        (fixed, "read-only"),
        (secret, "secrets"),
        (memory, "memory"),
    ] {
        // A unit can.
        assert!(refuse::what_it_can_not_do(&spec).is_ok());
        let error = refused(&spec).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Dependency);
        assert!(error.message.contains(word), "{} does not name {word}", error.message);
    }
    let db: Name = "db".parse().unwrap();
    let shares = Spec { network: Network::Container(db), hostname: "db".into(), ..plain() };
    assert!(refuse::what_it_can_not_do(&shares).is_ok());
    for (spec, word) in [
        (Spec { mode: Mode::Boot, ..plain() }, "boot"),
        (Spec { hostname: "other".into(), ..plain() }, "host name"),
        (Spec { binds: vec![part], ..plain() }, "colon"),
        (Spec { user: Some("www-data".into()), ..plain() }, "user"),
        (Spec { cap_add: vec!["SYS_TIME".into()], ..plain() }, "capabilities"),
    ] {
        let error = refuse::what_it_can_not_do(&spec).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Dependency);
        assert!(error.message.contains(word), "{} does not name {word}", error.message);
    }
}

/// Where proot is not installed there is nothing to try.
fn has_proot() -> bool {
    program("proot").is_some()
}

#[test]
fn a_tree_is_held_let_go_and_killed_with_what_left_its_parent() {
    if !has_proot() {
        return;
    }
    let script = "(sleep 300 & sleep 300 &) ; exec sleep 300";
    let args = ["-r", "/", "/bin/sh", "-c", script];
    let mut child = Command::new("proot").args(args).without_statx().spawn().unwrap();
    let tree = Processes::of(child.id());
    let traced = || super::wait_for(Duration::from_secs(10), || tree.traced().len() == 3);
    assert!(traced(), "{:?}", tree.traced());
    tree.hold();
    assert!(super::wait_for(Duration::from_secs(5), || tree.are_held()));
    tree.let_go();
    assert!(super::wait_for(Duration::from_secs(5), || !tree.are_held()));
    assert!(traced());
    let left = tree.traced();
    tree.kill();
    // What it says of a killed command differs with what was killed last, so whoever killed it says it.
    assert!(child.wait().is_ok());
    // One that nobody has waited for yet is still listed.
    let ended = |pid: &u32| volt_host::process::stat(*pid).map_or(true, |stat| stat.state == 'Z');
    assert!(super::wait_for(Duration::from_secs(5), || left.iter().all(ended)), "{left:?}");
}

#[test]
fn the_root_is_a_copy_that_appears_whole() {
    let (dir, engine) = engine();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("usr/bin")).unwrap();
    std::fs::write(tree.join("usr/bin/tool"), "x").unwrap();
    let source = crate::image::Source::Path(tree);
    let name = "test".parse().unwrap();
    let image = engine.image_import(&name, source, false, &volt_store::Silent).unwrap().image;
    let spec = Spec { tree: image.tree.to_string(), command: vec!["nothing".into()], ..plain() };
    write_record(&engine, &spec);
    let path = engine.paths().container(&spec.name).join("rootfs");
    std::fs::create_dir(&path).unwrap();
    root::make(&engine, &spec).unwrap();
    std::fs::write(path.join("usr/bin/own"), "y").unwrap();
    root::make(&engine, &spec).unwrap();
    assert!(path.join("usr/bin/own").exists() && path.join("usr/bin/tool").exists());
}
