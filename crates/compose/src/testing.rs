//! What tests share: stacks from files that are only in memory, in `/srv/app`.

use crate::load::{Loaded, Request, load};
use crate::stack::{Container, Stack};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Files by path; those without a folder lie in `/srv/app`.
pub(crate) fn files(files: &[(&str, &str)]) -> BTreeMap<PathBuf, String> {
    files
        .iter()
        .map(|(path, text)| (PathBuf::from("/srv/app").join(path), (*text).to_owned()))
        .collect()
}

/// A request from `/srv/app`.
pub(crate) fn request() -> Request {
    Request { folder: PathBuf::from("/srv/app"), ..Request::default() }
}

/// What `compose.yaml` with this text becomes.
#[track_caller]
pub(crate) fn loaded(text: &str) -> Loaded {
    load(&files(&[("compose.yaml", text)]), &request()).unwrap_or_else(|report| panic!("{report}"))
}

/// The stack of this text.
#[track_caller]
pub(crate) fn stack(text: &str) -> Stack {
    loaded(text).stack
}

/// The container of a service with these fields, each a line; what it names is declared.
#[track_caller]
pub(crate) fn container(fields: &str) -> Container {
    let mut stack = stack(&service(fields));
    match stack.services.remove("web").unwrap().workload {
        crate::stack::Workload::Container(container) => *container,
        other => panic!("a {}", other.kind()),
    }
}

/// A file with a service `web` of these fields, in which what tests name is declared.
pub(crate) fn service(fields: &str) -> String {
    let fields: String = fields.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "services:\n  web:\n    image: app\n{fields}  db: {{image: db, healthcheck: {{tcp: '5432'}}}}\n\
         networks: {{front: , back: {{subnet: 10.7.0.0/24}}}}\nvolumes: {{data: }}\n\
         secrets: {{key: {{file: ./key}}}}\nconfigs: {{conf: {{content: x}}}}\n"
    )
}

/// What is said of a file that is refused, without the file's name.
#[track_caller]
pub(crate) fn refused(text: &str) -> Vec<String> {
    match load(&files(&[("compose.yaml", text)]), &request()) {
        Ok(_) => panic!("it was taken:\n{text}"),
        Err(report) => report
            .errors
            .iter()
            .map(|e| e.to_string().replace("/srv/app/compose.yaml:", ""))
            .collect(),
    }
}

/// The same of a service with these fields; they begin in line 4.
#[track_caller]
pub(crate) fn refused_service(fields: &str) -> Vec<String> {
    refused(&service(fields))
}
