//! Patterns of paths, as `.dockerignore` and `develop.watch` have them.

/// Patterns in their order: the last that fits decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    parts: Vec<String>,
    /// It takes back what those before it say.
    except: bool,
}

impl Patterns {
    /// The patterns of a list; those that say nothing are left out.
    pub fn new<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Self {
        Self(lines.into_iter().filter_map(|line| Pattern::new(line.as_ref())).collect())
    }

    /// The patterns of a `.dockerignore`: one a line, with comments.
    #[must_use]
    pub fn of_file(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self::new(text.lines().filter(|line| !line.starts_with('#')))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a path, relative to what the patterns are relative to, is meant: it or a folder that it is in.
    #[must_use]
    pub fn fit(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let last = self.0.iter().rev().find(|pattern| fits(&pattern.parts, &parts));
        last.is_some_and(|pattern| !pattern.except)
    }

    /// Whether nothing in a folder that is meant can be meant not to be.
    #[must_use]
    pub fn hold_for_all_below(&self) -> bool {
        self.0.iter().all(|pattern| !pattern.except)
    }
}

impl Pattern {
    fn new(line: &str) -> Option<Self> {
        let line = line.trim();
        let (except, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let mut parts: Vec<String> = Vec::new();
        for part in line.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part.to_owned()),
            }
        }
        // `.` alone is all there is.
        if parts.is_empty() && line == "." {
            parts.push("**".to_owned());
        }
        (!parts.is_empty()).then_some(Self { parts, except })
    }
}

/// Whether a path, or a folder that it is in, is what the parts of a pattern say.
fn fits(pattern: &[String], path: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return true };
    if first == "**" {
        if rest.is_empty() {
            return !path.is_empty();
        }
        return (0..=path.len()).any(|skipped| fits(rest, &path[skipped..]));
    }
    match path.split_first() {
        Some((name, below)) if is_like(first, name) => fits(rest, below),
        _ => false,
    }
}

/// Whether a name is what a pattern with `*`, `?`, `[…]` and `\` says.
fn is_like(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where the last star is, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(behind) = one(&pattern[p..], name[n]) {
            p += behind;
            n += 1;
        } else if let Some((at, taken)) = star {
            (p, n) = (at + 1, taken + 1);
            star = Some((at, taken + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|sign| *sign == '*')
}

/// How many signs of a pattern stand for this one of a name, where they do.
fn one(pattern: &[char], sign: char) -> Option<usize> {
    match *pattern.first()? {
        '?' => Some(1),
        '\\' => (*pattern.get(1)? == sign).then_some(2),
        '[' => match set(&pattern[1..], sign) {
            Some((true, length)) => Some(length + 1),
            Some((false, _)) => None,
            // Never closed, so it stands for itself.
            None => (sign == '[').then_some(1),
        },
        plain => (plain == sign).then_some(1),
    }
}

/// Whether a sign is in a set such as `a-z]` or `^a]`, and how long that is.
fn set(pattern: &[char], sign: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some('^' | '!'));
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        let low = *pattern.get(at)?;
        if low == ']' && at > usize::from(negated) {
            return Some((found != negated, at + 1));
        }
        let range =
            pattern.get(at + 1) == Some(&'-') && pattern.get(at + 2).is_some_and(|c| *c != ']');
        let high = if range { pattern[at + 2] } else { low };
        found |= (low..=high).contains(&sign);
        at += if range { 3 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_that_patterns_mean() {
        for (pattern, path, fits) in [
            ("node_modules/", "node_modules/a/b.js", true),
            ("node_modules", "src/node_modules", false),
            ("**/node_modules", "src/x/node_modules/y", true),
            ("**/node_modules", "node_modules", true),
            ("/*.md", "README.md", true),
            ("*.md", "docs/a.md", false),
            ("**/*.md", "docs/a.md", true),
            ("docs/**", "docs/a/b", true),
            ("docs/**/b", "docs/b", true),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[!a]x", "bx", true),
            ("[x", "[x", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("./src/../lib", "lib/x", true),
            (".", "anything/at/all", true),
            ("a*b*c", "axxbyybzzc", true),
            ("a*b*c", "axxbyybzz", false),
        ] {
            assert_eq!(Patterns::new([pattern]).fit(path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_that_fits_decides() {
        let patterns = Patterns::of_file("# all but one\n*.log\n\n!keep.log\n");
        assert!(patterns.fit("a.log") && !patterns.fit("keep.log") && !patterns.fit("a.txt"));
        assert!(!patterns.hold_for_all_below());
        assert!(Patterns::new(["", " ", "!", "/"]).is_empty());
    }

    proptest! {
        #[test]
        fn every_name_is_like_itself(name in "[a-z.*?\\[\\]\\\\-]{1,8}") {
            let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
            prop_assert!(is_like(&escaped, &name));
            prop_assert!(is_like("*", &name));
        }

        #[test]
        fn no_pattern_breaks(pattern in "[a*?\\[\\]^!/\\\\-]{0,12}", path in "[a/-]{0,12}") {
            let patterns = Patterns::new([pattern]);
            prop_assert!(!patterns.is_empty() || !patterns.fit(&path));
        }
    }
}
