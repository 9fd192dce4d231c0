//! A large image: an OCI archive whose one layer is many files and some with holes, so that little of it is ever on disk; and the most
//! memory that its import has.

use std::io::{self, Write};
use std::process::Stdio;

use super::clock::{command, run, sized};
use super::stores::{PLACE, peak};
use crate::run::{Failure, Result, fail, program};

/// Compresses the archive that is its input, and hashes it.
const PACK: &str = "
mkdir -p $P/large/blobs/sha256; cd $P/large; mkfifo hashed
sha256sum < hashed > plain & tee hashed | zstd --quiet -1 > layer; wait; rm hashed
";

/// Makes an archive of an OCI layout of that layer.
const WRAP: &str = r#"
cd $P/large
blob() { size=$(stat -c %s $1); digest=$(sha256sum $1 | cut -d ' ' -f 1); mv $1 blobs/sha256/$digest; }
described() { printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s}' $1 $digest $size; }
blob layer; layer=$(described layer.v1.tar+zstd)
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' $(cut -d ' ' -f 1 plain) > config
blob config; rm plain
printf '{"schemaVersion":2,"config":%s,"layers":[%s]}' "$(described config.v1+json)" "$layer" > manifest
blob manifest
printf '{"schemaVersion":2,"manifests":[%s]}' "$(described manifest.v1+json)" > index.json
printf '{"imageLayoutVersion":"1.0.0"}' > oci-layout
tar -cf ../large.oci .
"#;

/// The size of a small file, in bytes.
const SMALL: usize = 256 << 10;
/// How much of each is its own: the rest compresses, but not so that it looks like a bomb.
const OWN: usize = 1024;
/// How many files with holes there are.
const HOLLOW: u64 = 5;

/// The most memory of such an import, in MiB: half of its 10 GiB are small files, half are holes.
pub(super) fn memory(pairs: usize) -> Result<f64> {
    layer(sized(pairs, 10 << 30, 20 << 20))?;
    shell(WRAP)?;
    let (archive, store) = (format!("{PLACE}/large.oci"), format!("{PLACE}/volt"));
    run(&["rm", "-rf", &store, &format!("{PLACE}/large")])?;
    let words = ["volt", "--root", &store, "image", "import", &archive, "large"];
    let most = peak(&mut command(&words).spawn()?)?;
    run(&["rm", "-rf", &store, &archive])?;
    Ok(most)
}

/// Makes the layer, whose files have so much in them.
fn layer(size: u64) -> Result<()> {
    let mut pack = program("sh").args(["-ec", &PACK.replace("$P", PLACE)]);
    pack.command().stdin(Stdio::piped());
    let mut pack = pack.spawn()?;
    let Some(mut to) = pack.stdin.take() else { return fail("nothing takes the archive") };
    let written = files(&mut to, size).map_err(|error| Failure(error.to_string()));
    drop(to);
    let ended = pack.wait().map_err(|error| Failure(error.to_string()))?;
    written?;
    if ended.success() { Ok(()) } else { fail(format!("the archive could not be packed: {ended}")) }
}

fn files(to: &mut impl Write, size: u64) -> io::Result<()> {
    let mut state = 1_u64;
    let mut small = vec![b'x'; SMALL];
    for number in 0..size / 2 / SMALL as u64 {
        for chunk in small[..OWN].chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes());
        }
        header(to, &format!("small/{}/{number}", number % 100), SMALL as u64)?;
        to.write_all(&small)?;
    }
    let nothing = vec![0; 1 << 20];
    for number in 0..HOLLOW {
        let pieces = size / 2 / HOLLOW / nothing.len() as u64;
        header(to, &format!("hollow{number}"), pieces * nothing.len() as u64)?;
        (0..pieces).try_for_each(|_| to.write_all(&nothing))?;
    }
    to.write_all(&[0; 1024])
}

fn header(to: &mut impl Write, path: &str, size: u64) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_path(path)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    to.write_all(header.as_bytes())
}

fn shell(line: &str) -> Result<()> {
    run(&["sh", "-ec", &line.replace("$P", PLACE)])
}
