//! Commands in running containers.

use volt_e2e::on_hosts;

on_hosts! {
    fn container_exec_confines_like_the_first_command(host) {
        host.tiny();
        let _guard = host.container("ex");
        host.volt(&["container", "create", "--name", "ex", "-e", "COLOUR=blue", "tiny", "sleep", "1000"]).ok();
        host.volt(&["container", "exec", "ex", "true"]).fails(9);
        host.volt(&["container", "start", "ex"]).ok();

        let output = host.volt(&["container", "exec", "ex", "sh", "-c", "echo out; echo err >&2; exit 42"]);
        assert_eq!((output.code, output.stdout.as_str()), (42, "out\n"), "{output:?}");
        assert!(output.stderr.contains("err"), "{output:?}");
        assert_eq!(host.volt(&["container", "exec", "ex", "sh", "-c", "echo $COLOUR"]).ok(), "blue");
        assert_eq!(host.volt(&["container", "exec", "-e", "COLOUR=red", "ex", "sh", "-c", "echo $COLOUR"]).ok(), "red");
        assert_eq!(host.volt(&["container", "exec", "-w", "/tmp", "ex", "pwd"]).ok(), "/tmp");
        assert_eq!(host.volt(&["container", "exec", "-u", "app", "ex", "id", "-u"]).ok(), "1000");
        host.volt(&["container", "exec", "ex", "/no/such"]).fails(127);

        let status = |words: &[&str]| host.volt(&[words, &["cat", "/proc/self/status"]].concat()).ok();
        let inside = status(&["container", "exec", "ex"]);
        // PID 1 is init, which keeps next to nothing for itself; 2 is what it executed.
        let first = host.volt(&["container", "exec", "ex", "cat", "/proc/2/status"]).ok();
        for key in ["CapBnd", "NoNewPrivs", "Seccomp"] {
            let value = |text: &str| text.lines().find(|l| l.starts_with(&format!("{key}:"))).map(str::to_owned);
            assert_eq!(value(&inside), value(&first), "{key}");
        }
        let group = host.sh("volt container exec ex sleep 321 & sleep 0.5; cat /proc/$(pgrep -xf 'sleep 321')/cgroup; pkill -xf 'sleep 321'; wait; true").ok();
        assert!(group.contains("volt-container@ex.service/payload"), "{group}");
    }
}

on_hosts! {
    fn container_exec_with_a_terminal(host) {
        host.tiny();
        let _guard = host.container("term");
        host.volt(&["run", "-d", "--name", "term", "tiny", "sleep", "1000"]).ok();
        let line = "script -qec \"volt container exec -it term tty\" /dev/null </dev/null";
        assert!(host.sh(line).ok().contains("/dev/pts/"), "no terminal inside");
        let size = "script -qec \"stty cols 123 rows 45; volt container exec -it term stty size\" /dev/null </dev/null";
        assert!(host.sh(size).ok().contains("45 123"), "the size of the terminal did not get through");
    }
}

on_hosts! {
    fn container_shell_and_input(host) {
        host.tiny();
        let _guard = host.container("sh");
        host.volt(&["run", "-d", "--name", "sh", "tiny", "sleep", "1000"]).ok();
        let output = host.run_with(&["volt", "container", "exec", "-i", "sh", "sh"], b"echo typed; exit 5\n");
        assert_eq!((output.code, output.stdout.as_str()), (5, "typed\n"), "{output:?}");
    }
}

on_hosts! {
    fn container_attach(host) {
        host.tiny();
        let _guard = host.container("att");
        host.volt(&["container", "attach", "att"]).fails(3);
        host.volt(&["run", "-d", "-i", "--name", "att", "tiny", "sh", "-c", "read line; echo got $line; exit 9"]).ok();
        let output = host.run_with(&["volt", "container", "attach", "att"], b"word\n");
        assert_eq!((output.code, output.stdout.as_str()), (9, "got word\n"), "{output:?}");
    }
}

on_hosts! {
    fn container_exec_ends_with_whoever_asked_for_it(host) {
        host.tiny();
        let _guard = host.container("left");
        host.volt(&["run", "-d", "--name", "left", "tiny", "sleep", "1000"]).ok();
        for flags in ["", "-i"] {
            host.sh(&format!("volt exec {flags} left sleep 1009 < /dev/null > /dev/null 2>&1 & client=$!; until pgrep -xf 'sleep 1009'; do sleep 0.1; done; kill -9 $client")).ok();
            host.until(std::time::Duration::from_secs(10), "! pgrep -xf 'sleep 1009'");
        }
    }
}

on_hosts! {
    fn container_exec_makes_no_directory(host) {
        host.tiny();
        let _guard = host.container("astray");
        host.volt(&["run", "-d", "--name", "astray", "-w", "/made", "tiny", "sleep", "1000"]).ok();
        assert_eq!(host.volt(&["exec", "astray", "pwd"]).ok(), "/made");
        let error = host.volt(&["exec", "-w", "/nope", "astray", "pwd"]).fails(126);
        assert!(error.contains("working directory /nope"), "{error}");
        host.volt(&["exec", "astray", "test", "!", "-e", "/nope"]).ok();
    }
}

on_hosts! {
    fn container_output_that_nobody_reads_ends_the_command(host) {
        host.tiny();
        let _guard = host.container("unheard");
        host.volt(&["run", "-d", "--name", "unheard", "tiny", "sleep", "1000"]).ok();
        for command in ["volt exec unheard yes", "volt run --rm --name unheard-too tiny yes"] {
            assert_eq!(host.sh(&format!("timeout 60 {command} | head -n 1")).ok(), "y", "{command}");
        }
        let limit = std::time::Duration::from_secs(20);
        host.until(limit, "! volt exec unheard pidof yes && ! volt container inspect unheard-too");
    }
}
