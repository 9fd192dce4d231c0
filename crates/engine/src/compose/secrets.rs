//! Secrets that belong to a stack: kept encrypted among all others, and removed with it.
//!
//! ```text
//! etc/volt/secrets/STACK-KEY.cred        as of any secret
//! var/lib/volt/stacks/NAME/secrets.json  which are the stack's own, and what tells their content; root's alone
//! ```
//! What tells the content is a hash with a key of the stack, so that an `up` sees a change without decrypting anything, and nobody who
//! reads a container's labels can try out what the secret may be. What tells a workload from another has that key too, for its variables.

use super::Up;
use super::check::Refused;
use crate::Engine;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;
use volt_compose::stack::{AssetSource, External};
use volt_compose::{Stack, hash, names};
use volt_host::files;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::secret::{Hidden, MAX};

/// The most the file may hold, in bytes.
const MAX_FILE: usize = 1 << 20;

/// What `secrets.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owned {
    /// The format: 1.
    version: u32,
    /// What the hashes are made with, of secrets, workloads and files of configuration.
    key: [u8; 32],
    /// By their names on the host, what tells their content; nothing of one that was being written when a command was killed.
    pub(super) secrets: BTreeMap<Name, String>,
}

/// A secret as it was before an `up`: none, or encrypted with what tells its content.
pub(super) type Before = Option<(Vec<u8>, String)>;

impl Engine {
    fn owned_path(&self, stack: &Name) -> PathBuf {
        self.stack_dir(stack).join("secrets.json")
    }

    /// The secrets that belong to a stack.
    pub(super) fn owned_secrets(&self, stack: &Name) -> Result<Option<Owned>> {
        match files::read_json::<Owned>(&self.owned_path(stack), MAX_FILE) {
            Ok(owned) if owned.version == 1 => Ok(Some(owned)),
            Ok(_) => Err(super::unreadable(stack)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                Err(super::unreadable(stack).because(e))
            }
            Err(e) => Err(Error::from(e).about(stack)),
        }
    }

    /// The same, where it may be that this user must not see them.
    pub(super) fn have_secrets(&self, stack: &Name) -> Result<BTreeMap<String, String>> {
        let owned = match self.owned_secrets(stack) {
            Err(error) if error.kind == ErrorKind::Permission => None,
            read => read?,
        };
        let all = owned.map(|owned| owned.secrets).unwrap_or_default().into_iter();
        let there = all.filter(|(name, _)| self.secret_path(name).exists());
        Ok(there.map(|(name, mark)| (name.to_string(), mark)).collect())
    }

    fn save_owned(&self, stack: &Name, owned: &Owned) -> Result<()> {
        Ok(files::write_json(&self.owned_path(stack), owned, 0o600)?)
    }

    /// What tells the content of the secrets that services have, by key: of what was sent along, else of what is there. One that is there
    /// and not the stack's is refused, and one of which there is no content.
    pub(super) fn secret_marks(
        &self,
        stack: &Stack,
        up: &Up,
        (owned, used): (&Owned, &BTreeSet<String>),
        refused: &mut Refused,
    ) -> BTreeMap<String, String> {
        let mut marks = BTreeMap::new();
        for (key, secret) in &stack.secrets {
            if secret.external() == External::Yes {
                continue;
            }
            let mut refuse = |error| refused.push((format!("secrets.{key}"), error));
            if matches!(&secret.source, AssetSource::Content(text) if !text.is_empty()) {
                let title =
                    format!("The content of the secret {key} is in the document of the stack");
                refuse(
                    Error::new(ErrorKind::InvalidConfig, title)
                        .about(key)
                        .hinted("Send it beside the document, in `secrets`"),
                );
                continue;
            }
            let name = names::of_secret(stack, key);
            let there = self.secret_path(&name).exists();
            let known = owned.secrets.get(&name);
            if there && known.is_none() && used.contains(key) {
                refuse(not_ours(key, &name));
                continue;
            }
            match (up.secrets.get(key), known.filter(|_| there)) {
                (Some(content), _) => {
                    drop(marks.insert(key.clone(), owned.hash(&content.0)));
                }
                (None, Some(mark)) => drop(marks.insert(key.clone(), mark.clone())),
                (None, None) if used.contains(key) => {
                    let title = format!("Nothing says what the secret {key} of the stack is");
                    refuse(Error::new(ErrorKind::NotFound, title).about(key));
                }
                (None, None) => {}
            }
        }
        marks
    }

    /// Writes which secrets are a stack's own, where that isn't written yet.
    pub(super) fn keep_owned(&self, stack: &Name, owned: &Owned) -> Result<()> {
        match self.owned_secrets(stack)? {
            Some(_) => Ok(()),
            None => {
                files::create_dirs(&self.stack_dir(stack), 0o755)?;
                self.save_owned(stack, owned)
            }
        }
    }

    /// Makes a secret of a stack, or gives it another content. What it was before.
    pub(super) fn put_secret(
        &self,
        stack: &Name,
        name: &Name,
        (owned, content): (&mut Owned, &Hidden),
    ) -> Result<Before> {
        let before = match files::read_bounded(&self.secret_path(name), 4 * MAX) {
            Ok(credential) => {
                Some((credential, owned.secrets.get(name).cloned().unwrap_or_default()))
            }
            Err(e) if e.is_not_found() => None,
            Err(e) => return Err(e.into()),
        };
        // Whoever finds nothing here knows that it must be written again.
        owned.secrets.insert(name.clone(), String::new());
        self.save_owned(stack, owned)?;
        drop(self.secret_write(name, true, &mut content.0.as_slice(), Some(stack))?);
        owned.secrets.insert(name.clone(), owned.hash(&content.0));
        self.save_owned(stack, owned)?;
        Ok(before)
    }

    /// Makes a secret of a stack what it was before.
    pub(super) fn put_secret_back(&self, stack: &Name, name: &Name, before: Before) -> Result<()> {
        let Some((credential, mark)) = before else {
            return self.drop_secret(stack, name);
        };
        let _lock = self.lock_secret(name)?;
        files::write_atomic(&self.secret_path(name), &credential, 0o600)?;
        let Some(mut owned) = self.owned_secrets(stack)? else { return Ok(()) };
        owned.secrets.insert(name.clone(), mark);
        self.save_owned(stack, &owned)
    }

    /// Removes a secret of a stack.
    pub(super) fn drop_secret(&self, stack: &Name, name: &Name) -> Result<()> {
        match self.secret_delete(name) {
            Err(error) if error.kind != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let Some(mut owned) = self.owned_secrets(stack)? else { return Ok(()) };
        if owned.secrets.remove(name).is_some() {
            self.save_owned(stack, &owned)?;
        }
        Ok(())
    }

    /// Removes the secrets of a stack that its file doesn't have any more, and no workload either.
    pub(super) fn sweep_secrets(&self, stack: &Stack) -> Result<()> {
        let Some(owned) = self.owned_secrets(&stack.name)? else { return Ok(()) };
        let wanted: BTreeSet<Name> =
            stack.secrets.keys().map(|key| names::of_secret(stack, key)).collect();
        for name in owned.secrets.keys().filter(|name| !wanted.contains(*name)) {
            match self.drop_secret(&stack.name, name) {
                Err(error) if error.kind != ErrorKind::Conflict => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Owned {
    /// What tells this content from others, to nobody without the key.
    pub(super) fn hash(&self, content: &[u8]) -> String {
        hash::with_key(&self.key, content)
    }

    /// None yet, with a key of its own.
    pub(super) fn none() -> Result<Self> {
        let mut key = [0; 32];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut key))
            .map_err(|e| {
                Error::new(ErrorKind::General, "There is no randomness for a key").because(e)
            })?;
        Ok(Self { version: 1, key, secrets: BTreeMap::new() })
    }
}

/// The secrets that these services have, by key.
pub(super) fn used(stack: &Stack, services: &BTreeSet<String>) -> BTreeSet<String> {
    let chosen = stack.services.iter().filter(|(key, _)| services.contains(*key));
    let grants = chosen.flat_map(|(_, service)| service.secrets());
    grants.map(|grant| grant.source.clone()).collect()
}

fn not_ours(key: &str, name: &Name) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("There is a secret named {name} already"))
        .about(name)
        .hinted(format!(
            "It is not the stack's: say `external: true` under secrets.{key} to use it, or another `name:`"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::read;

    #[test]
    fn what_everybody_sees_of_a_workload_takes_the_key_to_try_out() {
        let text = "name: shop\nservices:\n  web: {image: x, environment: {PASSWORD: a}}\n  work: {exec: /bin/true, environment: {PASSWORD: a}}\n";
        let stack = read(&"shop".parse().unwrap(), text).unwrap();
        let none = BTreeMap::new();
        let hashes =
            |owned: &Owned| Engine::stack_hashes(&stack, &BTreeMap::new(), owned, (&none, &none));
        let (one, other) = (Owned::none().unwrap(), Owned::none().unwrap());
        assert_eq!(hashes(&one), hashes(&one));
        for key in ["web", "work"] {
            let plain = hash::of_service(&stack, key, &[]);
            assert_ne!(hashes(&one)[key], plain, "{key}");
            assert_ne!(hashes(&one)[key], hashes(&other)[key], "{key}");
        }
    }
}
