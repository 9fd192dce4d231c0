//! Logs of containers.

use std::time::Duration;
use volt_e2e::on_hosts;

on_hosts! {
    fn container_logs_tell_streams_apart(host) {
        host.tiny();
        let _guard = host.container("log");
        host.volt(&["run", "-d", "--name", "log", "tiny", "sh", "-c", "echo plain; echo wrong >&2; sleep 1000"]).ok();
        host.until(Duration::from_secs(10), "volt logs log -o json | grep -q wrong");
        let lines = host.volt(&["logs", "log", "-o", "json"]).ok();
        let stream_of = |message: &str| {
            lines.lines().find(|l| l.contains(&format!("\"{message}\""))).map(|l| {
                let value: serde_json::Value = serde_json::from_str(l).expect("a line of JSON");
                value["stream"].as_str().unwrap_or_default().to_owned()
            })
        };
        assert_eq!(stream_of("plain").as_deref(), Some("stdout"), "{lines}");
        assert_eq!(stream_of("wrong").as_deref(), Some("stderr"), "{lines}");
        let journal = host.run(&["journalctl", "-u", "volt-container@log.service", "-p", "err", "-o", "cat", "--no-pager"]).ok();
        assert!(journal.contains("wrong") && !journal.contains("plain"), "{journal}");
    }
}

on_hosts! {
    fn container_logs_lose_nothing_under_load(host) {
        host.tiny();
        let _guard = host.container("flood");
        let begun = host.sh("date +%s").ok();
        host.volt(&["container", "create", "--name", "flood", "tiny", "sh", "-c", "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); echo line-$i; done"]).ok();
        host.volt(&["container", "start", "flood"]).ok();
        host.volt(&["container", "wait", "flood"]).ok();
        host.until(Duration::from_secs(30), &format!("test $(journalctl -u volt-container@flood.service --since @{begun} -o cat --no-pager | grep -c '^line-') = 50000"));
        assert_eq!(host.sh("volt logs flood | grep -c line-").ok(), "50000");
        assert!(host.volt(&["logs", "-n", "1", "--grep", "line-777$", "flood"]).ok().contains("line-777"));
    }
}

on_hosts! {
    fn container_logs_follow(host) {
        host.tiny();
        let _guard = host.container("tail");
        host.volt(&["run", "-d", "--name", "tail", "tiny", "sh", "-c", "for i in 1 2 3; do sleep 0.3; echo n$i; done"]).ok();
        let followed = host.sh("timeout 20 volt logs -f tail").ok();
        assert!(followed.contains("n1") && followed.contains("n3"), "{followed}");
    }
}

on_hosts! {
    fn workload_logs_of_a_unit_of_the_host(host) {
        assert!(!host.volt(&["logs", "-n", "5", "systemd-journald.service"]).ok().is_empty());
        host.volt(&["logs", "no-such-thing"]).fails(3);
        host.volt(&["logs", "no-such-thing.service"]).fails(3);
    }
}
