//! The text of unit files: what stands in one so that systemd reads back what was meant. Pure.

/// A word of a command line in a unit file: quoted when it must be, `%` doubled. `$` needs nothing behind `ExecStart=:`.
#[must_use]
pub fn quote(word: &str) -> String {
    let escaped = escape(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !escaped.is_empty() && escaped.chars().all(plain) {
        return escaped;
    }
    let mut out = String::from("\"");
    for c in escaped.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            // systemd ends a line at a carriage return too.
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `%` begins a specifier in a unit file.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('%', "%%")
}

/// The value of `ExecStart=` for a command, without expansion of variables.
#[must_use]
pub fn command_line(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!(":{}", words.join(" "))
}

/// A text for people on one line: whatever would end the line, or go on with the next, is a space.
#[must_use]
pub fn sentence(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    escape(clean.trim().trim_end_matches('\\'))
}

/// A file for `EnvironmentFile=`: variables whose values no unit file and no property may show.
#[must_use]
pub fn environment_file(variables: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in variables {
        out.push_str(name);
        out.push_str("=\"");
        for c in value.chars() {
            if matches!(c, '"' | '\\' | '`' | '$') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push_str("\"\n");
    }
    out
}

/// The variables of what [`environment_file`] has written; what is of another form ends them.
#[must_use]
pub fn parse_environment_file(text: &str) -> Vec<(String, String)> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((name, behind)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = behind.char_indices();
        let end = loop {
            match chars.next() {
                Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                Some((at, '"')) => break at,
                Some((_, c)) => value.push(c),
                None => return found,
            }
        };
        found.push((name.trim_start().to_owned(), value));
        rest = &behind[end + 1..];
    }
    found
}

/// Why something can't stand in a unit file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnitFileError {
    /// No command.
    #[error("the command is empty")]
    NoCommand,
    /// A first word that systemd would take for something else.
    #[error(
        "the command begins with `{0}`: write the path of a program, or its name where it lies in one of the usual folders"
    )]
    Program(String),
    /// A NUL.
    #[error("a word of the command has a NUL in it")]
    Nul,
    /// More than systemd reads.
    #[error("the command is longer than {0} bytes")]
    TooLong(usize),
    /// No path.
    #[error("`{0}` is no absolute path without control characters and without spaces at its end")]
    Path(String),
    /// No user.
    #[error("`{0}` is no user: write NAME, NAME:GROUP or numbers")]
    User(String),
    /// No name of a variable.
    #[error("`{0}` is no name of an environment variable: letters, digits and _ may stand in one")]
    Variable(String),
    /// A value that systemd would pass over.
    #[error("the value of {0} has a control character in it that is no tab and no line end")]
    Value(String),
}

/// The longest command, in bytes: a line of a unit file has at most a megabyte, and each byte may take four of it.
const COMMAND_MAX: usize = 128 << 10;

/// Checks that systemd can run a command.
///
/// # Errors
/// When there is none, or systemd would read another.
pub fn check_command(words: &[String]) -> Result<(), UnitFileError> {
    let program = words.first().ok_or(UnitFileError::NoCommand)?;
    let begins = |c: char| c == '/' || c == '_' || c == '[' || c.is_alphanumeric();
    let usual = program.starts_with(begins) && !program.ends_with('/');
    if !usual || (!program.starts_with('/') && program.contains('/')) {
        return Err(UnitFileError::Program(program.chars().take(80).collect()));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(UnitFileError::Nul);
    }
    if words.iter().map(String::len).sum::<usize>() > COMMAND_MAX {
        return Err(UnitFileError::TooLong(COMMAND_MAX));
    }
    Ok(())
}

/// Checks a path that stands in a unit file as it is.
///
/// # Errors
/// When it is none, or systemd would read another.
pub fn check_path(path: &str) -> Result<(), UnitFileError> {
    let clean = path.starts_with('/')
        && !path.contains(char::is_control)
        && path.trim_end() == path
        && !path.ends_with('\\');
    if clean { Ok(()) } else { Err(UnitFileError::Path(path.chars().take(80).collect())) }
}

/// Checks `USER` or `USER:GROUP`.
///
/// # Errors
/// When it is none.
pub fn check_user(text: &str) -> Result<(), UnitFileError> {
    let good = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty()
            && part.len() <= 31
            && !part.starts_with(['-', '.'])
            && part.chars().all(allowed)
    };
    let (user, group) = text.split_once(':').unwrap_or((text, "0"));
    if good(user) && good(group) {
        return Ok(());
    }
    Err(UnitFileError::User(text.chars().take(80).collect()))
}

/// Checks a variable of an environment.
///
/// # Errors
/// When systemd would pass it over.
pub fn check_variable(name: &str, value: &str) -> Result<(), UnitFileError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(allowed)
    {
        return Err(UnitFileError::Variable(name.chars().take(80).collect()));
    }
    if value.contains(|c: char| c.is_ascii_control() && c != '\t' && c != '\n') {
        return Err(UnitFileError::Value(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What systemd makes of a quoted word (`extract_first_word` with unquoting and C escapes, then specifiers).
    fn read_back(quoted: &str) -> String {
        let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
        let mut out = String::new();
        let mut chars = inner.unwrap_or(quoted).chars();
        while let Some(c) = chars.next() {
            match (inner.is_some(), c) {
                (true, '\\') => match chars.next().unwrap() {
                    'n' => out.push('\n'),
                    'x' => {
                        let hex: String = chars.by_ref().take(2).collect();
                        out.push(char::from(u8::from_str_radix(&hex, 16).unwrap()));
                    }
                    c => out.push(c),
                },
                (true, '"') => panic!("a bare quote in {quoted}"),
                (_, c) => out.push(c),
            }
        }
        out.replace("%%", "%")
    }

    #[test]
    fn what_can_not_be_run_is_refused() {
        let check = |words: &[&str]| {
            check_command(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
        };
        for good in [&["/bin/sleep", "1"][..], &["sleep"], &["[", "a", "]"]] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in [&[][..], &[""], &["-x"], &["@x"], &["+x"], &["!x"], &["./x"], &["/x/"]] {
            assert!(check(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(check(&["x", "a\0b"]), Err(UnitFileError::Nul));
    }

    #[test]
    fn users_paths_and_variables() {
        for good in ["root", "0", "www-data", "a:b", "1000:1000"] {
            assert_eq!(check_user(good), Ok(()), "{good}");
        }
        for bad in ["", ":", "a:", "a b", "a:b:c", "%u", "-a"] {
            assert!(check_user(bad).is_err(), "{bad:?} was taken");
        }
        assert!(check_path("/srv/a b").is_ok());
        for bad in ["srv", "/a ", "/a\n", "/a\\", ""] {
            assert!(check_path(bad).is_err(), "{bad:?} was taken");
        }
        assert!(check_variable("A_1", "x\ny\t").is_ok());
        for (name, value) in [("1A", ""), ("", ""), ("A-B", ""), ("A", "\x1b")] {
            assert!(check_variable(name, value).is_err(), "{name:?} was taken");
        }
    }

    #[test]
    fn a_sentence_stays_on_its_line() {
        assert_eq!(sentence(" 100 %\nof it\\\\"), "100 %% of it");
    }

    proptest! {
        #[test]
        fn words_are_read_back(word in "[^\0]{0,40}") {
            let quoted = quote(&word);
            prop_assert!(!quoted.contains(['\n', '\r']), "{quoted}");
            prop_assert!(!quoted.is_empty());
            prop_assert_eq!(read_back(&quoted), word);
        }

        #[test]
        fn no_file_panics(text in "[A\"=\\\\\n]{0,20}|.{0,20}") {
            drop(parse_environment_file(&text));
        }

        #[test]
        fn environments_are_read_back(value in "[^\0]{0,40}", other in "[^\0]{0,10}") {
            let all = vec![("A".to_owned(), value), ("B".to_owned(), other)];
            prop_assert_eq!(parse_environment_file(&environment_file(&all)), all);
        }
    }
}
