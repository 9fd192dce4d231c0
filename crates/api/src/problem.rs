//! Errors on the wire: RFC 9457 problem details, with what Volt adds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use volt_model::kind::ErrorKind;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why an operation failed (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `about:blank`: the kind says more than a page would.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// One sentence: what failed.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What kind of failure: `not-found`, `conflict`, `dependency`, …; each has its exit code.
    pub kind: String,
    /// The resource it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The request, as the audit trail names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

impl Problem {
    /// A problem of `kind` with its sentence.
    #[must_use]
    pub fn new(kind: ErrorKind, title: impl Into<String>) -> Self {
        Self {
            type_uri: "about:blank".to_owned(),
            title: title.into(),
            status: kind.http_status(),
            kind: kind.word().to_owned(),
            subject: None,
            causes: Vec::new(),
            hint: None,
            request: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same about `subject`.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The same because of `cause` and what is behind it.
    #[must_use]
    pub fn because(mut self, cause: &dyn std::error::Error) -> Self {
        self.causes.push(cause.to_string());
        let mut next = cause.source();
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// The kind, for the exit code.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::from_word(&self.kind)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
