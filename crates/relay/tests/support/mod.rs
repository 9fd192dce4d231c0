//! Runs the built relay beside a journal and a systemd that the test plays.
#![expect(clippy::disallowed_methods, reason = "tests start the program they prove by themselves")]
#![expect(clippy::unwrap_used, reason = "a helper of tests: what fails here fails the test")]
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use volt_model::frame::{Decoder, Frame};
use volt_model::initspec::InitSpec;

const PATIENCE: Duration = Duration::from_secs(30);
const BACKLOG: usize = 200_000;

/// Like nspawn: gives its standard input to PID 1, passes SIGTERM on, ends with PID 1's code.
const STAND_IN: &str = r#"
exec 3<&0
setpriv --pdeathsig KILL unshare --pid --mount --ipc --fork --kill-child --mount-proc -- sh -c '
    set -e
    mount -t tmpfs none /run
    mkdir /run/.volt
    cp "$1" /run/.volt/spec
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts /dev/pts
    mount --bind /dev/pts/ptmx /dev/ptmx
    exec "$2"' sh "$1" "$2" <&3 3<&- &
pid=$!
exec 3<&-
trap 'kill -TERM $(cat /proc/$pid/task/$pid/children)' TERM
while kill -0 $pid 2>/dev/null; do wait $pid; code=$?; done
exit $code
"#;

/// The built init, beside the built relay.
fn init() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_volt-relay")).parent().unwrap().parent().unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "volt-init", "--bin", "volt-init", "--target-dir"])
        .arg(target)
        .status();
    assert!(status.unwrap().success());
    target.join("debug/volt-init")
}

/// A relay around the init with this spec.
pub(crate) fn run(options: &[&str], spec: &InitSpec) -> Relay {
    run_beside(BACKLOG, options, spec)
}

/// The same beside a journal that takes no more than this many lines before the test has read some.
pub(crate) fn run_beside(backlog: usize, options: &[&str], spec: &InitSpec) -> Relay {
    let init = init().to_str().unwrap().to_owned();
    let bytes = spec.render().unwrap();
    Relay::start_beside(backlog, &[&["--mode", "app"], options].concat(), |run_dir| {
        let path = run_dir.parent().unwrap().join("spec");
        std::fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap().to_owned();
        ["/bin/sh", "-c", STAND_IN, "sh", &path, &init].map(str::to_owned).to_vec()
    })
}

/// A spec for a script.
pub(crate) fn shell(script: &str) -> InitSpec {
    InitSpec::new(["/bin/sh", "-c", script].map(str::to_owned).to_vec())
}

/// A relay that runs.
pub(crate) struct Relay {
    child: Child,
    folder: tempfile::TempDir,
    notify: UnixDatagram,
    journal: Receiver<Entry>,
}

/// A line as the journal got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry(pub(crate) String);

impl Entry {
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut fields = self.0.lines().filter_map(|line| line.split_once('='));
        fields.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

impl Relay {
    /// Starts `NAME web`, these options, and this program.
    pub(crate) fn start(options: &[&str], program: &[&str]) -> Self {
        let words = program.iter().map(|word| (*word).to_owned()).collect();
        Self::start_beside(BACKLOG, options, |_| words)
    }

    fn start_beside(
        backlog: usize,
        options: &[&str],
        program: impl FnOnce(&Path) -> Vec<String>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let socket = UnixDatagram::bind(path("journal")).unwrap();
        let (sender, journal) = sync_channel(backlog);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 256 * 1024];
            while let Ok(length) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if sender.send(Entry(text)).is_err() {
                    return;
                }
            }
        });
        let notify = UnixDatagram::bind(path("systemd")).unwrap();
        let run_dir = path("run");
        std::fs::create_dir(&run_dir).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_volt-relay"))
            .args(["web", "--journal-socket"])
            .arg(path("journal"))
            .arg("--run-dir")
            .arg(&run_dir)
            .args(options)
            .arg("--")
            .args(program(&run_dir))
            .env("NOTIFY_SOCKET", path("systemd"))
            .env("FOR_THE_PROGRAM", "yes")
            .spawn()
            .unwrap();
        notify.set_nonblocking(true).unwrap();
        Self { child, folder, notify, journal }
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Attaches; waits for the socket.
    pub(crate) fn attach(&self) -> Client {
        let path = self.run_dir().join("attach.sock");
        let socket = until("the attach socket", || UnixStream::connect(&path).ok());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { socket, decoder: Decoder::new() }
    }

    /// What systemd was told so far.
    pub(crate) fn told(&self) -> String {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while let Ok(length) = self.notify.recv(&mut buffer) {
            text += &String::from_utf8_lossy(&buffer[..length]);
            text.push('\n');
        }
        text
    }

    /// Waits until systemd was told that the workload runs.
    pub(crate) fn ready(&self) {
        until("READY=1", || self.told().contains("READY=1").then_some(()));
    }

    /// The next line in the journal.
    pub(crate) fn entry(&self) -> Entry {
        self.journal.recv_timeout(PATIENCE).expect("a line in the journal")
    }

    /// The next line in the journal, if one comes so soon.
    pub(crate) fn entry_within(&self, time: Duration) -> Option<Entry> {
        self.journal.recv_timeout(time).ok()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for its end: the exit code.
    pub(crate) fn wait(&mut self) -> i32 {
        until("the relay's end", || self.child.try_wait().unwrap()).code().unwrap()
    }

    /// Waits for its end: the code, and all lines not read yet.
    pub(crate) fn end(&mut self) -> (i32, Vec<Entry>) {
        let code = self.wait();
        let mut entries = Vec::new();
        while let Some(entry) = self.entry_within(Duration::from_millis(100)) {
            entries.push(entry);
        }
        (code, entries)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Tries until something is there.
pub(crate) fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(found) = attempt() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("{what} did not come");
}

/// An attached client.
pub(crate) struct Client {
    pub(crate) socket: UnixStream,
    decoder: Decoder,
}

impl Client {
    pub(crate) fn send(&mut self, frame: &Frame) {
        self.socket.write_all(&frame.encode()).unwrap();
    }

    /// The next frame; nothing at the end.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            match self.socket.read(&mut buffer).unwrap() {
                0 => return None,
                length => self.decoder.push(&buffer[..length]),
            }
        }
    }

    /// Reads until standard output contains this.
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let mut found = Vec::new();
        while !String::from_utf8_lossy(&found).contains(text) {
            match self.frame() {
                Some(Frame::Stdout(bytes)) => found.extend(bytes),
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&found)),
            }
        }
        String::from_utf8_lossy(&found).into_owned()
    }

    /// Reads to the end: standard output, standard error, the exit code.
    pub(crate) fn rest(mut self) -> (Vec<u8>, Vec<u8>, u32) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match self.frame() {
                Some(Frame::Stdout(bytes)) => out.extend(bytes),
                Some(Frame::Stderr(bytes)) => err.extend(bytes),
                Some(Frame::Exit(code)) => {
                    assert_eq!(self.frame(), None, "the exit frame is the last");
                    return (out, err, code);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The first lines of `text`, for messages that would be long.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
