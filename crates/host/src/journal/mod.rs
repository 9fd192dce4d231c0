//! The journal: reading through a `journalctl` child, writing by datagrams of journald's native protocol.

mod entry;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use entry::{Entry, FIELDS, parse_entry};
pub use read::{Query, Reader, Stopper, sync};
pub use write::{JOURNAL_SOCKET, JournalWriter, encode_field};
