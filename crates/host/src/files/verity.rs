//! fs-verity: files whose every read is checked by the kernel against a tree of hashes, where the file system has that.
//!
//! Source: Documentation/filesystems/fsverity.rst and include/uapi/linux/fsverity.h of Linux.
#![expect(unsafe_code, reason = "the ioctl has no safe wrapper")]

use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};
use std::fs::File;
use std::io;

/// `struct fsverity_enable_arg`.
#[repr(C)]
struct EnableArg {
    version: u32,
    hash_algorithm: u32,
    block_size: u32,
    salt_size: u32,
    salt_ptr: u64,
    sig_size: u32,
    reserved1: u32,
    sig_ptr: u64,
    reserved2: [u64; 11],
}

/// `FS_IOC_ENABLE_VERITY`.
const ENABLE: Opcode = opcode::write::<EnableArg>(b'f', 133);
/// `FS_VERITY_HASH_ALG_SHA256`.
const SHA256: u32 = 1;
/// What every kernel takes, in bytes.
const BLOCK: u32 = 4096;

/// Turns fs-verity on for a file that nobody writes to, after which nobody can. False where its file system has none, or this
/// process may not; true where it is on.
///
/// # Errors
/// When the file can't be read or its tree of hashes can't be written.
pub fn enable_verity(file: &File) -> io::Result<bool> {
    let arg = EnableArg {
        version: 1,
        hash_algorithm: SHA256,
        block_size: BLOCK,
        salt_size: 0,
        salt_ptr: 0,
        sig_size: 0,
        reserved1: 0,
        sig_ptr: 0,
        reserved2: [0; 11],
    };
    // SAFETY: the argument is what this operation reads, of its very size, and is read only.
    let done = unsafe { ioctl(file, Setter::<ENABLE, EnableArg>::new(arg)) };
    match done {
        Ok(()) | Err(Errno::EXIST) => Ok(true),
        // No such operation, not built in, not turned on for this disk, blocks of another size; or not for us.
        Err(
            Errno::NOTTY
            | Errno::OPNOTSUPP
            | Errno::NOSYS
            | Errno::INVAL
            | Errno::ACCESS
            | Errno::PERM
            | Errno::ROFS,
        ) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
