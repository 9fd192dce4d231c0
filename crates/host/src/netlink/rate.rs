//! How much goes out by an interface a second: a token bucket filter (tc-tbf(8)) in place of its queue.

use super::socket::Request;
use super::{Error, Netlink, Result};
use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};
use std::io;
use volt_model::net::BitRate;

/// What the kernel calls it.
pub(super) const TOKEN_BUCKET: &str = "tbf";
/// `TCA_TBF_PARMS`: a `struct tc_tbf_qopt`.
const PARMS: u16 = 1;
/// `TCA_TBF_RATE64`: bytes a second, also where they don't fit into 32 bits.
const RATE64: u16 = 4;
/// `TCA_TBF_BURST`: the size of the bucket in bytes.
const BURST: u16 = 6;
/// `TC_LINKLAYER_ETHERNET`: without it the kernel looks for a table of times.
const ETHERNET: u8 = 1;

impl Netlink {
    /// Lets no more than `rate` go out by an interface; all where there is none.
    pub fn set_rate(&mut self, interface: &str, rate: Option<BitRate>) -> Result<()> {
        let Some(link) = self.link(interface)? else {
            let what = format!("limit the rate of {interface}");
            return Err(Error::new(what, io::Error::from_raw_os_error(libc::ENODEV)));
        };
        let mut message = TcMessage::with_index(link.index.cast_signed());
        message.header.parent = TcHandle::ROOT;
        let Some(rate) = rate else {
            let what = format!("lift the limit of {interface}");
            let message = RouteNetlinkMessage::DelQueueDiscipline(message);
            return match self.change(vec![Request { what, message, flags: 0 }]) {
                // It has the kernel's own.
                Err(error) if error.is_not_there() => Ok(()),
                done => done,
            };
        };
        message.attributes = vec![
            TcAttribute::Kind(TOKEN_BUCKET.into()),
            TcAttribute::Options(bucket(rate, link.mtu)),
        ];
        let what = format!("limit the rate of {interface}");
        let message = RouteNetlinkMessage::NewQueueDiscipline(message);
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        match self.change(vec![Request { what, message, flags }]) {
            Err(error) if error.source.raw_os_error() == Some(libc::ENOENT) => {
                let why = "the kernel has no token bucket filter (sch_tbf)";
                Err(Error::new(error.what, io::Error::new(io::ErrorKind::Unsupported, why)))
            }
            done => done,
        }
    }
}

/// A bucket that holds what comes in 10 ms, and a queue before it for what comes in 100 ms. Of either as much as the kernel needs where
/// that is little: the bucket some packets, the queue what TCP hands over at once.
fn bucket(rate: BitRate, mtu: u32) -> Vec<TcOption> {
    let short = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let burst = short((rate.bytes() / 100).max(4 * (u64::from(mtu) + 14)));
    let queue = short((rate.bytes() / 10).max(64 << 10)).saturating_add(burst);
    // The rate and a peak rate, each of twelve bytes; the limits of queue, bucket (in other units, so not here) and peak.
    let mut parms = vec![0, ETHERNET, 0, 0, 0, 0, 0, 0];
    parms.extend(short(rate.bytes()).to_ne_bytes());
    parms.extend([0; 12]);
    parms.extend([queue, 0, 0].map(u32::to_ne_bytes).concat());
    [
        (PARMS, parms),
        (RATE64, rate.bytes().to_ne_bytes().to_vec()),
        (BURST, burst.to_ne_bytes().to_vec()),
    ]
    .map(|(kind, value)| TcOption::Other(DefaultNla::new(kind, value)))
    .into()
}
