//! The control socket: one datagram a message, descriptors beside them.
//!
//! Sending never fails the container: when nobody listens any more the command still runs to its end.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// The longest message of either side, in bytes.
const MAX_MESSAGE: usize = 4096;

/// What the other side may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Execute now.
    Go,
    /// Send this signal to the command and all of its group.
    Signal(i32),
    /// Send this signal to the command alone.
    Kill(i32),
}

/// What a look at the socket brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Something to do.
    Request(Request),
    /// Nothing, or something that is not understood.
    Nothing,
    /// The other side is gone.
    Closed,
}

/// Init's end of the control socket.
#[derive(Debug)]
pub struct Control {
    socket: Option<OwnedFd>,
}

impl Control {
    /// A control socket on this descriptor; where it is no socket, messages go nowhere.
    #[must_use]
    pub fn new(descriptor: Option<OwnedFd>) -> Self {
        let socket = descriptor
            .filter(|descriptor| rustix::net::sockopt::socket_type(descriptor.as_fd()).is_ok());
        Self { socket }
    }

    /// The descriptor to poll, while somebody is there.
    #[must_use]
    pub fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Sends a message, with descriptors where the message has some.
    pub fn send(&mut self, message: &str, descriptors: &[BorrowedFd<'_>]) {
        let Some(socket) = &self.socket else { return };
        let end = message.floor_char_boundary(MAX_MESSAGE);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            let fits = ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
            debug_assert!(fits, "no message has more than three descriptors");
        }
        let bytes = [IoSlice::new(&message.as_bytes()[..end])];
        let sent = rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(socket, &bytes, &mut ancillary, SendFlags::NOSIGNAL)
        });
        if sent.is_err() {
            self.socket = None;
        }
    }

    /// Takes one message without waiting. After [`Received::Closed`] there is nothing to poll any more.
    pub fn receive(&mut self) -> Received {
        let Some(socket) = &self.socket else { return Received::Closed };
        let mut buffer = [0_u8; MAX_MESSAGE];
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recv(socket, &mut buffer[..], RecvFlags::DONTWAIT)
        });
        match received {
            Ok((length, _)) if length > 0 => {
                parse(&buffer[..length]).map_or(Received::Nothing, Received::Request)
            }
            Err(rustix::io::Errno::AGAIN) => Received::Nothing,
            Ok(_) | Err(_) => {
                self.socket = None;
                Received::Closed
            }
        }
    }
}

fn parse(message: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(message).ok()?;
    if text == "go" {
        return Some(Request::Go);
    }
    let (word, number) = text.split_once(' ')?;
    let number = number.parse().ok().filter(|number| (1..=64).contains(number))?;
    match word {
        "signal" => Some(Request::Signal(number)),
        "kill" => Some(Request::Kill(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_of_the_contract() {
        let cases: [(&[u8], Option<Request>); 8] = [
            (b"go", Some(Request::Go)),
            (b"signal 15", Some(Request::Signal(15))),
            (b"kill 34", Some(Request::Kill(34))),
            (b"kill", None),
            (b"signal 0", None),
            (b"signal 65", None),
            (b"signal x", None),
            (b"\xff", None),
        ];
        for (message, request) in cases {
            assert_eq!(parse(message), request, "{message:?}");
        }
    }

    #[test]
    fn without_a_socket_nothing_is_sent_and_nothing_comes() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let mut control = Control::new(Some(file.into()));
        control.send("started 1", &[]);
        assert!(control.poll_fd().is_none());
        assert_eq!(control.receive(), Received::Closed);
    }
}
