//! The way of a request through router and server, with handlers that only pretend.
#![expect(unreachable_pub, reason = "a test's helpers have no outside")]

mod support;

use bytes::Bytes;
use futures_util::stream;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use support::{House, peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use volt_api::Problem;
use volt_api::client::UploadBody;
use volt_api::operations::*;
use volt_api::stream::{FrameReader, write_frame};
use volt_api::types::*;
use volt_daemon::audit::Outcome;
use volt_model::frame::Frame;
use volt_model::kind::ErrorKind;

fn volume(name: &str) -> VolumeCreate {
    VolumeCreate { name: name.into(), ..VolumeCreate::default() }
}

async fn create(house: &House, uid: u32, member: bool, name: &str) -> Result<Volume, Problem> {
    let client = house.client(peer(uid, member));
    client.call::<VolumeCreateOp>(&Nothing {}, &volume(name)).await
}

/// Sends bytes as they are and returns what is answered until the connection ends or stands still.
async fn raw(house: &House, request: &[u8]) -> String {
    let mut pipe = house.pipe(peer(0, false));
    drop(pipe.write_all(request).await);
    let mut answer = Vec::new();
    drop(tokio::time::timeout(Duration::from_millis(500), pipe.read_to_end(&mut answer)).await);
    String::from_utf8_lossy(&answer).into_owned()
}

async fn post_volume(house: &House, body: &str) -> String {
    let head = "POST /api/v1/volumes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    raw(house, format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
}

#[tokio::test]
async fn a_change_is_in_the_trail_before_the_answer() {
    let house = House::new();
    let made = create(&house, 1000, true, "data").await.unwrap();
    assert_eq!((made.name.as_str(), made.path.as_str()), ("data", "/secret"));
    let [line] = &house.trail()[..] else { panic!("{:?}", house.trail()) };
    assert_eq!((line.action.as_str(), line.resource.as_str()), ("volume.create", "data"));
    assert_eq!((line.user.as_str(), line.uid, line.result), ("user1000", 1000, Outcome::Success));
    let client = house.client(peer(1000, false));
    let read = client.call::<SystemVersionOp>(&Nothing {}, &Nothing {}).await.unwrap();
    assert_eq!((read.api.as_str(), house.trail().len()), ("v1", 1), "reading leaves no line");
}

#[tokio::test]
async fn a_stranger_is_refused_before_anything_is_looked_at() {
    let house = House::new();
    let refused = create(&house, 1000, false, "data").await.unwrap_err();
    assert_eq!((refused.kind(), refused.status), (ErrorKind::Permission, 403));
    assert!(refused.hint.unwrap().contains("usermod -aG volt user1000"));
    let mine = refused.request.unwrap();
    let prune = SystemPrune::default();
    let client = house.client(peer(1000, true));
    let refused = client.call::<SystemPruneOp>(&Nothing {}, &prune).await.unwrap_err();
    assert!(refused.title.contains("needs root"), "{refused}");
    let refused = create(&house, 1000, true, "root-only").await.unwrap_err();
    assert_eq!(refused.title, "user1000 may not do this: this volume needs root");
    let trail = house.trail();
    assert!(trail.iter().all(|line| line.result == Outcome::Refused), "{trail:?}");
    let told: Vec<_> = trail.iter().map(|l| (l.action.as_str(), l.resource.as_str())).collect();
    // What a stranger sent was not even read.
    let expected =
        [("volume.create", "volume"), ("system.prune", "system"), ("volume.create", "root-only")];
    assert_eq!(told, expected);
    assert_eq!(trail[0].request_id, mine);
    assert!(house.seen.volumes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn errors_name_the_field_and_the_trail_quotes_nothing() {
    let house = House::new();
    for (body, part) in [
        (r#"{"nam":"x"}"#, "unknown field `nam`"),
        (r#"{"name":"x","labels":{"a":7}}"#, "`labels.a`: invalid type: integer `7`"),
        (r#"{"name":"x"} more"#, "trailing characters"),
        (r#"{"name":"#, "EOF while parsing"),
        ("\u{1}", "expected value"),
    ] {
        let answer = post_volume(&house, body).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{body}: {answer}");
        assert!(answer.contains(part), "{body}: {answer}");
    }
    for line in house.trail() {
        let error = line.error.as_deref();
        assert_eq!((line.result, error), (Outcome::Failure, Some("The request's body is wrong")));
    }
    assert_eq!(house.trail().len(), 5);
}

#[tokio::test]
async fn a_handler_that_panics_is_a_failure_like_others() {
    let house = House::new();
    let failed = create(&house, 0, false, "panics").await.unwrap_err();
    assert_eq!((failed.kind(), failed.status), (ErrorKind::General, 500));
    let trail = house.trail();
    assert_eq!((trail[0].resource.as_str(), trail[0].result), ("panics", Outcome::Failure));
    assert!(create(&house, 0, false, "next").await.is_ok());
}

#[tokio::test]
async fn without_a_trail_nothing_is_changed() {
    let house = House::new();
    std::os::unix::fs::symlink("/dev/null", house.audit_path()).unwrap();
    let failed = create(&house, 0, false, "data").await.unwrap_err();
    assert_eq!(failed.title, "Nothing was changed: it could not be recorded");
    assert!(house.seen.volumes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_change_goes_on_when_its_caller_is_gone() {
    let house = House::new();
    let call = create(&house, 0, false, "slow");
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    let running = house.server.router().shared().activity.snapshot();
    assert_eq!((running[0].operation, running[0].resource.as_str()), ("volume_create", "slow"));
    assert_eq!(running[0].doing, "Making the folder");
    house.eventually("the change is recorded", |h| h.trail().len() == 1).await;
    assert_eq!(house.trail()[0].result, Outcome::Success);
}

async fn pull(house: &House, image: &str) -> (Vec<String>, Result<Image, Problem>) {
    let mut heard = Vec::new();
    let body = ImagePull { image: image.into(), ..ImagePull::default() };
    let client = house.client(peer(0, false));
    let done = client
        .progress::<ImagePullOp>(&Nothing {}, &body, |line| {
            heard.push(match line {
                Progress::Step(text) | Progress::Warning(text) => text,
                Progress::Bytes { done, total } => format!("{done}/{total:?}"),
                other => panic!("{other:?}"),
            });
        })
        .await;
    (heard, done)
}

#[tokio::test]
async fn progress_is_told_and_its_end_too() {
    let house = House::new();
    let (heard, done) = pull(&house, "debian").await;
    assert_eq!(heard, ["Fetching", "10/Some(10)", "It is old"]);
    assert_eq!(done.unwrap().name, "debian:latest");
    let (heard, failed) = pull(&house, "half").await;
    assert_eq!((heard.len(), failed.unwrap_err().kind()), (3, ErrorKind::Network));
    let (heard, failed) = pull(&house, "none").await;
    assert!(heard.is_empty());
    assert_eq!(failed.unwrap_err().status, 404, "a failure at once has its own status");
    let told: Vec<_> = house.trail().into_iter().map(|l| (l.resource, l.result)).collect();
    let expected = [
        ("debian:latest".to_owned(), Outcome::Success),
        ("half".to_owned(), Outcome::Failure),
        ("none".to_owned(), Outcome::Failure),
    ];
    assert_eq!(told, expected);
}

fn logs(name: &str, lines: Option<u64>, follow: bool) -> WorkloadLogs {
    WorkloadLogs { name: name.into(), lines, follow, ..WorkloadLogs::default() }
}

#[tokio::test]
async fn lines_end_with_their_problem_or_when_nobody_listens() {
    let house = House::new();
    let client = house.client(peer(1000, false));
    let mut count = 0;
    let wanted = logs("web", Some(20_000), false);
    let all = client.lines::<WorkloadLogsOp>(&wanted, |line| {
        assert_eq!(line.message, format!("line {count}"));
        count += 1;
        true
    });
    all.await.unwrap();
    assert_eq!(count, 20_000);
    let broken = client.lines::<WorkloadLogsOp>(&logs("broken", Some(3), false), |_| true).await;
    assert_eq!(broken.unwrap_err().title, "The journal is broken");
    house.seen.ended.store(false, Ordering::SeqCst);
    client.lines::<WorkloadLogsOp>(&logs("web", None, true), |_| false).await.unwrap();
    house.eventually("the handler ends", House::ended).await;
}

#[tokio::test]
async fn what_has_no_end_ends_with_the_server() {
    let house = House::new();
    let client = house.client(peer(0, false));
    let streams = house.server.router().shared().streams.clone();
    let waiting = tokio::spawn(async move {
        let named = Named { name: "web".into() };
        client.call::<ContainerWaitOp>(&named, &Nothing {}).await
    });
    let client = house.client(peer(0, false));
    let mut events = 0;
    let listening = client.events::<EventStreamOp>(&Nothing {}, |event| {
        assert_eq!(event.action, "started");
        events += 1;
        streams.cancel();
        true
    });
    listening.await.unwrap();
    assert_eq!(events, 1);
    let problem = waiting.await.unwrap().unwrap_err();
    assert_eq!((problem.kind(), problem.status), (ErrorKind::Daemon, 503));
    house.eventually("the handlers end", House::ended).await;
}

#[tokio::test]
async fn a_download_that_breaks_off_is_no_whole_download() {
    let house = House::new();
    let client = house.client(peer(0, false));
    for (name, whole) in [("web", true), ("half", false)] {
        let mut bytes = 0;
        let named = Named { name: name.into() };
        let done = client.download::<ContainerExportOp>(&named, |part| {
            bytes += part.len();
            Ok(())
        });
        assert_eq!(done.await.is_ok(), whole, "{name}");
        assert!(bytes == 300_000 || !whole, "{name}: {bytes}");
    }
    let none = Named { name: "none".into() };
    let failed = client.download::<ContainerExportOp>(&none, |_| Ok(())).await.unwrap_err();
    assert_eq!(failed.status, 404);
}

fn upload(parts: Vec<io::Result<Bytes>>) -> UploadBody {
    Box::pin(stream::iter(parts))
}

fn megabytes(n: usize) -> Vec<io::Result<Bytes>> {
    (0..n).map(|_| Ok(Bytes::from(vec![1; 1 << 20]))).collect()
}

#[tokio::test]
async fn an_upload_arrives_whole_or_as_an_error() {
    let house = House::new();
    let client = house.client(peer(0, false));
    let to = |path: &str| ContainerPath { name: "web".into(), path: path.into() };
    client.upload::<ContainerCopyInOp>(&to("/"), upload(megabytes(20))).await.unwrap();
    assert_eq!(*house.seen.uploaded.lock().unwrap(), Some(Ok(20 << 20)));
    let image = ImageImport { image: "base".into(), ..ImageImport::default() };
    let done = client.upload_progress::<ImageImportOp>(&image, upload(megabytes(3)), |_| {}).await;
    assert_eq!(done.unwrap().name, "base:latest");
    let mut broken = megabytes(1);
    broken.push(Err(io::Error::other("unplugged")));
    assert!(client.upload::<ContainerCopyInOp>(&to("/"), upload(broken)).await.is_err());
    let is_error = |h: &House| matches!(*h.seen.uploaded.lock().unwrap(), Some(Err(_)));
    house.eventually("the handler is told", is_error).await;
}

#[tokio::test]
async fn who_uploads_for_nothing_gets_to_read_why() {
    let house = House::new();
    let nowhere = ContainerPath { name: "web".into(), path: "/none".into() };
    let client = house.client(peer(0, false));
    let failed = client.upload::<ContainerCopyInOp>(&nowhere, upload(megabytes(50))).await;
    assert_eq!(failed.unwrap_err().title, "There is no such folder");
    let stranger = house.client(peer(1000, false));
    let failed = stranger.upload::<ContainerCopyInOp>(&nowhere, upload(megabytes(50))).await;
    assert_eq!(failed.unwrap_err().status, 403);
    let image = ImageImport { image: "refused".into(), ..ImageImport::default() };
    let member = house.client(peer(1000, true));
    let failed = member.upload_progress::<ImageImportOp>(&image, upload(megabytes(50)), |_| {});
    assert_eq!(failed.await.unwrap_err().status, 403);
    let refused = house.trail().into_iter().filter(|l| l.result == Outcome::Refused).count();
    assert_eq!(refused, 2);
}

#[tokio::test]
async fn frames_go_both_ways_until_the_exit_code() {
    let house = House::new();
    let client = house.client(peer(0, false));
    let attach = ContainerAttach { name: "web".into(), start: false };
    let stream = client.stream::<ContainerAttachOp>(&attach).await.unwrap();
    let (read, mut write) = tokio::io::split(stream);
    let mut frames = FrameReader::new(read);
    let big = vec![9; 65536];
    write_frame(&mut write, &Frame::Stdin(b"hello".to_vec())).await.unwrap();
    assert_eq!(frames.next().await.unwrap(), Some(Frame::Stdout(b"hello".to_vec())));
    write_frame(&mut write, &Frame::Stdin(big.clone())).await.unwrap();
    assert_eq!(frames.next().await.unwrap(), Some(Frame::Stdout(big)));
    write_frame(&mut write, &Frame::Stdin(vec![])).await.unwrap();
    assert_eq!(frames.next().await.unwrap(), Some(Frame::Exit(3)));
    // The workload's end stays open in this test; the exit code ends the stream all the same.
    assert_eq!(frames.next().await.unwrap(), None);
    house
        .eventually("nothing runs", |h| h.server.router().shared().activity.snapshot().is_empty())
        .await;
    assert_eq!(house.trail()[0].action, "container.attach");
}

#[tokio::test]
async fn a_stream_is_told_that_the_server_goes() {
    let house = House::new();
    let client = house.client(peer(0, false));
    let attach = ContainerAttach { name: "mute".into(), start: false };
    let stream = client.stream::<ContainerAttachOp>(&attach).await.unwrap();
    let mut frames = FrameReader::new(stream);
    house.server.router().shared().streams.cancel();
    let Some(Frame::Error(text)) = frames.next().await.unwrap() else { panic!("no problem") };
    assert!(text.contains("The Volt daemon is stopping"), "{text}");
    let request = "POST /api/v1/containers/web/attach HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = raw(&House::new(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

#[tokio::test]
async fn bodies_and_heads_are_bounded() {
    let house = House::new();
    let long = post_volume(&house, &format!(r#"{{"name":"{}"}}"#, "x".repeat(8 << 20))).await;
    assert!(long.starts_with("HTTP/1.1 413 "), "{long}");
    let head = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(200_000));
    let answer = raw(&house, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    for garbage in [&b"\0\0\0\0\r\n\r\n"[..], b"GET / HTTP/9.9\r\n\r\n", b"hello\r\n\r\n"] {
        let answer = raw(&house, garbage).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{garbage:?}: {answer}");
    }
    let other = raw(&house, b"PUT /api/v1/volumes HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(other.starts_with("HTTP/1.1 405 ") && other.contains("\r\nallow: POST\r\n"), "{other}");
    let none = raw(&house, b"GET /api/v2/volumes HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(none.starts_with("HTTP/1.1 404 ") && none.contains("not-found"), "{none}");
    let open = raw(&house, b"GET /openapi HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(open.contains(r#""openapi":"3.1.0""#));
}

#[tokio::test]
async fn a_client_that_sends_no_whole_head_is_let_go() {
    let house = House::new();
    let mut pipe = house.pipe(peer(0, false));
    pipe.write_all(b"GET / HTT").await.unwrap();
    let began = Instant::now();
    let mut answer = Vec::new();
    drop(pipe.read_to_end(&mut answer).await);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn many_callers_at_once() {
    let house = House::new();
    let began = Instant::now();
    let calls = (0..200).map(|n| {
        let client = house.client(peer(0, false));
        async move { client.call::<VolumeCreateOp>(&Nothing {}, &volume(&format!("v{n}"))).await }
    });
    let made = futures_util::future::join_all(calls).await;
    assert!(made.iter().all(Result::is_ok));
    let mut ids: Vec<_> = house.trail().into_iter().map(|l| l.request_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200, "after {:?}", began.elapsed());
}
