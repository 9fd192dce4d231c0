//! What stacks are converted to, shown to those whom it is for: the generator of units that Podman has, with systemd behind it, and Compose
//! itself. (Kubernetes has no such program in Debian: its schema is asked by `volt-compose`.) The Podman of Debian 12 has no generator
//! yet, and its Compose is the old one, so the newer suite alone is asked.

use super::image_build::install;
use super::{compose, stacks};
use volt_e2e::Host;

/// Words in which systemd, a shell or a program between them may see more than there is; on what a command line of it says.
const SAID: &str = r#"
name: said
services:
  a:
    image: none.example/x
    command: [sh, -c, 'echo "$${HOME}" $$X %n "it''s"']
    environment: {A: '$${X} $$Y %h "q" \ b'}
    labels: {l: '$${Z} $$$$'}
    healthcheck: {test: [CMD, test, -n, 'a b $${HOME}']}
"#;
const HEARD: [&str; 4] = [
    r#"echo "${HOME}" $X %n "it's""#,
    r#"A=${X} $Y %h "q" \ b"#,
    "l=${Z} $$",
    r#"["test","-n","a b ${HOME}"]"#,
];

/// What a stack is converted to, by the name of its folder below `/srv/converted`; with all profiles, and with what the conversion
/// has to say.
fn converted(host: &Host, name: &str, to: &str) -> String {
    let within = format!("cd {}/{name}", stacks::THERE);
    let folder = format!("/srv/converted/{name}/{to}");
    let convert = format!("volt compose --profile '*' convert --to {to} --folder {folder}");
    let made = host.sh(&format!("{within} && {convert}"));
    let said = made.stderr.clone();
    made.ok();
    said
}

/// Podman makes units of it, and systemd knows all that is in them.
fn quadlet(host: &Host, name: &str) {
    converted(host, name, "quadlet");
    let (from, to) =
        (format!("/srv/converted/{name}/quadlet"), format!("/srv/converted/{name}/units"));
    let made = host.sh(&format!(
        "mkdir {to} && QUADLET_UNIT_DIRS={from} /usr/libexec/podman/quadlet -no-kmsg-log {to} && find {from} -name '*.service' -o -name '*.timer' | xargs -r cp -t {to}"
    ));
    assert!(made.code == 0 && !made.stderr.contains("nsupported"), "{name}: {made:?}");
    let wanted = host.sh(&format!("ls {from} | wc -l")).ok();
    let units = host.sh(&format!("find {to} -maxdepth 1 -type f | wc -l")).ok();
    assert_eq!(units, wanted, "{name}: {made:?}");
    let verified = host
        .sh(&format!("systemd-analyze verify --man=no --recursive-errors=no {to}/*.service 2>&1"));
    assert!(verified.code == 0 && verified.stdout.trim().is_empty(), "{name}: {verified:?}");
}

/// Compose takes what it has words for, and reads it back as it was meant.
fn by_compose(host: &Host, name: &str) {
    let said = converted(host, name, "compose");
    let file = format!("/srv/converted/{name}/compose/compose.yaml");
    let read = host.sh(&format!("docker-compose -f {file} --profile '*' config --format json"));
    if said.contains("only Volt has") {
        return assert_ne!(read.code, 0, "{name} has nothing that only Volt has: {said}");
    }
    let (theirs, ours) = (read.json(), host.sh(&format!("cat {file}")).ok());
    assert_eq!(theirs["name"], name);
    for (key, service) in theirs["services"].as_object().unwrap() {
        assert!(ours.contains(&format!("{key}:")), "{name}.{key}");
        assert!(service["image"].is_string(), "{name}.{key}: {service}");
    }
}

/// What systemd would run of what Podman has made is what was meant.
fn arguments(host: &Host) {
    compose::stack(host, "said", SAID);
    host.run_with(
        &["sh", "-c", "mkdir -p /srv/said && cat > /srv/said/say && chmod 755 /srv/said/say"],
        b"#!/bin/sh\nprintf '%s\\n' \"$@\" > /srv/said/heard\n",
    )
    .ok();
    compose::within(host, "said", "volt compose convert --to quadlet --folder /srv/said/quadlet")
        .ok();
    host.sh(
        "QUADLET_UNIT_DIRS=/srv/said/quadlet /usr/libexec/podman/quadlet -no-kmsg-log /srv/said",
    )
    .ok();
    let unit = "/run/systemd/system/said.service";
    host.sh(&format!("printf '[Service]\\nType=oneshot\\n' > {unit} && grep ^ExecStart= /srv/said/said-a-1.service | sed s,/usr/bin/podman,/srv/said/say, >> {unit}")).ok();
    host.sh("systemctl daemon-reload && systemctl start said.service").ok();
    let heard = host.sh("cat /srv/said/heard").ok();
    for line in HEARD {
        assert!(heard.lines().any(|heard| heard == line), "{line}\n{heard}");
    }
}

mod compose_convert_is_taken_by_podman_and_compose {
    use super::*;

    #[test]
    fn t2_trixie() {
        let host = Host::shared("trixie");
        let host = &*host.private("convert");
        install(host, "docker-compose netavark podman");
        host.put(stacks::HERE, stacks::THERE);
        arguments(host);
        for name in stacks::all() {
            quadlet(host, &name);
            by_compose(host, &name);
        }
    }
}
