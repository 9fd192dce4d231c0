//! Whole commands against a server of few words: what is asked, in which order, and how it ends.

use crate::testing::{Reply, json, not_found, run};
use serde_json::{Value, json as value};
use std::sync::atomic::{AtomicBool, Ordering};
use volt_api::Problem;
use volt_model::frame::Frame;
use volt_model::kind::ErrorKind;

fn container(name: &str) -> Value {
    value!({
        "name": name, "state": "running", "image": "debian", "backend": "systemd", "mode": "app",
        "command": ["true"], "created": "2026-01-02T00:00:00Z", "network": "none", "hostname": name,
        "tty": false, "stdin": false, "auto_remove": true, "read_only": false, "volumes": [], "tmpfs": [],
        "limits": {}, "capabilities": [], "seccomp": "default", "restart": "no", "stop_signal": "TERM",
        "stop_timeout": 10, "ulimits": [], "labels": {},
    })
}

fn image() -> Value {
    value!({
        "name": "debian:latest", "created": "2026-01-02T00:00:00Z", "tree": "blake3:00", "size": 1, "entries": 1, "architecture": "amd64",
        "os": "Debian", "source": "x", "entrypoint": [], "command": [], "env": [], "boot": false,
    })
}

fn lines(asked: &[(String, Vec<u8>)]) -> Vec<&str> {
    asked.iter().map(|(line, _)| line.as_str()).collect()
}

/// A small archive with one folder and one file.
fn archive(folder: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o755);
    builder.append_data(&mut header, folder, std::io::empty()).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    builder.append_data(&mut header, format!("{folder}/a"), &b"hello"[..]).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn run_pulls_what_is_missing_and_ends_as_the_command_does() {
    let pulled = AtomicBool::new(false);
    let (outcome, asked) = run(&["run", "--rm", "debian", "false"], move |line| match line {
        "POST /api/v1/containers" if pulled.load(Ordering::Relaxed) => json(&container("debian")),
        "POST /api/v1/images/pull" => {
            pulled.store(true, Ordering::Relaxed);
            let steps = format!("{{\"step\":\"Unpacking\"}}\n{}\n", value!({ "done": image() }));
            Reply::Body(steps.into_bytes())
        }
        "POST /api/v1/containers/debian/attach?start=true" => {
            let frames = [Frame::Stderr(b"no\n".to_vec()), Frame::Exit(3)];
            Reply::Stream(frames.iter().flat_map(Frame::encode).collect())
        }
        "DELETE /api/v1/containers/debian?force=true" => json(&value!({})),
        _ => not_found(),
    });
    assert_eq!(format!("{:?}", outcome.unwrap()), format!("{:?}", crate::output::Output::exit(3)));
    assert_eq!(
        lines(&asked),
        [
            "POST /api/v1/containers",
            "GET /api/v1/images/inspect?image=debian",
            "POST /api/v1/images/pull",
            "POST /api/v1/containers",
            "POST /api/v1/containers/debian/attach?start=true",
            "DELETE /api/v1/containers/debian?force=true",
        ]
    );
    let create: Value = serde_json::from_slice(&asked[0].1).unwrap();
    assert_eq!((&create["image"], &create["command"]), (&value!("debian"), &value!(["false"])));
}

#[test]
fn a_problem_in_the_stream_is_the_commands() {
    let (outcome, asked) = run(&["exec", "-e", "A=1", "web", "ls", "-l"], |_| {
        let problem = Problem::new(ErrorKind::Conflict, "It ended meanwhile");
        Reply::Stream(Frame::Error(serde_json::to_string(&problem).unwrap()).encode())
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
    let expected =
        "POST /api/v1/containers/web/exec?command=%5B%22ls%22%2C%22-l%22%5D&env=%5B%22A%3D1%22%5D";
    assert_eq!(lines(&asked), [expected]);
}

#[test]
fn of_several_names_all_are_tried_and_all_failures_told() {
    let (outcome, asked) = run(&["start", "a", "b", "c", "a"], |line| match line {
        "POST /api/v1/containers/b/start" => json(&container("b")),
        _ => not_found(),
    });
    assert_eq!(asked.len(), 3, "a name given twice is one");
    let shown = format!("{:?}", outcome.unwrap());
    assert_eq!(shown.matches("There is none").count(), 2, "{shown}");
}

#[test]
fn copies_out_land_as_named() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("here");
    let (outcome, asked) =
        run(&["cp", "web:/srv/site", to.to_str().unwrap()], |_| Reply::Body(archive("site")));
    outcome.unwrap();
    assert_eq!(lines(&asked), ["GET /api/v1/containers/web/files?path=%2Fsrv%2Fsite"]);
    assert_eq!(std::fs::read_to_string(to.join("a")).unwrap(), "hello");
}

#[test]
fn a_hostile_archive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (outcome, _) = run(&["cp", "web:/srv/x", folder.path().to_str().unwrap()], |_| {
        let mut bytes = archive("x");
        let name = b"../x\0";
        bytes[..name.len()].copy_from_slice(name);
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&bytes[..512]);
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        Reply::Body(bytes)
    });
    let problem = outcome.unwrap_err();
    assert!(problem.to_string().contains("../x"), "{problem}");
}

#[test]
fn copies_in_go_into_a_folder_that_a_link_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("f");
    std::fs::write(&from, "content").unwrap();
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_link_name("../run").unwrap();
    link.set_size(0);
    let link = link.as_bytes().to_vec();
    let (outcome, asked) =
        run(&["cp", from.to_str().unwrap(), "web:/var/run"], move |line| match line {
            "GET /api/v1/containers/web/files?path=%2Fvar%2Frun" => {
                Reply::Body([link.clone(), vec![0; 1024]].concat())
            }
            "GET /api/v1/containers/web/files?path=%2Frun" => Reply::Body(archive("run")),
            _ => json(&value!({})),
        });
    outcome.unwrap();
    let (line, body) = asked.last().unwrap();
    assert_eq!(line, "PUT /api/v1/containers/web/files?path=%2Fvar%2Frun");
    let mut sent = tar::Archive::new(&body[..]);
    let entry = sent.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(entry.path().unwrap().to_str(), Some("f"));
}

#[test]
fn a_copy_to_a_path_that_is_not_there_gives_the_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "content").unwrap();
    let contents = format!("{}/.", folder.path().display());
    let (outcome, asked) = run(&["cp", &contents, "web:/srv/new"], |line| match line {
        "GET /api/v1/containers/web" => json(&container("web")),
        _ if line.starts_with("PUT") => json(&value!({})),
        _ => not_found(),
    });
    outcome.unwrap();
    let (line, body) = asked.last().unwrap();
    assert_eq!(line, "PUT /api/v1/containers/web/files?path=%2Fsrv");
    let mut sent = tar::Archive::new(&body[..]);
    let names: Vec<_> =
        sent.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
    assert_eq!(names, [std::path::Path::new("new"), std::path::Path::new("new/a")]);
}

#[test]
fn up_gets_what_is_missing_and_sends_one_document() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("compose.yaml");
    let text = "name: shop\nservices:\n  web: {image: debian, depends_on: [db], configs: [one]}\n  db: {image: other}\nconfigs: {one: {file: ./one.txt}}\n";
    std::fs::write(&file, text).unwrap();
    std::fs::write(dir.path().join("one.txt"), "content").unwrap();
    let words = ["compose", "-f", file.to_str().unwrap(), "up", "-d", "--scale", "db=2", "web"];
    let plan = value!({ "name": "shop", "steps": [], "notes": [] });
    let (outcome, asked) = run(&words, move |line| match line {
        "GET /api/v1/images" => json(&value!([image()])),
        "POST /api/v1/images/pull" => {
            Reply::Body(format!("{}\n", value!({ "done": image() })).into_bytes())
        }
        "POST /api/v1/stacks/shop/plan" => json(&plan),
        "POST /api/v1/stacks/shop/up" => {
            Reply::Body(format!("{}\n", value!({ "done": plan })).into_bytes())
        }
        _ => not_found(),
    });
    outcome.unwrap();
    assert_eq!(
        lines(&asked),
        [
            "GET /api/v1/images",
            "POST /api/v1/stacks/shop/plan",
            "POST /api/v1/images/pull",
            "POST /api/v1/stacks/shop/up"
        ]
    );
    let planned: Value = serde_json::from_slice(&asked[1].1).unwrap();
    assert_eq!(planned["images_later"], true);
    let pulled: Value = serde_json::from_slice(&asked[2].1).unwrap();
    assert_eq!(pulled["image"], "other");
    let up: Value = serde_json::from_slice(&asked[3].1).unwrap();
    assert_eq!(up["services"], value!(["web"]));
    let document = up["document"].as_str().unwrap();
    assert!(document.contains("scale: 2") && document.contains("content: content"), "{document}");
}

#[test]
fn a_stack_that_is_wrong_asks_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("compose.yaml");
    std::fs::write(&file, "services:\n  web: {imgae: x}\n").unwrap();
    let (outcome, asked) =
        run(&["compose", "-f", file.to_str().unwrap(), "up", "-d"], |_| not_found());
    let problem = outcome.unwrap_err();
    assert_eq!(problem.kind(), ErrorKind::InvalidConfig);
    assert!(problem.to_string().contains("compose.yaml:2:9: "), "{problem}");
    assert!(asked.is_empty());
}
