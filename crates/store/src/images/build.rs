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
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use volt_host::command::{self, Command, Line};
use volt_host::files::Stage;
use volt_model::container::Ulimit;
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
    /// What says how.
    pub file: Containerfile,
    /// Values for its arguments.
    pub args: BTreeMap<String, String>,
    /// The stage to stop at; else the last.
    pub target: Option<String>,
    /// What its steps have.
    pub steps: Steps,
}

/// What says how an image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Containerfile {
    /// A file, by its path in the folder.
    File(String),
    /// This text.
    Text(String),
}

/// What the steps of a build have, and what they leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Further folders to copy from, by name.
    pub contexts: BTreeMap<String, PathBuf>,
    /// Files that commands may read as secrets, by id.
    pub secrets: BTreeMap<String, PathBuf>,
    /// Hosts that commands know.
    pub hosts: Vec<(String, IpAddr)>,
    /// Limits of commands.
    pub ulimits: Vec<Ulimit>,
    /// Whether they have no network.
    pub offline: bool,
}

impl Steps {
    /// The same in the words of buildah.
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut say = |flag: &str, value: OsString| words.extend([OsString::from(flag), value]);
        let with = |name: &str, before: &str, path: &Path| {
            let mut word = OsString::from(format!("{name}{before}"));
            word.push(path);
            word
        };
        for (key, value) in &self.labels {
            say("--label", format!("{key}={value}").into());
        }
        for (name, path) in &self.contexts {
            say("--build-context", with(name, "=", path));
        }
        for (id, path) in &self.secrets {
            say("--secret", with(&format!("id={id}"), ",src=", path));
        }
        for (name, address) in &self.hosts {
            say("--add-host", format!("{name}:{address}").into());
        }
        for Ulimit { name, soft, hard } in &self.ulimits {
            let number = |n: u64| if n == u64::MAX { "-1".to_owned() } else { n.to_string() };
            let limit =
                format!("{}={}:{}", name.to_ascii_lowercase(), number(*soft), number(*hard));
            say("--ulimit", limit.into());
        }
        words
    }

    /// Refuses what buildah would take for something else.
    fn check(&self) -> Result<()> {
        let names = self.contexts.keys().chain(self.secrets.keys());
        let odd = |name: &&String| name.is_empty() || name.contains([',', '=', '"']);
        if let Some(name) = names.into_iter().find(odd) {
            return Err(Error::Invalid(format!("`{name}` is no name of a folder or secret")));
        }
        for path in self.contexts.values().chain(self.secrets.values()) {
            let bytes = path.as_os_str().as_bytes();
            if !path.is_absolute() || bytes.iter().any(|byte| b",\"\n".contains(byte)) {
                let path = path.display();
                return Err(Error::Invalid(format!(
                    "{path} can't be given to a build: write an absolute path without commas and quotes"
                )));
            }
        }
        Ok(())
    }
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
        let Recipe { folder, file, args, target: last, steps } = recipe;
        steps.check()?;
        let folder = match folder {
            Folder::Path(path) => path,
            Folder::Archive(archive) => self.unpacked(archive, limits, stage.path(), work)?,
        };
        let (file, text) = said(file, &folder, stage.path())?;
        let buildah = Buildah::new(stage.path(), work.progress)?;
        for base in containerfile::bases(&text, &args) {
            // What is no name, buildah complains about.
            if let (false, Ok(base)) = (steps.contexts.contains_key(&base), base.parse()) {
                self.give(&buildah, &base)?;
            }
        }
        let mut words: Vec<OsString> = vec!["--file".into(), file.into_os_string()];
        words.extend(steps.words());
        for (name, value) in args {
            words.extend(["--build-arg".into(), format!("{name}={value}").into()]);
        }
        words.extend(last.into_iter().flat_map(|last| ["--target".into(), last.into()]));
        words.push(folder.into_os_string());
        buildah.build(&steps, &words)?;
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
        lease.sync()?;
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

/// Where the Containerfile lies, and its text.
fn said(file: Containerfile, folder: &Path, stage: &Path) -> Result<(PathBuf, String)> {
    match file {
        Containerfile::File(file) => {
            let path = EntryPath::parse(file.as_bytes()).map_err(|reason| {
                Error::Invalid(format!("`{file}` is no file of a folder: {reason}"))
            })?;
            let path = OsStr::from_bytes(path.as_bytes());
            Ok((folder.join(path), read(folder, path)?))
        }
        Containerfile::Text(text) => {
            let path = stage.join("Containerfile");
            fs::write(&path, &text).map_err(|error| Error::io("write", &path, error))?;
            Ok((path, text))
        }
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
fn limits(said: &[Ulimit]) -> Vec<String> {
    let lower = |(name, which): (&str, Resource)| {
        if said.iter().any(|limit| limit.name.eq_ignore_ascii_case(name)) {
            return None;
        }
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
        self.command_apart(&[], verb)
    }

    /// A command of it in further namespaces of its own.
    fn command_apart(&self, namespaces: &[&str], verb: &str) -> Command {
        Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"])
            .args(namespaces)
            .args(["--mount-proc", "--", "sh", "-ec", COVERED])
            .arg(self.stage)
            .args([PROGRAM, verb])
            .env("CONTAINERS_STORAGE_CONF", self.stage.join("storage.conf"))
            .env("TMPDIR", self.stage.join("tmp"))
            .env("HOME", self.stage.join("home"))
            .env("XDG_RUNTIME_DIR", self.stage.join("tmp"))
            .new_session()
    }

    /// It takes in images, which are ours, whatever the host says of those of others.
    fn trusting(&self, command: Command) -> Command {
        command.arg("--signature-policy").arg(self.stage.join("policy.json"))
    }

    /// Takes an image from an archive.
    fn take(&self, archive: &Path, name: &ImageRef) -> Result<()> {
        let from = format!("oci-archive:{}", archive.display());
        let output = self.trusting(self.command("pull")).args(["--quiet", &from]).output()?;
        // It looks for a name without a registry there first.
        let name = match Remote::of(name, "").host.is_empty() {
            true => format!("localhost/{name}"),
            false => name.to_string(),
        };
        let id = output.text();
        Ok(self.command("tag").args([id.trim(), &name]).run()?)
    }

    fn build(&self, steps: &Steps, words: &[OsString]) -> Result<()> {
        let mut last = VecDeque::new();
        let built = format!("oci:{}", self.built().display());
        // In a chroot buildah keeps no network from its commands.
        let namespaces: &[&str] = if steps.offline { &["--net"] } else { &[] };
        let command = self
            .trusting(self.command_apart(namespaces, "build"))
            .args(["--isolation", "chroot", "--pull=never", "--format", "oci", "--tag", &built])
            .args(limits(&steps.ulimits))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_the_words_of_buildah() {
        let mut steps = Steps {
            labels: BTreeMap::from([("made.by".into(), "a test".into())]),
            contexts: BTreeMap::from([("more".into(), "/srv/more".into())]),
            secrets: BTreeMap::from([("key".into(), "/run/key".into())]),
            hosts: vec![("db".into(), "::1".parse().unwrap())],
            ulimits: vec!["nofile=10:20".parse().unwrap(), "core=-1".parse().unwrap()],
            offline: true,
        };
        let words: Vec<String> =
            steps.words().into_iter().map(|word| word.into_string().unwrap()).collect();
        assert_eq!(
            words.join(" "),
            "--label made.by=a test --build-context more=/srv/more --secret id=key,src=/run/key --add-host db:::1 \
             --ulimit nofile=10:20 --ulimit core=-1:-1"
        );
        assert!(limits(&steps.ulimits).iter().all(|limit| !limit.contains("nofile")));
        steps.check().unwrap();
        steps.secrets.insert("odd".into(), "/run/a,src=/etc/shadow".into());
        assert!(steps.check().is_err());
        steps.secrets = BTreeMap::from([("a,b".into(), "/run/key".into())]);
        assert!(steps.check().is_err());
    }
}
