//! What crashes leave, and putting it right.

use super::{Images, TreeId, Users, entries, lock};
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use volt_host::files;
use volt_model::image::ImageRef;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A name whose tree is gone. Repair removes the name.
    NoTree {
        /// The image.
        name: ImageRef,
    },
    /// A ref that cannot be read. Repair removes it.
    BrokenRef {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A tree that no name leads to and nobody stands on. Garbage.
    UnusedTree {
        /// Its folder.
        path: PathBuf,
    },
    /// A container stands on a tree that is gone. Nothing here can repair it.
    LostTree {
        /// The tree.
        tree: TreeId,
        /// Who stands on it.
        users: Vec<String>,
    },
    /// Something under way that nobody works on any more. Garbage.
    Abandoned {
        /// What is left of it.
        path: PathBuf,
    },
}

impl Problem {
    /// Whether [`Images::repair`] puts it right.
    #[must_use]
    pub fn can_be_repaired(&self) -> bool {
        !matches!(self, Self::LostTree { .. })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTree { name } => write!(f, "image `{name}` has lost its files"),
            Self::BrokenRef { path, reason } => {
                write!(f, "{} cannot be read: {reason}", path.display())
            }
            Self::UnusedTree { path } => write!(f, "{} belongs to no image", path.display()),
            Self::LostTree { tree, users } => {
                write!(f, "the image of {} has lost its files (tree {tree})", users.join(", "))
            }
            Self::Abandoned { path } => write!(f, "{} was left behind", path.display()),
        }
    }
}

impl Images {
    /// What is not as it should be. Changes nothing.
    pub fn check(&self, users: Users<'_>) -> Result<Vec<Problem>> {
        if !self.images_dir().exists() {
            return Ok(Vec::new());
        }
        let _hold = self.hold()?;
        let mut problems = self.problems(users)?;
        for path in entries(&self.tmp_dir())? {
            let gate = path.file_name().is_some_and(|name| name == ".gate");
            let held = path.is_dir() && lock::is_read(&path)?;
            if !gate && !held && path.exists() {
                problems.push(Problem::Abandoned { path });
            }
        }
        Ok(problems)
    }

    /// Removes what crashes left: stages nobody holds, trees nobody stands on. Does nothing to names. To be called
    /// after replacing an image, and when the daemon starts. Returns what was removed.
    pub fn sweep(&self, users: Users<'_>) -> Result<Vec<Problem>> {
        self.clean(users, |problem| {
            matches!(problem, Problem::UnusedTree { .. } | Problem::Abandoned { .. })
        })
    }

    /// Puts right what [`Images::check`] finds and can be put right. Returns what was.
    pub fn repair(&self, users: Users<'_>) -> Result<Vec<Problem>> {
        self.clean(users, Problem::can_be_repaired)
    }

    fn clean(&self, users: Users<'_>, wanted: impl Fn(&Problem) -> bool) -> Result<Vec<Problem>> {
        if !self.images_dir().exists() {
            return Ok(Vec::new());
        }
        let lock = self.lock_exclusive()?;
        let mut done = Vec::new();
        let mut trash = Vec::new();
        for problem in self.problems(users)?.into_iter().filter(|problem| wanted(problem)) {
            match &problem {
                Problem::NoTree { name } => remove_file(&self.ref_path(name))?,
                Problem::BrokenRef { path, .. } | Problem::Abandoned { path } => remove_file(path)?,
                Problem::UnusedTree { path } => match tree_id(path) {
                    Some(tree) => trash.extend(self.take_away(&tree)?),
                    None => files::remove_tree(path)?,
                },
                Problem::LostTree { .. } => continue,
            }
            done.push(problem);
        }
        files::sync_dir(&self.refs_dir())?;
        drop(lock);
        drop(trash);
        let swept = files::sweep(&self.tmp_dir())?;
        done.extend(swept.removed.into_iter().map(|path| Problem::Abandoned { path }));
        match swept.failed.into_iter().next() {
            Some(error) => Err(error.into()),
            None => Ok(done),
        }
    }

    /// What is wrong with names and trees. The lock is held by the caller.
    fn problems(&self, users: Users<'_>) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        let mut named = HashSet::new();
        for (path, record) in self.records()? {
            match record {
                Ok(image) if self.ref_path(&image.name) != path => {
                    let reason = format!("it names `{}`", image.name);
                    problems.push(Problem::BrokenRef { path, reason });
                }
                Ok(image) if !self.tree_root(&image.tree).is_dir() => {
                    problems.push(Problem::NoTree { name: image.name });
                    let users = users(&image.tree);
                    if !users.is_empty() {
                        problems.push(Problem::LostTree { tree: image.tree, users });
                    }
                }
                Ok(image) => drop(named.insert(image.tree)),
                Err(Error::Corrupt { path, reason }) => {
                    problems.push(Problem::BrokenRef { path, reason });
                }
                Err(error) => return Err(error),
            }
        }
        // A ref is written as a temporary file first; under the lock none is under way.
        let refs = entries(&self.refs_dir())?;
        let left = refs.into_iter().filter(|path| path.extension().is_none_or(|e| e != "json"));
        problems.extend(left.map(|path| Problem::Abandoned { path }));
        // A broken ref may be the one that stands on a tree: nothing is garbage until that is settled.
        if problems.iter().any(|problem| matches!(problem, Problem::BrokenRef { .. })) {
            return Ok(problems);
        }
        for path in entries(&self.trees_dir())? {
            let needed = match tree_id(&path) {
                Some(tree) => {
                    named.contains(&tree) || !users(&tree).is_empty() || lock::is_read(&path)?
                }
                None => false,
            };
            if !needed {
                problems.push(Problem::UnusedTree { path });
            }
        }
        Ok(problems)
    }
}

fn tree_id(path: &Path) -> Option<TreeId> {
    path.file_name()?.to_str()?.parse().ok()
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    }
}
