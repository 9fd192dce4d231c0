//! Limits, on hosts with controllers: as systemd and the cgroup have them, and as they are felt; and that a host without them says so.

use std::time::{Duration, Instant};
use volt_e2e::{Host, on_hosts, on_vms};

/// What stands in a file of a container's cgroup.
#[track_caller]
fn group(host: &Host, name: &str, file: &str) -> String {
    host.sh(&format!("cat /sys/fs/cgroup/system.slice/volt-container@{name}.service/{file}")).ok()
}

/// The number behind a word in such a file.
#[track_caller]
fn counted(host: &Host, name: &str, file: &str, word: &str) -> u64 {
    let text = group(host, name, file);
    let found = text.lines().find_map(|line| line.strip_prefix(word)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("{word} in {file}: {text}"))
}

/// What systemd says of a container.
#[track_caller]
fn unit(host: &Host, name: &str, property: &str) -> String {
    host.run(&["systemctl", "show", "-P", property, &format!("volt-container@{name}.service")]).ok()
}

on_vms! {
    fn container_memory_limit_kills_and_says_so(host) {
        host.tiny();
        let hog = host.container("hog");
        let command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"];
        host.volt(&[&["container", "create", "--name", "hog", "--memory", "32M", "--memory-swap", "0", "tiny"][..], &command].concat()).ok();
        // It may be killed before the start has been reported.
        drop(host.volt(&["container", "start", "hog"]));
        host.volt(&["container", "wait", "hog"]).ok();
        let seen = hog.inspect();
        assert_eq!(seen["exit"]["code"], 137, "{seen}");
        assert_eq!(seen["exit"]["reason"], "out of memory", "{seen}");
    }
}

on_vms! {
    fn container_limits_hold_and_change_live(host) {
        host.tiny();
        let lim = host.container("lim");
        host.volt(&["run", "-d", "--name", "lim", "--memory", "64M", "--cpu", "50", "--pids", "20", "tiny", "sleep", "1000"]).ok();
        let group = "/sys/fs/cgroup/system.slice/volt-container@lim.service";
        assert_eq!(host.sh(&format!("cat {group}/memory.max")).ok(), (64 << 20).to_string());
        assert_eq!(host.sh(&format!("cat {group}/cpu.max")).ok(), "50000 100000");
        assert_eq!(host.sh(&format!("cat {group}/pids.max")).ok(), "20");
        assert!(lim.inspect().get("unenforced").is_none());
        host.volt(&["container", "update", "--memory", "128M", "--cpus", "1.5", "lim"]).ok();
        assert_eq!(host.sh(&format!("cat {group}/memory.max")).ok(), (128 << 20).to_string());
        assert_eq!(host.sh(&format!("cat {group}/cpu.max")).ok(), "150000 100000");
        assert_eq!(lim.state(), "running");
        host.volt(&["container", "restart", "lim"]).ok();
        assert_eq!(host.sh(&format!("cat {group}/memory.max")).ok(), (128 << 20).to_string());
        let forks = host.volt(&["container", "exec", "lim", "sh", "-c", "for i in $(seq 40); do sleep 5 & done; wait"]);
        assert_ne!(forks.code, 0, "40 processes under a limit of 20");
        let top = host.volt(&["top", "--once", "-o", "json"]).json();
        let own = top.as_array().unwrap().iter().find(|u| u["name"] == "lim").unwrap().clone();
        assert!(own["memory"].as_u64().unwrap() > 0 && own["memory_limit"].as_u64() == Some(128 << 20), "{own}");
    }
}

on_hosts! {
    fn container_limits_without_controllers_are_told(host) {
        host.tiny();
        let _guard = host.container("told");
        let output = host.volt(&["container", "create", "--name", "told", "--memory", "64M", "tiny", "true"]);
        assert!(output.stderr.contains("MemoryMax") || output.stderr.contains("memory"), "{output:?}");
        output.ok();
        let seen = host.volt(&["container", "inspect", "told", "-o", "json"]).json();
        assert!(seen["unenforced"][0].as_str().unwrap().contains("memory"), "{seen}");
        host.volt(&["container", "create", "--name", "bad", "--memory", "12", "tiny", "true"]).fails(2);
        host.volt(&["container", "create", "--name", "bad", "--memory", "lots", "tiny", "true"]).fails(2);
    }
}

on_hosts! {
    fn workload_freeze_and_thaw(host) {
        host.tiny();
        let ice = host.container("ice");
        host.volt(&["run", "-d", "--name", "ice", "tiny", "sh", "-c", "while :; do echo tick; sleep 0.05; done"]).ok();
        let ticks = || host.sh("volt logs ice | grep -c tick").ok().parse::<u32>().unwrap();
        host.until(Duration::from_secs(10), "test $(volt logs ice | grep -c tick) -gt 5");
        host.volt(&["workload", "freeze", "ice"]).ok();
        assert_eq!(ice.state(), "frozen");
        host.volt(&["container", "exec", "ice", "true"]).fails(9);
        // What was written before may still be on its way.
        std::thread::sleep(Duration::from_millis(300));
        let held = ticks();
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(ticks(), held);
        host.volt(&["workload", "thaw", "ice"]).ok();
        assert_eq!(ice.state(), "running");
        host.until(Duration::from_secs(10), &format!("test $(volt logs ice | grep -c tick) -gt {}", held + 5));
        // Like a start of what runs: there is nothing to do.
        host.volt(&["workload", "thaw", "ice"]).ok();
        host.volt(&["workload", "freeze", "ice"]).ok();
        host.volt(&["container", "stop", "--timeout", "1", "ice"]).ok();
        assert_ne!(ice.state(), "frozen");
        host.until(Duration::from_secs(5), "! test -e /run/netns/volt-ice");
    }
}

on_vms! {
    fn container_limits_are_systemds_and_the_kernels(host) {
        host.tiny();
        let all = host.container("all");
        let update = |words: &[&str]| host.volt(&[&["container", "update"], words, &["all"]].concat());
        // One disk by three names.
        host.volt(&["container", "create", "--name", "all", "--memory", "64M", "--memory-swap", "16M", "--cpus", "0.3", "--cpu-weight", "50",
            "--pids", "20", "--io-weight", "300", "--io-read-bps", "/dev/vda:1M", "--io-write-bps", "/var/lib/volt:2M",
            "--io-read-iops", "/etc/passwd:100", "--io-write-iops", "/:200", "--io-write-iops", "/dev/vdb:70", "tiny", "sleep", "1000"]).ok();
        host.volt(&["start", "all"]).ok();
        let check = |kernel: &[(&str, &str)], systemd: &[(&str, &str)]| {
            for (file, value) in kernel {
                let mut lines: Vec<String> = group(host, "all", file).lines().map(str::to_owned).collect();
                lines.sort_unstable();
                assert_eq!(lines.join("|"), *value, "{file}");
            }
            for (property, value) in systemd {
                // Others have systemd read its files again meanwhile.
                let deadline = Instant::now() + Duration::from_secs(10);
                while unit(host, "all", property) != *value && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(200));
                }
                assert_eq!(unit(host, "all", property), *value, "{property}: {:?}", host.sh("systemctl cat volt-container@all.service; ls -R /run/systemd/system.control"));
            }
        };
        check(
            &[
                ("memory.max", "67108864"), ("memory.swap.max", "16777216"), ("cpu.max", "30000 100000"), ("cpu.weight", "50"),
                ("pids.max", "20"), ("io.weight", "default 300"),
                ("io.max", "254:0 rbps=1048576 wbps=2097152 riops=100 wiops=200|254:16 rbps=max wbps=max riops=max wiops=70"),
            ],
            &[
                ("MemoryMax", "67108864"), ("MemorySwapMax", "16777216"), ("CPUQuotaPerSecUSec", "300ms"), ("CPUWeight", "50"),
                ("TasksMax", "20"), ("IOWeight", "300"), ("IOReadBandwidthMax", "/dev/vda 1048576"), ("IOWriteBandwidthMax", "/dev/vda 2097152"),
                ("IOReadIOPSMax", "/dev/vda 100"),
            ],
        );
        // Live: some changed, some taken away, the others as they are; and the same after a start.
        update(&["--memory-swap", "0", "--cpu", "200", "--cpu-weight", "200", "--pids", "30", "--io-weight", "50", "--io-read-bps", "/dev/vda:3M",
            "--io-write-bps", "none", "--io-write-iops", "/dev/vdb:80"]).ok();
        for _ in 0..2 {
            check(
                &[
                    ("memory.max", "67108864"), ("memory.swap.max", "0"), ("cpu.max", "200000 100000"), ("cpu.weight", "200"), ("pids.max", "30"),
                    ("io.weight", "default 50"),
                    ("io.max", "254:0 rbps=3145728 wbps=max riops=100 wiops=max|254:16 rbps=max wbps=max riops=max wiops=80"),
                ],
                &[
                    ("MemorySwapMax", "0"), ("CPUQuotaPerSecUSec", "2s"), ("CPUWeight", "200"), ("TasksMax", "30"), ("IOWeight", "50"),
                    ("IOReadBandwidthMax", "/dev/vda 3145728"), ("IOWriteBandwidthMax", ""), ("IOWriteIOPSMax", "/dev/vdb 80"),
                ],
            );
            host.volt(&["container", "restart", "all"]).ok();
        }
        // Swap and weights are taken away live too, and come back.
        update(&["--memory-swap", "none", "--cpu-weight", "none", "--io-weight", "unlimited"]).ok();
        check(
            &[("memory.max", "67108864"), ("memory.swap.max", "max"), ("cpu.weight", "100"), ("io.weight", "default 100"), ("pids.max", "30")],
            &[("MemorySwapMax", "infinity"), ("CPUWeight", "[not set]"), ("IOWeight", "[not set]")],
        );
        let limits = all.inspect()["limits"].clone();
        assert!(["memory_swap", "cpu_weight", "io_weight"].iter().all(|key| limits.get(key).is_none()) && limits["memory"] == "64M", "{limits}");
        update(&["--memory-swap", "8M", "--cpu-weight", "70", "--io-weight", "50"]).ok();
        check(&[("memory.swap.max", "8388608"), ("cpu.weight", "70"), ("io.weight", "default 50")], &[]);
        // What can't be is refused, and changes nothing.
        let before = all.inspect()["limits"].clone();
        update(&["--io-read-bps", "/dev/no-such-disk:1M"]).fails(3);
        let error = update(&["--io-read-bps", "/proc:1M"]).fails(2);
        assert!(error.contains("no disk behind /proc"), "{error}");
        update(&["--io-read-bps", "/dev/vda:1M", "--io-read-bps", "/etc:2M"]).fails(2);
        update(&["--pids", "1"]).fails(2);
        update(&["--cpu-weight", "10001"]).fails(2);
        host.volt(&["container", "create", "--name", "other", "--io-write-bps", "/dev/no-such-disk:1M", "tiny", "true"]).fails(3);
        assert_eq!(all.inspect()["limits"], before);
        // A share of I/O is only there where somebody has turned it on.
        let seen = all.inspect();
        let told: Vec<&str> = seen["unenforced"].as_array().unwrap().iter().filter_map(|why| why.as_str()).collect();
        assert!(matches!(told[..], [why] if why.starts_with("IOWeight: ")), "{told:?}");
        assert!(update(&["--io-weight", "60"]).stderr.contains("IOWeight"));
        host.sh("echo '254:0 enable=1' > /sys/fs/cgroup/io.cost.qos").ok();
        assert!(all.inspect().get("unenforced").is_none());
        host.sh("echo '254:0 enable=0' > /sys/fs/cgroup/io.cost.qos").ok();
    }
}

on_vms! {
    fn container_limits_on_processors_are_felt(host) {
        host.tiny();
        let _guard = host.container("spin");
        let burn = "while :; do :; done";
        host.volt(&["run", "-d", "--name", "spin", "--cpu", "20", "tiny", "sh", "-c", burn]).ok();
        // Of a second, in per cent.
        let share = |name: &str| {
            let used = || counted(host, name, "cpu.stat", "usage_usec");
            let (before, begun) = (used(), Instant::now());
            std::thread::sleep(Duration::from_secs(4));
            (used() - before) / u64::try_from(begun.elapsed().as_millis()).unwrap() / 10
        };
        let held = share("spin");
        assert!((10..30).contains(&held), "{held} %");
        let throttled = counted(host, "spin", "cpu.stat", "nr_throttled");
        assert!(throttled > 10, "{throttled}");
        host.volt(&["container", "update", "--cpu", "none", "spin"]).ok();
        let throttled = counted(host, "spin", "cpu.stat", "nr_throttled");
        let free = share("spin");
        assert!(free > 30, "{free} %");
        assert_eq!(counted(host, "spin", "cpu.stat", "nr_throttled"), throttled);
        host.volt(&["delete", "--force", "spin"]).ok();

        // Both want both processors.
        let (_one, _two) = (host.container("light"), host.container("heavy"));
        let both = format!("({burn}) & {burn}");
        host.volt(&["run", "-d", "--name", "light", "--cpu-weight", "20", "tiny", "sh", "-c", &both]).ok();
        host.volt(&["run", "-d", "--name", "heavy", "--cpu-weight", "100", "tiny", "sh", "-c", &both]).ok();
        let used = |name: &str| counted(host, name, "cpu.stat", "usage_usec");
        let ratio = || {
            let before = (used("light"), used("heavy"));
            std::thread::sleep(Duration::from_secs(5));
            let (light, heavy) = (used("light") - before.0, used("heavy") - before.1);
            heavy * 100 / light.max(1)
        };
        let weighed = ratio();
        assert!(weighed > 250, "{weighed} %");
        host.volt(&["container", "update", "--cpu-weight", "2000", "light"]).ok();
        let turned = ratio();
        assert!(turned < 40, "{turned} %");
    }
}

on_vms! {
    fn workload_top_measures_what_is_used(host) {
        host.debian();
        let (_busy, _idle) = (host.container("busy"), host.container("idle"));
        // Three processes: one computes, one holds 30 MiB, one waits; and 8 MiB are written to the disk past the cache, and read.
        let work = "dd if=/dev/zero of=/f bs=1M count=8 oflag=direct 2>/dev/null; dd if=/f of=/dev/null bs=1M iflag=direct 2>/dev/null; \
                    perl -e '$held = \"x\" x (30 << 20); sleep 1000' & touch /ready; while :; do :; done";
        host.volt(&["run", "-d", "--name", "busy", "--memory", "200M", "debian", "sh", "-c", work]).ok();
        host.volt(&["run", "-d", "--name", "idle", "debian", "sleep", "1000"]).ok();
        host.until(Duration::from_secs(60), "volt exec busy test -e /ready");
        host.until(Duration::from_secs(60), "test $(cat /sys/fs/cgroup/system.slice/volt-container@busy.service/memory.current) -gt 31457280");
        let used = || counted(host, "busy", "cpu.stat", "usage_usec");
        let (before, begun) = (used(), Instant::now());
        let top = host.volt(&["top", "--once", "--interval", "4", "-o", "json"]).json();
        let spent = (used() - before) as f64 / 1e4 / begun.elapsed().as_secs_f64();
        let of = |name: &str| top.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{top}")).clone();
        let (busy, idle) = (of("busy"), of("idle"));
        let percent = busy["cpu_percent"].as_f64().unwrap();
        assert!(percent > 15.0 && (percent - spent).abs() < spent / 2.0, "{percent} %, and by the kernel {spent} %");
        assert!(idle["cpu_percent"].as_f64().unwrap() < 5.0, "{idle}");
        let number = |row: &serde_json::Value, key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{key}: {row}"));
        assert!((8 << 20..16 << 20).contains(&number(&busy, "io_written")), "{busy}");
        assert!((8 << 20..200 << 20).contains(&number(&busy, "io_read")), "{busy}");
        assert!(number(&idle, "io_written") < 1 << 20, "{idle}");
        assert!((30 << 20..200 << 20).contains(&number(&busy, "memory")) && number(&busy, "memory_limit") == 200 << 20, "{busy}");
        // Beside what the container runs by: the relay, nspawn and init.
        assert_eq!(number(&busy, "tasks") - number(&idle, "tasks"), 1, "{top}");
        assert_eq!(number(&busy, "tasks"), group(host, "busy", "pids.current").parse::<u64>().unwrap());
        // The busiest stands first, for people too.
        let text = host.volt(&["top", "--once"]).ok();
        let place = |name: &str| text.lines().position(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{text}"));
        assert!(place("busy") < place("idle"), "{text}");
        assert!(text.lines().next().unwrap().split_whitespace().eq(["NAME", "KIND", "CPU", "MEMORY", "LIMIT", "READ", "WRITTEN", "NET", "IN", "NET", "OUT", "TASKS"]), "{text}");
    }
}

on_vms! {
    fn container_limits_on_processes_and_swap_are_felt(host) {
        host.tiny();
        let _guard = host.container("crowd");
        host.volt(&["run", "-d", "--name", "crowd", "--pids", "20", "tiny", "sleep", "1000"]).ok();
        let forks = ["container", "exec", "crowd", "sh", "-c", "for i in $(seq 40); do sleep 2 & done; wait"];
        let output = host.volt(&forks);
        assert!(output.code != 0 && output.stderr.contains("fork"), "{output:?}");
        host.until(Duration::from_secs(20), "test $(cat /sys/fs/cgroup/system.slice/volt-container@crowd.service/pids.current) -lt 8");
        host.volt(&["container", "update", "--pids", "60", "crowd"]).ok();
        host.volt(&forks).ok();

        host.sh("test -e /swap || (dd if=/dev/zero of=/swap bs=1M count=160 2>/dev/null && chmod 600 /swap && mkswap /swap); grep -q ^/swap /proc/swaps || swapon /swap").ok();
        let swap = host.container("swap");
        let run = "until test -e /go; do sleep 0.1; done; dd if=/dev/zero of=/scratch/x bs=1M count=40; echo held; \
                   while test -e /go; do sleep 0.1; done; rm /scratch/x; exec awk 'BEGIN { s = \"x\"; while (1) s = s s }'";
        host.volt(&["run", "-d", "--name", "swap", "--memory", "32M", "--memory-swap", "24M", "--tmpfs", "/scratch:size=200M", "tiny", "sh", "-c", run]).ok();
        host.volt(&["exec", "swap", "touch", "/go"]).ok();
        host.until(Duration::from_secs(60), "volt logs swap | grep -q held");
        let swapped = group(host, "swap", "memory.swap.current").parse::<u64>().unwrap();
        assert!((4 << 20..=24 << 20).contains(&swapped), "{swapped}");
        // What grows without end fits nowhere.
        host.volt(&["exec", "swap", "rm", "/go"]).ok();
        host.volt(&["container", "wait", "swap"]).ok();
        assert_eq!(swap.inspect()["exit"]["reason"], "out of memory");
        host.sh("swapoff /swap; rm /swap").ok();
    }
}

on_vms! {
    fn container_limits_on_disks_are_felt(host) {
        host.debian();
        let _guard = host.container("slow-disk");
        host.volt(&["run", "-d", "--name", "slow-disk", "--io-write-bps", "/dev/vda:512K", "debian", "sleep", "1000"]).ok();
        let write = "bs=64k count=32 if=/dev/zero of=/f oflag=direct";
        let read = "bs=64k count=32 if=/f of=/dev/null iflag=direct";
        // Seconds that dd itself has measured.
        let took = |words: &str| {
            let said = host.volt(&["exec", "slow-disk", "sh", "-c", &format!("LC_ALL=C dd {words} 2>&1 | tail -n 1")]).ok();
            let seconds = said.split(", ").find_map(|part| part.strip_suffix(" s")?.parse::<f64>().ok());
            seconds.unwrap_or_else(|| panic!("{said}"))
        };
        let update = |words: &[&str]| host.volt(&[&["container", "update"], words, &["slow-disk"]].concat()).ok();
        // 2 MiB at half a MiB a second.
        let held = took(write);
        assert!(held > 3.0, "{held} s");
        update(&["--io-write-bps", "none", "--io-read-bps", "/dev/vda:512K"]);
        let free = took(write);
        assert!(free < 2.5, "{free} s");
        let held = took(read);
        assert!(held > 3.0, "{held} s");
        // 32 requests at 8 a second.
        update(&["--io-read-bps", "none", "--io-read-iops", "/dev/vda:8", "--io-write-iops", "/dev/vda:8"]);
        let (reads, writes) = (took(read), took(write));
        assert!(reads > 2.5 && writes > 2.5, "{reads} s, {writes} s");
        update(&["--io-read-iops", "none", "--io-write-iops", "none"]);
        let (reads, writes) = (took(read), took(write));
        assert!(reads < 2.5 && writes < 2.5, "{reads} s, {writes} s");
    }
}

on_vms! {
    fn container_memory_limit_spares_who_tells_of_it(host) {
        host.tiny();
        let full = host.container("full");
        // What is in a memory file system is nobody's: killing a process frees nothing, until all inside are gone.
        let fill = "while :; do dd if=/dev/zero of=/scratch/x bs=1M count=100; done";
        host.volt(&["run", "-d", "--name", "full", "--memory", "32M", "--memory-swap", "0", "--tmpfs", "/scratch:size=200M", "tiny", "sh", "-c", fill]).ok();
        host.until(Duration::from_secs(60), "journalctl -u volt-container@full.service -o cat | grep -q 'killed by the OOM killer'");
        std::thread::sleep(Duration::from_secs(3));
        let adjusted = "for pid in $(cat /sys/fs/cgroup/system.slice/volt-container@full.service/supervisor/cgroup.procs); do cat /proc/$pid/oom_score_adj; done | sort -u";
        if full.state() == "running" {
            assert_eq!(host.sh(adjusted).ok(), "-900");
        } else {
            assert_eq!(full.inspect()["exit"]["reason"], "out of memory");
        }
        host.sh("! journalctl -u volt-container@full.service -o cat | grep 'Main process exited, code=killed'").ok();
        host.volt(&["stop", "--timeout", "5", "full"]).ok();
        let inside = host.volt(&["run", "--rm", "--name", "score", "tiny", "cat", "/proc/self/oom_score_adj"]);
        assert_eq!(inside.ok(), "0");
    }
}
