//! Sending blobs, several at once.

use crate::Progress;
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use volt_model::kind::ErrorKind;
use volt_model::registry::Remote;
use volt_registry::{Client, Outgoing, Told};
use volt_store::{ReadyBlob, at_once};

/// How many blobs are sent at the same time.
const AT_ONCE: usize = 4;

/// A blob, and where else the registry may have it.
pub(crate) struct Parcel<'a> {
    /// The blob.
    pub(crate) blob: &'a ReadyBlob,
    /// Another repository of the same registry.
    pub(crate) from: Option<String>,
}

/// How much had to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that were sent.
    pub bytes: u64,
    /// Bytes of what the registry had.
    pub present: u64,
}

/// Sends what the registry lacks.
pub(crate) fn send(
    client: &Client,
    remote: &Remote,
    parcels: &[Parcel<'_>],
    progress: &dyn Progress,
) -> Result<Sent> {
    progress.step("Uploading");
    let total: u64 = parcels.iter().map(|parcel| parcel.blob.size).sum();
    let done: Arc<Vec<AtomicU64>> = Arc::new(parcels.iter().map(|_| AtomicU64::new(0)).collect());
    let (next, is_over) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let sent = Mutex::new(Sent::default());
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(parcel) = parcels.get(number) else { return Ok(()) };
            let told: Told = {
                let (done, is_over) = (Arc::clone(&done), Arc::clone(&is_over));
                Arc::new(move |at| {
                    done[number].store(at, Ordering::Relaxed);
                    !is_over.load(Ordering::Relaxed)
                })
            };
            if is_over.load(Ordering::Relaxed) {
                return Err(volt_registry::Error::Cancelled.into());
            }
            let one = send_one(client, remote, parcel, told)
                .inspect_err(|_| is_over.store(true, Ordering::Relaxed))?;
            done[number].store(parcel.blob.size, Ordering::Relaxed);
            let mut all = sent.lock().unwrap_or_else(PoisonError::into_inner);
            match one {
                true => all.bytes += parcel.blob.size,
                false => all.present += parcel.blob.size,
            }
        }
    };
    let mut look = || {
        if progress.cancelled() {
            is_over.store(true, Ordering::Relaxed);
        }
        progress.bytes(done.iter().map(|at| at.load(Ordering::Relaxed)).sum(), Some(total));
    };
    let gave_up = |error: &Error| error.kind == ErrorKind::Interrupted;
    match at_once(AT_ONCE.min(parcels.len()), &work, &mut look, gave_up) {
        Some(error) => Err(error),
        None => Ok(*sent.lock().unwrap_or_else(PoisonError::into_inner)),
    }
}

fn send_one(client: &Client, remote: &Remote, parcel: &Parcel<'_>, told: Told) -> Result<bool> {
    let Parcel { blob, from } = parcel;
    let digest = crate::image::blob_digest(&blob.digest)?;
    let open = |at| blob.source.open(at);
    let from = from.as_deref();
    let outgoing = Outgoing { digest: &digest, size: blob.size, from, open: &open, told };
    Ok(client.push_blob(remote, &outgoing)?)
}
