//! The content of files of configuration and of secrets: read where the files are, so that what is sent elsewhere needs none of them.
//! What is secret never becomes a part of the stack: it goes beside it.

use crate::files::Files;
use crate::interpolate::Variables;
use crate::problem::{Problem, Report};
use crate::stack::{AssetSource, Stack};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use volt_model::secret::{Hidden, MAX};

/// The stack with the content of its files of configuration in it. What is no text stays a path, for whoever is on this host.
/// Secrets are never put in.
///
/// # Errors
/// With all files that can't be read and variables that aren't set.
pub fn filled(files: &dyn Files, stack: &Stack, variables: &Variables) -> Result<Stack, Report> {
    let (mut stack, mut report) = (stack.clone(), Report::default());
    for (key, config) in &mut stack.configs {
        let content = match &config.source {
            AssetSource::File(path) => match files.read(Path::new(path)) {
                Ok(Some(text)) => Ok(text),
                Ok(None) => Err(format!("configs.{key}: there is no file {path}")),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
                Err(error) => Err(format!("configs.{key}: {path} can't be read: {error}")),
            },
            AssetSource::Environment(name) => variables
                .get(name)
                .cloned()
                .ok_or_else(|| format!("configs.{key}: the variable {name} is not set")),
            AssetSource::Content(_) | AssetSource::External => continue,
        };
        match content {
            Ok(text) => config.source = AssetSource::Content(text),
            Err(text) => report.error(Problem::nowhere(text)),
        }
    }
    if report.is_good() { Ok(stack) } else { Err(report) }
}

/// The content of the stack's own secrets that these services have, by key; what a file of the stack itself says is taken out of it.
///
/// # Errors
/// With all files that can't be read, variables that aren't set, and what is too large.
pub fn secrets(
    files: &dyn Files,
    stack: &mut Stack,
    variables: &Variables,
    services: &BTreeSet<String>,
) -> Result<BTreeMap<String, Hidden>, Report> {
    let (mut all, mut report) = (BTreeMap::new(), Report::default());
    let chosen = stack.services.iter().filter(|(key, _)| services.contains(*key));
    let grants = chosen.flat_map(|(_, service)| service.secrets());
    let used: BTreeSet<String> = grants.map(|grant| grant.source.clone()).collect();
    for (key, secret) in &mut stack.secrets {
        let content = match &mut secret.source {
            AssetSource::Content(text) => Ok(std::mem::take(text).into_bytes()),
            AssetSource::External => continue,
            _ if !used.contains(key) => continue,
            AssetSource::File(path) => match files.read_bytes(Path::new(path), MAX) {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => Err(format!("secrets.{key}: there is no file {path}")),
                Err(error) => Err(format!("secrets.{key}: {path} can't be read: {error}")),
            },
            AssetSource::Environment(name) => variables
                .get(name)
                .map(|value| value.clone().into_bytes())
                .ok_or_else(|| format!("secrets.{key}: the variable {name} is not set")),
        };
        match content {
            Ok(bytes) if bytes.len() > MAX => {
                report.error(Problem::nowhere(format!(
                    "secrets.{key}: a secret has at most {MAX} bytes"
                )));
            }
            Ok(bytes) => drop(all.insert(key.clone(), Hidden(bytes))),
            Err(text) => report.error(Problem::nowhere(text)),
        }
    }
    all.retain(|key, _| used.contains(key));
    if report.is_good() { Ok(all) } else { Err(report) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stack;
    use std::path::PathBuf;

    #[test]
    fn contents_are_put_in_and_all_that_lack_are_named() {
        let found = stack(
            "name: s\nservices: {a: {image: x}}\nconfigs: {one: {file: /one}, two: {environment: TWO}, three: {content: c}}\n",
        );
        let files = BTreeMap::from([(PathBuf::from("/one"), "1".to_owned())]);
        let variables = Variables::from([("TWO".to_owned(), "2".to_owned())]);
        let whole = filled(&files, &found, &variables).unwrap();
        let content = |text: &str| AssetSource::Content(text.to_owned());
        for (key, text) in [("one", "1"), ("two", "2"), ("three", "c")] {
            assert_eq!(whole.configs[key].source, content(text));
        }
        let none: BTreeMap<PathBuf, String> = BTreeMap::new();
        let report = filled(&none, &found, &Variables::new()).unwrap_err();
        assert_eq!(report.errors.len(), 2, "{report}");
    }

    #[test]
    fn secrets_go_beside_the_stack() {
        let mut found = stack(
            "name: s\nservices: {a: {image: x, secrets: [one, two, three]}, b: {image: x, secrets: [four]}}\n\
             secrets: {one: {file: /one}, two: {environment: TWO}, three: {content: '3'}, four: {file: /four}}\n",
        );
        let files = BTreeMap::from([(PathBuf::from("/one"), "1".to_owned())]);
        let variables = Variables::from([("TWO".to_owned(), "2".to_owned())]);
        let services = BTreeSet::from(["a".to_owned()]);
        let all = secrets(&files, &mut found, &variables, &services).unwrap();
        let hidden = |text: &str| Hidden(text.as_bytes().to_vec());
        let wanted = [("one", "1"), ("two", "2"), ("three", "3")];
        assert_eq!(all, wanted.map(|(key, text)| (key.to_owned(), hidden(text))).into());
        assert_eq!(found.secrets["three"].source, AssetSource::Content(String::new()));
        let services = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        let report = secrets(&files, &mut found, &Variables::new(), &services).unwrap_err();
        assert_eq!(report.errors.len(), 2, "{report}");
    }
}
