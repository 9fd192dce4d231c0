//! Completion of live names: what the shell's script asks for when Tab is pressed.
//!
//! The script (`volt completion SHELL`) runs `volt` with [`VARIABLE`] set and the words so far behind `--`. clap's engine finds out
//! what may stand there; for names it calls the functions below, which ask the API and give up quickly.

use crate::cli::{Color, Format, Global, command};
use crate::ctx::Ctx;
use crate::embed::Embed;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::CompleteEnv;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;
use volt_api::Problem;
use volt_api::operations::{
    CasListOp, ComposeLsOp, ConfigShowOp, ContainerListOp, FirewallRuleListOp, ImageListOp,
    NetBridgeListOp, NetListOp, NetPolicyListOp, NetTapListOp, SecretListOp, ServiceListOp,
    SnapshotListOp, TaskListOp, VolumeListOp, WorkloadListOp,
};
use volt_api::types::{
    ContainerList, FirewallRule, Nothing, ServiceList, SnapshotList, WorkloadList,
};
use volt_model::kind::ErrorKind;

/// The environment variable by which the script asks for completions.
pub(crate) const VARIABLE: &str = "VOLT_COMPLETE";
/// How long Tab may take.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What the completers need, since the engine passes them nothing but the word.
static ASKED: OnceLock<(Global, Embed)> = OnceLock::new();

/// Answers when a shell asks; none when this is an ordinary call.
pub(crate) fn answer(args: &[OsString], embed: &Embed) -> Option<ExitCode> {
    std::env::var_os(VARIABLE)?;
    let words = args.iter().skip_while(|word| *word != "--");
    drop(ASKED.set((asked_for(words), embed.clone())));
    let here = std::path::absolute(".").ok();
    let asked = CompleteEnv::with_factory(command).var(VARIABLE);
    match asked.try_complete(args, here.as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        Err(e) => {
            drop(e.print());
            Some(ExitCode::from(ErrorKind::Usage.exit_code()))
        }
    }
}

/// The global options among the words so far, which may not parse yet, and in the environment.
fn asked_for<'a>(words: impl Iterator<Item = &'a OsString>) -> Global {
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let typed = |name: &str| {
        let joined = words.iter().find_map(|word| {
            word.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
        });
        let apart = || {
            let at = words.iter().position(|word| word.strip_prefix("--") == Some(name))?;
            words.get(at + 1).map(ToString::to_string)
        };
        joined.or_else(apart).filter(|value| !value.is_empty())
    };
    let variable = |name: &str| {
        let value = std::env::var_os(name)?.into_string().ok();
        value.filter(|value| !value.is_empty())
    };
    let (host, context, root) = (typed("host"), typed("context"), typed("root"));
    // As for the command itself, what is typed comes before what another variable says.
    let unnamed = host.is_none() && context.is_none() && root.is_none();
    let unless_named = |name: &str| variable(name).filter(|_| unnamed);
    Global {
        output: Format::Table,
        color: Color::Never,
        host: host.or_else(|| unless_named("VOLT_HOST")),
        config: typed("config").or_else(|| variable("VOLT_CONFIG")).map(PathBuf::from),
        context: context.or_else(|| unless_named("VOLT_CONTEXT")),
        root: root.or_else(|| variable("VOLT_ROOT")).map(PathBuf::from),
        debug: false,
        quiet: true,
        yes: false,
    }
}

/// Asks the API; no names where it can't be asked in time.
fn ask(question: impl AsyncFnOnce(&Ctx) -> Result<Vec<(String, String)>, Problem>) -> Found {
    let Some((global, embed)) = ASKED.get() else { return Found::default() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Found::default();
    };
    let ctx = Ctx::new(global.clone(), embed.clone());
    let found = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, question(&ctx)).await.ok().and_then(Result::ok)
    });
    runtime.shutdown_background();
    Found(found.unwrap_or_default())
}

/// Names with a word about each.
#[derive(Default)]
struct Found(Vec<(String, String)>);

impl Found {
    fn starting_with(self, word: &OsStr) -> Vec<CompletionCandidate> {
        let word = word.to_string_lossy();
        let fitting = self.0.into_iter().filter(|(name, _)| name.starts_with(&*word));
        fitting
            .map(|(name, about)| CompletionCandidate::new(name).help(Some(about.into())))
            .collect()
    }
}

async fn container_names(ctx: &Ctx) -> Result<Vec<(String, String)>, Problem> {
    let all = ctx.call::<ContainerListOp>(&ContainerList { all: true }, &Nothing {}).await?;
    Ok(all.into_iter().map(|c| (c.name, c.state)).collect())
}

/// Names of containers.
pub(crate) fn containers(word: &OsStr) -> Vec<CompletionCandidate> {
    ask(container_names).starting_with(word)
}

/// Names of workloads of every kind.
pub(crate) fn workloads(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let list = WorkloadList { all: true, ..WorkloadList::default() };
        let all = ctx.call::<WorkloadListOp>(&list, &Nothing {}).await?;
        Ok(all.into_iter().map(|w| (w.name, format!("{}, {}", w.kind, w.state))).collect())
    });
    names.starting_with(word)
}

/// Names of stacks.
pub(crate) fn stacks(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<ComposeLsOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all.into_iter().map(|s| (s.name, s.files.join(", "))).collect())
    });
    names.starting_with(word)
}

/// Names of secrets.
pub(crate) fn secrets(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<SecretListOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all.into_iter().map(|s| (s.name, s.protection)).collect())
    });
    names.starting_with(word)
}

/// Names of services of Volt's.
pub(crate) fn services(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<ServiceListOp>(&ServiceList { all: false }, &Nothing {}).await?;
        Ok(all.into_iter().map(|s| (s.name, s.state)).collect())
    });
    names.starting_with(word)
}

/// Names of tasks.
pub(crate) fn tasks(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<TaskListOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all.into_iter().map(|t| (t.name, t.schedule)).collect())
    });
    names.starting_with(word)
}

async fn image_names(ctx: &Ctx) -> Result<Vec<(String, String)>, Problem> {
    let all = ctx.call::<ImageListOp>(&Nothing {}, &Nothing {}).await?;
    Ok(all.into_iter().map(|i| (i.name, i.os)).collect())
}

/// Names of images.
pub(crate) fn images(word: &OsStr) -> Vec<CompletionCandidate> {
    ask(image_names).starting_with(word)
}

/// What can be pulled by a short name.
pub(crate) fn aliases(word: &OsStr) -> Vec<CompletionCandidate> {
    let known = ["debian", "debian-minimal", "debian:trixie", "debian:bookworm", "debian:sid"];
    let known = known.map(|name| (name.to_owned(), "made by debootstrap".to_owned()));
    Found(known.into()).starting_with(word)
}

/// Registries that there are accounts for.
pub(crate) fn registries(word: &OsStr) -> Vec<CompletionCandidate> {
    let all = crate::accounts::registries();
    Found(all.into_iter().map(|name| (name, "an account is kept".to_owned())).collect())
        .starting_with(word)
}

/// Names of snapshots, whichever container has them: the engine tells nothing of the words before.
pub(crate) fn snapshots(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<SnapshotListOp>(&SnapshotList::default(), &Nothing {}).await?;
        Ok(all.into_iter().map(|s| (s.name, s.container)).collect())
    });
    names.starting_with(word)
}

/// Names of volumes.
pub(crate) fn volumes(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<VolumeListOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all.into_iter().map(|v| (v.name, v.used_by.join(", "))).collect())
    });
    names.starting_with(word)
}

/// Names of networks.
pub(crate) fn networks(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<NetListOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all.into_iter().map(|n| (n.name, n.subnet)).collect())
    });
    names.starting_with(word)
}

/// Names of bridges that belong to no network.
pub(crate) fn bridges(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<NetBridgeListOp>(&Nothing {}, &Nothing {}).await?;
        let own = all.into_iter().filter(|b| b.created.is_some());
        Ok(own.map(|b| (b.name, b.ports.join(", "))).collect())
    });
    names.starting_with(word)
}

/// Names of policies.
pub(crate) fn policies(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<NetPolicyListOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all
            .into_iter()
            .map(|p| (p.name, format!("{} {} to {}", p.action, p.from, p.to)))
            .collect())
    });
    names.starting_with(word)
}

/// Names of rules of the firewall.
pub(crate) fn rules(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<FirewallRuleListOp>(&Nothing {}, &Nothing {}).await?;
        let about = |r: &FirewallRule| format!("{} {} to {}", r.action, r.from, r.to);
        Ok(all.into_iter().map(|r| (r.name.clone().unwrap_or_default(), about(&r))).collect())
    });
    names.starting_with(word)
}

/// Names of TAPs.
pub(crate) fn taps(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<NetTapListOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all.into_iter().map(|t| (t.name, t.network)).collect())
    });
    names.starting_with(word)
}

/// Names of trees.
pub(crate) fn trees(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<CasListOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all.into_iter().map(|t| (t.name, t.kind)).collect())
    });
    names.starting_with(word)
}

/// Keys of the configuration.
pub(crate) fn config_keys(word: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(async |ctx: &Ctx| {
        let all = ctx.call::<ConfigShowOp>(&Nothing {}, &Nothing {}).await?;
        Ok(all.into_iter().map(|c| (c.key, c.description)).collect())
    });
    names.starting_with(word)
}

/// One side of a copy: a container with its colon, or a path here.
pub(crate) fn locations(word: &OsStr) -> Vec<CompletionCandidate> {
    let paths = clap_complete::engine::PathCompleter::any();
    let mut found = clap_complete::engine::ValueCompleter::complete(&paths, word);
    if !word.to_string_lossy().contains(['/', ':', '.']) {
        let Found(names) = ask(container_names);
        let colons = names.into_iter().map(|(name, state)| (format!("{name}:"), state));
        found.extend(Found(colons.collect()).starting_with(word));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_options_among_half_a_command() {
        let words: Vec<OsString> =
            ["--", "volt", "--host", "/x.sock", "--root=/srv", "start", ""].map(Into::into).into();
        let global = asked_for(words.iter());
        assert_eq!(global.host.as_deref(), Some("/x.sock"));
        assert_eq!(global.root.as_deref(), Some(std::path::Path::new("/srv")));
    }

    #[test]
    fn only_what_fits_is_offered() {
        let offered = aliases(OsStr::new("debian:"));
        assert_eq!(offered.len(), 3);
        assert!(containers(OsStr::new("")).is_empty(), "nobody was asked");
    }
}
