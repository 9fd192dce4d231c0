//! What every command gets: the global options, the printer, the API.
//!
//! The API is connected to on the first question, so a command that asks none needs no server.

use crate::cli::Global;
use crate::connect::{self, Choice};
use crate::embed::Embed;
use crate::output::Printer;
use crate::progress::Progressing;
use bytes::Bytes;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OnceCell, watch};
use volt_api::client::UploadBody;
use volt_api::{Operation, Problem};
use volt_model::kind::ErrorKind;

/// How long the server inside this process gets to finish what it does when the command ends.
const FINISH: Duration = Duration::from_secs(20);

/// Signals that follow each other within this time are one wish to end: `timeout` signals its command and then its group, a
/// terminal's shell may do the same.
const ONE_WISH: Duration = Duration::from_millis(300);

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Ctx {
    /// The global options.
    pub(crate) global: Global,
    /// Prints.
    pub(crate) out: Printer,
    /// What the binary lends.
    pub(crate) embed: Embed,
    choice: OnceCell<Choice>,
    /// How many of the command's parts take signals themselves at this moment.
    forwarding: AtomicUsize,
    endless: AtomicBool,
    put_off: watch::Sender<usize>,
    made: OnceLock<Made>,
}

/// A container that the command has made on its way.
#[derive(Debug)]
pub(crate) struct Made {
    /// Its name.
    pub(crate) name: String,
    /// Whether it goes when it has ended.
    pub(crate) auto_remove: bool,
}

impl Ctx {
    /// A context from the options.
    pub(crate) fn new(global: Global, embed: Embed) -> Self {
        let out = Printer::new(&global);
        Self {
            global,
            out,
            embed,
            choice: OnceCell::new(),
            forwarding: AtomicUsize::new(0),
            endless: AtomicBool::new(false),
            put_off: watch::Sender::new(0),
            made: OnceLock::new(),
        }
    }

    /// The API, connected to on first use.
    pub(crate) async fn choice(&self) -> Result<&Choice, Problem> {
        let choose = || async {
            let choice = connect::choose(&self.global, &self.embed).await?;
            if self.global.config.is_some() && !choice.is_embedded() {
                self.out.warn("--config is not heeded: a daemon has its own configuration");
            }
            if self.global.debug {
                self.out.note(&format!("debug: asking {}", choice.place));
            }
            Ok(choice)
        };
        self.choice.get_or_try_init(choose).await
    }

    async fn allowed<O: Operation>(&self) -> Result<&Choice, Problem> {
        let choice = self.choice().await?;
        if self.global.debug {
            self.out.note(&format!("debug: {} {}", O::INFO.method, O::INFO.path));
        }
        Ok(choice)
    }

    /// Asks for an operation of shape `Plain`.
    pub(crate) async fn call<O: Operation>(
        &self,
        params: &O::Params,
        body: &O::Body,
    ) -> Result<O::Reply, Problem> {
        self.allowed::<O>().await?.client.call::<O>(params, body).await
    }

    /// Asks for an operation of shape `Progress` and shows how it goes.
    pub(crate) async fn progress<O: Operation>(
        &self,
        params: &O::Params,
        body: &O::Body,
    ) -> Result<O::Reply, Problem> {
        let choice = self.allowed::<O>().await?;
        let mut shown = Progressing::new(&self.out);
        choice.client.progress::<O>(params, body, |step| shown.show(&step)).await
    }

    /// Asks for an operation of shape `Progress` and shows each of its steps on a line of its own.
    pub(crate) async fn steps<O: Operation>(
        &self,
        params: &O::Params,
        body: &O::Body,
    ) -> Result<O::Reply, Problem> {
        let choice = self.allowed::<O>().await?;
        let mut shown = Progressing::lines(&self.out);
        choice.client.progress::<O>(params, body, |step| shown.show(&step)).await
    }

    /// Asks for an operation of shape `UploadProgress` and shows how it goes; `total` bytes are sent, where that is known.
    pub(crate) async fn upload_progress<O: Operation>(
        &self,
        params: &O::Params,
        body: UploadBody,
        total: Option<u64>,
    ) -> Result<O::Reply, Problem> {
        let choice = self.allowed::<O>().await?;
        let mut shown = Progressing::new(&self.out).expecting(total);
        choice.client.upload_progress::<O>(params, body, |step| shown.show(&step)).await
    }

    /// Asks for an operation of shape `Upload`.
    pub(crate) async fn upload<O: Operation>(
        &self,
        params: &O::Params,
        body: UploadBody,
    ) -> Result<O::Reply, Problem> {
        self.allowed::<O>().await?.client.upload::<O>(params, body).await
    }

    /// Asks for an operation of shape `Download`.
    pub(crate) async fn download<O: Operation>(
        &self,
        params: &O::Params,
        on: impl FnMut(Bytes) -> io::Result<()> + Send,
    ) -> Result<(), Problem> {
        match self.allowed::<O>().await?.client.download::<O>(params, on).await {
            // The printer knows why, and whether that is an error.
            Err(_) if self.out.is_broken() => Ok(()),
            other => other,
        }
    }

    /// Asks for an operation of shape `Lines`.
    pub(crate) async fn lines<O: Operation>(
        &self,
        params: &O::Params,
        on: impl FnMut(O::Reply) -> bool + Send,
    ) -> Result<(), Problem> {
        self.allowed::<O>().await?.client.lines::<O>(params, on).await
    }

    /// Asks for an operation of shape `Events`.
    pub(crate) async fn events<O: Operation>(
        &self,
        params: &O::Params,
        on: impl FnMut(O::Reply) -> bool + Send,
    ) -> Result<(), Problem> {
        self.allowed::<O>().await?.client.events::<O>(params, on).await
    }

    /// Asks for an operation of shape `Stream`.
    pub(crate) async fn stream<O: Operation>(
        &self,
        params: &O::Params,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<O>, Problem> {
        self.allowed::<O>().await?.client.stream::<O>(params).await
    }

    /// What people have to know of whoever answered to understand an error; nothing where that is clear.
    pub(crate) fn remark(&self) -> Option<String> {
        self.choice.get().and_then(|choice| choice.place.remark())
    }

    /// The command has made this container, which stays where it is interrupted.
    pub(crate) fn has_made(&self, container: Made) {
        self.made.get_or_init(|| container);
    }

    /// What it has made.
    pub(crate) fn made(&self) -> Option<&Made> {
        self.made.get()
    }

    /// While the guard lives, an interrupt waits.
    pub(crate) fn put_signals_off(&self) -> PutOff<'_> {
        self.put_off.send_modify(|count| *count += 1);
        PutOff { ctx: self }
    }

    /// From here on the command goes on until somebody ends it: then a signal is the usual end and not worth a word.
    pub(crate) fn ends_by_signal(&self) {
        self.endless.store(true, Ordering::Relaxed);
    }

    /// Whether a signal is the usual end of what the command does.
    pub(crate) fn is_endless(&self) -> bool {
        self.endless.load(Ordering::Relaxed)
    }

    /// While the guard lives, signals are the command's own business: it passes them on.
    pub(crate) fn forward_signals(&self) -> Forwarding<'_> {
        self.forwarding.fetch_add(1, Ordering::Relaxed);
        Forwarding { ctx: self }
    }

    /// Returns when a signal wants the command to end. They are listened to from this call on, not from the first time that somebody
    /// waits: a question that was asked before would leave them to the kernel.
    pub(crate) fn interrupted(&self) -> impl Future<Output = Problem> {
        let kinds =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        self.heard(kinds)
    }

    async fn heard(&self, kinds: [io::Result<Signal>; 3]) -> Problem {
        let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds else {
            // Without handlers the kernel ends the process, which is as good.
            return std::future::pending().await;
        };
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        };
        loop {
            next().await;
            if self.forwarding.load(Ordering::Relaxed) == 0 {
                break;
            }
        }
        let first = Instant::now();
        let insist = async {
            while first.elapsed() < ONE_WISH {
                next().await;
            }
        };
        let mut put_off = self.put_off.subscribe();
        tokio::select! {
            _ = put_off.wait_for(|count| *count == 0) => {}
            // A second one doesn't wait.
            () = insist => {}
        }
        Problem::new(ErrorKind::Interrupted, "Interrupted")
    }

    /// Lets the server inside this process finish or undo what it was doing; a second signal ends the wait.
    pub(crate) async fn finish(&self) {
        if self.choice.get().is_some_and(Choice::is_embedded) {
            let finished = tokio::time::timeout(FINISH, (self.embed.finish)());
            tokio::select! {
                _ = finished => {}
                _ = self.interrupted() => {}
            }
        }
    }
}

/// See [`Ctx::put_signals_off`].
#[derive(Debug)]
pub(crate) struct PutOff<'a> {
    ctx: &'a Ctx,
}

impl Drop for PutOff<'_> {
    fn drop(&mut self) {
        self.ctx.put_off.send_modify(|count| *count -= 1);
    }
}

/// See [`Ctx::forward_signals`].
#[derive(Debug)]
pub(crate) struct Forwarding<'a> {
    ctx: &'a Ctx,
}

impl Drop for Forwarding<'_> {
    fn drop(&mut self) {
        self.ctx.forwarding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The user's configuration folder.
pub(crate) fn xdg_config() -> PathBuf {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// The user's folder for data.
pub(crate) fn xdg_data() -> PathBuf {
    xdg("XDG_DATA_HOME", ".local/share")
}

fn xdg(name: &str, otherwise: &str) -> PathBuf {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute(name).unwrap_or_else(|| absolute("HOME").unwrap_or_else(|| "/".into()).join(otherwise))
}
