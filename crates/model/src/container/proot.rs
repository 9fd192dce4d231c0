//! How proot is called, for a unit and without one. Rendered only; what proot can't do is refused elsewhere.

use super::unit::{INIT, SHOWN};
use std::path::{Path, PathBuf};

/// Where the folder that a container sees of Volt is in it.
pub const INSIDE: &str = "/run/.volt";
/// What a container has of the host, which proot can't give it otherwise.
pub const OF_HOST: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What is mounted of a container.
#[derive(Clone, Debug)]
pub struct Traced<'a> {
    /// Its root.
    pub root: &'a Path,
    /// The run folder, of which it sees [`SHOWN`].
    pub run: &'a Path,
    /// The static init.
    pub init: &'a Path,
    /// What else it sees, [`OF_HOST`] too: where that is, and where it is to be.
    pub binds: Vec<(PathBuf, String)>,
    /// Have all files seem root's, where root is not who runs it.
    pub seem_root: bool,
}

impl Traced<'_> {
    /// proot by its path, with all that is mounted, and init.
    #[must_use]
    pub fn words(&self, proot: &Path) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        // Its remarks on every process that ends by a signal are nobody's; errors it says all the same.
        let mut all = vec![text(proot), "--verbose=-1".into(), "-r".into(), text(self.root)];
        if self.seem_root {
            all.push("-0".into());
        }
        let mut bind = |what: String| all.extend(["-b".into(), what]);
        for (source, target) in &self.binds {
            bind(format!("{}:{target}", text(source)));
        }
        bind(format!("{}:{INSIDE}", text(&self.run.join(SHOWN))));
        bind(format!("{}:{INIT}", text(self.init)));
        all.extend(["-w".into(), "/".into(), INIT.into()]);
        all
    }
}
