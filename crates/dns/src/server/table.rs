//! The table as it is now: read when the server begins, and again by a thread whenever another file has its name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::{self, Receiver, Sender};
use volt_host::files;
use volt_host::watch::{Change, FolderWatch};
use volt_model::dns::{MAX_TABLE, Table};

/// How long the kernel is waited for at a time.
const LONG: Duration = Duration::from_secs(3600);

/// Reads the table, and from now on every other one.
pub(super) fn watch(path: &Path) -> files::Result<Receiver<Arc<Table>>> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    // Watched before it is read, so that no change is missed.
    let changes = FolderWatch::new(&[folder])?;
    let (to, from) = watch::channel(Arc::new(read(path).unwrap_or_default()));
    let path = path.to_owned();
    let begun = std::thread::Builder::new().name("table".into());
    begun
        .spawn(move || follow(&path, &changes, &to))
        .map_err(|e| files::Error::new("watch", PathBuf::from("table"), e))?;
    Ok(from)
}

fn follow(path: &Path, changes: &FolderWatch, to: &Sender<Arc<Table>>) {
    let own = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let touched = |change: &Change| match change {
        Change::Appeared { name, .. } | Change::Gone { name, .. } => name == own,
        Change::Renamed { from, to, .. } => from == own || to == own,
    };
    loop {
        match changes.next(LONG) {
            Ok(all) if all.iter().any(touched) => {
                if let Some(table) = read(path)
                    && to.send(Arc::new(table)).is_err()
                {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "changes of the table can't be seen");
                return;
            }
        }
    }
}

/// The table; an empty one where there is none, and nothing where it is wrong.
fn read(path: &Path) -> Option<Table> {
    match files::read_json(path, MAX_TABLE) {
        Ok(table) => Some(table),
        Err(error) if error.is_not_found() => Some(Table::default()),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "the table stays as it was");
            None
        }
    }
}
