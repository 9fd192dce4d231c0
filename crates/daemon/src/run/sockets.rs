//! Where the daemon listens: on the sockets that systemd hands over, or on one that it makes.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;
use volt_api::Problem;
use volt_host::notify;
use volt_model::kind::ErrorKind;

/// What the daemon listens on.
#[derive(Debug)]
pub(super) struct Sockets {
    /// One for each socket.
    pub(super) listeners: Vec<StdListener>,
    /// The socket that this process made and so has to remove.
    pub(super) own: Option<PathBuf>,
}

impl Sockets {
    /// Takes the sockets that systemd hands over; none where it hands over none.
    pub(super) fn inherited() -> Result<Option<Self>, Problem> {
        let fds = notify::listen_fds()
            .map_err(|e| trouble("The sockets that systemd hands over can't be taken", &e))?;
        let listeners: Vec<_> =
            fds.into_iter().map(|socket| StdListener::from(socket.fd)).collect();
        Ok((!listeners.is_empty()).then_some(Self { listeners, own: None }))
    }

    /// Refuses where somebody listens already: to make a socket of that name would take it from them.
    pub(super) fn check_free(path: &Path) -> Result<(), Problem> {
        match StdStream::connect(path) {
            Ok(_) => {
                let title = format!("Somebody serves {} already", path.display());
                Err(Problem::new(ErrorKind::Conflict, title).hinted(
                    "With volt.socket, systemd starts the daemon by itself; `systemctl status volt.socket` shows it",
                ))
            }
            Err(_) => Ok(()),
        }
    }

    /// Makes the socket; its mode says who may connect, and what they may do is decided by who they are. Only for the one who holds the
    /// daemon's lock: what lies there is a dead daemon's.
    pub(super) fn bind(path: &Path, mode: u32) -> Result<Self, Problem> {
        let title = || format!("The socket {} can't be made", path.display());
        if let Err(error) = std::fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(trouble(&title(), &error));
        }
        let listener = StdListener::bind(path).map_err(|e| trouble(&title(), &e))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .map_err(|e| trouble(&title(), &e))?;
        Ok(Self { listeners: vec![listener], own: Some(path.to_owned()) })
    }

    /// The listeners for the runtime that this is called in.
    pub(super) fn listen(self) -> Result<Vec<UnixListener>, Problem> {
        let all = self.listeners.into_iter().map(|listener| {
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        });
        all.collect::<io::Result<_>>().map_err(|e| trouble("The socket can't be listened on", &e))
    }
}

pub(super) fn trouble(title: &str, error: &(dyn std::error::Error + 'static)) -> Problem {
    Problem::new(ErrorKind::General, title).because(error)
}
