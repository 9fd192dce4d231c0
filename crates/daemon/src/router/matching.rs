//! From method and path to a row of the table. Pure.

use volt_api::OperationInfo;
use volt_model::percent;

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Found<'t> {
    /// The row with this index, and what fills the placeholders.
    Operation(usize, Vec<(&'t str, String)>),
    /// The path exists; these are its methods.
    OtherMethod(Vec<&'t str>),
    /// Nothing.
    Nothing,
}

/// Looks for the operation of `method` and `path` (still percent-encoded, without query).
pub(crate) fn find<'t>(table: &[&'t OperationInfo], method: &str, path: &str) -> Found<'t> {
    let mut methods = Vec::new();
    for (index, info) in table.iter().enumerate() {
        let Some(filled) = fill(info.path, path) else { continue };
        if info.method == method {
            return Found::Operation(index, filled);
        }
        methods.push(info.method);
    }
    if methods.is_empty() { Found::Nothing } else { Found::OtherMethod(methods) }
}

/// The values of the template's placeholders, where `path` has its form.
fn fill<'t>(template: &'t str, path: &str) -> Option<Vec<(&'t str, String)>> {
    let mut filled = Vec::new();
    let mut parts = path.split('/');
    for expected in template.split('/') {
        let part = parts.next()?;
        match expected.strip_prefix('{').and_then(|e| e.strip_suffix('}')) {
            Some(_) if part.is_empty() => return None,
            Some(name) => filled.push((name, percent::decode(part)?)),
            None if part == expected => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_api::operations::OPERATIONS;

    fn found(method: &str, path: &str) -> String {
        let table: Vec<_> = OPERATIONS.iter().collect();
        match find(&table, method, path) {
            Found::Operation(index, filled) => {
                let values: Vec<_> = filled.iter().map(|(n, v)| format!(" {n}={v}")).collect();
                format!("{}{}", table[index].id, values.concat())
            }
            Found::OtherMethod(methods) => format!("only {}", methods.join(" ")),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths() {
        for (method, path, expected) in [
            ("GET", "/api/v1/containers", "container_list"),
            ("POST", "/api/v1/containers/web/start", "container_start name=web"),
            ("GET", "/api/v1/containers/a%2Fb", "container_inspect name=a/b"),
            ("GET", "/api/v1/images/inspect", "image_inspect"),
            ("PUT", "/api/v1/containers/web", "only GET DELETE PATCH"),
            ("GET", "/api/v1/containers/", "nothing"),
            ("GET", "/api/v1/containers//start", "nothing"),
            ("POST", "/api/v1/containers/web/start/", "nothing"),
            ("GET", "/api/v1/containers/%ff", "nothing"),
            ("GET", "/", "nothing"),
            ("GET", "", "nothing"),
        ] {
            assert_eq!(found(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn no_two_paths_can_be_taken_for_each_other() {
        let table: Vec<_> = OPERATIONS.iter().collect();
        for info in OPERATIONS {
            let path = info.path.replace(['{', '}'], "");
            assert!(found(info.method, &path).starts_with(info.id), "{path}");
        }
        assert_eq!(table.len(), OPERATIONS.len());
    }
}
