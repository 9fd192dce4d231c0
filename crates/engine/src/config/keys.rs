//! The table of keys: name, type, what each is for. A test holds it against the model's `Config`.

use crate::error::{Error, Result};
use serde_json::Value;
use volt_model::config::nearest;
use volt_model::container::Backend;
use volt_model::kind::ErrorKind;
use volt_model::size::Bytes;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number, not below 0 and not above this.
    Number(u64),
    /// A size such as `64G`.
    Size,
    /// A URL that debootstrap can fetch from, or nothing.
    Mirror,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `none`, `host` or a network.
    Network,
    /// Internet addresses.
    Addresses,
    /// A registry: its host, with a port where it has one.
    Registry,
    /// Several of them.
    Registries,
    /// `true` or `false`.
    Switch,
}

impl Kind {
    /// Whether it is a list, written with commas.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::Addresses | Self::Registries)
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Section and key, with a dot between.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) kind: Kind,
    /// What it is for.
    pub(super) description: &'static str,
}

/// The words for a backend; nothing takes what the host can do.
const BACKENDS: [&str; 1 + Backend::ALL.len()] = {
    let mut words = [""; 1 + Backend::ALL.len()];
    let mut at = 0;
    while at < Backend::ALL.len() {
        words[1 + at] = Backend::ALL[at].as_str();
        at += 1;
    }
    words
};

/// All keys, in the order in which they are shown.
pub(super) const KEYS: [Key; 11] = [
    Key {
        name: "daemon.idle_seconds",
        kind: Kind::Number(u64::MAX),
        description: "Seconds without a request after which the daemon leaves",
    },
    Key {
        name: "daemon.log_level",
        kind: Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        description: "What goes to daemon.log: error, warn, info, debug or trace",
    },
    Key {
        name: "container.backend",
        kind: Kind::Choice(&BACKENDS),
        description: "The backend that runs containers; empty takes what the host can do",
    },
    Key {
        name: "container.network",
        kind: Kind::Network,
        description: "The network of a container where nothing else is said: none, host or a network",
    },
    Key {
        name: "container.stop_timeout",
        kind: Kind::Number(u32::MAX as u64),
        description: "Seconds between the stop signal and the kill",
    },
    Key {
        name: "container.dns",
        kind: Kind::Addresses,
        description: "Name servers written into resolv.conf; empty takes the host's",
    },
    Key {
        name: "image.mirror",
        kind: Kind::Mirror,
        description: "The Debian mirror that `image pull debian` uses; empty takes the host's",
    },
    Key {
        name: "image.max_size",
        kind: Kind::Size,
        description: "The largest image, unpacked, and the most that is read of a container for a snapshot",
    },
    Key {
        name: "image.registry",
        kind: Kind::Registry,
        description: "The registry that names without one mean",
    },
    Key {
        name: "image.insecure_registries",
        kind: Kind::Registries,
        description: "Registries that may be spoken to without TLS; those on this host always may",
    },
    Key {
        name: "image.keep_blobs",
        kind: Kind::Switch,
        description: "Whether what was pulled is kept as it was, to be pushed again just so",
    },
];

impl Key {
    /// The key of that name.
    pub(super) fn find(name: &str) -> Result<&'static Self> {
        KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
            let error = Error::new(
                ErrorKind::NotFound,
                format!("There is no key `{name}` in the configuration"),
            )
            .about(&name);
            match nearest(name, KEYS.iter().map(|key| key.name)) {
                Some(near) => error.hinted(format!("Did you mean `{near}`?")),
                None => error.hinted("`volt config show` lists all keys"),
            }
        })
    }

    /// Its section and its name within it.
    pub(super) fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').expect("every key of the table has one dot")
    }

    /// Its place in a JSON tree.
    pub(super) fn pointer(&self) -> String {
        format!("/{}", self.name.replace('.', "/"))
    }

    /// Reads a text as what the key holds; a list is written with commas.
    pub(super) fn read(&self, text: &str) -> Result<Value> {
        let text = text.trim();
        let value = match self.kind {
            Kind::Number(_) => Value::from(text.parse::<u64>().map_err(|_| self.wrong(text))?),
            Kind::Size => {
                text.parse::<Bytes>().map_err(|e| self.wrong(text).because(e))?;
                Value::from(text)
            }
            Kind::Switch => Value::from(text.parse::<bool>().map_err(|_| self.wrong(text))?),
            Kind::Mirror | Kind::Choice(_) | Kind::Network | Kind::Registry => Value::from(text),
            Kind::Addresses | Kind::Registries => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(Value::from)
                .collect(),
        };
        self.check(&value)?;
        Ok(value)
    }

    /// Refuses a value that its type allows and its meaning doesn't.
    pub(super) fn check(&self, value: &Value) -> Result<()> {
        let fine = match self.kind {
            Kind::Number(most) => value.as_u64().is_some_and(|n| n <= most),
            Kind::Size => {
                value.as_str().is_some_and(|s| s.parse::<Bytes>().is_ok_and(|size| size.0 > 0))
            }
            Kind::Mirror => {
                value.as_str().is_some_and(|s| s.is_empty() || volt_store::is_mirror(s))
            }
            Kind::Choice(words) => value.as_str().is_some_and(|s| words.contains(&s)),
            Kind::Network => value.as_str().is_some_and(is_network),
            Kind::Addresses => value.as_array().is_some_and(|all| all.iter().all(is_address)),
            Kind::Switch => value.is_boolean(),
            Kind::Registry => is_registry(value),
            Kind::Registries => value.as_array().is_some_and(|all| all.iter().all(is_registry)),
        };
        if fine { Ok(()) } else { Err(self.wrong(&shown(value))) }
    }

    fn wrong(&self, text: &str) -> Error {
        let wanted = match self.kind {
            Kind::Number(u64::MAX) => "a whole number".to_owned(),
            Kind::Number(most) => format!("a whole number up to {most}"),
            Kind::Switch => "`true` or `false`".to_owned(),
            Kind::Size => "a size above 0 such as 64G".to_owned(),
            Kind::Mirror => {
                "a URL that begins with http://, https:// or file:/, or nothing".to_owned()
            }
            Kind::Choice(words) => {
                let words: Vec<String> = words
                    .iter()
                    .map(|w| if w.is_empty() { "nothing".into() } else { format!("`{w}`") })
                    .collect();
                format!("one of {}", words.join(", "))
            }
            Kind::Network => "`none`, `host` or the name of a network".to_owned(),
            Kind::Addresses => {
                "a list of internet addresses such as 192.0.2.1,192.0.2.2".to_owned()
            }
            Kind::Registry => "a registry such as registry.example or localhost:5000".to_owned(),
            Kind::Registries => {
                "a list of registries such as registry.example,10.0.0.2:5000".to_owned()
            }
        };
        let text: String = text.chars().take(80).collect();
        Error::new(
            ErrorKind::InvalidConfig,
            format!("`{text}` can't be the value of {}", self.name),
        )
        .about(&self.name)
        .hinted(format!("It must be {wanted}"))
    }
}

fn is_network(text: &str) -> bool {
    volt_model::net::connections(&[text.to_owned()]).is_ok()
}

fn is_address(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}

/// Whether it could stand before the first slash of an image's name.
fn is_registry(value: &Value) -> bool {
    value.as_str().is_some_and(|host| {
        !host.contains('/') && format!("{host}/a").parse::<volt_model::image::ImageRef>().is_ok()
    })
}

/// A value as a person would write it on the command line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
