//! `extends`: a service put over another one, of the same file or another (Compose Specification, 05-services: extends).

use super::{Loader, Project, paths};
use crate::decode::SERVICE_SECTIONS;
use crate::interpolate::interpolate_all;
use crate::merge;
use crate::problem::Problem;
use crate::yaml::{Node, Value};
use std::path::{Path, PathBuf};
use volt_model::config::nearest;

/// How many services may extend each other.
const MAX_CHAIN: usize = 64;

/// A service of a file: what a chain of `extends` consists of.
type Link = (Option<PathBuf>, String);

impl Loader<'_> {
    /// Does the `extends` of all services of a document; `before` are the files that it is merged over.
    pub(super) fn extend(&mut self, document: &mut Node, before: Option<&Node>, project: &Project) {
        for section in SERVICE_SECTIONS {
            let names: Vec<String> = document
                .get(section)
                .map(Node::entries)
                .unwrap_or_default()
                .iter()
                .map(|e| e.key.clone())
                .collect();
            for name in names {
                let service = document.get(section).and_then(|all| all.get(&name));
                let Some(service) =
                    service.filter(|service| service.get("extends").is_some()).cloned()
                else {
                    continue;
                };
                let context = Context { document, before, project };
                let whole = self.whole(service.clone(), &context, &mut vec![(None, name.clone())]);
                // What is wrong was said: no more is to be said of what is missing because of it.
                let whole = whole.unwrap_or_else(|| pretended(service));
                if let Some(all) = document.get_mut(section) {
                    all.set(&name, whole);
                }
            }
        }
    }

    /// A service with all that it extends below it.
    fn whole(
        &mut self,
        mut service: Node,
        context: &Context<'_>,
        chain: &mut Vec<Link>,
    ) -> Option<Node> {
        let Some(extends) = service.take("extends") else { return Some(service) };
        let (name, file) = match extends.as_text() {
            Some(name) => (Some(name.to_owned()), None),
            None => {
                let text = |key: &str| extends.get(key).and_then(Node::as_text).map(str::to_owned);
                (text("service"), text("file"))
            }
        };
        let Some(name) = name else {
            self.report.error(
                Problem::at(&extends.place, "extends: it names no service")
                    .hinted("Write `service: NAME`"),
            );
            return None;
        };
        let file =
            file.map(PathBuf::from).or_else(|| chain.last().and_then(|(file, _)| file.clone()));
        let link = (file.clone(), name.clone());
        let looped = chain.contains(&link);
        chain.push(link);
        if chain.len() > MAX_CHAIN {
            let what = format!("extends: more than {MAX_CHAIN} services extend each other");
            self.report.error(Problem::at(&extends.place, what));
            return None;
        }
        if looped {
            let what = format!("extends: it goes in a circle: {}", drawn(chain));
            self.report
                .error(Problem::at(&extends.place, what).hinted("Take one `extends` out of it"));
            return None;
        }
        let base = match &file {
            None => {
                let base = context.find(&name);
                if base.is_none() {
                    self.missing(&extends, &name, context.document);
                }
                self.whole(base?, context, chain)?
            }
            Some(path) => {
                let document = self.extended(&extends, path, context)?;
                let Some(base) = find(&document, &name) else {
                    self.missing(&extends, &name, &document);
                    return None;
                };
                let context =
                    Context { document: &document, before: None, project: context.project };
                self.whole(base, &context, chain)?
            }
        };
        Some(merge::merge_service(base, service, &mut self.report))
    }

    /// The document of another file, as far as it is needed for a service of it.
    fn extended(&mut self, extends: &Node, path: &Path, context: &Context<'_>) -> Option<Node> {
        if !matches!(self.files.read(path), Ok(Some(_))) {
            let what = format!("extends: there is no file {}", path.display());
            self.report.error(Problem::at(&extends.place, what));
            return None;
        }
        let mut document = self.document(path)?;
        let variables = &context.project.variables;
        interpolate_all(&mut document, variables, &mut self.report);
        paths::absolute(&mut document, path.parent().unwrap_or(Path::new("/")), variables);
        Some(document)
    }

    fn missing(&mut self, extends: &Node, name: &str, document: &Node) {
        let known = SERVICE_SECTIONS.iter().filter_map(|section| document.get(section));
        let known = known.flat_map(|all| all.entries().iter().map(|entry| entry.key.as_str()));
        let problem = Problem::at(
            &extends.place,
            format!("extends: there is no service `{name}` in {}", document.place.file),
        );
        self.report.error(match nearest(name, known) {
            Some(near) => problem.hinted(format!("Did you mean `{near}`?")),
            None => problem,
        });
    }
}

struct Context<'a> {
    document: &'a Node,
    before: Option<&'a Node>,
    project: &'a Project,
}

impl Context<'_> {
    fn find(&self, name: &str) -> Option<Node> {
        find(self.document, name).or_else(|| find(self.before?, name))
    }
}

fn find(document: &Node, name: &str) -> Option<Node> {
    let service = SERVICE_SECTIONS.iter().find_map(|section| document.get(section)?.get(name))?;
    matches!(service.value, Value::Map(_)).then(|| service.clone())
}

/// A service whose base could not be found, as if it had been.
fn pretended(mut service: Node) -> Node {
    let place = service.place.clone();
    drop(service.take("extends"));
    if service.get("image").is_none() {
        service.set("image", Node::text("unknown", &place));
    }
    service
}

/// `web -> base (common.yaml) -> web`
fn drawn(chain: &[Link]) -> String {
    let link = |(file, name): &Link| match file {
        Some(file) => {
            format!("{name} ({})", file.file_name().unwrap_or_default().to_string_lossy())
        }
        None => name.clone(),
    };
    chain.iter().map(link).collect::<Vec<_>>().join(" -> ")
}
