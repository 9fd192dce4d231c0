//! Folders to make containers of.

use std::fs;
use std::path::Path;

use super::clock::run;
use crate::run::{Context, Result};

/// Where everything is: a real disk, unlike the host's root.
pub(super) const PLACE: &str = "/var/lib/machines/bench";

/// Unpacks the image that both sides use; returns its folder.
pub(super) fn unpacked() -> Result<String> {
    let tree = format!("{PLACE}/tree");
    if !Path::new(&tree).exists() {
        fs::create_dir_all(&tree).context(|| tree.clone())?;
        run(&["tar", "-xf", "/srv/images/tiny.tar", "-C", &tree])?;
    }
    Ok(tree)
}

/// The same tree, filled up with files of 64 KiB to `size` bytes in all.
pub(super) fn filled(name: &str, size: u64) -> Result<String> {
    const EACH: u64 = 64 * 1024;
    /// What the tree weighs without them.
    const OWN: u64 = 2_400_000;
    let tree = format!("{PLACE}/{name}");
    run(&["cp", "-a", &unpacked()?, &tree])?;
    let mut state = size | 1;
    let mut bytes = vec![0; usize::try_from(EACH).unwrap_or_default()];
    for number in 0..size.saturating_sub(OWN) / EACH {
        // Different in every file, so that nothing can share them.
        for chunk in bytes.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes());
        }
        let folder = format!("{tree}/usr/share/{}", number / 128);
        fs::create_dir_all(&folder).context(|| folder.clone())?;
        let path = format!("{folder}/{number}");
        fs::write(&path, &bytes).context(|| path.clone())?;
    }
    Ok(tree)
}
