//! The package in the hands of a person: installed on a host that never saw Volt, used, upgraded over itself while a container runs,
//! removed, installed again, purged; after that nothing of it is left.

use std::path::Path;

use crate::host::exec::read;
use crate::host::state::{self, Kind, State};
use crate::host::up::{Wanted, up};
use crate::host::{copy, down};
use crate::run::{Failure, Result, fail};

const DEB: &str = "/run/volt.deb";

/// What is typed, in order. Each line must succeed.
const STEPS: &[(&str, &str)] = &[
    ("install", "dpkg --install /run/volt.deb"),
    ("the socket answers", "systemctl is-active volt.socket && volt version && volt ps"),
    (
        "the group and the folders are there",
        "getent group volt && test -d /var/lib/volt -a -d /run/volt",
    ),
    (
        "man pages",
        "zcat /usr/share/man/man1/volt.1.gz | grep -q volt && test -e /usr/share/man/man1/volt-container-start.1.gz",
    ),
    (
        "completions",
        "test -s /usr/share/bash-completion/completions/volt -a -s /usr/share/zsh/vendor-completions/_volt",
    ),
    (
        "use",
        "volt image import /srv/images/tiny.tar tiny && volt run --rm tiny echo it works | grep 'it works'",
    ),
    (
        "logs are rotated, and the trail goes on",
        "if command -v logrotate; then logrotate --force /etc/logrotate.d/volt && test -e /var/log/volt/audit.log.1; \
         else grep -q USR2 /etc/logrotate.d/volt; fi && volt volume create rotated && volt volume delete rotated && \
         grep -q rotated /var/log/volt/audit.log",
    ),
    ("a container runs", "volt run -d --name stays --restart always tiny sleep 1000"),
    (
        "upgrade",
        "systemctl show -P MainPID volt-container@stays > /run/before && dpkg --install /run/volt.deb",
    ),
    (
        "it runs on",
        "systemctl show -P MainPID volt-container@stays | diff - /run/before && volt exec stays echo still here",
    ),
    ("remove", "dpkg --remove volt"),
    (
        "nothing runs",
        "! systemctl list-units --plain --no-legend 'volt*' | grep . && ! findmnt -rno TARGET | grep /var/lib/volt/",
    ),
    (
        "what was written is still there",
        "test -d /var/lib/volt/cas/refs/images -a -d /var/lib/volt/containers/stays",
    ),
    (
        "install again",
        "dpkg --install /run/volt.deb && volt start stays && volt exec stays echo back",
    ),
    ("purge", "dpkg --purge volt"),
    (
        "no unit is left",
        "! systemctl list-units --all --plain --no-legend 'volt*' | grep . && ! systemctl list-unit-files --no-legend 'volt*' | grep .",
    ),
    (
        "no file is left",
        "! find / -xdev -not -path '/proc/*' -not -path '/sys/*' -not -path '/srv/*' -iname '*volt*' | grep -v '^/var/lib/volt$'",
    ),
    (
        "no file is left in /run and /var/lib/volt",
        "! find /run /var/lib/volt -mindepth 1 -iname '*volt*' -not -name volt.deb | grep .",
    ),
    ("no mount is left", "! findmnt -rno TARGET | grep -i volt/"),
    ("no group is left", "! getent group volt"),
];

/// Checks the package on a fresh host of this suite.
pub(super) fn check(package: &Path, suite: &str) -> Result<()> {
    let name = state::own(&format!("dist-{suite}"));
    let wanted =
        Wanted { name: name.clone(), suite: suite.to_owned(), kind: Kind::Namespaces, volt: None };
    let state = up(&wanted)?;
    let outcome = steps(package, &state);
    let gone = down(&name);
    outcome.and(gone)
}

fn steps(package: &Path, state: &State) -> Result<()> {
    copy::copy(&package.display().to_string(), &format!("{}:{DEB}", state.name))?;
    for (what, line) in STEPS {
        eprintln!("{}: {what}", state.suite);
        read(state, &["sh", "-ec", line])
            .or_else(|Failure(text)| fail(format!("{}: {what}: {text}", state.suite)))?;
    }
    Ok(())
}
