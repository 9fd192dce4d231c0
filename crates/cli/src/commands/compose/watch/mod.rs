//! `volt compose watch`.

mod act;
mod tree;

use super::project::Project;
use super::pull;
use super::up::all_known;
use crate::ctx::Ctx;
use crate::many;
use crate::output::{Outcome, clean};
use act::Act;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use tree::{Files, Tree};
use volt_api::Problem;
use volt_compose::Stack;
use volt_compose::develop::{Changed, Deed, Rule, deeds};
use volt_compose::stack::Container;
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt compose watch
  volt compose watch --no-up web";

/// Bring a stack up, and carry changes of its source into it as they come
///
/// What is done when which files change is said under `develop.watch` of each service: they are copied into its containers, these are
/// started again, a command is run in them, or the image is built anew. What git keeps, what editors leave for a moment and what
/// `.dockerignore` names doesn't count. Ctrl-C ends it; the stack goes on. --quiet tells only what went wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The stack runs already: build and start nothing at the beginning
    #[arg(long)]
    no_up: bool,
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Watches until somebody ends it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let loaded = project.load(ctx, &args.services)?;
    all_known(&loaded.stack, &args.services)?;
    let ignored = ignored(&loaded.stack)?;
    let rules = rules(&loaded.stack, &args.services, &ignored);
    if rules.is_empty() {
        let title =
            "Nothing is to be watched: none of the services has anything under develop.watch";
        return Err(Problem::new(ErrorKind::InvalidConfig, title));
    }
    let act = Act { ctx, project, loaded: &loaded };
    // What changes from here on is not missed, however long the rest takes.
    let tree = Tree::new().map_err(|e| blind(&e))?;
    let seen = look(&tree, &rules)?;
    if args.no_up {
        drop(project.workloads(ctx, &args.services).await?);
    } else {
        let how = pull::How { build: true, ..pull::How::by_the_files() };
        let up = act.asked(&args.services)?;
        pull::missing(ctx, (&loaded.stack, &loaded.variables), &up, &how).await?;
        act.up(&args.services, false).await?;
    }
    ctx.ends_by_signal();
    match (Watching { act, tree, rules: &rules, seen }).run().await? {}
}

/// The `.dockerignore` of each folder that is built of, by service.
fn ignored(stack: &Stack) -> Result<Vec<(String, String)>, Problem> {
    let contexts = stack.services.iter().filter_map(|(key, service)| {
        Some((key, service.container()?.build.as_ref()?.context.as_str()))
    });
    let read = |(key, context): (&String, &str)| {
        let path = Path::new(context).join(".dockerignore");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok((key.clone(), text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok((key.clone(), String::new())),
            Err(e) => Err(crate::copy::file_problem("read", &path, &e)),
        }
    };
    contexts.map(read).collect()
}

fn rules<'a>(
    stack: &'a Stack,
    services: &[String],
    ignored: &'a [(String, String)],
) -> Vec<Rule<'a>> {
    let wanted = |key: &String| services.is_empty() || services.contains(key);
    let containers = stack.services.iter().filter(|(key, _)| wanted(key));
    let containers = containers.filter_map(|(key, service)| Some((key, service.container()?)));
    let of_one = |(key, container): (&'a String, &'a Container)| {
        let text =
            ignored.iter().find(|(service, _)| service == key).map(|(_, text)| text.as_str());
        let context = container.build.as_ref().map(|build| Path::new(&build.context)).zip(text);
        container.watch.iter().map(move |watch| Rule::new(key, watch, context))
    };
    containers.flat_map(of_one).collect()
}

fn look(tree: &Tree, rules: &[Rule<'_>]) -> Result<Vec<Files>, Problem> {
    rules.iter().map(|rule| tree.look(rule).map_err(|e| blind(&e))).collect()
}

fn blind(error: &std::io::Error) -> Problem {
    Problem::new(ErrorKind::Resource, "The files can't be watched").because(error)
}

/// What is watched, and how it was when it was last looked at.
struct Watching<'a> {
    act: Act<'a>,
    tree: Tree,
    rules: &'a [Rule<'a>],
    seen: Vec<Files>,
}

impl Watching<'_> {
    async fn run(mut self) -> Result<Infallible, Problem> {
        let (rules, ctx) = (self.rules, self.act.ctx);
        let first = rules.iter().zip(&self.seen).filter(|(rule, _)| rule.watch.initial_sync);
        let first: Vec<Changed<'_>> = first
            .filter_map(|(rule, files)| Changed::between(rule, &Files::new(), files))
            .collect();
        let mut failed = BTreeSet::new();
        for (service, deeds) in deeds(&first) {
            let copies: Vec<Deed<'_>> =
                deeds.into_iter().filter(|deed| matches!(deed, Deed::Copy(_))).collect();
            if !self.carry_out(service, &copies).await {
                failed.insert(service);
            }
        }
        for (rule, files) in rules.iter().zip(&mut self.seen) {
            if rule.watch.initial_sync && failed.contains(rule.service) {
                files.clear();
            }
        }
        let paths: Vec<&str> = rules.iter().map(|rule| rule.watch.path.as_str()).collect();
        ctx.out.note(&clean(&format!("Watching {}; ctrl-c ends that.", paths.join(", "))));
        loop {
            // What changed while the stack came up is seen before anything is waited for.
            let seen = look(&self.tree, rules)?;
            let changed = rules.iter().zip(&self.seen).zip(&seen);
            let changed: Vec<Changed<'_>> = changed
                .filter_map(|((rule, before), after)| Changed::between(rule, before, after))
                .collect();
            let mut failed = BTreeSet::new();
            for (service, deeds) in deeds(&changed) {
                if !self.carry_out(service, &deeds).await {
                    failed.insert(service);
                }
            }
            settle(rules, &mut self.seen, seen, &failed);
            self.tree.changed().await.map_err(|e| blind(&e))?;
        }
    }

    /// Does what is to be done with a service. What fails is told, and the next change is another try. Whether all was done.
    async fn carry_out(&self, service: &str, deeds: &[Deed<'_>]) -> bool {
        let ctx = self.act.ctx;
        // What has begun is brought to its end.
        let _whole = ctx.put_signals_off();
        for deed in deeds {
            if let Err(problem) = self.act.deed(service, deed).await {
                ctx.out.problem(&many::named(problem, service));
                return false;
            }
        }
        true
    }
}

/// What was looked at is what was seen, but for services with which something failed: what changed is still to be carried into these.
fn settle<T>(rules: &[Rule<'_>], seen: &mut [T], now: Vec<T>, failed: &BTreeSet<&str>) {
    for ((rule, seen), now) in rules.iter().zip(seen).zip(now) {
        if !failed.contains(rule.service) {
            *seen = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_compose::stack::{Watch, WatchAction};

    #[test]
    fn what_failed_is_done_with_the_next_change() {
        let watch = Watch {
            path: "/srv/app".into(),
            action: WatchAction::Sync,
            target: Some("/app".into()),
            ignore: Vec::new(),
            include: Vec::new(),
            exec: None,
            initial_sync: false,
        };
        let rules = ["web", "api", "web"].map(|service| Rule::new(service, &watch, None));
        let mut seen = vec![1, 1, 1];
        settle(&rules, &mut seen, vec![2, 2, 2], &BTreeSet::from(["web"]));
        assert_eq!(seen, [1, 2, 1]);
        settle(&rules, &mut seen, vec![3, 3, 3], &BTreeSet::new());
        assert_eq!(seen, [3, 3, 3]);
    }
}
