//! The binary as a person types it, over an installation of its own below a temporary root. No systemd, no containers: that is
//! the end-to-end tests' part.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as tests do")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test stands outside of Volt and runs it as a person would"
)]

use std::fs::File;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// An empty installation.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn volt(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_volt"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("VOLT_") {
                command.env_remove(name);
            }
        }
        command.arg("--root").arg(self.0.path()).args(words).stdin(Stdio::null());
        command
    }

    /// Standard output of a command that succeeds.
    fn ok(&self, words: &[&str]) -> String {
        let output = self.volt(words).output().unwrap();
        assert!(output.status.success(), "volt {words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Standard error of a command that ends with this code.
    fn fails(&self, code: i32, words: &[&str]) -> String {
        said(code, self.volt(words).output().unwrap())
    }
}

fn said(code: i32, output: Output) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn output_that_can_not_be_written_is_an_error() {
    let place = Place::new();
    place.ok(&["volume", "create", "data"]);
    let commands: [&[&str]; 8] = [
        &["volume", "list"],
        &["volume", "list", "-o", "json"],
        &["config", "show"],
        &["system", "info"],
        &["completion", "bash"],
        &["version", "-o", "json"],
        &["help"],
        &["ps", "--help"],
    ];
    for words in commands {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = said(1, place.volt(words).stdout(full).output().unwrap());
        assert!(error.contains("Standard output can't be written"), "{words:?}: {error}");
        assert!(error.contains("No space left"), "{words:?}: {error}");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut plain = Command::new(env!("CARGO_BIN_EXE_volt"));
    said(1, plain.arg("version").env_remove("VOLT_OUTPUT").stdout(full).output().unwrap());
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let place = Place::new();
    place.ok(&["volume", "create", "data"]);
    for words in [&["volume", "list"][..], &["completion", "bash"], &["version", "-o", "json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(said(0, place.volt(words).stdout(writer).output().unwrap()), "", "{words:?}");
    }
}

#[test]
fn errors_say_which_installation_was_meant() {
    let place = Place::new();
    let error = place.fails(3, &["volume", "inspect", "nothing"]);
    assert!(error.contains("There is no volume named nothing"), "{error}");
    assert!(error.contains(place.0.path().to_str().unwrap()), "{error}");
}

#[test]
fn words_that_mean_nothing_are_refused_with_the_nearest() {
    let place = Place::new();
    for (words, wanted) in [
        (&["events", "--kind", "contaner"][..], "container"),
        (&["ps", "--kind", "contaner"], "container"),
        (&["logs", "-n", "-5", "web"], "write a whole number, 0 or more"),
        (&["stop", "-t", "-5", "web"], "write a whole number from 0"),
        (&["image", "export", "--compress", "zst", "x"], "zstd"),
    ] {
        let error = place.fails(2, words);
        assert!(error.contains(wanted), "{words:?}: {error}");
    }
}

#[test]
fn the_configuration_file_that_is_named_must_be_there() {
    let place = Place::new();
    for words in
        [&["--config", "/no/such.yaml", "ps"][..], &["--config", "/no/such.yaml", "config", "show"]]
    {
        let error = place.fails(12, words);
        assert!(error.contains("/no/such.yaml"), "{words:?}: {error}");
    }
}

#[test]
fn a_value_is_checked_before_it_is_written() {
    let place = Place::new();
    assert!(place.fails(12, &["config", "set", "image.max_size", "0"]).contains("above 0"));
    assert!(place.fails(12, &["config", "set", "image.mirror", "x"]).contains("http://"));
    let file = place.0.path().join("etc/volt/config.yaml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "# ours\nimage:\n  max_size: 0\n").unwrap();
    let error = place.fails(12, &["config", "show"]);
    assert!(error.contains(file.to_str().unwrap()) && error.contains("line 3"), "{error}");
}

#[test]
fn what_was_edited_is_not_thrown_away() {
    let place = Place::new();
    let spool = tempfile::tempdir().unwrap();
    let mut edit = place.volt(&["config", "edit"]);
    edit.env("TMPDIR", spool.path()).env_remove("VISUAL");
    let error = said(12, edit.env("EDITOR", "cp /proc/version").output().unwrap());
    let kept = error.split("is kept in ").nth(1).unwrap().lines().next().unwrap();
    assert!(std::fs::read_to_string(kept).unwrap().contains("Linux"), "{error}");
}

#[test]
fn a_stream_ends_quietly_by_a_signal() {
    let place = Place::new();
    let events = place.volt(&["events"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let events = events.unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    Command::new("kill").args(["-INT", &events.id().to_string()]).status().unwrap();
    assert_eq!(said(13, events.wait_with_output().unwrap()), "");
}
