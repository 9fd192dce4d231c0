//! The command line as scripts know it: its exit codes and its environment are those of `docs/configuration.md`, each and all.

use std::collections::BTreeSet;
use volt_e2e::{Host, PrivateHost, on_hosts};

const DOCUMENT: &str = include_str!("../../../../docs/configuration.md");

/// The first cells of the table below a heading.
fn first_cells(heading: &str) -> Vec<&'static str> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    rows.skip(1).collect()
}

/// What ends how. `said` is in what the command says on standard error; where it is empty, the command says nothing there.
struct Ending {
    code: i32,
    said: &'static str,
    line: &'static str,
}

const fn ending(code: i32, said: &'static str, line: &'static str) -> Ending {
    Ending { code, said, line }
}

const ENDINGS: [Ending; 31] = [
    ending(0, "", "volt ps > /dev/null"),
    ending(0, "", "volt logs up | true; exit ${PIPESTATUS[0]}"),
    ending(1, "Standard output can't be written", "volt ps -a > /dev/full"),
    ending(1, "The editor false failed", "VISUAL=false volt config edit"),
    ending(2, "unexpected argument '--no-such'", "volt ps --no-such"),
    ending(2, "write a number from 1 to 10000", "volt run --cpu-weight 0 tiny true"),
    ending(3, "none", "volt container inspect none"),
    ending(4, "up", "volt container create --name up tiny true"),
    ending(5, "group `volt`", "runuser -u tester -- volt container stop up"),
    ending(5, "needs root", "runuser -u tester -- volt cas gc"),
    ending(6, "/no/such.sock", "volt --host /no/such.sock ps"),
    ending(6, "127.0.0.1:1", "volt --host tcp://127.0.0.1:1 ps"),
    ending(7, "systemd took too long", "volt container stop --time 1 stuck"),
    ending(
        8,
        "Failed getting release file",
        "volt image pull debian --mirror http://127.0.0.1:1/debian",
    ),
    ending(8, "The server's answer can't be read", "volt --host tcp://127.0.0.1:7099 ps"),
    ending(9, "up", "volt container delete up"),
    ending(10, "proot", "volt container create --backend proot --read-only tiny true"),
    ending(11, "The disk is full", "volt --root /srv/small image import /srv/images/tiny.tar tiny"),
    ending(12, "does not begin with a tar header", "volt image import /etc/passwd bad"),
    ending(12, "/no/such.yaml", "volt --root /srv/other --config /no/such.yaml ps"),
    ending(12, "soon", "volt config set container.stop_timeout soon"),
    ending(13, "Interrupted", "timeout --preserve-status -s INT 1 volt container wait up"),
    ending(13, "Interrupted", "timeout --preserve-status -s TERM 1 volt container wait up"),
    ending(
        13,
        "Interrupted",
        "timeout --preserve-status -s HUP 1 volt container stop --time 100 deaf",
    ),
    ending(13, "", "timeout --preserve-status -s INT 1 volt logs -f up"),
    ending(13, "", "timeout --preserve-status -s INT 1 volt events"),
    ending(13, "", "timeout --preserve-status -s TERM 1 volt top > /dev/null"),
    ending(42, "", "volt exec up sh -c 'exit 42'"),
    ending(42, "", "volt run --rm tiny sh -c 'exit 42'"),
    ending(42, "", "echo 'exit 42' | volt shell up"),
    ending(42, "", "(sleep 1; volt exec leaves touch /now) & volt attach leaves"),
];

/// Makes what the lines above speak of.
fn prepare(host: &PrivateHost) {
    host.tiny();
    host.volt(&["run", "-d", "--name", "up", "tiny", "sleep", "1000"]).ok();
    host.volt(&[
        "run",
        "-d",
        "--name",
        "deaf",
        "tiny",
        "sh",
        "-c",
        "trap '' TERM; while :; do sleep 0.1; done",
    ])
    .ok();
    host.volt(&[
        "run",
        "-d",
        "--name",
        "leaves",
        "tiny",
        "sh",
        "-c",
        "until test -e /now; do sleep 0.1; done; exit 42",
    ])
    .ok();
    // Its unit has something to do at its end, and systemd all the time in the world for it.
    host.volt(&["run", "-d", "--name", "stuck", "tiny", "sleep", "1000"]).ok();
    let drop_in = "[Service]\\nExecStopPost=/bin/sleep 1000\\nTimeoutStopSec=infinity\\n";
    host.sh(&format!("d=/run/systemd/system/volt-container@stuck.service.d; mkdir $d && printf '{drop_in}' > $d/99.conf && systemctl daemon-reload")).ok();
    host.sh("mkdir -p /srv/small && mount -t tmpfs -o size=800k none /srv/small").ok();
    let nonsense = "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1:7099', Listen => 9, ReuseAddr => 1) or die; \
                    while (my $c = $s->accept) { sysread $c, my $asked, 4096; print $c qq(HTTP/1.1 200 OK\\r\\ncontent-length: 5\\r\\n\\r\\nhello); close $c }";
    host.run(&["systemd-run", "--quiet", "--unit=nonsense", "perl", "-e", nonsense]).ok();
}

#[track_caller]
fn check(host: &Host, ending: &Ending) {
    let Ending { code, said, line } = ending;
    let output = host.run(&["bash", "-c", line]);
    assert_eq!(output.code, *code, "{output:?}");
    assert!(output.stderr.contains(said), "{said:?} is not said: {output:?}");
    assert!(!said.is_empty() || output.stderr.is_empty(), "that needs no word: {output:?}");
}

on_hosts! {
    fn system_exit_codes_are_the_documented_ones(host) {
        let host = host.private("codes");
        prepare(&host);
        let (slow, quick): (Vec<_>, Vec<_>) = ENDINGS.iter().partition(|ending| ending.code == 7);
        std::thread::scope(|scope| {
            for ending in slow {
                scope.spawn(|| check(&host, ending));
            }
            for ending in quick {
                check(&host, ending);
            }
        });
        let documented: BTreeSet<i32> = first_cells("Exit codes").iter().map(|cell| cell.parse().unwrap()).collect();
        let seen: BTreeSet<i32> = ENDINGS.iter().map(|ending| ending.code).filter(|code| *code != 42).collect();
        assert_eq!(seen, documented);
        // What took too long is under way all the same.
        host.sh("systemctl kill --signal=KILL volt-container@stuck.service").ok();
        host.until(std::time::Duration::from_secs(10), "test $(systemctl show -P ActiveState volt-container@stuck.service) != deactivating");
        host.sh("rm -r /run/systemd/system/volt-container@stuck.service.d && systemctl daemon-reload && volt delete --force stuck deaf up leaves").ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
        host.sh("systemctl stop nonsense; umount /srv/small").ok();
    }
}

/// A line of shell, its exit code, and what is on the screen or must not be.
struct Setting {
    line: &'static str,
    code: i32,
    shows: Result<&'static str, &'static str>,
}

const fn shows(line: &'static str, text: &'static str) -> Setting {
    Setting { line, code: 0, shows: Ok(text) }
}

const fn hides(line: &'static str, text: &'static str) -> Setting {
    Setting { line, code: 0, shows: Err(text) }
}

const fn fails(code: i32, line: &'static str, text: &'static str) -> Setting {
    Setting { line, code, shows: Ok(text) }
}

/// Each variable alone, and beside what is typed, which wins.
const SETTINGS: [Setting; 41] = [
    shows("VOLT_OUTPUT=json volt version", "\"version\""),
    shows("VOLT_OUTPUT=json volt config show", "\"key\": \"container.dns\""),
    hides("VOLT_OUTPUT=json volt config show -o name", "\""),
    shows("VOLT_OUTPUT=yaml volt -o wide config show", "DESCRIPTION"),
    fails(2, "VOLT_OUTPUT=nonsense volt ps", "nonsense"),
    hides("volt config show", "\x1b["),
    shows("VOLT_COLOR=always volt config show", "\x1b["),
    shows("VOLT_COLOR=always volt --help", "\x1b["),
    hides("VOLT_COLOR=always volt --color never config show", "\x1b["),
    hides("VOLT_COLOR=always volt --color=never --help", "\x1b["),
    fails(3, "VOLT_COLOR=always volt inspect none", "\x1b[1;31merror:"),
    shows("screen volt config show", "\x1b["),
    shows("screen volt --help", "\x1b["),
    hides("VOLT_COLOR=never screen volt config show", "\x1b["),
    shows("VOLT_COLOR=never screen volt --color auto config show", "\x1b["),
    hides("NO_COLOR=1 screen volt config show", "\x1b["),
    hides("NO_COLOR=1 screen volt --help", "\x1b["),
    shows("NO_COLOR= screen volt config show", "\x1b["),
    shows("NO_COLOR=1 screen volt --color always config show", "\x1b["),
    shows("NO_COLOR=1 VOLT_COLOR=always volt config show", "\x1b["),
    hides("volt ps", "debug:"),
    shows("VOLT_DEBUG=1 volt ps", "debug: asking the daemon at /run/volt/volt.sock"),
    hides("VOLT_DEBUG=0 volt ps", "debug:"),
    shows("VOLT_DEBUG=0 volt --debug ps", "debug: GET /api/v1/workloads"),
    shows("VOLT_CONFIG=a.yaml volt --root own config get container.stop_timeout", "11"),
    shows(
        "VOLT_CONFIG=a.yaml volt --root own --config b.yaml config get container.stop_timeout",
        "12",
    ),
    fails(12, "VOLT_CONFIG=/no/such.yaml volt --root own config show", "/no/such.yaml"),
    shows("VOLT_CONFIG=a.yaml volt config get container.stop_timeout", "--config is not heeded"),
    shows("VOLT_ROOT=/tmp/environ/own volt system info", "/tmp/environ/own"),
    shows(
        "VOLT_ROOT=/tmp/environ/own volt --root /tmp/environ/other system info",
        "/tmp/environ/other",
    ),
    hides("VOLT_ROOT=/tmp/environ/own volt --root / system info", "/tmp/environ"),
    fails(6, "VOLT_HOST=/no/such.sock volt ps", "/no/such.sock"),
    shows(
        "VOLT_HOST=/no/such.sock volt --host /run/volt/volt.sock --debug ps",
        "the daemon at /run/volt/volt.sock",
    ),
    shows(
        "VOLT_HOST=/no/such.sock volt --context here --debug ps",
        "the daemon at /run/volt/volt.sock",
    ),
    shows(
        "VOLT_HOST=/no/such.sock volt --root own --debug ps",
        "this process, about /tmp/environ/own",
    ),
    shows("VOLT_CONTEXT=here volt --debug ps", "the daemon at /run/volt/volt.sock"),
    fails(6, "VOLT_CONTEXT=nowhere volt ps", "/no/such.sock"),
    fails(3, "VOLT_CONTEXT=heer volt ps", "Did you mean `here`?"),
    shows(
        "VOLT_CONTEXT=nowhere volt --context here --debug ps",
        "the daemon at /run/volt/volt.sock",
    ),
    shows(
        "VOLT_CONTEXT=nowhere volt --host /run/volt/volt.sock --debug ps",
        "the daemon at /run/volt/volt.sock",
    ),
    shows(
        "VOLT_CONTEXT=nowhere volt --root own --debug ps",
        "this process, about /tmp/environ/own",
    ),
];

on_hosts! {
    fn system_environment_does_what_options_do(host) {
        host.sh("rm -rf /tmp/environ && mkdir -p /tmp/environ/volt && cd /tmp/environ && printf 'container:\\n  stop_timeout: 11\\n' > a.yaml && sed s/11/12/ a.yaml > b.yaml && \
                 printf 'here: /run/volt/volt.sock\\nnowhere: /no/such.sock\\n' > volt/contexts.yaml").ok();
        // `screen` is a terminal around a command.
        let around = "cd /tmp/environ; export XDG_CONFIG_HOME=/tmp/environ TERM=xterm; screen() { script -qec \"$*\" /dev/null < /dev/null; }";
        for Setting { line, code, shows } in SETTINGS {
            let output = host.run(&["bash", "-c", &format!("{around}; {line} 2>&1")]);
            assert_eq!(output.code, code, "{output:?}");
            match shows {
                Ok(text) => assert!(output.stdout.contains(text), "{text:?} is missing: {output:?}"),
                Err(text) => assert!(!output.stdout.contains(text), "{text:?} is there: {output:?}"),
            }
        }
        let variables: Vec<&str> = first_cells("The environment").iter().flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`')).collect();
        assert!(variables.contains(&"NO_COLOR"), "{variables:?}");
        for name in variables {
            assert!(SETTINGS.iter().any(|setting| setting.line.starts_with(&format!("{name}="))), "{name} is not tried");
        }
        host.sh("rm -rf /tmp/environ").ok();
    }
}
