//! What crashes leave, and putting it right.

use super::{Images, Users, entries};
use crate::error::{Error, Result};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use volt_host::files::{self, LockMode};
use volt_model::image::ImageRef;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A name whose tree is gone. Only `cas verify --repair` may bring it back, so the name stays.
    NoTree {
        /// The image.
        name: ImageRef,
        /// Who stands on it.
        users: Vec<String>,
    },
    /// A ref that cannot be read. Repair moves it to quarantine.
    BrokenRef {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
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
        !matches!(self, Self::NoTree { .. })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTree { name, users } => {
                write!(f, "image `{name}` has lost its files")?;
                if !users.is_empty() {
                    write!(f, ", and with it {}", users.join(", "))?;
                }
                write!(
                    f,
                    "; bring them back with `volt cas verify --repair DIR`, or give it up with `volt image delete {name}`"
                )
            }
            Self::BrokenRef { path, reason } => {
                let path = path.display();
                write!(
                    f,
                    "{path} cannot be read: {reason}; it is moved away, and what it named is to be pulled or imported again"
                )
            }
            Self::Abandoned { path } => write!(f, "{} was left behind", path.display()),
        }
    }
}

impl Images {
    /// What is not as it should be. Changes nothing.
    pub fn check(&self, users: Users<'_>) -> Result<Vec<Problem>> {
        let mut problems = self.problems(users)?;
        for path in entries(&self.stages())? {
            let gate = path.file_name().is_some_and(|name| name == ".gate");
            let held = path.is_dir() && is_held(&path)?;
            if !gate && !held && path.exists() {
                problems.push(Problem::Abandoned { path });
            }
        }
        Ok(problems)
    }

    /// Puts right what [`Images::check`] finds and can be put right. Returns what was.
    pub fn repair(&self, users: Users<'_>) -> Result<Vec<Problem>> {
        let mut done = Vec::new();
        if self.cas.refs().dir().exists() {
            let _lock = self.cas.lock_refs(LockMode::Exclusive)?;
            for problem in self.problems(users)? {
                match &problem {
                    Problem::BrokenRef { path, .. } => self.cas.quarantine_ref(path)?,
                    Problem::NoTree { .. } | Problem::Abandoned { .. } => continue,
                }
                done.push(problem);
            }
        }
        let swept = files::sweep(&self.stages())?;
        done.extend(swept.removed.into_iter().map(|path| Problem::Abandoned { path }));
        match swept.failed.into_iter().next() {
            Some(error) => Err(error.into()),
            None => Ok(done),
        }
    }

    /// What is wrong with names and trees.
    fn problems(&self, users: Users<'_>) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for (path, record) in self.records()? {
            match record {
                Ok(image) if self.ref_path(&image.name) != path => {
                    let reason = format!("it names `{}`", image.name);
                    problems.push(Problem::BrokenRef { path, reason });
                }
                Ok(image) if !self.cas.objects().has(&image.tree)? => {
                    let users = users(&image.tree);
                    problems.push(Problem::NoTree { name: image.name, users });
                }
                Ok(_) => {}
                Err(Error::Corrupt { path, reason }) => {
                    problems.push(Problem::BrokenRef { path, reason });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(problems)
    }
}

/// Whether somebody holds the stage in this folder.
fn is_held(path: &Path) -> Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    let folder = match fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        folder => folder.map_err(|error| Error::io("open", path, error))?,
    };
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(Error::io("lock", path, error)),
    }
}
