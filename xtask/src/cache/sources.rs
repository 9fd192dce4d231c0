//! Which Debian mirror this machine is set up with, from apt's own files.

use std::fs;

/// The address of the mirror that apt takes Debian's `main` from, if apt is set up with one.
pub(crate) fn mirror() -> Option<String> {
    address(&|suite| {
        ["stable", "oldstable", "testing", "sid", "forky"].contains(&suite)
            || super::SUITES.contains(&suite)
    })
}

/// The address of the mirror that apt takes Debian's security updates from, if apt is set up with one.
pub(crate) fn security() -> Option<String> {
    address(&|suite| suite.ends_with("-security"))
}

/// The first address that apt takes `main` of such a suite from.
fn address(is_meant: &dyn Fn(&str) -> bool) -> Option<String> {
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
            "sources" => deb822(&text, is_meant),
            "list" => one_line(&text, is_meant),
            _ => None,
        }
    })
}

/// From paragraphs of `Key: value`.
fn deb822(text: &str, is_meant: &dyn Fn(&str) -> bool) -> Option<String> {
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
            && wanted(field("Suites")?, field("Components").unwrap_or_default(), is_meant);
        of_debian.then(|| field("URIs")?.split_whitespace().next().map(tidy)).flatten()
    })
}

/// From lines of `deb [options] address suite component…`.
fn one_line(text: &str, is_meant: &dyn Fn(&str) -> bool) -> Option<String> {
    text.lines().find_map(|line| {
        let mut rest = line.trim().strip_prefix("deb")?.trim_start();
        if let Some(options) = rest.strip_prefix('[') {
            rest = options.split_once(']')?.1;
        }
        let mut words = rest.split_whitespace();
        let (address, suite) = (words.next()?, words.next()?);
        let components = words.collect::<Vec<_>>().join(" ");
        wanted(suite, &components, is_meant).then(|| tidy(address))
    })
}

fn wanted(suites: &str, components: &str, is_meant: &dyn Fn(&str) -> bool) -> bool {
    suites.split_whitespace().any(is_meant) && components.split_whitespace().any(|c| c == "main")
}

fn tidy(address: &str) -> String {
    address.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_found_in_both_forms() {
        let plain = |suite: &str| super::super::SUITES.contains(&suite);
        let security = |suite: &str| suite.ends_with("-security");
        let paragraphs = "Types: deb\nURIs: http://m/security\nSuites: bookworm-security\n\
             Components: main\n\nTypes: deb deb-src\n# a remark\nURIs: http://m/debian/\n\
             Suites: bookworm bookworm-updates\nComponents: main contrib\n";
        let lines = "# deb http://no/debian trixie main\ndeb-src http://s/debian trixie main\n\
             deb https://x/apt cloud-sdk main\ndeb [signed-by=/k arch=amd64] http://m/debian trixie main\n\
             deb http://m/security trixie-security main\n";
        let off = format!("Enabled: no\n{paragraphs}");
        for (found, wanted) in [
            (deb822(paragraphs, &plain), Some("http://m/debian")),
            (deb822(paragraphs, &security), Some("http://m/security")),
            (deb822(&off, &plain), Some("http://m/debian")),
            (deb822(&off, &security), None),
            (one_line(lines, &plain), Some("http://m/debian")),
            (one_line(lines, &security), Some("http://m/security")),
            (one_line("deb http://x nodistro main", &plain), None),
        ] {
            assert_eq!(found.as_deref(), wanted);
        }
    }
}
