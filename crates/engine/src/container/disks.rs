//! Limits by disk: each is given under the one name of its disk. systemd takes any path on it, but of several names of one disk only the
//! limits of the last count; and of a path without a disk it only says in the journal that there is none.

use crate::error::{Error, Result};
use std::io;
use std::path::Path;
use volt_host::block;
use volt_model::kind::ErrorKind;
use volt_model::limits::{DeviceRate, Limits};

/// Puts the node of the disk in place of every path.
///
/// # Errors
/// `NotFound` for a path that isn't there; `Usage` for one without a disk, and for two limits of a kind on one disk.
pub(super) fn name_disks(limits: &mut Limits) -> Result<()> {
    let lists = [
        &mut limits.io_read_bps,
        &mut limits.io_write_bps,
        &mut limits.io_read_iops,
        &mut limits.io_write_iops,
    ];
    for list in lists {
        for rate in list.iter_mut() {
            rate.path = disk_of(rate)?;
        }
        list.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(pair) = list.windows(2).find(|pair| pair[0].path == pair[1].path) {
            let title = format!("The disk {} has two limits of one kind", pair[0].path);
            return Err(Error::new(ErrorKind::Usage, title));
        }
    }
    Ok(())
}

fn disk_of(rate: &DeviceRate) -> Result<String> {
    block::disk_of(Path::new(&rate.path)).map(|disk| disk.to_string_lossy().into_owned()).map_err(
        |error| {
            let kind = match error.source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::Usage,
            };
            Error::new(kind, format!("There is no disk behind {}", rate.path))
                .about(&rate.path)
                .because(error)
                .hinted("Name one that `lsblk` lists, such as /dev/vda, or a path on it")
        },
    )
}
