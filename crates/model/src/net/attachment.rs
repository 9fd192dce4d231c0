//! How a workload is to be connected: `--network NAME[:ip=ADDRESS][:mac=ADDRESS][:alias=NAME]…`, or `none`, `host` or `container:NAME` alone.

use super::{Alias, Mac};
use crate::container::Network as Whose;
use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// How a workload is to be connected to a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The network.
    pub network: Name,
    /// The IPv4 address that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<Ipv4Addr>,
    /// The hardware address that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Further names for it in this network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
}

impl Attachment {
    /// A connection with nothing particular about it.
    #[must_use]
    pub fn to(network: Name) -> Self {
        Self { network, ip: None, mac: None, aliases: Vec::new() }
    }
}

/// The container whose network `container:NAME` is. (A network may be called `container`; what comes behind it has a `=`.)
fn of_container(word: &str) -> Option<Name> {
    word.strip_prefix("container:")?.parse().ok()
}

/// A text that connects to nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is no network: {reason}")]
pub struct AttachmentError {
    text: String,
    reason: String,
}

impl AttachmentError {
    fn new(text: &str, reason: impl fmt::Display) -> Self {
        Self { text: text.chars().take(80).collect(), reason: reason.to_string() }
    }
}

impl FromStr for Attachment {
    type Err = AttachmentError;

    fn from_str(text: &str) -> Result<Self, AttachmentError> {
        let wrong = |reason: &dyn fmt::Display| AttachmentError::new(text, reason);
        let mut parts = text.split(':');
        let network = parts.next().unwrap_or_default().parse().map_err(|e| wrong(&e))?;
        let mut attachment = Self::to(network);
        for part in parts {
            match part.split_once('=') {
                Some(("ip", ip)) if attachment.ip.is_none() => {
                    attachment.ip =
                        Some(ip.parse().map_err(|_| wrong(&"its ip is no IPv4 address"))?);
                }
                // A colon begins the next part.
                Some(("mac", mac)) if attachment.mac.is_none() => {
                    let mac = mac.replace('-', ":").parse().map_err(|e| wrong(&e))?;
                    attachment.mac = Some(mac);
                }
                Some(("alias", alias)) => {
                    attachment.aliases.push(alias.parse().map_err(|e| wrong(&e))?);
                }
                _ => {
                    return Err(wrong(
                        &"behind the name comes ip=ADDRESS or mac=ADDRESS once, or alias=NAME",
                    ));
                }
            }
        }
        Ok(attachment)
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.network.as_str())?;
        if let Some(ip) = self.ip {
            write!(f, ":ip={ip}")?;
        }
        if let Some(mac) = self.mac {
            write!(f, ":mac={}", mac.to_string().replace(':', "-"))?;
        }
        self.aliases.iter().try_for_each(|alias| write!(f, ":alias={alias}"))
    }
}

/// What the words of `--network` say together.
///
/// # Errors
/// When one can't be read, `none`, `host` or `container:NAME` is not alone, or a network is named twice.
pub fn connections(words: &[String]) -> Result<(Whose, Vec<Attachment>), AttachmentError> {
    match words {
        [word] if word == "none" => return Ok((Whose::None, Vec::new())),
        [word] if word == "host" => return Ok((Whose::Host, Vec::new())),
        [word] => {
            if let Some(other) = of_container(word) {
                return Ok((Whose::Container(other), Vec::new()));
            }
        }
        _ => {}
    }
    let mut all: Vec<Attachment> = Vec::new();
    for word in words {
        if word == "none" || word == "host" || of_container(word).is_some() {
            return Err(AttachmentError::new(word, "it can't be had beside others"));
        }
        let one: Attachment = word.parse()?;
        if all.iter().any(|other| other.network == one.network) {
            return Err(AttachmentError::new(word, "it is named twice"));
        }
        all.push(one);
    }
    Ok((Whose::None, all))
}
