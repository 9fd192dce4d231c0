//! Images by a Containerfile: buildah does what it says, with a storage of its own in a stage, and only what comes out of that is
//! stored. Images that it begins with are ours: nothing is pulled on the way.
//!
//! buildah runs in mount and pid namespaces of its own, so that what it mounts and starts is gone with it, however it ends.

use super::members::Archive;
use super::stream;
use super::unpack::Store;
use super::{
    ExportFormat, ExportOptions, Image, Images, ImportOptions, Limits, Made, Target, Work,
};
use crate::archive::Compression;
use crate::error::{Error, Result};
use crate::oci::{Blobs, Platform};
use crate::progress::Progress;
use crate::tree::{EntryPath, open_in_root, open_root};
use rustix::fs::OFlags;
use rustix::process::{Resource, Rlimit, getrlimit};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use volt_host::command::{self, Command, Line};
use volt_host::files::Stage;
use volt_model::containerfile;
use volt_model::image::ImageRef;
use volt_model::registry::Remote;

const PROGRAM: &str = "buildah";
/// The largest Containerfile, in bytes.
const FILE_LIMIT: u64 = 1 << 20;
/// How many of its last lines an error shows.
const LAST_LINES: usize = 12;
/// How many files and processes it allows where nothing is said.
const USUAL_LIMIT: u64 = 1 << 20;
/// Runs it, in a mount namespace, with covers over where it writes whatever storage it is given: what it has seen of registries, and
/// networks, of which it makes the first in the host's configuration. `$0` is the stage.
const COVERED: &str = r#"
for place in /var/lib/containers /run/containers; do
    mkdir -p $place
    mount -t tmpfs -o mode=0700 tmpfs $place
done
mount -t overlay -o lowerdir=/etc,upperdir="$0/etc",workdir="$0/work" overlay /etc
exec "$@"
"#;

/// What an image is built by.
#[derive(Debug)]
pub struct Recipe {
    /// The folder that the build copies from.
    pub folder: Folder,
    /// The Containerfile, by its path in the folder.
    pub file: String,
    /// Values for its arguments.
    pub args: BTreeMap<String, String>,
    /// The stage to stop at; else the last.
    pub target: Option<String>,
}

/// A folder that a build copies from.
pub enum Folder {
    /// One of this host.
    Path(PathBuf),
    /// A tar archive of one.
    Archive(Box<dyn Read + Send>),
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Archive(_) => f.write_str("Archive"),
        }
    }
}

impl Images {
    /// Builds an image by a Containerfile. Needs root and buildah; the images that it begins with have to be here.
    pub fn build_by_file(
        &self,
        name: &ImageRef,
        recipe: Recipe,
        options: ImportOptions,
        work: Work<'_>,
    ) -> Result<Image> {
        if self.is_rootless() {
            let reason = "its steps run as several users; build of a folder instead".to_owned();
            return Err(Error::Unsupported { what: "a Containerfile without root".into(), reason });
        }
        // Asked here, since `unshare` would be what fails otherwise.
        Command::new(PROGRAM).arg("--version").run()?;
        let ImportOptions { limits, config, existing, .. } = options;
        let target = Target { name: name.clone(), existing, config };
        self.refuse_taken(&target)?;
        let stage = Stage::new(&self.stages(), "image")?;
        let Recipe { folder, file, args, target: last } = recipe;
        let folder = match folder {
            Folder::Path(path) => path,
            Folder::Archive(archive) => self.unpacked(archive, limits, stage.path(), work)?,
        };
        let file = EntryPath::parse(file.as_bytes()).map_err(|reason| {
            Error::Invalid(format!("`{file}` is no file of a folder: {reason}"))
        })?;
        let file = OsStr::from_bytes(file.as_bytes());
        let text = read(&folder, file)?;
        let buildah = Buildah::new(stage.path(), work.progress)?;
        for base in containerfile::bases(&text, &args) {
            // What is no name, buildah complains about.
            if let Ok(base) = base.parse() {
                self.give(&buildah, &base)?;
            }
        }
        let mut words: Vec<OsString> = vec!["--file".into(), folder.join(file).into_os_string()];
        for (name, value) in args {
            words.extend(["--build-arg".into(), format!("{name}={value}").into()]);
        }
        words.extend(last.into_iter().flat_map(|last| ["--target".into(), last.into()]));
        words.push(folder.into_os_string());
        buildah.build(&words)?;
        self.make(target, work, |lease| {
            let store = Store { cas: self.cas(), lease, limits, progress: work.progress };
            let made = store.image(&Blobs::Folder(buildah.built()), &Platform::own(), false)?;
            Ok(Made { source: "Containerfile".into(), ..made })
        })
    }

    /// Unpacks a folder that somebody sent, by way of the store, which lets nothing out of it.
    fn unpacked(
        &self,
        archive: Box<dyn Read + Send>,
        limits: Limits,
        stage: &Path,
        work: Work<'_>,
    ) -> Result<PathBuf> {
        let lease = self.cas().lease(work.wanted)?;
        let store = Store { cas: self.cas(), lease: &lease, limits, progress: work.progress };
        let (plain, _) = stream::open(archive, None, limits)?;
        let (tree, _) = store.layers(vec![Archive::Open(plain)], false)?;
        let folder = stage.join("folder");
        self.cas().roots().copy(&tree, &folder)?;
        // No ref comes to reach what was stored, and nobody may build upon what a loss of power would halve.
        self.cas().sync()?;
        lease.end()?;
        Ok(folder)
    }

    /// Puts an image of ours into buildah's storage.
    fn give(&self, buildah: &Buildah<'_>, base: &ImageRef) -> Result<()> {
        let path = buildah.stage.join("base.oci");
        let mut out = File::create(&path).map_err(|error| Error::io("create", &path, error))?;
        let how = ExportOptions {
            format: ExportFormat::Oci,
            compression: Compression::None,
            ..ExportOptions::default()
        };
        buildah.progress.step(&format!("Handing over {base}"));
        self.export(base, &mut out, &how, buildah.progress)?;
        buildah.take(&path, base)?;
        fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))
    }
}

/// A Containerfile in a folder, out of which it does not lead.
fn read(folder: &Path, file: &OsStr) -> Result<String> {
    let path = folder.join(file);
    let failed = |error: io::Error| Error::io("read", &path, error);
    let root = open_root(folder).map_err(|error| Error::io("open", folder, error))?;
    let opened = open_in_root(&root, file.as_bytes(), OFlags::RDONLY);
    let opened = opened.map_err(|error| failed(error.into()))?;
    let mut text = String::new();
    File::from(opened).take(FILE_LIMIT + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_LIMIT {
        return Err(Error::Invalid(format!("{} is larger than 1 MiB", path.display())));
    }
    Ok(text)
}

/// The limits of what a build runs, where ours are lower than those that it would set, which even root may not raise everywhere.
fn limits() -> Vec<String> {
    let lower = |(name, which)| {
        let Rlimit { current, maximum: Some(most) } = getrlimit(which) else { return None };
        let now = current.unwrap_or(most).min(most);
        (most < USUAL_LIMIT).then(|| format!("--ulimit={name}={now}:{most}"))
    };
    let all = [("nofile", Resource::Nofile), ("nproc", Resource::Nproc)];
    all.into_iter().filter_map(lower).collect()
}

/// buildah with a storage in a stage, with which that goes.
struct Buildah<'a> {
    stage: &'a Path,
    progress: &'a dyn Progress,
}

impl<'a> Buildah<'a> {
    fn new(stage: &'a Path, progress: &'a dyn Progress) -> Result<Self> {
        let at = stage.display();
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{at}/storage\"\nrunroot = \"{at}/run\"\n"
        );
        let policy = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
        for (name, text) in [("storage.conf", storage.as_str()), ("policy.json", policy)] {
            let path = stage.join(name);
            fs::write(&path, text).map_err(|error| Error::io("write", &path, error))?;
        }
        for name in ["tmp", "home", "etc", "work"] {
            let path = stage.join(name);
            fs::create_dir(&path).map_err(|error| Error::io("create", &path, error))?;
        }
        Ok(Self { stage, progress })
    }

    /// Where what was built lies: an OCI layout.
    fn built(&self) -> PathBuf {
        self.stage.join("built")
    }

    /// A command of it.
    fn command(&self, verb: &str) -> Command {
        Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"])
            .args(["--mount-proc", "--", "sh", "-ec", COVERED])
            .arg(self.stage)
            .args([PROGRAM, verb])
            .env("CONTAINERS_STORAGE_CONF", self.stage.join("storage.conf"))
            .env("TMPDIR", self.stage.join("tmp"))
            .env("HOME", self.stage.join("home"))
            .env("XDG_RUNTIME_DIR", self.stage.join("tmp"))
            .new_session()
    }

    /// One that takes in images, which are ours, whatever the host says of those of others.
    fn trusting(&self, verb: &str) -> Command {
        self.command(verb).arg("--signature-policy").arg(self.stage.join("policy.json"))
    }

    /// Takes an image from an archive.
    fn take(&self, archive: &Path, name: &ImageRef) -> Result<()> {
        let from = format!("oci-archive:{}", archive.display());
        let output = self.trusting("pull").args(["--quiet", &from]).output()?;
        // It looks for a name without a registry there first.
        let name = match Remote::of(name, "").host.is_empty() {
            true => format!("localhost/{name}"),
            false => name.to_string(),
        };
        let id = output.text();
        Ok(self.command("tag").args([id.trim(), &name]).run()?)
    }

    fn build(&self, words: &[OsString]) -> Result<()> {
        let mut last = VecDeque::new();
        let built = format!("oci:{}", self.built().display());
        let command = self
            .trusting("build")
            .args(["--isolation", "chroot", "--pull=never", "--format", "oci", "--tag", &built])
            .args(limits())
            .args(words);
        let ended = command.stream_while(&|| !self.progress.cancelled(), &mut |line| {
            let (Line::Out(bytes) | Line::Err(bytes)) = line;
            let text = crate::error::printable(bytes.trim_ascii());
            if bytes.trim_ascii().is_empty() {
                return;
            }
            self.progress.step(&text);
            last.push_back(text);
            if last.len() > LAST_LINES {
                last.pop_front();
            }
        });
        ended.map_err(|source| match source {
            command::Error::Cancelled { .. } => Error::Cancelled,
            command::Error::Failed { .. } => self.failed(last.into(), source),
            other => other.into(),
        })
    }

    /// The error that says most: a full disk, else the last lines.
    fn failed(&self, lines: Vec<String>, source: command::Error) -> Error {
        if lines.iter().any(|line| line.contains("no space left on device")) {
            return Error::Full { path: self.stage.to_owned(), needed: None, free: None };
        }
        Error::Build { lines, source }
    }
}
