//! What `container create` and `run` take alike, and the limits that `container update` takes too.

use crate::commands::health::flags::HealthFlags;
use crate::complete;
use crate::number::{seconds, whole};
use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use volt_api::Problem;
use volt_api::types::{ContainerCreate, Limits, LimitsChange};
use volt_model::kind::ErrorKind;
use volt_model::limits::DeviceRate;
use volt_model::mount::{Bind, Tmpfs};
use volt_model::net::{BitRate, Publish};
use volt_model::secret::SecretMount;
use volt_model::size::Bytes;

/// Parses by a type of the model and keeps the text, which is what travels.
pub(crate) fn checked<T: FromStr>(text: &str) -> Result<String, T::Err> {
    text.parse::<T>().map(|_| text.to_owned())
}

/// `2` or `1.5` CPUs as per cent of one.
fn cpus(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no number of CPUs: write 2 or 1.5");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.len() < 7 && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let hundredths: u32 = format!("{fraction:0<2}")[..2].parse().map_err(|_| wrong())?;
    match whole.checked_mul(100).and_then(|n| n.checked_add(hundredths)) {
        Some(percent @ 1..) => Ok(percent),
        _ => Err(wrong()),
    }
}

/// `KEY=VALUE`, or `KEY` alone for an empty value.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err(format!("`{text}` has no key: write KEY=VALUE"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// A limit, or `none`.
#[derive(Clone, Debug)]
struct Bound<T>(Option<T>);

/// Parses a limit by `parse`; `none` and `unlimited` are no limit.
fn bound<T, E: std::fmt::Display>(
    parse: impl Fn(&str) -> Result<T, E> + Clone + Send + Sync,
) -> impl Fn(&str) -> Result<Bound<T>, String> + Clone + Send + Sync {
    move |text| match text {
        "none" | "unlimited" => Ok(Bound(None)),
        _ => parse(text).map(|value| Bound(Some(value))).map_err(|e| e.to_string()),
    }
}

fn percent(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no number of per cent: write 50 or 200");
    text.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)
}

fn weight(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no weight: write a number from 1 to 10000");
    text.parse().ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(wrong)
}

/// Resource limits. Each takes `none` too, which takes it away.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits (none is no limit)")]
pub(crate) struct LimitFlags {
    /// Memory, such as 512M
    #[arg(long, short, value_name = "SIZE", value_parser = bound(checked::<Bytes>))]
    memory: Option<Bound<String>>,
    /// Swap beside the memory, such as 1G
    #[arg(long, value_name = "SIZE", value_parser = bound(checked::<Bytes>))]
    memory_swap: Option<Bound<String>>,
    /// CPU time in per cent of one CPU; 200 is two CPUs
    #[arg(long, value_name = "PERCENT", value_parser = bound(percent))]
    cpu: Option<Bound<u32>>,
    /// The same as a number of CPUs, such as 1.5
    #[arg(long, value_name = "NUMBER", value_parser = bound(cpus), conflicts_with = "cpu")]
    cpus: Option<Bound<u32>>,
    /// Share of the CPU against others, 1 to 10000
    #[arg(long, value_name = "WEIGHT", value_parser = bound(weight))]
    cpu_weight: Option<Bound<u64>>,
    /// Processes and threads
    #[arg(long, value_name = "NUMBER", value_parser = bound(whole::<u64>(1..=u64::MAX)))]
    pids: Option<Bound<u64>>,
    /// Share of I/O against others, 1 to 10000
    #[arg(long, value_name = "WEIGHT", value_parser = bound(weight))]
    io_weight: Option<Bound<u64>>,
    /// Bytes read from a device a second, such as /dev/vda:10M
    #[arg(long, value_name = "DEVICE:RATE", value_parser = bound(checked::<DeviceRate>))]
    io_read_bps: Vec<Bound<String>>,
    /// Bytes written to a device a second
    #[arg(long, value_name = "DEVICE:RATE", value_parser = bound(checked::<DeviceRate>))]
    io_write_bps: Vec<Bound<String>>,
    /// Reads from a device a second
    #[arg(long, value_name = "DEVICE:RATE", value_parser = bound(checked::<DeviceRate>))]
    io_read_iops: Vec<Bound<String>>,
    /// Writes to a device a second
    #[arg(long, value_name = "DEVICE:RATE", value_parser = bound(checked::<DeviceRate>))]
    io_write_iops: Vec<Bound<String>>,
    /// Bits received and sent a second on each of its networks, such as 100mbit
    #[arg(long, value_name = "RATE", value_parser = bound(checked::<BitRate>))]
    rate: Option<Bound<String>>,
}

impl LimitFlags {
    /// The limits of what is new, as they travel.
    pub(crate) fn limits(self) -> Limits {
        let list =
            |rates: Vec<Bound<String>>| rates.into_iter().filter_map(|rate| rate.0).collect();
        Limits {
            memory: self.memory.and_then(|bound| bound.0),
            memory_swap: self.memory_swap.and_then(|bound| bound.0),
            cpu: self.cpu.or(self.cpus).and_then(|bound| bound.0),
            cpu_weight: self.cpu_weight.and_then(|bound| bound.0),
            pids: self.pids.and_then(|bound| bound.0),
            io_weight: self.io_weight.and_then(|bound| bound.0),
            io_read_bps: list(self.io_read_bps),
            io_write_bps: list(self.io_write_bps),
            io_read_iops: list(self.io_read_iops),
            io_write_iops: list(self.io_write_iops),
            rate: self.rate.and_then(|bound| bound.0),
        }
    }

    /// What to change of the limits there are, as it travels.
    pub(crate) fn change(self) -> LimitsChange {
        // Of devices the whole list is changed; `none` alone empties it.
        let list = |rates: Vec<Bound<String>>| match rates.is_empty() {
            true => None,
            false => {
                let rates: Vec<String> = rates.into_iter().filter_map(|rate| rate.0).collect();
                Some(Some(rates).filter(|rates| !rates.is_empty()))
            }
        };
        LimitsChange {
            memory: self.memory.map(|bound| bound.0),
            memory_swap: self.memory_swap.map(|bound| bound.0),
            cpu: self.cpu.or(self.cpus).map(|bound| bound.0),
            cpu_weight: self.cpu_weight.map(|bound| bound.0),
            pids: self.pids.map(|bound| bound.0),
            io_weight: self.io_weight.map(|bound| bound.0),
            io_read_bps: list(self.io_read_bps),
            io_write_bps: list(self.io_write_bps),
            io_read_iops: list(self.io_read_iops),
            io_write_iops: list(self.io_write_iops),
            rate: self.rate.map(|bound| bound.0),
        }
    }
}

/// What a new container is to be.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CreateFlags {
    /// What to call it; made from the image's name where nothing is said
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Keep standard input open
    #[arg(long, short)]
    pub(crate) interactive: bool,
    /// Give the command a terminal
    #[arg(long, short)]
    pub(crate) tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    pub(crate) rm: bool,
    /// Set an environment variable; NAME alone takes this environment's value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    env_file: Vec<PathBuf>,
    /// Who runs the command
    #[arg(long, short, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Where the command starts
    #[arg(long, short, value_name = "DIR")]
    workdir: Option<String>,
    /// The host name inside
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// The entrypoint, in place of the image's
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// Boot the image's own init
    #[arg(long, overrides_with = "no_boot")]
    boot: bool,
    /// Run a command although the image boots
    #[arg(long, overrides_with = "boot")]
    no_boot: bool,
    /// Connect it to a network [default: volt0, or what container.network says]; none leaves it its own loopback alone, host shares the host's, container:NAME that of another container
    #[arg(long, value_name = "NETWORK[:ip=ADDRESS][:mac=ADDRESS][:alias=NAME]", add = ArgValueCompleter::new(complete::networks))]
    network: Vec<String>,
    /// The address that it is to have in the first network
    #[arg(long, value_name = "ADDRESS", requires = "network")]
    ip: Option<Ipv4Addr>,
    /// Let a port of the host lead to one of the container, or as many to as many; any free one where none is said
    #[arg(long, short, value_name = "[HOST_IP:][HOST:]CONTAINER[/udp]", value_parser = checked::<Publish>)]
    publish: Vec<String>,
    /// Open the published ports even where the host's own firewall closes them
    #[arg(long, requires = "publish")]
    expose: bool,
    /// Mount a volume or a folder of the host
    #[arg(long, short, value_name = "SOURCE:TARGET[:ro]")]
    volume: Vec<String>,
    /// Mount a memory file system
    #[arg(long, value_name = "TARGET[:size=SIZE]", value_parser = checked::<Tmpfs>)]
    tmpfs: Vec<String>,
    /// Give it a secret, as /run/secrets/NAME where nothing else is said
    #[arg(long, value_name = "NAME[,target=PATH][,uid=N][,gid=N][,mode=0440]", value_parser = checked::<SecretMount>, add = ArgValueCompleter::new(complete::secrets))]
    secret: Vec<String>,
    /// Make the root read-only
    #[arg(long)]
    read_only: bool,
    /// Add a capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Take a capability away
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// The syscall filter: default or unconfined
    #[arg(long, value_name = "FILTER")]
    seccomp: Option<String>,
    /// When to start it again: no, on-failure[:N], always or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// The signal that asks the command to end
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds between that signal and the kill
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    stop_timeout: Option<u32>,
    /// Limit what each process may use, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
    /// Attach a label
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// What runs it: systemd or proot
    #[arg(long, value_name = "BACKEND")]
    backend: Option<String>,
    /// The image, or stellarium:// and a tree of the store
    #[arg(value_name = "IMAGE", add = ArgValueCompleter::new(complete::images))]
    pub(crate) image: String,
    /// The command and its arguments, in place of the image's
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
    // Last, for their headings hold for all that follows them.
    #[command(flatten)]
    health: HealthFlags,
    #[command(flatten)]
    limits: LimitFlags,
}

impl CreateFlags {
    /// What is asked for, as it travels.
    ///
    /// # Errors
    /// When an environment file can't be read, or a mount makes no sense.
    pub(crate) fn create(self) -> Result<ContainerCreate, Problem> {
        let env = environment(&self.env, &self.env_file)?;
        let here = std::path::absolute(".").unwrap_or_else(|_| "/".into());
        let volumes = self.volume.iter().map(|text| volume(text, &here));
        Ok(ContainerCreate {
            name: self.name,
            image: self.image,
            command: self.command,
            entrypoint: self.entrypoint.map(|word| match word.is_empty() {
                true => Vec::new(),
                false => vec![word],
            }),
            env,
            user: self.user,
            workdir: self.workdir,
            hostname: self.hostname,
            tty: self.tty,
            stdin: self.interactive,
            auto_remove: self.rm,
            boot: (self.boot || self.no_boot).then_some(self.boot),
            networks: networks(self.network, self.ip),
            publish: self.publish,
            expose: self.expose,
            volumes: volumes.collect::<Result<_, _>>()?,
            tmpfs: self.tmpfs,
            secrets: self.secret,
            read_only: self.read_only,
            limits: self.limits.limits(),
            cap_add: words(&self.cap_add),
            cap_drop: words(&self.cap_drop),
            seccomp: self.seccomp,
            restart: self.restart,
            health: self.health.check(),
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            ulimits: self.ulimit,
            labels: self.label.into_iter().collect::<BTreeMap<_, _>>(),
            backend: self.backend,
        })
    }
}

/// The networks, the first with the address that it is to have.
fn networks(mut words: Vec<String>, ip: Option<Ipv4Addr>) -> Vec<String> {
    if let (Some(first), Some(ip)) = (words.first_mut(), ip) {
        first.push_str(&format!(":ip={ip}"));
    }
    words
}

/// `--cap-add A,B --cap-add C` as one list.
fn words(given: &[String]) -> Vec<String> {
    given.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()
}

/// `NAME=VALUE` as it is; `NAME` alone with this environment's value, nothing where it has none.
pub(crate) fn env_value(text: &str) -> Option<String> {
    if text.contains('=') {
        return Some(text.to_owned());
    }
    let value = std::env::var_os(text)?;
    Some(format!("{text}={}", value.to_string_lossy()))
}

/// The variables of these files, and over them those that were given.
///
/// # Errors
/// When a file can't be read.
pub(crate) fn environment(given: &[String], files: &[PathBuf]) -> Result<Vec<String>, Problem> {
    let mut env = Vec::new();
    for file in files {
        env.extend(env_file(file)?);
    }
    env.extend(given.iter().filter_map(|text| env_value(text)));
    Ok(env)
}

fn env_file(path: &Path) -> Result<Vec<String>, Problem> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        let title = format!("The environment file {} can't be read", path.display());
        Problem::new(ErrorKind::InvalidConfig, title).because(&e)
    })?;
    parse_env_file(&text).map_err(|line| {
        let title = format!("{}:{line}: this is no NAME=VALUE", path.display());
        Problem::new(ErrorKind::InvalidConfig, title)
    })
}

/// The variables of an environment file: `NAME=VALUE` a line, `NAME` alone for this environment's value, `#` for comments. The
/// value goes to the end of the line, as it is. The error is the number of the line that is none of these.
fn parse_env_file(text: &str) -> Result<Vec<String>, usize> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split_once('=').map_or(line, |(name, _)| name);
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(i + 1);
        }
        found.extend(env_value(line));
    }
    Ok(found)
}

/// A mount with its host folder made absolute: only here it is known where the person stands.
fn volume(text: &str, here: &Path) -> Result<String, Problem> {
    let (source, rest) = text.split_once(':').unwrap_or((text, ""));
    let text = match source {
        "." | ".." => format!("{}:{rest}", below(here, source)),
        _ if source.contains('/') && !source.starts_with('/') => {
            format!("{}:{rest}", below(here, source))
        }
        _ => text.to_owned(),
    };
    let wrong = |e: &dyn std::error::Error| {
        Problem::new(ErrorKind::Usage, "The mount makes no sense").because(e)
    };
    checked::<Bind>(&text).map_err(|e| wrong(&e))
}

/// `path` as seen from `here`, with `.` and `..` worked out by their words.
fn below(here: &Path, path: &str) -> String {
    let mut whole = here.to_owned();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                whole.pop();
            }
            part => whole.push(part),
        }
    }
    whole.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_of_cpus() {
        for (text, percent) in [("2", 200), ("1.5", 150), ("0.25", 25), ("0.015", 1), ("64", 6400)]
        {
            assert_eq!(cpus(text), Ok(percent), "{text}");
        }
        for bad in ["", "0", "0.001", "-1", "1.", ".5", "1e3", "99999999"] {
            assert!(cpus(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn limits_are_set_and_taken_away() {
        let flags = LimitFlags {
            memory: Some(bound(checked::<Bytes>)("none").unwrap()),
            cpus: Some(bound(cpus)("unlimited").unwrap()),
            cpu_weight: Some(bound(weight)("50").unwrap()),
            io_read_bps: vec![bound(checked::<DeviceRate>)("none").unwrap()],
            ..LimitFlags::default()
        };
        assert_eq!(flags.clone().limits(), Limits { cpu_weight: Some(50), ..Limits::default() });
        let change = LimitsChange {
            memory: Some(None),
            cpu: Some(None),
            cpu_weight: Some(Some(50)),
            io_read_bps: Some(None),
            ..LimitsChange::default()
        };
        assert_eq!(flags.change(), change);
        for bad in ["", "0", "-1", "x", "10001"] {
            assert!(bound(weight)(bad).is_err(), "{bad:?} was taken");
        }
        assert!(bound(percent)("0").is_err());
    }

    #[test]
    fn folders_of_the_host_are_made_absolute() {
        let here = Path::new("/home/ann/site");
        for (text, expected) in [
            ("./x:/y", "/home/ann/site/x:/y"),
            (".:/y:ro", "/home/ann/site:/y:ro"),
            ("../x:/y", "/home/ann/x:/y"),
            ("a/b:/y", "/home/ann/site/a/b:/y"),
            ("/srv:/y", "/srv:/y"),
            ("data:/y", "data:/y"),
        ] {
            assert_eq!(volume(text, here).unwrap(), expected);
        }
        for bad in ["data", "./x", "data:y", "data:/y:rx"] {
            assert_eq!(volume(bad, here).unwrap_err().kind(), ErrorKind::Usage, "{bad}");
        }
    }

    #[test]
    fn environment_files() {
        let text = "# a comment\n\nA=1\n  B= two words # kept\nC=x=y\nVOLT_NO_SUCH_VARIABLE\n";
        assert_eq!(
            parse_env_file(text),
            Ok(vec!["A=1".into(), "B= two words # kept".into(), "C=x=y".into()])
        );
        assert_eq!(parse_env_file("A=1\n=x\n"), Err(2));
        assert_eq!(parse_env_file("export A=1\n"), Err(1));
    }

    #[test]
    fn labels_have_keys() {
        assert_eq!(label("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(label("a"), Ok(("a".into(), String::new())));
        assert!(label("=x").is_err());
        assert_eq!(words(&["A,B".into(), "C".into()]), ["A", "B", "C"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}") {
            drop(cpus(&text));
            drop(parse_env_file(&text));
            drop(volume(&text, Path::new("/")));
        }
    }
}
