//! What systemd is told of a task: a timer and the service that it starts, rendered purely from the spec.

use super::{ScheduleError, Spec, Trigger, span};
use crate::name::Name;
use crate::service::unit::{Files, own_name, program, shortened};
use crate::service::{Profile, Program};
use crate::time::span_text;
use crate::unitfile::{quote, sentence};
use std::fmt::Write as _;
use std::path::Path;

/// How the users and folders of tasks begin.
const OWN: &str = "task";
/// Seconds between two tries.
pub const RETRY_DELAY: u64 = 5;

/// `volt-task-NAME.service`.
#[must_use]
pub fn service(task: &Name) -> String {
    format!("volt-task-{task}.service")
}

/// `volt-task-NAME.timer`.
#[must_use]
pub fn timer(task: &Name) -> String {
    format!("volt-task-{task}.timer")
}

/// `volt-task-completed@NAME.service`: who requires it and comes after it begins when a run of the task has ended well.
#[must_use]
pub fn completed_name(task: &Name) -> String {
    format!("volt-task-completed@{task}.service")
}

/// The task whose service or timer this is.
#[must_use]
pub fn task_of(unit: &str) -> Option<Name> {
    let rest = unit.strip_prefix("volt-task-")?;
    rest.strip_suffix(".service").or_else(|| rest.strip_suffix(".timer"))?.parse().ok()
}

/// What the container of a run is called.
#[must_use]
pub fn container(task: &Name) -> Name {
    let cut = shortened(&own_name(OWN, task), Name::MAX, '-');
    cut.parse().expect("a name with letters before it and behind it is one")
}

/// What is around a task.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The `volt` binary.
    pub volt: &'a Path,
    /// The files that it is given.
    pub files: Files<'a>,
}

/// Renders the service that a run is.
#[must_use]
pub fn render_service(spec: &Spec, context: Context<'_>) -> String {
    let mut out = String::from("# Rendered by Volt from the task's config.json.\n[Unit]\n");
    // How often it is tried says the task, and not how often it was started within some time.
    let _ = writeln!(out, "Description={}\nStartLimitIntervalSec=0", describe(spec));
    let _ = writeln!(out, "\n[Service]\nType=oneshot");
    let volt = quote(&context.volt.to_string_lossy());
    match in_container(spec, context) {
        Some(outer) => {
            // What a run left whose helpers were killed too must not be in the way.
            let _ = writeln!(out, "ExecStartPre=-+:{volt} internal task-begins {}", spec.name);
            program(&mut out, &outer, "", Files { environment: None, ..context.files });
        }
        None => program(&mut out, &spec.program, &own_name(OWN, &spec.name), context.files),
    }
    if let Some(seconds) = spec.timeout {
        let _ = writeln!(out, "TimeoutStartSec={}", span(seconds));
    }
    if spec.retries > 0 {
        let _ = writeln!(out, "Restart=on-failure\nRestartSec={RETRY_DELAY}");
    }
    // As root and outside of the sandbox: it writes down how the run ended.
    let _ = writeln!(out, "ExecStopPost=+:{volt} internal task-ended {}", spec.name);
    out
}

/// Renders the timer.
///
/// # Errors
/// When the schedule is none.
pub fn render_timer(spec: &Spec) -> Result<String, ScheduleError> {
    let mut out = String::from("# Rendered by Volt from the task's config.json.\n[Unit]\n");
    let _ =
        writeln!(out, "Description={} ({})", describe(spec), sentence(&spec.schedule.to_string()));
    let _ = writeln!(out, "\n[Timer]\nUnit={}", service(&spec.name));
    match spec.schedule.trigger()? {
        Trigger::Calendar(expressions) => {
            for expression in expressions {
                let _ = writeln!(out, "OnCalendar={expression}");
            }
            if spec.persistent {
                let _ = writeln!(out, "Persistent=yes");
            }
        }
        Trigger::Span(every) => {
            let every = span_text(every);
            let _ = writeln!(out, "OnActiveSec={every}\nOnUnitActiveSec={every}");
        }
    }
    let _ = writeln!(out, "AccuracySec=1s");
    if let Some(seconds) = spec.random_delay {
        let _ = writeln!(out, "RandomizedDelaySec={}", span(seconds));
    }
    let _ = writeln!(out, "\n[Install]\nWantedBy=timers.target");
    Ok(out)
}

fn describe(spec: &Spec) -> String {
    let description = spec.description.as_deref().map(sentence).filter(|text| !text.is_empty());
    description.unwrap_or_else(|| format!("Volt task {}", spec.name))
}

/// The `volt run` by which a task runs in a container. Values of its environment are in the file that it reads.
fn in_container(spec: &Spec, context: Context<'_>) -> Option<Program> {
    let image = spec.image.as_ref()?;
    let mut words = vec![context.volt.to_string_lossy().into_owned()];
    // Where there is no daemon it does the work itself, on the system's containers.
    words.extend(["run", "--quiet", "--rm"].map(str::to_owned));
    let limits = &spec.program.limits;
    let number = |value: Option<u64>| value.map(|n| n.to_string());
    let mut flag = |name: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [format!("--{name}"), value]));
    };
    flag("name", Some(container(&spec.name).to_string()));
    flag("user", spec.program.user.clone());
    flag("workdir", spec.program.workdir.clone());
    flag("network", spec.network.as_ref().map(ToString::to_string));
    flag("env-file", context.files.environment.map(|path| path.to_string_lossy().into_owned()));
    flag("memory", number(limits.memory.map(|bytes| bytes.0)));
    flag("memory-swap", number(limits.memory_swap.map(|bytes| bytes.0)));
    flag("cpu", limits.cpu.map(|n| n.to_string()));
    flag("cpu-weight", number(limits.cpu_weight));
    flag("pids", number(limits.pids));
    flag("io-weight", number(limits.io_weight));
    flag("rate", limits.rate.map(|rate| rate.to_string()));
    for secret in &spec.program.secrets {
        flag("secret", Some(secret.to_string()));
    }
    words.extend(["--".into(), image.to_string()]);
    words.extend(spec.program.exec.iter().cloned());
    Some(Program { exec: words, profile: Profile::None, ..Program::default() })
}

#[cfg(test)]
mod tests {
    use super::super::Schedule;
    use super::*;
    use std::collections::BTreeMap;

    fn spec() -> Spec {
        Spec {
            version: Spec::VERSION,
            name: "backup".parse().unwrap(),
            description: Some("Nightly, 100 %".into()),
            program: Program {
                exec: ["/usr/bin/backup", "--all"].map(str::to_owned).into(),
                ..Program::default()
            },
            image: None,
            network: None,
            schedule: Schedule::Cron("0 3 13 * 5".into()),
            timeout: Some(5400),
            retries: 2,
            random_delay: Some(90),
            persistent: true,
            labels: BTreeMap::new(),
            created: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    const CONTEXT: fn() -> Context<'static> =
        || Context { volt: Path::new("/usr/bin/volt"), files: files(None) };

    fn files(environment: Option<&'static Path>) -> Files<'static> {
        Files { environment, secrets: Path::new("/etc/volt/secrets") }
    }

    #[test]
    fn what_a_person_finds_in_systemctl_cat() {
        let text = render_service(&spec(), CONTEXT());
        for part in [
            "Description=Nightly, 100 %%\nStartLimitIntervalSec=0\n",
            "Type=oneshot\nExecStart=:/usr/bin/backup --all\n",
            "User=task-backup\n",
            "TimeoutStartSec=1h30m\nRestart=on-failure\nRestartSec=5\n",
            "ExecStopPost=+:/usr/bin/volt internal task-ended backup\n",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        let text = render_timer(&spec()).unwrap();
        for part in [
            "Unit=volt-task-backup.service\n",
            "OnCalendar=*-*-13 03:00:00\nOnCalendar=Fri *-*-* 03:00:00\nPersistent=yes\n",
            "RandomizedDelaySec=1m30s\n",
            "WantedBy=timers.target\n",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn in_a_container_it_is_a_run_of_volt() {
        let mut task = spec();
        task.image = Some("debian:trixie".parse().unwrap());
        task.program.user = Some("nobody".into());
        task.network = Some("back".parse().unwrap());
        let file = Path::new("/var/lib/volt/tasks/backup/environment");
        task.program.secrets.push("key,target=K".parse().unwrap());
        let context = Context { files: files(Some(file)), ..CONTEXT() };
        let text = render_service(&task, context);
        let line = "ExecStart=:/usr/bin/volt run --quiet --rm --name task-backup --user nobody --network back \
                    --env-file /var/lib/volt/tasks/backup/environment --secret key,target=K -- debian:trixie /usr/bin/backup --all\n";
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("EnvironmentFile") && !text.contains("DynamicUser"), "{text}");
        assert!(!text.contains("LoadCredential"), "{text}");
    }

    #[test]
    fn a_span_is_no_calendar() {
        let task = Spec { schedule: Schedule::Every("90s".into()), ..spec() };
        let text = render_timer(&task).unwrap();
        assert!(text.contains("OnActiveSec=1m30s\nOnUnitActiveSec=1m30s\n"), "{text}");
        assert!(!text.contains("Persistent") && !text.contains("OnCalendar"), "{text}");
    }

    #[test]
    fn names_lead_back() {
        let name: Name = "backup".parse().unwrap();
        assert_eq!(task_of(&service(&name)), Some(name.clone()));
        assert_eq!(task_of(&timer(&name)), Some(name.clone()));
        assert_eq!(task_of(&completed_name(&name)), None);
        assert_eq!(task_of("volt-task-A.timer"), None);
        let long: Name = format!("{}-{}", "a".repeat(57), "b".repeat(4)).parse().unwrap();
        assert!(container(&long).as_str().len() <= Name::MAX);
    }
}
