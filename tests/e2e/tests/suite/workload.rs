//! What is common to all workloads, and units of the host.

use volt_e2e::on_hosts;

on_hosts! {
    fn workload_verbs_on_a_container(host) {
        host.tiny();
        let work = host.container("work");
        host.volt(&["container", "create", "--name", "work", "tiny", "sleep", "1000"]).ok();
        host.volt(&["workload", "start", "work"]).ok();
        assert_eq!(work.state(), "running");
        host.volt(&["workload", "restart", "work"]).ok();
        assert_eq!(work.state(), "running");
        let seen = host.volt(&["workload", "inspect", "work", "-o", "json"]).json();
        assert_eq!((seen["kind"].as_str(), seen["container"]["image"].as_str()), (Some("container"), Some("tiny")));
        assert_eq!(host.volt(&["ps", "inspect", "work", "-o", "json"]).json()["name"], "work");
        assert!(host.volt(&["workload", "list", "-o", "name"]).ok().lines().any(|l| l == "work"));
        let usage = host.volt(&["top", "--once", "-o", "json"]).json();
        assert!(usage.as_array().unwrap().iter().any(|u| u["name"] == "work"), "{usage}");
        host.volt(&["workload", "stop", "work"]).ok();
        assert_eq!(work.state(), "stopped");
    }
}

on_hosts! {
    fn workload_verbs_on_a_unit_of_the_host(host) {
        host.sh("printf '[Service]\\nExecStart=/bin/sleep 1000\\n' > /run/systemd/system/e2e-unit.service; systemctl daemon-reload").ok();
        host.volt(&["workload", "start", "e2e-unit.service"]).ok();
        assert_eq!(host.run(&["systemctl", "is-active", "e2e-unit.service"]).ok(), "active");
        let seen = host.volt(&["workload", "inspect", "e2e-unit.service", "-o", "json"]).json();
        assert_eq!(seen["state"], "running", "{seen}");
        host.volt(&["workload", "stop", "e2e-unit.service"]).ok();
        assert_eq!(host.sh("systemctl is-active e2e-unit.service || true").ok(), "inactive");
        host.volt(&["workload", "start", "no-such.service"]).fails(3);
    }
}
