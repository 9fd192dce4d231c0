//! The relay's end of the control socket: what init says, with the descriptors it hands over.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags,
    SocketType,
};

/// What init says.
#[derive(Debug)]
pub(crate) enum Message {
    /// The terminal is made.
    Tty(OwnedFd),
    /// The pipes are made.
    Io {
        /// Only when standard input is kept open.
        stdin: Option<OwnedFd>,
        /// Its standard output.
        stdout: OwnedFd,
        /// Its standard error.
        stderr: OwnedFd,
    },
    /// The command was executed.
    Started,
    /// It could not be.
    Failed(u8, String),
    /// The command ended with this code.
    Exited(u8),
    /// The command ended by this signal.
    Signaled(i32),
}

/// What a look at the socket brought.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message, and the process that sent it as this process's pid namespace numbers it.
    Message(Message, Option<i32>),
    /// Something that is not understood.
    Unknown,
    /// Nothing yet.
    Nothing,
    /// The other side is gone.
    Closed,
}

/// The socket.
#[derive(Debug)]
pub(crate) struct Control(OwnedFd);

impl Control {
    /// A new pair: this end, and the one to hand to the program.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // The kernel then says who sent a message: PID 1 of the container, which can name itself only as 1.
        rustix::net::sockopt::set_socket_passcred(&ours, true)?;
        Ok((Self(ours), theirs))
    }

    /// Sends a request. Where init is gone there is nothing to ask for any more.
    pub(crate) fn ask(&self, request: &str) {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let _ = rustix::net::send(&self.0, request.as_bytes(), flags);
    }

    /// Takes one message without waiting.
    pub(crate) fn receive(&self) -> Received {
        let mut bytes = [0_u8; 4096];
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3), ScmCredentials(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let length = match rustix::net::recvmsg(&self.0, &mut slices, &mut ancillary, flags) {
            Ok(message) if message.bytes == 0 => return Received::Closed,
            Ok(message) => message.bytes,
            // Init has ended with something of ours unread; what it said before is still to come.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNRESET) => return Received::Nothing,
            Err(_) => return Received::Closed,
        };
        let (mut descriptors, mut pid) = (Vec::new(), None);
        for message in ancillary.drain() {
            match message {
                RecvAncillaryMessage::ScmRights(list) => descriptors.extend(list),
                RecvAncillaryMessage::ScmCredentials(sender) => {
                    pid = Some(sender.pid.as_raw_nonzero().get());
                }
                _ => {}
            }
        }
        match parse(&String::from_utf8_lossy(&bytes[..length]), descriptors) {
            Some(message) => Received::Message(message, pid),
            None => Received::Unknown,
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn parse(text: &str, descriptors: Vec<OwnedFd>) -> Option<Message> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut descriptors = descriptors.into_iter();
    let mut next = || descriptors.next();
    match word {
        "tty" => next().map(Message::Tty),
        "io" => {
            let (first, second, third) = (next()?, next()?, next());
            Some(match third {
                Some(third) => Message::Io { stdin: Some(first), stdout: second, stderr: third },
                None => Message::Io { stdin: None, stdout: first, stderr: second },
            })
        }
        "started" => Some(Message::Started),
        "failed" => {
            let (code, message) = rest.split_once(' ')?;
            Some(Message::Failed(code.parse().ok()?, message.to_owned()))
        }
        "exited" => Some(Message::Exited(rest.parse().ok()?)),
        "signaled" => Some(Message::Signaled(rest.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_without_descriptors_are_understood() {
        let shown = |text| format!("{:?}", parse(text, Vec::new()));
        for (text, expected) in [
            ("started 7", "Some(Started)"),
            ("failed 127 x: command not found", "Some(Failed(127, \"x: command not found\"))"),
            ("exited 133", "Some(Exited(133))"),
            ("signaled 15", "Some(Signaled(15))"),
            ("exited", "None"),
            ("exited 256", "None"),
            ("tty", "None"),
            ("io", "None"),
            ("hello", "None"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn descriptors_and_the_sender_come_with_a_message() {
        let (ours, theirs) = Control::pair().unwrap();
        let (read, _write) = rustix::pipe::pipe().unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = rustix::net::SendAncillaryBuffer::new(&mut space);
        let rights = [read.as_fd()];
        assert!(ancillary.push(rustix::net::SendAncillaryMessage::ScmRights(&rights)));
        let bytes = [io::IoSlice::new(b"tty")];
        rustix::net::sendmsg(&theirs, &bytes, &mut ancillary, SendFlags::empty()).unwrap();
        match ours.receive() {
            Received::Message(Message::Tty(_), Some(pid)) => {
                assert_eq!(pid.cast_unsigned(), std::process::id());
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(ours.receive(), Received::Nothing));
        drop(theirs);
        assert!(matches!(ours.receive(), Received::Closed));
    }
}
