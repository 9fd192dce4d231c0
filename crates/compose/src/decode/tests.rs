//! Tests of fields: what each form becomes, and what is said of wrong ones.

use crate::stack::*;
use crate::testing::{container, loaded, refused, refused_service, service, stack};
use std::collections::BTreeMap;
use std::time::Duration;
use volt_model::container::Seccomp;
use volt_model::restart::Restart;
use volt_model::size::Bytes;

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn services_of_both_forms() {
    let found = stack(
        "version: '1'\nname: shop\ndescription: A shop\ncontainers:\n  a: {image: x, scale: 3, isolation: proot}\nservices:\n  b: {image: y, attach: false, isolation: microvm}\n  c: {command: /usr/bin/true}\n  d: {build: .}\nvms:\n  e: {image: debian}\ntasks:\n  f: {exec: /usr/bin/true, every: 15m}\n",
    );
    let kinds: Vec<&str> = found.services.values().map(|s| s.workload.kind()).collect();
    assert_eq!(kinds, ["container", "container", "service", "container", "vm", "task"]);
    assert_eq!(found.services["a"].replicas, 3);
    assert!(!found.services["b"].attach);
    assert_eq!(found.services["a"].container().unwrap().isolation, Isolation::Proot);
    assert_eq!(found.services["b"].container().unwrap().isolation, Isolation::MicroVm);
    assert_eq!((found.name.as_str(), found.description.as_deref()), ("shop", Some("A shop")));
    assert_eq!(
        refused("services: {a: {image: x}}\nvms: {a: {image: y}}\n"),
        [
            "2:10: vms.a: there is another `a`: containers, vms, services and tasks share their names"
        ]
    );
    assert_eq!(
        refused("services: {a: {user: x}}\n"),
        [
            "1:15: services.a: it has neither image nor build. Write `image: NAME`, or `build: FOLDER`"
        ]
    );
    assert_eq!(
        refused_service("isolation: vmm"),
        [
            "4:16: services.web.isolation: `vmm` is none of the words that may stand here. Did you mean `vm`?"
        ]
    );
    assert_eq!(container("container_name: my-app").container_name.unwrap().as_str(), "my-app");
    let odd = loaded(&service("container_name: My_App"));
    assert!(
        odd.warnings[0].text.contains("the container is called `my-app`"),
        "{:?}",
        odd.warnings
    );
}

#[test]
fn images_and_builds() {
    assert_eq!(container("").image.unwrap().to_string(), "app");
    assert_eq!(container("build: ./x").build.unwrap().context, "/srv/app/x");
    let build = container(
        "build:\n  dockerfile: D\n  args: [A=1]\n  target: t\n  tags: [a:b]\n  no_cache: true\n  labels: {l: m}\n  secrets: [key, {source: key, target: npm}]\n  additional_contexts: {more: ../y, far: 'https://h/x'}\n",
    );
    let build = build.build.unwrap();
    assert_eq!((build.context.as_str(), build.dockerfile.as_deref()), ("/srv/app", Some("D")));
    assert_eq!(build.args, map(&[("A", "1")]));
    assert_eq!(build.additional_contexts, map(&[("far", "https://h/x"), ("more", "/srv/y")]));
    assert_eq!(
        (texts(&build.tags), build.no_cache, build.secrets),
        (
            vec!["a:b".to_owned()],
            true,
            [("key", "key"), ("key", "npm")].map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()
        )
    );
    let build = container(
        "build: {context: ., dockerfile_inline: FROM x, network: none, pull: true, platforms: [linux/amd64], shm_size: 1m, extra_hosts: ['a=1.2.3.4'], ulimits: {nofile: {soft: 5, hard: 9}, core: 0}}",
    );
    let build = build.build.unwrap();
    assert_eq!((build.network.as_deref(), build.pull), (Some("none"), true));
    assert_eq!(
        (build.dockerfile_inline.as_deref(), build.shm_size),
        (Some("FROM x"), Some(Bytes(1 << 20)))
    );
    assert_eq!(build.extra_hosts, ["a=1.2.3.4".parse().unwrap()]);
    assert_eq!(texts(&build.ulimits), ["CORE=0:0", "NOFILE=5:9"]);
    assert_eq!(container("platform: linux/arm64").platform.as_deref(), Some("linux/arm64"));
    assert_eq!(container("pull_policy: every_12h").pull, Pull::Every(43_200));
    assert_eq!(container("pull_policy: if_not_present").pull, Pull::Missing);
    assert_eq!(refused("services: {a: {image: 'A B'}}").len(), 1);
    assert_eq!(
        refused_service("pull_policy: sometimes"),
        [
            "4:18: services.web.pull_policy: `sometimes` is no way to pull. Write always, missing, never, build, daily, weekly or every_12h"
        ]
    );
}

#[test]
fn commands_and_entrypoints() {
    let words = |list: &[&str]| Some(list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        container("command: nginx -g \"daemon off;\"").command,
        words(&["nginx", "-g", "daemon off;"])
    );
    assert_eq!(container("command: [echo, '', 5]").command, words(&["echo", "", "5"]));
    assert_eq!(container("entrypoint: []").entrypoint, words(&[]));
    assert_eq!(container("entrypoint: ''").entrypoint, words(&[]));
    assert_eq!(container("command: ").command, None);
    assert_eq!(
        refused_service("command: a 'b"),
        ["4:14: services.web.command: `a 'b` has a quote that is never closed"]
    );
    assert_eq!(
        refused_service("command: {a: b}"),
        ["4:14: services.web.command: a single value belongs here, not a mapping"]
    );
}

#[test]
fn labels_and_variables() {
    let found = container(
        "environment:\n  - A=1\n  - B=x=y\n  - A=2\n  - GONE\nlabels: {a: b, c: }\nannotations: [x=y]",
    );
    assert_eq!(found.environment, map(&[("A", "2"), ("B", "x=y")]));
    assert_eq!(found.labels, map(&[("a", "b"), ("c", "")]));
    assert_eq!(found.annotations, map(&[("x", "y")]));
    assert_eq!(
        container("environment: {A: no, B: 1.10, C: 0755}").environment,
        map(&[("A", "no"), ("B", "1.10"), ("C", "0755")])
    );
    assert!(refused_service("labels: [com.docker.compose.project=x]")[0].contains("is reserved"));
    assert!(
        refused_service("environment: ['A B=1']")[0].contains("`A B` is no name of a variable")
    );
}

#[test]
fn ports_of_services() {
    let found = container(
        "ports:\n  - 3000\n  - '8000:80'\n  - '9090-9091:8080-8081'\n  - '127.0.0.1:8001:8001'\n  - '::1:6000:6000'\n  - '[::1]:6001:6001'\n  - 6060:6060/udp\n  - {target: 443, published: '8443', host_ip: 127.0.0.1, protocol: tcp, name: web, mode: host}\n  - target: 5\nexpose: ['3000', 8000-8005/udp]",
    );
    assert_eq!(
        texts(&found.ports),
        [
            "3000/tcp",
            "8000:80/tcp",
            "9090-9091:8080-8081/tcp",
            "127.0.0.1:8001:8001/tcp",
            "[::1]:6000:6000/tcp",
            "[::1]:6001:6001/tcp",
            "6060:6060/udp",
            "127.0.0.1:8443:443/tcp",
            "5/tcp"
        ]
    );
    assert_eq!(
        texts(&container("ports: ['3000-3002']").ports),
        ["3000/tcp", "3001/tcp", "3002/tcp"]
    );
    let any = loaded(&service(
        "ports: ['8000-9000:80/udp', {target: 81, published: 1-5, host_ip: 127.0.0.1}]",
    ));
    assert_eq!(
        texts(&any.stack.services["web"].container().unwrap().ports),
        ["80/udp", "127.0.0.1::81/tcp"]
    );
    assert_eq!(any.warnings.len(), 2);
    assert_eq!(found.expose, ["3000", "8000-8005/udp"]);
    assert!(
        refused_service("ports: [99999]")[0]
            .starts_with("4:13: services.web.ports[0]: `99999` publishes no port: ")
    );
    assert!(refused_service("ports: [{published: 5}]")[0].contains("it has no target"));
    assert!(refused_service("expose: ['80:80']")[0].contains("is no port of a container"));
    assert!(
        refused_service("network_mode: host\nports: ['80:80']")[0]
            .contains("it has the host's network")
    );
}

#[test]
fn networks_of_services() {
    let found = container(
        "networks:\n  front:\n    aliases: [b, a, b]\n  back: {ipv4_address: 10.7.0.9, mac_address: '02:00:00:00:00:0a'}",
    );
    let NetworkMode::Networks(networks) = found.network else { panic!() };
    assert_eq!(networks["front"].aliases, ["a", "b"]);
    assert_eq!(networks["back"].ipv4_address, Some("10.7.0.9".parse().unwrap()));
    assert_eq!(networks["back"].mac_address.unwrap().to_string(), "02:00:00:00:00:0a");
    let NetworkMode::Networks(listed) = container("networks: [front]").network else { panic!() };
    assert_eq!(listed.keys().collect::<Vec<_>>(), ["front"]);
    assert_eq!(container("").network, NetworkMode::default());
    assert_eq!(container("network_mode: none").network, NetworkMode::None);
    assert_eq!(container("network_mode: host").network, NetworkMode::Host);
    assert_eq!(container("network_mode: service:db").network, NetworkMode::Service("db".into()));
    let other = NetworkMode::Container("x".parse().unwrap());
    assert_eq!(container("network_mode: container:x").network, other);
    for (mac, why) in [("03:00:00:00:00:01", "of an interface"), ("02:00", "is no hardware")] {
        assert!(refused_service(&format!("mac_address: '{mac}'"))[0].contains(why));
    }
    let mac = "mac_address: '02:00:00:00:00:01'";
    assert!(refused_service(&format!("{mac}\nscale: 2"))[0].contains("can't all have"));
    assert!(
        refused_service(&format!("{mac}\nnetwork_mode: host"))[0].contains("no network of its own")
    );
    assert!(refused_service("network_mode: of:x")[0].contains("is no network mode"));
    assert!(
        refused_service("network_mode: service:db\nports: ['80:80']")[0]
            .contains("the network of another")
    );
    assert!(
        refused_service("network_mode: none\nnetworks: [front]")[0]
            .contains("it has network_mode and networks")
    );
    assert_eq!(
        refused_service("networks: [frnt]"),
        [
            "4:16: web: it uses `frnt`, which is not declared under `networks:`. Did you mean `front`?"
        ]
    );
}

#[test]
fn networks_of_stacks() {
    let found = stack(
        "services: {a: {image: x, networks: [n, o, p]}}\nnetworks:\n  n: {internal: true, enable_ipv6: true, ipam: {config: [{subnet: 10.9.0.0/16}]}, driver: bridge, labels: [a=b]}\n  o: {external: true, name: outside}\n  p: {subnet: 10.8.0.0/24, mtu: 1400}\n",
    );
    assert!(found.networks["n"].internal && found.networks["n"].enable_ipv6 == Some(true));
    assert_eq!(found.networks["n"].pools[0].subnet.to_string(), "10.9.0.0/16");
    assert_eq!(
        (found.networks["o"].external, found.networks["o"].name.as_deref()),
        (External::Yes, Some("outside"))
    );
    assert_eq!(found.networks["p"].mtu, Some(1400));
    assert!(!found.networks.contains_key("default"));
    assert!(stack("services: {a: {image: x}}").networks.contains_key("default"));
    assert!(
        refused("networks: {n: {driver: overlay}}")[0]
            .contains("there is no network driver `overlay`")
    );
    assert!(
        refused("networks: {n: {external: true, internal: true}}")[0]
            .contains("it is external, so `internal` means nothing")
    );
    assert!(
        refused("networks: {n: {subnet: 10.0.0.0/8}, m: {subnet: 10.1.0.0/16}}")[0]
            .contains("overlaps")
    );
}

#[test]
fn mounts_of_services() {
    let found = container(
        "volumes:\n  - data:/a:ro\n  - ./x:/b\n  - /abs:/c:ro,z\n  - /anon\n  - {type: bind, source: ../y, target: /d, read_only: true, bind: {create_host_path: false}}\n  - {type: volume, source: data, target: /e, volume: {subpath: s, nocopy: true}}\n  - {type: tmpfs, target: /f, tmpfs: {size: 64m}}\ntmpfs: [/g, '/h:size=1m']",
    );
    let shown: Vec<String> = found
        .mounts
        .iter()
        .map(|mount| {
            let what = match &mount.kind {
                MountKind::Volume { source, subpath, .. } => format!(
                    "{source}{}",
                    subpath.as_ref().map_or(String::new(), |s| format!("/{s}"))
                ),
                MountKind::Anonymous => "-".to_owned(),
                MountKind::Bind { source, create } => {
                    format!("{source}{}", if *create { "" } else { "!" })
                }
            };
            format!("{what}:{}{}", mount.target, if mount.read_only { ":ro" } else { "" })
        })
        .collect();
    assert_eq!(
        shown,
        ["data:/a:ro", "/srv/app/x:/b", "/abs:/c:ro", "-:/anon", "/srv/y!:/d:ro", "data/s:/e"]
    );
    assert_eq!(texts(&found.tmpfs), ["/f:size=67108864", "/g", "/h:size=1048576"]);
    assert_eq!(container("tmpfs: /run").tmpfs.len(), 1);
    let up = "volumes: [{type: volume, source: data, target: /e, volume: {subpath: ../s}}]";
    assert!(refused_service(up)[0].contains("has `..` in it"));
    let both = stack(
        "services: {a: {image: x, volumes: ['/h:/a', '/i:/b']}, b: {image: x, volumes: ['/j:/b'], volumes_from: ['a:ro']}}",
    );
    let b = &both.services["b"];
    assert!(b.depends_on.contains_key("a") && b.container().unwrap().mounts.len() == 2);
    assert!(
        b.container().unwrap().mounts[1].read_only
            && b.container().unwrap().mounts[1].target == "/a"
    );
    // What has no name is shared too, and what one has from others in turn.
    let chain = stack(
        "services: {a: {image: x, volumes_from: ['b']}, b: {image: x, volumes: [/own], volumes_from: ['c:ro']}, c: {image: x, volumes: [/data]}}",
    );
    let shown = |key: &str| -> Vec<String> {
        let one = |mount: &Mount| match &mount.kind {
            MountKind::Volume { source, .. } => format!("{source} {}", mount.target),
            kind => format!("{kind:?}"),
        };
        chain.services[key].container().unwrap().mounts.iter().map(one).collect()
    };
    assert_eq!(shown("a"), ["b-own /own", "c-data /data"]);
    assert_eq!((shown("b"), shown("c")), (shown("a"), vec!["c-data /data".to_owned()]));
    assert_eq!(chain.volumes.keys().collect::<Vec<_>>(), ["b-own", "c-data"]);
    assert!(chain.services["a"].container().unwrap().mounts[1].read_only);
    assert!(
        refused_service("volumes_from: ['container:x']")[0].contains("is no service of the stack")
    );
    assert_eq!(
        refused_service("volumes: [dta:/a]"),
        ["4:15: web: it uses `dta`, which is not declared under `volumes:`. Did you mean `data`?"]
    );
    assert!(refused_service("volumes: ['data:a']")[0].contains("`a` is not an absolute path"));
    assert!(refused_service("volumes: ['data:/a:rx']")[0].contains("`rx` is no option of a mount"));
    assert!(refused_service("volumes: ['data:/proc']")[0].contains("belongs to Volt"));
    assert!(
        refused_service("volumes: [{type: npipe, source: a, target: /b}]")[0]
            .contains("can't be mounted here")
    );
    assert!(
        refused_service("volumes: ['data:/a', './y:/a']")[0]
            .contains("two things are mounted at /a")
    );
}

#[test]
fn volumes_of_stacks() {
    let found = stack(
        "services: {a: {image: x}}\nvolumes:\n  a:\n  b: {driver: nfs, driver_opts: {device: ':/x', o: addr=h}, labels: {l: m}}\n  c: {external: {name: other}}\n  d: {name: mine, driver: local}\n",
    );
    assert_eq!(found.volumes["a"], Volume::default());
    assert_eq!(found.volumes["b"].driver.as_deref(), Some("nfs"));
    assert_eq!(
        (found.volumes["c"].external, found.volumes["c"].name.as_deref()),
        (External::Yes, Some("other"))
    );
    assert_eq!(
        (found.volumes["d"].driver.as_deref(), found.volumes["d"].name.as_deref()),
        (None, Some("mine"))
    );
    assert!(refused("volumes: {a: {driver: ceph}}")[0].contains("There are local, tmpfs and nfs"));
    assert!(refused("volumes: {a: {driver_opts: {type: ext4}}}")[0].contains("mounts no `ext4`"));
}

#[test]
fn secrets_and_configs_of_services() {
    let found = container(
        "secrets:\n  - key\n  - {source: key, target: other, uid: '103', mode: 0440}\nconfigs: [conf, {source: conf, target: /etc/c, mode: '0444'}]",
    );
    assert_eq!(found.secrets[0].target, "/run/secrets/key");
    assert_eq!(
        (found.secrets[1].target.as_str(), found.secrets[1].uid, found.secrets[1].mode),
        ("/run/secrets/other", Some(103), Some(0o440))
    );
    assert_eq!(
        (found.configs[0].target.as_str(), found.configs[1].target.as_str()),
        ("/conf", "/etc/c")
    );
    assert!(
        refused_service("secrets: [nokey]")[0]
            .contains("it uses `nokey`, which is not declared under `secrets:`")
    );
    assert!(refused_service("secrets: [{source: key, mode: 9}]")[0].contains("is no mode"));
    assert!(refused_service("configs: [{target: /x}]")[0].contains("it has no source"));
    assert!(
        refused_service("secrets: [{source: key, target: ../x}]")[0].contains("has `..` in it")
    );
}

#[test]
fn secrets_and_configs_of_stacks() {
    let found = stack(
        "services: {a: {image: x}}\nsecrets: {a: {file: ./s}, b: {environment: TOKEN}, c: {external: true, name: d}}\nconfigs: {e: {content: \"x\\ny\"}}\n",
    );
    assert_eq!(found.secrets["a"].source, AssetSource::File("/srv/app/s".into()));
    assert_eq!(found.secrets["b"].source, AssetSource::Environment("TOKEN".into()));
    assert_eq!(
        (&found.secrets["c"].source, found.secrets["c"].name.as_deref()),
        (&AssetSource::External, Some("d"))
    );
    assert_eq!(found.configs["e"].source, AssetSource::Content("x\ny".into()));
    let empty = stack("services: {a: {image: x}}\nconfigs: {e: {content: ''}}");
    assert_eq!(empty.configs["e"].source, AssetSource::Content(String::new()));
    assert!(
        refused("secrets: {a: {labels: {b: c}}}")[0].contains("nothing says where its content is")
    );
    assert!(
        refused("configs: {a: {file: x, content: y}}")[0]
            .contains("its content comes from two places")
    );
}

#[test]
fn limits_of_services() {
    let found = container(
        "mem_limit: 300m\nmemswap_limit: 1g\ncpus: 1.5\ncpu_shares: 2048\npids_limit: 99\nrate: 10mbit\nblkio_config:\n  weight: 500\n  device_read_bps: [{path: /dev/sda, rate: 12mb}]\n  device_write_iops: [{path: /dev/sda, rate: 30}]",
    );
    let limits = found.limits;
    assert_eq!(limits.memory, Some(Bytes(300 << 20)));
    assert_eq!(limits.memory_swap, Some(Bytes((1 << 30) - (300 << 20))));
    assert_eq!(
        (limits.cpu, limits.cpu_weight, limits.pids, limits.io_weight),
        (Some(150), Some(200), Some(99), Some(100))
    );
    assert_eq!(texts(&limits.io_read_bps), ["/dev/sda:12582912"]);
    assert_eq!(texts(&limits.io_write_iops), ["/dev/sda:30"]);
    assert_eq!(container("cpu_quota: 50000").limits.cpu, Some(50));
    assert_eq!(container("pids_limit: -1").limits.pids, None);
    assert_eq!(container("mem_limit: 300m\nmemswap_limit: -1").limits.memory_swap, None);
    let reserved =
        container("deploy: {resources: {reservations: {memory: 1g}, limits: {cpus: '0.001'}}}");
    assert_eq!((reserved.memory_reserved, reserved.limits.cpu), (Some(Bytes(1 << 30)), Some(1)));
    assert!(
        refused_service("mem_limit: lots")[0]
            .starts_with("4:16: services.web.mem_limit: `lots` is no size")
    );
    assert!(refused_service("cpus: many")[0].contains("is no number of CPUs"));
    assert!(
        refused_service("mem_limit: 2g\nmemswap_limit: 1g")[0]
            .contains("it is memory and swap together")
    );
    assert!(
        refused_service("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}")[0]
            .contains("1G here, 2G under deploy.resources")
    );
}

#[test]
fn deploy_of_services() {
    let text = service(
        "deploy:\n  replicas: 2\n  restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3}\n  resources: {limits: {cpus: '0.5', memory: 64M, pids: 20}}\n  update_config: {order: start-first}",
    );
    let found = stack(&text);
    assert_eq!(found.services["web"].replicas, 2);
    let container = found.services["web"].container().unwrap();
    assert_eq!(
        (container.restart, container.restart_delay),
        (Restart::OnFailure(Some(3)), Some(Duration::from_secs(5)))
    );
    assert_eq!(
        (container.limits.cpu, container.limits.memory, container.limits.pids),
        (Some(50), Some(Bytes(64 << 20)), Some(20))
    );
    assert_eq!(container.update_order, UpdateOrder::StartFirst);
    assert!(
        refused_service("scale: 2\ndeploy: {replicas: 3}")[0]
            .contains("2 here, 3 at deploy.replicas")
    );
    assert!(refused_service("deploy: {replicas: 1000000}")[0].contains("are more than"));
}

#[test]
fn dependencies_of_services() {
    let found = stack(&service("depends_on: [db]\nlinks: ['db:database']"));
    assert_eq!(found.services["web"].depends_on["db"], Dependency::default());
    let NetworkMode::Networks(networks) = &found.services["db"].container().unwrap().network else {
        panic!()
    };
    assert_eq!(networks["default"].aliases, ["database"]);
    let found = stack(&service(
        "depends_on: {db: {condition: service_healthy, restart: true, required: false}}",
    ));
    assert_eq!(
        found.services["web"].depends_on["db"],
        Dependency { condition: Condition::ServiceHealthy, restart: true, required: false }
    );
    assert_eq!(
        refused_service("depends_on: [dbb]"),
        ["4:18: web: it depends on `dbb`, which is not there. Did you mean `db`?"]
    );
    assert!(
        refused_service("depends_on: {db: {condition: service_healty}}")[0]
            .ends_with("Did you mean `service_healthy`?")
    );
}

#[test]
fn health_of_services() {
    let health = container("healthcheck:\n  test: [CMD, curl, -f, x]\n  interval: 1m30s\n  timeout: 10s\n  retries: 3\n  start_period: 40s\n  start_interval: 500ms").health.unwrap();
    assert_eq!(health.check, Some(Check::Exec(vec!["curl".into(), "-f".into(), "x".into()])));
    assert_eq!((health.interval, health.retries), (Some(Duration::from_secs(90)), Some(3)));
    assert_eq!(health.start_interval, Some(Duration::from_millis(500)));
    let check = |text: &str| container(&format!("healthcheck: {text}")).health.unwrap().check;
    assert_eq!(check("{test: curl x || exit 1}"), Some(Check::Shell("curl x || exit 1".into())));
    assert_eq!(check("{test: [CMD-SHELL, a b]}"), Some(Check::Shell("a b".into())));
    assert_eq!(check("{test: [NONE]}"), Some(Check::None));
    assert_eq!(check("{test: [], interval: 5s}"), None);
    let usual = container("healthcheck: {test: x, retries: 0, start_interval: 0s}").health.unwrap();
    assert_eq!((usual.retries, usual.start_interval), (None, None));
    assert_eq!(check("{test: [CMD, a], disable: true}"), Some(Check::None));
    assert_eq!(
        check("{http: 80/health, on_unhealthy: restart}"),
        Some(Check::Http("80/health".into()))
    );
    assert_eq!(check("{tcp: 5432}"), Some(Check::Tcp("5432".into())));
    assert_eq!(check("{interval: 5s}"), None);
    assert!(refused_service("healthcheck: {test: [curl, x]}")[0].contains("this is no check"));
    assert!(
        refused_service("healthcheck: {interval: soon}")[0].contains("`soon` is no span of time")
    );
    assert!(refused_service("healthcheck: {http: a, tcp: b}")[0].contains("there are two checks"));
}

#[test]
fn restarts_and_stops() {
    for (text, restart) in [
        ("\"no\"", Restart::No),
        ("no", Restart::No),
        ("always", Restart::Always),
        ("on-failure:3", Restart::OnFailure(Some(3))),
    ] {
        assert_eq!(container(&format!("restart: {text}")).restart, restart, "{text}");
    }
    let found = container("stop_signal: SIGUSR1\nstop_grace_period: 1m30s");
    assert_eq!(
        (found.stop_signal, found.stop_grace_period),
        (Some(10), Some(Duration::from_secs(90)))
    );
    assert!(refused_service("restart: sometimes")[0].contains("is no restart policy"));
    assert!(refused_service("stop_signal: SIGFOO")[0].contains("is no signal"));
}

#[test]
fn ulimits_of_services() {
    assert_eq!(
        texts(
            &container("ulimits: {nproc: 65535, nofile: {soft: 20000, hard: 40000}, core: -1}")
                .ulimits
        ),
        [
            "CORE=18446744073709551615:18446744073709551615",
            "NOFILE=20000:40000",
            "NPROC=65535:65535"
        ]
    );
    assert!(refused_service("ulimits: {files: 5}")[0].contains("is no ulimit"));
}

#[test]
fn confinement_of_services() {
    let found = container(
        "cap_add: [NET_ADMIN, CAP_SYS_NICE]\ncap_drop: [ALL]\nsecurity_opt: [seccomp=unconfined, no-new-privileges:true]",
    );
    assert_eq!(
        (found.cap_add.len(), found.cap_drop.len(), found.seccomp),
        (2, 1, Seccomp::Unconfined)
    );
    assert!(refused_service("cap_add: [FLY]")[0].contains("`FLY` is no capability"));
    assert_eq!(loaded(&service("security_opt: ['label:user:x']")).warnings.len(), 1);
}

#[test]
fn users_and_hosts() {
    let found = container(
        "user: '1000:1000'\nworking_dir: /x\nhostname: a.b\ndomainname: c.d\ntty: true\nstdin_open: yes\nread_only: 'true'\nboot: false\ngroup_add: [mail, 5]\nextra_hosts: ['a=1.2.3.4', 'b:::1', 'c=[::2]', 'd:host-gateway']\ndns: 1.1.1.1\ndevices: ['/dev/fuse:/dev/x:rw']\nsysctls: {net.core.somaxconn: 5}\nshm_size: 64m",
    );
    assert_eq!(
        (found.user.as_deref(), found.working_dir.as_deref(), found.hostname.as_deref()),
        (Some("1000:1000"), Some("/x"), Some("a.b"))
    );
    assert_eq!(found.domainname.as_deref(), Some("c.d"));
    assert!(found.tty && found.stdin_open && found.read_only && found.boot == Some(false));
    assert_eq!(
        found.extra_hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a=1.2.3.4", "b=::1", "c=::2", "d=host-gateway"]
    );
    assert_eq!(
        (found.devices[0].target.as_str(), found.devices[0].permissions.as_str()),
        ("/dev/x", "rw")
    );
    let warned = loaded(&service("sysctls: {kernel.shmmax: 5, net.core.somaxconn: 6}")).warnings;
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(refused_service("extra_hosts: ['a=b']")[0].contains("`b` is no address"));
    assert!(refused_service("hostname: -a_b")[0].contains("is no host name"));
    let odd = loaded(&service("hostname: a_b"));
    assert_eq!(odd.stack.services["web"].container().unwrap().hostname.as_deref(), Some("a-b"));
    assert_eq!(odd.warnings.len(), 1, "{:?}", odd.warnings);
    assert!(refused_service("domainname: 'a b'")[0].contains("is no host name"));
    assert!(refused_service("tty: perhaps")[0].contains("is neither true nor false"));
}

#[test]
fn an_empty_text_is_nothing_said() {
    let empty = container(
        "hostname: '${NO:-}'\nplatform: ${NO:-}\nmem_limit: ''\nrestart: ''\ncpus: ''\nuser: ''\nstop_signal: ''\nhealthcheck: {test: x, interval: ''}",
    );
    let none = container("healthcheck: {test: x}");
    assert_eq!(empty, none);
    assert!(
        refused("services: {a: {image: '${NO:-}'}}")[0].contains("it has neither image nor build")
    );
}

#[test]
fn hooks_of_services() {
    let found = container(
        "post_start:\n  - command: ./do it\n    user: root\n    environment: [A=b]\npre_stop: [{command: [x]}]",
    );
    assert_eq!(found.post_start[0].command, ["./do", "it"]);
    assert_eq!(found.post_start[0].environment, map(&[("A", "b")]));
    assert_eq!(found.pre_stop.len(), 1);
    assert!(refused_service("post_start: [{user: x}]")[0].contains("it has no command"));
}

#[test]
fn watch_of_services() {
    let found = container(
        "develop:\n  watch:\n    - {path: ./src, action: sync, target: /app, ignore: [x]}\n    - {path: ./p, action: rebuild}",
    );
    assert_eq!(
        (found.watch[0].path.as_str(), found.watch[1].action),
        ("/srv/app/src", WatchAction::Rebuild)
    );
    assert!(
        refused_service("develop: {watch: [{path: x, action: sync}]}")[0]
            .contains("it has no target")
    );
    let found = container(
        "develop:\n  watch:\n    - {path: ., action: sync+exec, target: /app, initial_sync: true, include: ['*.conf'], exec: {command: reload it, user: root, working_dir: /, environment: [A=b]}}",
    );
    let exec = found.watch[0].exec.as_ref().unwrap();
    assert_eq!((exec.command.len(), exec.environment.len()), (2, 1));
    assert!(found.watch[0].initial_sync && found.watch[0].include == ["*.conf"]);
    assert!(
        refused_service("develop: {watch: [{path: x, action: sync+exec, target: /x}]}")[0]
            .contains("it has no exec")
    );
}

#[test]
fn vms_services_and_tasks() {
    let found = stack(
        "vms:\n  vm: {image: debian, cpu: 2, memory: 512M, networks: [n], ports: ['80:80']}\nservices:\n  unit: {exec: [/usr/bin/x, y], sandbox: strict, restart: always, depends_on: [vm], secrets: [s, {source: s, target: K.txt}]}\ntasks:\n  t: {command: backup now, image: debian, on_calendar: daily, timeout: 1h, retries: 2}\n  u: {exec: x, cron: '30 3 * * 1-5', random_delay: 5m, persistent: false}\n  v: {exec: x, every: 90s, secrets: [{source: s, target: /run/secrets/k}]}\nnetworks: {n: }\nsecrets: {s: {file: ./s}}\n",
    );
    let Workload::Vm(vm) = &found.services["vm"].workload else { panic!() };
    assert_eq!((vm.cpu, vm.memory), (Some(2), Some(Bytes(512 << 20))));
    let Workload::Service(unit) = &found.services["unit"].workload else { panic!() };
    assert_eq!(
        (unit.exec.len(), unit.sandbox.as_deref(), unit.restart),
        (2, Some("strict"), Restart::Always)
    );
    let targets = |key: &str| -> Vec<String> {
        found.services[key].secrets().iter().map(|grant| grant.target.clone()).collect()
    };
    assert_eq!(
        (targets("unit"), targets("v")),
        (vec!["s".into(), "K.txt".into()], vec!["k".into()])
    );
    for (secret, why) in [
        ("{source: s, target: /etc/s}", "`/etc/s` is no name for a secret here"),
        ("{source: s, target: a/b}", "is no name for a secret here"),
        ("{source: s, uid: '5'}", "it has no uid, gid and mode here"),
        ("other", "it uses `other`, which is not declared"),
    ] {
        let text = format!(
            "services: {{a: {{exec: /x, secrets: [{secret}]}}}}\nsecrets: {{s: {{file: ./s}}}}\n"
        );
        assert!(refused(&text)[0].contains(why), "{:?}", refused(&text));
    }
    let Workload::Task(task) = &found.services["t"].workload else { panic!() };
    assert_eq!(
        (&task.schedule, task.retries, task.persistent),
        (&Schedule::Calendar("daily".into()), 2, true)
    );
    let Workload::Task(task) = &found.services["v"].workload else { panic!() };
    assert_eq!(task.schedule, Schedule::Every("1m30s".into()));
    assert!(refused("tasks: {t: {exec: x}}")[0].contains("nothing says when it runs"));
    for (cron, why) in [("* *", "five fields"), ("61 * * * *", "no minute"), ("@reboot", "no time")]
    {
        let said = refused(&format!("tasks: {{t: {{exec: x, cron: '{cron}'}}}}"));
        assert!(said[0].contains(why), "{said:?}");
    }
    assert!(
        refused("tasks: {t: {exec: x, cron: '@daily', every: 5m}}")[0]
            .contains("two fields say when it runs")
    );
    assert!(refused("vms: {v: {cpu: 1}}")[0].contains("it has no image"));
    assert!(
        refused("vms: {v: {image: x, memory: 1M}}")[0].contains("less than any kernel boots in")
    );
}

#[test]
fn what_a_kind_does_not_have_is_refused() {
    let errors = refused(
        "services:\n  a:\n    exec: /bin/x\n    ports: ['80:80']\n    read_only: false\n    x-own: y\n    secrets: [s]\n    configs: [s]\n    deploy: {replicas: 2, resources: {limits: {memory: 1G}, reservations: {memory: 1M}}}\n  b: {image: x, exec: /bin/x}\n  c: {image: x, sandbox: strict}\nsecrets: {s: {file: ./s}}\nconfigs: {s: {file: ./s}}\n",
    );
    let places: Vec<&str> = errors.iter().map(|error| error.split(": ").nth(1).unwrap()).collect();
    let wanted = [
        "services.a.ports",
        "services.a.configs",
        "services.a.deploy.resources.reservations",
        "services.b.exec",
        "services.c.sandbox",
    ];
    assert_eq!(places, wanted, "{errors:?}");
    assert!(errors[0].contains("a service of systemd has no such thing"), "{errors:?}");
    assert!(errors[3].contains("a container has no such thing"), "{errors:?}");
}

#[test]
fn all_errors_come_at_once_and_in_order() {
    let errors = refused_service("restart: x\nmem_limit: y\nports: [z]\nbuld: .\ndepends_on: [q]");
    let places: Vec<&str> = errors.iter().map(|error| error.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["4:14", "5:16", "6:13", "7:5", "8:18"]);
}
