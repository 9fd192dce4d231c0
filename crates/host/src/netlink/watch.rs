//! News of the kernel's network: that interfaces, addresses, forwarding or tables of the packet filter have changed, whoever changed them;
//! and of folders.

use super::{Error, Result};
use crate::watch::{Change, FolderWatch};
use netlink_sys::{
    Socket,
    protocols::{NETLINK_NETFILTER, NETLINK_ROUTE},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// `RTNLGRP_LINK`, `RTNLGRP_TC`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR`, `RTNLGRP_IPV4_NETCONF`, `RTNLGRP_IPV6_NETCONF`: interfaces, their
/// queues and addresses that come, change and go, and whether the host passes packets on.
const ROUTING: [u32; 6] = [1, 4, 5, 9, 24, 25];
/// `NFNLGRP_NFTABLES`: tables and what is in them.
const TABLES: [u32; 1] = [7];

/// Somebody who listens to such news.
#[derive(Debug)]
pub struct Watch {
    sockets: [Socket; 2],
    folders: FolderWatch,
}

/// What has happened.
#[derive(Debug, Default)]
pub struct News {
    /// Whether something has changed in the kernel.
    pub of_kernel: bool,
    /// What has changed in the folders.
    pub of_folders: Vec<Change>,
}

impl Watch {
    /// Listens from now on, to what happens in these folders too.
    pub fn new(folders: FolderWatch) -> Result<Self> {
        let failed = |e: io::Error| Error::new("listen to the kernel's network", e);
        let listen = |protocol, groups: &[u32]| {
            let mut socket = Socket::new(protocol)?;
            socket.bind_auto()?;
            for group in groups {
                socket.add_membership(*group)?;
            }
            socket.set_non_blocking(true)?;
            Ok(socket)
        };
        let sockets = [
            listen(NETLINK_ROUTE, &ROUTING).map_err(failed)?,
            listen(NETLINK_NETFILTER, &TABLES).map_err(failed)?,
        ];
        Ok(Self { sockets, folders })
    }

    /// Waits for news, and then until there has been none for `quiet`, or there has been some all the time for `most`; where a time is
    /// given, no longer than until then for any to come.
    pub fn wait(
        &self,
        quiet: Duration,
        most: Duration,
        until: Option<Instant>,
    ) -> io::Result<News> {
        let mut news = News::default();
        let limit = until.map(|until| until.saturating_duration_since(Instant::now()));
        if !self.poll(limit)? {
            return Ok(news);
        }
        let end = Instant::now() + most;
        loop {
            news.of_kernel |= self.forget();
            news.of_folders.extend(self.folders.next(Duration::ZERO).map_err(io::Error::other)?);
            let left = end.saturating_duration_since(Instant::now()).min(quiet);
            if left.is_zero() || !self.poll(Some(left))? {
                return Ok(news);
            }
        }
    }

    /// Whether there is news within this time.
    fn poll(&self, limit: Option<Duration>) -> io::Result<bool> {
        let [links, tables] = &self.sockets;
        let mut all = [
            PollFd::from_borrowed_fd(links.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(tables.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.folders.as_fd(), PollFlags::IN),
        ];
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        loop {
            match poll(&mut all, limit.as_ref()) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(ready) => return Ok(ready > 0),
            }
        }
    }

    /// Reads all that the kernel says; whether that was anything. What it says doesn't matter, nor that some was lost: whoever waits looks
    /// for himself.
    fn forget(&self) -> bool {
        let (mut bytes, mut any) = (Vec::with_capacity(1 << 16), false);
        for socket in &self.sockets {
            loop {
                bytes.clear();
                match socket.recv(&mut bytes, 0) {
                    Ok(_) => any = true,
                    Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => any = true,
                    Err(_) => break,
                }
            }
        }
        any
    }
}
