//! A server over handlers that only pretend, and clients of it with whatever credentials a test wants.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as tests do")]
#![expect(clippy::needless_pass_by_value, reason = "the signatures are those of handlers")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;
use volt_api::Problem;
use volt_api::client::{Client, Connection};
use volt_api::operations::*;
use volt_api::types::*;
use volt_daemon::audit::{Audit, Filter, Record, tail};
use volt_daemon::auth::Access;
use volt_daemon::peer::Peer;
use volt_daemon::router::{Cx, Failure, Router, Routes, Shared};
use volt_daemon::server::Server;
use volt_model::frame::Frame;
use volt_model::kind::ErrorKind;

/// What the handlers saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub volumes: Mutex<Vec<String>>,
    pub lines: AtomicUsize,
    pub ended: AtomicBool,
    pub uploaded: Mutex<Option<Result<usize, String>>>,
}

type State = Arc<Seen>;

pub struct House {
    pub seen: State,
    pub server: Server<State>,
    pub dir: tempfile::TempDir,
}

pub fn peer(uid: u32, member: bool) -> Peer {
    Peer { uid, gid: uid, groups: vec![], name: format!("user{uid}"), member, reads_journal: false }
}

impl House {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::new(dir.path().join("audit.log"), None);
        let shared = Arc::new(Shared::new(Access::System, audit));
        let seen = State::default();
        let server = Server::new(Router::new(routes(), seen.clone(), shared));
        Self { seen, server, dir }
    }

    pub fn pipe(&self, peer: Peer) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let server = self.server.clone();
        tokio::spawn(async move {
            server.serve_connection(theirs, peer, CancellationToken::new()).await;
        });
        ours
    }

    pub fn client(&self, peer: Peer) -> Client {
        let server = self.server.clone();
        Client::new(Arc::new(move || {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let (server, peer) = (server.clone(), peer.clone());
            tokio::spawn(async move {
                server.serve_connection(theirs, peer, CancellationToken::new()).await;
            });
            Box::pin(async { Ok(Box::new(ours) as Box<dyn Connection>) })
        }))
    }

    pub fn audit_path(&self) -> PathBuf {
        self.dir.path().join("audit.log")
    }

    pub fn trail(&self) -> Vec<Record> {
        tail(&self.audit_path(), &Filter::default()).unwrap()
    }

    pub async fn eventually(&self, what: &str, check: impl Fn(&Self) -> bool) {
        for _ in 0..200 {
            if check(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never: {what}");
    }

    pub fn ended(&self) -> bool {
        self.seen.ended.load(Ordering::SeqCst)
    }
}

pub fn routes() -> Routes<State> {
    Routes::new()
        .plain::<VolumeCreateOp>(volume_create)
        .plain::<SystemVersionOp>(|_, _, _| Ok(Version { version: "1".into(), api: "v1".into() }))
        .plain::<SystemPruneOp>(|_, _, body| {
            Ok(Pruned { removed: vec![format!("images={}", body.images)], freed: 0 })
        })
        .plain::<ContainerWaitOp>(|cx, _, _| {
            let gone = cx.gone();
            while !gone.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            cx.state.ended.store(true, Ordering::SeqCst);
            Err(Problem::new(ErrorKind::Interrupted, "gone").into())
        })
        .progress::<ImagePullOp>(|_, _, pull, report| {
            if pull.image == "none" {
                return Err(Problem::new(ErrorKind::NotFound, "There is no such image").into());
            }
            report.step("Fetching");
            report.bytes(10, Some(10));
            std::thread::sleep(Duration::from_millis(300));
            report.warning("It is old");
            if pull.image == "half" {
                return Err(Problem::new(ErrorKind::Network, "It broke off").into());
            }
            Ok(image(&pull.image))
        })
        .upload_progress::<ImageImportOp>(|cx, params, mut body, report| {
            if params.image == "refused" {
                cx.require_root("this import")?;
            }
            report.step("Unpacking");
            let read = read_all(&mut body);
            let failed = read.is_err();
            *cx.state.uploaded.lock().unwrap() = Some(read);
            if failed {
                return Err(Problem::new(ErrorKind::Usage, "The archive broke off").into());
            }
            Ok(image(&params.image))
        })
        .upload::<ContainerCopyInOp>(|cx, params, mut body| {
            if params.path == "/none" {
                return Err(Problem::new(ErrorKind::NotFound, "There is no such folder").into());
            }
            *cx.state.uploaded.lock().unwrap() = Some(read_all(&mut body));
            Ok(Nothing {})
        })
        .download::<ContainerExportOp>(download)
        .lines::<WorkloadLogsOp>(|cx, params, each| {
            let count = params.lines.unwrap_or(u64::MAX);
            let mut n = 0;
            while n < count && each(line(n)) {
                n += 1;
                cx.state.lines.fetch_add(1, Ordering::SeqCst);
                if params.follow {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            cx.state.ended.store(true, Ordering::SeqCst);
            if params.name == "broken" {
                return Err(Problem::new(ErrorKind::Network, "The journal is broken").into());
            }
            Ok(())
        })
        .events::<EventStreamOp>(|cx, _, each| {
            let gone = cx.gone();
            each(event());
            while !gone.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            cx.state.ended.store(true, Ordering::SeqCst);
            Ok(())
        })
        .stream::<ContainerAttachOp>(|_, params| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            std::thread::spawn(move || echo(theirs, params.name == "mute"));
            Ok(ours)
        })
}

fn volume_create(cx: &Cx<State>, _: Nothing, body: VolumeCreate) -> Result<Volume, Failure> {
    cx.doing("Making the folder");
    match body.name.as_str() {
        "panics" => panic!("as the test wants it"),
        "root-only" => cx.require_root("this volume")?,
        "slow" => std::thread::sleep(Duration::from_millis(500)),
        _ => {}
    }
    cx.state.volumes.lock().unwrap().push(body.name.clone());
    Ok(Volume {
        name: body.name,
        created: String::new(),
        path: if cx.sees_secrets() { "/secret".into() } else { String::new() },
        size: None,
        used_by: vec![],
        driver: "local".into(),
        options: std::collections::BTreeMap::new(),
        labels: body.labels,
    })
}

fn download(_: &Cx<State>, params: Named, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::from(Problem::new(ErrorKind::General, e.to_string()));
    if params.name == "none" {
        return Err(Problem::new(ErrorKind::NotFound, "There is no such container").into());
    }
    out.write_all(&vec![7; 300_000]).map_err(failed)?;
    if params.name == "half" {
        out.flush().map_err(failed)?;
        return Err(Problem::new(ErrorKind::General, "The disk is broken").into());
    }
    Ok(())
}

/// What a relay does: it returns input as output, and ends with an exit code when input ends.
fn echo(mut socket: UnixStream, mute: bool) {
    let mut decoder = volt_model::frame::Decoder::new();
    let mut buffer = [0; 4096];
    loop {
        let n = socket.read(&mut buffer).unwrap_or(0);
        if n == 0 {
            return;
        }
        decoder.push(&buffer[..n]);
        while let Ok(Some(frame)) = decoder.next_frame() {
            match frame {
                Frame::Stdin(bytes) if bytes.is_empty() => {
                    drop(socket.write_all(&Frame::Exit(3).encode()));
                    // A relay that stays must not keep the stream open.
                    std::thread::sleep(Duration::from_secs(30));
                }
                Frame::Stdin(bytes) if !mute => {
                    drop(socket.write_all(&Frame::Stdout(bytes).encode()));
                }
                _ => {}
            }
        }
    }
}

fn read_all(body: &mut dyn Read) -> Result<usize, String> {
    let mut all = Vec::new();
    body.read_to_end(&mut all).map_err(|e| e.to_string())
}

fn line(n: u64) -> LogLine {
    LogLine {
        time: String::new(),
        stream: "stdout".into(),
        priority: 6,
        identifier: "web".into(),
        message: format!("line {n}"),
    }
}

fn event() -> Event {
    Event {
        id: 1,
        time: String::new(),
        kind: "container".into(),
        name: "web".into(),
        action: "started".into(),
        details: BTreeMap::new(),
    }
}

fn image(name: &str) -> Image {
    Image {
        tree: format!("blake3:{}", "0".repeat(64)),
        name: format!("{name}:latest"),
        created: String::new(),
        size: 1,
        entries: 1,
        architecture: String::new(),
        os: String::new(),
        source: String::new(),
        entrypoint: vec![],
        command: vec![],
        env: vec![],
        user: None,
        workdir: None,
        stop_signal: None,
        volumes: Vec::new(),
        exposed_ports: Vec::new(),
        labels: BTreeMap::new(),
        healthcheck: None,
        boot: false,
        neutralised: vec![],
        used_by: vec![],
        snapshots: Vec::new(),
    }
}
