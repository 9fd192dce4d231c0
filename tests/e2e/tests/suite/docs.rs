//! What the documents tell people to type works, in the order in which it stands there.

use volt_e2e::{Host, on_hosts};

macro_rules! documents {
    ($($name:ident: $file:literal;)*) => {$(
        on_hosts! {
            fn $name(host) {
                run_all(&host.private(&stringify!($name).replace('_', "-")), $file, include_str!(concat!("../../../../", $file)));
            }
        }
    )*};
}

documents! {
    docs_readme: "README.md";
    docs_containers: "docs/containers.md";
    docs_images: "docs/images.md";
    docs_cas: "docs/cas.md";
    docs_health: "docs/health.md";
    docs_volumes: "docs/volumes.md";
    docs_networks: "docs/networks.md";
    docs_dns: "docs/dns.md";
    docs_secrets: "docs/secrets.md";
    docs_services: "docs/services.md";
    docs_tasks: "docs/tasks.md";
    docs_workloads: "docs/workloads.md";
    docs_stacks: "docs/stacks.md";
    docs_system: "docs/system.md";
    docs_configuration: "docs/configuration.md";
    docs_api: "docs/api.md";
    docs_debugging: "docs/debugging.md";
}

/// The commands in blocks that begin with ```` ```console ````, each with the number of its line. A block may say `norun`.
fn commands(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut inside) = (Vec::new(), false);
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line.trim_end() == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            found.push((index + 1, command));
        }
    }
    found
}

fn run_all(host: &Host, file: &str, text: &str) {
    // As `volt image pull debian` makes it: with an init.
    host.volt(&["image", "import", &format!("/srv/images/system-{}.tar", host.suite()), "debian"])
        .ok();
    // A test host has no network, but a part of Debian's archive.
    host.volt(&["config", "set", "image.mirror", "file:///srv/mirror"]).ok();
    let commands = commands(text);
    assert!(!commands.is_empty(), "{file} has no commands");
    for (line, command) in commands {
        let output = host.sh(&format!("mkdir -p /tmp/docs && cd /tmp/docs && {command}"));
        assert_eq!(output.code, 0, "{file}:{line}: {output:?}");
    }
    let check = host.volt(&["system", "check", "-o", "json"]);
    assert_eq!(check.code, 0, "{file} leaves something behind: {check:?}");
}

#[test]
fn commands_of_a_document() {
    let text = "```console\n$ one\nsaid\n$ two\n```\n$ no\n```console norun\n$ no\n```\n```sh\n$ no\n```\n";
    assert_eq!(commands(text), [(2, "one"), (4, "two")]);
}
