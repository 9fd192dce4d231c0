//! Checking everything in the store, and getting back what is damaged.

use crate::error::{Error, Result};
use crate::image::Asked;
use crate::registry::over;
use crate::{Engine, Progress};
use std::path::PathBuf;
use volt_model::container::Backend;
use volt_model::kind::ErrorKind;
use volt_model::registry::Remote;
use volt_registry::IsOver;
use volt_store::{Copies, Limits, Menders, Origin, Verified, Work};

impl Engine {
    /// Reads every object and tree; what is not what its name says goes to quarantine. With `repair`, what is damaged is
    /// fetched again from these folders; where there are none, from whatever has it: the folders that the trees were made of,
    /// containers, and what images were pulled as, which is kept or a registry has.
    ///
    /// # Errors
    /// `Usage` and `NotFound` for what is no folder; when the store can't be read.
    pub fn cas_verify(
        &self,
        repair: Option<&[PathBuf]>,
        progress: &dyn Progress,
    ) -> Result<Verified> {
        for dir in repair.unwrap_or_default() {
            super::folder(dir)?;
        }
        let mut verified = self.cas().verify(&|| self.stands(), progress)?;
        match repair {
            Some(from) => self.mend_store(&mut verified, from, progress)?,
            None => self.images().advise_on(&mut verified)?,
        }
        Ok(verified)
    }

    fn mend_store(
        &self,
        verified: &mut Verified,
        from: &[PathBuf],
        progress: &dyn Progress,
    ) -> Result<()> {
        let wanted = || self.wanted_trees();
        let is_over = over(progress);
        let ask = |remote: &Remote| self.ask(remote, from, is_over.clone());
        let beside = if from.is_empty() { self.copies()? } else { Vec::new() };
        let menders = Menders {
            copies: Copies { named: from, beside: &beside },
            ask: &ask,
            dir: &self.paths().downloads(),
            limits: Limits { bytes: self.config()?.image.max_size.0, ..Limits::default() },
        };
        let work = Work { wanted: &wanted, progress };
        Ok(self.images().mend(verified, menders, &|| self.stands(), work)?)
    }

    /// Asks a registry for an image, as nobody. Whoever names folders wants nothing else.
    fn ask(
        &self,
        remote: &Remote,
        from: &[PathBuf],
        is_over: IsOver,
    ) -> volt_store::Result<Box<dyn Origin>> {
        if !from.is_empty() {
            let reason = "other folders were named".to_owned();
            return Err(volt_store::Error::Elsewhere { reason, kind: ErrorKind::Usage });
        }
        let client = self.registry_client(None, is_over).map_err(|error: Error| {
            let reason = error.chain().join(": ");
            volt_store::Error::Elsewhere { reason, kind: error.kind }
        })?;
        Ok(Box::new(Asked { client, remote: remote.clone() }))
    }

    /// Folders that have single files of trees at best: what was committed lies in containers' layers, what the
    /// backend without root runs is a copy.
    fn copies(&self) -> Result<Vec<PathBuf>> {
        let mut copies = vec![self.paths().lib.join("cas/variants")];
        for name in self.container_names()? {
            let folder = self.paths().container(&name);
            copies.push(folder.join("upper"));
            if self.spec(&name).is_ok_and(|spec| spec.backend == Backend::Proot) {
                copies.push(folder.join("rootfs"));
            }
        }
        copies.retain(|folder| folder.is_dir());
        Ok(copies)
    }
}
