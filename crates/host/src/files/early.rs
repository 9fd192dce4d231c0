//! Writing that begins early: what a long work has written goes to the disk while it makes more, so that the sync at its end has
//! little left to wait for.
#![expect(unsafe_code, reason = "the system call has no safe wrapper")]

use std::fs::File;
use std::os::fd::AsRawFd;

/// Has these bytes of a file, which were written, go to the disk from now on. Waits for nothing and promises nothing: whoever needs
/// them there syncs, and where this is not to be had all is left to that.
pub fn begin_writing(file: &File, from: u64, length: u64) {
    let (Ok(from), Ok(length)) = (i64::try_from(from), i64::try_from(length)) else { return };
    // SAFETY: the call takes numbers alone, and the descriptor is open as long as it is borrowed.
    unsafe { libc::sync_file_range(file.as_raw_fd(), from, length, libc::SYNC_FILE_RANGE_WRITE) };
}
