//! Tests of loading: several files, variables, `include`, `extends`, profiles, names.

use super::*;
use crate::stack::Workload;
use crate::testing::{container, files, loaded, refused, request};
use proptest::prelude::*;

fn vars(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn load_all(all: &[(&str, &str)], change: impl FnOnce(&mut Request)) -> Loaded {
    let mut request = request();
    change(&mut request);
    load(&files(all), &request).unwrap_or_else(|report| panic!("{report}"))
}

#[track_caller]
fn refused_all(all: &[(&str, &str)]) -> Vec<String> {
    match load(&files(all), &request()) {
        Ok(_) => panic!("it was taken"),
        Err(report) => {
            report.errors.iter().map(|error| error.to_string().replace("/srv/app/", "")).collect()
        }
    }
}

fn environment(loaded: &Loaded, service: &str) -> Variables {
    loaded.stack.services[service].container().unwrap().environment.clone()
}

#[test]
fn names_of_stacks() {
    let file =
        [("compose.yaml", "name: from-file\nservices: {a: {image: $COMPOSE_PROJECT_NAME}}\n")];
    let image =
        |l: &Loaded| l.stack.services["a"].container().unwrap().image.clone().unwrap().to_string();
    let found = load_all(&file, |_| ());
    assert_eq!((found.stack.name.as_str(), image(&found)), ("from-file", "from-file".to_owned()));
    let found = load_all(&file, |r| r.environment = vars(&[("COMPOSE_PROJECT_NAME", "from-env")]));
    assert_eq!((found.stack.name.as_str(), image(&found)), ("from-env", "from-env".to_owned()));
    assert_eq!(load_all(&file, |r| r.name = Some("given".into())).stack.name.as_str(), "given");
    assert_eq!(loaded("services: {a: {image: x}}").stack.name.as_str(), "app");
    assert_eq!(
        loaded("name: ${X:-My_App}\nservices: {a: {image: x}}").stack.name.as_str(),
        "my-app"
    );
    assert!(
        refused("name: '/'\nservices: {a: {image: x}}")[0]
            .starts_with("1:7: name: `/` is no name of a stack")
    );
}

#[test]
fn files_are_found_by_name_above_and_by_variables() {
    let one = "services: {a: {image: x}}\n";
    let two = "services: {b: {image: x}}\n";
    let keys = |l: &Loaded| l.stack.services.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&load_all(&[("compose.yml", one), ("volt-compose.yaml", two)], |_| ())), ["b"]);
    assert_eq!(
        keys(&load_all(&[("compose.yaml", one), ("compose.override.yml", two)], |_| ())),
        ["a", "b"]
    );
    let below = load_all(&[("compose.yaml", one)], |r| r.folder = "/srv/app/deep/er".into());
    assert_eq!((below.folder.as_path(), below.stack.name.as_str()), (Path::new("/srv/app"), "app"));
    let listed = [("x.yaml", one), ("y.yaml", two)];
    assert_eq!(
        keys(&load_all(&listed, |r| r.environment = vars(&[("COMPOSE_FILE", "x.yaml:y.yaml")]))),
        ["a", "b"]
    );
    assert_eq!(
        keys(&load_all(&listed, |r| r.environment =
            vars(&[("VOLT_COMPOSE_FILE", "y.yaml"), ("COMPOSE_FILE", "x.yaml")]))),
        ["b"]
    );
    let env = [("x.yaml", one), (".env", "COMPOSE_FILE=x.yaml\n")];
    assert_eq!(keys(&load_all(&env, |_| ())), ["a"]);
    assert_eq!(keys(&load_all(&listed, |r| r.files = vec!["y.yaml".into()])), ["b"]);
    assert!(
        refused_all(&[])[0].starts_with(
            "There is no file of a stack in /srv/app or above it. Name one with -f FILE"
        )
    );
    assert!(
        load(&files(&[]), &Request { files: vec!["no.yaml".into()], ..request() })
            .unwrap_err()
            .to_string()
            .contains("There is no file /srv/app/no.yaml")
    );
}

#[test]
fn variables_of_dotenv_and_the_caller() {
    let all = [
        (".env", "A=file\nB=file\n"),
        ("compose.yaml", "services: {a: {image: '$A-x$B', environment: [B, C, A]}}\n"),
        ("other.env", "A=other\nB=b\n"),
    ];
    let found = load_all(&all, |r| r.environment = vars(&[("B", "caller")]));
    let service = found.stack.services["a"].container().unwrap();
    assert_eq!(service.image.as_ref().unwrap().to_string(), "file-xcaller");
    assert_eq!(service.environment, vars(&[("A", "file"), ("B", "caller")]));
    let found = load_all(&all, |r| r.env_files = vec!["other.env".into()]);
    assert_eq!(found.variables["A"], "other");
    let found = load_all(&all[1..], |r| {
        r.environment = vars(&[("A", "x"), ("COMPOSE_DISABLE_ENV_FILE", "1")]);
    });
    assert_eq!(found.warnings.len(), 1);
    assert!(
        found.warnings[0].to_string().contains("the variable B is not set"),
        "{}",
        found.warnings[0]
    );
    assert_eq!(
        refused("services: {a: {image: '${A:?give A}'}}"),
        ["1:23: the variable A must be set: give A. Set A in the environment or in .env"]
    );
}

#[test]
fn env_files_and_label_files() {
    let all = [
        ("a.env", "A=1\nB=1\nD=$HOME\n"),
        ("b.env", "B=2\nE\n"),
        ("raw.env", "R='x' $y\n"),
        ("l", "l=m\nn=o\n"),
        (
            "compose.yaml",
            "services:\n  a:\n    image: x\n    env_file: [a.env, {path: b.env}, {path: none.env, required: false}, {path: raw.env, format: raw}]\n    environment: {A: 5, D: }\n    label_file: l\n    labels: [n=p]\n",
        ),
    ];
    let found = load_all(&all, |r| r.environment = vars(&[("HOME", "/root"), ("E", "e")]));
    assert_eq!(
        environment(&found, "a"),
        vars(&[("A", "5"), ("B", "2"), ("E", "e"), ("R", "'x' $y")])
    );
    assert_eq!(
        found.stack.services["a"].container().unwrap().labels,
        vars(&[("l", "m"), ("n", "p")])
    );
    assert_eq!(
        refused("services:\n  a:\n    image: x\n    env_file: no.env\n"),
        [
            "4:15: services.a.env_file: there is no file /srv/app/no.env. Write it, or `required: false`"
        ]
    );
}

#[test]
fn several_files_are_merged() {
    let all = [
        ("one.yaml", "services: {a: {image: x, ports: ['80:80'], environment: {A: 1, B: 2}}}\n"),
        (
            "sub/two.yaml",
            "services: {a: {image: y, ports: !reset [], environment: [A=3], volumes: ['./d:/d']}, b: {image: z}}\n",
        ),
    ];
    let found = load_all(&all, |r| r.files = vec!["one.yaml".into(), "sub/two.yaml".into()]);
    let a = found.stack.services["a"].container().unwrap();
    assert_eq!((a.image.as_ref().unwrap().to_string().as_str(), a.ports.len()), ("y", 0));
    assert_eq!(a.environment, vars(&[("A", "3"), ("B", "2")]));
    // Relative to the first file's folder, as Compose has it.
    assert!(format!("{:?}", a.mounts).contains("/srv/app/d"));
    assert_eq!(found.files.len(), 2);
}

#[test]
fn extends_of_services() {
    let all = [
        (
            "compose.yaml",
            "services:\n  cli:\n    extends: {file: lib/common.yaml, service: common}\n    environment: {PORT: 8080}\n    volumes: [cli:/data:ro]\n  short: {extends: cli, command: x}\nvolumes: {cli: , own: }\n",
        ),
        (
            "lib/common.yaml",
            "services:\n  base: {image: busybox, user: root}\n  common:\n    extends: {service: base}\n    environment: {TZ: utc, PORT: 80}\n    volumes: ['own:/data', './x:/x']\n",
        ),
    ];
    let found = load_all(&all, |_| ());
    let cli = found.stack.services["cli"].container().unwrap();
    assert_eq!(cli.environment, vars(&[("PORT", "8080"), ("TZ", "utc")]));
    assert_eq!(cli.user.as_deref(), Some("root"));
    assert_eq!(cli.mounts.len(), 2);
    assert!(format!("{:?}", cli.mounts).contains("/srv/app/lib/x"));
    assert_eq!(
        found.stack.services["short"].container().unwrap().command.as_ref().unwrap(),
        &["x"]
    );
    assert_eq!(
        refused("services:\n  a: {extends: {service: b}}\n  b: {extends: {service: a}}\n")[0],
        "3:16: extends: it goes in a circle: a -> b -> a. Take one `extends` out of it"
    );
    assert!(
        refused("services:\n  a: {extends: {service: bb}}\n  b: {image: x}\n")[0]
            .contains("there is no service `bb`")
    );
    assert!(
        refused("services:\n  a: {extends: {service: b, file: no.yaml}}\n")[0]
            .contains("extends: there is no file /srv/app/no.yaml")
    );
    let round = [
        ("compose.yaml", "services: {a: {extends: {file: o.yaml, service: a}}}"),
        ("o.yaml", "services: {a: {extends: {file: compose.yaml, service: a}}}"),
    ];
    assert!(
        refused_all(&round)[0]
            .contains("it goes in a circle: a -> a (o.yaml) -> a (compose.yaml) -> a (o.yaml)")
    );
}

#[test]
fn include_short_and_long() {
    let all = [
        (
            "compose.yaml",
            "include:\n  - lib/one.yaml\n  - {path: [two/two.yaml, two/more.yaml], project_directory: ., env_file: two/vars}\nservices: {a: {image: x, depends_on: [one, two]}}\n",
        ),
        (
            "lib/one.yaml",
            "include: [deep/d.yaml]\nservices: {one: {image: '$WHO', volumes: ['./x:/x']}}\n",
        ),
        ("lib/.env", "WHO=lib\nTWO=lib\n"),
        ("lib/deep/d.yaml", "services: {deep: {image: x}}\n"),
        ("two/two.yaml", "services: {two: {image: '$TWO', volumes: ['./x:/x']}}\nvolumes: {v: }\n"),
        ("two/more.yaml", "services: {two: {user: more}}\n"),
        ("two/vars", "TWO=two\n"),
    ];
    let found = load_all(&all, |_| ());
    let of = |key: &str| found.stack.services[key].container().unwrap();
    assert_eq!(of("one").image.as_ref().unwrap().to_string(), "lib");
    assert_eq!(of("two").image.as_ref().unwrap().to_string(), "two");
    assert_eq!(of("two").user.as_deref(), Some("more"));
    assert!(format!("{:?}{:?}", of("one").mounts, of("two").mounts).contains("/srv/app/lib/x"));
    assert!(format!("{:?}", of("two").mounts).contains("\"/srv/app/x\""));
    assert!(found.stack.services.contains_key("deep") && found.stack.volumes.contains_key("v"));
    assert_eq!(
        refused_all(&[
            ("compose.yaml", "include: [b.yaml]\n"),
            ("b.yaml", "include: [compose.yaml]\n")
        ]),
        ["b.yaml:1:11: include: it goes in a circle: compose.yaml -> b.yaml -> compose.yaml"]
    );
    assert!(
        refused("include: [no.yaml]")[0]
            .contains("1:11: include: there is no file /srv/app/no.yaml")
    );
    let both = [
        ("compose.yaml", "include: [b.yaml]\nservices: {a: {image: x}}\n"),
        ("b.yaml", "services: {a: {image: y}}\n"),
    ];
    assert!(
        refused_all(&both)[0]
            .contains("services.a: it is in compose.yaml too, and says something else")
    );
}

#[test]
fn profiles_of_services() {
    let file = [(
        "compose.yaml",
        "services:\n  foo: {image: foo}\n  bar: {image: bar, profiles: [test]}\n  baz: {image: baz, depends_on: [bar], profiles: [test]}\n  zot: {image: zot, depends_on: [bar], profiles: [debug]}\n",
    )];
    let keys = |l: &Loaded| l.stack.services.keys().cloned().collect::<Vec<_>>();
    let with = |profiles: &[&str]| {
        load_all(&file, |r| r.profiles = profiles.iter().map(|p| (*p).to_owned()).collect())
    };
    assert_eq!(keys(&with(&[])), ["foo"]);
    assert_eq!(with(&[]).disabled["zot"], ["debug"]);
    assert_eq!(keys(&with(&["test"])), ["bar", "baz", "foo"]);
    assert_eq!(keys(&with(&["debug", "test"])), ["bar", "baz", "foo", "zot"]);
    assert_eq!(keys(&with(&["*"])).len(), 4);
    let error =
        load(&files(&file), &Request { profiles: vec!["debug".into()], ..request() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/srv/app/compose.yaml:5:34: zot: it depends on `bar`, whose profile is not active. Add --profile test"
    );
    assert_eq!(keys(&load_all(&file, |r| r.services = vec!["baz".into()])), ["bar", "baz", "foo"]);
    assert_eq!(
        keys(&load_all(&file, |r| r.environment = vars(&[("COMPOSE_PROFILES", "test, x")]))),
        ["bar", "baz", "foo"]
    );
}

#[test]
fn circles_of_dependencies_are_drawn() {
    assert_eq!(
        refused(
            "services:\n  web: {image: x, depends_on: [db]}\n  db: {image: x, depends_on: [cache]}\n  cache: {image: x, depends_on: [db]}\n"
        ),
        [
            "3:31: db: it waits for itself: cache -> db -> cache. Take one depends_on out of the circle"
        ]
    );
    assert_eq!(refused("services: {a: {image: x, depends_on: [a]}}").len(), 1);
    assert!(refused("services:\n  a: {image: x, network_mode: 'service:b'}\n  b: {image: x, depends_on: [a]}\n")[0].contains("a -> b -> a"));
}

#[test]
fn what_two_want_is_refused() {
    let two = |a: &str, b: &str| {
        format!(
            "services:\n  a: {{image: x, {a}}}\n  b: {{image: x, {b}}}\nnetworks: {{n: {{subnet: 10.5.0.0/24}}}}\n"
        )
    };
    let error = refused(&two("ports: ['80-90:80-90']", "ports: ['127.0.0.1:85:1']"));
    assert!(
        error[0]
            .starts_with("3:24: b: the port 127.0.0.1:85:1/tcp is taken by 80-90:80-90/tcp of `a`"),
        "{error:?}"
    );
    for good in [
        ("['80:80']", "['80:80/udp']"),
        ("['127.0.0.1:80:80']", "['127.0.0.2:80:80']"),
        ("['80']", "['80']"),
    ] {
        loaded(&two(&format!("ports: {}", good.0), &format!("ports: {}", good.1)));
    }
    assert!(
        refused(&two("scale: 2, ports: ['80:80']", ""))[0]
            .contains("2 replicas can't all have the port 80:80/tcp")
    );
    assert!(
        refused(&two("container_name: x", "container_name: x"))[0]
            .contains("it is called `x` on the host, as `a` is")
    );
    let address = "networks: {n: {ipv4_address: 10.5.0.9}}";
    assert!(refused(&two(address, address))[0].contains("`a` has the address 10.5.0.9 too"));
    assert!(
        refused(&two("networks: {n: {ipv4_address: 10.6.0.9}}", ""))[0]
            .contains("no subnet of the network `n` has the address")
    );
    assert!(
        refused("services: {my_db: {image: x}, my-db: {image: x}}")[0]
            .contains("Rename one of them")
    );
    assert!(
        refused("services: {a: {image: x}}\nnetworks: {n_a: , n-a: }")[0]
            .contains("networks.n_a: it is called `app-n-a` on the host, as `n-a` is")
    );
    assert!(
        refused("services: {a: {image: x}}\nsecrets: {DB_PASS: {file: ./a}, db-pass: {file: ./b}}")
            [0]
        .contains("secrets.db-pass: it is called `app-db-pass` on the host, as `DB_PASS` is")
    );
    let odd =
        loaded("services: {a: {image: x, networks: [n_a]}}\nnetworks: {n_a: {external: true}}");
    assert!(
        odd.warnings[0]
            .to_string()
            .contains("networks.n_a: `n_a` is no name in Volt; `n-a` is meant")
    );
    assert!(
        loaded("services: {my_db-: {image: x}}").warnings[0]
            .to_string()
            .contains("others find it as `my-db`")
    );
    assert!(loaded("services: {my_db: {image: x}}").warnings.is_empty());
    assert!(
        refused("services:\n  a: {image: x, depends_on: {b: {condition: service_healthy}}}\n  b: {image: x, healthcheck: {disable: true}}\n")[0]
            .contains("which has no health check")
    );
}

#[test]
fn the_example_of_the_architecture_page() {
    let found = loaded(
        "version: \"1\"\nservices:\n  web:\n    image: debian-minimal\n    command: nginx -g \"daemon off;\"\n    ports:\n      - \"80:80\"\n    volumes:\n      - webdata:/var/www\n    depends_on:\n      - db\n  db:\n    image: debian-minimal\n    command: postgres\n    volumes:\n      - pgdata:/var/lib/postgresql\nvolumes:\n  webdata:\n  pgdata:\n",
    );
    assert_eq!(found.warnings, []);
    assert!(found.stack.services.values().all(|s| matches!(s.workload, Workload::Container(_))));
    assert_eq!(container("command: postgres").command.unwrap(), ["postgres"]);
}

#[test]
fn the_example_of_the_documentation() {
    let text = include_str!("../../../../docs/stack-files.md");
    let example = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let found = loaded(example);
    assert_eq!(found.warnings, []);
    let kinds: Vec<&str> = found.stack.services.values().map(|s| s.workload.kind()).collect();
    assert_eq!(kinds, ["task", "container", "vm", "service", "container"]);
}

proptest! {
    #[test]
    fn loading_never_panics(text in "(services|networks|include|x|volumes|a|image|ports|extends|depends_on|[ :{}\\[\\],'\n$!&*<-]){0,40}") {
        drop(load(&files(&[("compose.yaml", &text)]), &request()));
    }
}
