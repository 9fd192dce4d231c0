//! The mirror that the host's own apt uses: `sources.list`, `sources.list.d/*.list` and `*.sources`.

use std::path::{Path, PathBuf};
use volt_host::files;

/// More than any list of sources takes, in bytes.
const LIST_LIMIT: usize = 1 << 20;

/// The first Debian mirror in the host's apt sources.
pub(super) fn host_mirror(apt_dir: &Path) -> Option<String> {
    let mut lists = vec![apt_dir.join("sources.list")];
    let parts = std::fs::read_dir(apt_dir.join("sources.list.d"));
    let mut parts: Vec<PathBuf> =
        parts.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    parts.sort();
    lists.extend(parts);
    lists.iter().find_map(|list| {
        let text = files::read_text(list, LIST_LIMIT).ok()?;
        match list.extension()?.to_str()? {
            "list" => from_lines(&text),
            "sources" => from_stanzas(&text),
            _ => None,
        }
    })
}

/// Whether it is a URL that debootstrap can fetch from.
#[must_use]
pub fn is_mirror(url: &str) -> bool {
    let known = ["http://", "https://", "file:/"].iter().any(|scheme| url.starts_with(scheme));
    known && url.len() <= 2000 && url.chars().all(|c| c.is_ascii_graphic())
}

/// A mirror of the distribution itself: a part of its path is `debian`, which those of the security
/// archive, ports, backports of others and third parties have not.
fn is_debian(url: &str) -> bool {
    is_mirror(url)
        && url.splitn(4, '/').nth(3).is_some_and(|path| path.split('/').any(|p| p == "debian"))
}

/// One-line style: `deb [options] URI suite components…`.
fn from_lines(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.split('#').next()?.trim();
        let rest = line.strip_prefix("deb")?;
        let rest = rest.starts_with([' ', '\t', '[']).then_some(rest)?.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => rest,
        };
        accept(rest.split_whitespace().next()?)
    })
}

/// deb822 style: stanzas of `Field: value` with continued lines.
fn from_stanzas(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.split(|line| line.trim().is_empty()).find_map(|stanza| {
        let enabled = field(stanza, "enabled").is_none_or(|value| !is_no(&value));
        let binary = field(stanza, "types")?.split_whitespace().any(|kind| kind == "deb");
        if !enabled || !binary {
            return None;
        }
        field(stanza, "uris")?.split_whitespace().find_map(accept)
    })
}

fn accept(url: &str) -> Option<String> {
    is_debian(url).then(|| url.trim_end_matches('/').to_owned())
}

fn is_no(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    ["no", "false", "off", "without", "disable", "0"].contains(&value.as_str())
}

fn field(stanza: &[&str], name: &str) -> Option<String> {
    let mut lines = stanza.iter().skip_while(|line| {
        !line.split_once(':').is_some_and(|(key, _)| key.trim().eq_ignore_ascii_case(name))
    });
    let mut value = lines.next()?.split_once(':')?.1.to_owned();
    for more in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(more.trim());
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_one_line_a_source() {
        for (text, want) in [
            (
                "deb http://mirror.example/debian trixie main\n",
                Some("http://mirror.example/debian"),
            ),
            ("# deb http://a.example/debian x\ndeb-src http://b.example/debian x\n", None),
            (
                "deb [arch=amd64 signed-by=/k] https://m.example/debian/ sid main",
                Some("https://m.example/debian"),
            ),
            (
                "deb http://m.example/debian-security x\ndeb http://m.example/debian x",
                Some("http://m.example/debian"),
            ),
            ("deb http://m.example/ubuntu noble main", None),
            ("deb cdrom:[Debian]/ trixie main", None),
            (
                "deb\thttp://snap.example/archive/debian/20250101T000000Z x",
                Some("http://snap.example/archive/debian/20250101T000000Z"),
            ),
        ] {
            assert_eq!(from_lines(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn stanzas() {
        let text = "Types: deb\n# a comment\nURIs: https://other.example/apt\nSuites: x\n\n\
            Enabled: no\nTypes: deb\nURIs: http://off.example/debian\n\n\
            Types: deb deb-src\nURIs:\n https://a.example/x\n http://m.example/debian/\nSuites: trixie\n";
        assert_eq!(from_stanzas(text).as_deref(), Some("http://m.example/debian"));
        assert_eq!(from_stanzas("Types: deb-src\nURIs: http://m.example/debian\n"), None);
    }

    #[test]
    fn the_host_s_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        assert_eq!(host_mirror(dir.path()), None);
        write("sources.list.d/debian.sources", "Types: deb\nURIs: http://b.example/debian\n");
        write("sources.list.d/a.list", "deb http://third.example/apt x\n");
        assert_eq!(host_mirror(dir.path()).as_deref(), Some("http://b.example/debian"));
        write("sources.list", "deb http://a.example/debian x\n");
        assert_eq!(host_mirror(dir.path()).as_deref(), Some("http://a.example/debian"));
    }
}
