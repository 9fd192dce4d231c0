//! Which Debian mirror this machine is set up with, from apt's own files.

use std::fs;

/// The address of the mirror that apt takes Debian's `main` from, if apt is set up with one.
pub(crate) fn mirror() -> Option<String> {
    let mut files = vec!["/etc/apt/sources.list".into()];
    let mut parts: Vec<_> = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    parts.sort();
    files.extend(parts);
    files.iter().find_map(|file: &std::path::PathBuf| {
        let text = fs::read_to_string(file).ok()?;
        match file.extension()?.to_str()? {
            "sources" => deb822(&text),
            "list" => one_line(&text),
            _ => None,
        }
    })
}

/// From paragraphs of `Key: value`.
fn deb822(text: &str) -> Option<String> {
    text.split("\n\n").find_map(|paragraph| {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        if field("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no")) {
            return None;
        }
        let of_debian = field("Types")?.split_whitespace().any(|kind| kind == "deb")
            && wanted(field("Suites")?, field("Components").unwrap_or_default());
        of_debian.then(|| field("URIs")?.split_whitespace().next().map(tidy)).flatten()
    })
}

/// From lines of `deb [options] address suite component…`.
fn one_line(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut rest = line.trim().strip_prefix("deb")?.trim_start();
        if let Some(options) = rest.strip_prefix('[') {
            rest = options.split_once(']')?.1;
        }
        let mut words = rest.split_whitespace();
        let (address, suite) = (words.next()?, words.next()?);
        let components = words.collect::<Vec<_>>().join(" ");
        wanted(suite, &components).then(|| tidy(address))
    })
}

fn wanted(suites: &str, components: &str) -> bool {
    let known = |suite: &str| {
        ["stable", "oldstable", "testing", "sid", "forky"].contains(&suite)
            || super::SUITES.contains(&suite)
    };
    suites.split_whitespace().any(known) && components.split_whitespace().any(|c| c == "main")
}

fn tidy(address: &str) -> String {
    address.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_found_in_both_forms() {
        let paragraphs = "Types: deb\nURIs: http://m/security\nSuites: bookworm-security\n\
             Components: main\n\nTypes: deb deb-src\n# a remark\nURIs: http://m/debian/\n\
             Suites: bookworm bookworm-updates\nComponents: main contrib\n";
        assert_eq!(deb822(paragraphs).as_deref(), Some("http://m/debian"));
        assert_eq!(
            deb822(&format!("Enabled: no\n{paragraphs}")).as_deref(),
            Some("http://m/debian")
        );
        let lines = "# deb http://no/debian trixie main\ndeb-src http://s/debian trixie main\n\
             deb https://x/apt cloud-sdk main\ndeb [signed-by=/k arch=amd64] http://m/debian trixie main\n";
        assert_eq!(one_line(lines).as_deref(), Some("http://m/debian"));
        assert_eq!(one_line("deb http://x nodistro main"), None);
    }
}
