//! Attach: the socket, the clients on it, and how much of the output waits for each.
//!
//! A client that does not read is dropped when too much waits for it, so that it cannot hold the workload up. The one
//! exception is the owner (the first client of `--attach-hold`): for it the workload waits, so it misses nothing.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use volt_model::frame::{self, Decoder, Frame, Stream};

/// A client for which more than this waits is dropped, in bytes.
const MAX_WAITING: usize = 1 << 20;
/// The workload waits when more than this waits for the owner, in bytes.
const OWNER_WAITING: usize = 256 * 1024;
/// At the end, a client that takes nothing for this long gets no more; the owner is given more time.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
const LAST_PATIENCE_OWNER: Duration = Duration::from_secs(30);
/// More clients than this are not accepted.
const MAX_CLIENTS: usize = 64;

#[derive(Debug)]
struct Client {
    id: u64,
    socket: OwnedFd,
    decoder: Decoder,
    /// Frames that wait, and how much of their beginning is sent.
    waiting: Vec<u8>,
    sent: usize,
    owner: bool,
    /// It has ended its side: nothing more comes, but it may still listen.
    silent: bool,
    /// It takes nothing more, but what it had sent is still to be read.
    deaf: bool,
    dead: bool,
}

/// The listening socket in the run folder; removed when this is dropped.
#[derive(Debug)]
struct Listener {
    socket: OwnedFd,
    folder: OwnedFd,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = rustix::fs::unlinkat(&self.folder, SOCKET, rustix::fs::AtFlags::empty());
    }
}

const SOCKET: &str = "attach.sock";

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    listener: Option<Listener>,
    list: Vec<Client>,
    next_id: u64,
    /// The next client becomes the owner.
    owner_wanted: bool,
}

/// What to poll for a client.
pub(crate) struct Interest<'a> {
    pub(crate) id: u64,
    pub(crate) socket: BorrowedFd<'a>,
    pub(crate) flags: PollFlags,
}

impl Clients {
    /// Listens on `attach.sock` in the folder, if there is one.
    pub(crate) fn listen(run_dir: Option<&Path>, owner_wanted: bool) -> io::Result<Self> {
        let listener = run_dir.map(listen).transpose()?;
        Ok(Self { listener, list: Vec::new(), next_id: 0, owner_wanted })
    }

    /// The descriptor on which clients arrive.
    pub(crate) fn listener(&self) -> Option<BorrowedFd<'_>> {
        let listener = self.listener.as_ref()?;
        (self.list.len() < MAX_CLIENTS).then(|| listener.socket.as_fd())
    }

    /// Whether no client is connected.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a client has ever come.
    pub(crate) fn any_came(&self) -> bool {
        self.next_id > 0
    }

    /// How much waits for the owner, in bytes, where that is so much that the workload has to wait too.
    pub(crate) fn owner_is_behind(&self) -> Option<usize> {
        let owner = self.list.iter().find(|client| client.owner)?;
        Some(owner.behind()).filter(|bytes| *bytes > OWNER_WAITING)
    }

    /// What to poll; clients are only read while `read` is true.
    pub(crate) fn interests(&self, read: bool) -> impl Iterator<Item = Interest<'_>> {
        self.list.iter().map(move |client| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, read && !client.silent);
            flags.set(PollFlags::OUT, client.behind() > 0);
            Interest { id: client.id, socket: client.socket.as_fd(), flags }
        })
    }

    /// Takes one client that has arrived; it first gets what is kept of the output.
    pub(crate) fn accept(&mut self, replay: Vec<u8>) {
        let Some(listener) = &self.listener else { return };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(socket) = rustix::net::accept_with(&listener.socket, flags) else { return };
        self.take(socket, replay);
    }

    /// Takes a client that is connected already.
    pub(crate) fn adopt(&mut self, socket: OwnedFd) -> io::Result<()> {
        nonblocking(&socket)?;
        self.take(socket, Vec::new());
        Ok(())
    }

    fn take(&mut self, socket: OwnedFd, replay: Vec<u8>) {
        let owner = std::mem::take(&mut self.owner_wanted);
        let mut client = Client {
            id: self.next_id,
            socket,
            decoder: Decoder::new(),
            waiting: replay,
            sent: 0,
            owner,
            silent: false,
            deaf: false,
            dead: false,
        };
        self.next_id += 1;
        client.write();
        self.list.push(client);
        self.list.retain(|client| !client.dead);
    }

    /// Sends output to all.
    pub(crate) fn broadcast(&mut self, stream: Stream, bytes: &[u8]) {
        if self.list.is_empty() {
            return;
        }
        let mut frames = Vec::with_capacity(bytes.len() + frame::HEADER);
        frame::encode_data(stream, bytes, &mut frames);
        for client in &mut self.list {
            client.waiting.extend_from_slice(&frames);
            client.write();
            client.dead |= !client.owner && client.behind() > MAX_WAITING;
        }
        self.list.retain(|client| !client.dead);
    }

    /// Does what poll says can be done for a client; what it asks for.
    pub(crate) fn serve(&mut self, id: u64, flags: PollFlags) -> Vec<Frame> {
        let Some(client) = self.list.iter_mut().find(|client| client.id == id) else {
            return Vec::new();
        };
        let mut frames = Vec::new();
        if flags.intersects(PollFlags::IN) {
            frames = client.read();
        }
        if flags.intersects(PollFlags::OUT) {
            client.write();
        }
        // Nobody is at the other end at all; what it had sent is read above.
        client.dead |= flags.intersects(PollFlags::ERR)
            || (flags.intersects(PollFlags::HUP) && !flags.intersects(PollFlags::IN));
        self.list.retain(|client| !client.dead);
        frames
    }

    /// Sends the last frame to all and waits a while until they have taken everything.
    pub(crate) fn finish(mut self, last: &Frame) {
        self.listener = None;
        for client in &mut self.list {
            last.encode_into(&mut client.waiting);
            client.write();
        }
        let mut progress = Instant::now();
        loop {
            self.list.retain(|client| !client.dead && client.behind() > 0);
            let owner = self.list.iter().any(|client| client.owner);
            let patience = if owner { LAST_PATIENCE_OWNER } else { LAST_PATIENCE };
            let left = patience.saturating_sub(progress.elapsed());
            if self.list.is_empty() || left.is_zero() {
                return;
            }
            let mut polls: Vec<PollFd<'_>> = self
                .list
                .iter()
                .map(|client| PollFd::new(&client.socket, PollFlags::OUT))
                .collect();
            let limit = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            if matches!(rustix::event::poll(&mut polls, Some(&limit)), Ok(1..)) {
                let before: usize = self.list.iter().map(Client::behind).sum();
                self.list.iter_mut().for_each(Client::write);
                if self.list.iter().map(Client::behind).sum::<usize>() < before {
                    progress = Instant::now();
                }
            }
        }
    }
}

impl Client {
    fn behind(&self) -> usize {
        self.waiting.len() - self.sent
    }

    fn write(&mut self) {
        while self.behind() > 0 && !self.deaf {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match rustix::net::send(&self.socket, &self.waiting[self.sent..], flags) {
                Ok(length) => self.sent += length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => self.deaf = true,
            }
        }
        if self.behind() == 0 || self.deaf {
            self.waiting.clear();
            self.sent = 0;
            // What a burst needed is given back.
            self.waiting.shrink_to(frame::MAX_PAYLOAD);
        } else if self.sent > self.waiting.len() / 2 {
            self.waiting.drain(..self.sent);
            self.sent = 0;
        }
    }

    fn read(&mut self) -> Vec<Frame> {
        let mut buffer = [0; 16 * 1024];
        let mut frames = Vec::new();
        match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => {
                self.silent = true;
                self.dead |= self.deaf;
            }
            Ok((length, _)) => self.decoder.push(&buffer[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.dead = true,
        }
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return frames,
                // What cannot be understood cannot be read on.
                Err(_) => {
                    self.dead = true;
                    return frames;
                }
            }
        }
    }
}

fn listen(run_dir: &Path) -> io::Result<Listener> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(run_dir, flags, Mode::empty())?;
    match rustix::fs::unlinkat(&folder, SOCKET, rustix::fs::AtFlags::empty()) {
        Err(Errno::NOENT) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // An address has room for 107 bytes; a folder's path may be longer, its descriptor's is not.
    let path = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    bind_private(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, 16)?;
    Ok(Listener { socket, folder })
}

/// Binds a socket to a path with mode 0600 from the first moment on.
pub(crate) fn bind_private(socket: &OwnedFd, address: &SocketAddrUnix) -> io::Result<()> {
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = rustix::net::bind(socket, address);
    rustix::process::umask(before);
    Ok(bound?)
}

/// Makes reads and writes of a descriptor return at once.
pub(crate) fn nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    Ok(rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?)
}
