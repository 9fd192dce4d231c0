//! One netlink socket: a batch of messages out, an answer for each back.

use super::{Error, Result};
use crate::namespaces::NetNs;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::io;

/// How often a list is asked for at the most.
const TRIES: usize = 10;

/// Asks as often as another's change comes between the answers.
///
/// # Errors
/// As `ask`.
pub(crate) fn undisturbed<T>(mut ask: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut found = ask();
    for _ in 1..TRIES {
        match found {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => found = ask(),
            found => return found,
        }
    }
    found
}

/// A connection to the kernel's network configuration in one namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// A change that is asked for.
pub(super) struct Request {
    /// In plain words, for errors.
    pub(super) what: String,
    /// What is sent.
    pub(super) message: RouteNetlinkMessage,
    /// `NLM_F_CREATE` and the like.
    pub(super) flags: u16,
}

impl Netlink {
    /// In the namespace of this process.
    pub fn open() -> Result<Self> {
        connect().map(Self::over).map_err(|e| Error::new("speak to the kernel's network", e))
    }

    /// In another one.
    pub fn open_in(namespace: &NetNs) -> Result<Self> {
        let socket = namespace.run(connect);
        socket.map(Self::over).map_err(|e| Error::new("speak to the kernel's network", e.source))
    }

    fn over(socket: Socket) -> Self {
        Self { socket, sequence: 0 }
    }

    /// Has the kernel do these one after the other. It goes on behind one that fails; the first failure is returned.
    pub(super) fn change(&mut self, requests: Vec<Request>) -> Result<()> {
        if requests.is_empty() {
            return Ok(());
        }
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::with_capacity(512);
        let mut names = Vec::new();
        for request in requests {
            let flags = request.flags | NLM_F_REQUEST | NLM_F_ACK;
            self.append(&mut bytes, request.message, flags);
            names.push(request.what);
        }
        let failed = |e: io::Error| Error::new("speak to the kernel's network", e);
        self.socket.send(&bytes, 0).map_err(failed)?;
        let mut outcome = Ok(());
        let mut waiting = names.len();
        while waiting > 0 {
            for message in self.receive().map_err(failed)? {
                let NetlinkPayload::Error(answer) = message.payload else { continue };
                let place = message.header.sequence_number.wrapping_sub(first) as usize;
                // What belongs to no message of this batch is an answer that nobody waited for.
                let Some(name) = names.get_mut(place) else { continue };
                waiting = waiting.saturating_sub(1);
                if answer.code.is_some() && outcome.is_ok() {
                    outcome = Err(Error::new(std::mem::take(name), answer.to_io()));
                }
            }
        }
        outcome
    }

    /// Asks for one or many; each answer is handed to `each`.
    pub(super) fn ask(
        &mut self,
        what: &str,
        question: &RouteNetlinkMessage,
        dump: bool,
        each: &mut dyn FnMut(RouteNetlinkMessage),
    ) -> Result<()> {
        let answers = undisturbed(|| self.answers(question.clone(), dump));
        answers.map_err(|e| Error::new(what, e))?.into_iter().for_each(each);
        Ok(())
    }

    /// All answers to a question; `Interrupted` where what is told has changed meanwhile, so that something may be missing.
    fn answers(
        &mut self,
        question: RouteNetlinkMessage,
        dump: bool,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut bytes = Vec::with_capacity(128);
        let flags = NLM_F_REQUEST | if dump { NLM_F_DUMP } else { 0 };
        let own = self.append(&mut bytes, question, flags);
        self.socket.send(&bytes, 0)?;
        let (mut answers, mut is_whole) = (Vec::new(), true);
        loop {
            for message in self.receive()? {
                if message.header.sequence_number != own {
                    continue;
                }
                is_whole &= message.header.flags & NLM_F_DUMP_INTR == 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(answer) => {
                        answers.push(answer);
                        if !dump {
                            return Ok(answers);
                        }
                    }
                    NetlinkPayload::Error(answer) if answer.code.is_some() => {
                        return Err(answer.to_io());
                    }
                    NetlinkPayload::Done(_) if is_whole => return Ok(answers),
                    NetlinkPayload::Done(_) => return Err(io::ErrorKind::Interrupted.into()),
                    _ => {}
                }
            }
        }
    }

    fn append(&mut self, bytes: &mut Vec<u8>, message: RouteNetlinkMessage, flags: u16) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let start = bytes.len();
        // Each message begins at a multiple of four.
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
        self.sequence
    }

    fn receive(&self) -> io::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
        let (bytes, _) = self.socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        let mut all = Vec::new();
        while !rest.is_empty() {
            let message = NetlinkMessage::deserialize(rest)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            let length = (message.header.length as usize).next_multiple_of(4);
            rest = rest.get(length.max(4)..).unwrap_or_default();
            all.push(message);
        }
        Ok(all)
    }
}

fn connect() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}
