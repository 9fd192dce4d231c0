//! proot, not yet here: every call says so.
use super::{Backend, RunState};
use crate::Engine;
use crate::container::Exec;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
pub(super) struct Proot;
fn no<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Dependency, "The proot backend is not part of this build"))
}
impl Backend for Proot {
    fn check(&self, _: &Engine, _: &Spec) -> Result<()> {
        no()
    }
    fn maps_ids(&self) -> bool {
        false
    }
    fn install(&self, _: &Engine, _: &Spec) -> Result<()> {
        no()
    }
    fn uninstall(&self, _: &Engine, _: &Name) -> Result<()> {
        Ok(())
    }
    fn state(&self, _: &Engine, _: &Spec) -> Result<RunState> {
        Ok(RunState::stopped())
    }
    fn states(&self, _: &Engine, _: &[Spec]) -> Result<HashMap<Name, RunState>> {
        Ok(HashMap::new())
    }
    fn start(&self, _: &Engine, _: &Spec) -> Result<()> {
        no()
    }
    fn stop(&self, _: &Engine, _: &Spec, _: Option<Duration>) -> Result<()> {
        no()
    }
    fn kill(&self, _: &Engine, _: &Spec, _: u8) -> Result<()> {
        no()
    }
    fn freeze(&self, _: &Engine, _: &Spec) -> Result<()> {
        no()
    }
    fn thaw(&self, _: &Engine, _: &Spec) -> Result<()> {
        no()
    }
    fn exec(&self, _: &Engine, _: &Spec, _: &Exec) -> Result<UnixStream> {
        no()
    }
    fn logs(
        &self,
        _: &Engine,
        _: &Spec,
        _: &crate::workload::Query,
        _: &mut crate::workload::Listener<'_>,
    ) -> Result<()> {
        no()
    }
    fn usage(&self, _: &Engine, _: &Spec) -> crate::workload::Usage {
        crate::workload::Usage::default()
    }
    fn apply_limits(&self, _: &Engine, _: &Spec) -> Result<()> {
        no()
    }
}
