//! `containers/NAME/state.json` says how a container stands, whoever changed that.

use serde_json::{Value, json};
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

const LONG: Duration = Duration::from_secs(30);

/// What the file says, beside what Volt says: where both agree, the former.
#[track_caller]
fn told(host: &Host, name: &str) -> Value {
    let path = format!("/var/lib/volt/containers/{name}/state.json");
    let told = host.run(&["cat", &path]).json();
    agrees(&told, &host.volt(&["container", "inspect", name, "-o", "json"]).json());
    // Any user may read it.
    assert_eq!(host.run(&["stat", "-c", "%a %U", &path]).ok(), "644 root");
    told
}

#[track_caller]
fn agrees(told: &Value, seen: &Value) {
    assert_eq!(told["state"], seen["state"], "{told} {seen}");
    let word = told["state"].as_str().unwrap();
    if matches!(word, "running" | "frozen") {
        assert_eq!(
            (&told["pid"], &told["started"]),
            (&seen["pid"], &seen["started"]),
            "{told} {seen}"
        );
        assert!(told["pid"].as_u64().unwrap() > 1 && told["started"].is_string(), "{told}");
        assert_eq!(told.as_object().unwrap().len(), 3, "{told}");
    } else {
        assert!(told.get("pid").is_none(), "{told}");
        let ended = [&told["ended"], &told["exit_code"], &told["reason"]];
        let exit = [&seen["exit"]["finished"], &seen["exit"]["code"], &seen["exit"]["reason"]];
        assert_eq!(ended, exit, "{told} {seen}");
    }
}

on_hosts! {
    fn container_state_is_told_in_a_file(host) {
        host.tiny();
        let _guard = host.container("told");
        let create = "volt container create --name told tiny sh -c 'test -e /stay || exit 4; exec sleep 1000'";
        host.sh(create).ok();
        assert_eq!(told(host, "told"), json!({ "state": "stopped" }));
        // Ends by itself, with an error.
        drop(host.volt(&["start", "told"]));
        drop(host.volt(&["container", "wait", "told"]));
        host.until(LONG, "systemctl is-failed volt-container@told.service");
        let failed = told(host, "told");
        assert_eq!((&failed["state"], &failed["exit_code"], &failed["reason"]), (&json!("failed"), &json!(4), &json!("exited")));
        assert!(failed["started"].as_str() < failed["ended"].as_str(), "{failed}");

        host.sh("touch /tmp/stay && volt container copy /tmp/stay told:/stay").ok();
        let unit = "volt-container@told.service";
        // By Volt's verbs and by systemd's.
        for (start, stop, code) in [
            ("volt start told", "volt stop told", 143),
            (&*format!("systemctl start {unit}"), &*format!("systemctl stop {unit}"), 143),
            ("volt workload start told", "volt container kill told; volt container wait told", 137),
            (&*format!("systemctl start {unit}"), &*format!("kill -9 $(systemctl show -P MainPID {unit})"), 137),
        ] {
            host.sh(start).ok();
            assert_eq!(told(host, "told")["state"], "running", "{start}");
            host.sh(stop).ok();
            host.until(LONG, "grep -q ended /var/lib/volt/containers/told/state.json");
            host.until(LONG, "! test -e /run/volt/containers/told");
            assert_eq!(told(host, "told")["exit_code"], code, "{stop}");
        }
        host.sh(&format!("systemctl start {unit}")).ok();
        let before = told(host, "told");
        host.sh(&format!("systemctl restart {unit}")).ok();
        let after = told(host, "told");
        assert_ne!(before["pid"], after["pid"]);
        host.volt(&["workload", "freeze", "told"]).ok();
        assert_eq!(told(host, "told")["state"], "frozen");
        host.volt(&["workload", "thaw", "told"]).ok();
        assert_eq!(told(host, "told"), after);
        host.volt(&["stop", "told"]).ok();
        host.volt(&["container", "rename", "told", "told-otherwise"]).ok();
        let _other = host.container_as_it_is("told-otherwise");
        assert_eq!(told(host, "told-otherwise")["exit_code"], 143);

        // A start that fails is told too, and that nothing began.
        host.sh("volt container create --name told tiny /no/such/program").ok();
        host.volt(&["start", "told"]).fails(1);
        let failed = told(host, "told");
        assert_eq!((&failed["exit_code"], failed.get("started")), (&json!(127), None), "{failed}");
    }
}

on_hosts! {
    fn container_state_is_true_after_a_boot(host) {
        let host = host.private("told");
        host.tiny();
        for (name, policy) in [("forever", "always"), ("never", "no")] {
            host.volt(&["run", "-d", "--name", name, "--restart", policy, "tiny", "sleep", "1000"]).ok();
        }
        host.volt(&["run", "--name", "wrong", "tiny", "false"]).fails(1);
        host.volt(&["run", "-d", "--backend", "proot", "--network", "host", "--name", "alone", "tiny", "sleep", "1000"]).ok();
        assert_eq!(told(&host, "never")["state"], "running");
        assert_eq!(told(&host, "alone")["state"], "running");
        host.sh("systemctl mask --now volt.socket volt.service").ok();

        // In order: systemd stops them.
        let last = told(&host, "forever");
        host.reboot();
        host.until(LONG, "systemctl is-active volt-container@forever.service");
        let now = told(&host, "forever");
        assert_eq!(now["state"], "running");
        assert_ne!(now["pid"], last["pid"]);
        let never = told(&host, "never");
        assert_eq!((&never["state"], &never["exit_code"]), (&json!("stopped"), &json!(143)));
        // systemd has forgotten that it failed.
        assert_eq!(told(&host, "wrong")["state"], "stopped");
        assert_ne!(told(&host, "alone")["state"], "running");

        // At once, as when the power fails: nobody could write anything.
        host.volt(&["start", "never", "alone"]).ok();
        assert_eq!(told(&host, "never")["state"], "running");
        drop(host.run(&["systemctl", "reboot", "--force", "--force"]));
        host.until(LONG, "systemctl is-active volt-container@forever.service multi-user.target");
        assert_eq!(told(&host, "forever")["state"], "running");
        let never = told(&host, "never");
        assert_eq!((&never["exit_code"], &never["reason"]), (&json!(137), &json!("killed: the host went down")), "{never}");
        assert_eq!(told(&host, "alone")["exit_code"], 137);
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], json!([]));
    }
}
