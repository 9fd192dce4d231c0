//! Who the caller is at registries, by the files that `login` has written, ours and that of others; and writing them.

use crate::ctx::Ctx;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use volt_api::Problem;
use volt_api::operations::ConfigGetOp;
use volt_api::types::{ConfigKey, Nothing, RegistryAccount};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::registry::{
    Account, Credentials, DOCKER, Helper, Remote, with_account, without_account,
};

/// The largest file that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// The account for an image, where there is one.
///
/// # Errors
/// When a file that is there can't be read.
pub(crate) async fn of(ctx: &Ctx, image: &str) -> Result<Option<RegistryAccount>, Problem> {
    // Whoever is asked says what is wrong with the name.
    let Ok(name) = image.parse::<ImageRef>() else { return Ok(None) };
    let mut all = Credentials::default();
    for path in files() {
        all.extend(credentials(&path)?);
    }
    if all.is_empty() {
        return Ok(None);
    }
    let mut remote = Remote::of(&name, "");
    if remote.host.is_empty() {
        remote = Remote::of(&name, &short_registry(ctx).await);
    }
    let whose = RegistryAccount { registry: remote.host.clone(), ..RegistryAccount::default() };
    let account = all.account(&remote.host, &remote.repository).cloned();
    let account = account.or_else(|| kept(ctx, &all, &remote.host));
    Ok(account.map(|account| match account {
        Account::Password { user, password } => RegistryAccount { user, password, ..whose },
        Account::Identity(identity_token) => RegistryAccount { identity_token, ..whose },
    }))
}

/// The account that a program keeps which a file names. One that fails is no reason not to ask as nobody.
fn kept(ctx: &Ctx, all: &Credentials, host: &str) -> Option<Account> {
    let Helper { program, server } = all.helper(host)?;
    match (ctx.embed.ask)(&[&program, "get"], &server) {
        Ok((0, answer)) => {
            let account = Account::kept(&answer);
            if account.is_none() {
                ctx.out.warn(&format!("{program} has answered with no account for {host}"));
            }
            account
        }
        // That there is none is an answer too.
        Ok((_, said)) => {
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            if !said.contains("credentials not found") {
                ctx.out.warn(&format!("{program} has failed for {host}: {said}"));
            }
            None
        }
        Err(error) => {
            ctx.out.warn(&format!("{program} can't be asked for {host}: {error}"));
            None
        }
    }
}

/// The registry that names without one mean, as whoever is asked has it configured.
pub(crate) async fn short_registry(ctx: &Ctx) -> String {
    let key = ConfigKey { key: "image.registry".to_owned() };
    let value = ctx.call::<ConfigGetOp>(&key, &Nothing {}).await.ok();
    let text = value.and_then(|value| value.value.as_str().map(str::to_owned));
    text.unwrap_or_else(|| DOCKER.to_owned())
}

/// Keeps an account: in the file that has one for the registry already, else in the user's own. Says in which.
///
/// # Errors
/// When the file can't be read or written.
pub(crate) fn keep(registry: &str, user: &str, password: &str) -> Result<PathBuf, Problem> {
    let mut path = None;
    for file in files() {
        // An account for a part of the registry is another one.
        let found = credentials(&file)?;
        if found.has(registry) {
            path = Some(file);
            break;
        }
    }
    let path = path.map_or_else(own_file, Ok)?;
    let with = with_account(&bytes(&path)?, registry, (user, password));
    write(&path, &with.map_err(|error| unreadable(&path, &error))?)?;
    Ok(path)
}

/// Takes the accounts for a registry out of every file. Says out of which.
///
/// # Errors
/// When a file can't be read or written.
pub(crate) fn forget(registry: &str) -> Result<Vec<PathBuf>, Problem> {
    let mut changed = Vec::new();
    for path in files() {
        let without = without_account(&bytes(&path)?, registry);
        if let Some(without) = without.map_err(|error| unreadable(&path, &error))? {
            write(&path, &without)?;
            changed.push(path);
        }
    }
    Ok(changed)
}

/// The registries that there are accounts for.
pub(crate) fn registries() -> Vec<String> {
    let mut all = Credentials::default();
    for found in files().iter().filter_map(|path| credentials(path).ok()) {
        all.extend(found);
    }
    all.places().map(str::to_owned).collect()
}

/// Those of containers-auth.json(5), then Docker's.
fn files() -> Vec<PathBuf> {
    let runtime = variable("XDG_RUNTIME_DIR");
    let docker =
        variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
    [
        variable("REGISTRY_AUTH_FILE"),
        runtime.map(|dir| dir.join("containers/auth.json")),
        configured(),
        docker.map(|dir| dir.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The file of a user who has none yet: one that lasts, and that the other tools read.
fn own_file() -> Result<PathBuf, Problem> {
    variable("REGISTRY_AUTH_FILE").or_else(configured).ok_or_else(|| {
        Problem::new(ErrorKind::Usage, "There is no place for the account: HOME is not set")
            .hinted("Name a file: REGISTRY_AUTH_FILE=PATH volt login ...")
    })
}

fn configured() -> Option<PathBuf> {
    let dir = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")))?;
    Some(dir.join("containers/auth.json"))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn credentials(path: &Path) -> Result<Credentials, Problem> {
    let bytes = bytes(path)?;
    if bytes.trim_ascii().is_empty() {
        return Ok(Credentials::default());
    }
    Credentials::parse(&bytes).map_err(|error| unreadable(path, &error))
}

/// What is in a file; nothing where there is none.
fn bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut bytes)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unreadable(path, &error)),
        _ => Ok(bytes),
    }
}

fn unreadable(path: &Path, error: &dyn std::error::Error) -> Problem {
    let title = format!("The accounts in {} can't be read", path.display());
    Problem::new(ErrorKind::InvalidConfig, title).because(error)
}

/// Puts bytes in the place of a file that only its owner may read. Where it is a link, in the place of what that leads to.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    use std::os::unix::fs::DirBuilderExt as _;
    let written = || {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().unwrap_or(Path::new("/"));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // A temporary file is the owner's alone.
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        draft.write_all(bytes)?;
        draft.as_file().sync_all()?;
        draft.persist(&path).map(drop).map_err(|error| error.error)
    };
    written().map_err(|error: io::Error| {
        let title = format!("The account can't be kept in {}", path.display());
        Problem::new(ErrorKind::General, title).because(&error)
    })
}
