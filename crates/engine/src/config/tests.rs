//! The table against the model, reading, and changing by lines.

use super::keys::KEYS;
use super::{Operator, edit, parse};
use crate::system::tests::engine;
use crate::{Engine, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};
use volt_model::config::Config;
use volt_model::kind::ErrorKind;
use volt_model::paths::Paths;

fn leaves(prefix: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                leaves(&name, value, out);
            }
        }
        _ => out.push(prefix.to_owned()),
    }
}

#[test]
fn the_table_has_every_key_once() {
    let mut all = Vec::new();
    leaves("", &parse::tree(&Config::default()), &mut all);
    let table: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    assert_eq!(table, all);
    let tree = parse::tree(&Config::default());
    for key in &KEYS {
        key.check(tree.pointer(&key.pointer()).unwrap()).unwrap();
    }
}

fn refused(text: &str) -> (String, String) {
    let error = parse::config(text).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidConfig);
    (error.chain().join(" | "), error.hint.unwrap_or_default())
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    assert_eq!(parse::config("").unwrap(), Config::default());
    assert_eq!(parse::config("# nothing\n").unwrap(), Config::default());
    let (why, hint) = refused("daemon:\n  idle_second: 3\n");
    assert!(why.ends_with("line 2, column 3: `idle_second` is no key"), "{why}");
    assert_eq!(hint, "Did you mean `idle_seconds`?");
    let (_, hint) = refused("contaner: {}\n");
    assert_eq!(hint, "Did you mean `container`?");
    let (why, _) = refused("daemon:\n  idle_seconds: soon\n");
    assert!(why.contains("line 2"), "{why}");
    let (why, _) = refused("daemon: [\n");
    assert!(why.contains("line "), "{why}");
    let (why, hint) = refused("container:\n  network: a_b\n");
    assert!(
        why.contains("container.network") && hint.contains("`none`, `host` or"),
        "{why} {hint}"
    );
    assert!(why.contains("line 2: "), "{why}");
}

#[test]
fn other_lines_stay() {
    let old = "# Ours.\ncontainer:\n  # quick\n  stop_timeout: 10  # seconds\n  dns:\n  - 192.0.2.1\n  - 192.0.2.2\n  network: host\n\n# Pictures\nimage: {}\n";
    let new = edit::set(old, ("container", "stop_timeout"), &json!(3));
    assert_eq!(new, old.replace("10  # seconds", "3  # seconds"));
    let new = edit::set(old, ("container", "dns"), &json!(["192.0.2.9"]));
    assert_eq!(new, old.replace("dns:\n  - 192.0.2.1\n  - 192.0.2.2", "dns: [\"192.0.2.9\"]"));
    let new = edit::set(old, ("container", "backend"), &json!("proot"));
    assert!(new.contains("  network: host\n  backend: proot\n\n# Pictures"), "{new}");
    let new = edit::set(old, ("daemon", "log_level"), &json!("debug"));
    assert_eq!(new, format!("{old}\ndaemon:\n  log_level: debug\n"));
    assert_eq!(
        edit::set("", ("daemon", "log_level"), &json!("debug")),
        "daemon:\n  log_level: debug\n"
    );
}

fn with_file(text: &str) -> (tempfile::TempDir, Engine) {
    let (dir, engine) = engine();
    engine.config_write(text.to_owned(), None).unwrap();
    (dir, engine)
}

#[test]
fn keys_are_changed_by_type() {
    let (_dir, engine) = with_file("container:\n  dns: [192.0.2.1]\n");
    let set = |key, operator, text| engine.config_set(key, operator, text);
    assert_eq!(
        set("container.dns", Operator::Add, "192.0.2.2").unwrap().value,
        json!(["192.0.2.1", "192.0.2.2"])
    );
    assert_eq!(
        set("container.dns", Operator::Remove, "192.0.2.1").unwrap().value,
        json!(["192.0.2.2"])
    );
    assert_eq!(set("image.max_size", Operator::Set, "1024M").unwrap().value, json!("1G"));
    assert_eq!(
        set("image.mirror", Operator::Set, "http://mirror.example/#x:{").unwrap().value,
        json!("http://mirror.example/#x:{")
    );
    assert_eq!(set("image.mirror", Operator::Set, "").unwrap().value, json!(""));
    assert_eq!(set("container.network", Operator::Set, "none").unwrap().value, json!("none"));
    for (key, operator, text, kind) in [
        ("daemon.idle_seconds", Operator::Add, "1", ErrorKind::Usage),
        ("daemon.idle_seconds", Operator::Set, "-1", ErrorKind::InvalidConfig),
        ("container.stop_timeout", Operator::Set, "4294967296", ErrorKind::InvalidConfig),
        ("daemon.log_level", Operator::Set, "loud", ErrorKind::InvalidConfig),
        ("container.dns", Operator::Add, "example", ErrorKind::InvalidConfig),
        ("image.max_size", Operator::Set, "0", ErrorKind::InvalidConfig),
        ("image.mirror", Operator::Set, "mirror", ErrorKind::InvalidConfig),
        ("container.dsn", Operator::Set, "", ErrorKind::NotFound),
    ] {
        assert_eq!(set(key, operator, text).unwrap_err().kind, kind, "{key} {text}");
    }
    assert_eq!(engine.config().unwrap().container.dns, ["192.0.2.2"]);
    assert!(engine.config_get("container.dns").unwrap().set);
    assert!(!engine.config_get("daemon.log_level").unwrap().set);
    assert_eq!(engine.config_show().unwrap().len(), KEYS.len());
}

#[test]
fn a_file_that_can_not_be_edited_by_lines_is_left_alone() {
    let text = "container: {network: host}\n";
    let (_dir, engine) = with_file(text);
    assert_eq!(
        engine.config_set("container.stop_timeout", Operator::Set, "3").unwrap_err().kind,
        ErrorKind::InvalidConfig
    );
    assert_eq!(engine.config_read().unwrap().text, text);
}

#[test]
fn errors_name_the_file() {
    let (dir, engine) = engine();
    let path = engine.paths().config();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "image:\n  max_size: 0\n").unwrap();
    let told = engine.config().unwrap_err().chain().join(": ");
    assert!(told.contains(path.to_str().unwrap()) && told.contains("line 2: "), "{told}");

    let named = Paths { config: Some(dir.path().join("no.yaml")), ..engine.paths().clone() };
    let engine = Engine::new(Settings { paths: named, ..engine.settings().clone() });
    let error = engine.config().unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidConfig);
    assert!(error.message.contains("no.yaml"), "{}", error.message);
}

#[test]
fn a_file_changed_meanwhile_is_not_overwritten() {
    let (_dir, engine) = with_file("");
    let read = engine.config_read().unwrap();
    engine.config_set("daemon.idle_seconds", Operator::Set, "5").unwrap();
    let error = engine.config_write("daemon: {}\n".into(), Some(&read.revision)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(engine.config().unwrap().daemon.idle_seconds, 5);
}

proptest! {
    #[test]
    fn any_text_survives_being_set(text in "[ -~]{0,40}", old in "(#[ -~]{0,10}\n|daemon:\n  log_level: warn\n)?") {
        let new = edit::set(&old, ("image", "mirror"), &json!(text));
        prop_assert_eq!(&parse::said(&new)["image"]["mirror"], &json!(text));
    }

    #[test]
    fn never_panics(text in "\\PC{0,60}") {
        drop(parse::config(&text));
        drop(edit::set(&text, ("container", "dns"), &json!([])));
    }
}
