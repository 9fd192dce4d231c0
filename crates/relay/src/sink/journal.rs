//! Writing to the journal by its native protocol: one datagram a line, fields separated by line ends.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use volt_model::frame::Stream;

use super::Origin;

/// How often and how long to wait for a journal that is being restarted.
const RETRIES: u32 = 250;
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// A connection to the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// The fields behind the message, for each origin; without the last line end.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    program: Vec<u8>,
    relay: Vec<u8>,
    datagram: Vec<u8>,
    /// The last line could not be delivered at all; then the next is not waited for either.
    gone: bool,
}

impl Journal {
    /// A connection to the journal at `path`; it need not be there yet.
    pub(crate) fn open(path: &Path, name: &str, program: &[OsString]) -> io::Result<Self> {
        let kind = SocketType::DGRAM;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        let fields = |priority: u8, identifier: &str, stream: &str| {
            let mut text = format!("\nPRIORITY={priority}\nSYSLOG_IDENTIFIER={identifier}");
            text += &format!("\nVOLT_WORKLOAD={name}");
            if !stream.is_empty() {
                text += &format!("\nVOLT_STREAM={stream}");
            }
            text.push('\n');
            text.into_bytes()
        };
        let program = program.first().map(Path::new).and_then(Path::file_name);
        let program = program.map(|name| name.to_string_lossy().replace('\n', " "));
        Ok(Self {
            socket,
            address: SocketAddrUnix::new(path)?,
            stdout: fields(6, name, "stdout"),
            stderr: fields(3, name, "stderr"),
            program: fields(4, &program.unwrap_or_default(), ""),
            relay: fields(3, name, ""),
            datagram: Vec::new(),
            gone: false,
        })
    }

    /// Sends a line and waits until the journal has room for it. `line` has no line end in it.
    pub(crate) fn line(&mut self, origin: Origin, line: &[u8]) {
        let fields = match origin {
            Origin::Workload(Stream::Stderr) => &self.stderr,
            Origin::Workload(_) => &self.stdout,
            Origin::Program => &self.program,
            Origin::Relay => &self.relay,
        };
        self.datagram.clear();
        self.datagram.extend_from_slice(b"MESSAGE=");
        self.datagram.extend_from_slice(line);
        self.datagram.extend_from_slice(fields);
        let mut retries = if self.gone { 0 } else { RETRIES };
        loop {
            let sent = rustix::net::sendto(
                &self.socket,
                &self.datagram,
                SendFlags::NOSIGNAL,
                &self.address,
            );
            match sent {
                Ok(_) => {
                    self.gone = false;
                    return;
                }
                Err(Errno::INTR) => {}
                Err(_) if retries == 0 => {
                    self.gone = true;
                    return;
                }
                Err(_) => {
                    retries -= 1;
                    std::thread::sleep(RETRY_AFTER);
                }
            }
        }
    }
}
