//! Named contexts: `contexts.yaml` in the user's configuration folder, a map of names to hosts.

use crate::cli::Global;
use crate::ctx::xdg_config;
use std::collections::BTreeMap;
use std::io::ErrorKind as Io;
use volt_api::Problem;
use volt_model::config::nearest;
use volt_model::kind::ErrorKind;

/// The host that `--host` or `--context` names.
///
/// # Errors
/// When the file can't be read or has no such context.
pub(super) fn named_host(global: &Global) -> Result<Option<String>, Problem> {
    if let Some(host) = &global.host {
        return Ok(Some(host.clone()));
    }
    let Some(context) = &global.context else { return Ok(None) };
    let path = xdg_config().join("volt/contexts.yaml");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == Io::NotFound => String::new(),
        Err(e) => {
            let title = format!("The contexts in {} can't be read", path.display());
            return Err(Problem::new(ErrorKind::InvalidConfig, title).because(&e));
        }
    };
    find(&text, context).map_err(|p| p.about(path.display().to_string()))
}

fn find(text: &str, context: &str) -> Result<Option<String>, Problem> {
    let contexts: BTreeMap<String, String> = if text.trim().is_empty() {
        BTreeMap::new()
    } else {
        serde_saphyr::from_str(text).map_err(|e| {
            Problem::new(ErrorKind::InvalidConfig, "contexts.yaml is no map of names to hosts")
                .because(&e)
        })?
    };
    match contexts.get(context) {
        Some(host) => Ok(Some(host.clone())),
        None if context == "default" => Ok(None),
        None => {
            let hint = match nearest(context, contexts.keys().map(String::as_str)) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("Write `{context}: tcp://HOST:PORT` into it"),
            };
            let title = format!("contexts.yaml has no context `{context}`");
            Err(Problem::new(ErrorKind::NotFound, title).hinted(hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_have_names() {
        let text = "lab: tcp://lab.example:7070\nhere: /run/volt/volt.sock\n";
        assert_eq!(find(text, "lab").unwrap().unwrap(), "tcp://lab.example:7070");
        assert_eq!(find(text, "default").unwrap(), None);
        assert_eq!(find("", "default").unwrap(), None);
        let problem = find(text, "labs").unwrap_err();
        assert_eq!(problem.hint.as_deref(), Some("Did you mean `lab`?"));
        assert_eq!(find("- a", "lab").unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}
