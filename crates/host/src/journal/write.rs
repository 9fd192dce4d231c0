//! Writing to the journal by journald's native protocol: one datagram an entry, or a sealed memory file for a big one.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr,
};
use std::io::{self, IoSlice, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// Where journald listens.
pub const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// How long a full journald may hold us up.
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// Writes entries with the same fields in common.
#[derive(Debug)]
pub struct JournalWriter {
    socket: UnixDatagram,
    address: SocketAddrUnix,
    common: Vec<u8>,
    buffer: Vec<u8>,
}

impl JournalWriter {
    /// To journald, every entry with these fields. Nothing is sent yet; journald may come up later.
    pub fn new(common: &[(&str, &str)]) -> io::Result<Self> {
        Self::to(Path::new(JOURNAL_SOCKET), common)
    }

    /// To another socket.
    pub fn to(socket: &Path, common: &[(&str, &str)]) -> io::Result<Self> {
        let mut fields = Vec::new();
        for (name, value) in common {
            encode_field(&mut fields, name, value.as_bytes());
        }
        let unbound = UnixDatagram::unbound()?;
        unbound.set_write_timeout(Some(SEND_LIMIT))?;
        let address = SocketAddrUnix::new(socket)?;
        Ok(Self { socket: unbound, address, common: fields, buffer: Vec::new() })
    }

    /// Writes one entry; waits while journald is full, `TimedOut` or `WouldBlock` when it stays so.
    pub fn write(
        &mut self,
        message: &[u8],
        priority: u8,
        fields: &[(&str, &str)],
    ) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.common);
        encode_field(&mut self.buffer, "MESSAGE", message);
        encode_field(&mut self.buffer, "PRIORITY", priority.to_string().as_bytes());
        for (name, value) in fields {
            encode_field(&mut self.buffer, name, value.as_bytes());
        }
        match self.socket.send_to_address(&self.buffer, &self.address) {
            // Too big for a datagram.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS)) => {
                self.write_big()
            }
            other => other,
        }
    }

    fn write_big(&self) -> io::Result<()> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = std::fs::File::from(memfd_create("volt-journal", flags)?);
        file.write_all(&self.buffer)?;
        // journald takes none that could still change.
        fcntl_add_seals(
            &file,
            SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL,
        )?;
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = [file.as_fd()];
        if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::Error::other("no room for a descriptor"));
        }
        sendmsg_addr(
            &self.socket,
            &self.address,
            &[IoSlice::new(&[])],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    }
}

trait SendToAddress {
    fn send_to_address(&self, bytes: &[u8], address: &SocketAddrUnix) -> io::Result<()>;
}

impl SendToAddress for UnixDatagram {
    fn send_to_address(&self, bytes: &[u8], address: &SocketAddrUnix) -> io::Result<()> {
        loop {
            match rustix::net::sendto(self, bytes, SendFlags::NOSIGNAL, address) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Appends a field as the protocol has it: `NAME=value` on a line, or with a length where the value holds a newline.
pub fn encode_field(to: &mut Vec<u8>, name: &str, value: &[u8]) {
    to.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        to.push(b'\n');
        to.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        to.push(b'=');
    }
    to.extend_from_slice(value);
    to.push(b'\n');
}
