//! Getting lost contents back out of folders that may still have them, by size and hash.

use super::{Cas, Lease};
use crate::digest::Digest;
use crate::error::Result;
use crate::parallel::Until;
use crate::progress::{Progress, unless_over};
use crate::tree::{DenseReader, Flow, Kind, walk};
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::Path;

/// Contents up to this size, in bytes, are hashed in memory before they are stored.
const WHOLE: u64 = 4 << 20;

impl Cas {
    /// Stores those files of a folder that are needed. Larger ones of a size that is needed are stored to find out: what
    /// they turn out not to be is garbage.
    pub(super) fn fetch<T>(
        &self,
        lease: &Lease,
        dir: &Path,
        needed: &BTreeMap<Digest, (T, Option<u64>)>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let sizes: HashSet<u64> = needed.values().filter_map(|(_, size)| *size).collect();
        let objects = self.objects();
        walk(dir, &mut |found| {
            if progress.cancelled() {
                return Err(crate::Error::Cancelled);
            }
            let size = u64::try_from(found.stat.st_size).unwrap_or(0);
            let is_file = found.file_type() == rustix::fs::FileType::RegularFile;
            if !is_file || !sizes.contains(&size) {
                return Ok(Flow::Descend);
            }
            let Some((entry, data)) = found.read()? else { return Ok(Flow::Skip) };
            let Kind::File(shape) = &entry.kind else { return Ok(Flow::Descend) };
            let inner = DenseReader::new(data, shape);
            let mut reader = Until { inner, is_over: &|| progress.cancelled() };
            if shape.size > WHOLE {
                unless_over(objects.put(lease, &mut reader), progress)?;
                return Ok(Flow::Descend);
            }
            let mut bytes = Vec::new();
            let read = reader.read_to_end(&mut bytes).map_err(crate::Error::Input);
            unless_over(read, progress)?;
            if needed.contains_key(&Digest::of(&bytes)) {
                objects.put_bytes(lease, &bytes)?;
            }
            Ok(Flow::Descend)
        })
    }
}
