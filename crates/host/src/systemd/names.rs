//! Unit names, their D-Bus object paths, and patterns. Pure.

const PREFIX: &str = "/org/freedesktop/systemd1/unit/";

/// The D-Bus path of a unit. Asking there loads the unit when it is not.
pub fn unit_path(unit: &str) -> String {
    let mut path = String::with_capacity(PREFIX.len() + unit.len() * 2);
    path.push_str(PREFIX);
    if unit.is_empty() {
        path.push('_');
    }
    for (at, byte) in unit.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()) {
            path.push(byte.into());
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

/// The unit that a D-Bus path stands for.
pub fn unit_of_path(path: &str) -> Option<String> {
    let mut bytes = path.strip_prefix(PREFIX)?.bytes();
    let mut name = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'_' {
            let digits = [bytes.next()?, bytes.next()?];
            name.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            name.push(byte);
        }
    }
    String::from_utf8(name).ok()
}

/// Whether a name matches a pattern of `*` (anything) and `?` (one character).
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on after the last `*` when what follows it did not match.
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, n + 1));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star, from)) = retry else { return false };
                retry = Some((star, from + 1));
                p = star + 1;
                n = from;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
