//! Command lines as people type them.

/// A command line that can't be split.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` has a quote that is never closed")]
pub struct WordsError(String);

/// Splits a command line into words as a shell does: blanks between them, quotes and backslashes undone. Nothing else of a shell
/// is done.
///
/// # Errors
/// When a quote is not closed.
pub fn split(text: &str) -> Result<Vec<String>, WordsError> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"'), '\\') => match chars.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.get_or_insert_default().push(c),
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().extend(['\\', c]),
                None => return Err(WordsError(shown(text))),
            },
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => match chars.next() {
                Some('\n') | None => {}
                Some(c) => word.get_or_insert_default().push(c),
            },
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(WordsError(shown(text)));
    }
    words.extend(word);
    Ok(words)
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn command_lines() {
        for (text, words) in [
            ("nginx -g \"daemon off;\"", vec!["nginx", "-g", "daemon off;"]),
            ("sh -c 'echo \"a b\"'", vec!["sh", "-c", "echo \"a b\""]),
            ("a\\ b \"c\\\"d\\n\"", vec!["a b", "c\"d\\n"]),
            ("  a\n\tb ''", vec!["a", "b", ""]),
            ("a'b'\"c\"", vec!["abc"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert!(split("a 'b").is_err() && split("\"\\").is_err());
    }

    proptest! {
        #[test]
        fn quoted_words_lead_back(words in prop::collection::vec("[^']{0,12}", 0..6)) {
            let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            prop_assert_eq!(split(&line.join(" ")).unwrap(), words);
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            drop(split(&text));
        }
    }
}
