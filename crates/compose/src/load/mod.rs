//! Files to a stack: which files, in which order, with which variables; `include`, `extends`, profiles. Everything that is wrong is
//! reported at once.

mod discover;
mod environment;
mod extends;
mod include;
mod paths;
#[cfg(test)]
mod tests;

use crate::decode::{self, Places, SERVICE_SECTIONS};
use crate::files::{Files, resolve};
use crate::interpolate::{Variables, interpolate_all};
use crate::problem::{Problem, Report};
use crate::stack::Stack;
use crate::yaml::{self, Node, Value};
use crate::{fields, merge, names, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use volt_model::name::Name;

/// What is to be loaded.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where the command stands, an absolute path.
    pub folder: PathBuf,
    /// The files, in the order in which they are merged; found where there are none.
    pub files: Vec<PathBuf>,
    /// What paths in the files are relative to; the folder of the first file where nothing is said.
    pub project_folder: Option<PathBuf>,
    /// The stack's name, over what the files say.
    pub name: Option<String>,
    /// Profiles that are active.
    pub profiles: Vec<String>,
    /// Services that are asked for: their profiles are active.
    pub services: Vec<String>,
    /// Files of variables in place of `.env`.
    pub env_files: Vec<PathBuf>,
    /// The variables of the caller.
    pub environment: Variables,
}

/// A stack and what came with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The stack.
    pub stack: Stack,
    /// What the user should know.
    pub warnings: Vec<Problem>,
    /// Where things stand in the files.
    pub places: Places,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// What paths were relative to.
    pub folder: PathBuf,
    /// Services that no active profile has, with their profiles.
    pub disabled: BTreeMap<String, Vec<String>>,
    /// The variables, `.env` with them: what secrets and configurations of the environment are taken from.
    pub variables: Variables,
}

/// Loads a stack.
///
/// # Errors
/// When anything in the files is wrong; all of it is in the report, and the warnings.
pub fn load(files: &dyn Files, request: &Request) -> Result<Loaded, Report> {
    let mut loader = Loader {
        files,
        report: Report::default(),
        read: Vec::new(),
        chain: Vec::new(),
        includes: 0,
    };
    let loaded = loader.load(request);
    let mut report = loader.report;
    report.sort();
    match loaded {
        Some(mut loaded) if report.is_good() => {
            loaded.warnings = report.warnings;
            Ok(loaded)
        }
        _ => {
            if report.is_good() {
                report.error(Problem::nowhere("The stack could not be loaded"));
            }
            Err(report)
        }
    }
}

struct Loader<'a> {
    files: &'a dyn Files,
    report: Report,
    /// All files that were read.
    read: Vec<PathBuf>,
    /// The files that are being included in each other.
    chain: Vec<PathBuf>,
    /// How often a file was included.
    includes: usize,
}

/// The files of one project, or of one that is included.
struct Project {
    files: Vec<PathBuf>,
    folder: PathBuf,
    variables: Variables,
}

impl Loader<'_> {
    fn load(&mut self, request: &Request) -> Option<Loaded> {
        let mut project = self.discover(request)?;
        let documents = self.documents(&project.files);
        let name = self.name(request, &project, &documents)?;
        project.variables.insert("COMPOSE_PROJECT_NAME".to_owned(), name.to_string());
        self.chain.extend(project.files.first().cloned());
        let mut root = self.project(&project, documents);
        merge::settle(&mut root);
        let disabled = self.profiles(&mut root, request, &project.variables);
        self.environments(&mut root, &project.variables);
        let before = self.report.errors.len();
        let (mut stack, places) = decode::decode(&root, name, &mut self.report);
        verify::verify(&mut stack, &places, &disabled, &mut self.report);
        self.forget_what_follows(before);

        Some(Loaded {
            stack,
            places,
            disabled,
            warnings: Vec::new(),
            files: std::mem::take(&mut self.read),
            folder: project.folder,
            variables: project.variables,
        })
    }

    /// Where something is wrong with a value already, what else is said of it is only what follows.
    fn forget_what_follows(&mut self, before: usize) {
        let (first, rest) = self.report.errors.split_at(before);
        let said = |problem: &&Problem| {
            first.iter().all(|known| known.place.is_none() || known.place != problem.place)
        };
        let rest: Vec<Problem> = rest.iter().filter(said).cloned().collect();
        self.report.errors.truncate(before);
        self.report.errors.extend(rest);
    }

    /// The documents of files, as they are written.
    fn documents(&mut self, files: &[PathBuf]) -> Vec<Node> {
        files.iter().filter_map(|path| self.document(path)).collect()
    }

    fn document(&mut self, path: &Path) -> Option<Node> {
        let shown: Arc<str> = Arc::from(path.display().to_string());
        let text = self.text(path)?;
        match yaml::read(&shown, &text) {
            Ok(node) if matches!(node.value, Value::Map(_)) => {
                fields::check(&node, &mut self.report);
                Some(node)
            }
            Ok(node) => {
                let what = format!("the file is {}, not a mapping", node.kind());
                self.report
                    .error(Problem::at(&node.place, what).hinted("Begin it with `services:`"));
                None
            }
            Err(problem) => {
                self.report.error(problem);
                None
            }
        }
    }

    fn text(&mut self, path: &Path) -> Option<String> {
        match self.files.read(path) {
            Ok(Some(text)) => {
                if !self.read.iter().any(|known| known == path) {
                    self.read.push(path.to_owned());
                }
                Some(text)
            }
            Ok(None) => {
                self.report.error(Problem::nowhere(format!("There is no file {}", path.display())));
                None
            }
            Err(error) => {
                self.report
                    .error(Problem::nowhere(format!("{} can't be read: {error}", path.display())));
                None
            }
        }
    }

    /// The documents of one project as one: variables put in, paths made absolute, `extends` and `include` done.
    fn project(&mut self, project: &Project, documents: Vec<Node>) -> Node {
        let mut whole: Option<Node> = None;
        for mut document in documents {
            interpolate_all(&mut document, &project.variables, &mut self.report);
            paths::absolute(&mut document, &project.folder, &project.variables);
            self.extend(&mut document, whole.as_ref(), project);
            whole = Some(match whole {
                None => document,
                Some(base) => merge::merge(base, document, &mut self.report),
            });
        }
        let empty = || Node::new(Value::Map(Vec::new()), &yaml::Place::start(&Arc::from("")));
        let mut whole = whole.unwrap_or_else(empty);
        self.include(&mut whole, project);
        whole
    }

    /// `-p`, `COMPOSE_PROJECT_NAME`, `name:` of the last file that has it, or the folder's name (Compose Specification,
    /// 04-version-and-name).
    fn name(&mut self, request: &Request, project: &Project, documents: &[Node]) -> Option<Name> {
        let given = request.name.clone().or_else(|| {
            project.variables.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).cloned()
        });
        let written = documents.iter().rev().find_map(|document| document.get("name"));
        let (text, place) = match (given, written) {
            (Some(given), _) => (given, None),
            (None, Some(node)) => {
                let mut node = node.clone();
                interpolate_all(&mut node, &project.variables, &mut self.report);
                (node.as_text().unwrap_or_default().to_owned(), Some(node.place))
            }
            (None, None) => {
                let folder = project.folder.file_name().unwrap_or_default().to_string_lossy();
                return match names::plain(&folder) {
                    Some(name) => Some(name),
                    None => {
                        let what = format!("The folder `{folder}` gives the stack no name");
                        self.report.error(
                            Problem::nowhere(what)
                                .hinted("Write `name:` at the top of the file, or give -p NAME"),
                        );
                        None
                    }
                };
            }
        };
        // Names with an underscore are common in Compose files.
        let name =
            text.parse().ok().or_else(|| names::plain(&text).filter(|_| !text.contains('/')));
        if name.is_none() {
            let what = format!("`{text}` is no name of a stack: a-z, 0-9 and - between them");
            self.report.error(match place {
                Some(place) => Problem::at(&place, format!("name: {what}")),
                None => Problem::nowhere(what),
            });
        }
        name
    }

    /// Takes out the services that no active profile has (Compose Specification, 15-profiles).
    fn profiles(
        &mut self,
        root: &mut Node,
        request: &Request,
        variables: &Variables,
    ) -> BTreeMap<String, Vec<String>> {
        let of = |node: &Node| -> Vec<String> {
            let list = node.get("profiles").map(Node::items).unwrap_or_default();
            list.iter().filter_map(Node::as_text).map(str::to_owned).collect()
        };
        let mut active: BTreeSet<String> = request.profiles.iter().cloned().collect();
        let listed = variables.get("COMPOSE_PROFILES").map(String::as_str).unwrap_or_default();
        active.extend(
            listed.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned),
        );
        for service in &request.services {
            let sections =
                SERVICE_SECTIONS.iter().filter_map(|section| root.get(section)?.get(service));
            active.extend(sections.flat_map(of));
        }
        let mut disabled = BTreeMap::new();
        for section in SERVICE_SECTIONS {
            let Some(Value::Map(entries)) = root.get_mut(section).map(|node| &mut node.value)
            else {
                continue;
            };
            entries.retain(|entry| {
                let profiles = of(&entry.node);
                let on = profiles.is_empty()
                    || active.contains("*")
                    || profiles.iter().any(|profile| active.contains(profile));
                if !on {
                    disabled.insert(entry.key.clone(), profiles);
                }
                on
            });
        }
        disabled
    }
}

/// A path of a request: relative to where the command stands.
fn from_folder(request: &Request, path: &Path) -> PathBuf {
    resolve(&request.folder, &path.to_string_lossy())
}
