//! One root out of read-only layers and a writable one.

use super::erofs::mount_image;
use super::idmap::set_attributes;
use super::{
    Context, Error, IdMap, MountAttributes, Result, Unmount, UserNamespace, attach, clone_mount,
    is_mount_point, mounts_below, unmount, unmount_all,
};
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, fstatvfs, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, mount, open_tree,
};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The longest value that fsconfig takes, in bytes.
const VALUE_LIMIT: usize = 255;

/// A read-only layer.
#[derive(Debug, Clone, Copy)]
pub enum Layer<'a> {
    /// A folder.
    Folder(&'a Path),
    /// An EROFS image of a tree, whose files say by `trusted.overlay.redirect` where in the folder of objects their contents are
    /// (see `probe_images`).
    Image {
        /// The image.
        image: &'a Path,
        /// The folder of objects; no ids are mapped in it.
        objects: &'a Path,
    },
}

/// An overlay to be mounted.
#[derive(Debug, Clone, Copy)]
pub struct Overlay<'a> {
    /// The read-only layers, topmost first; at least one.
    pub lower: &'a [Layer<'a>],
    /// The writable layer and its work folder. They must have the same parent folder (see `overlay_root`).
    pub writable: Option<(&'a Path, &'a Path)>,
    /// Where it goes; an existing folder on which nothing is mounted.
    pub target: &'a Path,
    /// The map of ids through which all layers are seen; ids on disk start at 0.
    pub idmap: Option<IdMap>,
    /// `nodev` and the like.
    pub attributes: MountAttributes,
    /// What shows up as its source in lists of mounts.
    pub source: &'a str,
}

/// Mounts an overlay; on failure nothing stays mounted.
///
/// Only the metadata is copied up where only that is changed, and folders can be renamed: the writable layer then has files and
/// folders that mean nothing without the layers below.
///
/// The writable layer and its work folder are cloned as one mount, their parent's, because overlayfs wants both on the
/// same one.
pub fn overlay_root(overlay: &Overlay<'_>) -> Result<()> {
    let target = overlay.target;
    if is_mount_point(target)? {
        let source = io::Error::from(io::ErrorKind::ResourceBusy);
        return Err(fail(target, "something is mounted there", source));
    }
    let layers = Layers::open(overlay)?;
    let mounted = match create(overlay, &layers) {
        Err(error) if error.source.kind() == io::ErrorKind::Unsupported => {
            create_old(overlay, &layers)?
        }
        other => other?,
    };
    refuse_read_only(overlay, mounted.as_fd())?;
    // From here on the overlay has clones of its own.
    drop(layers);
    attach(mounted, target)
}

/// Whether an overlay of that source is mounted on `target`, whole. What `overlay_root` left there when it was killed on the way,
/// a layer of it, is no root and is taken away.
pub fn is_overlay_root(target: &Path, source: &str) -> Result<bool> {
    if !is_mount_point(target)? {
        return Ok(false);
    }
    let all = mounts_below(target)?;
    let mut here = all.iter().filter(|mount| mount.mount_point == target);
    let whole =
        here.next().is_some_and(|first| first.fs_type == "overlay" && first.source == source)
            && here.next().is_none();
    if !whole {
        unmount_all(target, Unmount::Lazy)?;
    }
    Ok(whole)
}

/// The layers as paths that are short, need no escaping, and cannot be swapped under our feet.
struct Layers<'a> {
    lower: Vec<OwnedFd>,
    /// Folders of objects, below all others and seen only by way of them.
    data: Vec<(&'a Path, OwnedFd)>,
    /// The parent of upper and work, and their names in it.
    writable: Option<(OwnedFd, &'a Path, &'a Path)>,
    /// How many mounts are on the target for us.
    attached: Attached<'a>,
}

/// Mounts that are taken away again when this is dropped.
struct Attached<'a> {
    target: &'a Path,
    count: usize,
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        for _ in 0..self.count {
            if let Err(error) = unmount(self.target, Unmount::Lazy) {
                tracing::warn!(%error, "a layer remains mounted");
            }
        }
    }
}

impl<'a> Layers<'a> {
    fn open(overlay: &Overlay<'a>) -> Result<Self> {
        let target = overlay.target;
        let map = overlay.idmap.map(UserNamespace::new).transpose()?;
        let mut layers = Self {
            lower: Vec::new(),
            data: Vec::new(),
            writable: None,
            attached: Attached { target, count: 0 },
        };
        for layer in overlay.lower {
            let layer = match layer {
                Layer::Folder(path) => {
                    layers.layer(path, map.as_ref(), MountAttributes::MOUNT_ATTR_RDONLY)?
                }
                Layer::Image { image, objects } => {
                    if layers.data.iter().all(|(path, _)| path != objects) {
                        layers.data.push((objects, folder(objects)?));
                    }
                    layers.image(image, map.as_ref())?
                }
            };
            layers.lower.push(layer);
        }
        if let Some((upper, work)) = overlay.writable {
            let parent = upper.parent().filter(|parent| work.parent() == Some(*parent));
            let names = upper.file_name().zip(work.file_name());
            let Some((parent, (upper_name, work_name))) = parent.zip(names) else {
                let source = io::Error::from(io::ErrorKind::InvalidInput);
                return Err(fail(target, "upper and work have different parents", source));
            };
            let layer = layers.layer(parent, map.as_ref(), MountAttributes::empty())?;
            layers.writable = Some((layer, Path::new(upper_name), Path::new(work_name)));
        }
        Ok(layers)
    }

    fn layer(
        &mut self,
        path: &Path,
        map: Option<&UserNamespace>,
        attributes: MountAttributes,
    ) -> Result<OwnedFd> {
        let Some(map) = map else { return folder(path) };
        let layer = clone_mount(path, Some(map), attributes)?;
        self.attach(layer)
    }

    fn image(&mut self, image: &Path, map: Option<&UserNamespace>) -> Result<OwnedFd> {
        let layer = mount_image(image)?;
        let attributes = MountAttributes::MOUNT_ATTR_RDONLY;
        set_attributes(layer.as_fd(), map, attributes).on("map the ids of", image)?;
        self.attach(layer)
    }

    fn attach(&mut self, layer: OwnedFd) -> Result<OwnedFd> {
        attach(&layer, self.attached.target)?;
        self.attached.count += 1;
        Ok(layer)
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        let of = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
        let lower: Vec<String> = self.lower.iter().map(of).collect();
        let mut lower = lower.join(":");
        for (_, objects) in &self.data {
            lower.push_str("::");
            lower.push_str(&of(objects));
        }
        let mut options = vec![("lowerdir", lower)];
        // Also without data layers: a writable layer is to work over the one and over the other.
        options.push(("metacopy", "on".to_owned()));
        options.push(("redirect_dir", "on".to_owned()));
        if let Some((parent, upper, work)) = &self.writable {
            options.push(("upperdir", format!("{}/{}", of(parent), escape(upper))));
            options.push(("workdir", format!("{}/{}", of(parent), escape(work))));
        }
        options
    }
}

fn folder(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).on("open", path)
}

/// Overlayfs splits at colons and commas and takes a backslash as escape.
fn escape(name: &Path) -> String {
    let name = name.to_string_lossy();
    name.chars().fold(String::new(), |mut escaped, c| {
        if matches!(c, ':' | ',' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    })
}

/// With the mount API. `Unsupported` when the options do not fit or the kernel does not know it for overlayfs.
fn create(overlay: &Overlay<'_>, layers: &Layers<'_>) -> Result<OwnedFd> {
    let target = overlay.target;
    let options = layers.options();
    if options.iter().any(|(_, value)| value.len() > VALUE_LIMIT) {
        return Err(io::Error::from(io::ErrorKind::Unsupported)).on("mount on", target);
    }
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|error| match error {
        Errno::NODEV => fail(target, "the kernel has no overlayfs", error.into()),
        error => fail(target, "", error.into()),
    })?;
    let explain = |error: Errno| fail(target, &messages(context.as_fd()), error.into());
    fsconfig_set_string(&context, "source", overlay.source).map_err(explain)?;
    for (key, value) in &options {
        fsconfig_set_string(&context, *key, value.as_str()).map_err(explain)?;
    }
    fsconfig_create(&context).map_err(explain)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, overlay.attributes).map_err(explain)
}

/// With mount(2), whose one string holds a page; then a clone of it, since it is attached above our layers.
fn create_old(overlay: &Overlay<'_>, layers: &Layers<'_>) -> Result<OwnedFd> {
    let target = overlay.target;
    let options: Vec<String> =
        layers.options().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    let options =
        CString::new(options.join(",")).map_err(io::Error::from).on("mount on", target)?;
    mount(overlay.source, target, "overlay", MountFlags::empty(), options.as_c_str())
        .on("mount on", target)?;
    let once = Attached { target, count: 1 };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, target, flags).on("clone the mount of", target)?;
    drop(once);
    set_attributes(tree.as_fd(), None, overlay.attributes).on("change", target)?;
    Ok(tree)
}

/// Where overlayfs cannot use its work folder it mounts read-only and says nothing.
fn refuse_read_only(overlay: &Overlay<'_>, mounted: BorrowedFd<'_>) -> Result<()> {
    let wanted = overlay.attributes.contains(MountAttributes::MOUNT_ATTR_RDONLY);
    if overlay.writable.is_none() || wanted {
        return Ok(());
    }
    let stat = fstatvfs(mounted).on("look at", overlay.target)?;
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let source = io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
        return Err(fail(overlay.target, "overlayfs cannot write to its work folder", source));
    }
    Ok(())
}

/// What the kernel wrote into the context, its reasons in words.
fn messages(context: BorrowedFd<'_>) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(size) = rustix::io::read(context, &mut buffer) {
        let line = String::from_utf8_lossy(&buffer[..size]).trim().to_owned();
        // Each begins with its level: "e ", "w ", "i ".
        all.push(line.get(2..).unwrap_or_default().to_owned());
        if size == 0 || all.len() > 16 {
            break;
        }
    }
    all.join("; ")
}

fn fail(target: &Path, detail: &str, source: io::Error) -> Error {
    Error { action: "mount on", path: target.to_owned(), detail: detail.to_owned(), source }
}
