//! Tasks on the wire.

use super::{Limits, LogLine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// What it is called.
    pub name: String,
    /// The service that a run is.
    pub unit: String,
    /// Its timer.
    pub timer: String,
    /// `running` while a run is under way, `restarting` between two tries, `failed` when the last run did, else `stopped`.
    pub state: String,
    /// Whether its timer starts it.
    pub enabled: bool,
    /// When it is started, as it was asked for.
    pub schedule: String,
    /// When it is started next, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When the run that is under way began, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// How its last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<TaskRun>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The command with its arguments.
    pub exec: Vec<String>,
    /// The image of the container that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its sandbox on the host.
    pub profile: String,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Folders and files of the host that it may write to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writable: Vec<String>,
    /// The secrets that it is given: `NAME,target=NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// How long a run may take, such as `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How often it is tried again when it failed.
    pub retries: u32,
    /// By how much a start is put off at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_delay: Option<String>,
    /// Whether a time that the host slept through is made up for.
    pub persistent: bool,
    /// When it was created, RFC 3339.
    pub created: String,
    /// Free words of the user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What task to make. One of `on_calendar`, `every` and `cron` says when it is started.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TaskCreate {
    /// What to call it; its units are `volt-task-NAME.timer` and `volt-task-NAME.service`.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The command with its arguments; with an image it may be left to that.
    pub exec: Vec<String>,
    /// The image of a container to run it in; on the host where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Points in time, as `systemd.time(7)` has them: `Mon..Fri 03:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_calendar: Option<String>,
    /// So long after it was started last: `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Five fields of a crontab: `*/5 * * * *`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The sandbox on the host: `standard`, `strict`, `web` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Who runs it: `USER[:GROUP]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Folders and files of the host that it may write to.
    pub writable: Vec<String>,
    /// Secrets that it finds in `$CREDENTIALS_DIRECTORY`, in a container in `/run/secrets`: `NAME[,target=NAME]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// What it may use.
    pub limits: Limits,
    /// How long a run may take, such as `1h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How often it is tried again when it failed.
    pub retries: u32,
    /// By how much a start is put off at most, at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_delay: Option<String>,
    /// Whether a time that the host slept through is made up for, as it is where nothing is said.
    pub persistent: bool,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Leave its timer alone until it is enabled.
    pub disabled: bool,
}

impl Default for TaskCreate {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: None,
            exec: Vec::new(),
            image: None,
            on_calendar: None,
            every: None,
            cron: None,
            profile: None,
            user: None,
            workdir: None,
            writable: Vec::new(),
            secrets: Vec::new(),
            env: Vec::new(),
            limits: Limits::default(),
            timeout: None,
            retries: 0,
            random_delay: None,
            persistent: true,
            labels: BTreeMap::new(),
            disabled: false,
        }
    }
}

/// How a run of a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskRun {
    /// systemd's id of it, by which `journalctl INVOCATION_ID=…` shows it.
    pub invocation: String,
    /// When it began, RFC 3339; none where no process of it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended, RFC 3339.
    pub finished: String,
    /// The first try is 1.
    pub attempt: u32,
    /// systemd's word for how: `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, …
    pub result: String,
    /// Its exit code, 128+n when signal n ended it; none where no process of it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// What comes of a run while it is under way: lines, and at last how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskOutput {
    /// A line that it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LogLine>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<TaskRun>,
}

/// Which task to remove.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TaskDelete {
    /// The task.
    pub name: String,
    /// End the run that is under way.
    pub force: bool,
}
