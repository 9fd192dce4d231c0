//! Who may ask for what: the three privileges of the table of operations, by peer credentials. Decides, never acts.

use crate::peer::Peer;
use volt_api::{Privilege, Problem};
use volt_model::kind::ErrorKind;

/// The group whose members may manage containers.
pub const GROUP: &str = "volt";

/// Whose installation is served, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The system's, by a process that is root: privileges are those of the peer.
    System,
    /// The system's, inside the process of a user who is not root and whom the kernel would stop anyway.
    Unaided,
    /// That of the user with this id, by a process of theirs: they may do everything.
    Own(u32),
}

impl Access {
    /// Whether `peer` may ask for an operation of this privilege.
    ///
    /// # Errors
    /// A problem of kind permission that says what to do about it.
    pub fn check(self, peer: &Peer, privilege: Privilege) -> Result<(), Problem> {
        match (self, privilege) {
            (_, Privilege::Read) => Ok(()),
            (Self::System, Privilege::Container) if peer.is_trusted() => Ok(()),
            (_, Privilege::Container | Privilege::Admin) if self.is_root(peer) => Ok(()),
            (Self::Own(_), _) => Err(refusal(
                "The folders of this Volt belong to another user",
                "Name folders of your own with `--root`, or leave `--root` away",
            )),
            (Self::Unaided, Privilege::Container) if peer.member => Err(refusal(
                "Only the Volt daemon can do this for you, and it does not answer",
                "Start it: `sudo systemctl start volt.socket`",
            )),
            (_, Privilege::Container) => Err(refusal(
                &format!("{} may not manage containers: this takes the group `{GROUP}`", peer.name),
                &format!(
                    "Join the group with `sudo usermod -aG {GROUP} {}` and log in again, or use sudo",
                    peer.name
                ),
            )),
            (_, Privilege::Admin) => Err(needs_root(peer, "this")),
        }
    }

    /// Whether `peer` may read what a unit of the host wrote to the journal.
    ///
    /// # Errors
    /// The refusal.
    pub fn check_journal(self, peer: &Peer, unit: &str) -> Result<(), Problem> {
        // Without root's rights the journal itself shows the caller what it shows everybody.
        if self != Self::System || peer.is_trusted() || peer.reads_journal {
            return Ok(());
        }
        Err(refusal(
            &format!("{} may not read the journal of {unit}", peer.name),
            &format!(
                "Join the group systemd-journal or {GROUP}, `sudo usermod -aG systemd-journal {}`, \
                 and log in again",
                peer.name
            ),
        ))
    }

    /// Whether `peer` may see environment values and whatever else is marked secret.
    #[must_use]
    pub fn sees_secrets(self, peer: &Peer) -> bool {
        self.is_root(peer) || (self == Self::System && peer.is_trusted())
    }

    /// Whether `peer` counts as root for what root alone may do within an operation.
    #[must_use]
    pub fn is_root(self, peer: &Peer) -> bool {
        self == Self::Own(peer.uid) || peer.is_root()
    }
}

/// The refusal of what only root may do.
#[must_use]
pub fn needs_root(peer: &Peer, what: &str) -> Problem {
    refusal(&format!("{} may not do this: {what} needs root", peer.name), "Use sudo")
}

fn refusal(title: &str, hint: &str) -> Problem {
    Problem::new(ErrorKind::Permission, title).hinted(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, member: bool) -> Peer {
        Peer {
            uid,
            gid: uid,
            groups: vec![],
            name: format!("u{uid}"),
            member,
            reads_journal: false,
        }
    }

    #[test]
    fn the_table_of_privileges() {
        use Access::{Own, System, Unaided};
        use Privilege::{Admin, Container, Read};
        // access, uid, member, then whether Read, Container, Admin and secrets are allowed.
        let table = [
            (System, 0, false, [true, true, true, true]),
            (System, 1000, true, [true, true, false, true]),
            (System, 1000, false, [true, false, false, false]),
            (Unaided, 1000, true, [true, false, false, false]),
            (Unaided, 1000, false, [true, false, false, false]),
            (Own(1000), 1000, false, [true, true, true, true]),
            (Own(1000), 1001, true, [true, false, false, false]),
            (Own(1000), 0, false, [true, true, true, true]),
        ];
        for (access, uid, member, [read, container, admin, secrets]) in table {
            let peer = peer(uid, member);
            let found = [Read, Container, Admin].map(|p| access.check(&peer, p).is_ok());
            assert_eq!(found, [read, container, admin], "{access:?} {uid} {member}");
            assert_eq!(access.sees_secrets(&peer), secrets, "{access:?} {uid} {member}");
        }
    }

    #[test]
    fn a_refusal_names_the_group_to_join() {
        let problem = Access::System.check(&peer(1000, false), Privilege::Container).unwrap_err();
        assert_eq!(problem.kind(), ErrorKind::Permission);
        assert!(problem.hint.unwrap().contains("sudo usermod -aG volt u1000"));
    }
}
