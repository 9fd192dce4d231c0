//! `volt run`: create, start and attach in one step.

use volt_e2e::on_hosts;

on_hosts! {
    fn container_run_streams_and_returns_the_exit_code(host) {
        host.tiny();
        assert_eq!(host.volt(&["run", "--rm", "tiny", "echo", "hello world"]).ok(), "hello world");
        let output = host.volt(&["run", "--rm", "tiny", "sh", "-c", "echo out; echo err >&2; exit 3"]);
        assert_eq!((output.code, output.stdout.as_str()), (3, "out\n"), "{output:?}");
        assert!(output.stderr.contains("err") && !output.stderr.contains("out"), "{output:?}");
    }
}

on_hosts! {
    fn container_run_takes_input_and_keeps_bytes(host) {
        host.tiny();
        let bytes: Vec<u8> = (0..=255_u8).cycle().take(1 << 20).collect();
        let sum = host.run_with(&["sh", "-c", "tee /tmp/in | volt run --rm -i tiny cat | sha256sum > /tmp/out; sha256sum < /tmp/in | diff - /tmp/out && echo same"], &bytes);
        assert_eq!(sum.ok(), "same");
    }
}

on_hosts! {
    fn container_run_rm_leaves_nothing(host) {
        host.tiny();
        host.volt(&["run", "--rm", "--name", "gone", "tiny", "true"]).ok();
        host.volt(&["container", "inspect", "gone"]).fails(3);
        host.gone(&["/etc/systemd/system/volt-container@gone*", "/var/lib/volt/containers/gone", "/run/volt/containers/gone", "/run/netns/volt-gone"]);
        host.volt(&["run", "--rm", "--name", "gone", "tiny", "false"]).fails(1);
        host.sh("! systemctl list-units --all --no-legend 'volt-container@gone*' | grep .").ok();
    }
}

on_hosts! {
    fn container_run_that_is_interrupted_leaves_nothing_unnamed(host) {
        host.tiny();
        let _guard = host.container("cut");
        for moment in ["0.005", "0.02", "0.04", "0.08", "0.15", "0.3"] {
            host.sh(&format!("timeout --preserve-status -s INT {moment} volt run --rm --name cut tiny sleep 1000; true")).ok();
            host.until(std::time::Duration::from_secs(10), "! volt ps -a | grep '^cut '");
        }
        let said = host.sh("timeout --preserve-status -s INT 0.03 volt run -d --name cut tiny sleep 20 2>&1; true").ok();
        let left = host.sh("volt ps -a -o name | grep -x cut").code == 0;
        assert_eq!(left, said.contains("cut"), "{said}");
    }
}

on_hosts! {
    fn container_run_detached_with_a_terminal(host) {
        host.tiny();
        let _guard = host.container("tty");
        host.volt(&["run", "-d", "-t", "--name", "tty", "tiny", "sh", "-c", "tty; sleep 1000"]).ok();
        host.until(std::time::Duration::from_secs(10), "volt logs tty | grep -q /dev/pts/0");
    }
}

on_hosts! {
    fn container_run_missing_image(host) {
        let error = host.volt(&["run", "--rm", "no-such-image", "true"]);
        // It may be one of the registry's, which a test host can't ask.
        assert_eq!(error.code, 8, "{error:?}");
        assert!(error.stderr.contains("no-such-image") && error.stderr.contains("The registry docker.io"), "{error:?}");
        assert!(!host.volt(&["ps", "-a", "-o", "name"]).ok().contains("no-such-image"));
    }
}
