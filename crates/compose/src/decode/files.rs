//! What a container has of files: mounts, memory file systems, secrets, configurations, devices; and the volumes, secrets and
//! configurations of the stack.

use super::{At, Decoder};
use crate::names;
use crate::stack::{
    Asset, AssetSource, Container, Device, External, Grant, Mount, MountKind, Volume,
};
use crate::yaml::Value;
use volt_model::mount::{Bind, Source, Tmpfs};
use volt_model::secret::Credential;
use volt_model::size::Bytes;
use volt_model::volume::{Driver, mounted};

/// Where containers have their secrets. In a target of who has no such folder it means nothing.
const SECRETS: &str = "/run/secrets/";

impl Decoder<'_> {
    pub(super) fn file_fields(&mut self, at: &At<'_>, container: &mut Container) {
        for item in self.list(at, "volumes") {
            match &item.node.value {
                Value::Map(_) => self.long_mount(at, &item, container),
                _ => container.mounts.extend(self.short_mount(at, &item)),
            }
        }
        for item in self.list(at, "volumes_from") {
            let Some(text) = self.text(&item) else { continue };
            let (key, read_only) = match text.rsplit_once(':') {
                Some((key, "ro")) => (key, true),
                Some((key, "rw")) => (key, false),
                _ => (text.as_str(), false),
            };
            if key.contains(':') {
                self.wrong_hinted(
                    &item,
                    format!("`{key}` is no service of the stack"),
                    "Name a service, or mount the volumes by name",
                );
                continue;
            }
            self.note(format!("{}.depends_on.{key}", at.path), &item);
            container.volumes_from.insert(key.to_owned(), read_only);
        }
        for item in self.list_or_one(at, "tmpfs") {
            container.tmpfs.extend(self.short_tmpfs(&item));
        }
        container.secrets = self.grants(at, "secrets", SECRETS);
        container.configs = self.grants(at, "configs", "/");
        for item in self.list(at, "devices") {
            container.devices.extend(self.device(&item));
        }
        container.shm_size = self.parse_of(at, "shm_size");
    }

    /// `[SOURCE:]TARGET[:OPTIONS]` (Compose Specification, 05-services: volumes, short syntax). Relative paths were made absolute
    /// where the file was read.
    fn short_mount(&mut self, service: &At<'_>, at: &At<'_>) -> Option<Mount> {
        let text = self.text(at)?;
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts[..] {
            [target] => (None, target, ""),
            [source, target] => (Some(source), target, ""),
            [source, target, options] => (Some(source), target, options),
            _ => {
                self.wrong_hinted(
                    at,
                    format!("`{text}` can't be mounted"),
                    "Write SOURCE:TARGET or SOURCE:TARGET:ro",
                );
                return None;
            }
        };
        let (mut read_only, mut nocopy) = (false, false);
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" => read_only = true,
                "nocopy" => nocopy = true,
                "rw" | "z" | "Z" => {}
                "cached" | "delegated" | "consistent" => {
                    self.odd(at, format!("`{option}` does nothing on Linux"));
                }
                "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" => {
                    self.odd(at, format!("`{option}` does nothing: every mount is private"));
                }
                other => self.wrong_hinted(
                    at,
                    format!("`{other}` is no option of a mount"),
                    "Write ro or rw",
                ),
            }
        }
        let kind = match source {
            None => MountKind::Anonymous,
            Some(path) if path.starts_with('/') => {
                MountKind::Bind { source: path.to_owned(), create: true }
            }
            Some(key) => {
                self.places
                    .insert(format!("{}.volumes.{key}", service.path), at.node.place.clone());
                MountKind::Volume { source: key.to_owned(), subpath: None, nocopy }
            }
        };
        self.mount(at, kind, target, read_only)
    }

    fn long_mount(&mut self, service: &At<'_>, at: &At<'_>, container: &mut Container) {
        let Some(target) = self.text_of(at, "target") else {
            self.wrong_hinted(
                at,
                "it has no target",
                "Write `target:` with the path in the container",
            );
            return;
        };
        let source = self.text_of(at, "source");
        let read_only = self.flag(at, "read_only");
        let kind = self.text_of(at, "type");
        let kind = match (kind.as_deref(), source) {
            (Some("bind"), Some(source)) => {
                let create =
                    at.get("bind").and_then(|bind| self.flag_or(&bind, "create_host_path"));
                MountKind::Bind { source, create: create.unwrap_or(true) }
            }
            (Some("volume"), Some(source)) => {
                self.places
                    .insert(format!("{}.volumes.{source}", service.path), at.node.place.clone());
                let volume = at.get("volume");
                let subpath = volume.as_ref().and_then(|volume| self.subpath(volume));
                let nocopy = volume.is_some_and(|volume| self.flag(&volume, "nocopy"));
                MountKind::Volume { source, subpath, nocopy }
            }
            (Some("volume"), None) => MountKind::Anonymous,
            (Some("tmpfs"), None) => {
                let size = at.get("tmpfs").and_then(|tmpfs| self.parse_of::<Bytes>(&tmpfs, "size"));
                let text =
                    size.map_or_else(|| target.clone(), |size| format!("{target}:size={}", size.0));
                container
                    .tmpfs
                    .extend(text.parse::<Tmpfs>().map_err(|error| self.wrong(at, error)).ok());
                return;
            }
            (Some("bind"), None) => {
                return self.wrong(at, "a bind has a source, the path on the host");
            }
            (Some("tmpfs"), Some(_)) => return self.wrong(at, "a tmpfs has no source"),
            (Some(other), _) => {
                let hint = "Write volume, bind or tmpfs";
                return self.wrong_hinted(at, format!("`{other}` can't be mounted here"), hint);
            }
            (None, _) => {
                return self.wrong_hinted(
                    at,
                    "it has no type",
                    "Write `type: volume`, bind or tmpfs",
                );
            }
        };
        container.mounts.extend(self.mount(at, kind, &target, read_only));
    }

    /// A path in a volume, as `volt run -v NAME/PATH` takes it.
    fn subpath(&mut self, at: &At<'_>) -> Option<String> {
        let place = at.said("subpath")?;
        let text = self.text(&place)?;
        match format!("v/{}:/t", text.trim_start_matches("./")).parse::<Bind>().map(|b| b.source) {
            Ok(Source::Part(_, part)) => Some(part),
            Ok(_) => None,
            Err(error) => {
                self.wrong(&place, error);
                None
            }
        }
    }

    /// Checks the paths as `volt run -v` does.
    fn mount(
        &mut self,
        at: &At<'_>,
        kind: MountKind,
        target: &str,
        read_only: bool,
    ) -> Option<Mount> {
        let host = if let MountKind::Bind { source, .. } = &kind { source } else { "v" };
        let bind: Bind = match format!("{host}:{target}").parse() {
            Ok(bind) => bind,
            Err(error) => {
                self.wrong(at, error);
                return None;
            }
        };
        let kind = match (kind, bind.source) {
            (MountKind::Bind { create, .. }, Source::Host(source)) => {
                MountKind::Bind { source, create }
            }
            (MountKind::Bind { source, .. }, Source::Volume(_)) => {
                self.wrong(at, format!("`{source}` is not an absolute path"));
                return None;
            }
            (kind, _) => kind,
        };
        Some(Mount { kind, target: bind.target, read_only })
    }

    /// `TARGET[:OPTIONS]`; of the options only the size means something to Volt.
    fn short_tmpfs(&mut self, at: &At<'_>) -> Option<Tmpfs> {
        let text = self.text(at)?;
        let (target, options) = text.split_once(':').unwrap_or((&text, ""));
        let size = options.split(',').find(|option| option.starts_with("size="));
        if let Some(other) =
            options.split(',').find(|option| !option.is_empty() && !option.starts_with("size="))
        {
            self.odd(at, format!("`{other}` of a tmpfs does nothing in Volt"));
        }
        let text = size.map_or_else(|| target.to_owned(), |size| format!("{target}:{size}"));
        text.parse().map_err(|error| self.wrong(at, error)).ok()
    }

    /// Both forms of `secrets` and `configs` of a service.
    fn grants(&mut self, at: &At<'_>, section: &str, folder: &str) -> Vec<Grant> {
        let mut all = Vec::new();
        for item in self.list(at, section) {
            let long = matches!(item.node.value, Value::Map(_));
            let source = if long { self.text_of(&item, "source") } else { self.text(&item) };
            let Some(source) = source else {
                if long {
                    self.wrong(&item, "it has no source");
                }
                continue;
            };
            self.places.insert(format!("{}.{section}.{source}", at.path), item.node.place.clone());
            let target = if long { self.text_of(&item, "target") } else { None };
            let target = target.unwrap_or_else(|| source.clone());
            let target = if target.starts_with('/') { target } else { format!("{folder}{target}") };
            if target.split('/').any(|part| part == "..") {
                self.wrong(&item, format!("`{target}` has `..` in it"));
            }
            let (uid, gid) = if long {
                (self.number_of(&item, "uid"), self.number_of(&item, "gid"))
            } else {
                (None, None)
            };
            let mode = if long { self.mode(&item) } else { None };
            all.push(Grant { source, target, uid, gid, mode });
        }
        all
    }

    /// `secrets` of a service of systemd or a task: files in a folder of their own that it alone reads.
    pub(super) fn credentials(&mut self, at: &At<'_>) -> Vec<Grant> {
        let mut all = self.grants(at, "secrets", SECRETS);
        for grant in &mut all {
            let target = grant.target.strip_prefix(SECRETS).unwrap_or_default().to_owned();
            let name = names::plain(&grant.source);
            let good = name
                .is_some_and(|name| Credential { name, target: target.clone() }.validate().is_ok());
            if !good {
                let what = format!("`{}` is no name for a secret here", grant.target);
                let hint = "Write `target: NAME`: it is found as $CREDENTIALS_DIRECTORY/NAME";
                self.wrong_hinted(at, what, hint);
            }
            if grant.uid.is_some() || grant.gid.is_some() || grant.mode.is_some() {
                let what = format!(
                    "only who has the secret `{}` reads it: it has no uid, gid and mode here",
                    grant.source
                );
                self.wrong_hinted(at, what, "Remove them");
            }
            grant.target = target;
        }
        all
    }

    /// A mode is octal however it is written: `0440`, `"0440"`, `440`.
    fn mode(&mut self, parent: &At<'_>) -> Option<u32> {
        let at = parent.get("mode")?;
        let text = self.text(&at)?;
        match u32::from_str_radix(text.trim_start_matches("0o"), 8) {
            Ok(mode) if mode <= 0o7777 => Some(mode),
            _ => {
                self.wrong(&at, format!("`{text}` is no mode: write it in octal, such as 0440"));
                None
            }
        }
    }

    fn device(&mut self, at: &At<'_>) -> Option<Device> {
        let (source, target, permissions) = if matches!(at.node.value, Value::Map(_)) {
            let source = self.text_of(at, "source").unwrap_or_default();
            (source, self.text_of(at, "target"), self.text_of(at, "permissions"))
        } else {
            let text = self.text(at)?;
            let mut parts = text.split(':').map(str::to_owned);
            (parts.next().unwrap_or_default(), parts.next(), parts.next())
        };
        let permissions = permissions.unwrap_or_else(|| "rwm".to_owned());
        if !source.starts_with("/dev/") || permissions.chars().any(|c| !"rwm".contains(c)) {
            self.wrong(at, format!("`{source}` is no device: write /dev/NAME, /dev/NAME:/dev/OTHER or /dev/NAME:/dev/OTHER:rw"));
            return None;
        }
        Some(Device { target: target.unwrap_or_else(|| source.clone()), source, permissions })
    }

    /// A volume of the stack (Compose Specification, 07-volumes).
    pub(super) fn volume(&mut self, at: &At<'_>) -> Volume {
        if at.node.is_null() || !self.is_map(at) {
            return Volume::default();
        }
        let (external, name) = self.external(at, &["name", "external"]);
        let driver =
            self.text_of(at, "driver").filter(|driver| driver != "local" && driver != "default");
        let driver_opts = self.driver_options(at);
        match driver.as_deref().map_or(Ok(Driver::Local), str::parse) {
            Err(_) => {
                let (place, driver) = (at.get("driver"), driver.as_deref().unwrap_or_default());
                self.wrong_hinted(
                    place.as_ref().unwrap_or(at),
                    format!("there is no volume driver `{driver}`"),
                    "There are local, tmpfs and nfs",
                );
            }
            Ok(known) => {
                if let Err(error) = mounted(known, &driver_opts) {
                    let place = at.get("driver_opts");
                    self.wrong(place.as_ref().unwrap_or(at), error);
                }
            }
        }
        Volume { name, external, driver, driver_opts, labels: self.labels(at) }
    }

    /// A secret or a file of configuration of the stack (Compose Specification, 08-configs, 09-secrets).
    pub(super) fn asset(&mut self, at: &At<'_>) -> Option<Asset> {
        if !self.is_map(at) {
            return None;
        }
        let (external, name) = self.external(at, &["name", "external"]);
        let file = self.text_of(at, "file").map(AssetSource::File);
        let variable = self.text_of(at, "environment").map(AssetSource::Environment);
        // An empty file is one too.
        let content =
            at.get("content").and_then(|content| self.text(&content)).map(AssetSource::Content);
        let there = (external == External::Yes).then_some(AssetSource::External);
        let mut sources = [file, variable, content, there].into_iter().flatten();
        let (source, second) = (sources.next(), sources.next());
        if second.is_some() && external == External::No {
            self.wrong_hinted(
                at,
                "its content comes from two places",
                "Keep one of file, environment and content",
            );
        }
        let Some(source) = source else {
            self.wrong_hinted(
                at,
                "nothing says where its content is",
                "Write `file: PATH`, `environment: VARIABLE` or `external: true`",
            );
            return None;
        };
        Some(Asset { name, source, labels: self.labels(at) })
    }
}
