//! Writing what is to be looked at.

use super::{Subject, View, make_folder, refuse_useless};
use crate::Engine;
use crate::config::parse;
use crate::error::{Error, Result};
use std::time::Duration;
use volt_host::files;
use volt_host::systemd::JobKind;
use volt_model::container::{Spec, unit};
use volt_model::health::{MAX_FILE, Wanted};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How long who looks may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// Writes a workload's file of checks, over what it has been created with; `None` takes the file away. `by_root` is whether a command
    /// may run on the host itself, which that of a service does.
    ///
    /// # Errors
    /// `NotFound`, `Usage` for what is no check, `Permission` for such a command.
    pub fn health_configure(
        &self,
        name: &Name,
        wanted: Option<&Wanted>,
        by_root: bool,
    ) -> Result<View> {
        let _lock = self.lock_name(name)?;
        let subject = self.subject(name)?;
        let path = self.check_path(name);
        let Some(wanted) = wanted else {
            files::remove_file(&path)?;
            return Ok(self.health_view(&subject));
        };
        // Under the lock: what has the name now may be something else in a moment.
        if wanted.exec.is_some() && !by_root && matches!(subject, Subject::Service(_)) {
            let title = format!("The command would run on the host, for {name} is a service");
            return Err(Error::new(ErrorKind::Permission, title).about(name).hinted("Use sudo"));
        }
        let refused = |error| {
            Error::new(ErrorKind::Usage, format!("The health check of {name} can't be so"))
                .about(name)
                .because(error)
                .hinted("`volt health configure --help` names all that may be said")
        };
        let health = wanted.clone().over(subject.own_check()).map_err(refused)?;
        if let Subject::Container(spec) = &subject {
            refuse_useless(&Spec { health, ..Spec::clone(spec) })?;
        }
        let text = text_of(wanted)?;
        make_folder(&self.paths().health_checks())?;
        files::write_atomic(&path, text.as_bytes(), 0o644)?;
        self.have_health_looked_at();
        Ok(self.health_view(&subject))
    }

    /// Has who looks run.
    fn have_health_looked_at(&self) {
        if !self.can_use_systemd() {
            return;
        }
        if let Err(error) = self.systemd().run_job(JobKind::Start, unit::HEALTH, PATIENCE) {
            tracing::warn!(%error, "nobody looks at the health of workloads");
        }
    }
}

/// What stands in the file. It must be read as it was meant.
fn text_of(wanted: &Wanted) -> Result<String> {
    const TITLE: &str = "The health check can't be written";
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::General, TITLE).because(error.to_string())
    };
    let text = serde_saphyr::to_string(wanted).map_err(|error| failed(&error))?;
    let text = format!(
        "# What is looked at to know whether it is well: `volt health configure --help`.\n{text}"
    );
    let read: Option<Wanted> = parse::yaml(&text, TITLE, "Write the file by hand")?;
    match read {
        Some(read) if read == *wanted && text.len() <= MAX_FILE => Ok(text),
        _ => Err(failed(&"it would not be read as it is meant")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_model::health::{Command, Http, OnUnhealthy, Span};

    #[test]
    fn what_is_written_reads_back() {
        let http = Http {
            port: 80,
            path: "/a?b=#c:d".into(),
            status: vec!["200".parse().unwrap(), "300-399".parse().unwrap()],
            headers: [("Host".to_owned(), "a: 'b' \"c\" # d".to_owned())].into(),
        };
        let words = ["sh", "-c", "a: b\n# c\n'\"%{}[]", "", " x ", "yes", "1"].map(str::to_owned);
        let all = [
            Wanted::default(),
            Wanted { none: true, ..Wanted::default() },
            Wanted {
                http: Some(http),
                on_unhealthy: Some(OnUnhealthy::Restart),
                ..Wanted::default()
            },
            Wanted { exec: Some(Command(words.to_vec())), retries: Some(3), ..Wanted::default() },
            Wanted {
                tcp: Some(1),
                interval: Some(Span(Duration::from_millis(1500))),
                ..Wanted::default()
            },
        ];
        for wanted in all {
            let text = text_of(&wanted).unwrap_or_else(|error| panic!("{wanted:?}: {error:?}"));
            assert!(text.starts_with('#'), "{text}");
        }
    }
}
