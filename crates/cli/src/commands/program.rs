//! What `service create` and `task create` take alike: a program and how it is run.

use super::container::flags::{LimitFlags, checked, environment, label};
use crate::complete;
use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use volt_api::Problem;
use volt_model::kind::ErrorKind;
use volt_model::secret::Credential;
use volt_model::words;

/// A program and how it is run.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProgramFlags {
    /// The command as a line: words, quotes and backslashes as in a shell, and nothing else of one
    #[arg(long, value_name = "COMMAND", conflicts_with = "command")]
    pub(crate) exec: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// The sandbox: standard, strict, web or none [default: standard]
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
    /// Who runs it [default: a user of its own, or root without a sandbox]
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Set an environment variable; NAME alone takes this environment's value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    env_file: Vec<PathBuf>,
    /// Where the command starts
    #[arg(long, short, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Let it write to a folder or file of the host
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) writable: Vec<String>,
    /// Give it a secret, as $CREDENTIALS_DIRECTORY/NAME (in a container /run/secrets/NAME)
    #[arg(long, value_name = "NAME[,target=NAME]", value_parser = checked::<Credential>, add = ArgValueCompleter::new(complete::secrets))]
    pub(crate) secret: Vec<String>,
    /// Attach a label
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// What to call it
    pub(crate) name: String,
    /// The command and its arguments, in place of --exec
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    // Last, for its heading holds for all that follows it.
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
}

impl ProgramFlags {
    /// The command's words.
    ///
    /// # Errors
    /// When a quote is not closed.
    pub(crate) fn words(&self) -> Result<Vec<String>, Problem> {
        match &self.exec {
            Some(line) => words::split(line).map_err(|e| {
                Problem::new(ErrorKind::Usage, "The command can't be read").because(&e)
            }),
            None => Ok(self.command.clone()),
        }
    }

    /// Its environment.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(crate) fn environment(&self) -> Result<Vec<String>, Problem> {
        environment(&self.env, &self.env_file)
    }
}
