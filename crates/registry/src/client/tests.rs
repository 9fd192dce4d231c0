//! The client against Debian's own registry, also behind a line that breaks, and against one that wants tokens.

use super::*;
use std::io::{BufRead as _, BufReader, Cursor, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use volt_model::registry::{Account, Digest};

/// Less than what is waited for before a second try.
const FIRST_TRY: Duration = Duration::from_millis(450);

/// `joe` with the password `secret`, as htpasswd(1) writes it.
const USERS: &str = "joe:$2y$05$oospjdKcwyuO9uwPhB4OdOSyNscw3m10kL5CkjZhZ19VAF4Gajryq\n";

/// A real registry, gone when dropped.
struct Registry {
    child: Child,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Registry {
    /// None where it is not installed.
    #[expect(clippy::disallowed_methods, reason = "the registry is a process of its own")]
    fn start(with_users: bool) -> Option<Self> {
        let program = "/usr/bin/docker-registry";
        if !std::path::Path::new(program).exists() {
            println!("SKIPPED: docker-registry is not installed");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (users, config) = (dir.path().join("users"), dir.path().join("config.yml"));
        std::fs::write(&users, USERS).unwrap();
        let auth = match with_users {
            true => format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", users.display()),
            false => String::new(),
        };
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n{auth}",
            dir.path().join("data").display(),
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let registry = Self { child, address, _dir: dir };
        let begun = std::time::Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }

    fn remote(&self, reference: &str) -> Remote {
        remote(self.address, reference)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn remote(address: SocketAddr, reference: &str) -> Remote {
    Remote {
        host: address.to_string(),
        repository: "team/app".into(),
        reference: reference.to_owned(),
    }
}

fn client() -> Client {
    Client::new(Settings::default()).unwrap()
}

fn as_joe(address: SocketAddr, password: &str) -> Client {
    let mut credentials = Credentials::default();
    let account = Account::Password { user: "joe".into(), password: password.into() };
    credentials.insert(&address.to_string(), account);
    Client::new(Settings { credentials, ..Settings::default() }).unwrap()
}

/// Bytes that don't repeat.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn push(client: &Client, remote: &Remote, bytes: &[u8], from: Option<&str>) -> Result<bool> {
    let digest = Digest::of(bytes);
    let open = |at: u64| {
        let mut reader = Cursor::new(bytes.to_vec());
        reader.set_position(at);
        Ok(Box::new(reader) as Box<dyn Read + Send>)
    };
    let told: Told = Arc::new(|_| true);
    let size = bytes.len() as u64;
    client.push_blob(remote, &Outgoing { digest: &digest, size, from, open: &open, told })
}

fn pull(client: &Client, remote: &Remote, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let blob = client.blob(remote, &Digest::of(bytes), bytes.len() as u64);
    blob.map_err(std::io::Error::other)?.read_to_end(&mut out)?;
    Ok(out)
}

fn manifest(layer: &[u8], config: &[u8]) -> String {
    let descriptor = |kind: &str, bytes: &[u8]| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"{}","size":{}}}"#,
            Digest::of(bytes),
            bytes.len()
        )
    };
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
        descriptor("config.v1+json", config),
        descriptor("layer.v1.tar", layer)
    )
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[test]
fn what_is_sent_comes_back() {
    let Some(registry) = Registry::start(false) else { return };
    let (client, place) = (client(), registry.remote("v1"));
    let (layer, config) = (bytes(3 << 20), b"{}".to_vec());
    assert!(matches!(client.manifest(&place), Err(Error::NotFound { .. })));
    assert!(push(&client, &place, &layer, None).unwrap());
    assert!(!push(&client, &place, &layer, None).unwrap(), "it is there");
    assert!(push(&client, &place, &config, None).unwrap());
    let text = manifest(&layer, &config);
    let digest = client.push_manifest(&place, MANIFEST, text.as_bytes()).unwrap();
    let document = client.manifest(&place).unwrap();
    assert_eq!(
        (document.bytes.as_slice(), document.media_type.as_str()),
        (text.as_bytes(), MANIFEST)
    );
    assert_eq!(client.manifest(&place.at(digest.as_str())).unwrap().digest, digest);
    assert_eq!(pull(&client, &place, &layer).unwrap(), layer);
    // Another repository of the same registry takes it over.
    let other = Remote { repository: "other/app".into(), ..place.clone() };
    assert!(!push(&client, &other, &layer, Some("team/app")).unwrap());
    // What is not as it was said to be is told.
    let mut blob = client.blob(&place, &Digest::of(&layer), 1 << 20).unwrap();
    let error = std::io::copy(&mut blob, &mut std::io::sink()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    // A part of it.
    for part in [0..10_u64, 1_000_000..2_000_000, (3 << 20) - 1..3 << 20] {
        let mut blob =
            client.blob_part(&place, &Digest::of(&layer), 3 << 20, part.clone()).unwrap();
        let mut read = Vec::new();
        blob.read_to_end(&mut read).unwrap();
        let index = |at: u64| usize::try_from(at).unwrap();
        assert_eq!(read, &layer[index(part.start)..index(part.end)]);
    }
    // What was read before needs not be asked for again.
    let mut blob = client.blob_to_resume(&place, &Digest::of(&layer), layer.len() as u64);
    assert_eq!(blob.resume(&mut &layer[..2 << 20]).unwrap(), 2 << 20);
    let mut rest = Vec::new();
    blob.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, &layer[2 << 20..]);
}

#[test]
fn accounts_are_asked_for_and_given() {
    let Some(registry) = Registry::start(true) else { return };
    let (place, layer) = (registry.remote("v1"), bytes(1000));
    let error = push(&client(), &place, &layer, None).unwrap_err();
    assert!(matches!(error, Error::Denied { anonymous: true, .. }), "{error}");
    let error = push(&as_joe(registry.address, "wrong"), &place, &layer, None).unwrap_err();
    assert!(matches!(error, Error::Denied { anonymous: false, .. }), "{error}");
    let joe = as_joe(registry.address, "secret");
    assert!(push(&joe, &place, &layer, None).unwrap());
    assert_eq!(pull(&joe, &place, &layer).unwrap(), layer);
}

#[test]
fn large_blobs_go_in_pieces_and_go_on_where_they_broke_off() {
    let Some(registry) = Registry::start(false) else { return };
    let layer = bytes(21 << 20);
    let (address, left) = breaking_line_up(registry.address, 5 << 20, 3);
    assert!(push(&client(), &remote(address, "v1"), &layer, None).unwrap());
    assert_eq!(left.load(Ordering::SeqCst), 0, "it did break");
    assert_eq!(pull(&client(), &registry.remote("v1"), &layer).unwrap(), layer);
    // In one piece, likewise.
    let small = bytes(3 << 20);
    let (address, left) = breaking_line_up(registry.address, 1 << 20, 2);
    assert!(push(&client(), &remote(address, "v1"), &small[1..], None).unwrap());
    assert_eq!(left.load(Ordering::SeqCst), 0, "it did break");
    // Nobody wants it any more.
    let digest = Digest::of(&small);
    let open = |_| Ok(Box::new(Cursor::new(small.clone())) as Box<dyn Read + Send>);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let told: Told = Arc::new(move |at| {
        is_over.fetch_or(at >= 1 << 20, Ordering::SeqCst);
        !is_over.load(Ordering::SeqCst)
    });
    let blob = Outgoing { digest: &digest, size: 3 << 20, from: None, open: &open, told };
    let error = client().push_blob(&registry.remote("v1"), &blob).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(client().tags(&registry.remote("v1")).unwrap(), [""; 0]);
}

/// A line to `to` that breaks after `most` bytes were sent up it, as often as `breaks` says.
fn breaking_line_up(to: SocketAddr, most: u64, breaks: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(AtomicUsize::new(breaks));
    let counter = Arc::clone(&left);
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(std::result::Result::ok) {
            let left = Arc::clone(&counter);
            std::thread::spawn(move || {
                let Ok(far) = TcpStream::connect(to) else { return };
                let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let (far_end, near_end) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                std::thread::spawn(move || drop(std::io::copy(&mut down, &mut &near)));
                let sent = std::io::copy(&mut (&mut up).take(most), &mut &far).unwrap_or(0);
                let fewer = |left: usize| left.checked_sub(1);
                if sent < most
                    || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_err()
                {
                    drop(std::io::copy(&mut up, &mut &far));
                }
                drop(near_end.shutdown(std::net::Shutdown::Both));
                drop(far_end.shutdown(std::net::Shutdown::Both));
            });
        }
    });
    (address, left)
}

/// What is known of a line that breaks.
#[derive(Default)]
struct Line {
    /// How often it still does.
    left: AtomicUsize,
    /// How many bytes came down it.
    came: AtomicU64,
}

/// A line to `to` that breaks after `most` bytes, as often as `breaks` says. Returns its address.
fn breaking_line(to: SocketAddr, most: u64, breaks: usize) -> (SocketAddr, Arc<Line>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let known = Arc::new(Line { left: breaks.into(), came: 0.into() });
    let all = Arc::clone(&known);
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(std::result::Result::ok) {
            let line = Arc::clone(&all);
            std::thread::spawn(move || {
                let Ok(far) = TcpStream::connect(to) else { return };
                let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let (far_end, near_end) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                std::thread::spawn(move || {
                    drop(std::io::copy(&mut up, &mut &far));
                    drop(far.shutdown(std::net::Shutdown::Write));
                });
                let sent = std::io::copy(&mut (&mut down).take(most), &mut &near).unwrap_or(0);
                line.came.fetch_add(sent, Ordering::SeqCst);
                let fewer = |left: usize| left.checked_sub(1);
                if sent < most
                    || line.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_err()
                {
                    let rest = std::io::copy(&mut down, &mut &near).unwrap_or(0);
                    line.came.fetch_add(rest, Ordering::SeqCst);
                }
                drop(near_end.shutdown(std::net::Shutdown::Both));
                drop(far_end.shutdown(std::net::Shutdown::Both));
            });
        }
    });
    (address, known)
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let Some(registry) = Registry::start(false) else { return };
    let layer = bytes(4 << 20);
    push(&client(), &registry.remote("v1"), &layer, None).unwrap();
    let (address, line) = breaking_line(registry.address, 600 << 10, 6);
    assert_eq!(pull(&client(), &remote(address, "v1"), &layer).unwrap(), layer);
    assert_eq!(line.left.load(Ordering::SeqCst), 0, "it did break");
    // What was here already did not come a second time: seven answers with their headers, and what a broken line had on its way.
    let came = line.came.load(Ordering::SeqCst);
    assert!(came < (4 << 20) + (64 << 10), "{came} bytes came for 4 MiB");
}

#[test]
fn a_mirror_that_sends_something_else_is_passed_over() {
    let Some(origin) = Registry::start(false) else { return };
    let (layer, place) = (bytes(200_000), origin.remote("v1"));
    push(&client(), &place, &layer, None).unwrap();
    let with = |mirror: SocketAddr| {
        let mirrors = [(origin.address.to_string(), vec![mirror.to_string()])].into();
        Client::new(Settings { mirrors, ..Settings::default() }).unwrap()
    };
    // Other bytes of the same length: read again, they come from elsewhere.
    let client = with(answering(|_, _| reply("200 OK", "", &"x".repeat(200_000))));
    let (digest, size) = (Digest::of(&layer), 200_000);
    let mut blob = client.blob(&place, &digest, size).unwrap();
    let error = std::io::copy(&mut blob, &mut std::io::sink()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(blob.is_wrong() && blob.may_be_right_elsewhere());
    assert_eq!(pull(&client, &place, &layer).unwrap(), layer);
    // One that breaks off again and again: the rest comes from elsewhere.
    let (line, _) = breaking_line(origin.address, 30 << 10, usize::MAX);
    assert_eq!(pull(&with(line), &place, &layer).unwrap(), layer);
    // What was here before was wrong: it may be right from its first byte on.
    let client = self::client();
    let mut blob = client.blob_to_resume(&place, &digest, size);
    blob.resume(&mut &[0; 100][..]).unwrap();
    assert!(std::io::copy(&mut blob, &mut std::io::sink()).is_err());
    assert!(blob.is_wrong() && blob.may_be_right_elsewhere());
}

#[test]
fn whoever_it_redirects_to_gets_no_account() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let thief = answering(move |_, headers| {
        if headers.to_lowercase().contains("authorization") {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        reply("200 OK", "", r#"{"token":"any"}"#)
    });
    let store = answering(move |_, headers| {
        let challenge = format!(
            "www-authenticate: Bearer realm=\"http://{thief}/t\"\r\nwww-authenticate: Basic\r\n"
        );
        match headers.to_lowercase().contains("authorization") {
            true => reply("200 OK", "", "it was told"),
            false => reply("401 Unauthorized", &challenge, ""),
        }
    });
    let registry = answering(move |_, _| {
        reply("307 Temporary Redirect", &format!("location: http://{store}/blob\r\n"), "")
    });
    let error = pull(&as_joe(registry, "secret"), &remote(registry, "v1"), b"it was told");
    assert!(error.is_err(), "{error:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the account went to another host");
}

#[test]
fn a_giver_of_tokens_passes_no_identity_on() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let thief = answering(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        reply("200 OK", "", r#"{"token":"any"}"#)
    });
    let giver = answering(move |_, _| {
        reply("307 Temporary Redirect", &format!("location: http://{thief}/t\r\n"), "")
    });
    let registry = answering(move |_, _| {
        let challenge = format!("www-authenticate: Bearer realm=\"http://{giver}/t\"\r\n");
        reply("401 Unauthorized", &challenge, "")
    });
    let mut credentials = Credentials::default();
    credentials.insert(&registry.to_string(), Account::Identity("secret".into()));
    let client = Client::new(Settings { credentials, ..Settings::default() }).unwrap();
    let place = remote(registry, "v1");
    let ask = ask::Ask { remote: &place, access: Access::Pull, what: "v1" };
    let error = client.ask_once(&ask, "manifests/v1", &|http, url| http.get(url)).unwrap_err();
    assert!(error.to_string().contains("307"), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the token went to another host");
}

#[test]
fn a_mirror_is_asked_first_and_may_fail() {
    let (Some(origin), Some(mirror)) = (Registry::start(false), Registry::start(false)) else {
        return;
    };
    let (layer, place) = (bytes(5000), origin.remote("v1"));
    push(&client(), &place, &layer, None).unwrap();
    let mirrors = |host: String| {
        let mirrors = [(origin.address.to_string(), vec![host])].into();
        Client::new(Settings { mirrors, ..Settings::default() }).unwrap()
    };
    // It has nothing yet.
    let client = mirrors(mirror.address.to_string());
    assert_eq!(pull(&client, &place, &layer).unwrap(), layer);
    // It has what the origin has not, below a name of its own.
    let only = bytes(6000);
    let below = Remote { repository: "cache/team/app".into(), ..mirror.remote("v1") };
    push(&client, &below, &only, None).unwrap();
    let client = mirrors(format!("{}/cache", mirror.address));
    assert_eq!(pull(&client, &place, &only).unwrap(), only);
}

/// Answers each request by what `answer` makes of its first line and its headers.
fn answering(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(std::result::Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut lines = BufReader::new(&stream).lines().map_while(std::result::Result::ok);
                let Some(first) = lines.next() else { return };
                let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                drop((&stream).write_all(answer(&first, &headers.join("\n")).as_bytes()));
            });
        }
    });
    address
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

#[test]
fn tokens_are_fetched_for_what_is_done() {
    let giver = answering(|first, headers| {
        let is_joe = headers.to_lowercase().contains("authorization: basic am9lonnly3jlda==");
        match (first.contains("scope=repository%3Ateam%2Fapp%3Apull"), is_joe) {
            (true, true) => reply("200 OK", "", r#"{"access_token":"good"}"#),
            (true, false) => reply("401 Unauthorized", "", ""),
            _ => reply("400 Bad Request", "", ""),
        }
    });
    let registry = answering(move |first, headers| {
        let challenge =
            format!("www-authenticate: Bearer realm=\"http://{giver}/token\",service=\"me\"\r\n");
        match headers.contains("Bearer good") {
            true if first.contains("/v2/team/app/manifests/v1 ") => {
                reply("200 OK", "content-type: x/y; charset=utf-8\r\n", "{}")
            }
            true => reply("404 Not Found", "", ""),
            false => reply("401 Unauthorized", &challenge, ""),
        }
    });
    let place = remote(registry, "v1");
    let document = as_joe(registry, "secret").manifest(&place).unwrap();
    assert_eq!((document.bytes.as_slice(), document.media_type.as_str()), (&b"{}"[..], "x/y"));
    let error = client().manifest(&place).unwrap_err();
    assert!(matches!(error, Error::Denied { anonymous: true, .. }), "{error}");
    // A document that is asked for by its digest is that or none.
    let other = format!("sha256:{}", "0".repeat(64));
    assert!(as_joe(registry, "secret").manifest(&place.at(&other)).is_err());
}

#[test]
fn an_account_is_known_or_not() {
    let giver = answering(|first, headers| {
        let is_joe = headers.to_lowercase().contains("authorization: basic am9lonnly3jlda==");
        match is_joe && !first.contains("scope") {
            true => reply("200 OK", "", r#"{"token":"good"}"#),
            false => reply("401 Unauthorized", "", ""),
        }
    });
    let registry = answering(move |first, headers| {
        let challenge = format!("www-authenticate: Bearer realm=\"http://{giver}/token\"\r\n");
        match headers.contains("Bearer good") && first.starts_with("GET /v2/ ") {
            true => reply("200 OK", "", ""),
            false => reply("401 Unauthorized", &challenge, ""),
        }
    });
    assert!(as_joe(registry, "secret").login(&registry.to_string()).unwrap());
    let error = as_joe(registry, "wrong").login(&registry.to_string()).unwrap_err();
    assert!(matches!(error, Error::Denied { anonymous: false, .. }), "{error}");
    let open = answering(|_, _| reply("200 OK", "", ""));
    assert!(!as_joe(open, "any").login(&open.to_string()).unwrap());
    let Some(real) = Registry::start(true) else { return };
    let host = real.address.to_string();
    assert!(as_joe(real.address, "secret").login(&host).unwrap());
    assert!(as_joe(real.address, "wrong").login(&host).is_err());
}

#[test]
fn secrets_go_to_no_giver_without_tls() {
    let registry = answering(|_, _| {
        let challenge = "www-authenticate: Bearer realm=\"http://token.example/t\"\r\n";
        reply("401 Unauthorized", challenge, "")
    });
    let error = as_joe(registry, "secret").manifest(&remote(registry, "v1")).unwrap_err();
    assert!(error.to_string().contains("token.example gives tokens without TLS"), "{error}");
}

#[test]
fn failures_that_pass_are_waited_for_and_others_told() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let busy = answering(move |_, _| match counter.fetch_add(1, Ordering::SeqCst) {
        0 => reply("429 Too Many Requests", "retry-after: 0\r\n", ""),
        1 => reply("503 Service Unavailable", "", ""),
        _ => reply("200 OK", "content-type: a/b\r\n", "{}"),
    });
    assert!(client().manifest(&remote(busy, "v1")).is_ok());
    let refusing = answering(|_, _| {
        let said = r#"{"errors":[{"code":"UNSUPPORTED","message":"not \u001b[31mhere"}]}"#;
        reply("405 Method Not Allowed", "", said)
    });
    let error = client().manifest(&remote(refusing, "v1")).unwrap_err().to_string();
    assert!(error.contains("405") && error.ends_with(": not [31mhere"), "{error}");
    let endless = answering(|_, _| reply("200 OK", "", &"x".repeat(5 << 20)));
    let error = client().manifest(&remote(endless, "v1")).unwrap_err().to_string();
    assert!(error.contains("larger than 4 MiB"), "{error}");
}

#[test]
fn where_nobody_listens_is_said_at_once() {
    let begun = std::time::Instant::now();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client().manifest(&remote(address, "v1")).unwrap_err();
    assert!(matches!(&error, Error::Nobody { host } if *host == address.to_string()), "{error}");
    assert!(begun.elapsed() < FIRST_TRY, "it was tried again");
    // One that has answered may be back in a moment.
    let asked = Arc::new(AtomicUsize::new(0));
    let client = client();
    client.reached(&address.to_string(), "http");
    let counter = Arc::clone(&asked);
    let back = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        let listener = TcpListener::bind(address).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        stream.write_all(reply("200 OK", "content-type: a/b\r\n", "{}").as_bytes()).unwrap();
        counter.fetch_add(1, Ordering::SeqCst);
    });
    assert!(client.manifest(&remote(address, "v1")).is_ok());
    back.join().unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// A client that gives up after a moment, and since when it is there.
fn impatient() -> (Client, std::time::Instant) {
    let begun = std::time::Instant::now();
    let is_over = IsOver::new(move || begun.elapsed() > Duration::from_millis(200));
    (Client::new(Settings { is_over, ..Settings::default() }).unwrap(), begun)
}

#[test]
fn whoever_is_waited_for_can_be_given_up() {
    let busy = answering(|_, _| reply("503 Service Unavailable", "retry-after: 60\r\n", ""));
    let (client, begun) = impatient();
    let error = client.manifest(&remote(busy, "v1")).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it was waited for");
    // It takes a connection, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let (client, begun) = impatient();
    let error = client.manifest(&remote(silent, "v1")).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it was waited for");
    // It takes the upload, and nothing after that.
    let taken = answering(move |first, _| match first.split(' ').next() {
        Some("HEAD") => reply("404 Not Found", "", ""),
        Some("POST") => reply("202 Accepted", "location: /v2/team/app/blobs/uploads/1\r\n", ""),
        _ => reply("503 Service Unavailable", "", ""),
    });
    let (client, begun) = impatient();
    let error = push(&client, &remote(taken, "v1"), b"some", None).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it was waited for");
}

#[test]
fn what_comes_slowly_can_be_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(std::result::Result::ok) {
            std::thread::spawn(move || {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
                let mut went = stream.write_all(head.as_bytes());
                while went.is_ok() {
                    std::thread::sleep(Duration::from_millis(20));
                    went = stream.write_all(b"x");
                }
            });
        }
    });
    // Of one who knows no parts, what is here comes once more.
    for had in [0, 900] {
        let (client, begun) = impatient();
        client.reached(&address.to_string(), "http");
        let mut blob = client.blob_to_resume(&remote(address, "v1"), &Digest::of(b"none"), 1000);
        blob.resume(&mut &vec![0; had][..]).unwrap();
        let error = std::io::copy(&mut blob, &mut std::io::sink()).unwrap_err();
        let error = error.downcast::<Error>().unwrap();
        assert!(matches!(error, Error::Cancelled), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "it was waited for");
    }
}

#[test]
fn whoever_breaks_off_is_given_time() {
    let begun = std::time::Instant::now();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    // Answers at once and sends nothing, as a proxy whose registry begins anew.
    let beginning = answering(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        match begun.elapsed() < Duration::from_secs(2) {
            true => "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n".to_owned(),
            false => reply("200 OK", "", "some"),
        }
    });
    assert_eq!(pull(&client(), &remote(beginning, "v1"), b"some").unwrap(), b"some");
    assert!(asked.load(Ordering::SeqCst) <= 5, "{asked:?}");
}
