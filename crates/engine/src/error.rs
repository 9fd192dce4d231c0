//! The one error type of the engine: small enums below are classified here and nowhere else.

use std::error::Error as StdError;
use std::fmt;
use volt_model::kind::ErrorKind;

/// Why an operation failed: what kind of failure, about what, why, and what to do.
#[derive(Debug)]
pub struct Error {
    /// Decides exit code and HTTP status.
    pub kind: ErrorKind,
    /// One sentence, without the cause.
    pub message: String,
    /// The resource it is about.
    pub subject: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The cause.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What engine operations return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` with its sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), subject: None, hint: None, source: None }
    }

    /// `kind name` does not exist.
    #[must_use]
    pub fn not_found(what: &str, name: &dyn fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format!("There is no {what} named {name}")).about(name)
    }

    /// The same about `subject`.
    #[must_use]
    pub fn about(mut self, subject: &dyn fmt::Display) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same because of `source`.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The sentence and all causes, outermost first.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        let mut all = vec![self.message.clone()];
        let mut next = self.source();
        while let Some(error) = next {
            all.push(error.to_string());
            next = error.source();
        }
        all
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}
