//! A host that is stopped and booted again, with the daemon masked.

use std::time::Duration;
use volt_e2e::on_hosts;

on_hosts! {
    fn container_survives_a_reboot_without_the_daemon(host) {
        let host = host.private("reboot");
        host.tiny();
        for (name, policy) in [("forever", "always"), ("asked", "unless-stopped"), ("ended", "unless-stopped"), ("never", "no")] {
            host.volt(&["run", "-d", "--name", name, "--restart", policy, "tiny", "sleep", "1000"]).ok();
        }
        host.volt(&["container", "exec", "forever", "sh", "-c", "echo kept > /mark"]).ok();
        host.volt(&["container", "stop", "ended"]).ok();
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.reboot();
        host.until(Duration::from_secs(30), "systemctl is-active volt-container@forever.service volt-container@asked.service");
        let state = |name: &str| host.volt(&["container", "inspect", name, "-o", "json"]).json()["state"].as_str().unwrap().to_owned();
        assert_eq!(state("ended"), "stopped");
        assert_eq!(state("never"), "stopped");
        assert_eq!(host.volt(&["container", "exec", "forever", "cat", "/mark"]).ok(), "kept");
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}
