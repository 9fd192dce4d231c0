//! What images a Containerfile (also called Dockerfile) is about: those that it begins with and copies from. Pure.
//!
//! Only that is read here; what builds the image reads the rest, and says what is wrong with it.

use std::collections::BTreeMap;
use std::str::Lines;

/// The names of these images, as they are written, each once. `given` are values for its arguments in place of its own.
///
/// `scratch` and stages of the file itself are not among them.
#[must_use]
pub fn bases(text: &str, given: &BTreeMap<String, String>) -> Vec<String> {
    let mut reader = Reader { given, args: BTreeMap::new(), stages: Vec::new(), found: Vec::new() };
    let mut lines = text.lines();
    while let Some(instruction) = next(&mut lines) {
        reader.take(&instruction);
    }
    reader.found
}

/// The next instruction on one line, its comments and the documents that follow it left out.
fn next(lines: &mut Lines<'_>) -> Option<String> {
    let mut whole = String::new();
    for line in lines.by_ref() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                whole.push(' ');
            }
            None => {
                whole.push_str(line);
                break;
            }
        }
    }
    for word in documents(&whole) {
        let is_end = |line: &&str| line.trim_start_matches('\t') == word;
        let _end = lines.by_ref().find(is_end);
    }
    (!whole.trim().is_empty()).then_some(whole)
}

/// The words that end the documents (`<<WORD`) of an instruction.
fn documents(instruction: &str) -> Vec<String> {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let mut words = Vec::new();
    for part in instruction.split("<<").skip(1) {
        let bare = part.trim_start_matches('-').trim_start_matches(['"', '\'']);
        let word: String = bare.chars().take_while(is_part).collect();
        // The first piece of `<<<` is empty, and what follows it is no document.
        if part.starts_with('<') || word.is_empty() {
            continue;
        }
        words.push(word);
    }
    words
}

struct Reader<'a> {
    given: &'a BTreeMap<String, String>,
    args: BTreeMap<String, String>,
    stages: Vec<String>,
    found: Vec<String>,
}

impl Reader<'_> {
    fn take(&mut self, instruction: &str) {
        let mut words = instruction.split_whitespace();
        match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
            // Those behind the first FROM are for what is in the stages.
            "ARG" if self.stages.is_empty() => words.for_each(|word| self.arg(word)),
            "FROM" => {
                let mut words = words.skip_while(|word| word.starts_with("--"));
                let image = self.expanded(words.next().unwrap_or_default());
                self.base(image);
                let name = words.next().filter(|word| word.eq_ignore_ascii_case("as"));
                let name = name.and_then(|_| words.next()).unwrap_or_default();
                self.stages.push(name.to_ascii_lowercase());
            }
            "COPY" | "ADD" => {
                let flags = words.take_while(|word| word.starts_with("--"));
                flags.filter_map(|flag| flag.strip_prefix("--from=")).for_each(|from| {
                    self.base(self.expanded(from));
                });
            }
            "RUN" => {
                let flags = words.take_while(|word| word.starts_with("--"));
                let mounts = flags.filter_map(|flag| flag.strip_prefix("--mount="));
                let parts = mounts.flat_map(|mount| mount.split(','));
                parts.filter_map(|part| part.strip_prefix("from=")).for_each(|from| {
                    self.base(self.expanded(from));
                });
            }
            _ => {}
        }
    }

    fn arg(&mut self, word: &str) {
        let (name, default) = word.split_once('=').unwrap_or((word, ""));
        let default = default.trim_matches(['"', '\'']);
        let value = self.given.get(name).cloned().unwrap_or_else(|| self.expanded(default));
        self.args.insert(name.to_owned(), value);
    }

    fn base(&mut self, image: String) {
        let is_stage = self.stages.contains(&image.to_ascii_lowercase())
            || image.parse::<usize>().is_ok_and(|number| number < self.stages.len());
        if !image.is_empty() && image != "scratch" && !is_stage && !self.found.contains(&image) {
            self.found.push(image);
        }
    }

    /// With `$NAME`, `${NAME}` and `${NAME:-otherwise}` put in.
    fn expanded(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text.trim_matches('"');
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (name, otherwise, behind) = match after.strip_prefix('{') {
                Some(inner) => {
                    let (inner, behind) = inner.split_once('}').unwrap_or((inner, ""));
                    let (name, otherwise) = inner.split_once(":-").unwrap_or((inner, ""));
                    (name, otherwise, behind)
                }
                None => {
                    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
                    (&after[..end], "", &after[end..])
                }
            };
            let value = self.args.get(name).map_or("", String::as_str);
            out.push_str(if value.is_empty() { otherwise } else { value });
            rest = behind;
        }
        out + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_a_file_is_about() {
        let given = BTreeMap::from([("SUITE".to_owned(), "bookworm".to_owned())]);
        for (text, want) in [
            ("FROM debian", &["debian"][..]),
            ("# FROM a\n\nfrom --platform=linux/amd64 b:1 as base\nRUN x\nFROM base\n", &["b:1"]),
            (
                "FROM scratch\nCOPY --chown=1 --from=tools:2 /a /b\nCOPY --from=0 /a /b",
                &["tools:2"],
            ),
            (
                "ARG SUITE=trixie\nARG X=\"y\"\nFROM debian:$SUITE\nFROM ${X}/z:${NONE:-1}",
                &["debian:bookworm", "y/z:1"],
            ),
            (
                "FROM a\nARG LATE=1\nRUN --mount=type=bind,from=b,target=/x true\nFROM a AS a",
                &["a", "b"],
            ),
            (
                "FROM \\\n# between\n  a\nRUN <<END\nFROM no\nEND\nRUN cat <<<FROM\nFROM c",
                &["a", "c"],
            ),
            ("FROM\nCOPY --from= a b\nFROM $", &[]),
            ("", &[]),
        ] {
            assert_eq!(bases(text, &given), want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(?s)(FROM|ARG|RUN|\\$|\\{|\\}|:-|<<|\\\\|\n| |.){0,60}") {
            drop(bases(&text, &BTreeMap::new()));
        }
    }
}
