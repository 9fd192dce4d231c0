//! Whatever is sent, what comes back is HTTP, and the server goes on. Over the real engine on an empty root.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as tests do")]

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use volt_api::Shape;
use volt_api::operations::OPERATIONS;
use volt_daemon::installation::Installation;
use volt_daemon::peer::Peer;
use volt_daemon::server::Server;
use volt_engine::{Engine, Programs};
use volt_model::paths::Paths;

fn server(root: &std::path::Path) -> Server<Engine> {
    let programs = Programs { volt: "/usr/bin/volt".into(), init: "/usr/lib/volt/init".into() };
    Installation { paths: Paths::below(root), rootless: false, programs }.server(0, "daemon")
}

fn peer(uid: u32) -> Peer {
    let name = uid.to_string();
    Peer { uid, gid: uid, groups: vec![], name, member: false, reads_journal: false }
}

#[derive(Clone, Copy)]
struct Caller {
    uid: u32,
    /// Whether it says that nothing more comes, so that half a request is not waited for.
    hangs_up: bool,
}

const ROOT: Caller = Caller { uid: 0, hangs_up: false };

/// The status of the answer to `request`; none where there was none in time, as for a log that is followed.
async fn status(server: &Server<Engine>, caller: Caller, request: Vec<u8>) -> Option<u16> {
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let (server, stop) = (server.clone(), CancellationToken::new());
    let serving = tokio::spawn(async move {
        server.serve_connection(theirs, peer(caller.uid), stop).await;
    });
    drop(ours.write_all(&request).await);
    if caller.hangs_up {
        drop(ours.shutdown().await);
    }
    let mut answer = Vec::new();
    let read = ours.read_to_end(&mut answer);
    drop(tokio::time::timeout(Duration::from_secs(5), read).await);
    drop(ours);
    tokio::time::timeout(Duration::from_secs(5), serving).await.unwrap().unwrap();
    if answer.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(&answer);
    let code = text
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..))
        .and_then(|rest| rest.get(..3))
        .map(str::parse);
    Some(code.unwrap_or_else(|| panic!("no HTTP: {text}")).unwrap())
}

fn run(cases: u32, caller: Caller, strategy: impl Strategy<Value = Vec<u8>>) -> Vec<u16> {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let runtime = Runtime::new().unwrap();
    let mut seen = std::cell::RefCell::new(Vec::new());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |request| {
        let shown = String::from_utf8_lossy(&request).into_owned();
        let code = runtime.block_on(status(&server, caller, request));
        prop_assert_ne!(code, Some(500), "{}", shown);
        seen.borrow_mut().extend(code);
        Ok(())
    });
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
    let version = b"GET /api/v1/system/version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(runtime.block_on(status(&server, ROOT, version.to_vec())), Some(200));
    std::mem::take(seen.get_mut())
}

fn request(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A word for a placeholder, a query or a body: mostly harmless, sometimes encoded, broken or long.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[a-z0-9._%/-]{0,12}",
        "(%[0-9a-fA-F]{2}){1,6}",
        Just("..%2F..%2Fetc".to_owned()),
        Just("%00".to_owned()),
        Just("x".repeat(5000)),
    ]
}

fn json() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![Just("name".to_owned()), Just("labels".to_owned()), "[a-z_]{1,10}"];
    let value = prop_oneof![
        "[a-z]{0,6}".prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
        Just(serde_json::json!({"a": "b"})),
        Just(serde_json::json!(["a", 1])),
    ];
    let object = proptest::collection::vec((key, value), 0..4)
        .prop_map(|all| serde_json::Value::Object(all.into_iter().collect()).to_string());
    prop_oneof![object.prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..200),]
}

/// A request of the table with everything that can vary in it varied. What changes more than the root is left out.
fn of_the_table() -> impl Strategy<Value = Vec<u8>> {
    let safe = |id: &str| {
        ![
            "system_prune",
            "system_repair",
            "image_pull",
            "image_push",
            "registry_login",
            "cas_push",
            "cas_pull",
            "secret_create",
        ]
        .contains(&id)
    };
    let rows: Vec<_> =
        OPERATIONS.iter().filter(|o| safe(o.id) && o.shape != Shape::Events).collect();
    let row = proptest::sample::select(rows);
    let query = proptest::collection::vec(("[a-z_]{1,9}", word()), 0..3);
    (row, word(), query, json()).prop_map(|(row, word, query, body)| {
        let mut path = row.path.to_owned();
        while let Some((from, rest)) = path.split_once('{') {
            let (_, rest) = rest.split_once('}').unwrap();
            path = format!("{from}{word}{rest}");
        }
        let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let target = if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) };
        request(row.method, &target, &body)
    })
}

#[test]
fn any_bytes() {
    let bytes = proptest::collection::vec(any::<u8>(), 0..400);
    let line = "(GET|POST|PUT|DELETE|FOO) [!-~]{1,60} HTTP/1.[019]\r\n([a-z-]{1,12}: [ -~]{0,20}\r\n){0,4}\r\n";
    let text = line.prop_map(String::into_bytes);
    run(500, Caller { hangs_up: true, ..ROOT }, prop_oneof![bytes, text]);
}

#[test]
fn any_parameters_and_bodies() {
    let seen = run(1500, ROOT, of_the_table());
    for expected in [200, 400, 404] {
        assert!(seen.contains(&expected), "no {expected} among {} answers", seen.len());
    }
}

#[test]
fn a_stranger_changes_nothing_whatever_is_sent() {
    let changing = of_the_table().prop_filter("it changes something", |request| {
        !request.starts_with(b"GET ") && !request.windows(6).any(|w| w == b"/wait ")
    });
    let seen = run(500, Caller { uid: 1000, ..ROOT }, changing);
    let allowed = |code: &u16| [400, 403, 404, 414, 431].contains(code);
    assert!(seen.iter().all(allowed) && seen.contains(&403), "{seen:?}");
}
