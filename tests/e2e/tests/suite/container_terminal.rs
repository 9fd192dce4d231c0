//! Containers at a real terminal, which the test types at; and what the shell completes there.

use volt_e2e::on_hosts;

on_hosts! {
    fn container_run_at_a_terminal(host) {
        host.tiny();
        let _guard = host.container("screen");
        let mut screen = host.terminal(&["volt", "run", "-it", "--name", "screen", "tiny", "sh"], 100, 30);
        screen.until("# ");
        screen.keys("tty; stty size; echo $TERM\r");
        screen.until("/dev/pts/0");
        screen.until("30 100");
        screen.until("xterm");
        // Live: what runs inside is told, and sees the new size.
        screen.keys("sh -c 'trap \"stty size\" WINCH; echo \"lis\"tening; while :; do sleep 0.05; done'\r");
        screen.until("listening");
        screen.resize(132, 43);
        screen.until("43 132");
        screen.resize(99, 33);
        screen.until("33 99");
        // Ctrl-C is for the command inside, not for volt.
        screen.keys("\x03");
        screen.until("# ");
        screen.keys("echo still-$((40 + 2))\r");
        screen.until("still-42");
        screen.keys("exit 7\r");
        let (code, rest) = screen.ends();
        assert_eq!(code, 7, "{rest}");
    }
}

on_hosts! {
    fn container_is_left_and_attached_to_at_a_terminal(host) {
        host.tiny();
        let left = host.container("left");
        let mut screen = host.terminal(&["volt", "run", "-it", "--name", "left", "tiny", "sh"], 80, 24);
        screen.until("# ");
        screen.keys("word=kept\r");
        screen.until("# ");
        screen.keys("\x10\x11");
        assert_eq!(screen.ends().0, 0);
        assert_eq!(left.state(), "running");
        // Another screen of another size.
        let mut screen = host.terminal(&["volt", "attach", "left"], 90, 40);
        screen.keys("\recho $word at $(stty size)\r");
        screen.until("kept at 40 90");
        screen.keys("exit 3\r");
        assert_eq!(screen.ends().0, 3);
        assert_eq!(left.inspect()["exit"]["code"], 3);
    }
}

on_hosts! {
    fn container_exec_at_a_terminal(host) {
        host.tiny();
        let _guard = host.container("beside");
        host.volt(&["run", "-d", "--name", "beside", "tiny", "sleep", "1000"]).ok();
        let mut screen = host.terminal(&["volt", "exec", "-it", "beside", "sh"], 71, 17);
        screen.until("# ");
        screen.keys("stty size\r");
        screen.until("17 71");
        screen.resize(72, 18);
        screen.keys("sleep 0.3; stty size\r");
        screen.until("18 72");
        screen.until("# ");
        screen.keys("exit 5\r");
        assert_eq!(screen.ends().0, 5);
    }
}

on_hosts! {
    fn container_names_are_completed_by_bash(host) {
        host.tiny();
        let _one = host.container("tabula-one");
        let _two = host.container("tabula-two");
        host.volt(&["container", "create", "--name", "tabula-one", "tiny", "true"]).ok();
        host.volt(&["container", "create", "--name", "tabula-two", "tiny", "true"]).ok();
        drop(host.volt(&["volume", "delete", "tabular"]));
        host.volt(&["volume", "create", "tabular"]).ok();
        let mut screen = host.terminal(&["bash", "--norc", "--noprofile", "-i"], 120, 40);
        screen.until("# ");
        screen.keys("source /usr/share/bash-completion/completions/volt; bind 'set bell-style none'; echo rea''dy\r");
        screen.until("ready");
        // What is common to both, then both.
        screen.keys("volt container start tab\t");
        screen.until("start tabula-");
        screen.keys("\t\t");
        screen.until("tabula-one");
        screen.until("tabula-two");
        // As soon as only one fits it is taken; then the next word.
        screen.keys("tw\t");
        screen.until("tabula-two ");
        screen.keys("\x15volt vol\t");
        screen.until("volt volume ");
        screen.keys("inspect tab\t");
        screen.until("inspect tabular ");
        screen.keys("\x15volt image inspect ti\t");
        screen.until("inspect tiny ");
        screen.keys("\x15volt image pull --var\t");
        screen.until("--variant");
        screen.keys("\x15exit\r");
        assert_eq!(screen.ends().0, 0);
        host.volt(&["volume", "delete", "tabular"]).ok();
    }
}

on_hosts! {
    fn container_names_are_completed_by_zsh_and_fish(host) {
        let host = host.private("shells");
        host.tiny();
        host.sh("apt-get -qq -o Acquire::Languages=none update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends zsh fish > /dev/null").ok();
        for name in ["tabula-one", "tabula-two"] {
            host.volt(&["container", "create", "--name", name, "tiny", "true"]).ok();
        }
        host.volt(&["volume", "create", "tabular"]).ok();
        // zsh as it comes, but for colours and the like.
        let mut screen = host.terminal(&["env", "TERM=dumb", "zsh", "-f", "-i"], 150, 40);
        screen.keys("PS1='# '; unsetopt beep; autoload -U compinit && compinit -u -D; echo rea''dy\r");
        screen.until("ready");
        screen.keys("volt container start tab\t");
        screen.until("start tab");
        screen.until("ula-");
        screen.keys("\t");
        screen.until("tabula-one");
        screen.until("stopped");
        screen.keys("tw\t");
        screen.until("two ");
        screen.keys("\x15volt vol\t");
        screen.until("volt volume ");
        screen.keys("inspect tab\t");
        screen.until("inspect tabular ");
        screen.keys("\x15volt image pull --var\t");
        screen.until("--variant ");
        screen.keys("\x15exit\r");
        assert_eq!(screen.ends().0, 0);
        // What fish offers at Tab, with a word about each, by the script that lies where it looks.
        for (typed, offered) in [
            ("volt container start tab", "tabula-one\tstopped\ntabula-two\tstopped"),
            ("volt volume inspect tab", "tabular"),
            ("volt image inspect ti", "tiny"),
            ("volt vol", "volume\tVolumes"),
            ("volt image pull --var", "--variant\tdebootstrap's variant, such as minbase"),
        ] {
            let said = host.run(&["fish", "--command", &format!("complete --do-complete '{typed}'")]).ok();
            assert_eq!(said.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"), offered, "{typed}");
        }
    }
}
