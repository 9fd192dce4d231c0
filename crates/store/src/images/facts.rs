//! What a tree says of itself: its size, its system, its processor, whether it can boot.

use crate::cas::{Cas, Tree};
use crate::error::Result;
use crate::manifest::{Node, NodeKind};
use std::io::Read;

/// What was found out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The sizes of its files together, in bytes; a file with several names counts once.
    pub(super) size: u64,
    /// Entries, the root included.
    pub(super) entries: u64,
    /// As OCI names it.
    pub(super) architecture: Option<String>,
    /// PRETTY_NAME of os-release.
    pub(super) os: Option<String>,
    /// Whether there is an init, and the os-release without which nspawn boots nothing.
    pub(super) boot: bool,
}

/// Programs that nearly every system has one of.
const PROGRAMS: [&str; 7] =
    ["bin/sh", "usr/bin/env", "bin/bash", "bin/busybox", "usr/bin/dpkg", "sbin/init", "bin/ls"];
/// Where an init is looked for, as systemd-nspawn does.
const INITS: [&str; 4] =
    ["usr/lib/systemd/systemd", "lib/systemd/systemd", "sbin/init", "usr/sbin/init"];

/// Finds out about a tree.
pub(super) fn of(cas: &Cas, tree: &Tree) -> Result<Facts> {
    let mut facts = Facts { entries: tree.nodes.len() as u64, ..Facts::default() };
    facts.size = tree.contents().map(|(_, content)| content.size).sum();
    let release = ["etc/os-release", "usr/lib/os-release"];
    let release = release.iter().find_map(|path| read(cas, tree, path, 64 << 10));
    // nspawn boots nothing that doesn't say what it is.
    let says_what_it_is = release.is_some();
    facts.os = release.and_then(|text| pretty_name(&String::from_utf8_lossy(&text)));
    facts.architecture = PROGRAMS
        .iter()
        .find_map(|path| architecture(&read(cas, tree, path, 64)?))
        .map(str::to_owned);
    facts.boot = says_what_it_is && INITS.iter().any(|path| is_program(tree, path));
    Ok(facts)
}

/// The first bytes of a file in the tree.
fn read(cas: &Cas, tree: &Tree, path: &str, limit: u64) -> Option<Vec<u8>> {
    let NodeKind::File(content) = &file(tree, path)?.kind else { return None };
    let mut bytes = Vec::new();
    cas.objects().open(&content.digest).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn file<'a>(tree: &'a Tree, path: &str) -> Option<&'a Node> {
    let node = tree.real(tree.find(path, true).ok()?);
    matches!(node.kind, NodeKind::File(_)).then_some(node)
}

fn is_program(tree: &Tree, path: &str) -> bool {
    file(tree, path).is_some_and(|node| node.meta.mode & 0o111 != 0)
}

/// PRETTY_NAME, without its quotes and without anything a terminal would act on.
fn pretty_name(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix("PRETTY_NAME="))?.trim();
    let bare = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .or_else(|| value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')))
        .unwrap_or(value);
    let clean: String = bare.chars().filter(|c| !c.is_control()).take(100).collect();
    (!clean.is_empty()).then_some(clean)
}

/// The processor an ELF file is for.
fn architecture(header: &[u8]) -> Option<&'static str> {
    let [0x7f, b'E', b'L', b'F', class, order, ..] = header else { return None };
    let machine: [u8; 2] = header.get(18..20)?.try_into().ok()?;
    let little = *order == 1;
    let machine = if little { u16::from_le_bytes(machine) } else { u16::from_be_bytes(machine) };
    Some(match (machine, class, little) {
        (3, ..) => "386",
        (62, 1, _) => "x32",
        (62, ..) => "amd64",
        (40, ..) => "arm",
        (183, ..) => "arm64",
        (243, 2, _) => "riscv64",
        (21, _, true) => "ppc64le",
        (21, _, false) => "ppc64",
        (22, ..) => "s390x",
        (8, 2, true) => "mips64le",
        (8, 1, true) => "mipsle",
        (258, ..) => "loong64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_what_it_is_boots() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let init = root.path().join("sbin/init");
        std::fs::create_dir_all(init.parent().unwrap()).unwrap();
        std::fs::write(&init, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&init, std::fs::Permissions::from_mode(0o755)).unwrap();
        let boots = || {
            let cas = Cas::open(&root.path().with_extension("lib"));
            let lease = cas.lease(&|| Ok(Vec::new())).unwrap();
            let tree = cas.build(&lease, root.path(), &Default::default(), &crate::Silent).unwrap();
            let facts = of(&cas, &cas.tree(&tree.tree).unwrap()).unwrap();
            std::fs::remove_dir_all(root.path().with_extension("lib")).unwrap();
            facts.boot
        };
        assert!(!boots(), "nspawn would refuse it");
        std::fs::create_dir_all(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/os-release"), "ID=own\n").unwrap();
        assert!(boots());
    }

    #[test]
    fn os_release_as_systems_have_it() {
        for (text, want) in [
            (
                "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n",
                Some("Debian GNU/Linux 13 (trixie)"),
            ),
            ("PRETTY_NAME='Alpine'\n", Some("Alpine")),
            ("PRETTY_NAME=Plain\n", Some("Plain")),
            ("PRETTY_NAME=\"\x1b[31mred\"\n", Some("[31mred")),
            ("PRETTY_NAME=\"\"\n", None),
            ("NAME=x\n", None),
        ] {
            assert_eq!(pretty_name(text).as_deref(), want);
        }
    }

    #[test]
    fn processors_by_their_elf_header() {
        let mut header = [0; 20];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        for (machine, want) in [(62, Some("amd64")), (183, Some("arm64")), (9999u16, None)] {
            header[18..].copy_from_slice(&machine.to_le_bytes());
            assert_eq!(architecture(&header), want);
        }
        assert_eq!(architecture(b"#!/bin/sh"), None);
    }
}
