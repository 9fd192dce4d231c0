//! An engine below a temporary folder, for the tests of all folders; and what is found amiss, and mended.

use crate::{Engine, Programs, Settings};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use volt_host::systemd::FakeSystemd;
use volt_model::container::{Backend, Exit, Mode, Network, Seccomp, Spec};
use volt_model::ids::IdRange;
use volt_model::limits::Limits;
use volt_model::paths::Paths;
use volt_model::restart::Restart;

use super::{PruneOptions, findings::Mend};

/// An engine below a temporary folder, over a systemd in memory.
pub(crate) fn engine() -> (tempfile::TempDir, Engine) {
    engine_on(Arc::new(FakeSystemd::new()))
}

/// The same over this one.
pub(crate) fn engine_on(systemd: Arc<FakeSystemd>) -> (tempfile::TempDir, Engine) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        paths: Paths::below(&dir.path().join("root")),
        rootless: false,
        programs: Programs { volt: "/bin/true".into(), init: "/bin/true".into() },
        served_by: "embedded",
    };
    std::fs::create_dir_all(&settings.paths.lib).unwrap();
    std::fs::create_dir_all(&settings.paths.run).unwrap();
    let engine = Engine::with_systemd(settings, systemd);
    (dir, engine)
}

/// A container that was never started.
pub(crate) fn spec(name: &str) -> Spec {
    Spec {
        version: Spec::VERSION,
        name: name.parse().unwrap(),
        image: "debian".parse().unwrap(),
        tree: "0".repeat(64),
        backend: Backend::Systemd,
        mode: Mode::App,
        command: vec!["sleep".into(), "1".into()],
        user: None,
        workdir: None,
        hostname: name.into(),
        tty: false,
        stdin: false,
        auto_remove: false,
        network: Network::None,
        networks: vec![],
        publish: vec![],
        expose: false,
        binds: vec![],
        tmpfs: vec![],
        secrets: vec![],
        read_only: false,
        limits: Limits::default(),
        cap_add: vec![],
        cap_drop: vec![],
        seccomp: Seccomp::Default,
        restart: Restart::No,
        health: None,
        stop_signal: 15,
        stop_timeout: 10,
        ulimits: vec![],
        around: Default::default(),
        standing: Default::default(),
        group_add: Vec::new(),
        labels: BTreeMap::new(),
        ids: None,
        created: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// Writes a container's record without anything around it.
pub(crate) fn write_record(engine: &Engine, spec: &Spec) {
    std::fs::create_dir_all(engine.paths().container(&spec.name)).unwrap();
    let text = serde_json::to_vec_pretty(spec).unwrap();
    // Not by `save_spec`: a test of hundreds would wait for the disk for seconds.
    std::fs::write(engine.paths().container(&spec.name).join("config.json"), text).unwrap();
}

fn problems(engine: &Engine) -> Vec<String> {
    let found = engine.findings();
    found.iter().map(|one| format!("{}: {}", one.finding.subject, one.finding.problem)).collect()
}

fn touch(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_fresh_host_and_a_whole_container_have_no_findings() {
    let (_dir, engine) = engine();
    assert_eq!(problems(&engine), [""; 0]);
    let mut web = spec("web");
    web.ids = IdRange::new(IdRange::FIRST);
    write_record(&engine, &web);
    assert_eq!(problems(&engine).len(), 2, "unit and ids are missing: {:?}", problems(&engine));
    touch(&engine.paths().ids().join(IdRange::FIRST.to_string()), "web");
    assert!(engine.write_units(&web).unwrap());
    assert_eq!(problems(&engine), [""; 0]);
    drop(engine.volume_create(&"data".parse().unwrap(), crate::volume::Create::default()).unwrap());
    assert_eq!(problems(&engine), [""; 0]);
}

#[test]
fn what_is_no_unit_is_not_asked_for_one() {
    let (_dir, engine) = engine();
    let traced = Spec { backend: Backend::Proot, network: Network::Host, ..spec("traced") };
    write_record(&engine, &traced);
    // What a stack says of it, and what a run that was killed has left until the next one.
    let dropin = engine.dropin_dir(&traced.name).join("60-volt-stack.conf");
    touch(&dropin, "");
    touch(&engine.paths().container_run(&traced.name).join("spec"), "");
    assert_eq!(problems(&engine), [""; 0]);
    let unit = Spec { backend: Backend::ProotUnit, ..traced };
    write_record(&engine, &unit);
    assert_eq!(problems(&engine).len(), 2, "its drop-in, and its run: {:?}", problems(&engine));
    engine.container_delete(&unit.name, true).unwrap();
    assert!(!dropin.exists());
}

#[test]
fn what_a_crash_leaves_is_found_and_mended() {
    let (_dir, engine) = engine();
    let paths = engine.paths().clone();
    let unit = "volt-container@gone.service";
    touch(&paths.units.join(format!("{unit}.d/50-volt.conf")), "");
    touch(&paths.unit_links().join(unit), "");
    touch(&paths.ids().join(IdRange::FIRST.to_string()), "gone");
    touch(&paths.ids().join(".half"), "half");
    touch(&paths.run.join("containers/gone/spec"), "");
    touch(&paths.containers().join("empty/upper/x"), "");
    touch(&paths.volumes().join("lost.json"), "{}");
    touch(&paths.volumes().join("bare/_data/kept"), "");
    touch(&paths.stages().join("image-dead/x"), "");
    touch(&paths.intents().join("begun.json"), r#"{"change":"create","name":"begun"}"#);
    // Someone made the folder of images before.
    drop(engine.images().hold().unwrap());
    let mut once = spec("once");
    once.auto_remove = true;
    write_record(&engine, &once);
    let end = Exit { code: 0, reason: "exited".into(), finished: jiff::Timestamp::UNIX_EPOCH };
    engine.save_exit(&once.name, &end).unwrap();

    let found = engine.findings();
    assert!(found.iter().all(|one| one.mend != Mend::Nothing), "{found:?}");
    assert_eq!(found.len(), 11, "{:#?}", problems(&engine));
    let check = engine.system_repair().unwrap();
    assert!(check.findings.iter().all(|one| one.repaired), "{:#?}", check.findings);
    assert_eq!(problems(&engine), [""; 0]);
    assert!(
        paths.volumes().join("bare/_data/kept").exists()
            && paths.volumes().join("bare.json").exists()
    );
    assert!(!paths.containers().join("once").exists());
}

#[test]
fn what_a_command_is_busy_with_is_no_finding_and_data_is_never_removed() {
    let (_dir, engine) = engine();
    let paths = engine.paths().clone();
    touch(&paths.containers().join("broken/config.json"), "{");
    touch(&paths.containers().join("broken/upper/data"), "");
    let found = engine.findings();
    assert_eq!((found.len(), &found[0].mend), (1, &Mend::Nothing));
    assert!(!engine.system_repair().unwrap().findings.is_empty());
    assert!(paths.containers().join("broken/upper/data").exists());
    let _lock = engine.lock("workload-broken").unwrap();
    assert_eq!(problems(&engine), [""; 0]);
}

#[test]
fn snapshots_without_a_container_stay_and_what_is_none_is_moved_away() {
    let (_dir, engine) = engine();
    let cas = engine.paths().lib.join("cas");
    let record = format!(
        r#"{{"version":1,"container":"gone","name":"one","tree":"blake3:{0}","created":"2026-01-01T00:00:00Z",
            "image":"debian","entries":1,"size":0,"new":0}}"#,
        "0".repeat(64)
    );
    let orphan = cas.join("refs/snapshots/gone%2Fone.json");
    touch(&orphan, &record);
    touch(&cas.join("refs/snapshots/web%2Fbroken.json"), "{");
    let found = engine.findings();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].finding.problem.contains("volt snapshot delete gone one"), "{found:?}");
    let left = engine.system_repair().unwrap().findings;
    assert_eq!(left.iter().map(|one| one.repaired).collect::<Vec<_>>(), [false, true]);
    assert!(orphan.exists() && cas.join("quarantine/web%2Fbroken.json").exists());
    assert_eq!(engine.snapshot_list(None).unwrap().len(), 1);
    engine.snapshot_delete(&"gone".parse().unwrap(), &"one".parse().unwrap()).unwrap();
    assert_eq!(problems(&engine), [""; 0]);
}

/// It may stand on any tree, so nothing may go.
#[test]
fn a_container_whose_tree_can_t_be_told_is_not_nobody() {
    let (_dir, engine) = engine();
    let mut web = spec("web");
    web.tree = "none".into();
    write_record(&engine, &web);
    let error = engine.standing().unwrap_err().chain().join(": ");
    assert!(error.contains("web names no tree"), "{error}");
    assert!(engine.wanted_trees().is_err());
}

#[test]
fn pruning_keeps_what_is_used() {
    let (_dir, engine) = engine();
    for name in ["used", "unused"] {
        let made =
            engine.volume_create(&name.parse().unwrap(), crate::volume::Create::default()).unwrap();
        std::fs::write(made.path.join("x"), vec![1; 8192]).unwrap();
    }
    let mut web = spec("web");
    web.binds = vec!["used:/srv".parse().unwrap()];
    write_record(&engine, &web);
    touch(&engine.paths().cache.join("old"), "x");
    let mut options = PruneOptions { images: true, volumes: true, dry_run: true };
    let would = engine.system_prune(options).unwrap();
    assert_eq!(would.removed, ["volume unused", "cache old"]);
    assert!(would.freed >= 8192 && engine.volume_list().unwrap().len() == 2);
    let df = engine.system_df().unwrap();
    let volumes = df.iter().find(|usage| usage.kind == "volumes").unwrap();
    assert_eq!((volumes.count, volumes.active), (2, 1));
    assert!(volumes.reclaimable >= 8192 && volumes.size >= 2 * 8192);
    options.dry_run = false;
    assert_eq!(engine.system_prune(options).unwrap(), would);
    assert_eq!(engine.volume_list().unwrap().len(), 1);
    assert!(!engine.paths().cache.join("old").exists());
}

#[test]
fn the_host_is_described() {
    let (_dir, engine) = engine();
    write_record(&engine, &spec("web"));
    let info = engine.system_info().unwrap();
    assert!(info.memory > 0 && info.cpus > 0 && !info.kernel.is_empty() && !info.os.is_empty());
    assert_eq!((info.containers["stopped"], info.images, info.volumes), (1, 0, 0));
    assert!(!engine.system_check().unwrap().rows.is_empty());
}

#[test]
fn installed_and_removed_again() {
    use super::{InstallOptions, UninstallOptions};
    let (dir, engine) = engine();
    let root = dir.path().join("root");
    let extra = std::path::PathBuf::from("/usr/share/bash-completion/completions/volt");
    let options = InstallOptions {
        leave_stopped: true,
        dry_run: false,
        files: vec![(extra.clone(), "x".into())],
    };
    let shipped = super::shipped::files(&root, std::path::Path::new("/bin/true")).len();
    assert_eq!(engine.system_install(&options).unwrap().len(), shipped + 1);
    assert!(engine.system_install(&options).unwrap().is_empty());
    let unit = root.join("etc/systemd/system/volt-prepare@.service");
    let text = std::fs::read_to_string(&unit).unwrap();
    assert!(text.contains("ExecStart=/bin/true internal prepare"), "{text}");
    write_record(&engine, &spec("web"));
    let mut options = UninstallOptions { purge: false, dry_run: false, files: vec![extra] };
    assert_eq!(
        engine.system_uninstall(&options).unwrap_err().kind,
        volt_model::kind::ErrorKind::Conflict
    );
    assert!(unit.exists());
    options.purge = true;
    drop(engine.system_uninstall(&options).unwrap());
    assert!(!unit.exists() && !root.join("var/lib/volt").exists());
}
