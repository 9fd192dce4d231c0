//! The whole life of containers on hosts with a kernel of their own, as a person goes through it; what each step is made of is proved
//! on hosts in namespaces.

use super::container_boot::is_up;
use super::container_proot::Alone;
use std::time::Duration;
use volt_e2e::{Host, on_vms};

const LONG: Duration = Duration::from_secs(60);

on_vms! {
    fn container_whole_life(host) {
        host.tiny();
        let _renamed = host.container("whole-new");
        let whole = host.container("whole");
        drop(host.volt(&["volume", "delete", "whole-data"]));
        host.volt(&["volume", "create", "whole-data"]).ok();
        host.sh("rm -rf /tmp/whole && mkdir -p /tmp/whole/in && echo from-host > /tmp/whole/in/file").ok();
        let script = "echo to-out; echo to-err >&2; echo run >> /data/runs; exec sleep 1000";
        host.volt(&["container", "create", "--name", "whole", "--memory", "64M", "-v", "whole-data:/data", "-e", "WORD=given", "tiny", "sh", "-c", script]).ok();
        assert_eq!(whole.state(), "stopped");
        host.volt(&["container", "start", "whole"]).ok();
        assert_eq!(whole.state(), "running");
        host.sh("systemctl is-active volt-container@whole.service && machinectl list --no-legend | grep -w whole && volt ps -o name | grep -x whole").ok();
        assert_eq!(host.sh("cat /sys/fs/cgroup/system.slice/volt-container@whole.service/memory.max").ok(), (64 << 20).to_string());

        // What it says, each stream by itself.
        host.until(LONG, "volt logs whole | grep -q to-err");
        assert_eq!(host.volt(&["logs", "--stream", "stdout", "whole"]).ok(), "to-out");
        assert_eq!(host.volt(&["logs", "--stream", "stderr", "whole"]).ok(), "to-err");

        // Into it at a terminal, and without one.
        let mut screen = host.terminal(&["volt", "exec", "-it", "whole", "sh"], 91, 27);
        screen.until("# ");
        screen.keys("tty; stty size; echo $WORD-$((40 + 2))\r");
        screen.until("/dev/pts/");
        screen.until("27 91");
        screen.until("given-42");
        screen.keys("exit 5\r");
        assert_eq!(screen.ends().0, 5);
        assert_eq!(host.volt(&["exec", "--user", "app", "whole", "id", "-u"]).ok(), "1000");

        // Files there and back, and in a volume that outlives a run.
        host.volt(&["container", "copy", "/tmp/whole/in", "whole:/in"]).ok();
        host.volt(&["exec", "whole", "sh", "-c", "cat /in/file && echo from-inside >> /in/file"]).ok();
        host.volt(&["container", "copy", "whole:/in", "/tmp/whole/out"]).ok();
        assert_eq!(host.sh("cat /tmp/whole/out/file").ok(), "from-host\nfrom-inside");
        host.run(&["systemctl", "restart", "volt-container@whole.service"]).ok();
        assert_eq!(whole.state(), "running");
        host.until(LONG, "test $(grep -c run /var/lib/volt/volumes/whole-data/_data/runs) = 2");
        host.volt(&["volume", "delete", "whole-data"]).fails(9);

        host.volt(&["stop", "whole"]).ok();
        assert_eq!((whole.state().as_str(), &whole.inspect()["exit"]["code"]), ("stopped", &143.into()));
        host.volt(&["container", "rename", "whole", "whole-new"]).ok();
        host.volt(&["container", "inspect", "whole"]).fails(3);
        host.volt(&["start", "whole-new"]).ok();
        assert_eq!(host.volt(&["exec", "whole-new", "sh", "-c", "hostname; tail -n 1 /in/file"]).ok(), "whole-new\nfrom-inside");
        host.volt(&["delete", "--force", "whole-new"]).ok();
        host.volt(&["volume", "delete", "whole-data"]).ok();
        host.gone(&["/var/lib/volt/containers/whole*", "/var/lib/volt/volumes/whole*", "/etc/systemd/system/volt-container@whole*", "/run/volt/containers/whole*", "/run/netns/volt-whole*"]);

        booted(host);
        without_root(host);
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}

/// An image that boots, down to its end in order.
fn booted(host: &Host) {
    host.system();
    let machine = host.container("whole-machine");
    host.volt(&["run", "-d", "--name", "whole-machine", "system"]).ok();
    assert_eq!(machine.inspect()["mode"], "boot");
    is_up(host, "whole-machine");
    let inside = ["exec", "whole-machine", "sh", "-c", "cat /proc/1/comm; hostname"];
    assert_eq!(host.volt(&inside).ok(), "systemd\nwhole-machine");
    host.volt(&["stop", "--timeout", "120", "whole-machine"]).ok();
    assert_eq!(machine.inspect()["exit"]["reason"], "exited");
    host.volt(&["delete", "whole-machine"]).ok();
}

/// The same verbs for a user who has neither root nor systemd.
fn without_root(host: &Host) {
    let me = Alone::new(host, "whole");
    me.sh(
        "volt container create --name own tiny sh -c 'echo out; exec sleep 1000' && volt start own",
    )
    .ok();
    me.until("volt logs own | grep -q out");
    assert_eq!(me.sh("volt exec own sh -c 'echo kept > /mark; id -u'").ok(), "0");
    let pid = me.sh("volt container inspect own -o json").json()["pid"].as_u64().unwrap();
    assert_eq!(host.sh(&format!("stat -c %U /proc/{pid}")).ok(), "tester");
    me.sh("echo given > here && volt container copy here own:/there && volt container copy own:/mark back && cat back").ok();
    assert_eq!(me.sh("volt exec own cat /there").ok(), "given");
    me.sh("volt stop own && volt container rename own other && volt start other").ok();
    assert_eq!(me.sh("volt exec other cat /mark").ok(), "kept");
    me.sh("volt delete --force other").ok();
    assert_eq!(me.sh("volt system check -o json").json()["findings"], serde_json::json!([]));
}
