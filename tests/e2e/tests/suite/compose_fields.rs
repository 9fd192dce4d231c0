//! What single fields of a Compose file do to what runs, as docs/compose-fields.md says.

use super::compose::{is_gone, stack, within};
use std::time::Duration;
use volt_e2e::{Host, on_hosts, on_vms};

/// What a service of the stack that is meant here is asked inside.
fn inside(host: &Host, name: &str, line: &str) -> String {
    host.volt(&["exec", name, "sh", "-c", line]).ok()
}

const LIMITED: &str = "\
name: limited
services:
  a:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    mem_limit: 64m
    memswap_limit: 80m
    mem_reservation: 8m
    cpu_quota: 30000
    cpu_period: 100000
    cpu_shares: 512
    pids_limit: 20
    blkio_config:
      weight: 250
      device_read_bps: [{path: /dev/vda, rate: 1mb}]
      device_write_bps: [{path: /dev/vda, rate: 2mb}]
      device_read_iops: [{path: /dev/vda, rate: 100}]
      device_write_iops: [{path: /dev/vda, rate: 200}]
  b:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    deploy:
      replicas: 2
      resources: {limits: {cpus: '0.25', memory: 48m, pids: 30}, reservations: {memory: 6m}}
      restart_policy: {condition: on-failure, delay: 2s, max_attempts: 4}
  c: {image: tiny, command: sleep 1000, stop_grace_period: 1s, cpus: 1.5, scale: 2}
";

on_vms! {
    fn compose_fields_limit_what_services_use(host) {
        host.tiny();
        // A machine's /srv is read only.
        host.run_with(&["sh", "-c", "mkdir -p /root/limited && cat > /root/limited/compose.yaml"], LIMITED.as_bytes()).ok();
        host.sh("cd /root/limited && volt compose up -d").ok();
        let group = |name: &str, file: &str| host.sh(&format!("cat /sys/fs/cgroup/system.slice/volt-container@limited-{name}.service/{file}")).ok();
        for (name, file, value) in [
            ("a-1", "memory.max", "67108864"), ("a-1", "memory.swap.max", "16777216"), ("a-1", "memory.low", "8388608"),
            ("a-1", "cpu.max", "30000 100000"), ("a-1", "cpu.weight", "50"), ("a-1", "pids.max", "20"), ("a-1", "io.weight", "default 50"),
            ("a-1", "io.max", "254:0 rbps=1048576 wbps=2097152 riops=100 wiops=200"),
            ("b-1", "memory.max", "50331648"), ("b-2", "memory.low", "6291456"), ("b-2", "cpu.max", "25000 100000"), ("b-2", "pids.max", "30"),
            ("c-2", "cpu.max", "150000 100000"),
        ] {
            assert_eq!(group(name, file), value, "{name} {file}");
        }
        let unit = |what: &str| host.sh(&format!("systemctl show -P {what} volt-container@limited-b-1")).ok();
        assert_eq!((unit("Restart"), unit("RestartUSec"), unit("StartLimitBurst")), ("on-failure".into(), "2s".into(), "5".into()));
        host.sh("cd /root/limited && volt compose down").ok();
        is_gone(host, "limited");
    }
}

const RUN: &str = "\
name: howrun
services:
  a:
    image: tiny
    container_name: howrun-own
    entrypoint: [sh, -c]
    command: ['trap \"echo told; exit 0\" USR1; echo \"$$0 $$PLAIN $$RAW $$OVER\"; while :; do sleep 0.1; done', first]
    env_file: [{path: ./one.env}, {path: ./raw.env, format: raw}, {path: ./none.env, required: false}]
    environment: {OVER: here}
    labels: {own: label}
    label_file: ./labels
    working_dir: /tmp
    user: '1234:2345'
    read_only: true
    tmpfs: ['/scratch:size=1m']
    ulimits: {nofile: {soft: 100, hard: 200}, nproc: 50}
    cap_drop: [ALL]
    cap_add: [CHOWN]
    stop_signal: USR1
    stop_grace_period: 20s
    restart: on-failure:3
    stdin_open: true
    healthcheck: {test: [CMD, test, -e, /etc/passwd], interval: 300ms, timeout: 5s, retries: 2, start_period: 1s, start_interval: 200ms}
    post_start: [{command: [sh, -c, 'echo \"$$HOOK $$(id -u) $$PWD\" > /scratch/hook'], environment: {HOOK: hooked}, user: '0', working_dir: /etc}]
  b:
    image: tiny
    command: sh -c 'tty; exec sleep 1000'
    tty: true
    stop_grace_period: 1s
    security_opt: [seccomp=unconfined]
    healthcheck: {disable: true}
    expose: ['90']
    profiles: [more]
";

on_hosts! {
    fn compose_fields_say_how_commands_run(host) {
        host.tiny();
        stack(host, "howrun", RUN);
        within(host, "howrun", "printf 'PLAIN=plain\\nOVER=there\\n' > one.env && printf 'RAW=\"as it is\" $X\\n' > raw.env && echo of.a.file=yes > labels && volt compose up -d").ok();
        let a = |line: &str| inside(host, "howrun-own", line);
        host.until(Duration::from_secs(10), "volt logs howrun-own | grep -qxF 'first plain \"as it is\" $X here'");
        assert_eq!(a("id -u; id -g; pwd; ulimit -Sn; ulimit -Hn; ulimit -Hp 2>/dev/null || grep 'Max processes' /proc/self/limits | awk '{print $4}'"), "1234\n2345\n/tmp\n100\n200\n50");
        assert_eq!(a("touch /x 2>/dev/null || echo read only; df -k /scratch | tail -1 | awk '{print $2}'; cat /scratch/hook"), "read only\n1024\nhooked 0 /etc");
        assert_eq!(a("grep ^CapBnd /proc/self/status | cut -f 2"), "0000000000000001");
        let seen = host.volt(&["container", "inspect", "howrun-own", "-o", "json"]).json();
        assert_eq!((&seen["labels"]["own"], &seen["labels"]["of.a.file"]), (&"label".into(), &"yes".into()), "{seen}");
        host.until(Duration::from_secs(10), "volt health status howrun-own -o json | grep -F '\"healthy\"'");
        let unit = |what: &str| host.sh(&format!("systemctl show -P {what} volt-container@howrun-own")).ok();
        assert_eq!((unit("Restart"), unit("StartLimitBurst")), ("on-failure".into(), "4".into()));
        // Only with its profile.
        host.volt(&["container", "inspect", "howrun-b-1"]).fails(3);
        within(host, "howrun", "volt compose --profile more up -d").ok();
        assert_eq!(inside(host, "howrun-b-1", "grep ^Seccomp: /proc/1/status | cut -f 2"), "0");
        host.until(Duration::from_secs(10), "volt logs howrun-b-1 | grep -q '^/dev/'");
        assert!(host.volt(&["container", "inspect", "howrun-b-1", "-o", "json"]).json()["health"].is_null());
        // The signal of the file, and the time that it has for it.
        within(host, "howrun", "volt compose stop a").ok();
        assert!(host.volt(&["logs", "howrun-own"]).ok().lines().any(|line| line == "told"));
        within(host, "howrun", "volt compose --profile more down").ok();
        is_gone(host, "howrun");
    }
}

const MOUNTED: &str = "\
name: mounted
services:
  a:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    volumes:
      - {type: bind, source: ./given, target: /given, read_only: true, bind: {create_host_path: false}}
      - {type: bind, source: ./made, target: /made, bind: {create_host_path: true}}
      - {type: volume, source: data, target: /etc, volume: {nocopy: true}}
      - {type: volume, source: filled, target: /bin}
      - {type: tmpfs, target: /quick, tmpfs: {size: 2m}}
      - /unnamed
      - some:/nowhere
  b: {image: tiny, command: sleep 1000, stop_grace_period: 1s, volumes_from: ['a:ro']}
  c: {image: tiny, command: sleep 1000, stop_grace_period: 1s, volumes_from: [b], volumes: ['./made:/given']}
  # It would not run without what the image has there.
  d: {image: tiny, command: sleep 1000, stop_grace_period: 1s, volumes: [/bin, 'late:/home'], depends_on: [e, f]}
  e: {image: tiny, command: sleep 1000, stop_grace_period: 1s, volumes: ['some:/bin']}
  f: {image: tiny, command: sleep 1000, stop_grace_period: 1s, volumes: ['late:/bin']}
volumes: {data: {labels: {of: mine}}, filled: {name: mounted-other}, late: {}, some: {}}
";

on_hosts! {
    fn compose_fields_mount_what_they_say(host) {
        let host = &*host.private("mounted");
        host.tiny();
        // The root of a test host is an overlay, which knows no maps of ids.
        host.sh("mkdir -p /srv/stacks/mounted && mount -t tmpfs none /srv/stacks/mounted").ok();
        stack(host, "mounted", MOUNTED);
        let missing = within(host, "mounted", "volt compose up -d").fails(3);
        assert!(missing.contains("given"), "{missing}");
        within(host, "mounted", "mkdir given && echo host > given/file && volt compose up -d").ok();
        let [a, b, c] = ["a", "b", "c"].map(|key| move |line: &str| inside(host, &format!("mounted-{key}-1"), line));
        assert_eq!(a("cat /given/file; touch /given/x 2>/dev/null || echo read only; echo x > /made/x && df -k /quick | tail -1 | awk '{print $2}'"), "host\nread only\n2048");
        // A volume begins with what the image has there, unless that is not wanted.
        assert_eq!(a("ls /etc | grep -vc -e hosts -e hostname -e resolv.conf; test -x /bin/busybox && echo filled"), "0\nfilled");
        assert_eq!(host.volt(&["volume", "inspect", "mounted-data", "-o", "json"]).json()["labels"]["of"], "mine");
        host.volt(&["volume", "inspect", "mounted-other"]).ok();
        // What others mount, also what has no name; each may mount something else there.
        a("echo shared > /unnamed/file");
        assert_eq!(b("cat /unnamed/file /made/x; touch /unnamed/y 2>/dev/null || echo read only"), "shared\nx\nread only");
        assert_eq!(c("cat /unnamed/file /given/x"), "shared\nx");
        // It is filled by who starts first and has something there.
        let filled = |name: &str| host.sh(&format!("test -x /var/lib/volt/volumes/mounted-{name}/_data/busybox")).ok();
        filled("d-1-bin");
        filled("some");
        filled("late");
        within(host, "mounted", "volt compose run --rm --name mounted-once d sh -c 'echo x > /bin/own'").ok();
        inside(host, "mounted-d-1", "! test -e /bin/own");
        host.sh("! volt volume list -o name | grep mounted-once").ok();
        within(host, "mounted", "volt compose down -v").ok();
        host.sh("! volt volume list -o name | grep mounted").ok();
        is_gone(host, "mounted");
    }
}

const JOINED: &str = "\
name: joined
services:
  a:
    image: tiny
    command: httpd -f -p 80 -h /etc
    stop_grace_period: 1s
    ports:
      - {target: 80, published: '18201', host_ip: 127.0.0.1, protocol: tcp}
      - '127.0.0.1:18202-18203:80-81'
    networks:
      front: {aliases: [shown], ipv4_address: 10.88.9.20, mac_address: '02:00:00:00:88:20'}
      back: {gw_priority: 5}
  b: {image: tiny, command: sleep 1000, stop_grace_period: 1s, networks: [front], links: ['a:linked'], mac_address: '02:00:00:00:88:21'}
  c: {image: tiny, command: sleep 1000, stop_grace_period: 1s, networks: [closed, theirs]}
  d: {image: tiny, command: sleep 1000, stop_grace_period: 1s, network_mode: none}
networks:
  front: {driver: bridge, enable_ipv6: true, ipam: {config: [{subnet: 10.88.9.0/24}]}, driver_opts: {com.docker.network.driver.mtu: '1300'}, labels: {of: mine}}
  back: {name: joined-behind}
  closed: {internal: true}
  theirs: {external: true, name: joined-theirs}
";

on_hosts! {
    fn compose_fields_connect_as_they_say(host) {
        host.tiny();
        host.volt(&["net", "create", "joined-theirs", "--subnet", "10.88.11.0/24"]).ok();
        stack(host, "joined", JOINED);
        within(host, "joined", "volt compose up -d").ok();
        for port in ["18201", "18202"] {
            host.until(Duration::from_secs(10), &format!("curl -sf http://127.0.0.1:{port}/passwd -o /dev/null"));
        }
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|key| move |line: &str| inside(host, &format!("joined-{key}-1"), line));
        for name in ["a", "shown", "linked"] {
            assert!(b(&format!("nslookup {name}")).contains("10.88.9.20"), "{name}");
        }
        assert_eq!(b("cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu"), "02:00:00:00:88:21\n1300");
        assert!(b("ip -6 -o address show dev eth0").contains("scope global"));
        // The way out is by the network that is to be first.
        let behind = host.volt(&["net", "inspect", "joined-behind", "-o", "json"]).json();
        assert!(a("ip route show default").contains(behind["gateway"].as_str().unwrap()), "{behind}");
        let front = host.volt(&["net", "inspect", "joined-front", "-o", "json"]).json();
        assert_eq!((&front["labels"]["of"], &front["subnet"]), (&"mine".into(), &"10.88.9.0/24".into()), "{front}");
        assert_eq!(host.volt(&["net", "inspect", "joined-closed", "-o", "json"]).json()["internal"], true);
        assert!(c("ip -4 -o address").contains("10.88.11."));
        assert_eq!(d("ls /sys/class/net"), "lo");
        within(host, "joined", "volt compose down").ok();
        host.volt(&["net", "delete", "joined-theirs"]).ok();
        is_gone(host, "joined");
    }
}
