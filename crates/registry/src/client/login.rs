//! Whether a registry knows an account.

use super::ask::Ask;
use super::{Access, Client};
use crate::error::Result;
use volt_model::registry::Remote;

impl Client {
    /// Asks a registry to let in whoever the settings say we are there. False where it lets everybody in without a look.
    ///
    /// # Errors
    /// `Denied` where the account is not known; when the registry can't be asked.
    pub fn login(&self, host: &str) -> Result<bool> {
        let remote =
            Remote { host: host.to_owned(), repository: String::new(), reference: String::new() };
        let ask = Ask { remote: &remote, access: Access::Pull, what: "access" };
        self.ask(&ask, "", &|http, url| http.get(url))?;
        Ok(self.is_known(&ask))
    }
}
