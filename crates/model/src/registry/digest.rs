//! Digests as OCI documents and registries write them, and checking bytes against one. Pure.
//!
//! Source: OCI image specification 1.1, "Digests".

use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use std::str::FromStr;

/// `sha256:` or `sha512:` and lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

/// The text is no [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no digest of SHA-256 or SHA-512")]
pub struct NoDigest(String);

impl Digest {
    /// The SHA-256 digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How it was made: `sha256` or `sha512`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// Its hex digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.split(':').next_back().unwrap_or_default()
    }

    /// Whether the bytes are those that it names.
    #[must_use]
    pub fn names(&self, bytes: &[u8]) -> bool {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish() == *self
    }

    /// What hashes as this digest was made.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        match self.algorithm() {
            "sha512" => Hasher::Sha512(Sha512::new()),
            _ => Hasher::default(),
        }
    }
}

/// Hashes piece by piece; by SHA-256 where nobody says how.
#[derive(Debug, Clone)]
pub enum Hasher {
    /// By SHA-256.
    Sha256(Sha256),
    /// By SHA-512.
    Sha512(Sha512),
}

impl Default for Hasher {
    fn default() -> Self {
        Self::Sha256(Sha256::new())
    }
}

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all of them.
    #[must_use]
    pub fn finish(self) -> Digest {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        Digest(match self {
            Self::Sha256(hasher) => format!("sha256:{}", hex(&hasher.finalize())),
            Self::Sha512(hasher) => format!("sha512:{}", hex(&hasher.finalize())),
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::serde_by_text!(Digest);

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let hex = match text.split_once(':') {
            Some(("sha256", hex)) if hex.len() == 64 => hex,
            Some(("sha512", hex)) if hex.len() == 128 => hex,
            _ => "",
        };
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if hex.is_empty() || !hex.bytes().all(is_hex) {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(NoDigest(shown));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_and_made() {
        let empty = Digest::of(b"");
        assert!(empty.as_str().starts_with("sha256:e3b0c442"));
        assert_eq!(empty.as_str().parse::<Digest>().unwrap(), empty);
        assert!(empty.names(b"") && !empty.names(b"x"));
        let long = format!("sha512:{}", "0".repeat(128)).parse::<Digest>().unwrap();
        assert!(!long.names(b"x"));
        assert_eq!((long.algorithm(), long.hex().len()), ("sha512", 128));
        let mut hasher = long.hasher();
        hasher.update(b"");
        let empty = hasher.finish();
        assert!(empty.as_str().starts_with("sha512:cf83e135") && empty.names(b""));
        for bad in [
            "",
            "sha256:",
            "sha256:AB",
            "md5:00",
            "sha256:../../x",
            &format!("sha256:{}", "G".repeat(64)),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
