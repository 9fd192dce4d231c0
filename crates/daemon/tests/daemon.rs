//! The daemon as a process: its socket, its signals, its end. The process is this very test program, called again.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as tests do")]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use volt_daemon::embedded::Embedded;
use volt_daemon::installation::Installation;
use volt_daemon::run::{DaemonArgs, run};
use volt_engine::Programs;
use volt_model::paths::Paths;

/// The root of the daemon that this process is to be.
const ROOT: &str = "VOLT_TEST_DAEMON_ROOT";
/// How long it is to stay, in milliseconds.
const IDLE: &str = "VOLT_TEST_DAEMON_IDLE";
const ENTRY: &str = "the_process_that_is_the_daemon";

fn installation(root: &Path) -> Installation {
    let programs = Programs { volt: "/usr/bin/volt".into(), init: "/usr/lib/volt/init".into() };
    Installation { paths: Paths::below(root), rootless: false, programs }
}

/// No test: what the others start.
#[expect(clippy::exit, reason = "the daemon's exit code is what the others look at")]
#[test]
fn the_process_that_is_the_daemon() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let idle = std::env::var_os(IDLE).map(|ms| ms.to_str().unwrap().parse().unwrap());
    let code = run(&DaemonArgs {
        installation: installation(&PathBuf::from(root)),
        idle: idle.map(Duration::from_millis),
        debug: false,
    });
    std::process::exit(i32::from(code != ExitCode::SUCCESS) * 9);
}

#[expect(clippy::disallowed_methods, reason = "the daemon under test is a process of its own")]
fn program(path: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(path)
}

fn daemon_command(root: &Path) -> Command {
    let mut command = program(std::env::current_exe().unwrap());
    command.args(["--exact", ENTRY, "--nocapture"]).env(ROOT, root);
    command
}

struct Daemon {
    child: Child,
    dir: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let child = daemon_command(dir.path()).stderr(Stdio::null()).stdout(Stdio::null()).spawn();
        let daemon = Self { child: child.unwrap(), dir };
        daemon.eventually("it listens", |d| UnixStream::connect(d.socket()).is_ok());
        daemon
    }

    fn paths(&self) -> Paths {
        Paths::below(self.dir.path())
    }

    fn socket(&self) -> PathBuf {
        self.paths().socket()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.paths().log.join("daemon.log")).unwrap_or_default()
    }

    fn trail(&self) -> String {
        std::fs::read_to_string(self.paths().audit()).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    fn eventually(&self, what: &str, check: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !check(self) {
            assert!(began.elapsed() < Duration::from_secs(15), "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How it ended.
    fn end(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it does not end\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn ask(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn it_serves_changes_settings_and_ends_on_a_signal() {
    let mut daemon = Daemon::start();
    let version = ask(&daemon.socket(), &get("/api/v1/system/version"));
    assert!(version.starts_with("HTTP/1.1 200 ") && version.contains(r#""api":"v1""#), "{version}");
    let made = ask(&daemon.socket(), &post("/api/v1/volumes", r#"{"name":"data"}"#));
    assert!(made.starts_with("HTTP/1.1 200 "), "{made}");
    assert!(
        daemon.trail().contains(r#""action":"volume.create","resource":"data","result":"success""#)
    );
    let listed = ask(&daemon.socket(), &get("/api/v1/audit?lines=1"));
    assert!(listed.contains(r#""action":"volume.create""#), "{listed}");
    let mode = std::fs::metadata(daemon.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);

    daemon.signal(Signal::USR1);
    daemon.eventually("it tells what runs", |d| d.log().contains("0 operations under way"));
    std::fs::create_dir_all(&daemon.paths().etc).unwrap();
    std::fs::write(daemon.paths().config(), "daemon:\n  log_level: nonsense\n  idle: x\n").unwrap();
    daemon.signal(Signal::HUP);
    daemon.eventually("a wrong file changes nothing", |d| d.log().contains("stays as it was"));
    std::fs::write(daemon.paths().config(), "daemon:\n  log_level: debug\n").unwrap();
    daemon.signal(Signal::HUP);
    daemon.eventually("it reads anew", |d| d.log().contains("was read again"));
    std::fs::rename(daemon.paths().log.join("daemon.log"), daemon.dir.path().join("old")).unwrap();
    daemon.signal(Signal::USR2);
    daemon.eventually("it logs anew", |d| d.log().contains("opened anew"));

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), Some(0));
    assert!(!daemon.socket().exists() && !daemon.paths().run.join("volt.pid").exists());
}

#[test]
fn there_is_one_daemon_at_a_time() {
    let daemon = Daemon::start();
    let second = daemon_command(daemon.dir.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(9));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains("serves") || told.contains("runs already"), "{told}");
    assert!(ask(&daemon.socket(), &get("/api/v1/system/version")).contains("200 OK"));
}

#[test]
fn what_a_dead_daemon_left_is_in_nobodys_way() {
    let mut daemon = Daemon::start();
    daemon.signal(Signal::KILL);
    daemon.end();
    assert!(daemon.socket().exists(), "a killed daemon can't tidy up");
    daemon.child = daemon_command(daemon.dir.path()).stderr(Stdio::null()).spawn().unwrap();
    daemon.eventually("another one serves", |d| UnixStream::connect(d.socket()).is_ok());
}

/// Follows the events of `daemon`, and returns when it is being told them.
fn follow(daemon: &Daemon) -> BufReader<UnixStream> {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.write_all(get("/api/v1/events").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "no head");
    }
    reader
}

#[test]
fn open_streams_end_in_order_when_it_is_told_to_go() {
    let mut daemon = Daemon::start();
    let mut events = follow(&daemon);
    daemon.signal(Signal::USR1);
    daemon.eventually("the stream runs", |d| d.log().contains("event_stream"));
    daemon.signal(Signal::INT);
    let began = Instant::now();
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    // The chunk that ends an answer in order.
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
    assert_eq!(daemon.end(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_running_operation_may_end_before_the_daemon_does() {
    let mut daemon = Daemon::start();
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    let head = "POST /api/v1/images/import?image=base HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-length: 1024\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&[0; 512]).unwrap();
    daemon.eventually("it runs", |d| {
        d.signal(Signal::USR1);
        d.log().contains("image_import base for root (0)")
    });
    daemon.signal(Signal::TERM);
    daemon.eventually("it was told", |d| d.log().contains("SIGTERM"));
    let refused = UnixStream::connect(daemon.socket());
    std::thread::sleep(Duration::from_millis(300));
    assert!(daemon.child.try_wait().unwrap().is_none(), "it did not wait");
    stream.write_all(&[0; 512]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 ") && answer.ends_with("0\r\n\r\n"), "{answer}");
    assert!(daemon.trail().contains(r#""action":"image.import","resource":"base"#));
    assert_eq!(daemon.end(), Some(0));
    drop(refused);
}

#[test]
fn it_leaves_when_nothing_is_left_to_do_and_stays_while_something_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut child =
        daemon_command(dir.path()).env(IDLE, "600").stderr(Stdio::null()).spawn().unwrap();
    let daemon = loop {
        // Whoever connects asks nothing, so it does not count.
        if UnixStream::connect(Paths::below(dir.path()).socket()).is_ok() {
            break Daemon { child, dir };
        }
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut daemon = daemon;
    let events = follow(&daemon);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(daemon.child.try_wait().unwrap().is_none(), "it left somebody who listens");
    let freed = Instant::now();
    drop(events);
    assert_eq!(daemon.end(), Some(0));
    assert!(freed.elapsed() > Duration::from_millis(500), "it left too early");
}

#[test]
fn systemd_may_hand_over_the_socket() {
    let activate = Path::new("/usr/bin/systemd-socket-activate");
    if !activate.exists() {
        println!("SKIPPED: systemd-socket-activate is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("given.sock");
    let exe = std::env::current_exe().unwrap();
    let mut command = program(activate);
    command
        .arg(format!("--listen={}", socket.display()))
        .args(["-E", ROOT, "-E", IDLE])
        .arg(exe)
        .args(["--exact", ENTRY, "--nocapture"])
        .env(ROOT, dir.path())
        .env(IDLE, "2000");
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut daemon = Daemon { child, dir };
    // The file is there a moment before anybody listens.
    daemon.eventually("it listens", |_| UnixStream::connect(&socket).is_ok());
    let answer = ask(&socket, &get("/api/v1/system/version"));
    assert!(answer.contains("200 OK"), "{answer}");
    assert!(!daemon.socket().exists(), "it made a socket of its own");
    assert_eq!(daemon.end(), Some(0));
    assert!(socket.exists(), "the socket is systemd's");
}

#[test]
fn another_user_reads_and_is_refused_the_rest() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root, to be another user");
        return;
    }
    let daemon = Daemon::start();
    let as_nobody = |request: &str| {
        let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                      s.sendall(sys.argv[2].encode())\nb=b''\nwhile d:=s.recv(65536): b+=d\n\
                      sys.stdout.buffer.write(b)";
        let mut command = program("python3");
        command.args(["-c", script]).arg(daemon.socket()).arg(request).current_dir("/");
        command.uid(65534).gid(65534);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let read = as_nobody(&get("/api/v1/volumes"));
    assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
    let refused = as_nobody(&post("/api/v1/volumes", r#"{"name":"data"}"#));
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    assert!(refused.contains("sudo usermod -aG volt nobody"), "{refused}");
    let trail = daemon.trail();
    assert!(trail.contains(r#""user":"nobody","uid":65534,"action":"volume.create""#), "{trail}");
    assert!(trail.contains(r#""result":"refused""#), "{trail}");
    let journal = as_nobody(&get("/api/v1/workloads/ssh.service/logs?lines=1"));
    assert!(journal.starts_with("HTTP/1.1 403 "), "{journal}");
}

#[tokio::test]
async fn the_same_is_served_inside_a_process() {
    use volt_api::client::Client;
    use volt_api::operations::{SystemVersionOp, VolumeCreateOp, VolumeInspectOp};
    use volt_api::types::{Named, Nothing, VolumeCreate};
    let dir = tempfile::tempdir().unwrap();
    let embedded = Embedded::new(&installation(dir.path())).unwrap();
    let server = embedded.clone();
    let client = Client::new(std::sync::Arc::new(move || {
        let connection = server.connect();
        Box::pin(async { Ok(connection) })
    }));
    let version = client.call::<SystemVersionOp>(&Nothing {}, &Nothing {}).await.unwrap();
    assert_eq!(version.api, "v1");
    let body = VolumeCreate { name: "data".into(), ..VolumeCreate::default() };
    client.call::<VolumeCreateOp>(&Nothing {}, &body).await.unwrap();
    let named = Named { name: "data".into() };
    let volume = client.call::<VolumeInspectOp>(&named, &Nothing {}).await.unwrap();
    assert!(volume.path.starts_with(dir.path().to_str().unwrap()));
    embedded.finish().await;
    let trail = std::fs::read_to_string(Paths::below(dir.path()).audit()).unwrap();
    assert_eq!(trail.lines().count(), 1);
}
