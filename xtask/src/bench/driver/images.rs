//! Images of others: an OCI layout of a Debian root taken apart, by ours and by what people use for that. Each side has nothing of the
//! image before, and what it wrote is on disk when the clock stops.

use std::path::Path;

use super::clock::{alternate, busy, run, sized, time};
use super::large;
use super::stores::{PLACE, begin, folder, minimal, next};
use crate::bench::samples::Samples;
use crate::run::{Result, fail};

/// Where the peers' packages are.
const PACKAGES: &str = "/root/images";
/// The layout that all take.
const LAYOUT: &str = "/var/lib/machines/bench/stores/layout";

const OURS: &str = "volt --root $S image import $L x; sync -f $P";
const UMOCI: &str = "mkdir $S; skopeo copy --quiet oci:$L:debian oci:$S/copy:x; umoci unpack --image $S/copy:x $S/bundle; sync -f $P";
const PODMAN: &str = "podman --root $S pull --quiet oci:$L:debian; sync -f $P";

/// Measures all of it.
pub(super) fn all(pairs: usize) -> Result<Vec<Samples>> {
    install()?;
    begin(pairs)?;
    layout(pairs)?;
    let sample = |line: &str| {
        next()?;
        time(|| shell(line))
    };
    let mut figures = vec![
        alternate("oci-umoci", pairs, || sample(OURS), || sample(UMOCI))?,
        alternate("oci-podman", pairs, || sample(OURS), || sample(PODMAN))?,
    ];
    figures.extend(or_why(layers(pairs).map(|figure| vec![figure]), &["cores-import"]));
    figures.extend(or_why(roots(pairs), &["root", "root-links", "root-image"]));
    figures.extend(or_why(
        large::memory(pairs).map(|most| vec![alone("memory-image", vec![most])]),
        &["memory-image"],
    ));
    run(&["rm", "-rf", PLACE])?;
    Ok(figures)
}

fn install() -> Result<()> {
    if !Path::new(PACKAGES).exists() {
        return fail("the packages of skopeo, umoci and podman could not be fetched");
    }
    if !Path::new("/usr/bin/umoci").exists() {
        let storage = format!("{PLACE}/../images");
        let text = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{storage}\"\nrunroot = \"/run/containers/storage\"\n"
        );
        crate::cache::write(Path::new("/etc/containers/storage.conf"), text)?;
        run(&["sh", "-c", &format!("dpkg --install --force-confold {PACKAGES}/*.deb")])?;
    }
    Ok(())
}

/// Makes the layout. What it is made of stays to the end: right behind what removes many files others are slow.
fn layout(pairs: usize) -> Result<()> {
    minimal(pairs, Path::new(&format!("{PLACE}/tree")))?;
    shell("volt image import $P/tree debian")?;
    shell("volt image export --format oci --compress gzip --file $P/layout.tar debian")?;
    shell("mkdir $L; tar xf $P/layout.tar -C $L")?;
    // The name by which the peers find the image in it.
    shell(
        "sed -i 's/\"org.opencontainers.image.ref.name\": *\"[^\"]*\"/\"org.opencontainers.image.ref.name\":\"debian\"/' $L/index.json",
    )
}

/// What was measured, or why not: the other figures are there all the same.
fn or_why(measured: Result<Vec<Samples>>, figures: &[&str]) -> Vec<Samples> {
    measured.unwrap_or_else(|why| {
        figures.iter().map(|figure| Samples::none(figure, why.to_string())).collect()
    })
}

/// A figure without a peer.
fn alone(figure: &str, ours: Vec<f64>) -> Samples {
    Samples { figure: figure.to_owned(), ours, ..Samples::default() }
}

/// An image of several layers, which may be unpacked at once.
fn layers(pairs: usize) -> Result<Samples> {
    shell("umoci init --layout $P/layers; umoci new --image $P/layers:x")?;
    for folder in sized(pairs, ["/usr/bin", "/usr/lib", "/usr/share"], ["/etc", "/etc", "/etc"]) {
        shell(&format!("umoci insert --image $P/layers:x {folder} {folder}"))?;
    }
    let one = || {
        next()?;
        busy(|| shell("volt --root $S image import $P/layers x"))
    };
    one()?;
    Ok(alone("cores-import", (0..pairs).map(|_| one()).collect::<Result<_>>()?))
}

/// As the unit does that prepares a container; undone each time.
fn roots(pairs: usize) -> Result<Vec<Samples>> {
    let words = ["volt", "container", "create", "--name", "rooted", "--network", "none"];
    run(&[&words[..], &["debian", "/bin/true"]].concat())?;
    let one = || {
        let took = time(|| shell("volt internal prepare rooted"))?;
        shell("volt internal release rooted")?;
        Ok(took)
    };
    let several = |first: &str| {
        let one = || shell(first).and_then(|()| one());
        // The first reads all of the image, as after a boot.
        one()?;
        (0..pairs * 2).map(|_| one()).collect::<Result<Vec<f64>>>()
    };
    let form =
        |name: &str| crate::cache::write(Path::new("/run/volt/root-form"), format!("{name}\n"));
    // What this host can do; a host that can make no images has none of the others.
    let usual = several(":")?;
    shell("volt cas verify")?;
    let made = several("rm -f /var/lib/volt/cas/roots/*.erofs; sync -f $P")?;
    form("links")?;
    let links = several(":")?;
    form("")?;
    run(&["volt", "container", "delete", "rooted"])?;
    Ok(vec![alone("root", usual), alone("root-links", links), alone("root-image", made)])
}

fn shell(line: &str) -> Result<()> {
    run(&[
        "sh",
        "-ec",
        &line.replace("$P", PLACE).replace("$L", LAYOUT).replace("$S", &folder("sample")),
    ])
}
