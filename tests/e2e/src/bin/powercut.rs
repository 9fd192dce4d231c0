//! `powercut LOG IMAGE CHECK`: replays onto the file IMAGE what dm-log-writes recorded in LOG, and after each flush runs the line
//! of shell CHECK, for which the power went out just then. CHECK finds in IMAGE.marks the marks up to there, one a line. Cuts
//! before the mark `begin` are passed over. Prints how many there were; ends with 1 at the first CHECK that fails.
//!
//! The log holds what was certain to be on the disk: a write that no flush followed is not in it.
//! Source: Documentation/admin-guide/device-mapper/log-writes.rst and drivers/md/dm-log-writes.c of Linux.
#![expect(clippy::print_stdout, reason = "this is a program, and that is how it answers")]
#![expect(clippy::disallowed_methods, reason = "the check is the test's own line of shell")]

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, ExitCode};

/// What the log's first sector begins with.
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
const MARK: u64 = 8;

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [log, image, check] = &args[..] else {
        println!("usage: powercut LOG IMAGE CHECK");
        return Ok(ExitCode::from(2));
    };
    let mut log = Log::open(log)?;
    let disk = File::options().write(true).open(image)?;
    let mut marks: Vec<String> = Vec::new();
    let mut cuts = 0;
    while let Some(entry) = log.next()? {
        match entry.what {
            What::Mark(text) => marks.push(text),
            What::Discard => {}
            What::Write(bytes) => disk.write_all_at(&bytes, entry.at)?,
        }
        if !entry.is_flush || !marks.iter().any(|mark| mark == "begin") {
            continue;
        }
        cuts += 1;
        fs::write(format!("{image}.marks"), marks.join("\n") + "\n")?;
        if !Command::new("sh").args(["-ec", check]).status()?.success() {
            println!("cut {cuts} after {:?}", marks.last());
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("{cuts}");
    io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

struct Entry {
    /// Where on the disk, in bytes.
    at: u64,
    what: What,
    is_flush: bool,
}

enum What {
    Write(Vec<u8>),
    Discard,
    Mark(String),
}

struct Log {
    file: BufReader<File>,
    left: u64,
    sector: u64,
}

impl Log {
    fn open(path: &str) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let (magic, version, left) = (number(&mut file)?, number(&mut file)?, number(&mut file)?);
        let mut size = [0; 4];
        file.read_exact(&mut size)?;
        if magic != MAGIC || version != 1 {
            return Err(io::Error::other(format!(
                "this is no log of dm-log-writes: {magic:x} {version}"
            )));
        }
        let sector = u64::from(u32::from_le_bytes(size));
        file.seek(SeekFrom::Start(sector))?;
        Ok(Self { file, left, sector })
    }

    fn next(&mut self) -> io::Result<Option<Entry>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let begun = self.file.stream_position()?;
        let mut next = || number(&mut self.file);
        let (at, sectors, flags, inline) = (next()?, next()?, next()?, next()?);
        let mut mark = vec![0; usize::try_from(inline.min(self.sector)).unwrap_or_default()];
        self.file.read_exact(&mut mark)?;
        self.file.seek(SeekFrom::Start(begun + self.sector))?;
        let what = if flags & MARK != 0 {
            What::Mark(String::from_utf8_lossy(&mark).trim_end_matches('\0').to_owned())
        } else if flags & DISCARD != 0 {
            What::Discard
        } else {
            let mut bytes =
                vec![0; usize::try_from(sectors * self.sector).map_err(io::Error::other)?];
            self.file.read_exact(&mut bytes)?;
            What::Write(bytes)
        };
        Ok(Some(Entry { at: at * self.sector, what, is_flush: flags & (FLUSH | FUA) != 0 }))
    }
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
