//! The extended headers of PAX archives: records `LENGTH KEY=VALUE\n`. Pure.

use crate::tree::Time;

/// The records of one extended header, in order. A later record of the same key wins.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Records(pub(super) Vec<(Vec<u8>, Vec<u8>)>);

impl Records {
    /// Parses the body of an extended header.
    pub(super) fn parse(mut body: &[u8]) -> Result<Self, &'static str> {
        let mut records = Vec::new();
        while !body.is_empty() {
            // Some writers pad the body with NULs.
            if body.iter().all(|b| *b == 0) {
                break;
            }
            let digits = body.iter().take_while(|b| b.is_ascii_digit()).count();
            let length = decimal(&body[..digits]).and_then(|n| usize::try_from(n).ok());
            let length = length.ok_or("an extended header's record has no length")?;
            if body.get(digits) != Some(&b' ') || length <= digits + 2 || length > body.len() {
                return Err("an extended header's record lies about its length");
            }
            let record = &body[digits + 1..length];
            let Some(record) = record.strip_suffix(b"\n") else {
                return Err("an extended header's record lies about its length");
            };
            let equals = record.iter().position(|b| *b == b'=');
            let equals =
                equals.filter(|at| *at > 0).ok_or("an extended header's record has no key")?;
            records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
            body = &body[length..];
        }
        Ok(Self(records))
    }

    /// The value of a key; an empty value takes an earlier one back.
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.0.iter().rev().find(|(k, _)| k == key)?;
        (!value.is_empty()).then_some(value)
    }

    /// A key whose value must be a number.
    pub(super) fn number(&self, key: &[u8]) -> Result<Option<u64>, &'static str> {
        let number = |value| decimal(value).ok_or("an extended header's number is none");
        self.get(key).map(number).transpose()
    }

    /// A key whose value must be a point in time.
    pub(super) fn time(&self, key: &[u8]) -> Result<Option<Time>, &'static str> {
        let time = |value| parse_time(value).ok_or("an extended header's time is none");
        self.get(key).map(time).transpose()
    }
}

/// Appends a record in its wire form.
pub(super) fn put_record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // The length counts its own digits.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A number of nothing but decimal digits.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

fn parse_time(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.splitn(2, |b| *b == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or(b"0");
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |i| u32::from(fraction.get(i).map_or(0, |b| b - b'0'));
    let nanoseconds = (0..9).fold(0, |n, i| n * 10 + digit(i));
    Some(match (negative, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds: 0 },
        (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

/// A point in time in its wire form.
pub(super) fn format_time(time: Time) -> String {
    match (time.seconds, time.nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (seconds, nanoseconds) if seconds >= 0 => format!("{seconds}.{nanoseconds:09}"),
        (seconds, nanoseconds) => {
            format!("-{}.{:09}", seconds.unsigned_abs() - 1, 1_000_000_000 - nanoseconds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_that_lie_are_refused() {
        for bad in [
            &b"9 path=a\n\x01"[..],
            b"99 path=a\n",
            b"0 path=a\n",
            b"path=a\n",
            b"6 path\n",
            b"5 =a\n",
            b"99999999999999999999 a=b\n",
            b"7 a=b\n",
        ] {
            assert!(Records::parse(bad).is_err(), "{:?} was taken", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn the_last_of_a_key_wins_and_empty_takes_back() {
        let records = Records::parse(b"7 k=ab\n6 k=c\n5 j=\n").unwrap();
        assert_eq!((records.get(b"k"), records.get(b"j")), (Some(&b"c"[..]), None));
    }

    proptest! {
        #[test]
        fn records_read_back(records in prop::collection::vec(
            ("[a-zA-Z.]{1,12}", prop::collection::vec(any::<u8>(), 0..120)), 0..6))
        {
            let mut body = Vec::new();
            for (key, value) in &records {
                put_record(&mut body, key.as_bytes(), value);
            }
            let want: Vec<_> = records.into_iter().map(|(k, v)| (k.into_bytes(), v)).collect();
            prop_assert_eq!(Records::parse(&body).unwrap().0, want);
        }

        #[test]
        fn times_read_back(seconds in -1_000_000_000_000i64..1_000_000_000_000, nanoseconds in 0u32..1_000_000_000) {
            let time = Time { seconds, nanoseconds };
            prop_assert_eq!(parse_time(format_time(time).as_bytes()), Some(time));
        }

        #[test]
        fn never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(Records::parse(&body));
        }
    }
}
