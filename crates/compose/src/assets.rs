//! The content of files of configuration: read where the files are, so that what is sent elsewhere needs none of them.

use crate::files::Files;
use crate::interpolate::Variables;
use crate::problem::{Problem, Report};
use crate::stack::{AssetSource, Stack};
use std::io;
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stack;
    use std::collections::BTreeMap;
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
}
