//! Stacks of the host: files in `etc/volt/compose`, which are brought up at boot.
//!
//! `NAME.yaml` is the stack NAME where it doesn't say its own; paths in it are relative to the folder `NAME` beside it.

use super::found::image_of;
use super::{Options, Up};
use crate::error::{Error, Result};
use crate::image::{FromRegistry, Pull};
use crate::{Engine, Progress};
use std::path::{Path, PathBuf};
use volt_compose::convert::{Format, convert};
use volt_compose::files::Disk;
use volt_compose::stack::Pull as When;
use volt_compose::{Request, Stack, assets};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;

impl Engine {
    /// Brings up the stacks of the host, one after the other.
    ///
    /// # Errors
    /// With all that could not be brought up; the others are.
    pub fn system_stacks_up(&self, progress: &dyn Progress) -> Result<()> {
        let mut failed = Vec::new();
        for path in self.system_stack_files() {
            if let Err(error) = self.system_stack_up(&path, progress) {
                failed.push(format!("{}: {}", path.display(), error.chain().join(": ")));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let title = "Not all stacks of the host are up";
        Err(Error::new(ErrorKind::General, title).because(failed.join("\n")))
    }

    /// The files, sorted.
    fn system_stack_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.paths().etc.join("compose")).into_iter().flatten();
        let is_stack = |path: &PathBuf| {
            path.extension().is_some_and(|end| end == "yaml" || end == "yml") && path.is_file()
        };
        let mut files: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(is_stack).collect();
        files.sort_unstable();
        files
    }

    fn system_stack_up(&self, path: &Path, progress: &dyn Progress) -> Result<()> {
        let wrong = |report: volt_compose::Report| {
            Error::new(ErrorKind::InvalidConfig, "The file is wrong").because(report.to_string())
        };
        let folder = path.with_extension("");
        let request = Request {
            folder: folder.clone(),
            files: vec![path.to_owned()],
            project_folder: Some(folder),
            ..Request::default()
        };
        let loaded = volt_compose::load(&Disk, &request).map_err(wrong)?;
        self.refuse_stack_of_others(&loaded.stack)?;
        let mut stack = assets::filled(&Disk, &loaded.stack, &loaded.variables).map_err(wrong)?;
        self.pull_missing(&stack, progress)?;
        let all = stack.services.keys().cloned().collect();
        let secrets = assets::secrets(&Disk, &mut stack, &loaded.variables, &all).map_err(wrong)?;
        let document = convert(&stack, Format::Compose).files.into_iter().next();
        let up = Up {
            document: document.map(|file| file.text).unwrap_or_default(),
            files: loaded.files.iter().map(|path| path.display().to_string()).collect(),
            secrets,
            options: Options {
                remove_orphans: true,
                disabled: loaded.disabled.into_keys().collect(),
                ..Options::default()
            },
            ..Up::default()
        };
        self.compose_up(&stack.name, &up, progress).map(drop)
    }

    /// Refuses a stack of the host where a user has brought one of that name up from files of his own.
    fn refuse_stack_of_others(&self, stack: &Stack) -> Result<()> {
        let record = match self.stack_record(&stack.name) {
            // It is written anew.
            Err(error) if error.kind == ErrorKind::InvalidConfig => return Ok(()),
            record => record?,
        };
        let Some(record) = record else { return Ok(()) };
        let folder = self.paths().etc.join("compose");
        if record.files.iter().any(|file| Path::new(file).starts_with(&folder)) {
            return Ok(());
        }
        let (name, files) = (&stack.name, record.files.join(", "));
        let title = format!("There is another stack {name} already, of {files}");
        Err(Error::new(ErrorKind::AlreadyExists, title).about(name).hinted(format!(
            "Take it away with `volt compose -p {name} down`, or give one another `name:`"
        )))
    }

    fn pull_missing(&self, stack: &Stack, progress: &dyn Progress) -> Result<()> {
        for (image, platform) in pulled(stack)? {
            if self.images().inspect(&image).is_ok() {
                continue;
            }
            let pull = Pull {
                image,
                registry: FromRegistry { platform, account: None },
                mirror: None,
                variant: None,
                include: Vec::new(),
                force: false,
            };
            drop(self.image_pull(pull, progress)?);
        }
        Ok(())
    }
}

/// The images that a stack may have pulled, of tasks too, with their platforms. What is built and has no name is in no registry.
fn pulled(stack: &Stack) -> Result<Vec<(ImageRef, Option<String>)>> {
    let mut all = Vec::new();
    for (key, service) in &stack.services {
        let container = service.container();
        if container.is_some_and(|one| one.image.is_none() || one.pull == When::Never) {
            continue;
        }
        let platform = container.and_then(|one| one.platform.clone());
        all.extend(image_of(stack, key)?.map(|image| (image, platform)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::read;

    #[test]
    fn images_of_tasks_are_pulled_too() {
        let text = "name: own\nservices:\n  web: {image: one, platform: linux/arm64}\n  never: {image: two, pull_policy: never}\n  unit: {exec: /bin/true}\n  built: {build: .}\ntasks:\n  inside: {container: three, exec: x, every: 5m}\n  outside: {exec: /bin/true, every: 5m}\n";
        let stack = read(&"own".parse().unwrap(), text).unwrap();
        let all = pulled(&stack).unwrap();
        let all: Vec<(String, Option<&str>)> =
            all.iter().map(|(image, on)| (image.to_string(), on.as_deref())).collect();
        assert_eq!(all, [("three".to_owned(), None), ("one".to_owned(), Some("linux/arm64"))]);
    }
}
