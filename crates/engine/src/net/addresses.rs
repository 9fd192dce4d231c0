//! Who has which address: one table in `var/lib/volt/volt.db`, for workloads of every kind.
//!
//! What is given out is a number in a network, from which the addresses follow. It stays its workload's while that exists, and is
//! kept for whoever gets the name next until all others are taken. The table forbids what must never be: one number twice.
//!
//! The journal is a file beside the database, not a write-ahead log: each of Volt's processes opens it for one transaction, and any user
//! may read it.

use crate::error::{Error, Result};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use std::path::Path;
use std::time::Duration;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Network, ip_of, number_of, numbers};

/// How long a command sleeps before it asks again whether another one's transaction is over, and how often it asks. SQLite's own way is to sleep
/// ever longer, up to a tenth of a second, while a transaction takes milliseconds.
const PAUSE: Duration = Duration::from_millis(1);
const MOST: i32 = 30_000;

fn is_worth_waiting(asked: i32) -> bool {
    std::thread::sleep(PAUSE);
    asked < MOST
}

/// The tables, by the version that `user_version` counts.
const SCHEMA: &str = "
CREATE TABLE address (
    network  TEXT NOT NULL,
    workload TEXT NOT NULL,
    number   INTEGER NOT NULL CHECK (number > 1),
    held     INTEGER NOT NULL CHECK (held IN (0, 1)),
    changed  INTEGER NOT NULL,
    PRIMARY KEY (network, workload),
    UNIQUE (network, number)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;";

/// The table, open.
#[derive(Debug)]
pub(crate) struct Addresses {
    database: Connection,
}

/// A number that a workload holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) network: Name,
    pub(crate) workload: Name,
    pub(crate) number: u32,
}

impl Addresses {
    /// Opens the table for changes; makes it where there is none, with what those have by then who are connected: it may have been lost.
    pub(crate) fn open(path: &Path, known: &dyn Fn() -> Vec<Held>) -> Result<Self> {
        let mut database = Connection::open(path).map_err(failed)?;
        database.busy_handler(Some(is_worth_waiting)).map_err(failed)?;
        let version: i64 = database
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|error| unreadable(path, error))?;
        match version {
            1 => {}
            0 => make(&mut database, &known()).map_err(failed)?,
            _ => {
                let title = "The database of addresses was written by another version of Volt";
                return Err(Error::new(ErrorKind::InvalidConfig, title).about(&path.display()));
            }
        }
        Ok(Self { database })
    }

    /// Opens it for looking only; none where there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut database = Connection::open_with_flags(path, flags).map_err(failed)?;
        database.busy_handler(Some(is_worth_waiting)).map_err(failed)?;
        Ok(Some(Self { database }))
    }

    /// The number that a workload has in a network.
    pub(crate) fn number(&self, network: &Name, workload: &Name) -> Result<Option<u32>> {
        self.database
            .query_row(
                "SELECT number FROM address WHERE network = ?1 AND workload = ?2 AND held = 1",
                params![network.as_str(), workload.as_str()],
                |row| row.get(0),
            )
            .optional()
            .map_err(failed)
    }

    /// All numbers that workloads hold, sorted by network and number.
    pub(crate) fn held(&self) -> Result<Vec<Held>> {
        let sql =
            "SELECT network, workload, number FROM address WHERE held = 1 ORDER BY network, number";
        let mut statement = self.database.prepare(sql).map_err(failed)?;
        let rows = statement
            .query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?))
            })
            .map_err(failed)?;
        let mut all = Vec::new();
        for row in rows {
            let (network, workload, number) = row.map_err(failed)?;
            if let (Ok(network), Ok(workload)) = (network.parse(), workload.parse()) {
                all.push(Held { network, workload, number });
            }
        }
        Ok(all)
    }

    /// Gives a workload a number in a network: the one that it has, else the one that it wants, else the one that it had, else the first
    /// that nobody had, else the one that nobody has for the longest.
    ///
    /// # Errors
    /// `Conflict` for a wanted number that somebody has, `Resource` where all are taken.
    pub(crate) fn claim(
        &mut self,
        network: &Network,
        workload: &Name,
        wanted: Option<u32>,
    ) -> Result<u32> {
        let change = self.change()?;
        let number = choose(&change, network, workload, wanted)?;
        // Whoever had it before and has the name no more.
        change
            .execute(
                "DELETE FROM address WHERE network = ?1 AND number = ?2 AND workload <> ?3",
                params![network.name.as_str(), number, workload.as_str()],
            )
            .map_err(failed)?;
        change
            .execute(
                "INSERT INTO address VALUES (?1, ?2, ?3, 1, unixepoch())
                 ON CONFLICT (network, workload) DO UPDATE SET number = ?3, held = 1, changed = unixepoch()",
                params![network.name.as_str(), workload.as_str(), number],
            )
            .map_err(failed)?;
        change.commit().map_err(failed)?;
        Ok(number)
    }

    /// Keeps a number that nobody holds for whoever wants that one: who wants any is given it last.
    pub(crate) fn keep(&mut self, network: &Name, number: u32) -> Result<()> {
        // No workload is called so.
        let (network, nobody) = (network.as_str(), format!("kept {number}"));
        let change = self.change()?;
        let kept = "SELECT 1 FROM address WHERE network = ?1 AND number = ?2 AND (held = 1 OR workload = ?3)";
        let mut kept = change.prepare(kept).map_err(failed)?;
        if kept.exists(params![network, number, nobody]).map_err(failed)? {
            return Ok(());
        }
        drop(kept);
        change
            .execute(
                "INSERT OR REPLACE INTO address VALUES (?1, ?3, ?2, 0, unixepoch())",
                params![network, number, nobody],
            )
            .map_err(failed)?;
        change.commit().map_err(failed)
    }

    /// Takes back what a workload has, in one network or all.
    pub(crate) fn give_back(&mut self, workload: &Name, network: Option<&Name>) -> Result<()> {
        self.run(
            "UPDATE address SET held = 0, changed = unixepoch()
             WHERE workload = ?1 AND held = 1 AND (?2 IS NULL OR network = ?2)",
            params![workload.as_str(), network.map(Name::as_str)],
        )
    }

    /// Passes what `from` has to `to`.
    pub(crate) fn pass(&mut self, from: &Name, to: &Name) -> Result<()> {
        let change = self.change()?;
        let sql = [
            "DELETE FROM address WHERE workload = ?2 AND held = 0 AND network IN
                 (SELECT network FROM address WHERE workload = ?1 AND held = 1)",
            "UPDATE address SET workload = ?2, changed = unixepoch() WHERE workload = ?1 AND held = 1",
        ];
        for sql in sql {
            change.execute(sql, params![from.as_str(), to.as_str()]).map_err(failed)?;
        }
        change.commit().map_err(failed)
    }

    /// Forgets all numbers of a network.
    pub(crate) fn forget(&mut self, network: &Name) -> Result<()> {
        self.run("DELETE FROM address WHERE network = ?1", params![network.as_str()])
    }

    fn run(&mut self, sql: &str, values: impl rusqlite::Params) -> Result<()> {
        self.database.execute(sql, values).map(drop).map_err(failed)
    }

    fn change(&mut self) -> Result<Transaction<'_>> {
        self.database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)
    }
}

fn make(database: &mut Connection, known: &[Held]) -> rusqlite::Result<()> {
    let change = database.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Somebody else may have made them meanwhile.
    let version: i64 = change.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == 0 {
        change.execute_batch(SCHEMA)?;
        for one in known {
            let values = params![one.network.as_str(), one.workload.as_str(), one.number];
            change.execute(
                "INSERT OR IGNORE INTO address VALUES (?1, ?2, ?3, 1, unixepoch())",
                values,
            )?;
        }
    }
    change.commit()
}

fn choose(
    change: &Transaction<'_>,
    network: &Network,
    workload: &Name,
    wanted: Option<u32>,
) -> Result<u32> {
    let mut statement = change
        .prepare("SELECT number, workload, held, changed FROM address WHERE network = ?1 ORDER BY number")
        .map_err(failed)?;
    let rows = statement
        .query_map(params![network.name.as_str()], |row| {
            Ok(Row {
                number: row.get(0)?,
                workload: row.get(1)?,
                held: row.get(2)?,
                changed: row.get(3)?,
            })
        })
        .map_err(failed)?;
    let rows: Vec<Row> = rows.collect::<rusqlite::Result<_>>().map_err(failed)?;
    if let Some(wanted) = wanted {
        let holder = rows.iter().find(|row| row.number == wanted && row.held);
        return match holder.filter(|row| row.workload != workload.as_str()) {
            Some(row) => Err(taken(network, wanted, &row.workload)),
            None => Ok(wanted),
        };
    }
    let range = numbers(network.subnet);
    if let Some(own) = rows.iter().find(|row| row.workload == workload.as_str())
        && range.contains(&own.number)
    {
        return Ok(own.number);
    }
    // The rows are sorted, so the first number that is not the next one's is free.
    let mut next = *range.start();
    for row in &rows {
        if row.number > next {
            break;
        }
        next = next.max(row.number + 1);
    }
    if range.contains(&next) {
        return Ok(next);
    }
    let oldest = rows.iter().filter(|row| !row.held).min_by_key(|row| row.changed);
    oldest.map(|row| row.number).ok_or_else(|| full(network))
}

struct Row {
    number: u32,
    workload: String,
    held: bool,
    changed: i64,
}

fn taken(network: &Network, number: u32, holder: &str) -> Error {
    let ip = ip_of(network.subnet, number);
    Error::new(ErrorKind::Conflict, format!("The address {ip} is {holder}'s"))
        .about(&network.name)
        .hinted(format!("`volt net inspect {}` shows who has which", network.name))
}

fn full(network: &Network) -> Error {
    let size = numbers(network.subnet).count();
    let title = format!("All {size} addresses of the network {} are taken", network.name);
    Error::new(ErrorKind::Resource, title)
        .about(&network.name)
        .hinted("Remove containers that are not needed, or make a network with a larger --subnet")
}

/// The number of an address that was asked for.
pub(crate) fn wanted_number(network: &Network, ip: std::net::Ipv4Addr) -> Result<u32> {
    number_of(network.subnet, ip).ok_or_else(|| {
        let title = format!("{ip} is no address for a member of {}", network.name);
        Error::new(ErrorKind::Usage, title)
            .about(&network.name)
            .hinted(format!("Its subnet is {}; the first address is the host's", network.subnet))
    })
}

/// The same of a file that may be no such database.
fn unreadable(path: &Path, error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::NotADatabase) {
        return failed(error);
    }
    let title = format!("{} is not the database of addresses", path.display());
    Error::new(ErrorKind::General, title)
        .about(&path.display())
        .because(error)
        .hinted("Move it away; volt system check --repair writes down again what those have who are connected")
}

fn failed(error: rusqlite::Error) -> Error {
    let full = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    let kind = if full { ErrorKind::Resource } else { ErrorKind::General };
    Error::new(kind, "The database of addresses can't be used").because(error)
}
