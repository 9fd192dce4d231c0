//! `volt container copy`.

use crate::copy::file_problem;
use crate::copy::location::{Direction, direction, is_contents, split};
use crate::copy::pack::{self, Owners, Packed};
use crate::copy::peek::{Kind, Peek};
use crate::copy::sink::Sink;
use crate::copy::unpack::{Naming, unpack};
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use crate::{complete, input};
use bytes::Bytes;
use clap_complete::engine::ArgValueCompleter;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use volt_api::Problem;
use volt_api::operations::{ContainerCopyInOp, ContainerCopyOutOp, ContainerInspectOp};
use volt_api::types::{ContainerPath, Named, Nothing};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt container copy site web:/srv          The folder, as /srv/site
  volt cp site/. web:/srv                    What is in it
  volt cp web:/etc/hosts ./hosts
  volt cp web:/var/log - | tar t             As a tar archive";

/// So many links may follow each other.
const MAX_LINKS: usize = 8;

/// Copy files to or from a container
///
/// One side is NAME:/path, the other a path here, or - for a tar archive. Into a folder that exists the source is copied under its
/// own name; a path that doesn't exist is its new name; a source that ends in /. is what is in the folder. Links are copied
/// as links. Files put into a container belong to its root.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What is copied
    #[arg(value_name = "FROM", add = ArgValueCompleter::new(complete::locations))]
    pub(crate) from: String,
    /// Where to
    #[arg(value_name = "TO", add = ArgValueCompleter::new(complete::locations))]
    pub(crate) to: String,
}

/// Copies.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    match direction(&args.from, &args.to)? {
        Direction::Out { name, path, to: None } => {
            let mut sink = Sink::open(ctx, None)?;
            let from = ContainerPath { name, path };
            ctx.download::<ContainerCopyOutOp>(&from, |bytes| sink.write(&bytes)).await?;
        }
        Direction::Out { name, path, to: Some(to) } => copy_out(ctx, name, path, &to).await?,
        Direction::In { from: None, name, path } => {
            let to = ContainerPath { name, path };
            let body = pack::channel_body(input::stdin());
            ctx.upload::<ContainerCopyInOp>(&to, body).await?;
        }
        Direction::In { from: Some(from), name, path } => copy_in(ctx, &from, name, &path).await?,
    }
    Ok(Output::nothing())
}

/// What a copy out makes here: the folder it is unpacked in, and how it is named there.
fn landing(path: &str, to: &Path) -> Result<(PathBuf, Naming), Problem> {
    let whole = split(path).1.is_none();
    let contents = is_contents(path) || whole;
    // The root has no name of its own that could be left out.
    let naming = if contents && !whole { Naming::Contents } else { Naming::Kept };
    let text = to.to_string_lossy();
    match std::fs::metadata(to) {
        Ok(metadata) if metadata.is_dir() => return Ok((to.to_owned(), naming)),
        Ok(_) if contents || text.ends_with('/') => {
            let title = format!("{} is no folder", to.display());
            return Err(Problem::new(ErrorKind::Conflict, title));
        }
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(file_problem("read", to, &e)),
        Err(_) if contents => {
            std::fs::create_dir(to).map_err(|e| file_problem("made", to, &e))?;
            return Ok((to.to_owned(), naming));
        }
        _ => {}
    }
    let name = to.file_name().map(|n| n.to_string_lossy().into_owned()).ok_or_else(|| {
        Problem::new(ErrorKind::Usage, format!("{} has no name at its end", to.display()))
    })?;
    let folder = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let title = format!("There is no folder {}", folder.display());
        return Err(Problem::new(ErrorKind::NotFound, title));
    }
    Ok((folder.to_owned(), Naming::First(name)))
}

async fn copy_out(ctx: &Ctx, name: String, path: String, to: &Path) -> Result<(), Problem> {
    let (folder, naming) = landing(&path, to)?;
    let (send, receive) = mpsc::sync_channel(16);
    let into = folder.clone();
    let unpacking =
        tokio::task::spawn_blocking(move || unpack(Received::new(receive), &into, &naming));
    let from = ContainerPath { name, path: without_dot(&path) };
    let sent = ctx
        .download::<ContainerCopyOutOp>(&from, |bytes| {
            send.send(bytes).map_err(|_| io::ErrorKind::BrokenPipe.into())
        })
        .await;
    drop(send);
    let unpacked = unpacking.await.map_err(|e| {
        Problem::new(ErrorKind::General, "Unpacking ended before it was done").because(&e)
    })?;
    match (unpacked, sent) {
        // When unpacking gave up, that is the reason why sending broke off.
        (Err(e), Err(sent)) if sent.kind() == ErrorKind::General => {
            Err(file_problem("filled", &folder, &e))
        }
        (_, Err(problem)) => Err(problem),
        (Err(e), Ok(())) => Err(file_problem("filled", &folder, &e)),
        (Ok(left_out), Ok(())) => {
            for line in left_out {
                ctx.out.warn(&format!("left out: {line}"));
            }
            Ok(())
        }
    }
}

/// The path without `/.` at its end, which only says what is meant here.
fn without_dot(path: &str) -> String {
    match path.strip_suffix("/.") {
        Some("") => "/".to_owned(),
        Some(short) => short.to_owned(),
        None => path.to_owned(),
    }
}

async fn copy_in(ctx: &Ctx, from: &Path, name: String, path: &str) -> Result<(), Problem> {
    let text = from.to_string_lossy();
    let metadata = std::fs::symlink_metadata(from).map_err(|e| file_problem("read", from, &e))?;
    let kind = metadata.file_type();
    if !(kind.is_file() || kind.is_dir() || kind.is_symlink()) {
        let title = format!("{} is neither file, folder nor link", from.display());
        return Err(Problem::new(ErrorKind::Usage, title).about(from.display().to_string()));
    }
    let contents = is_contents(&text);
    let whole = std::path::absolute(from).unwrap_or_else(|_| from.to_owned());
    // `..` has its name only where it leads.
    let named = if whole.file_name().is_some() { Ok(whole.clone()) } else { whole.canonicalize() };
    let named = named.map_err(|e| file_problem("read", from, &e))?;
    let own_name = match named.file_name() {
        Some(own) => own.to_string_lossy().into_owned(),
        None => return Err(Problem::new(ErrorKind::Usage, "The whole host is not copied")),
    };
    let (folder, last) = split(path);
    let kind = match &last {
        None => Some(Kind::Folder),
        Some(_) => kind_of(ctx, &name, &without_dot(path)).await?,
    };
    let (target, packed) = match (kind, last) {
        (Some(Kind::Folder), _) => (path.to_owned(), (!contents).then_some(own_name)),
        (_, None) => (path.to_owned(), (!contents).then_some(own_name)),
        (None, Some(last)) if metadata.is_dir() || !path.ends_with('/') => (folder, Some(last)),
        (Some(_), Some(last)) if !metadata.is_dir() && !path.ends_with('/') => (folder, Some(last)),
        (None, _) => {
            return Err(Problem::new(ErrorKind::NotFound, format!("{name} has no folder {path}"))
                .about(name));
        }
        (Some(_), _) => {
            return Err(Problem::new(
                ErrorKind::Conflict,
                format!("{path} in {name} is no folder"),
            )
            .about(name));
        }
    };
    let (body, left_out) = pack::body(Packed { from: whole, name: packed, owners: Owners::Root });
    let to = ContainerPath { name, path: without_dot(&target) };
    ctx.upload::<ContainerCopyInOp>(&to, body).await?;
    left_out.tell(&ctx.out);
    Ok(())
}

/// What a path in a container is; none where there is nothing. A link counts as the folder behind it, where there is one.
async fn kind_of(ctx: &Ctx, name: &str, path: &str) -> Result<Option<Kind>, Problem> {
    let first = first_kind(ctx, name, path.trim_end_matches('/')).await?;
    let (mut at, mut kind) = (path.to_owned(), first.clone());
    for _ in 0..MAX_LINKS {
        let Some(Kind::Link(target)) = &kind else { break };
        at = behind(&at, target);
        kind = if at == "/" { Some(Kind::Folder) } else { first_kind(ctx, name, &at).await? };
    }
    Ok(if kind == Some(Kind::Folder) { kind } else { first })
}

/// Where a link in a container leads, by its words.
fn behind(link: &str, target: &str) -> String {
    let (folder, _) = split(link);
    let whole =
        if target.starts_with('/') { target.to_owned() } else { format!("{folder}/{target}") };
    let mut parts = Vec::new();
    for part in whole.split('/').filter(|p| !p.is_empty() && *p != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    format!("/{}", parts.join("/"))
}

/// Copies as much of it out as says what it is.
async fn first_kind(ctx: &Ctx, name: &str, path: &str) -> Result<Option<Kind>, Problem> {
    let from = ContainerPath { name: name.to_owned(), path: path.to_owned() };
    let (mut peek, mut kind) = (Peek::default(), None);
    let asked = ctx
        .download::<ContainerCopyOutOp>(&from, |bytes: Bytes| {
            kind = peek.push(&bytes);
            // Enough is known: the error ends the download.
            if kind.is_some() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        })
        .await;
    match asked {
        _ if kind.is_some() => Ok(kind),
        Err(problem) if problem.kind() == ErrorKind::NotFound => {
            // The container itself may be what is missing.
            let named = Named { name: name.to_owned() };
            ctx.call::<ContainerInspectOp>(&named, &Nothing {}).await.map(|_| None)
        }
        Err(problem) => Err(problem),
        Ok(()) => Ok(None),
    }
}

/// What arrives over a channel, to be read.
struct Received {
    from: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Received {
    fn new(from: mpsc::Receiver<Bytes>) -> Self {
        Self { from, current: Bytes::new() }
    }
}

impl Read for Received {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.from.recv() {
                Ok(bytes) => self.current = bytes,
                Err(_) => return Ok(0),
            }
        }
        let n = into.len().min(self.current.len());
        into[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_copy_lands() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::write(here.join("file"), "").unwrap();
        let first = |name: &str| Naming::First(name.to_owned());
        for (path, to, into, naming) in [
            ("/etc/hosts", "", "", Naming::Kept),
            ("/etc/hosts", "copy", "", first("copy")),
            ("/etc/hosts", "file", "", first("file")),
            ("/etc/.", "", "", Naming::Contents),
            ("/etc/.", "made", "made", Naming::Contents),
            ("/", "made2", "made2", Naming::Kept),
        ] {
            let landed = landing(path, &here.join(to)).unwrap();
            assert_eq!(landed, (here.join(into), naming), "{path} {to}");
        }
        for (path, to, kind) in
            [("/etc", "none/x", ErrorKind::NotFound), ("/etc/.", "file", ErrorKind::Conflict)]
        {
            assert_eq!(landing(path, &here.join(to)).unwrap_err().kind(), kind, "{path} {to}");
        }
        assert_eq!(behind("/var/run", "../run/./x"), "/run/x");
        assert_eq!(behind("/var/run", "/run"), "/run");
        assert_eq!((without_dot("/a/."), without_dot("/.")), ("/a".into(), "/".into()));
    }
}
