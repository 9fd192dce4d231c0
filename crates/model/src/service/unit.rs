//! What systemd is told of a service: its unit, rendered purely from the spec.

use super::{Profile, Program, Spec};
use crate::container::unit::HEALTH;
use crate::limits::Limits;
use crate::name::Name;
use crate::restart::Restart;
use crate::secret;
use crate::unitfile::{command_line, escape, quote, sentence};
use std::fmt::Write as _;
use std::path::Path;

/// How the users and folders of services begin.
const OWN: &str = "svc";
/// The longest name of a user.
const USER_MAX: usize = 31;

/// `NAME.service`.
#[must_use]
pub fn name(service: &Name) -> String {
    format!("{service}.service")
}

/// `volt-service-healthy@NAME.service`: who requires it and comes after it begins when the service is healthy.
#[must_use]
pub fn healthy_name(service: &Name) -> String {
    format!("volt-service-healthy@{service}.service")
}

/// `volt-service-completed@NAME.service`: who requires it and comes after it begins when the service has ended with 0.
#[must_use]
pub fn completed_name(service: &Name) -> String {
    format!("volt-service-completed@{service}.service")
}

/// What has it written down how a run of a service ended, which systemd forgets: as root and outside of the sandbox.
#[must_use]
pub fn note_end(volt: &Path, service: &Name) -> String {
    format!("ExecStopPost=+:{} internal service-ended {service}\n", quote(&volt.to_string_lossy()))
}

/// Files that a program is given by systemd.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// That with its variables, where it has any.
    pub environment: Option<&'a Path>,
    /// The folder in which secrets lie encrypted.
    pub secrets: &'a Path,
}

/// Renders the unit.
#[must_use]
pub fn render(spec: &Spec, files: Files<'_>) -> String {
    let mut out = String::from(
        "# Rendered by Volt from the service's config.json; `volt service edit` puts a drop-in over it.\n",
    );
    let description = spec.description.as_deref().map(sentence).filter(|text| !text.is_empty());
    let description = description.unwrap_or_else(|| format!("Volt service {}", spec.name));
    let _ = writeln!(out, "[Unit]\nDescription={description}");
    if spec.health.is_some() {
        let _ = writeln!(out, "Wants={HEALTH}");
    }
    if let Restart::OnFailure(Some(tries)) = spec.restart {
        let burst = tries.saturating_add(1);
        let _ = writeln!(out, "StartLimitIntervalSec=1h\nStartLimitBurst={burst}");
    }
    let _ = writeln!(out, "\n[Service]\nType=exec");
    program(&mut out, &spec.program, &own_name(OWN, &spec.name), files);
    let restart = match spec.restart {
        Restart::No => "no",
        Restart::OnFailure(_) => "on-failure",
        Restart::Always | Restart::UnlessStopped => "always",
    };
    let _ = writeln!(out, "Restart={restart}\nTimeoutStopSec={}", spec.stop_timeout);
    let _ = writeln!(out, "\n[Install]\nWantedBy=multi-user.target");
    out
}

/// What systemd is told of a command that is run beside a service, as properties of `systemd-run`, in which `%` stands for itself: it has
/// the service's user, sandbox, variables and namespaces, and none of its limits.
#[must_use]
pub fn beside(spec: &Spec, files: Files<'_>) -> Vec<String> {
    let mut out = format!("JoinsNamespaceOf={}\n", spec.unit());
    let unlimited = Program { limits: Limits::default(), ..spec.program.clone() };
    program(&mut out, &unlimited, &own_name(OWN, &spec.name), files);
    let own = out.lines().filter(|line| !line.starts_with("ExecStart="));
    own.map(|line| line.replace("%%", "%")).collect()
}

/// What `[Service]` says of the program itself. `own` is what its own user and folder are called.
pub(crate) fn program(out: &mut String, program: &Program, own: &str, files: Files<'_>) {
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = out.write_fmt(text);
        out.push('\n');
    };
    line(format_args!("ExecStart={}", command_line(&program.exec)));
    match program.user.as_deref().map(|user| user.split_once(':').unwrap_or((user, ""))) {
        Some((user, "")) => line(format_args!("User={user}")),
        Some((user, group)) => line(format_args!("User={user}\nGroup={group}")),
        // A user that is there while it runs.
        None if program.profile != Profile::None => {
            line(format_args!("DynamicUser=yes\nUser={}", user_name(own)));
        }
        None => {}
    }
    if let Some(dir) = &program.workdir {
        line(format_args!("WorkingDirectory={}", escape(dir)));
    }
    if let Some(file) = files.environment {
        line(format_args!("EnvironmentFile={}", escape(&file.to_string_lossy())));
    }
    for credential in &program.secrets {
        let path = files.secrets.join(secret::file_name(&credential.name));
        let path = escape(&path.to_string_lossy());
        line(format_args!("LoadCredentialEncrypted={}:{path}", credential.target));
    }
    if program.profile != Profile::None {
        line(format_args!("UMask=0027\nStateDirectory={own}"));
    }
    for directive in program.profile.directives() {
        line(format_args!("{directive}"));
    }
    for path in &program.writable {
        line(format_args!("ReadWritePaths={}", quote(path)));
    }
    for property in program.limits.properties() {
        line(format_args!("{}={}", property.directive, property.value));
    }
}

/// What a service's own user and folder are called: `svc-NAME`.
#[must_use]
pub(crate) fn own_name(kind: &str, name: &Name) -> String {
    format!("{kind}-{name}")
}

/// The same cut to the longest name of a user.
fn user_name(own: &str) -> String {
    shortened(own, USER_MAX, '_')
}

/// A name of ASCII cut to `most` bytes, with a mark and a hash of the whole where that is longer.
pub(crate) fn shortened(own: &str, most: usize, mark: char) -> String {
    if own.len() <= most {
        return own.to_owned();
    }
    // FNV-1a: the same on every host and in every version.
    let hash = own.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{}{mark}{:08x}", &own[..most - 9], hash & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Check, Probe};
    use crate::size::Bytes;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn spec() -> Spec {
        Spec {
            version: Spec::VERSION,
            name: "web".parse().unwrap(),
            description: None,
            program: Program {
                exec: ["/usr/bin/app", "--say", "50 % of $HOME"].map(str::to_owned).into(),
                limits: Limits { memory: Some(Bytes(1 << 30)), ..Limits::default() },
                ..Program::default()
            },
            restart: Restart::OnFailure(Some(3)),
            health: None,
            stop_timeout: 10,
            labels: BTreeMap::new(),
            created: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn none() -> Files<'static> {
        Files { environment: None, secrets: Path::new("/etc/volt/secrets") }
    }

    #[test]
    fn secrets_are_credentials_that_systemd_decrypts() {
        let mut spec = spec();
        spec.program.secrets = ["key", "key,target=K.txt"].map(|text| text.parse().unwrap()).into();
        let lines = "LoadCredentialEncrypted=key:/etc/volt/secrets/key.cred\n\
                     LoadCredentialEncrypted=K.txt:/etc/volt/secrets/key.cred\n";
        assert!(render(&spec, none()).contains(lines));
        assert_eq!(spec.program.validate(), Ok(()));
        spec.program.secrets.push("other,target=key".parse().unwrap());
        assert_eq!(spec.program.validate(), Err(super::super::ProgramError::Twice("key".into())));
    }

    #[test]
    fn what_a_person_finds_in_systemctl_cat() {
        let environment = Some(Path::new("/var/lib/volt/services/web/environment"));
        let text = render(&spec(), Files { environment, ..none() });
        for part in [
            "Description=Volt service web\n",
            "StartLimitIntervalSec=1h\nStartLimitBurst=4\n",
            "ExecStart=:/usr/bin/app --say \"50 %% of $HOME\"\n",
            "DynamicUser=yes\nUser=svc-web\n",
            "EnvironmentFile=/var/lib/volt/services/web/environment\n",
            "StateDirectory=svc-web\n",
            "ProtectSystem=strict\n",
            "MemoryMax=1073741824\n",
            "Restart=on-failure\nTimeoutStopSec=10\n",
            "WantedBy=multi-user.target\n",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        let mut named = spec();
        named.program.user = Some("www-data:adm".into());
        named.program.profile = Profile::None;
        let text = render(&named, none());
        assert!(text.contains("User=www-data\nGroup=adm\n"), "{text}");
        assert!(!text.contains("DynamicUser") && !text.contains("StateDirectory"), "{text}");
    }

    #[test]
    fn who_has_a_check_is_looked_at() {
        let health = Some(Check::by(Probe::Tcp(80)));
        assert!(!render(&spec(), none()).contains("volt-health"));
        assert!(
            render(&Spec { health, ..spec() }, none()).contains("\nWants=volt-health.service\n")
        );
        let beside = beside(&spec(), none());
        for part in ["JoinsNamespaceOf=web.service", "User=svc-web", "ProtectSystem=strict"] {
            assert!(beside.iter().any(|line| line == part), "{part}: {beside:?}");
        }
        let not = |line: &String| line.starts_with("Exec") || line.starts_with("Memory");
        assert!(!beside.iter().any(not), "{beside:?}");
    }

    #[test]
    fn long_names_are_cut_for_users_alone() {
        let long = |last: &str| format!("{}{last}", "a".repeat(62));
        let (one, two) = (user_name(&long("b")), user_name(&long("c")));
        assert!(one != two && one.len() == USER_MAX, "{one} {two}");
        assert_eq!(user_name("svc-web"), "svc-web");
    }

    proptest! {
        #[test]
        fn no_text_begins_a_line_of_its_own(
            description in "\\PC{0,30}|.{0,30}", word in "[^\0]{0,30}", path in "/.{0,20}",
        ) {
            let mut spec = spec();
            spec.description = Some(description);
            spec.program.exec.push(word);
            spec.program.writable.push(path);
            prop_assume!(spec.program.validate().is_ok());
            let text = render(&spec, none());
            let plain = render(&super::tests::spec(), none());
            let keys = |text: &str| -> Vec<String> {
                text.lines().map(|line| line.split('=').next().unwrap_or_default().to_owned()).collect()
            };
            let mut expected = keys(&plain);
            let at = expected.iter().position(|key| key == "MemoryMax").unwrap();
            expected.insert(at, "ReadWritePaths".to_owned());
            prop_assert_eq!(keys(&text), expected);
            prop_assert!(!text.contains('\r') && !text.contains("\\\n"));
        }
    }
}
