//! How services ended that others of their stack wait for: systemd forgets a unit that has ended. Each has it written down when it ends
//! (`ExecStopPost=`), until the next boot.

use crate::Engine;
use crate::error::Result;
use crate::task::Ended;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use volt_host::files;
use volt_model::name::Name;

/// The most one file may hold, in bytes.
const MAX: usize = 1 << 16;

/// How a service ended last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// In systemd's word.
    pub(crate) result: String,
    /// As a shell has it; none where its process never ran.
    pub(crate) code: Option<i32>,
    pub(crate) finished: Timestamp,
}

impl End {
    /// Whether it did its work. Asked to end by a signal, it did not.
    pub(crate) fn is_good(&self) -> bool {
        self.result == "success" && self.code == Some(0)
    }
}

impl Engine {
    /// The folder of such ends.
    pub(crate) fn service_ends(&self) -> PathBuf {
        self.paths().run.join("done")
    }

    fn service_end_path(&self, name: &Name) -> PathBuf {
        self.service_ends().join(format!("{name}.json"))
    }

    /// To be called by the unit of a service when it has ended. Takes no lock: whoever has the name's may be waiting for this.
    ///
    /// # Errors
    /// When it can't be written down.
    pub fn service_ended(&self, name: &Name, ended: &Ended) -> Result<()> {
        let (result, code) = (ended.result.clone(), ended.exit_code());
        self.write_service_end(name, &End { result, code, finished: Timestamp::now() })
    }

    /// Has a service that is again what it was have done its work, whatever has run of it meanwhile.
    pub(crate) fn put_service_end_back(&self, name: &Name, end: &End) -> Result<()> {
        self.write_service_end(name, &End { finished: Timestamp::now(), ..end.clone() })
    }

    fn write_service_end(&self, name: &Name, end: &End) -> Result<()> {
        files::create_dirs(&self.service_ends(), 0o755)?;
        let text = serde_json::json!(end).to_string();
        Ok(files::write_volatile(&self.service_end_path(name), text.as_bytes(), 0o644)?)
    }

    /// How a service ended last, where that is written down.
    pub(crate) fn service_end(&self, name: &Name) -> Option<End> {
        files::read_json(&self.service_end_path(name), MAX).ok()
    }

    /// Forgets how a service ended that is another now, or gone.
    pub(crate) fn forget_service_end(&self, name: &Name) -> Result<()> {
        files::remove_file(&self.service_end_path(name))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::engine;

    #[test]
    fn who_was_asked_to_end_has_not_done_its_work() {
        let (_dir, engine) = engine();
        let name: Name = "init".parse().unwrap();
        assert_eq!(engine.service_end(&name), None);
        for (result, code, status, good) in [
            ("success", "exited", "0", true),
            ("success", "killed", "TERM", false),
            ("exit-code", "exited", "3", false),
            ("exec-condition", "", "", false),
        ] {
            let words = (result.into(), code.into(), status.into());
            let (result, code, status) = words;
            let ended = Ended { invocation: String::new(), result, code, status };
            engine.service_ended(&name, &ended).unwrap();
            assert_eq!(engine.service_end(&name).unwrap().is_good(), good, "{ended:?}");
        }
        engine.forget_service_end(&name).unwrap();
        assert_eq!(engine.service_end(&name), None);
    }
}
