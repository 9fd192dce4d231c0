//! Who the caller is at registries, by the files that others' `login` has written.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use volt_api::Problem;
use volt_api::types::RegistryAccount;
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::registry::{Account, Credentials, DOCKER, Remote};

/// The largest file that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// The account for an image, where there is one.
///
/// # Errors
/// When a file that is there can't be read.
pub(super) fn of(image: &str) -> Result<Option<RegistryAccount>, Problem> {
    // Whoever is asked says what is wrong with the name.
    let Ok(name) = image.parse::<ImageRef>() else { return Ok(None) };
    let remote = Remote::of(&name, DOCKER);
    let mut all = Credentials::default();
    for path in files() {
        all.extend(read(&path)?);
    }
    // Where a name without a registry means another one, that one is not shown the account of Docker's.
    let whose = RegistryAccount { registry: remote.host.clone(), ..RegistryAccount::default() };
    Ok(all.account(&remote.host, &remote.repository).cloned().map(|account| match account {
        Account::Password { user, password } => RegistryAccount { user, password, ..whose },
        Account::Identity(identity_token) => RegistryAccount { identity_token, ..whose },
    }))
}

/// Those of containers-auth.json(5), then Docker's.
fn files() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = variable("HOME");
    let below = |dir: &Option<PathBuf>, path: &str| dir.as_ref().map(|dir| dir.join(path));
    let runtime = variable("XDG_RUNTIME_DIR");
    let config = variable("XDG_CONFIG_HOME").or(below(&home, ".config"));
    let docker = variable("DOCKER_CONFIG").or(below(&home, ".docker"));
    [
        variable("REGISTRY_AUTH_FILE"),
        below(&runtime, "containers/auth.json"),
        below(&config, "containers/auth.json"),
        below(&docker, "config.json"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn read(path: &Path) -> Result<Credentials, Problem> {
    let wrong = |error: &dyn std::error::Error| {
        let title = format!("The accounts in {} can't be read", path.display());
        Problem::new(ErrorKind::InvalidConfig, title).because(error)
    };
    let mut bytes = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Credentials::default()),
        other => other.map_err(|error| wrong(&error))?,
    };
    Credentials::parse(&bytes).map_err(|error| wrong(&error))
}
