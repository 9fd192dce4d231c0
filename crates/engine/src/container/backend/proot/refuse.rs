//! What proot can't do, with the reason. Refused before anything is made, rather than pretended.

use crate::error::{Error, Result};
use volt_model::container::{Mode, Network, Spec};
use volt_model::kind::ErrorKind;
use volt_model::mount::{Bind, Source};
use volt_model::restart::Restart;

/// Whether it is asked for, and what it is.
type Reason = (bool, &'static str);

/// Refuses a container that asks for what proot can't do, whoever starts it.
pub(in crate::container::backend) fn what_it_can_not_do(spec: &Spec) -> Result<()> {
    let root = ["root", "0", "root:root", "0:0"];
    let host_name = match &spec.network {
        Network::Container(other) => other,
        Network::None | Network::Host => &spec.name,
    };
    refuse_first(
        spec,
        &[
            (
                spec.mode == Mode::Boot,
                "boot an image: there is no namespace in which its init could be PID 1",
            ),
            (spec.hostname != host_name.as_str(), "have a host name of its own"),
            (spec.read_only, "make its root read-only"),
            (spec.binds.iter().any(has_colon), "mount a path with a colon in it"),
            (
                !(spec.cap_add.is_empty() && spec.cap_drop.is_empty()),
                "change capabilities: it has none to give or take",
            ),
            (
                spec.user.as_deref().is_some_and(|user| !root.contains(&user)),
                "run its command as another user than root, who may not execute proot's loader",
            ),
            (!spec.group_add.is_empty(), "give its command further groups"),
        ],
        "The systemd backend can: --backend systemd, as root on a host with systemd",
    )
}

/// Refuses a container that asks for what takes a unit, which proot has only where root has it started by systemd.
pub(super) fn what_takes_a_unit(spec: &Spec) -> Result<()> {
    refuse_first(
        spec,
        &[
            (spec.network != Network::Host, "have a network of its own: use --network host"),
            (spec.around.has_names(), "find other names than the host"),
            (
                !spec.secrets.is_empty(),
                "have secrets: it could not keep them from others of its user",
            ),
            (!spec.tmpfs.is_empty(), "mount memory file systems"),
            (spec.binds.iter().any(|bind| bind.read_only), "mount anything read-only"),
            (!spec.publish.is_empty(), "publish ports: its ports are the host's"),
            (
                spec.standing != Default::default(),
                "stand otherwise than its user: it has no cgroup",
            ),
            (spec.limits != Default::default(), "limit memory, CPU or I/O: it has no cgroup"),
            (!spec.ulimits.is_empty(), "limit the resources of processes"),
            (spec.restart != Restart::No, "be started again by itself: nothing watches it"),
        ],
        "As root on a host with systemd it can",
    )
}

fn refuse_first(spec: &Spec, reasons: &[Reason], hint: &str) -> Result<()> {
    match reasons.iter().find(|(asked, _)| *asked) {
        None => Ok(()),
        Some((_, what)) => Err(Error::new(
            ErrorKind::Dependency,
            format!("A container of the proot backend can't {what}"),
        )
        .about(&spec.name)
        .hinted(hint)),
    }
}

fn has_colon(bind: &Bind) -> bool {
    let source = match &bind.source {
        Source::Host(path) => path,
        // What is named by Volt has none.
        Source::Volume(_) => "",
        Source::Part(_, part) => part,
    };
    source.contains(':') || bind.target.contains(':')
}
