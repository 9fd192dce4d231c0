//! What `develop.watch` wants when files change (Compose Specification, develop). Pure: others look at the files and do what is to
//! be done.

mod ignore;

pub use ignore::Patterns;

use crate::stack::{Hook, Watch, WatchAction};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What nobody means when he changes his source: what versions are kept in, and what editors leave for a moment.
const PASSING: &[&str] =
    &["**/.git", "**/*~", "**/.*.sw?", "**/.*.swpx", "**/.#*", "**/#*#", "**/4913"];

/// One line of a service's `develop.watch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// The service.
    pub service: &'a str,
    /// What the file says.
    pub watch: &'a Watch,
    passing: Patterns,
    ignore: Patterns,
    include: Patterns,
    /// The folder that the service is built of, and what is no part of that.
    context: Option<(PathBuf, Patterns)>,
}

impl<'a> Rule<'a> {
    /// The rule of a service that is built of the folder `context`, which has a `.dockerignore` with this text.
    #[must_use]
    pub fn new(service: &'a str, watch: &'a Watch, context: Option<(&Path, &str)>) -> Self {
        Self {
            service,
            watch,
            passing: Patterns::new(PASSING),
            ignore: Patterns::new(&watch.ignore),
            include: Patterns::new(&watch.include),
            context: context.map(|(path, text)| (path.to_owned(), Patterns::of_file(text))),
        }
    }

    /// Whether a file counts, by its path from [`Watch::path`]; the empty path is that itself.
    #[must_use]
    pub fn counts(&self, path: &str) -> bool {
        let included = path.is_empty() || self.include.is_empty() || self.include.fit(path);
        included && !self.is_ignored(path)
    }

    /// Whether nothing in a folder counts.
    #[must_use]
    pub fn passes_over(&self, folder: &str) -> bool {
        let ignores =
            [Some((&self.passing, folder.to_owned())), Some((&self.ignore, folder.to_owned()))]
                .into_iter()
                .chain([self.in_context(folder)]);
        ignores
            .flatten()
            .any(|(patterns, path)| patterns.fit(&path) && patterns.hold_for_all_below())
    }

    fn is_ignored(&self, path: &str) -> bool {
        let by_context = self.in_context(path).is_some_and(|(patterns, path)| patterns.fit(&path));
        by_context || (!path.is_empty() && (self.passing.fit(path) || self.ignore.fit(path)))
    }

    /// A path as the `.dockerignore` means it.
    fn in_context(&self, path: &str) -> Option<(&Patterns, String)> {
        let (context, patterns) = self.context.as_ref()?;
        let whole = if path.is_empty() {
            PathBuf::from(&self.watch.path)
        } else {
            Path::new(&self.watch.path).join(path)
        };
        let below = whole.strip_prefix(context).ok()?.to_str()?.to_owned();
        Some((patterns, below))
    }

    /// Where a file is in the container: a folder, and a path from there.
    #[must_use]
    pub fn place(&self, path: &str) -> (String, String) {
        let target = self.watch.target.as_deref().unwrap_or("/");
        if !path.is_empty() {
            return (target.to_owned(), path.to_owned());
        }
        let (folder, name) = target.rsplit_once('/').unwrap_or(("", target));
        (if folder.is_empty() { "/".to_owned() } else { folder.to_owned() }, name.to_owned())
    }
}

/// What became of the files that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed<'a> {
    /// The rule.
    pub rule: &'a Rule<'a>,
    /// Those that are new or other than they were.
    pub there: Vec<String>,
    /// Those that are gone.
    pub gone: Vec<String>,
}

impl<'a> Changed<'a> {
    /// What is other than before; none where nothing is.
    #[must_use]
    pub fn between<T: PartialEq>(
        rule: &'a Rule<'a>,
        before: &BTreeMap<String, T>,
        after: &BTreeMap<String, T>,
    ) -> Option<Self> {
        let other = after.iter().filter(|(path, file)| before.get(*path) != Some(*file));
        let there: Vec<String> = other.map(|(path, _)| path.clone()).collect();
        let gone: Vec<String> =
            before.keys().filter(|path| !after.contains_key(*path)).cloned().collect();
        let changed = Self { rule, there, gone };
        (!changed.there.is_empty() || !changed.gone.is_empty()).then_some(changed)
    }
}

/// Something that is to be done with a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed<'a> {
    /// Its image is built, and it runs of that.
    Rebuild,
    /// Files are copied into its containers, and others removed there.
    Copy(Changed<'a>),
    /// It is started again.
    Restart,
    /// A command is run in its containers.
    Run(&'a Hook),
}

/// What is to be done with each service, in its order. Where one is built anew, that is all: what was copied is in its image.
#[must_use]
pub fn deeds<'a>(changed: &[Changed<'a>]) -> BTreeMap<&'a str, Vec<Deed<'a>>> {
    let mut all: BTreeMap<&str, Vec<&Changed<'a>>> = BTreeMap::new();
    for one in changed {
        all.entry(one.rule.service).or_default().push(one);
    }
    all.into_iter().map(|(service, changed)| (service, of_one(&changed))).collect()
}

fn of_one<'a>(changed: &[&Changed<'a>]) -> Vec<Deed<'a>> {
    let action = |one: &Changed<'_>| one.rule.watch.action;
    if changed.iter().any(|one| action(one) == WatchAction::Rebuild) {
        return vec![Deed::Rebuild];
    }
    let copied = changed.iter().filter(|one| action(one).copies());
    let mut deeds: Vec<Deed<'a>> = copied.map(|one| Deed::Copy((*one).clone())).collect();
    let again = [WatchAction::Restart, WatchAction::SyncRestart];
    if changed.iter().any(|one| again.contains(&action(one))) {
        deeds.push(Deed::Restart);
    }
    let run = changed.iter().filter(|one| action(one) == WatchAction::SyncExec);
    deeds.extend(run.filter_map(|one| one.rule.watch.exec.as_ref()).map(Deed::Run));
    deeds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(action: WatchAction) -> Watch {
        Watch {
            path: "/srv/app/src".into(),
            action,
            target: Some("/app/src".into()),
            ignore: vec!["*.tmp".into()],
            include: Vec::new(),
            exec: Some(Hook { command: vec!["reload".into()], ..Hook::default() }),
            initial_sync: false,
        }
    }

    #[test]
    fn which_files_count() {
        let mut said = watch(WatchAction::Sync);
        let context = Some((Path::new("/srv/app"), "src/secret\n!src/secret/open\n"));
        let rule = Rule::new("web", &said, context);
        let counted = ["a.js", "sub/a.tmp", ".gitignore", "secret/open", ""];
        assert!(counted.iter().all(|path| rule.counts(path)));
        let passed_over =
            ["a.tmp", "secret/x", ".git/HEAD", "sub/.git/HEAD", ".a.swp", "a~", "4913"];
        assert!(passed_over.iter().all(|path| !rule.counts(path)));
        assert!(
            rule.passes_over(".git") && !rule.passes_over("secret") && !rule.passes_over("sub")
        );
        assert_eq!(rule.place("sub/a"), ("/app/src".into(), "sub/a".into()));
        assert_eq!(rule.place(""), ("/app".into(), "src".into()));
        said.include = vec!["**/*.js".into()];
        let rule = Rule::new("web", &said, None);
        assert!(rule.counts("sub/a.js") && !rule.counts("sub/a.css"));
    }

    #[test]
    fn what_changed_and_what_is_done() {
        let all: Vec<Watch> = WatchAction::ALL.iter().map(|(_, action)| watch(*action)).collect();
        let rules: Vec<Rule<'_>> = all.iter().map(|one| Rule::new("web", one, None)).collect();
        let map = |files: &[(&str, u8)]| -> BTreeMap<String, u8> {
            files.iter().map(|(path, stamp)| ((*path).to_owned(), *stamp)).collect()
        };
        let (before, after) =
            (map(&[("a", 1), ("b", 1), ("c", 1)]), map(&[("a", 2), ("c", 1), ("d", 1)]));
        assert_eq!(Changed::between(&rules[0], &after, &after), None);
        let changed = |action: WatchAction| {
            let rule = rules.iter().find(|rule| rule.watch.action == action).unwrap();
            Changed::between(rule, &before, &after).unwrap()
        };
        let copy = changed(WatchAction::Sync);
        assert_eq!((copy.there.join(" "), copy.gone.join(" ")), ("a d".into(), "b".into()));
        let done = |actions: &[WatchAction]| {
            let changed: Vec<_> = actions.iter().map(|action| changed(*action)).collect();
            let words = deeds(&changed).remove("web").unwrap().into_iter().map(|deed| match deed {
                Deed::Rebuild => "build",
                Deed::Copy(_) => "copy",
                Deed::Restart => "restart",
                Deed::Run(_) => "run",
            });
            words.collect::<Vec<_>>().join(" ")
        };
        use WatchAction::{Rebuild, Restart, Sync, SyncExec, SyncRestart};
        assert_eq!(done(&[Sync]), "copy");
        assert_eq!(done(&[Restart, SyncRestart]), "copy restart");
        assert_eq!(done(&[SyncExec, Sync]), "copy copy run");
        assert_eq!(done(&[SyncExec, Rebuild, Sync]), "build");
    }
}
