//! The tags of a repository.

use super::ask::Ask;
use super::{Access, Client};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::io::Read as _;
use volt_model::registry::Remote;

/// The longest list that is read, in bytes.
const LIMIT: u64 = 4 << 20;
/// How many tags are asked for.
const MANY: u32 = 1000;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Client {
    /// The first thousand tags of a repository; none where there is no such repository yet.
    ///
    /// # Errors
    /// When it can't be asked.
    pub fn tags(&self, remote: &Remote) -> Result<Vec<String>> {
        let ask = Ask { remote, access: Access::Pull, what: "tags" };
        let response =
            match self.ask(&ask, &format!("tags/list?n={MANY}"), &|http, url| http.get(url)) {
                Err(Error::NotFound { .. }) => return Ok(Vec::new()),
                response => response?,
            };
        let mut bytes = Vec::new();
        let wrong = |reason: String| {
            let (host, what) = (remote.host.clone(), "list of tags".to_owned());
            Error::Wrong { host, what, reason }
        };
        response.take(LIMIT).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        let list: List =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        Ok(list.tags.unwrap_or_default())
    }
}
