//! Images made by debootstrap: `debian[:SUITE]` and `debian-minimal[:SUITE]`.
//!
//! - `sources`: the mirror the host's own apt uses
//! - `bootstrap`: running the program
//! - `clean`: what of the fresh tree must not be in an image

mod bootstrap;
mod clean;
mod sources;

pub use sources::is_mirror;

use crate::error::{Error, Result};
use crate::images::{Existing, Image, ImageConfig, Images, Target, Work};
use std::path::PathBuf;
use volt_model::image::ImageRef;

/// What `latest` means: the newest stable release.
const NEWEST: &str = "trixie";
/// Releases by number.
const NUMBERS: [(&str, &str); 4] =
    [("11", "bullseye"), ("12", "bookworm"), ("13", "trixie"), ("14", "forky")];

/// How the archive's signature is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verify {
    /// With the keyring that debootstrap chooses.
    #[default]
    Default,
    /// With this keyring.
    Keyring(PathBuf),
    /// Not at all. Only for a mirror that is trusted otherwise.
    No,
}

/// How to make a Debian image.
#[derive(Debug, Clone)]
pub struct DebianOptions {
    /// The suite; else what the name says.
    pub suite: Option<String>,
    /// debootstrap's variant (`minbase`, `buildd`); else what the name says.
    pub variant: Option<String>,
    /// Packages to have in addition.
    pub include: Vec<String>,
    /// The mirror; else the first Debian one in the host's apt sources, else debootstrap's own.
    pub mirror: Option<String>,
    /// An HTTP proxy for the download.
    pub proxy: Option<String>,
    /// How the archive's signature is checked.
    pub verify: Verify,
    /// What to do when the name is taken.
    pub existing: Existing,
    /// Where the host's apt is configured: `/etc/apt`.
    pub apt_dir: PathBuf,
}

impl Default for DebianOptions {
    fn default() -> Self {
        Self {
            suite: None,
            variant: None,
            include: Vec::new(),
            mirror: None,
            proxy: None,
            verify: Verify::Default,
            existing: Existing::Refuse,
            apt_dir: "/etc/apt".into(),
        }
    }
}

/// What is to be made, all decided.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    suite: String,
    variant: Option<String>,
    include: Vec<String>,
    mirror: Option<String>,
    proxy: Option<String>,
    verify: Verify,
}

impl Images {
    /// Whether the name is one that [`Images::pull_debian`] makes.
    #[must_use]
    pub fn is_debian(name: &ImageRef) -> bool {
        matches!(name.name(), "debian" | "debian-minimal") && name.digest().is_none()
    }

    /// Makes a Debian image with debootstrap, which needs root.
    pub fn pull_debian(
        &self,
        name: &ImageRef,
        options: DebianOptions,
        work: Work<'_>,
    ) -> Result<Image> {
        if self.is_rootless() {
            return Err(Error::Unsupported {
                what: format!("pulling `{name}` without root"),
                reason:
                    "debootstrap makes files of several owners; import a root file system instead"
                        .into(),
            });
        }
        let existing = options.existing;
        let plan = plan(name, options)?;
        let config = ImageConfig {
            cmd: vec!["/bin/bash".into()],
            env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()],
            ..ImageConfig::default()
        };
        let target = Target { name: name.clone(), existing, config };
        self.build(target, work, |root| {
            bootstrap::run(&plan, root, work.progress)?;
            work.progress.step("Cleaning");
            clean::clean(root, &plan)
        })
    }
}

fn plan(name: &ImageRef, options: DebianOptions) -> Result<Plan> {
    if !Images::is_debian(name) && options.suite.is_none() {
        return Err(Error::Invalid(format!(
            "`{name}` is no Debian image: only debian[:SUITE] and debian-minimal[:SUITE] are made here"
        )));
    }
    let asked = options.suite.as_deref().or(name.tag().filter(|tag| *tag != "latest"));
    let suite = asked.unwrap_or(NEWEST);
    let suite = NUMBERS.iter().find(|(number, _)| *number == suite).map_or(suite, |(_, name)| name);
    let minimal = name.name() == "debian-minimal";
    let variant = options.variant.or_else(|| minimal.then(|| "minbase".to_owned()));
    let mut words = vec![("suite", suite)];
    words.extend(variant.iter().map(|variant| ("variant", variant.as_str())));
    words.extend(options.include.iter().map(|package| ("package", package.as_str())));
    // They become arguments and paths of a program that runs as root.
    if let Some((what, word)) = words.into_iter().find(|(_, word)| !is_word(word)) {
        return Err(Error::Invalid(format!("`{word}` is no name of a {what}")));
    }
    let mirror = match options.mirror {
        Some(mirror) if sources::is_mirror(&mirror) => Some(mirror),
        Some(mirror) => {
            return Err(Error::Invalid(format!("`{mirror}` is no http, https or file URL")));
        }
        None => sources::host_mirror(&options.apt_dir),
    };
    // debootstrap means its default variant by no variant at all.
    let variant = variant.filter(|variant| variant != "default" && variant != "standard");
    Ok(Plan {
        suite: suite.to_owned(),
        variant,
        include: options.include,
        mirror,
        proxy: options.proxy,
        verify: options.verify,
    })
}

/// Letters, digits and a few signs, beginning with a letter or digit: what Debian's names are made of.
fn is_word(word: &str) -> bool {
    let ok = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.chars().all(ok)
        && word.len() <= 128
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(name: &str, change: impl FnOnce(&mut DebianOptions)) -> Result<Plan> {
        let mut options = DebianOptions { apt_dir: "/nonexistent".into(), ..Default::default() };
        change(&mut options);
        plan(&name.parse().unwrap(), options)
    }

    #[test]
    fn names_and_what_they_mean() {
        for (name, suite, variant) in [
            ("debian", "trixie", None),
            ("debian:13", "trixie", None),
            ("debian:12", "bookworm", None),
            ("debian:sid", "sid", None),
            ("debian-minimal", "trixie", Some("minbase")),
            ("debian-minimal:bookworm", "bookworm", Some("minbase")),
        ] {
            let plan = plan_of(name, |_| ()).unwrap();
            assert_eq!((plan.suite.as_str(), plan.variant.as_deref()), (suite, variant), "{name}");
        }
    }

    #[test]
    fn what_is_refused() {
        assert!(plan_of("alpine", |_| ()).is_err());
        assert!(plan_of("debian", |o| o.suite = Some("../x".into())).is_err());
        assert!(plan_of("debian", |o| o.suite = Some("--help".into())).is_err());
        assert!(plan_of("debian", |o| o.include = vec!["a,b".into()]).is_err());
        assert!(plan_of("debian", |o| o.include = vec!["a b".into()]).is_err());
        assert!(plan_of("debian", |o| o.mirror = Some("ssh://x/".into())).is_err());
        assert!(plan_of("debian", |o| o.mirror = Some("-x".into())).is_err());
    }

    #[test]
    fn without_root_it_is_refused() {
        let images = Images::open(std::path::Path::new("/nonexistent"), true);
        let name = "debian".parse().unwrap();
        let refused =
            images.pull_debian(&name, DebianOptions::default(), crate::images::tests::work());
        assert!(matches!(refused, Err(Error::Unsupported { .. })));
    }
}
