//! The image that stacks of tests are made of: a minimal Debian in which apt has installed what people run in stacks. One for all of
//! them, since a layer for each would be fetched, packed and stored apart.

use std::fs;
use std::path::{Path, PathBuf};

use super::{SUITES, debs, images};
use crate::run::{Context, Result, fail, program};

/// What the stacks need that every run of the tests brings up.
const SOME: &[&str] = &[
    "git",
    "haproxy",
    "lighttpd",
    "mosquitto",
    "mosquitto-clients",
    "nginx",
    "postgresql",
    "python3",
    "python3-psycopg2",
    "redis-server",
];

/// What the others need besides.
const MORE: &[&str] = &[
    "beanstalkd",
    "bind9",
    "bind9-dnsutils",
    "docker-registry",
    "etcd-client",
    "etcd-server",
    "fcgiwrap",
    "ldap-utils",
    "mariadb-server",
    "openssh-client",
    "openssh-server",
    "openssl",
    "pgbouncer",
    "prometheus-pushgateway",
    "rsync",
    "slapd",
    "sqlite3",
    "vsftpd",
];

/// Installs what lies in the second folder in the root that is the first. No package starts its daemon or makes its database: who
/// runs it in a container does. PostgreSQL goes without its compiler of queries, which would be a third of all.
const INSTALL: &str = r#"
mount --bind "$2" "$1/mnt"; mount -t proc proc "$1/proc"
printf '#!/bin/sh\nexit 101\n' > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"
mkdir -p "$1/etc/postgresql-common"; echo create_main_cluster=false > "$1/etc/postgresql-common/createcluster.conf"
chroot "$1" sh -ec 'apt-get -qq --no-install-recommends -o Dir::Etc::sourcelist=/dev/null -o DPkg::Options::=--force-unsafe-io \
  -o DPkg::Options::=--force-confold -o "DPkg::Options::=--path-exclude=/usr/share/doc/*" -o "DPkg::Options::=--path-exclude=/usr/share/man/*" \
  -o "DPkg::Options::=--path-exclude=/usr/share/locale/*" -o "DPkg::Options::=--path-exclude=/usr/share/info/*" --yes install /mnt/*.deb'
rm -rf "$1"/usr/lib/postgresql/*/lib/*jit* "$1"/usr/lib/*/libLLVM* "$1"/usr/lib/*/libz3* "$1"/usr/share/i18n
rm -rf "$1/usr/sbin/policy-rc.d" "$1"/var/cache/apt/* "$1"/var/lib/mysql/* "$1"/var/lib/ldap/*; find "$1/var/log" -type f -delete
"#;

/// The packages of a set: `some`, or `all`.
pub(crate) fn packages(set: &str) -> Result<Vec<&'static str>> {
    match set {
        "some" => Ok(SOME.to_vec()),
        "all" => Ok([SOME, MORE].concat()),
        _ => fail("there are two sets of packages: some, all"),
    }
}

/// The archive with the packages of a set; built if it is not there yet.
pub(crate) fn get(set: &str) -> Result<PathBuf> {
    let packages = packages(set)?;
    let suite = SUITES[0];
    let base = images::get(suite)?.join(format!("debian-{suite}.tar"));
    let ingredients = format!("{} {} {INSTALL}", packages.join(" "), base.display());
    let kind = format!("packaged-{set}");
    Ok(super::get(&kind, &ingredients, |stage| build(&base, &packages, stage))?.join("image.tar"))
}

fn build(base: &Path, packages: &[&str], stage: &Path) -> Result<()> {
    let (root, fetched) = (stage.join("root"), stage.join("debs"));
    for folder in [&root, &fetched] {
        fs::create_dir_all(folder).context(|| folder.display().to_string())?;
    }
    let unpack = program("tar").args(["--extract", "--numeric-owner", "--xattrs", "--file"]);
    unpack.arg(base).arg("--directory").arg(&root).read()?;
    debs::fetch(packages, SUITES[0], &root, &fetched)?;
    // Without a network of the machine's: whatever a package starts all the same reaches nobody.
    let install = program("unshare").args([
        "--mount",
        "--pid",
        "--net",
        "--fork",
        "--kill-child",
        "--",
        "sh",
        "-ec",
        INSTALL,
    ]);
    let install = install.arg("install").arg(&root).arg(&fetched);
    install.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8").read()?;
    super::remove(&fetched)?;
    images::pack(&root, &stage.join("image.tar"))?;
    super::remove(&root)
}
