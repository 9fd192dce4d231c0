//! What processes that were killed left: drafts of objects, and leases.

use super::lease::{self, Collection};
use super::{Cas, Wanted};
use crate::error::Result;
use crate::parallel;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use volt_host::files;

impl Cas {
    /// Drafts and leases whose makers are gone. Changes nothing.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>> {
        let look = || -> Result<Vec<PathBuf>> {
            let drafts = self.drafts()?;
            let (mut left, living) = lease::left_and_living(&self.tmp())?;
            left.extend(of_the_dead(drafts, &living));
            Ok(left)
        };
        let mut left = look()?;
        if !left.is_empty() {
            // A lease is there for a moment before it is held.
            std::thread::sleep(std::time::Duration::from_millis(20));
            let still = look()?;
            left.retain(|path| still.contains(path));
        }
        Ok(left)
    }

    /// Removes them. After a power cut, what it may have left half on disk goes too; `wanted` says what containers stand on.
    pub fn tidy(&self, wanted: Wanted<'_>) -> Result<()> {
        if !self.tmp().is_dir() {
            return Ok(());
        }
        self.forget_power_cut(wanted)?;
        for folder in self.refs().folders().iter().chain([&self.index_dir()]) {
            files::sweep_drafts(folder)?;
        }
        if self.leftovers()?.is_empty() && !lease::has_dead(&self.tmp())? {
            return Ok(());
        }
        // One that goes on sees to the leases itself, and may take long.
        let Some(collection) = Collection::begin_at_once(&self.tmp())? else { return Ok(()) };
        drop(collection);
        let drafts = self.drafts()?;
        let (_, living) = lease::left_and_living(&self.tmp())?;
        for path in of_the_dead(drafts, &living) {
            files::remove_file(&path)?;
        }
        Ok(())
    }

    /// Removes what a power cut may have left half on disk: all that nothing reaches whose leases are of an earlier boot. Where it
    /// can't be told what that is, because a name or a tree is damaged, it is read: that must keep nobody from storing things,
    /// the less so what would mend it.
    pub(super) fn forget_power_cut(&self, wanted: Wanted<'_>) -> Result<()> {
        // Those that come meanwhile are left to the next time.
        let left = lease::of_earlier_boots(&self.tmp())?;
        if left.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.collect(wanted) {
            tracing::warn!(%error, "after a loss of power it can't be told what is garbage: all that no name reaches is read instead");
            self.put_halves_away()?;
        }
        left.iter().try_for_each(|path| Ok(files::remove_file(path).map(drop)?))
    }

    /// Moves objects to quarantine that are not what their names say, but for those that a tree with a name has: these were on disk
    /// before the name was.
    fn put_halves_away(&self) -> Result<()> {
        let objects = self.objects();
        let mut reached = HashSet::new();
        for named in self.refs().all()? {
            reached.extend(named.blobs.iter().map(|blob| blob.object));
            let mut of_tree = HashSet::from([named.tree]);
            if super::gc::reach(&objects, &named.tree, &mut of_tree).is_ok() {
                reached.extend(of_tree);
            }
        }
        let mut others = Vec::new();
        objects.each(&mut |digest| {
            others.extend(Some(digest).filter(|digest| !reached.contains(digest)));
            Ok(())
        })?;
        let halves = parallel::find(&others, &|digest| Ok(objects.check(digest)? == Some(false)))?;
        halves.into_iter().try_for_each(|digest| self.put_away(digest).map(drop))
    }

    /// The folders in which refs are written.
    #[must_use]
    pub fn ref_folders(&self) -> Vec<PathBuf> {
        self.refs().folders().to_vec()
    }

    /// What is in the folder of drafts. Listed before it is asked who lives: whoever has made one of these had a lease by then.
    fn drafts(&self) -> Result<Vec<PathBuf>> {
        crate::images::entries(&self.tmp())
    }
}

/// Drafts of objects whose makers hold no lease: nobody makes one without.
fn of_the_dead(mut drafts: Vec<PathBuf>, living: &HashSet<String>) -> Vec<PathBuf> {
    let maker = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_prefix("object-")?;
        name.split('-').next().map(str::to_owned)
    };
    drafts.retain(|path| maker(path).is_some_and(|pid| !living.contains(&pid)));
    drafts
}
