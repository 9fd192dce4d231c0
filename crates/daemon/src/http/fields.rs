//! Texts of a request into types of the model. What is wrong is collected, so that one answer names all of it.

use crate::router::Failure;
use std::fmt::Display;
use std::str::FromStr;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// Collects the fields of a request that can't be read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    wrong: Vec<(String, String)>,
}

impl Fields {
    /// The field's value; none, and an error noted, where the text is none.
    pub(super) fn one<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        self.with(field, text, T::from_str)
    }

    /// The same where the text may be missing.
    pub(super) fn maybe<T: FromStr<Err: Display>>(
        &mut self,
        field: &str,
        text: Option<&str>,
    ) -> Option<T> {
        text.and_then(|text| self.one(field, text))
    }

    /// Every item of a list.
    pub(super) fn all<T: FromStr<Err: Display>>(
        &mut self,
        field: &str,
        texts: &[String],
    ) -> Vec<T> {
        texts.iter().filter_map(|text| self.one(field, text)).collect()
    }

    /// The field's value as `parse` reads it.
    pub(super) fn with<T, E: Display>(
        &mut self,
        field: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(text).map_err(|error| self.wrong.push((field.to_owned(), error.to_string()))).ok()
    }

    /// What was read, unless something was wrong. `read` is none only when an error was noted.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Failure> {
        match read {
            Some(read) if self.wrong.is_empty() => Ok(read),
            _ => Err(self.failure()),
        }
    }

    fn failure(mut self) -> Failure {
        let mut names: Vec<_> = self.wrong.iter().map(|(field, _)| format!("`{field}`")).collect();
        names.dedup();
        let verb = if names.len() == 1 { "is" } else { "are" };
        let mut problem =
            Problem::new(ErrorKind::Usage, format!("{} {verb} wrong", names.join(", ")));
        problem.causes = if self.wrong.len() == 1 {
            vec![self.wrong.remove(0).1]
        } else {
            self.wrong.into_iter().map(|(field, why)| format!("`{field}`: {why}")).collect()
        };
        Failure::of_request(problem)
    }
}

/// One text as a type of the model.
pub(super) fn read<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Failure> {
    let mut fields = Fields::default();
    let read = fields.one(field, text);
    fields.finish(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_model::name::Name;
    use volt_model::size::Bytes;

    #[test]
    fn all_that_is_wrong_is_named() {
        let mut fields = Fields::default();
        fields.maybe::<Bytes>("limits.memory", Some("much"));
        fields.all::<Name>("names", &["ok".into(), "Not".into(), "nor_this".into()]);
        let problem = fields.finish(Some(())).unwrap_err().problem;
        assert_eq!(problem.title, "`limits.memory`, `names` are wrong");
        assert_eq!(problem.causes.len(), 3);
        assert!(problem.causes[0].starts_with("`limits.memory`: `much` is no size"));
        let one = read::<Name>("name", "").unwrap_err().problem;
        assert_eq!(one.to_string(), "`name` is wrong: A name can't be empty");
    }
}
