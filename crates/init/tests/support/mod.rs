//! Runs the built init in fresh namespaces, with a control socket held by the test.
#![expect(clippy::disallowed_methods, reason = "tests start the program they prove by themselves")]
#![expect(clippy::unwrap_used, reason = "a helper of tests: what fails here fails the test")]

use std::fs::File;
use std::io::{IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags,
    SocketType,
};

/// What stands before init: an own /run and /dev/pts as nspawn would have made them.
const SETUP: &str = "set -e
mount -t tmpfs none /run
mkdir /run/.volt
cp \"$1\" /run/.volt/spec
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts /dev/pts
mount --bind /dev/pts/ptmx /dev/ptmx
exec \"$2\"";

/// A running init and the other end of its control socket.
pub(crate) struct Running {
    child: Child,
    socket: OwnedFd,
    spec: std::path::PathBuf,
}

/// One message from init.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// A spec that runs `sh -c SCRIPT` as root, with more records before.
pub(crate) fn shell(records: &[&str], script: &str) -> Vec<u8> {
    spec(records, &["/bin/sh", "-c", script])
}

/// A spec of these records and arguments; runs as root when they name no user.
pub(crate) fn spec(records: &[&str], args: &[&str]) -> Vec<u8> {
    let mut all = vec!["version=1".to_owned()];
    if !records.iter().any(|r| r.starts_with("uid=") || r.starts_with("user=")) {
        all.extend(["uid=0".to_owned(), "gid=0".to_owned()]);
    }
    all.extend(records.iter().map(|record| (*record).to_owned()));
    all.extend(args.iter().map(|arg| format!("arg={arg}")));
    all.iter().flat_map(|record| [record.as_bytes(), b"\0"].concat()).collect()
}

impl Running {
    /// As PID 1 of new pid, mount and ipc namespaces.
    pub(crate) fn init(spec: &[u8]) -> Self {
        Self::begin(spec, |path, init| {
            let mut command = Command::new("unshare");
            command
                .args(["--pid", "--mount", "--ipc", "--fork", "--kill-child", "--mount-proc"])
                .args(["--", "sh", "-c", SETUP, "sh"])
                .args([path, init]);
            command
        })
    }

    /// As the last step of exec, in the test's own namespaces.
    pub(crate) fn exec(spec: &[u8]) -> Self {
        Self::begin(spec, |path, init| {
            let mut command = Command::new("sh");
            command.args(["-c", "exec \"$2\" exec 7 7<\"$1\"", "sh"]).args([path, Path::new(init)]);
            command
        })
    }

    fn begin(spec: &[u8], command: impl FnOnce(&Path, &Path) -> Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("volt-init-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, spec).unwrap();
        let (socket, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let child = command(&path, Path::new(env!("CARGO_BIN_EXE_volt-init")))
            .stdin(Stdio::from(theirs))
            .spawn()
            .unwrap();
        Self { child, socket, spec: path }
    }

    /// The next message; an empty one when init is gone.
    pub(crate) fn message(&self) -> Message {
        self.message_within(Duration::from_secs(20)).expect("a message within 20 s")
    }

    /// The next message, if one comes in time.
    pub(crate) fn message_within(&self, time: Duration) -> Option<Message> {
        let mut poll = [PollFd::new(&self.socket, PollFlags::IN)];
        let limit = Timespec::try_from(time).unwrap();
        if rustix::event::poll(&mut poll, Some(&limit)).unwrap() == 0 {
            return None;
        }
        let mut buffer = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut buffer)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        );
        let length = received.map_or(0, |message| message.bytes);
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(list) = message {
                descriptors.extend(list);
            }
        }
        Some(Message { text: String::from_utf8_lossy(&buffer[..length]).into_owned(), descriptors })
    }

    /// Asks for something.
    pub(crate) fn ask(&self, request: &str) {
        rustix::net::send(&self.socket, request.as_bytes(), SendFlags::NOSIGNAL).unwrap();
    }

    /// Sends a signal to init itself, from outside its pid namespace.
    pub(crate) fn signal(&self, number: i32) {
        let unshare = self.child.id();
        let path = format!("/proc/{unshare}/task/{unshare}/children");
        let pid = std::fs::read_to_string(path).unwrap();
        let status = Command::new("kill").arg(format!("-{number}")).arg(pid.trim()).status();
        assert!(status.unwrap().success());
    }

    /// Waits until init is gone.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("init did not end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.spec));
    }
}

/// Everything that comes until the other side is closed. A terminal's end is an error, not an end of file.
pub(crate) fn all_of(fd: &OwnedFd) -> String {
    let mut text = Vec::new();
    drop(File::from(fd.as_fd().try_clone_to_owned().unwrap()).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// What a whole run said and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) report: String,
    pub(crate) code: i32,
}

/// Runs to the end a spec whose command is executed.
pub(crate) fn run(running: Running) -> Outcome {
    let mut io = running.message();
    assert_eq!(io.text, "io");
    let stderr = io.descriptors.pop().unwrap();
    let stdout = io.descriptors.pop().unwrap();
    let started = running.message().text;
    assert!(started.starts_with("started "), "{started}");
    let (stdout, stderr) = (all_of(&stdout), all_of(&stderr));
    let report = running.message().text;
    let code = running.wait().code().unwrap();
    Outcome { stdout, stderr, report, code }
}

/// Runs a spec whose command is not executed: the report and the code.
pub(crate) fn fail(running: Running) -> (String, i32) {
    loop {
        let message = running.message().text;
        if message != "io" && message != "tty" {
            return (message, running.wait().code().unwrap());
        }
    }
}
