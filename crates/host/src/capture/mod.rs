//! Packets as they pass an interface (packet(7)), with the kernel's times.

#![expect(
    unsafe_code,
    reason = "packet sockets and the times of what they see have no safe wrapper"
)]

mod filter;
#[cfg(test)]
mod tests;

pub use filter::{Filter, FilterError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// The most that can be kept of a packet, in bytes: the kernel cuts what is sent at once to the size of the wire only behind this.
pub const MAX_SNAP: u32 = 262_144;
/// How much may wait to be received, in bytes; what comes on top is lost.
const WAITING: libc::c_int = 8 << 20;

/// Somebody who sees what passes an interface.
#[derive(Debug)]
pub struct Capture {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// A packet that has passed, with the header of its Ethernet frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When, since the epoch.
    pub time: Duration,
    /// How long it was, in bytes.
    pub length: usize,
    /// What is kept of it.
    pub bytes: &'a [u8],
}

impl Capture {
    /// Looks at the interface of this number from now on, in both directions. Of each packet that the filter fits `snap` bytes are kept.
    pub fn of(link: u32, snap: u32, filter: Option<&Filter>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Of no protocol: so it sees nothing until it is bound, behind the filter.
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        // Where that is refused, less may wait.
        drop(set(&socket, libc::SO_RCVBUFFORCE, &WAITING));
        let on: libc::c_int = 1;
        set(&socket, libc::SO_TIMESTAMPNS, &on)?;
        if let Some(filter) = filter {
            set(&socket, libc::SO_ATTACH_FILTER, &filter.program())?;
        }
        bind(&socket, link)?;
        let snap = usize::try_from(snap.clamp(1, MAX_SNAP)).expect("less than 2^32");
        Ok(Self { socket, buffer: vec![0; snap] })
    }

    /// Waits for this long at the most; whether there is something to receive.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let limit = Timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        let mut all = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut all, Some(&limit)) {
            Err(rustix::io::Errno::INTR) => Ok(false),
            ready => Ok(ready? > 0),
        }
    }

    /// The next packet; none where none waits. `NetworkDown` says that the interface is gone, or was switched off.
    pub fn receive(&mut self) -> io::Result<Option<Packet<'_>>> {
        let mut part =
            libc::iovec { iov_base: self.buffer.as_mut_ptr().cast(), iov_len: self.buffer.len() };
        let mut control = [0_u64; 8];
        // SAFETY: all zero is a valid value: nothing in it.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        let socket = self.socket.as_raw_fd();
        // With this flag the answer is the packet's length, also where it is longer than the buffer.
        let flags = libc::MSG_TRUNC;
        // SAFETY: the message says where buffer and control are and how long, and both live through the call.
        let length = unsafe { libc::recvmsg(socket, &raw mut message, flags) };
        let Ok(length) = usize::try_from(length) else {
            return match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                error => Err(error),
            };
        };
        let time = time_of(&message);
        let kept = length.min(self.buffer.len());
        Ok(Some(Packet { time, length, bytes: &self.buffer[..kept] }))
    }
}

/// When what a message is about was seen. Nothing else was asked to come along.
fn time_of(message: &libc::msghdr) -> Duration {
    // SAFETY: the kernel has filled in the message, whose control part lives as long as it.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    if header.is_null() {
        return Duration::ZERO;
    }
    // SAFETY: a header that is found lies within the control part, and what comes with it is a time as that was asked for.
    let time = unsafe { libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned() };
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), nanoseconds)
}

/// Sets an option of a socket, whose value must be of the type that the kernel takes for it.
fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).expect("no option is that long");
    let (socket, value) = (socket.as_raw_fd(), std::ptr::from_ref(value).cast());
    // SAFETY: the value is as long as is said, and is read before the call returns.
    let done = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, option, value, size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has a packet socket see what passes an interface.
fn bind(socket: &OwnedFd, link: u32) -> io::Result<()> {
    // SAFETY: all zero is a valid value: no address.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET.try_into().expect("17");
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).expect("3").to_be();
    address.sll_ifindex = link.cast_signed();
    let size = libc::socklen_t::try_from(size_of_val(&address)).expect("20");
    let (socket, address) = (socket.as_raw_fd(), (&raw const address).cast());
    // SAFETY: the address is as long as is said, and is read before the call returns.
    let done = unsafe { libc::bind(socket, address, size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
