//! A server of few words for tests: it answers what a test tells it to, over the in-memory pipe that an embedded one would use.
//!
//! It proves what is asked, in which order, and how answers of every shape are taken; what Volt does is proved elsewhere.

use crate::cli::{Cli, command};
use crate::commands;
use crate::ctx::Ctx;
use crate::embed::Embed;
use crate::output::Outcome;
use clap::FromArgMatches;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use volt_api::Problem;
use volt_api::client::Connection;
use volt_model::kind::ErrorKind;

/// What is answered to a request line such as `GET /api/v1/images`.
pub(crate) enum Reply {
    /// JSON or bytes.
    Body(Vec<u8>),
    /// A problem.
    Problem(Problem),
    /// The connection becomes a stream that begins with these bytes.
    Stream(Vec<u8>),
}

/// A JSON answer.
pub(crate) fn json(value: &serde_json::Value) -> Reply {
    Reply::Body(value.to_string().into_bytes())
}

/// An answer that there is none of it.
pub(crate) fn not_found() -> Reply {
    Reply::Problem(Problem::new(ErrorKind::NotFound, "There is none"))
}

/// What was asked: the request line and the body.
pub(crate) type Asked = Arc<Mutex<Vec<(String, Vec<u8>)>>>;
type Answer = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// Runs a command line against a server that answers as told; what it ended with, and what was asked.
pub(crate) fn run(
    words: &[&str],
    answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> (Outcome, Vec<(String, Vec<u8>)>) {
    let root = tempfile::tempdir().unwrap();
    let asked = Asked::default();
    let ctx = context(&root, words, Arc::clone(&asked), Arc::new(answer));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async { commands::dispatch(ctx.1, &ctx.0).await });
    let asked = asked.lock().unwrap().clone();
    (outcome, asked)
}

fn context(
    root: &TempDir,
    words: &[&str],
    asked: Asked,
    answer: Answer,
) -> (Ctx, commands::Command) {
    let root = root.path().to_str().unwrap();
    let words = ["volt", "--root", root, "--quiet"].into_iter().chain(words.iter().copied());
    let parsed = Cli::from_arg_matches(&command().get_matches_from(words)).unwrap();
    let embed = Embed {
        serve: Arc::new(move |_| {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
            tokio::spawn(async move { drop(serve(theirs, &asked, &*answer).await) });
            Box::pin(async move { Ok(Box::new(ours) as Box<dyn Connection>) })
        }),
        finish: Arc::new(|| Box::pin(async {})),
        run_daemon: |_| ExitCode::FAILURE,
        run_dns: |_| ExitCode::FAILURE,
        system_install: |_| Err(Problem::new(ErrorKind::General, "not here")),
        foreground: |_| Ok(0),
        ask: |_, _| Err(io::ErrorKind::NotFound.into()),
    };
    (Ctx::new(parsed.global, embed), parsed.command)
}

async fn serve(
    stream: DuplexStream,
    asked: &Asked,
    answer: &(dyn Fn(&str) -> Reply + Send + Sync),
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (line, body) = request(&mut stream).await?;
    asked.lock().unwrap().push((line.clone(), body));
    let (status, headers, body) = match answer(&line) {
        Reply::Body(body) => ("200 OK", format!("content-length: {}", body.len()), body),
        Reply::Problem(problem) => {
            let body = serde_json::to_vec(&problem).unwrap();
            ("404 Not Found", format!("content-length: {}", body.len()), body)
        }
        Reply::Stream(bytes) => {
            let upgrade = "connection: upgrade\r\nupgrade: volt-stream".to_owned();
            ("101 Switching Protocols", upgrade, bytes)
        }
    };
    let head = format!("HTTP/1.1 {status}\r\n{headers}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.flush().await?;
    // Until the client has taken all of it.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.map(drop)
}

/// The request line without its version, and the body.
async fn request(stream: &mut BufReader<DuplexStream>) -> io::Result<(String, Vec<u8>)> {
    let (mut first, mut length, mut chunked) = (String::new(), 0, false);
    stream.read_line(&mut first).await?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(n) = line.strip_prefix("content-length: ") {
            length = n.parse().map_err(io::Error::other)?;
        }
        chunked |= line == "transfer-encoding: chunked";
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    while chunked {
        let mut size = String::new();
        stream.read_line(&mut size).await?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        let mut piece = vec![0; size + 2];
        stream.read_exact(&mut piece).await?;
        body.extend_from_slice(&piece[..size]);
        chunked = size > 0;
    }
    Ok((first.trim().trim_end_matches(" HTTP/1.1").to_owned(), body))
}
