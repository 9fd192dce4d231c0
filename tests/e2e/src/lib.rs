//! Driving a test host as a person would: type `volt`, then ask `systemctl`, `machinectl`, `journalctl` and `ip`.
//!
//! The host is reached through `cargo xtask host exec`, whose binary the test runner names in `VOLT_XTASK`. A test says by its
//! macro where it runs: [`on_hosts!`] (tier 2, both suites) or [`on_vms!`] (tier 3, both suites).

mod terminal;

pub use terminal::Terminal;

use serde_json::Value;
use std::fmt;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Makes a test of one body for each suite of Debian, on hosts in namespaces.
#[macro_export]
macro_rules! on_hosts {
    ($(#[$attribute:meta])* fn $name:ident($host:ident) $body:block) => {
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing of its file")]
            use super::*;

            fn body($host: &$crate::Host) $body

            $(#[$attribute])*
            #[test]
            fn t2_trixie() {
                body(&$crate::Witness($crate::Host::shared("trixie")));
            }

            $(#[$attribute])*
            #[test]
            fn t2_bookworm() {
                body(&$crate::Witness($crate::Host::shared("bookworm")));
            }
        }
    };
}

/// Makes a test of one body for each suite of Debian, on hosts with a kernel of their own.
#[macro_export]
macro_rules! on_vms {
    ($(#[$attribute:meta])* fn $name:ident($host:ident) $body:block) => {
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing of its file")]
            use super::*;

            fn body($host: &$crate::Host) $body

            $(#[$attribute])*
            #[test]
            fn t3_trixie() {
                body(&$crate::Witness($crate::Host::shared("vm-trixie")));
            }

            $(#[$attribute])*
            #[test]
            fn t3_bookworm() {
                body(&$crate::Witness($crate::Host::shared("vm-bookworm")));
            }
        }
    };
}

/// A test host.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
}

/// What a command on a host did.
#[derive(Clone)]
#[must_use = "say what the command should have done: .ok(), .fails(code)"]
pub struct Output {
    command: String,
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "$ {}\nexit code {}\n--- stdout\n{}\n--- stderr\n{}",
            self.command, self.code, self.stdout, self.stderr
        )
    }
}

impl Output {
    /// Standard output without its last newline, of a command that must have succeeded.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "it failed: {self:?}");
        self.stdout.trim_end_matches('\n').to_owned()
    }

    /// Standard output as JSON, of a command that must have succeeded.
    ///
    /// # Panics
    /// When it failed or wrote something else.
    #[track_caller]
    pub fn json(self) -> Value {
        assert_eq!(self.code, 0, "it failed: {self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// Standard error of a command that must have failed with this code.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "it should have failed with {code}: {self:?}");
        self.stderr
    }
}

/// For how long a test with chance in it is to go on, where `cargo xtask soak` runs it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the runner says it so")]
pub fn soak_seconds() -> Option<u64> {
    std::env::var("VOLT_SOAK_SECONDS").ok()?.parse().ok()
}

/// Says what a soak came to; the runner passes it on.
#[expect(clippy::print_stderr, reason = "the runner shows it")]
pub fn tell_soaked(text: &str) {
    if soak_seconds().is_some() {
        text.lines().for_each(|line| eprintln!("soaked: {line}"));
    }
}

impl Host {
    /// The host of that name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// The host that the tests of a kind share; its name begins with `VOLT_E2E_HOSTS` (`e2e`), as the runner's.
    #[must_use]
    pub fn shared(kind: &str) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the runner tells by it which hosts are its own"
        )]
        let first = std::env::var("VOLT_E2E_HOSTS").unwrap_or_else(|_| "e2e".into());
        Self { name: format!("{first}-{kind}") }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a program on the host, as root.
    pub fn run(&self, words: &[&str]) -> Output {
        self.run_with(words, b"")
    }

    /// Runs a program on the host with something on its standard input.
    ///
    /// # Panics
    /// When the host can't be reached.
    pub fn run_with(&self, words: &[&str], input: &[u8]) -> Output {
        self.tell(words);
        self.run_untold(words, input)
    }

    /// Writes down what is run, and when: a test that is ended because it hangs shows where.
    #[expect(
        clippy::print_stderr,
        reason = "the runner keeps it, and shows that of tests that fail"
    )]
    fn tell(&self, words: &[&str]) {
        static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
        eprintln!("[{:>6.1} s] {}$ {}", BEGUN.elapsed().as_secs_f64(), self.name, words.join(" "));
    }

    /// Writes down what the host's journal says of the last seconds. What its kernel says of bridges and mounts, of all test hosts, would
    /// bury it.
    #[expect(clippy::print_stderr, reason = "the runner shows it")]
    fn tell_journal(&self) {
        let since = ["journalctl", "--since=-20s", "--no-pager", "--output=short-precise"];
        let said = self.run_untold(&since, b"");
        let lines: Vec<&str> =
            said.stdout.lines().filter(|line| !line.contains(" kernel: ")).collect();
        let last = lines.len().saturating_sub(150);
        eprintln!("--- the journal of {}", self.name);
        for line in [&lines[last..], &[&said.stderr]].concat() {
            eprintln!("{line}");
        }
    }

    fn run_untold(&self, words: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("xtask runs");
        let mut stdin = child.stdin.take().expect("it was piped");
        let input = input.to_vec();
        // A program that reads nothing closes its end; that is no failure of the test.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("xtask ends");
        writer.join().expect("the writer does not panic");
        Output {
            command: words.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The command that runs a program on the host, for a test that wants to hold it itself.
    ///
    /// # Panics
    /// When no runner has named the xtask binary.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test stands outside of Volt and runs what a person would"
    )]
    pub fn command(&self, words: &[&str]) -> Command {
        let xtask = std::env::var("VOLT_XTASK")
            .expect("e2e tests are run by `cargo xtask test`, which sets VOLT_XTASK");
        let mut command = Command::new(xtask);
        command.args(["host", "exec", &self.name, "--"]).args(words);
        command
    }

    /// A host of the same kind and suite for this test alone: one that it may mask, reboot or fill.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn private(&self, purpose: &str) -> PrivateHost {
        self.up(&format!("{}-{purpose}", self.name), "--no-build")
    }

    /// A host in namespaces with the same suite, for what takes a VM too long.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn in_namespaces(&self, purpose: &str) -> PrivateHost {
        self.up(&format!("{}-{purpose}", self.name.replace("-vm-", "-")), "--no-build")
    }

    /// The same as [`Host::private`], as a machine that never saw Volt.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn private_without_volt(&self, purpose: &str) -> PrivateHost {
        self.up(&format!("{}-{purpose}", self.name), "--no-volt")
    }

    fn up(&self, name: &str, volt: &str) -> PrivateHost {
        let host = Self::named(name);
        let mut words = vec!["host", "up", &host.name, "--suite", self.suite(), volt];
        if name.contains("-vm-") {
            words.push("--vm");
        }
        // A test that failed leaves its host to be looked at.
        drop(xtask_command().args(["host", "down", &host.name]).output());
        xtask(&words);
        PrivateHost(Witness(host))
    }

    /// `trixie` or `bookworm`.
    #[must_use]
    pub fn suite(&self) -> &'static str {
        if self.name.contains("bookworm") { "bookworm" } else { "trixie" }
    }

    /// Copies a file of this machine to the host.
    ///
    /// # Panics
    /// When it can't be.
    pub fn put(&self, file: &str, path: &str) {
        xtask(&["host", "copy", file, &format!("{}:{path}", self.name)]);
    }

    /// Copies a file of the host to this machine.
    ///
    /// # Panics
    /// When it can't be.
    pub fn get(&self, path: &str, file: &str) {
        xtask(&["host", "copy", &format!("{}:{path}", self.name), file]);
    }

    /// Stops the host's PID 1 and boots the host again.
    ///
    /// # Panics
    /// When it doesn't come up again.
    pub fn reboot(&self) {
        xtask(&["host", "reboot", &self.name]);
    }

    /// Runs `volt` with these words.
    pub fn volt(&self, words: &[&str]) -> Output {
        self.run(&[&["volt"], words].concat())
    }

    /// Runs a line of shell.
    pub fn sh(&self, line: &str) -> Output {
        self.run(&["sh", "-c", line])
    }

    /// Sees that nothing is there of these paths; each may have stars.
    ///
    /// # Panics
    /// When something is.
    #[track_caller]
    pub fn gone(&self, paths: &[&str]) {
        // `ls` itself fails as soon as one of them is missing.
        let output = self.sh(&format!("ls -d {} 2> /dev/null", paths.join(" ")));
        assert_eq!(output.stdout, "", "still there");
    }

    /// Waits until a line of shell succeeds.
    ///
    /// # Panics
    /// When it has not within `limit`.
    #[track_caller]
    pub fn until(&self, limit: Duration, line: &str) {
        let deadline = Instant::now() + limit;
        let words = ["sh", "-c", line];
        self.tell(&[&["until"], &words[..]].concat());
        loop {
            let output = self.run_untold(&words, b"");
            if output.code == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "not within {limit:?}: {output:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes sure the small image `tiny` (a static busybox) is there.
    pub fn tiny(&self) {
        self.image("tiny", "/srv/images/tiny.tar");
    }

    /// Makes sure the image `debian` (a minbase root of the host's own suite) is there.
    pub fn debian(&self) {
        self.image("debian", &format!("/srv/images/debian-{}.tar", self.suite()));
    }

    /// Makes sure the image `system` (a Debian of the host's own suite that boots) is there.
    pub fn system(&self) {
        self.image("system", &format!("/srv/images/system-{}.tar", self.suite()));
    }

    fn image(&self, name: &str, archive: &str) {
        if self.volt(&["image", "inspect", name, "-o", "json"]).code != 0 {
            let output = self.sh(&format!("volt image import {archive} {name}"));
            // Tests run side by side: another one may have been first.
            assert!(matches!(output.code, 0 | 4 | 9), "{output:?}");
        }
    }

    /// A container that is removed when the test ends, however it ends.
    #[must_use]
    pub fn container(&self, name: &str) -> Container {
        drop(self.volt(&["container", "delete", "--force", name]));
        self.container_as_it_is(name)
    }

    /// The same for one that is there already.
    #[must_use]
    pub fn container_as_it_is(&self, name: &str) -> Container {
        Container { host: self.clone(), name: name.to_owned() }
    }
}

/// A host that is taken away when the test ends.
#[derive(Debug)]
pub struct PrivateHost(Witness);

impl std::ops::Deref for PrivateHost {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.0
    }
}

impl Drop for PrivateHost {
    fn drop(&mut self) {
        // A test that panics leaves its host, so that it can be looked at; the next run of the test takes it away.
        if !std::thread::panicking() {
            xtask(&["host", "down", &self.0.name]);
        }
    }
}

/// A host that shows the end of its journal when the test panics: where nobody can look at the host afterwards, it is all there is.
#[derive(Debug)]
pub struct Witness(pub Host);

impl std::ops::Deref for Witness {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.0
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.tell_journal();
        }
    }
}

/// One of the house's own tasks, for a test that wants to hold it itself.
///
/// # Panics
/// When no runner has named the xtask binary.
#[expect(
    clippy::disallowed_methods,
    reason = "a test stands outside of Volt and runs what a person would"
)]
#[must_use]
pub fn xtask_command() -> Command {
    Command::new(
        std::env::var("VOLT_XTASK")
            .expect("e2e tests are run by `cargo xtask test`, which sets VOLT_XTASK"),
    )
}

/// Runs a line of shell on this machine, which must succeed, and returns its standard output.
///
/// # Panics
/// When it doesn't.
#[track_caller]
pub fn here(line: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test stands outside of Volt and runs what a person would"
    )]
    let output = Command::new("sh").args(["-c", line]).stdin(Stdio::null()).output();
    let output = output.expect("there is a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}\n{text}");
    text.trim_end().to_owned()
}

/// Runs one of the house's own tasks, which must succeed.
///
/// # Panics
/// When it doesn't.
#[track_caller]
pub fn xtask(words: &[&str]) {
    let output = xtask_command().args(words).stdin(Stdio::null()).output().expect("xtask runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo xtask {}: {said}", words.join(" "));
}

/// Removes a container when the test ends.
#[derive(Debug)]
pub struct Container {
    host: Host,
    /// What it is called.
    pub name: String,
}

impl Container {
    /// What `volt container inspect` says of it.
    #[must_use]
    #[track_caller]
    pub fn inspect(&self) -> Value {
        self.host.volt(&["container", "inspect", &self.name, "-o", "json"]).json()
    }

    /// Its state in plain words.
    #[must_use]
    #[track_caller]
    pub fn state(&self) -> String {
        self.inspect()["state"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.host.volt(&["container", "delete", "--force", &self.name]));
    }
}
