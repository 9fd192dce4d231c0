//! Tests of conversions.

use super::*;
use crate::stack::Workload;
use crate::testing::{files, request, service, stack};
use proptest::prelude::*;

/// One of each field that a service may have, so that nothing is forgotten in one of the directions.
pub(super) const FIELDS: [&str; 64] = [
    "build: {context: ., dockerfile: D, args: {A: '$$1'}, target: t, tags: [a:b], no_cache: true, pull: true, labels: {x: y}, secrets: [key, {source: key, target: other}], platforms: [linux/amd64], network: host, shm_size: 1m, additional_contexts: {m: ./m}}",
    "build: {dockerfile_inline: \"FROM x\\nRUN y\\n\"}",
    "pull_policy: every_12h",
    "pull_policy: never",
    "platform: linux/arm64",
    "container_name: mine",
    "boot: true",
    "user: '1:2'",
    "group_add: [mail]",
    "working_dir: /w",
    "hostname: h",
    "domainname: d.e",
    "tty: true",
    "stdin_open: true",
    "read_only: true",
    "labels: {a: 'yes', b: ''}",
    "annotations: {a: b}",
    "command: [sh, -c, 'echo \"$$HOME\" 5']",
    "command: []",
    "entrypoint: [\"/x\", 'true', '0x10', '~']",
    "environment: {A: no, B: '1.10', C: '', D: ' x ', E: \"a\\tb\\n\\nc: d # e\"}",
    "stop_signal: SIGRTMIN+3",
    "stop_signal: '33'",
    "stop_grace_period: 1m30s500ms",
    "healthcheck: {test: [CMD, a, b c], interval: 5s, timeout: 3s, retries: 4, start_period: 1m, start_interval: 1s}",
    "healthcheck: {test: a || b, on_unhealthy: restart}",
    "healthcheck: {http: 80/x, on_unhealthy: stop}",
    "healthcheck: {tcp: '5432'}",
    "healthcheck: {disable: true}",
    "healthcheck: {interval: 9s}",
    "ulimits: {nofile: {soft: 1, hard: 2}, core: -1}",
    "sysctls: {net.core.somaxconn: 5}",
    "post_start: [{command: a 'b c', user: u, working_dir: /x, environment: {A: b}}]",
    "pre_stop: [{command: [x]}]",
    "restart: on-failure:3",
    "deploy: {restart_policy: {condition: any, delay: 5s}, update_config: {order: start-first}}",
    "logging: {driver: x, options: {a: b}}",
    "develop: {watch: [{path: ./s, action: sync+restart, target: /t, ignore: [a], include: [b]}]}",
    "build: {context: ., extra_hosts: ['a=1.2.3.4'], ulimits: {nofile: {soft: 5, hard: 9}}}",
    "develop: {watch: [{path: ./s, action: sync+exec, target: /t, initial_sync: true, exec: {command: [a], user: b}}]}",
    "networks: {front: {aliases: [x_y, b]}, back: {ipv4_address: 10.7.0.9, mac_address: '02:00:00:00:00:01', gw_priority: 5}}",
    "network_mode: none",
    "network_mode: host",
    "network_mode: service:db",
    "ports: ['80:80', '127.0.0.1:81-82:81-82/udp', '99', '[::1]:90:90']",
    "expose: ['80', 90-91/udp]",
    "extra_hosts: [a=1.2.3.4, b=::1]",
    "dns: [1.1.1.1]\ndns_opt: [x]\ndns_search: [y]",
    "volumes: [data:/a:ro, './x:/b', /c, {type: volume, source: data, target: /d, volume: {subpath: s, nocopy: true}}, {type: bind, source: /e, target: /e, bind: {create_host_path: false}}]",
    "tmpfs: ['/f:size=5m', /g]",
    "secrets: [{source: key, target: k, uid: '5', gid: '6', mode: 0440}, key]",
    "configs: [conf]",
    "devices: ['/dev/fuse:/dev/x:rw']",
    "shm_size: 64m",
    "mem_limit: 300m\nmemswap_limit: 1g",
    "cpus: 1.5",
    "cpu_shares: 77",
    "pids_limit: 9\nrate: 10mbit",
    "blkio_config: {weight: 333, device_read_bps: [{path: /dev/sda, rate: 1m}], device_write_iops: [{path: /dev/sda, rate: 5}]}",
    "mem_reservation: 1g\ncpuset: 0-3\noom_score_adj: -5",
    "cap_add: [NET_ADMIN]\ncap_drop: [ALL]\nsecurity_opt: [seccomp=unconfined]",
    "isolation: microvm",
    "depends_on: {db: {condition: service_healthy, restart: true, required: false}}",
    "profiles: [a, b]\nscale: 3\nattach: false",
];

/// What stacks have besides.
pub(super) const OTHERS: &str = "name: all\ndescription: 'x: $$y'\nvms: {v: {image: x, cpu: 2, memory: 1g, disk: 5g, kernel: server, networks: [n], ports: ['80:80'], environment: {A: b}, restart: always, healthcheck: {tcp: '22'}, labels: {a: b}, depends_on: [u]}}\nservices: {u: {exec: [/x, 'a b'], description: d, user: u, working_dir: /w, environment: {A: b}, sandbox: strict, cpus: 1, restart: always, stop_grace_period: 5s, healthcheck: {tcp: '1'}, labels: {a: b}, secrets: [a, {source: b, target: K}]}}\ntasks:\n  a: {exec: x, cron: '* * * * *', container: img, description: d, user: u, working_dir: /w, environment: {A: b}, timeout: 5s, retries: 2, random_delay: 1m, persistent: false, mem_limit: 5m, labels: {a: b}, secrets: [a]}\n  b: {exec: x, every: 90s}\n  c: {exec: x, on_calendar: 'Mon 03:00'}\nnetworks: {n: {internal: true, enable_ipv6: true, mtu: 1400, ipam: {config: [{subnet: 10.9.0.0/24}]}, labels: {a: b}}, e: {external: true, name: out}}\nvolumes: {v: {driver: nfs, driver_opts: {o: addr=nas, device: ':/x'}, labels: {a: b}, name: mine}, e: {external: true}}\nconfigs: {a: {content: \"x\\n$$y\"}, b: {file: ./f}}\nsecrets: {a: {environment: T}, b: {external: true, name: z}}\n";

#[track_caller]
fn round(text: &str) {
    let change = |request: &mut crate::Request| request.profiles = vec!["*".to_owned()];
    let load = |text: &str| {
        let mut request = request();
        change(&mut request);
        crate::load(&files(&[("compose.yaml", text)]), &request)
    };
    let first = load(text).unwrap_or_else(|report| panic!("{report}\n{text}")).stack;
    again(&first);
}

#[track_caller]
fn again(first: &Stack) {
    let written = convert(first, Format::Compose).files.remove(0).text;
    let mut request = request();
    request.profiles = vec!["*".to_owned()];
    let second = crate::load(&files(&[("compose.yaml", &written)]), &request);
    let second = second.unwrap_or_else(|report| panic!("{report}\n{written}")).stack;
    assert_eq!(first, &second, "{written}");
    assert_eq!(convert(&second, Format::Compose).files[0].text, written);
}

#[test]
fn compose_to_compose_keeps_every_field() {
    for fields in FIELDS {
        round(&service(fields));
    }
    round(OTHERS);
}

#[test]
fn what_only_volt_has_is_said() {
    let notes = |fields: &str| convert(&stack(&service(fields)), Format::Compose).notes;
    let plain = "networks: [front]\nhealthcheck: {test: x}\nmem_limit: 5m";
    assert!(
        notes(plain).iter().all(|note| note.starts_with("services.db.healthcheck.tcp ")),
        "{:?}",
        notes(plain)
    );
    let found = notes("healthcheck: {http: '80'}\nrate: 5mbit\nisolation: vm");
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.contains(&"services.web.rate is a field that only Volt has".to_owned()));
    assert_eq!(
        convert(&stack(OTHERS), Format::Compose)
            .notes
            .iter()
            .filter(|note| note.starts_with("tasks is"))
            .count(),
        1
    );
}

#[test]
fn quadlet_units() {
    let found = stack(&service(
        "command: [sh, -c, 'echo \"50%\" $$X']\nports: ['80:80']\nvolumes: [data:/d:ro, /host:/h]\nnetworks: {front: {aliases: [www]}}\ndepends_on: [db]\nrestart: always\nenvironment: {A: 'b c$$d'}\ncpus: 1.5\nmem_limit: 64m\nsecrets: [key]\nhealthcheck: {http: 80/x}\nscale: 1",
    ));
    let made = convert(&found, Format::Quadlet);
    let names: Vec<&str> = made.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "app-back.network",
            "app-default.network",
            "app-front.network",
            "app-data.volume",
            "app-db-1.container",
            "app-web-1.container"
        ]
    );
    let wanted = "\
[Unit]
Description=web of app
Requires=app-db-1.service
After=app-db-1.service

[Container]
ContainerName=app-web-1
Image=app
Exec=sh -c \"echo \\\"50%%\\\" $$X\"
Environment=\"A=b c$$d\"
HealthCmd=curl -fsS http://localhost:80/x
Network=app-front.network:alias=web,alias=www
PublishPort=80:80/tcp
Volume=app-data.volume:/d:ro
Volume=/host:/h
Secret=app-key,type=mount,target=/run/secrets/key
PodmanArgs=--memory=67108864 --cpus=1.50

[Service]
Restart=always

[Install]
WantedBy=default.target
";
    assert_eq!(made.files[5].text, wanted);
    assert!(made.notes.iter().any(|note| note.contains("podman secret create app-key FILE")));
    let waits = "depends_on: {db: {condition: service_healthy}}";
    let unit = |text: &str, name: &str| {
        let made = convert(&stack(text), Format::Quadlet);
        made.files.iter().find(|file| file.name == name).unwrap().text.clone()
    };
    assert!(unit(&service(waits), "app-db-1.container").contains("Notify=healthy\n\n[Service]"));
    let ends = service(waits).replace("service_healthy", "service_completed_successfully");
    let ends = unit(&ends, "app-db-1.container");
    assert!(ends.contains("[Service]\nType=oneshot\nRemainAfterExit=yes\nRestart=no\n"), "{ends}");
    let shell = "healthcheck: {test: 'test -n \"$${HOME}\"'}";
    let shell = unit(&service(shell), "app-web-1.container");
    assert!(shell.contains("\nHealthCmd=test -n \"$${HOME}\"\n"), "{shell}");
    let others = convert(&stack(OTHERS), Format::Quadlet);
    for name in [
        "all-a-1.timer",
        "all-a-1.container",
        "all-b-1.timer",
        "all-b-1.service",
        "all-u-1.service",
    ] {
        assert!(others.files.iter().any(|file| file.name == name), "{name}");
    }
}

fn object(made: &Converted, name: &str) -> Value {
    let file = made
        .files
        .iter()
        .find(|file| file.name == name)
        .unwrap_or_else(|| panic!("{name}: {:?}", made.files));
    serde_saphyr::from_str(&file.text).unwrap()
}

#[test]
fn kubernetes_manifests() {
    let found = stack(&service(
        "command: [a, b]\nports: ['8080:80']\nexpose: ['90']\nvolumes: [data:/d]\ntmpfs: /t\nuser: '5:6'\ncap_add: [CAP_NET_ADMIN]\nscale: 1\nmem_limit: 64m\ncpus: 0.5\nenvironment: {A: '$$(B)'}\nconfigs: [conf]\nsecrets: [{source: key, mode: 0400}]\nhealthcheck: {test: [CMD, ok], interval: 5s, start_period: 30s}",
    ));
    let made = convert(&found, Format::Kubernetes);
    let deployment = object(&made, "web-deployment.yaml");
    let pod = &deployment["spec"]["template"]["spec"];
    let inside = &pod["containers"][0];
    assert_eq!(inside["args"], serde_json::json!(["a", "b"]));
    assert_eq!(
        inside["resources"]["limits"],
        serde_json::json!({"cpu": "500m", "memory": "67108864"})
    );
    assert_eq!(inside["env"][0]["value"], "$$(B)");
    assert_eq!(inside["securityContext"]["capabilities"]["add"][0], "NET_ADMIN");
    assert_eq!(inside["securityContext"]["runAsGroup"], 6);
    assert_eq!(inside["readinessProbe"]["exec"]["command"], serde_json::json!(["ok"]));
    assert_eq!(inside["startupProbe"]["failureThreshold"], 6);
    assert_eq!(
        inside["volumeMounts"].as_array().unwrap().len(),
        pod["volumes"].as_array().unwrap().len()
    );
    assert_eq!(pod["volumes"][2]["secret"]["defaultMode"], 0o400);
    assert_eq!(
        deployment["spec"]["selector"]["matchLabels"],
        deployment["spec"]["template"]["metadata"]["labels"]
    );
    let ports = object(&made, "web-service.yaml");
    assert_eq!(
        (&ports["spec"]["type"], &ports["spec"]["ports"][1]["port"]),
        (&"LoadBalancer".into(), &8080.into())
    );
    assert_eq!(object(&made, "conf-configmap.yaml")["data"]["content"], "x");
    assert_eq!(object(&made, "data-persistentvolumeclaim.yaml")["kind"], "PersistentVolumeClaim");
    let others = convert(&stack(OTHERS), Format::Kubernetes);
    assert_eq!(object(&others, "a-cronjob.yaml")["spec"]["schedule"], "* * * * *");
    assert!(others.notes.iter().any(|note| note == "v is a vm, which Kubernetes has none of"));
}

proptest! {
    #[test]
    fn compose_to_compose_is_the_same(chosen in prop::collection::btree_set(0..FIELDS.len(), 1..8)) {
        // Of fields with the same name, and of those that exclude each other, only the first counts.
        let mut names: Vec<&str> = Vec::new();
        let mut text = String::new();
        for index in chosen {
            let fields = FIELDS[index];
            let keys: Vec<&str> = fields.lines().map(|line| line.split(':').next().unwrap()).collect();
            let not_with = [("networks", "network_mode"), ("container_name", "profiles"), ("ports", "profiles"), ("networks", "profiles"), ("ports", "network_mode")];
            let excluded = |key: &str| names.contains(&key) || not_with.iter().any(|(a, b)| (*a == key && names.contains(b)) || (*b == key && names.contains(a)));
            if !keys.iter().any(|key| excluded(key)) {
                names.extend(keys);
                text += &format!("{fields}\n");
            }
        }
        round(&service(&text));
    }

    #[test]
    fn any_text_is_kept(values in prop::collection::btree_map("[A-Za-z_.x-]{1,8}", ".{0,30}", 0..6), command in prop::collection::vec(".{0,20}", 0..4)) {
        let mut found = stack(&service(""));
        let Workload::Container(container) = &mut found.services.get_mut("web").unwrap().workload else { panic!() };
        container.environment = values.clone();
        container.labels = values;
        container.command = Some(command);
        again(&found);
        drop(convert(&found, Format::Quadlet));
        drop(convert(&found, Format::Kubernetes));
    }
}
