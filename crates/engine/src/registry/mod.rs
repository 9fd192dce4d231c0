//! Other hosts' registries: asking them, with what the configuration says and who the caller is.

mod login;
mod send;
mod shelf;

pub use login::Known;
pub use send::Sent;
pub(crate) use send::{Parcel, send};
pub(crate) use shelf::Repository;

use crate::error::{Error, Result};
use crate::{Engine, Progress};
use volt_model::registry::{Account, Credentials};
use volt_registry::{Client, IsOver, Settings};

impl Engine {
    /// Asks registries. `account` is the caller's, with the registry whose it is: no other is shown it.
    pub(crate) fn registry_client(
        &self,
        account: Option<(String, Account)>,
        is_over: IsOver,
    ) -> Result<Client> {
        let config = self.config()?.image;
        let mut credentials = Credentials::default();
        if let Some((registry, account)) = account {
            credentials.insert(&registry, account);
        }
        let (insecure, mirrors) = (config.insecure_registries, config.registry_mirrors);
        Ok(Client::new(Settings { credentials, insecure, mirrors, is_over })?)
    }
}

/// Whether nobody waits for an operation any more, as a client asks it.
pub(crate) fn over(progress: &dyn Progress) -> IsOver {
    let is_over = progress.cancellation();
    IsOver::new(move || is_over())
}

impl From<volt_registry::Error> for Error {
    fn from(error: volt_registry::Error) -> Self {
        let text = error.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        Self::new(error.kind(), first.into_iter().chain(letters).collect::<String>())
    }
}
