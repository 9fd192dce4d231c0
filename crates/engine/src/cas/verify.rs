//! Checking everything in the store, and getting back what is damaged.

use crate::error::{Error, Result};
use crate::image::Asked;
use crate::registry::{Repository, over};
use crate::{Engine, Progress};
use std::path::PathBuf;
use volt_model::container::Backend;
use volt_model::kind::ErrorKind;
use volt_model::registry::Remote;
use volt_registry::{Client, IsOver};
use volt_store::{Copies, Limits, Menders, Origin, Shelf, Verified, Work};

impl Engine {
    /// Reads every object and tree; what is not what its name says goes to quarantine. With `repair`, what is damaged is
    /// fetched again from these folders; where there are none, from whatever has it: the folders that the trees were made of,
    /// containers, and what images and trees were pulled as, which is kept or a registry has.
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
        let client = || self.client_of_nobody(from, is_over.clone());
        let ask = |remote: &Remote| -> volt_store::Result<Box<dyn Origin>> {
            Ok(Box::new(Asked { client: client()?, remote: remote.clone() }))
        };
        let ask_tree = |remote: &Remote| -> volt_store::Result<Box<dyn Shelf>> {
            Ok(Box::new(Repository { client: client()?, remote: remote.clone() }))
        };
        let beside = if from.is_empty() { self.copies()? } else { Vec::new() };
        let menders = Menders {
            copies: Copies { named: from, beside: &beside },
            ask: &ask,
            ask_tree: &ask_tree,
            dir: &self.paths().downloads(),
            lists: &self.paths().cache.join("lists"),
            limits: Limits { bytes: self.config()?.image.max_size.0, ..Limits::default() },
        };
        let work = Work { wanted: &wanted, progress };
        Ok(self.images().mend(verified, menders, &|| self.stands(), work)?)
    }

    /// Asks registries as nobody. Whoever names folders wants nothing else.
    fn client_of_nobody(&self, from: &[PathBuf], is_over: IsOver) -> volt_store::Result<Client> {
        if !from.is_empty() {
            let reason = "other folders were named".to_owned();
            return Err(volt_store::Error::Elsewhere { reason, kind: ErrorKind::Usage });
        }
        self.registry_client(None, is_over).map_err(|error: Error| {
            let reason = error.chain().join(": ");
            volt_store::Error::Elsewhere { reason, kind: error.kind }
        })
    }

    /// Folders that have single files of trees at best: what was committed lies in containers' layers, what the
    /// backend without root runs is a copy, and roots of hard links still have what is gone from among the objects.
    fn copies(&self) -> Result<Vec<PathBuf>> {
        let mut copies =
            ["cas/variants", "cas/roots"].map(|own| self.paths().lib.join(own)).to_vec();
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
