//! Secrets: how one is given to a container, and what the key protects that it is encrypted with.

use crate::name::Name;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use std::fmt;
use std::str::FromStr;

/// The largest, in bytes. systemd decrypts nothing whose text is longer than 1179648 (its `CREDENTIAL_ENCRYPTED_SIZE_MAX`), which holds
/// four signs for three bytes, an end of a line after 79 of them, and what it is encrypted with, which a TPM makes longer.
pub const MAX: usize = 850 << 10;

/// How the file of a secret is called: encrypted, and in a folder that only root reads.
#[must_use]
pub fn file_name(secret: &Name) -> String {
    format!("{secret}{SUFFIX}")
}

/// The secret whose file is called so.
#[must_use]
pub fn of_file_name(file: &str) -> Option<Name> {
    file.strip_suffix(SUFFIX)?.parse().ok()
}

const SUFFIX: &str = ".cred";

/// A secret as a credential of a service or task: `NAME[,target=NAME]`. The program finds it as `$CREDENTIALS_DIRECTORY/TARGET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The secret.
    pub name: Name,
    /// What its file is called.
    pub target: String,
}

/// A text that gives no secret to a service.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` gives no secret: write NAME or NAME,target=NAME, in which letters, digits, -, _ and . may stand"
)]
pub struct CredentialError(String);

impl Credential {
    /// Checks what its file is called.
    ///
    /// # Errors
    /// When it can't be called so.
    pub fn validate(&self) -> Result<(), CredentialError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let target = &self.target;
        let good = !target.is_empty()
            && target.len() <= TARGET_MAX
            && !target.starts_with('.')
            && target.chars().all(plain);
        if good {
            Ok(())
        } else {
            Err(CredentialError(self.to_string().chars().take(80).collect()))
        }
    }
}

/// The longest name of a credential.
const TARGET_MAX: usize = 128;

impl FromStr for Credential {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<Self, CredentialError> {
        let wrong = || CredentialError(text.chars().take(80).collect());
        let (name, target) = match text.split_once(",target=") {
            Some((name, target)) => (name, target),
            None => (text, text),
        };
        let name = name.parse().map_err(|_| wrong())?;
        let credential = Self { name, target: target.to_owned() };
        credential.validate().map_err(|_| wrong())?;
        Ok(credential)
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},target={}", self.name, self.target)
    }
}

crate::serde_by_text!(Credential);

/// A secret as a file in a container: `NAME[,target=PATH][,uid=N][,gid=N][,mode=OCTAL]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMount {
    /// The secret.
    pub name: Name,
    /// Where it is found inside.
    pub target: String,
    /// Who owns it, inside.
    pub uid: u32,
    /// Which group does.
    pub gid: u32,
    /// Who may read it.
    pub mode: u32,
}

/// A text that gives no secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` gives no secret: write NAME[,target=PATH][,uid=N][,gid=N][,mode=0440]")]
pub struct SecretMountError(String);

impl FromStr for SecretMount {
    type Err = SecretMountError;

    fn from_str(text: &str) -> Result<Self, SecretMountError> {
        let wrong = || SecretMountError(text.chars().take(80).collect());
        let mut words = text.split(',');
        let name: Name = words.next().unwrap_or_default().parse().map_err(|_| wrong())?;
        let target = format!("/run/secrets/{name}");
        let mut mount = Self { name, target, uid: 0, gid: 0, mode: 0o444 };
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(wrong)?;
            match key {
                "target" => mount.target = target_of(value).ok_or_else(wrong)?,
                "uid" => mount.uid = id(value).ok_or_else(wrong)?,
                "gid" => mount.gid = id(value).ok_or_else(wrong)?,
                "mode" => mount.mode = mode(value).ok_or_else(wrong)?,
                _ => return Err(wrong()),
            }
        }
        Ok(mount)
    }
}

/// A path below the root; a word alone is one of `/run/secrets`.
fn target_of(text: &str) -> Option<String> {
    let whole =
        if text.starts_with('/') { text.to_owned() } else { format!("/run/secrets/{text}") };
    let parts_are_plain = whole[1..].split('/').all(|part| !matches!(part, "" | "." | ".."));
    let beneath = ["/proc", "/sys", "/dev"].iter().any(|top| {
        whole.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    (parts_are_plain && !beneath && !whole.contains(char::is_control)).then_some(whole)
}

/// Ids are those of the container: it has as many as a range.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id < crate::ids::IdRange::SIZE)
}

fn mode(text: &str) -> Option<u32> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    u32::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= 0o777)
}

impl fmt::Display for SecretMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},target={},uid={},gid={},mode=0{:03o}",
            self.name, self.target, self.uid, self.gid, self.mode
        )
    }
}

crate::serde_by_text!(SecretMount);

/// What is secret, on its way: nothing that prints a value of it shows it, and in JSON it is base64.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub Vec<u8>);

impl Hidden {
    /// As it is sent.
    #[must_use]
    pub fn encode(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// What was sent; nothing where that is no base64, or too large for a secret.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok().filter(|bytes| bytes.len() <= MAX).map(Self)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What a secret is encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// The host's key and its TPM: neither the disk nor another system on the machine suffices.
    HostAndTpm2,
    /// The TPM.
    Tpm2,
    /// The host's key, a file that only root reads: whoever has the whole disk has it.
    Host,
    /// Nothing worth the name, or what this Volt does not know.
    Unknown,
}

/// How an encrypted credential begins, by what it is encrypted with (`creds-util.h` of systemd).
const HEADERS: [([u8; 16], Protection); 5] = [
    (*b"\x5a\x1c\x6a\x86\xdf\x9d\x40\x96\xb1\xd5\xa6\x5e\x08\x62\xf1\x9a", Protection::Host),
    (*b"\x0c\x7c\xc0\x7b\x11\x76\x45\x91\x9c\x4b\x0b\xea\x08\xbc\x20\xfe", Protection::Tpm2),
    (*b"\xfa\xf7\xeb\x93\x41\xe3\x41\x2c\xa1\xa4\x36\xf9\x5a\x29\x36\x2f", Protection::Tpm2),
    (*b"\x93\xa8\x94\x09\x48\x74\x44\x90\x90\xca\xf2\xfc\x93\xca\xb5\x53", Protection::HostAndTpm2),
    (*b"\xaf\x49\x50\xbe\x49\x13\x4e\xb1\xa7\x38\x46\x30\x4d\xf3\x0a\x65", Protection::HostAndTpm2),
];

impl Protection {
    /// What the beginning of an encrypted credential, which is base64, tells.
    #[must_use]
    pub fn of(credential: &[u8]) -> Self {
        let begin = credential.get(..24).and_then(|begin| STANDARD.decode(begin).ok());
        let begin = begin.unwrap_or_default();
        let known = HEADERS.iter().find(|(header, _)| begin.starts_with(header));
        known.map_or(Self::Unknown, |(_, protection)| *protection)
    }

    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostAndTpm2 => "host+tpm2",
            Self::Tpm2 => "tpm2",
            Self::Host => "host",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_said_and_what_is_not() {
        let plain: SecretMount = "db-password".parse().unwrap();
        assert_eq!(
            plain.to_string(),
            "db-password,target=/run/secrets/db-password,uid=0,gid=0,mode=0444"
        );
        let all: SecretMount = "key,target=/etc/tls/key,uid=33,gid=33,mode=0400".parse().unwrap();
        assert_eq!(
            (all.target.as_str(), all.uid, all.gid, all.mode),
            ("/etc/tls/key", 33, 33, 0o400)
        );
        let word: SecretMount = "key,target=tls.key".parse().unwrap();
        assert_eq!(word.target, "/run/secrets/tls.key");
        for bad in [
            "",
            "A",
            "key,",
            "key,target=",
            "key,target=/a/../b",
            "key,target=/proc/x",
            "key,uid=-1",
            "key,uid=65536",
            "key,mode=9",
            "key,mode=7777",
            "key,what=1",
            "key,target=/a\nb",
        ] {
            assert!(bad.parse::<SecretMount>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn credentials_have_plain_names() {
        let plain: Credential = "db-password".parse().unwrap();
        assert_eq!(plain.to_string(), "db-password,target=db-password");
        let named: Credential = "db-password,target=PGPASS.txt".parse().unwrap();
        assert_eq!((named.name.as_str(), named.target.as_str()), ("db-password", "PGPASS.txt"));
        assert_eq!(named.to_string().parse(), Ok(named));
        for bad in [
            "",
            "A",
            "a,target=",
            "a,target=..",
            "a,target=/x",
            "a,target=x:y",
            "a,target=%n",
            "a,uid=1",
            "a,target=x y",
        ] {
            assert!(bad.parse::<Credential>().is_err(), "{bad:?} was taken");
        }
        assert_eq!(of_file_name(&file_name(&plain.name)), Some(plain.name));
    }

    #[test]
    fn what_is_hidden_is_not_printed() {
        let hidden = Hidden(b"pass\0word".to_vec());
        assert_eq!(format!("{hidden:?}"), "(hidden)");
        assert_eq!(Hidden::decode(&hidden.encode()), Some(hidden));
        assert_eq!(Hidden::decode("!"), None);
    }

    #[test]
    fn headers() {
        let host = b"Whxqht+dQJax1aZeCGLxmiAAAAABAAAADAAAABAA";
        assert_eq!(Protection::of(host), Protection::Host);
        for (header, protection) in HEADERS {
            let text = STANDARD.encode([&header[..], &[0; 32]].concat());
            assert_eq!(Protection::of(text.as_bytes()), protection);
        }
        assert_eq!(Protection::of(b"plain"), Protection::Unknown);
    }

    proptest! {
        #[test]
        fn what_parses_prints_and_parses_to_the_same(text in "[a-z]{1,5}(,(target|uid|gid|mode)=[/a-z.0-7]{0,8}){0,4}|.{0,40}") {
            if let Ok(mount) = text.parse::<SecretMount>() {
                prop_assert_eq!(mount.to_string().parse(), Ok(mount));
            }
        }
    }
}
