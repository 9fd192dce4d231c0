//! Files of variables: `.env` and what `env_file` names (Compose Specification, 05-services: env_file format).

use crate::interpolate::{MAX_TOTAL, Variables, interpolate};
use crate::problem::Problem;
use crate::yaml::Place;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a file says: a variable without `=` takes its value from the environment, or is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// Names and values.
    pub variables: Variables,
    /// Variables that were used and not set.
    pub unset: BTreeSet<String>,
}

/// Reads a file. In what is not in single quotes, variables are put in: of `environment` first, then of the lines before.
///
/// # Errors
/// At the first line that is none.
pub fn read(file: &Arc<str>, text: &str, environment: &Variables) -> Result<EnvFile, Problem> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let (mut done, mut total) = (EnvFile::default(), 0);
    while reader.advance() {
        let place = Place { file: Arc::clone(file), line: reader.line, column: 1 };
        let wrong = |what: String| Problem::at(&place, what);
        let (name, has_value) = reader.name().map_err(wrong)?;
        if !has_value {
            if let Some(value) = environment.get(&name) {
                done.variables.insert(name, value.clone());
            }
            continue;
        }
        let (raw, expand) = reader.value().map_err(wrong)?;
        let value = if expand {
            let look =
                |n: &str| environment.get(n).or_else(|| done.variables.get(n)).map(String::as_str);
            let filled = interpolate(&raw, &look).map_err(|e| wrong(e.to_string()))?;
            done.unset.extend(filled.unset);
            filled.text
        } else {
            raw
        };
        total += value.len();
        if total > MAX_TOTAL {
            return Err(wrong(format!("the values have more than {MAX_TOTAL} bytes together")));
        }
        done.variables.insert(name, value);
    }
    Ok(done)
}

/// Reads a file of the format `raw`: everything behind `=` is the value.
///
/// # Errors
/// At the first line that is none.
pub fn read_raw(
    file: &Arc<str>,
    text: &str,
    environment: &Variables,
) -> Result<Variables, Problem> {
    let mut variables = Variables::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (line, environment.get(line).cloned()),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let place = Place { file: Arc::clone(file), line: number, column: 1 };
            return Err(Problem::at(&place, format!("`{name}` is no name of a variable")));
        }
        if let Some(value) = value {
            variables.insert(name.to_owned(), value);
        }
    }
    Ok(variables)
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += u32::try_from(taken.matches('\n').count()).unwrap_or(0);
        self.rest = rest;
        taken
    }

    fn line_end(&self) -> usize {
        self.rest.find('\n').unwrap_or(self.rest.len())
    }

    /// Goes on to the next statement, over empty lines and comments.
    fn advance(&mut self) -> bool {
        loop {
            let blank = self.rest.len() - self.rest.trim_start().len();
            self.skip(blank);
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            let end = self.line_end();
            self.skip(end);
        }
    }

    /// The name, and whether a value follows.
    fn name(&mut self) -> Result<(String, bool), String> {
        if let Some(behind) = self.rest.strip_prefix("export")
            && behind.starts_with([' ', '\t'])
        {
            let length = self.rest.len() - behind.trim_start_matches([' ', '\t']).len();
            self.skip(length);
        }
        let end = self.rest.find(['=', ':', '\n']).unwrap_or(self.rest.len());
        let has_value = self.rest[end..].starts_with(['=', ':']);
        let name = self.skip(end).trim_end();
        let good = |c: char| c.is_alphanumeric() || "_.-[]".contains(c);
        if name.is_empty() {
            return Err("a line begins with no name; write NAME=VALUE".to_owned());
        }
        if let Some(bad) = name.chars().find(|c| !good(*c)) {
            let shown: String = name.chars().take(40).collect();
            return Err(format!(
                "`{shown}` has {bad:?} in it, which no variable's name has; write NAME=VALUE"
            ));
        }
        if has_value {
            self.skip(1);
            let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r']).len();
            self.skip(blank);
        }
        Ok((name.to_owned(), has_value))
    }

    /// The value, and whether variables are put into it.
    fn value(&mut self) -> Result<(String, bool), String> {
        match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => {
                let end = self.line_end();
                let line = self.skip(end);
                let value = if line.starts_with('#') { "" } else { line };
                let value = value.find(" #").map_or(value, |at| &value[..at]);
                Ok((value.trim_end().to_owned(), true))
            }
        }
    }

    /// What is quoted may have several lines. Behind the closing quote only a comment may stand.
    fn quoted(&mut self, quote: char) -> Result<(String, bool), String> {
        let (mut value, mut escaped, mut end) = (String::new(), false, None);
        for (index, c) in self.rest.char_indices().skip(1) {
            if escaped {
                unescape(c, quote, &mut value);
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                end = Some(index + 1);
                break;
            } else {
                value.push(c);
            }
        }
        let end =
            end.ok_or_else(|| format!("a value begins with {quote} and never ends with it"))?;
        self.skip(end);
        let end = self.line_end();
        let behind = self.skip(end).trim();
        if behind.is_empty() || behind.starts_with('#') {
            Ok((value, quote == '"'))
        } else {
            Err(format!("`{behind}` stands behind a quoted value"))
        }
    }
}

/// In double quotes the shell's escapes; in single quotes only that of the quote itself.
fn unescape(c: char, quote: char, value: &mut String) {
    match (quote, c) {
        ('"', 'n') => value.push('\n'),
        ('"', 'r') => value.push('\r'),
        ('"', 't') => value.push('\t'),
        // What is no variable is written with two dollars, for those that are put in after this.
        ('"', '$') => value.push_str("$$"),
        ('"', '"' | '\\') | ('\'', '\'') => value.push(c),
        _ => value.extend(['\\', c]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn environment() -> Variables {
        [("HOST".to_owned(), "lab".to_owned())].into()
    }

    fn parse(text: &str) -> Result<Variables, Problem> {
        read(&Arc::from(".env"), text, &environment()).map(|done| done.variables)
    }

    #[test]
    fn lines_as_the_specification_has_them() {
        for (line, wanted) in [
            ("VAR=VAL", "VAL"),
            ("VAR=\"VAL\"", "VAL"),
            ("VAR='VAL'", "VAL"),
            ("VAR=VAL # comment", "VAL"),
            ("VAR=VAL# not a comment", "VAL# not a comment"),
            ("VAR=\"VAL # not a comment\"", "VAL # not a comment"),
            ("VAR=\"VAL\" # comment", "VAL"),
            ("VAR='$OTHER'", "$OTHER"),
            ("VAR='${OTHER}'", "${OTHER}"),
            ("VAR='Let\\'s go!'", "Let's go!"),
            ("VAR=\"{\\\"hello\\\": \\\"json\\\"}\"", "{\"hello\": \"json\"}"),
            ("VAR=\"some\\tvalue\"", "some\tvalue"),
            ("VAR='some\\tvalue'", "some\\tvalue"),
            ("VAR=some\\tvalue", "some\\tvalue"),
            ("export VAR=x", "x"),
            ("VAR = x ", "x"),
            ("VAR: x", "x"),
            ("VAR=", ""),
            ("VAR=a=b", "a=b"),
            ("VAR=\"two\nlines\"", "two\nlines"),
            ("VAR=$HOST-${NO:-d}", "lab-d"),
            ("VAR=\"\\$HOST\"", "$HOST"),
            ("# c\n\n  VAR=x\r\n", "x"),
            ("A=1\nVAR=${A}2", "12"),
            ("VAR=#x", ""),
        ] {
            assert_eq!(parse(line).unwrap()["VAR"], wanted, "{line}");
        }
        assert_eq!(parse("HOST\nNOBODY\n").unwrap(), environment());
    }

    #[test]
    fn what_is_refused() {
        for (text, message) in [
            (
                "A=1\nB C=2",
                ".env:2:1: `B C` has ' ' in it, which no variable's name has; write NAME=VALUE",
            ),
            ("=x", ".env:1:1: a line begins with no name; write NAME=VALUE"),
            ("A='x", ".env:1:1: a value begins with ' and never ends with it"),
            ("A='x' y", ".env:1:1: `y` stands behind a quoted value"),
            ("A=1\n\nB=${C:?why}", ".env:3:1: the variable C must be set: why"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn raw_takes_everything() {
        let read =
            read_raw(&Arc::from("r"), "A='$x' # y\n#c\n\nHOST\nNO\n", &environment()).unwrap();
        assert_eq!(read["A"], "'$x' # y");
        assert_eq!(read["HOST"], "lab");
        assert_eq!(read.len(), 2);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[A-C =:#'\"\\\\\n\r${}ä-]{0,60}") {
            drop(parse(&text));
        }

        #[test]
        fn single_quotes_keep_what_is_in_them(value in "[^'\\\\\u{0}]{0,40}") {
            prop_assert_eq!(&parse(&format!("A='{value}'")).unwrap()["A"], &value);
        }
    }
}
