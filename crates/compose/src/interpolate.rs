//! Variables in values: `$A ${A} ${A:-b} ${A-b} ${A:?why} ${A?why} ${A:+b} ${A+b}`, one in another, and `$$` for a dollar
//! (Compose Specification, 12-interpolation).

use crate::problem::{Problem, Report};
use crate::yaml::{Node, Place, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Names and values of variables.
pub type Variables = BTreeMap<String, String>;

/// How deep variables may stand in each other.
const MAX_DEPTH: usize = 32;
/// The longest text that comes out, in bytes: defaults may repeat what is long.
const MAX_TEXT: usize = 1 << 20;

/// Why variables can't be put in.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InterpolateError {
    /// `${` without its `}`.
    #[error("`{0}` has no closing brace")]
    Open(String),
    /// What stands in the braces is no variable.
    #[error("`{0}` is no variable: write ${{NAME}}, ${{NAME:-default}}, or $$ for a dollar")]
    Syntax(String),
    /// `${A:?why}` of a variable that is not set.
    #[error("the variable {name} must be set{}", because(.why))]
    Required {
        /// The variable.
        name: String,
        /// What the file says about it.
        why: String,
    },
    /// Deeper or longer than is read.
    #[error("variables stand too deep in each other, or their text is too long")]
    Limit,
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// What a text became, and the variables in it that were not set.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Interpolated {
    /// The text.
    pub text: String,
    /// Variables without value or default: an empty text stands in their place.
    pub unset: BTreeSet<String>,
}

/// Puts variables into a text.
///
/// # Errors
/// When what follows a dollar and a brace is no variable, or one that must be set is not.
pub fn interpolate<'v>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<Interpolated, InterpolateError> {
    let mut done = Interpolated::default();
    let filled = fill(text, lookup, &mut done.unset, 0)?;
    done.text = filled;
    Ok(done)
}

fn fill<'v>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    unset: &mut BTreeSet<String>,
    depth: usize,
) -> Result<String, InterpolateError> {
    if depth > MAX_DEPTH {
        return Err(InterpolateError::Limit);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('{') {
            let end = closing(behind).ok_or_else(|| InterpolateError::Open(shown(rest)))?;
            out.push_str(&braced(&behind[..end], lookup, unset, depth)?);
            rest = &behind[end + 1..];
        } else {
            let length = name_length(rest);
            if length == 0 {
                out.push('$');
            } else {
                out.push_str(value(&rest[..length], lookup, unset));
                rest = &rest[length..];
            }
        }
        if out.len() > MAX_TEXT {
            return Err(InterpolateError::Limit);
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn shown(text: &str) -> String {
    format!("${}", text.chars().take(60).collect::<String>())
}

/// How long the variable's name is at the beginning of a text.
fn name_length(text: &str) -> usize {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first {
        return 0;
    }
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
}

/// Where the brace is that closes what has begun; those of variables inside are passed over.
fn closing(text: &str) -> Option<usize> {
    let (bytes, mut open, mut index) = (text.as_bytes(), 0_usize, 0);
    while index < bytes.len() {
        match bytes[index] {
            b'$' if bytes.get(index + 1) == Some(&b'{') => {
                open += 1;
                index += 1;
            }
            b'$' if bytes.get(index + 1) == Some(&b'$') => index += 1,
            b'}' if open == 0 => return Some(index),
            b'}' => open -= 1,
            _ => {}
        }
        index += 1;
    }
    None
}

fn value<'v>(
    name: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    unset: &mut BTreeSet<String>,
) -> &'v str {
    lookup(name).unwrap_or_else(|| {
        unset.insert(name.to_owned());
        ""
    })
}

fn braced<'v>(
    inside: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    unset: &mut BTreeSet<String>,
    depth: usize,
) -> Result<String, InterpolateError> {
    let (name, operator) = inside.split_at(name_length(inside));
    let syntax = || InterpolateError::Syntax(shown(&format!("{{{inside}}}")));
    if name.is_empty() {
        return Err(syntax());
    }
    if operator.is_empty() {
        return Ok(value(name, lookup, unset).to_owned());
    }
    // With a colon an empty value counts as none.
    let (kind, word, set) = match operator.strip_prefix(':') {
        Some(behind) => (behind, behind.get(1..), lookup(name).filter(|v| !v.is_empty())),
        None => (operator, operator.get(1..), lookup(name)),
    };
    let word = word.ok_or_else(syntax)?;
    match (kind.as_bytes().first(), set) {
        (Some(b'-' | b'?'), Some(value)) => Ok(value.to_owned()),
        (Some(b'-'), None) | (Some(b'+'), Some(_)) => fill(word, lookup, unset, depth + 1),
        (Some(b'+'), None) => Ok(String::new()),
        (Some(b'?'), None) => {
            let why = fill(word, lookup, unset, depth + 1)?;
            Err(InterpolateError::Required { name: name.to_owned(), why })
        }
        _ => Err(syntax()),
    }
}

/// Puts variables into every value below `node`. A variable that is not set is warned of once, where it first stands.
pub fn interpolate_all(node: &mut Node, variables: &Variables, report: &mut Report) {
    Filler { variables, report, left: MAX_TOTAL }.node(node);
}

/// How much may come out of all variables of a file together, in bytes.
pub(crate) const MAX_TOTAL: usize = 4 << 20;

struct Filler<'a> {
    variables: &'a Variables,
    report: &'a mut Report,
    left: usize,
}

impl Filler<'_> {
    fn node(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Null => {}
            Value::Scalar(scalar) if scalar.text.contains('$') => {
                let text = std::mem::take(&mut scalar.text);
                scalar.text = self.text(text, &node.place);
            }
            Value::Scalar(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| self.node(&mut entry.node)),
        }
    }

    fn text(&mut self, text: String, place: &Place) -> String {
        let lookup = |name: &str| self.variables.get(name).map(String::as_str);
        let done = interpolate(&text, &lookup).and_then(|done| {
            self.left = self.left.checked_sub(done.text.len()).ok_or(InterpolateError::Limit)?;
            Ok(done)
        });
        match done {
            Ok(done) => {
                done.unset.iter().for_each(|name| unset(name, place, self.report));
                done.text
            }
            Err(error) => {
                let problem = Problem::at(place, error.to_string());
                self.report.error(match error {
                    InterpolateError::Required { name, .. } => {
                        problem.hinted(format!("Set {name} in the environment or in .env"))
                    }
                    _ => problem,
                });
                text
            }
        }
    }
}

/// Warns once of a variable that is not set.
pub(crate) fn unset(name: &str, place: &Place, report: &mut Report) {
    let what = format!("the variable {name} is not set; nothing stands in its place");
    if report.warnings.iter().all(|known| known.text != what) {
        let hint = format!(
            "Set it in the environment or in .env, write ${{{name}:-default}}, or $$ for a dollar"
        );
        report.warn(Problem::at(place, what).hinted(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn look(name: &str) -> Option<&'static str> {
        [("A", "a"), ("EMPTY", ""), ("B_1", "b")].iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }

    fn put(text: &str) -> String {
        interpolate(text, &look).unwrap().text
    }

    #[test]
    fn every_form() {
        for (text, wanted) in [
            ("$A-${A}x$B_1", "a-axb"),
            ("${A:-d}${A-d}", "aa"),
            ("${EMPTY:-d}${EMPTY-d}", "d"),
            ("${NO:-d}${NO-d}", "dd"),
            ("${A:+r}${A+r}", "rr"),
            ("${EMPTY:+r}${EMPTY+r}", "r"),
            ("${NO:+r}${NO+r}", ""),
            ("${A:?why}${A?why}${EMPTY?why}", "aa"),
            ("${NO:-${EMPTY:-${A}}}", "a"),
            ("${NO:-$A $$ ${NO2-x}}", "a $ x"),
            ("${NO:-}", ""),
            ("$$A $$${A}", "$A $a"),
            ("$ $1 $% a$", "$ $1 $% a$"),
            ("${NO:-a:b-c?d}", "a:b-c?d"),
            ("ä${NO:-ö}", "äö"),
        ] {
            assert_eq!(put(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_not_set() {
        let done = interpolate("$NO ${NO2} ${NO3:-x}", &look).unwrap();
        assert_eq!(done.text, "  x");
        assert_eq!(done.unset.into_iter().collect::<Vec<_>>(), ["NO", "NO2"]);
        for (text, message) in [
            ("${NO:?set $A}", "the variable NO must be set: set a"),
            ("${NO?}", "the variable NO must be set"),
            ("${EMPTY:?x}", "the variable EMPTY must be set: x"),
            ("${A", "`${A` has no closing brace"),
        ] {
            assert_eq!(interpolate(text, &look).unwrap_err().to_string(), message, "{text}");
        }
        for bad in ["${}", "${1}", "${A/x/y}", "${A:}", "${A:x}", "${-x}"] {
            let error = interpolate(bad, &look).unwrap_err();
            assert!(matches!(error, InterpolateError::Syntax(_)), "{bad}: {error}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}x{}", "${NO:-".repeat(1000), "}".repeat(1000));
        assert_eq!(interpolate(&deep, &look), Err(InterpolateError::Limit));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[$ {}A-C:?+aä-]{0,60}") {
            drop(interpolate(&text, &look));
        }

        #[test]
        fn escaped_text_comes_out_as_it_was(text in ".{0,60}") {
            prop_assert_eq!(put(&text.replace('$', "$$")), text);
        }

        #[test]
        fn a_default_stands_in_for_what_is_not_set(word in "[a-z0-9 :?+-]{0,20}") {
            prop_assert_eq!(put(&format!("${{NO:-{word}}}")), word.clone());
            prop_assert_eq!(put(&format!("${{A:+{word}}}")), word);
        }
    }
}
