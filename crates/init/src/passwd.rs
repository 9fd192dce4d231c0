//! Looking up a user in the image's own `/etc/passwd` and `/etc/group`, without the image's libraries.
//!
//! The files belong to the image and are not trusted: they are read up to a bound, and lines that are not understood
//! are passed over.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::spec::User;

/// The most that is read of either file, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// A user with everything that running as them needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory; `/` for users the image does not know.
    pub home: String,
}

/// Who was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// No such user in `/etc/passwd`.
    User(String),
    /// No such group in `/etc/group`.
    Group(String),
}

impl fmt::Display for LookupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(out, "the image's /etc/passwd has no user {name:?}"),
            Self::Group(name) => write!(out, "the image's /etc/group has no group {name:?}"),
        }
    }
}

impl std::error::Error for LookupError {}

/// Looks the user of a spec up in the files of the running root, with the groups that it has besides.
///
/// # Errors
///
/// A name that the image does not know.
pub fn resolve(user: &User, add_groups: &[String]) -> Result<Account, LookupError> {
    let group = || text(Path::new("/etc/group"));
    let mut account = find(user, &text(Path::new("/etc/passwd")), group)?;
    if !add_groups.is_empty() {
        add(&mut account, add_groups, &group())?;
    }
    Ok(account)
}

fn add(account: &mut Account, add_groups: &[String], group: &str) -> Result<(), LookupError> {
    for wanted in add_groups {
        let gid = group_id(group, wanted)?;
        if !account.groups.contains(&gid) {
            account.groups.push(gid);
        }
    }
    Ok(())
}

/// Looks a user up in given texts; `group` is only asked for when it is needed.
///
/// # Errors
///
/// A name that the texts do not have.
pub fn find(
    user: &User,
    passwd: &str,
    group: impl FnOnce() -> String,
) -> Result<Account, LookupError> {
    let name = match user {
        User::Ids { uid, gid, groups } => {
            let home = entries(passwd).find(|entry| entry.uid == *uid).map(|entry| entry.home);
            let home = home.unwrap_or("/").to_owned();
            return Ok(Account { uid: *uid, gid: *gid, groups: groups.clone(), home });
        }
        User::Named(name) => name,
    };
    let (who, wanted_group) = match name.split_once(':') {
        Some((who, group)) => (who, Some(group).filter(|group| !group.is_empty())),
        None => (name.as_str(), None),
    };
    let who = if who.is_empty() { "0" } else { who };
    // A name that is all digits is still a name first, as for every other tool.
    let number = who.parse::<u32>().ok();
    let entry = entries(passwd)
        .find(|entry| entry.name == who)
        .or_else(|| entries(passwd).find(|entry| Some(entry.uid) == number));
    let uid = entry.as_ref().map(|entry| entry.uid).or(number);
    let uid = uid.ok_or_else(|| LookupError::User(who.to_owned()))?;
    let group = group();
    let (gid, groups) = match wanted_group {
        Some(wanted) => (group_id(&group, wanted)?, Vec::new()),
        None => (
            entry.as_ref().map_or(0, |entry| entry.gid),
            entry.as_ref().map_or_else(Vec::new, |entry| memberships(&group, entry.name)),
        ),
    };
    let home = entry.map_or("/", |entry| entry.home).to_owned();
    Ok(Account { uid, gid, groups, home })
}

/// The first bytes of a file, or nothing where it is not there or not an ordinary file.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    // Not blocking: the image may have put a FIFO there.
    let open = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    if let Ok(file) = open
        && file.metadata().is_ok_and(|data| data.is_file())
        && file.take(MAX_FILE).read_to_end(&mut bytes).is_err()
    {
        bytes.clear();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn entries(passwd: &str) -> impl Iterator<Item = Entry<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        let home = fields.nth(1).filter(|home| home.starts_with('/')).unwrap_or("/");
        Some(Entry { name, uid, gid, home })
    })
}

fn group_lines(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        Some((name, fields.nth(1)?.parse().ok()?, fields.next().unwrap_or("")))
    })
}

fn group_id(group: &str, wanted: &str) -> Result<u32, LookupError> {
    group_lines(group)
        .find(|(name, ..)| *name == wanted)
        .map(|(_, gid, _)| gid)
        .or_else(|| wanted.parse().ok())
        .ok_or_else(|| LookupError::Group(wanted.to_owned()))
}

fn memberships(group: &str, user: &str) -> Vec<u32> {
    let mut found: Vec<u32> = group_lines(group)
        .filter(|(_, _, members)| members.split(',').any(|member| member == user))
        .map(|(_, gid, _)| gid)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7:7::/:\n\
        www-data:x:33:33:www:/var/www:/usr/sbin/nologin\n1000:x:1234:1235::relative:\napp:x:1000:1001::/home/app:/bin/sh\n";
    const GROUP: &str =
        "root:x:0:\nadm:x:4:app,www-data\nvideo:x:44:app\nweird:x:\nstaff:x:50:ap\n";

    fn named(name: &str) -> Result<Account, LookupError> {
        find(&User::Named(name.into()), PASSWD, || GROUP.into())
    }

    #[test]
    fn names_and_numbers_are_found() {
        let cases: [(&str, u32, u32, &[u32], &str); 9] = [
            ("root", 0, 0, &[], "/root"),
            ("", 0, 0, &[], "/root"),
            ("app", 1000, 1001, &[4, 44], "/home/app"),
            ("app:adm", 1000, 4, &[], "/home/app"),
            ("www-data:7", 33, 7, &[], "/var/www"),
            ("33", 33, 33, &[4], "/var/www"),
            ("1000", 1234, 1235, &[], "/"),
            ("4242", 4242, 0, &[], "/"),
            ("4242:4343", 4242, 4343, &[], "/"),
        ];
        for (name, uid, gid, groups, home) in cases {
            let expected = Account { uid, gid, groups: groups.to_vec(), home: home.into() };
            assert_eq!(named(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn groups_are_added_once() {
        let mut account = named("app").unwrap();
        let more = ["staff", "adm", "777"].map(str::to_owned);
        add(&mut account, &more, GROUP).unwrap();
        assert_eq!(account.groups, [4, 44, 50, 777]);
        let none = ["none".to_owned()];
        assert_eq!(add(&mut account, &none, GROUP), Err(LookupError::Group("none".into())));
    }

    #[test]
    fn who_is_not_there_is_named() {
        assert_eq!(named("nobody"), Err(LookupError::User("nobody".into())));
        assert_eq!(named("app:nogroup"), Err(LookupError::Group("nogroup".into())));
        assert_eq!(named("-1"), Err(LookupError::User("-1".into())));
    }

    #[test]
    fn given_numbers_only_take_the_home() {
        let user = User::Ids { uid: 33, gid: 5, groups: vec![6] };
        let account = find(&user, PASSWD, || panic!("the groups are not needed")).unwrap();
        let expected = Account { uid: 33, gid: 5, groups: vec![6], home: "/var/www".into() };
        assert_eq!(account, expected);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(passwd in "\\PC{0,200}", group in "\\PC{0,200}", name in "\\PC{0,20}") {
            drop(find(&User::Named(name), &passwd, || group));
        }
    }
}
