//! Text as one part of a path, on disk or in a URL, by percent-encoding (RFC 3986, section 2.1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is encoded: all but `[A-Za-z0-9._-]`, which no file system, shell or URL takes for anything else.
const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// The text as one part of a path: never empty for one that isn't, never hidden, never `.` or `..`.
#[must_use]
pub fn encode(text: &str) -> String {
    match text.strip_prefix('.') {
        Some(rest) => format!("%2E{}", utf8_percent_encode(rest, SPECIAL)),
        None => utf8_percent_encode(text, SPECIAL).to_string(),
    }
}

/// The text that was encoded; none where that is no UTF-8 or an escape is broken.
#[must_use]
pub fn decode(part: &str) -> Option<String> {
    let is_whole =
        |rest: &[u8]| matches!(rest, [a, b, ..] if [a, b].iter().all(|c| c.is_ascii_hexdigit()));
    let mut escapes = part.split('%').skip(1);
    if !escapes.all(|rest| is_whole(rest.as_bytes())) {
        return None;
    }
    percent_decode_str(part).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_whole_escapes_of_utf8_are_read() {
        for (part, text) in [
            ("plain-1_2.x", Some("plain-1_2.x")),
            ("a%2Fb%3a1", Some("a/b:1")),
            ("%2E.", Some("..")),
            ("%c3%a4", Some("ä")),
            ("%", None),
            ("%2", None),
            ("%+2", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(part).as_deref(), text, "{part}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_reads_back(text in ".{0,40}") {
            let part = encode(&text);
            prop_assert!(part.is_ascii() && !part.contains('/') && !part.starts_with('.'));
            prop_assert_eq!(decode(&part), Some(text));
        }
    }
}
