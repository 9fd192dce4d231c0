//! Limits, on hosts with controllers; and that a host without them says so.

use std::time::Duration;
use volt_e2e::{on_hosts, on_vms};

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
        host.volt(&["workload", "freeze", "ice"]).ok();
        assert_eq!(ice.state(), "frozen");
        host.volt(&["container", "exec", "ice", "true"]).fails(9);
        host.volt(&["workload", "thaw", "ice"]).ok();
        assert_eq!(ice.state(), "running");
        // Like a start of what runs: there is nothing to do.
        host.volt(&["workload", "thaw", "ice"]).ok();
        host.volt(&["workload", "freeze", "ice"]).ok();
        host.volt(&["container", "stop", "--timeout", "1", "ice"]).ok();
        assert_ne!(ice.state(), "frozen");
        host.until(Duration::from_secs(5), "! test -e /run/netns/volt-ice");
    }
}
