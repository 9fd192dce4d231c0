//! Whether a registry knows an account. The account itself is kept by whoever asks.

use super::over;
use crate::error::{Error, Result};
use crate::{Engine, Progress};
use volt_model::kind::ErrorKind;
use volt_model::registry::{Account, host};

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
    /// `Usage` for what is no registry or no account; `Permission` where the registry does not know it; `Network`; `Interrupted`.
    pub fn registry_login(
        &self,
        registry: &str,
        (user, password): (&str, &str),
        progress: &dyn Progress,
    ) -> Result<Known> {
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
        let client = self.registry_client(Some((registry.clone(), account)), over(progress))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::engine;
    use std::io::{Read as _, Write as _};
    use std::sync::Arc;
    use std::time::{Duration, Instant};
    use volt_store::Cancellation;

    /// Who gives up at a moment.
    struct Until(Instant);

    impl Progress for Until {
        fn step(&self, _: &str) {}
        fn bytes(&self, _: u64, _: Option<u64>) {}

        fn cancellation(&self) -> Cancellation {
            let moment = self.0;
            Arc::new(move || Instant::now() > moment)
        }
    }

    #[test]
    fn nobody_has_to_wait_for_a_registry_that_has_no_time() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut client in server.incoming().flatten() {
                let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                drop(client.read(&mut [0; 4096]));
                drop(client.write_all(busy.as_bytes()));
            }
        });
        let (_dir, engine) = engine();
        let (begun, until) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let error = engine.registry_login(&at, ("joe", "secret"), &Until(until)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
        let passed = begun.elapsed();
        assert!(passed > Duration::from_secs(1) && passed < Duration::from_secs(20), "{passed:?}");
    }
}
