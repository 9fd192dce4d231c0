//! Mounting EROFS images: by their file where the kernel can (Linux 6.12, and file systems that serve pages), else by a loop
//! device, which goes away by itself with the last mount.

use super::{Context, Error, Layer, MountAttributes, Overlay, Result, Unmount, overlay_root};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount,
    fsopen,
};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How often a loop device is looked for that somebody else takes in the same moment.
const TRIES: usize = 64;

/// Mounts an image read-only; it is attached nowhere yet.
pub fn mount_image(image: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(CWD, image, flags, Mode::empty()).on("open", image)?;
    match mount_source(&format!("/proc/self/fd/{}", file.as_raw_fd())) {
        // It is not a block device, and nothing else will do.
        Err(Errno::NOTBLK) => {
            let device = Loop::attach(file.as_fd()).on("find a loop device for", image)?;
            mount_source(&device.path).on("mount the image", image)
        }
        Err(Errno::NODEV) => {
            let detail = "the kernel has no EROFS".to_owned();
            let source = Errno::NODEV.into();
            Err(Error { action: "mount the image", path: image.to_owned(), detail, source })
        }
        mounted => mounted.on("mount the image", image),
    }
}

fn mount_source(source: &str) -> rustix::io::Result<OwnedFd> {
    let context = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", source)?;
    fsconfig_set_flag(&context, "ro")?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttributes::MOUNT_ATTR_RDONLY)
}

/// Tries whether roots can be made of images (`Layer::Image`) that lie in this folder: whether the kernel knows EROFS, can mount
/// a file from there, and has an overlayfs with layers that have only data (Linux 6.5). The error says what is missing.
pub fn probe_images(folder: &Path) -> Result<()> {
    let scratch = tempfile::Builder::new().prefix(".volt-probe-").tempdir_in(folder);
    let scratch = scratch.on("write to", folder)?;
    let at = |name: &str| scratch.path().join(name);
    let (image, objects, target) = (at("image"), at("objects"), at("target"));
    fs::write(&image, empty_image()).on("write", &image)?;
    for dir in [&objects, &target] {
        fs::create_dir(dir).on("create", dir)?;
    }
    let overlay = Overlay {
        lower: &[Layer::Image { image: &image, objects: &objects }],
        writable: None,
        target: &target,
        idmap: None,
        attributes: MountAttributes::MOUNT_ATTR_RDONLY,
        source: "volt",
    };
    overlay_root(&overlay)?;
    super::unmount(&target, Unmount::Lazy).map(drop)
}

/// The smallest image there is: an empty folder in one block.
fn empty_image() -> Vec<u8> {
    let mut image = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    // The superblock, at 1024: magic, size of a block (2^12), place of the root (32 × 36), inodes, blocks.
    put(1024, &0xe0f5_e1e2_u32.to_le_bytes());
    put(1036, &[12]);
    put(1038, &[36]);
    put(1040, &[1]);
    put(1060, &[1]);
    // The root, at 1152: the long form with its data behind it, its mode, its size, how many names it has.
    put(1152, &[0x05]);
    put(1156, &0o040_755_u16.to_le_bytes());
    put(1160, &[27]);
    put(1200, &[2]);
    // What is in it: where each name's inode is, where the name is, what it is; the names.
    for (number, name_at) in [(0, 24), (1, 25)] {
        put(1216 + number * 12, &[36]);
        put(1216 + number * 12 + 8, &[name_at, 0, 2]);
    }
    put(1240, b"...");
    image
}

/// A loop device that goes away when nothing has it open or mounted any more.
struct Loop {
    path: String,
    _device: File,
}

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
struct LoopInfo {
    numbers: [u64; 5],
    number: u32,
    unused: [u32; 2],
    flags: u32,
    names: [u8; 160],
    init: [u64; 2],
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

impl Loop {
    fn attach(file: BorrowedFd<'_>) -> io::Result<Self> {
        /// LO_FLAGS_READ_ONLY and LO_FLAGS_AUTOCLEAR.
        const FLAGS: u32 = 1 | 4;
        const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4c82;
        const LOOP_CONFIGURE: libc::Ioctl = 0x4c0a;
        let control = File::options().read(true).write(true).open("/dev/loop-control")?;
        let mut last = io::Error::from(io::ErrorKind::ResourceBusy);
        for _ in 0..TRIES {
            // SAFETY: this ioctl takes no argument.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
            if number < 0 {
                return Err(io::Error::last_os_error());
            }
            let path = format!("/dev/loop{number}");
            let device = File::open(&path)?;
            let info = LoopInfo {
                numbers: [0; 5],
                number: 0,
                unused: [0; 2],
                flags: FLAGS,
                names: [0; 160],
                init: [0; 2],
            };
            let fd = file.as_raw_fd().cast_unsigned();
            let config = LoopConfig { fd, block_size: 0, info, reserved: [0; 8] };
            // SAFETY: the structure is laid out as the kernel's, lives through the call, and is only read.
            let done =
                unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) };
            if done == 0 {
                return Ok(Self { path, _device: device });
            }
            last = io::Error::last_os_error();
            if last.kind() != io::ErrorKind::ResourceBusy {
                break;
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_structures_have_their_sizes() {
        assert_eq!((size_of::<LoopInfo>(), size_of::<LoopConfig>()), (232, 304));
    }

    #[test]
    fn an_image_is_mounted_by_its_file_or_by_a_loop_device() {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        fs::write(&image, empty_image()).unwrap();
        let names = |mount: OwnedFd| {
            let path = format!("/proc/self/fd/{}", mount.as_raw_fd());
            fs::read_dir(path).unwrap().count()
        };
        assert_eq!(names(mount_image(&image).unwrap()), 0);
        let file = File::open(&image).unwrap();
        let device = Loop::attach(file.as_fd()).unwrap();
        let mount = mount_source(&device.path).unwrap();
        let backing = Path::new("/sys/block")
            .join(device.path.trim_start_matches("/dev/"))
            .join("loop/backing_file");
        assert!(fs::read_to_string(&backing).unwrap().contains("image"));
        drop(device);
        assert!(backing.exists(), "the mount keeps it");
        assert_eq!(names(mount), 0);
        // The kernel lets go of it a moment after.
        for _ in 0..100 {
            if !backing.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the loop device stays");
    }
}
