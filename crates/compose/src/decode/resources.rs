//! What a container may use: the fields of the service itself and those of `deploy.resources`.

use super::{At, Decoder};
use crate::stack::Container;
use std::fmt::Display;
use volt_model::limits::{DeviceRate, Limits};
use volt_model::size::Bytes;

impl Decoder<'_> {
    pub(super) fn resource_fields(&mut self, at: &At<'_>, container: &mut Container) {
        container.limits = self.limits(at);
        let resources = at.get("deploy").and_then(|deploy| deploy.get("resources"));
        let reserved = resources.and_then(|resources| resources.get("reservations"));
        let reserved = reserved.and_then(|reserved| self.parse_of(&reserved, "memory"));
        let own = self.parse_of(at, "mem_reservation");
        container.memory_reserved = self.once(at, "mem_reservation", own, reserved);
        container.cpuset = self.parse_of(at, "cpuset");
        container.oom_score_adj = self.number_of(at, "oom_score_adj");
        if let Some(score) = container.oom_score_adj.filter(|n| !(-1000..=1000).contains(n)) {
            self.wrong(at, format!("oom_score_adj: {score} is not within -1000 and 1000"));
        }
    }

    /// Limits of a service, wherever they are said.
    pub(super) fn limits(&mut self, at: &At<'_>) -> Limits {
        let deploy = at.get("deploy").and_then(|deploy| deploy.get("resources"));
        let deploy = deploy.and_then(|resources| resources.get("limits"));
        let deploy = deploy.as_ref();
        let mut limits = Limits::default();

        let (own, there): (Option<Bytes>, _) = (
            self.parse_of(at, "mem_limit"),
            deploy.and_then(|deploy| self.parse_of(deploy, "memory")),
        );
        limits.memory = self.once(at, "mem_limit", own, there).filter(|memory| memory.0 > 0);
        limits.memory_swap = self.swap(at, limits.memory);

        let own = self.cpus(at).or_else(|| self.quota(at));
        let there = deploy.and_then(|deploy| self.cpus(deploy));
        limits.cpu = self.once(at, "cpus", own, there).filter(|cpu| *cpu > 0);
        // 1024 shares are what is usual in Compose, 100 in systemd.
        let shares: Option<u64> = self.number_of(at, "cpu_shares");
        limits.cpu_weight =
            shares.filter(|n| *n > 0).map(|n| (n.saturating_mul(100) / 1024).clamp(1, 10_000));

        let own: Option<i64> = self.number_of(at, "pids_limit");
        let there = deploy.and_then(|deploy| self.number_of(deploy, "pids"));
        let pids = self.once(at, "pids_limit", own, there);
        limits.pids = pids.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);

        if let Some(config) = at.get("blkio_config") {
            // From 10 to 1000 in Compose, 500 usual; from 1 to 10000 in systemd, 100 usual.
            let weight: Option<u64> = self.number_of(&config, "weight");
            limits.io_weight = weight.filter(|n| *n > 0).map(|n| (n / 5).clamp(1, 10_000));
            limits.io_read_bps = self.rates(&config, "device_read_bps");
            limits.io_write_bps = self.rates(&config, "device_write_bps");
            limits.io_read_iops = self.rates(&config, "device_read_iops");
            limits.io_write_iops = self.rates(&config, "device_write_iops");
        }
        if let Some(rate) = self.parse_of(at, "rate") {
            limits.rate = Some(rate);
        }
        if let Err(error) = limits.validate() {
            self.wrong(at, error);
        }
        limits
    }

    /// What is said at the service and in `deploy` must agree (Compose Specification, 05-services: mem_limit and others).
    fn once<T: PartialEq + Display + Copy>(
        &mut self,
        at: &At<'_>,
        key: &str,
        own: Option<T>,
        there: Option<T>,
    ) -> Option<T> {
        if let (Some(own), Some(there), Some(place)) = (own, there, at.get(key))
            && own != there
        {
            self.wrong_hinted(
                &place,
                format!("{own} here, {there} under deploy.resources"),
                "Say it once",
            );
        }
        own.or(there)
    }

    /// `memswap_limit` is memory and swap together; -1 is no bound.
    fn swap(&mut self, at: &At<'_>, memory: Option<Bytes>) -> Option<Bytes> {
        let limit = at.said("memswap_limit")?;
        if matches!(limit.node.as_text(), Some("-1" | "0")) {
            return None;
        }
        let total: Bytes = self.parse(&limit)?;
        match memory {
            Some(memory) if total >= memory => Some(Bytes(total.0 - memory.0)),
            Some(memory) => {
                self.wrong(
                    &limit,
                    format!(
                        "{total} is less than the memory, {memory}: it is memory and swap together"
                    ),
                );
                None
            }
            None => {
                self.wrong_hinted(
                    &limit,
                    "it means something only beside mem_limit",
                    "Set mem_limit too",
                );
                None
            }
        }
    }

    /// `1.5` CPUs are 150 per cent.
    fn cpus(&mut self, at: &At<'_>) -> Option<u32> {
        let cpus = at.said("cpus")?;
        let text = self.text(&cpus)?;
        let number: Option<f64> =
            text.parse().ok().filter(|n: &f64| n.is_finite() && (0.0..=100_000.0).contains(n));
        let Some(number) = number else {
            self.wrong(&cpus, format!("`{text}` is no number of CPUs: write 0.5 or 2"));
            return None;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 10 million, checked above"
        )]
        let percent = (number * 100.0).round() as u32;
        // What is asked for is never no limit because it is small.
        Some(if number > 0.0 { percent.max(1) } else { 0 })
    }

    fn quota(&mut self, at: &At<'_>) -> Option<u32> {
        let quota: u64 = self.number_of(at, "cpu_quota")?;
        let period: u64 = self.number_of(at, "cpu_period").unwrap_or(100_000);
        let percent = quota.saturating_mul(100) / period.max(1);
        // What is asked for is never no limit because it is small.
        u32::try_from(if quota > 0 { percent.max(1) } else { 0 }).ok()
    }

    fn rates(&mut self, config: &At<'_>, key: &str) -> Vec<DeviceRate> {
        let mut all = Vec::new();
        for item in self.list(config, key) {
            let (Some(path), Some(rate)) =
                (self.text_of(&item, "path"), self.text_of(&item, "rate"))
            else {
                self.wrong(&item, "it has a path and a rate");
                continue;
            };
            all.extend(
                format!("{path}:{rate}").parse().map_err(|error| self.wrong(&item, error)).ok(),
            );
        }
        all
    }
}
