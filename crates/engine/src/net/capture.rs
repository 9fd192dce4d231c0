//! Packets of a workload's connection as they pass, written as a file that tcpdump and Wireshark read.

use crate::Engine;
use crate::error::{Error, Result};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use volt_host::capture::{Capture as Source, Filter, FilterError, MAX_SNAP};
use volt_host::command;
use volt_host::netlink::Netlink;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::pcap;

/// How soon it is noticed that nobody reads any more.
const WAIT: Duration = Duration::from_millis(200);

/// Which packets.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Of which workload.
    pub workload: Name,
    /// By which of its networks; the first where nothing is said.
    pub network: Option<Name>,
    /// Only what these words of pcap-filter(7) fit.
    pub filter: Option<String>,
    /// How many; as long as there are some where nothing is said.
    pub count: Option<u64>,
    /// How many bytes of each at the most.
    pub snap: Option<u32>,
}

impl Engine {
    /// Writes the packets of a connection until there were enough, the connection ends, nobody reads them or `gone` is set.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for a workload that is not connected at this moment; `Usage` for a filter that can't be understood,
    /// `Dependency` where nobody is there who could.
    pub fn net_capture(
        &self,
        capture: &Capture,
        to: &mut dyn Write,
        gone: &AtomicBool,
    ) -> Result<()> {
        let link = self.captured_link(capture)?;
        let words = capture.filter.as_deref().filter(|words| !words.trim().is_empty());
        let filter = words.map(filter).transpose()?;
        let snap = capture.snap.unwrap_or(MAX_SNAP);
        let failed = |error: io::Error| {
            let title = format!("The packets of {} can't be captured", capture.workload);
            Error::new(ErrorKind::General, title).about(&capture.workload).because(error)
        };
        let mut source = Source::of(link, snap, filter.as_ref()).map_err(failed)?;
        let mut out = Out { to, left: capture.count, gone };
        out.put(&[&pcap::header(snap)]);
        while out.wants_more() {
            match source.receive() {
                Ok(Some(packet)) => {
                    let head = pcap::record(packet.time, packet.bytes.len(), packet.length);
                    out.put(&[&head, packet.bytes]);
                    out.left = out.left.map(|left| left - 1);
                }
                Ok(None) => {
                    out.flush();
                    source.wait(WAIT).map_err(failed)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NetworkDown => break,
                Err(error) => return Err(failed(error)),
            }
        }
        out.flush();
        Ok(())
    }

    /// The number of the interface that all packets of the connection pass.
    fn captured_link(&self, capture: &Capture) -> Result<u32> {
        let name = &capture.workload;
        let own: Vec<Name> = match self.taps()?.into_iter().find(|tap| tap.name == *name) {
            Some(tap) => vec![tap.network],
            None => self.spec(name)?.networks.into_iter().map(|to| to.network).collect(),
        };
        let wanted = capture.network.as_ref().or(own.first());
        let Some(network) = wanted.filter(|network| own.contains(network)) else {
            let to = wanted.map_or_else(|| "no network".to_owned(), ToString::to_string);
            let title = match &capture.network {
                Some(_) => format!("{name} is not connected to {to}"),
                None => format!("{name} is connected to {to}"),
            };
            return Err(Error::new(ErrorKind::NotFound, title).about(name));
        };
        let attached = self.attached(name).map(|attached| attached.endpoints).unwrap_or_default();
        let port = attached.iter().find(|endpoint| endpoint.network == *network);
        let link = match port {
            Some(endpoint) => Netlink::open()?.link(&endpoint.port)?,
            None => None,
        };
        link.map(|link| link.index).ok_or_else(|| {
            let title = format!("{name} is not connected at this moment");
            Error::new(ErrorKind::Conflict, title)
                .about(name)
                .hinted(format!("Start it: volt start {name}"))
        })
    }
}

/// Where packets go.
struct Out<'a> {
    to: &'a mut dyn Write,
    /// How many more are wanted; none is any number.
    left: Option<u64>,
    gone: &'a AtomicBool,
}

impl Out<'_> {
    fn wants_more(&self) -> bool {
        self.left != Some(0) && !self.gone.load(Ordering::Relaxed)
    }

    /// Writes these. That nobody reads any more is how it usually ends.
    fn put(&mut self, parts: &[&[u8]]) {
        if parts.iter().any(|part| self.to.write_all(part).is_err()) {
            self.left = Some(0);
        }
    }

    fn flush(&mut self) {
        if self.to.flush().is_err() {
            self.left = Some(0);
        }
    }
}

/// The filter that these words are.
fn filter(words: &str) -> Result<Filter> {
    Filter::of(words).map_err(|error| {
        let missing = matches!(error, FilterError::Refused(command::Error::Missing { .. }));
        match missing {
            true => Error::new(ErrorKind::Dependency, "Filters need the program tcpdump")
                .because(error)
                .hinted("Install it: apt install tcpdump"),
            false => Error::new(ErrorKind::Usage, "The filter can't be understood")
                .because(error)
                .hinted("man 7 pcap-filter says how they are written"),
        }
    })
}
