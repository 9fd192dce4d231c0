//! Whether a registry knows an account. The account itself is kept by whoever asks.

use crate::Engine;
use crate::error::{Error, Result};
use volt_model::kind::ErrorKind;
use volt_model::registry::{Account, host};
use volt_registry::IsOver;

/// An account that a registry let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The registry.
    pub registry: String,
    /// The name of the account.
    pub user: String,
    /// Whether the registry looked at it.
    pub is_checked: bool,
}

impl Engine {
    /// Asks a registry whether it knows an account.
    ///
    /// # Errors
    /// `Usage` for what is no registry or no account; `Permission` where the registry does not know it; `Network`.
    pub fn registry_login(&self, registry: &str, user: &str, password: &str) -> Result<Known> {
        let Some(registry) = host(registry) else {
            let shown: String = registry.chars().filter(|c| !c.is_control()).take(80).collect();
            let message = format!("`{shown}` is no registry");
            return Err(Error::new(ErrorKind::Usage, message)
                .hinted("Write its name, with its port where it has one: registry.example:5000"));
        };
        // A colon parts both on the wire.
        if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
            let message = "The name of an account is not empty and has no colon in it";
            return Err(Error::new(ErrorKind::Usage, message));
        }
        if password.is_empty() || password.contains(|c: char| c.is_control()) {
            let message = "A password is not empty and has no control characters in it";
            return Err(Error::new(ErrorKind::Usage, message));
        }
        let account = Account::Password { user: user.to_owned(), password: password.to_owned() };
        let client = self.registry_client(Some((registry.clone(), account)), IsOver::default())?;
        let is_checked = client.login(&registry).map_err(|error| match error {
            volt_registry::Error::Denied { .. } => {
                let message = format!("The registry {registry} does not know this account");
                Error::new(ErrorKind::Permission, message).about(&registry).hinted(
                    "Look at the name and the password; some registries want a token for it",
                )
            }
            volt_registry::Error::NotFound { .. } => {
                let message = format!("There is no registry at {registry}");
                Error::new(ErrorKind::Network, message).about(&registry)
            }
            other => Error::from(other).about(&registry),
        })?;
        Ok(Known { registry, user: user.to_owned(), is_checked })
    }
}
