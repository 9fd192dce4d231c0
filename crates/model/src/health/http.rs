//! What is asked of a web server, and the first line of its answer. Nothing else of HTTP is needed, so no client of it is linked.

use super::{CheckError, Http, wrong};
use std::net::SocketAddr;

/// How much of an answer its first line may be, in bytes.
pub const FIRST_LINE: usize = 1024;

pub(super) fn validate(http: &Http) -> Result<(), CheckError> {
    if http.port == 0 {
        return Err(wrong("http.port", "0 is no port"));
    }
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    if !http.path.starts_with('/') || !plain(&http.path) {
        return Err(wrong(
            "http.path",
            "it begins with / and has neither spaces nor other letters than ASCII's",
        ));
    }
    for (name, value) in &http.headers {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(wrong("http.headers", format!("`{name}` is no name of a header")));
        }
        if value.bytes().any(|b| b.is_ascii_control()) {
            return Err(wrong(
                "http.headers",
                format!("the value of {name} has a control character in it"),
            ));
        }
    }
    Ok(())
}

/// What is sent.
#[must_use]
pub fn request(http: &Http, to: SocketAddr) -> Vec<u8> {
    let mut text = format!("GET {} HTTP/1.1\r\n", http.path);
    let own = [
        ("Host", to.to_string()),
        ("User-Agent", "volt-health".into()),
        ("Accept", "*/*".into()),
        ("Connection", "close".into()),
    ];
    for (name, value) in own {
        if !http.headers.keys().any(|given| given.eq_ignore_ascii_case(name)) {
            text += &format!("{name}: {value}\r\n");
        }
    }
    for (name, value) in &http.headers {
        text += &format!("{name}: {value}\r\n");
    }
    (text + "\r\n").into_bytes()
}

/// What the beginning of an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its first line is not whole yet.
    More,
    /// The code.
    Code(u16),
    /// It is no answer of a web server.
    None,
}

/// Reads the beginning of an answer.
#[must_use]
pub fn answer(bytes: &[u8]) -> Answer {
    let Some(end) = bytes.iter().position(|b| *b == b'\n') else {
        let known = bytes.len().min(5);
        let may_be = bytes[..known] == b"HTTP/"[..known] && bytes.len() < FIRST_LINE;
        return if may_be { Answer::More } else { Answer::None };
    };
    let line = std::str::from_utf8(&bytes[..end]).unwrap_or_default().trim_end();
    let mut words = line.split(' ');
    let version = words.next().unwrap_or_default();
    let code = words.next().filter(|code| code.len() == 3).and_then(|code| code.parse().ok());
    match code {
        Some(code @ 100..=999) if version.starts_with("HTTP/1.") => Answer::Code(code),
        _ => Answer::None,
    }
}

/// Whether the code is good.
#[must_use]
pub fn is_good(http: &Http, code: u16) -> bool {
    match http.status.as_slice() {
        [] => (200..400).contains(&code),
        ranges => ranges.iter().any(|range| range.has(code)),
    }
}
