//! The answer to a registry that asks who is there.
//!
//! Source: the token authentication specification of the distribution project.

use super::ask::Ask;
use super::{Auth, Client, reason};
use crate::challenge::Challenge;
use crate::error::{Error, Result};
use reqwest::Url;
use reqwest::blocking::Response;
use serde::Deserialize;
use std::io::Read as _;
use volt_model::registry::Account;
use volt_model::registry::is_loopback;

/// The longest answer that holds a token, in bytes.
const LIMIT: u64 = 1 << 20;
/// What we call ourselves to those who give tokens.
const CLIENT: &str = "volt";

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default, rename = "access_token")]
    access: String,
}

impl Client {
    /// What is to be sent; nothing where nothing would help.
    pub(super) fn answer(&self, ask: &Ask<'_>, challenges: &[Challenge]) -> Result<Option<Auth>> {
        let account = self.settings.credentials.account(&ask.remote.host, &ask.remote.repository);
        for challenge in challenges {
            match (challenge, account) {
                (Challenge::Bearer { realm, service, scope }, _) => {
                    let repository = &ask.remote.repository;
                    let own = format!("repository:{repository}:{}", ask.access.words());
                    let scope = scope.clone().unwrap_or(own);
                    let mut fields = vec![("service", service.as_deref().unwrap_or_default())];
                    // Who only wants to know whether an account is good asks for no right.
                    if !repository.is_empty() {
                        fields.push(("scope", &scope));
                    }
                    let token = self.token(ask, realm, &fields, account)?;
                    return Ok(Some(Auth::Bearer(token)));
                }
                (Challenge::Basic, Some(Account::Password { user, password })) => {
                    let (user, password) = (user.clone(), password.clone());
                    return Ok(Some(Auth::Basic { user, password }));
                }
                (Challenge::Basic, _) => {}
            }
        }
        Ok(None)
    }

    fn token(
        &self,
        ask: &Ask<'_>,
        realm: &str,
        fields: &[(&str, &str)],
        account: Option<&Account>,
    ) -> Result<String> {
        let host = &ask.remote.host;
        let url = self.realm(host, realm)?;
        let request = match account {
            Some(Account::Identity(token)) => {
                let grant = [
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT),
                    ("refresh_token", token),
                ];
                self.givers.post(url).form(&[&grant, fields].concat())
            }
            Some(Account::Password { user, password }) => self
                .http
                .get(url)
                .query(&[fields, &[("account", user)]].concat())
                .basic_auth(user, Some(password)),
            None => self.http.get(url).query(fields),
        };
        let response = self.answer_to(request)?.map_err(|error| Error::Unreachable {
            host: host.clone(),
            reason: format!("its giver of tokens: {}", reason(&error)),
        })?;
        let status = response.status();
        if status.is_client_error() {
            let (what, anonymous) = (ask.what.to_owned(), account.is_none());
            return Err(Error::Denied { host: host.clone(), what, anonymous });
        }
        if !status.is_success() {
            let reason = format!("its giver of tokens answers {}", status.as_u16());
            return Err(Error::Unreachable { host: host.clone(), reason });
        }
        read(response).map_err(|reason| wrong(host, reason))
    }

    /// The URL of the one who gives tokens.
    fn realm(&self, host: &str, realm: &str) -> Result<Url> {
        let url = Url::parse(realm).map_err(|_| wrong(host, "its giver has no URL".into()))?;
        // A password is not for everybody on the way.
        let is_private = url.scheme() == "https"
            || url.host_str().is_some_and(is_loopback)
            || self.settings.insecure.iter().any(|known| known == host);
        if is_private {
            return Ok(url);
        }
        let giver = url.host_str().unwrap_or("it");
        Err(wrong(host, format!("{giver} gives tokens without TLS")))
    }
}

fn wrong(host: &str, reason: String) -> Error {
    Error::Wrong { host: host.to_owned(), what: "token".into(), reason }
}

/// The token in an answer.
fn read(response: Response) -> std::result::Result<String, String> {
    let mut bytes = Vec::new();
    response.take(LIMIT).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let token: Token = serde_json::from_slice(&bytes).map_err(|_| "it is none".to_owned())?;
    let token = if token.token.is_empty() { token.access } else { token.token };
    if token.is_empty() || token.contains(char::is_control) {
        return Err("it is empty".into());
    }
    Ok(token)
}
