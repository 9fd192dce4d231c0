//! Two commands on one name at once, from two processes: each is done, or says Conflict, NotFound or AlreadyExists; what is left is
//! whole.

use volt_e2e::{Host, on_hosts};

/// How often each pair is tried, each time with the second a little later.
const ROUNDS: u32 = 5;

/// Two commands, the state they meet, and how they may end.
struct Pair {
    before: &'static str,
    one: (&'static str, &'static [i32]),
    other: (&'static str, &'static [i32]),
}

const DONE_GONE_BUSY: &[i32] = &[0, 3, 9];

const PAIRS: &[Pair] = &[
    Pair {
        before: "true",
        one: ("create --name race tiny sleep 1000", &[0, 4, 9]),
        other: ("create --name race tiny sleep 1000", &[0, 4, 9]),
    },
    Pair {
        before: "volt container create --name race tiny sleep 1000",
        one: ("start race", DONE_GONE_BUSY),
        other: ("delete race", DONE_GONE_BUSY),
    },
    Pair {
        before: "volt container create --name race tiny sleep 1000",
        one: ("start race", DONE_GONE_BUSY),
        other: ("delete --force race", DONE_GONE_BUSY),
    },
    Pair {
        before: "volt run -d --name race tiny sleep 1000",
        one: ("stop race", DONE_GONE_BUSY),
        other: ("start race", DONE_GONE_BUSY),
    },
    Pair {
        before: "volt container create --name race tiny sleep 1000",
        one: ("rename race raced", DONE_GONE_BUSY),
        other: ("start race", DONE_GONE_BUSY),
    },
    Pair {
        before: "volt container create --name race tiny sleep 1000",
        one: ("rename race raced", DONE_GONE_BUSY),
        other: ("rename race racing", DONE_GONE_BUSY),
    },
    Pair {
        before: "volt run -d --name race tiny sleep 1000",
        one: ("delete --force race", DONE_GONE_BUSY),
        other: ("delete --force race", DONE_GONE_BUSY),
    },
    Pair {
        before: "volt run -d --name race tiny sleep 1000",
        one: ("restart race", DONE_GONE_BUSY),
        other: ("stop race", DONE_GONE_BUSY),
    },
];

/// Runs one pair and says `CODE CODE STATE…`; whatever is left of it is then used and removed as a person would.
const ROUND: &str = r#"
volt container delete --force race raced racing >/dev/null 2>&1
eval "$1" >/dev/null || exit 90
{ volt container $2 >/tmp/race.1 2>&1; echo $? >/tmp/race.code.1; } &
sleep 0.0$4
{ volt container $3 >/tmp/race.2 2>&1; echo $? >/tmp/race.code.2; } &
wait
echo $(cat /tmp/race.code.1 /tmp/race.code.2)
cat /tmp/race.1 /tmp/race.2 >&2
for name in $(volt ps -a -o name | grep '^rac'); do
    volt container start $name && volt container exec $name true && volt container delete --force $name || exit 91
done >/dev/null
! systemctl list-units --plain --no-legend 'volt-*@rac*' | grep . || exit 92
! findmnt -rno TARGET | grep /containers/rac || exit 93
! ls -d /run/netns/volt-rac* /run/volt/containers/rac* 2>/dev/null | grep . || exit 94
"#;

fn collide(host: &Host) {
    for pair in PAIRS {
        for round in 0..ROUNDS {
            let later = format!("{:02}", round * 13);
            let words = ["sh", "-c", ROUND, "sh", pair.before, pair.one.0, pair.other.0, &later];
            let output = host.run(&words);
            let codes: Vec<i32> = output
                .stdout
                .lines()
                .next()
                .unwrap_or_default()
                .split(' ')
                .filter_map(|word| word.parse().ok())
                .collect();
            let allowed = |at: usize, codes_of: &[i32]| {
                codes.get(at).is_some_and(|code| codes_of.contains(code))
            };
            let fine = output.code == 0
                && allowed(0, pair.one.1)
                && allowed(1, pair.other.1)
                && codes.contains(&0);
            assert!(fine, "{} and {} ms later {}: {output:?}", pair.one.0, later, pair.other.0);
        }
        let check = host.volt(&["system", "check", "-o", "json"]).json();
        assert_eq!(check["findings"], serde_json::json!([]), "{} and {}", pair.one.0, pair.other.0);
    }
}

on_hosts! {
    fn container_commands_at_once_by_the_daemon(host) {
        let host = host.private("races");
        host.tiny();
        collide(&host);
    }
}

on_hosts! {
    fn container_commands_at_once_from_two_processes(host) {
        let host = host.private("races2");
        host.tiny();
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        collide(&host);
    }
}

/// What is done while systemd begins anew again and again, as it does when the system brings a new version of it: its connection to the
/// bus is lost each time, and made again.
const ANEW: &str = r#"
pid() { volt container inspect stays -o json | grep -m1 '"pid"'; }
volt run -d --name stays tiny sleep 1000 || exit 90
before=$(pid); rm -f /tmp/anew.done
{ for i in $(seq 20); do systemctl daemon-reexec || exit; sleep 0.2; done; touch /tmp/anew.done; } &
while [ -d /proc/$! ] && ! [ -e /tmp/anew.done ]; do
    volt run -d --name passes --volume scratch:/scratch tiny sleep 1000 && volt container stop passes && volt container delete passes || exit 91
done
wait; [ -e /tmp/anew.done ] && [ "$(pid)" = "$before" ] || exit 92
volt container delete --force stays
"#;

on_hosts! {
    fn container_lives_on_while_systemd_begins_anew(host) {
        let host = host.private("anew");
        host.tiny();
        host.sh("volt volume create --driver tmpfs scratch").ok();
        host.sh(ANEW).ok();
    }
}
