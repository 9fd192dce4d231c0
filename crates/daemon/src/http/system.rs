//! The host and Volt on it.

use crate::router::Routes;
use volt_api::operations::*;
use volt_api::types::{Check, DiskUsage, Finding, Pruned, SystemCheck, SystemInfo, Version};
use volt_engine::{Engine, system};
use volt_host::probe;

pub(super) fn routes(routes: Routes<Engine>) -> Routes<Engine> {
    routes
        .plain::<SystemVersionOp>(|cx, _, _| {
            let version = cx.state.system_version();
            Ok(Version { version: version.version.to_owned(), api: version.api.to_owned() })
        })
        .plain::<SystemInfoOp>(|cx, _, _| Ok(info(cx.state.system_info()?)))
        .plain::<SystemCheckOp>(|cx, _, _| Ok(checked(cx.state.system_check()?)))
        .plain::<SystemRepairOp>(|cx, _, _| Ok(checked(cx.state.system_repair()?)))
        .plain::<SystemDfOp>(|cx, _, _| {
            let usage = |usage: system::Usage| DiskUsage {
                kind: usage.kind.to_owned(),
                count: usage.count,
                active: usage.active,
                size: usage.size,
                reclaimable: usage.reclaimable,
            };
            Ok(cx.state.system_df()?.into_iter().map(usage).collect())
        })
        .plain::<SystemPruneOp>(|cx, _, body| {
            let options = system::PruneOptions {
                images: body.images,
                volumes: body.volumes,
                dry_run: body.dry_run,
            };
            let pruned = cx.state.system_prune(options)?;
            Ok(Pruned { removed: pruned.removed, freed: pruned.freed })
        })
}

fn info(info: system::Info) -> SystemInfo {
    SystemInfo {
        version: info.version.to_owned(),
        hostname: info.hostname,
        os: info.os,
        kernel: info.kernel,
        architecture: info.architecture.to_owned(),
        systemd: info.systemd,
        cpus: info.cpus,
        memory: info.memory,
        controllers: info.controllers,
        backends: info.backends.iter().map(ToString::to_string).collect(),
        root: info.root.to_string_lossy().into_owned(),
        served_by: info.served_by.to_owned(),
        containers: info.containers.into_iter().map(|(s, n)| (s.to_owned(), n)).collect(),
        images: info.images,
        volumes: info.volumes,
    }
}

fn checked(check: system::Check) -> SystemCheck {
    let row = |row: system::Row| Check {
        id: row.id.to_owned(),
        title: row.title.to_owned(),
        state: match row.state {
            probe::State::Ok => "ok",
            probe::State::Limited => "limited",
            probe::State::Missing => "missing",
        }
        .to_owned(),
        detail: row.detail,
        remedy: row.remedy,
    };
    let finding = |found: system::Finding| Finding {
        subject: found.subject,
        problem: found.problem,
        repaired: found.repaired,
    };
    SystemCheck {
        checks: check.rows.into_iter().map(row).collect(),
        findings: check.findings.into_iter().map(finding).collect(),
    }
}
