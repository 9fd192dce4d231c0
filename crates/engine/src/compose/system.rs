//! Stacks of the host: files in `etc/volt/compose`, which are brought up at boot.
//!
//! `NAME.yaml` is the stack NAME where it doesn't say its own; paths in it are relative to the folder `NAME` beside it.

use super::{Options, Up};
use crate::error::{Error, Result};
use crate::image::{FromRegistry, Pull};
use crate::{Engine, Progress};
use std::path::{Path, PathBuf};
use volt_compose::convert::{Format, convert};
use volt_compose::files::Disk;
use volt_compose::stack::Pull as When;
use volt_compose::{Request, Stack, assets};
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
        let stack = assets::filled(&Disk, &loaded.stack, &loaded.variables).map_err(wrong)?;
        self.pull_missing(&stack, progress)?;
        let document = convert(&stack, Format::Compose).files.into_iter().next();
        let up = Up {
            document: document.map(|file| file.text).unwrap_or_default(),
            files: loaded.files.iter().map(|path| path.display().to_string()).collect(),
            options: Options { remove_orphans: true, ..Options::default() },
            ..Up::default()
        };
        self.compose_up(&stack.name, &up, progress).map(drop)
    }

    fn pull_missing(&self, stack: &Stack, progress: &dyn Progress) -> Result<()> {
        for container in stack.services.values().filter_map(|service| service.container()) {
            let Some(image) = container.image.clone() else { continue };
            if container.pull == When::Never || self.images().inspect(&image).is_ok() {
                continue;
            }
            let pull = Pull {
                image,
                registry: FromRegistry { platform: container.platform.clone(), account: None },
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
