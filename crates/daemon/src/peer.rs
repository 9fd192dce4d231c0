//! Who is at the other end of a connection, as the kernel says; what they may do is decided in `auth`.

use crate::auth::GROUP;
use std::fmt;
use std::io;
use volt_host::peer;

/// Groups whose members systemd lets read the journal.
const JOURNAL_GROUPS: [&str; 2] = ["systemd-journal", "adm"];

/// The caller, by the credentials the kernel keeps of the connection (or of this process, when embedded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
    /// The supplementary group ids.
    pub groups: Vec<u32>,
    /// The user's name; the number as text where no name is known.
    pub name: String,
    /// Whether one of the groups is `volt`.
    pub member: bool,
    /// Whether one of the groups may read the host's journal.
    pub reads_journal: bool,
}

impl Peer {
    /// Whether it is root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether it may manage containers: root or a member of the group `volt`.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.is_root() || self.member
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.uid)
    }
}

impl Peer {
    /// The other end of a socket.
    ///
    /// # Errors
    /// When the kernel doesn't say.
    pub async fn of_socket(stream: &tokio::net::UnixStream) -> io::Result<Self> {
        let found = peer::Peer::of(stream)?;
        if found.uid == 0 {
            return Ok(Self::named(found));
        }
        // Who is not in the host's own files is asked for by a program.
        tokio::task::spawn_blocking(|| Self::named(found)).await.map_err(io::Error::other)
    }

    /// This process itself.
    ///
    /// # Errors
    /// When the kernel doesn't say.
    pub fn myself() -> io::Result<Self> {
        peer::Peer::myself().map(Self::named)
    }

    fn named(found: peer::Peer) -> Self {
        let name =
            if found.uid == 0 { Some("root".to_owned()) } else { peer::user_name(found.uid) };
        // root needs no group, and every look into the database takes time.
        let is_in = |group: &str| {
            found.uid != 0 && peer::group_id(group).is_some_and(|gid| found.is_in(gid))
        };
        let (member, reads_journal) = (is_in(GROUP), JOURNAL_GROUPS.iter().any(|g| is_in(g)));
        Self {
            name: name.unwrap_or_else(|| found.uid.to_string()),
            uid: found.uid,
            gid: found.gid,
            groups: found.groups,
            member,
            reads_journal,
        }
    }
}
