//! One look: a web page, a port, or a command inside.

use super::Subject;
use crate::Engine;
use crate::container::Exec;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use volt_host::command::{Command, Error, Line};
use volt_host::reach::Place;
use volt_model::container::Spec;
use volt_model::container::unit::owner_of_network;
use volt_model::frame::{Decoder, Frame};
use volt_model::health::http::{Answer, FIRST_LINE, answer, is_good, request};
use volt_model::health::{Check, Http, MAX_OUTPUT, Probe, Span};
use volt_model::name::Name;
use volt_model::service;

/// How long a command that was killed may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// What a look has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether all was well.
    pub(super) passed: bool,
    /// What was said, or what is wrong.
    pub(super) said: String,
}

impl Found {
    fn failed(said: impl Into<String>) -> Self {
        Self { passed: false, said: said.into() }
    }
}

impl Engine {
    /// Where the ports of a container are that runs.
    pub(super) fn place_of(&self, spec: &Spec) -> Place {
        let Some(owner) = owner_of_network(spec) else {
            return Place::At(Ipv4Addr::LOCALHOST.into());
        };
        let attached = self.attached(owner);
        match attached.as_ref().and_then(|attached| attached.endpoints.first()) {
            Some(first) => Place::At(first.ip.into()),
            None => Place::Inside(self.paths().container_netns(owner)),
        }
    }

    /// Runs a command in a container and waits for its end; what takes too long is killed.
    fn run_probe(&self, name: &Name, words: &[String], timeout: Duration) -> Found {
        let exec = Exec { command: words.to_vec(), ..Exec::default() };
        let stream = match self.container_exec(name, &exec) {
            Ok(stream) => stream,
            Err(error) => return Found::failed(error.chain().join(": ")),
        };
        match ended(stream, timeout) {
            Ok((Some(0), said)) => Found { passed: true, said },
            Ok((Some(code), said)) if said.is_empty() => Found::failed(format!("exit code {code}")),
            Ok((Some(code), said)) => Found::failed(format!("exit code {code}: {said}")),
            Ok((None, said)) => Found::failed(
                format!("no end within {}: {said}", Span(timeout)).trim_end_matches(": "),
            ),
            Err(error) => Found::failed(format!("the command can't be followed: {error}")),
        }
    }
}

impl Engine {
    /// Runs a command beside a service, in its sandbox, and waits for its end; what takes too long is killed.
    fn run_beside(&self, spec: &service::Spec, words: &[String], timeout: Duration) -> Found {
        let (file, secrets) = (self.service_environment(&spec.name), self.secrets());
        let environment = file.exists().then_some(file.as_path());
        let files = service::unit::Files { environment, secrets: &secrets };
        let lines = service::unit::beside(spec, files);
        let further = [
            // systemd ends what runs too long, whatever becomes of who asked for it.
            format!("RuntimeMaxSec={}us", timeout.as_micros()),
            "KillSignal=SIGKILL".to_owned(),
            // Nobody wants to read of each look that it begins and ends.
            "LogLevelMax=notice".to_owned(),
        ];
        let (begun, mut said) = (Instant::now(), Vec::new());
        let ended = Command::new("systemd-run")
            .args(["--quiet", "--collect", "--pipe", "--wait", "--service-type=exec"])
            .arg(format!("--description=A look at the health of {}", spec.name))
            .args(lines.iter().chain(&further).map(|line| format!("--property={line}")))
            .arg("--")
            // It would put variables in.
            .args(words.iter().map(|word| word.replace('$', "$$")))
            .time_limit(timeout + GRACE)
            .stream(|(Line::Out(line) | Line::Err(line))| {
                let room = MAX_OUTPUT.saturating_sub(said.len());
                said.extend(line.iter().chain(b"\n").take(room));
            });
        match (ended, text(&said)) {
            (Ok(()), said) => Found { passed: true, said },
            (Err(Error::Failed { .. }), _) if begun.elapsed() >= timeout => {
                Found::failed(format!("no end within {}", Span(timeout)))
            }
            (Err(Error::Failed { status, .. }), said) if said.is_empty() => {
                Found::failed(format!("exit code {}", status.code()))
            }
            (Err(Error::Failed { status, .. }), said) => {
                Found::failed(format!("exit code {}: {said}", status.code()))
            }
            (Err(error), _) => Found::failed(error.to_string()),
        }
    }
}

/// Looks once.
pub(super) async fn look(engine: &Engine, name: &Name, check: &Check, place: &Place) -> Found {
    let looked = match &check.probe {
        Probe::Exec(words) => {
            let (engine, name, words) = (engine.clone(), name.clone(), words.clone());
            let timeout = check.timeout;
            let run = tokio::task::spawn_blocking(move || match engine.subject(&name) {
                Ok(Subject::Service(spec)) => engine.run_beside(&spec, &words, timeout),
                _ => engine.run_probe(&name, &words, timeout),
            });
            return run.await.unwrap_or_else(|e| Found::failed(e.to_string()));
        }
        Probe::Tcp(port) => tokio::time::timeout(check.timeout, connected(place, *port)).await,
        Probe::Http(http) => tokio::time::timeout(check.timeout, asked(place, http)).await,
    };
    looked.unwrap_or_else(|_| Found::failed(format!("no answer within {}", Span(check.timeout))))
}

async fn connected(place: &Place, port: u16) -> Found {
    match place.connect(port).await {
        Ok(_) => Found { passed: true, said: format!("port {port} is open") },
        Err(error) => Found::failed(format!("port {port}: {error}")),
    }
}

async fn asked(place: &Place, http: &Http) -> Found {
    let url = || format!("http://{}{}", place.address(http.port), http.path);
    match code(place, http).await {
        Ok(Some(code)) => Found { passed: is_good(http, code), said: format!("{}: {code}", url()) },
        Ok(None) => Found::failed(format!("{}: no answer of a web server", url())),
        Err(error) => Found::failed(format!("{}: {error}", url())),
    }
}

/// The code of the answer; none where it is no web server's.
async fn code(place: &Place, http: &Http) -> io::Result<Option<u16>> {
    let mut stream = place.connect(http.port).await?;
    stream.write_all(&request(http, place.address(http.port))).await?;
    let (mut bytes, mut length) = ([0; FIRST_LINE], 0);
    loop {
        match answer(&bytes[..length]) {
            Answer::Code(code) => return Ok(Some(code)),
            Answer::None => return Ok(None),
            Answer::More => {}
        }
        match stream.read(&mut bytes[length..]).await? {
            0 => return Ok(None),
            more => length += more,
        }
    }
}

/// Waits for the end of a command: its exit code, and the beginning of what it says. No code where it was killed for its time.
fn ended(mut stream: UnixStream, timeout: Duration) -> io::Result<(Option<u32>, String)> {
    let (mut decoder, mut said, mut killed) = (Decoder::new(), Vec::new(), false);
    let mut end = Instant::now() + timeout;
    let mut bytes = [0; 8192];
    loop {
        while let Some(frame) = decoder.next_frame().map_err(io::Error::other)? {
            match frame {
                Frame::Stdout(more) | Frame::Stderr(more) => {
                    let room = MAX_OUTPUT.saturating_sub(said.len());
                    said.extend_from_slice(&more[..more.len().min(room)]);
                }
                Frame::Exit(code) => return Ok(((!killed).then_some(code), text(&said))),
                Frame::Error(problem) => return Err(io::Error::other(problem)),
                _ => {}
            }
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() && killed {
            return Ok((None, text(&said)));
        }
        if left.is_zero() {
            (killed, end) = (true, Instant::now() + GRACE);
            stream.write_all(&Frame::Signal(9).encode())?;
            continue;
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => decoder.push(&bytes[..length]),
            Err(error) if is_over(error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_over(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(kind, Interrupted | TimedOut | WouldBlock)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn wait<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    /// A server that says this to whoever asks, and what a look at it finds.
    fn served(answer: &'static str, http: impl FnOnce(Http) -> Http) -> Found {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut bytes = [0; 1024];
            let length = peer.read(&mut bytes).unwrap();
            assert!(bytes[..length].starts_with(b"GET /x HTTP/1.1\r\n"));
            for byte in answer.as_bytes() {
                peer.write_all(&[*byte]).unwrap();
            }
        });
        let page =
            http(Http { port, path: "/x".into(), status: vec![], headers: Default::default() });
        wait(asked(&Place::At(Ipv4Addr::LOCALHOST.into()), &page))
    }

    #[test]
    fn web_pages() {
        let found = served("HTTP/1.1 204 Fine\r\n\r\n", |http| http);
        assert!(found.passed && found.said.ends_with("/x: 204"), "{found:?}");
        assert!(!served("HTTP/1.1 500 Bad\r\n\r\n", |http| http).passed);
        let teapot = |http| Http { status: vec!["418".parse().unwrap()], ..http };
        assert!(served("HTTP/1.1 418 Teapot\r\n\r\n", teapot).passed);
        let other = served("SSH-2.0-x\r\n", |http| http);
        assert!(other.said.ends_with("no answer of a web server"), "{other:?}");
    }

    #[test]
    fn commands_that_end_and_those_that_do_not() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(&Frame::Stdout(vec![b'x'; 10_000]).encode()).unwrap();
        theirs.write_all(&Frame::Exit(3).encode()).unwrap();
        let (code, said) = ended(ours, Duration::from_secs(5)).unwrap();
        assert_eq!((code, said.len()), (Some(3), MAX_OUTPUT));
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let relay = std::thread::spawn(move || {
            let mut bytes = [0; 6];
            theirs.read_exact(&mut bytes).unwrap();
            theirs.write_all(&Frame::Exit(137).encode()).unwrap();
            bytes
        });
        assert_eq!(ended(ours, Duration::from_millis(50)).unwrap(), (None, String::new()));
        assert_eq!(relay.join().unwrap().as_slice(), Frame::Signal(9).encode());
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert!(ended(ours, Duration::from_secs(5)).is_err());
    }
}
