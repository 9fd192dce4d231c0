//! What is wrong with a file, or odd about it: each with its place and what to do. Nothing stops at the first.

use crate::yaml::Place;
use std::fmt;

/// One thing that is wrong or odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; none where it belongs to no file.
    pub place: Option<Place>,
    /// The thing and the reason.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// One at a place.
    pub fn at(place: &Place, text: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), text: text.into(), hint: None }
    }

    /// One that belongs to no file.
    pub fn nowhere(text: impl Into<String>) -> Self {
        Self { place: None, text: text.into(), hint: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    /// `compose.yaml:7:5: TEXT. HINT`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.text)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, ". {hint}"))
    }
}

/// All that was found on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What forbids to go on.
    pub errors: Vec<Problem>,
    /// What the user should know.
    pub warnings: Vec<Problem>,
    /// How many errors there are besides.
    pub more: usize,
}

/// How many errors, and how many warnings, are kept: nobody reads more.
const MOST: usize = 200;

impl Report {
    /// Notes an error.
    pub fn error(&mut self, problem: Problem) {
        if self.errors.len() == MOST {
            self.more += 1;
        } else if !self.errors.contains(&problem) {
            self.errors.push(problem);
        }
    }

    /// Notes a warning.
    pub fn warn(&mut self, problem: Problem) {
        if self.warnings.len() < MOST && !self.warnings.contains(&problem) {
            self.warnings.push(problem);
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.errors.is_empty()
    }

    /// Both lists in the order of the files' lines; what has no place comes last.
    pub fn sort(&mut self) {
        for list in [&mut self.errors, &mut self.warnings] {
            list.sort_by(|a, b| (a.place.is_none(), &a.place).cmp(&(b.place.is_none(), &b.place)));
        }
    }
}

impl fmt::Display for Report {
    /// The errors, one a line, and how many there are besides.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            write!(f, "{}{error}", if index == 0 { "" } else { "\n" })?;
        }
        if self.more > 0 {
            write!(f, "\n… and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
