//! Loop devices are the machine's, whoever has made them: one that a host has left would go on, and keep its file.

use std::path::Path;

use crate::run::{Result, program};

/// Detaches the loop devices whose files lie on the disk of a host that is down.
pub(crate) fn detach(disk: &Path) -> Result<()> {
    if !disk.exists() {
        return Ok(());
    }
    let columns = "NAME,BACK-INO,BACK-FILE";
    let list = program("losetup").args(["--list", "--noheadings", "--raw", "--output", columns]);
    for line in list.read()?.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(number), Some(file)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        // The path is one in the host, if any; the number is that of the file below the overlay too.
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        let find = program("find").arg(disk).args(["-xdev", "-inum", number, "-printf", "%f\\n"]);
        if find.read()?.lines().any(|found| found == name) {
            program("losetup").args(["--detach", device]).read()?;
        }
    }
    Ok(())
}
