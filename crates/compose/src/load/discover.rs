//! Which files make the project, where it lies, and its variables: options, then the environment, then `.env`, then what is found.

use super::{Loader, Project, Request, from_folder};
use crate::dotenv;
use crate::files::resolve;
use crate::interpolate::Variables;
use crate::problem::Problem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names of files that are found by themselves, the first that is there.
const NAMES: [&str; 7] = [
    "volt-compose.yaml",
    "volt-compose.yml",
    "Voltfile",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

impl Loader<'_> {
    pub(super) fn discover(&mut self, request: &Request) -> Option<Project> {
        let folder = &request.folder;
        let mut files: Vec<PathBuf> =
            request.files.iter().map(|path| from_folder(request, path)).collect();
        if files.is_empty() {
            files = listed(&request.environment, folder);
        }
        let found = if files.is_empty() { self.found(folder) } else { Vec::new() };
        let given = request.project_folder.as_deref().map(|path| from_folder(request, path));
        let first =
            files.first().or(found.first()).and_then(|path| path.parent()).map(Path::to_owned);
        let mut home = given.clone().or_else(|| first.clone()).unwrap_or_else(|| folder.clone());
        let variables = self.variables(request, &home);
        if files.is_empty() {
            files = listed(&variables, &home);
            // A file that .env names says where the project lies, unless the caller does.
            if given.is_none()
                && let Some(parent) = files.first().and_then(|path| path.parent())
            {
                home = parent.to_owned();
            }
        }
        if files.is_empty() {
            files = found;
        }
        if files.is_empty() {
            let what = format!("There is no file of a stack in {} or above it", folder.display());
            let hint = format!("Name one with -f FILE, or write one of {}", NAMES.join(", "));
            self.report.error(Problem::nowhere(what).hinted(hint));
            return None;
        }
        Some(Project { files, folder: home, variables })
    }

    /// The first of [`NAMES`] in a folder or above it, and the file beside it that is merged over it.
    fn found(&self, folder: &Path) -> Vec<PathBuf> {
        let there = |path: &PathBuf| matches!(self.files.read(path), Ok(Some(_)) | Err(_));
        for folder in folder.ancestors() {
            let Some(file) = NAMES.iter().map(|name| folder.join(name)).find(there) else {
                continue;
            };
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let over = ["yaml", "yml"].map(|end| folder.join(format!("{stem}.override.{end}")));
            let over = over.into_iter().find(there);
            return std::iter::once(file).chain(over).collect();
        }
        Vec::new()
    }

    /// The caller's variables over those of `.env` (Compose Specification, 12-interpolation).
    fn variables(&mut self, request: &Request, home: &Path) -> Variables {
        let environment = &request.environment;
        let mut files: Vec<PathBuf> =
            request.env_files.iter().map(|path| from_folder(request, path)).collect();
        if files.is_empty()
            && let Some(list) = environment.get("COMPOSE_ENV_FILES")
        {
            let listed = list.split(',').map(str::trim).filter(|path| !path.is_empty());
            files = listed.map(|path| resolve(&request.folder, path)).collect();
        }
        let off = environment
            .get("COMPOSE_DISABLE_ENV_FILE")
            .is_some_and(|word| word == "1" || word == "true");
        if files.is_empty() {
            if off {
                return environment.clone();
            }
            return self.env_files(&[home.join(".env")], false, environment);
        }
        self.env_files(&files, true, environment)
    }

    /// The variables of files, each over those before, and `environment` over all.
    pub(super) fn env_files(
        &mut self,
        files: &[PathBuf],
        required: bool,
        environment: &Variables,
    ) -> Variables {
        let mut variables = Variables::new();
        for path in files {
            if !required && matches!(self.files.read(path), Ok(None)) {
                continue;
            }
            let Some(text) = self.text(path) else { continue };
            let mut known = variables.clone();
            known.extend(environment.clone());
            match dotenv::read(&Arc::from(path.display().to_string()), &text, &known) {
                Ok(read) => variables.extend(read.variables),
                Err(problem) => self.report.error(problem),
            }
        }
        variables.extend(environment.clone());
        variables
    }
}

/// The files that `VOLT_COMPOSE_FILE` or `COMPOSE_FILE` lists.
fn listed(variables: &Variables, folder: &Path) -> Vec<PathBuf> {
    let list = ["VOLT_COMPOSE_FILE", "COMPOSE_FILE"]
        .iter()
        .find_map(|name| variables.get(*name).filter(|list| !list.is_empty()));
    let separator = variables
        .get("COMPOSE_PATH_SEPARATOR")
        .filter(|word| !word.is_empty())
        .map_or(":", String::as_str);
    let files =
        list.into_iter().flat_map(|list| list.split(separator)).filter(|path| !path.is_empty());
    files.map(|path| resolve(folder, path)).collect()
}
