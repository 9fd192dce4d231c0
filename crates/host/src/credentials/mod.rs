//! Encrypting small secrets with the host's key and its TPM, as systemd does it (`systemd-creds`). What is secret goes through pipes
//! alone: it is in no argument, variable or file.

use crate::command::{Command, Error};
use std::time::Duration;

/// How long a TPM may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The most that comes out, in bytes: the largest secret in base64, with what it is encrypted with.
const MOST: usize = 4 << 20;

/// Encrypts a secret: with the TPM too where the host has one. It is under no name, so that units may load it under any.
pub fn encrypt(secret: &[u8]) -> Result<Vec<u8>, Error> {
    let key = if has_tpm2() { "host+tpm2" } else { "host" };
    let output = Command::new("systemd-creds")
        .args(["encrypt", "--quiet", &format!("--with-key={key}"), "--name=", "-", "-"])
        .input(secret)
        .stdout_limit(MOST)
        .time_limit(LIMIT)
        .output()?;
    Ok(output.stdout)
}

/// Decrypts what was encrypted on this host, under this name or under none.
pub fn decrypt(name: &str, credential: &[u8]) -> Result<Vec<u8>, Error> {
    let output = Command::new("systemd-creds")
        .args(["decrypt", "--quiet", &format!("--name={name}"), "-", "-"])
        .input(credential)
        .stdout_limit(MOST)
        .time_limit(LIMIT)
        .output()?;
    Ok(output.stdout)
}

/// Whether the host has a TPM that firmware, driver and system all know.
fn has_tpm2() -> bool {
    let asked = Command::new("systemd-creds").arg("has-tpm2").time_limit(LIMIT).output_any_status();
    asked.is_ok_and(|said| said.status.success())
}
