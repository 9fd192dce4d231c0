//! Images of registries. The registry is Debian's docker-registry; what it has was made by umoci and sent by skopeo.

use std::path::Path;
use std::time::Duration;
use volt_e2e::{Host, PrivateHost, here, on_hosts};

/// Where it serves in a test host.
const AT: &str = "127.0.0.1:5000";

/// Makes images on this machine and fills a registry's folder with them: `$1` is a folder of ours, `$2` a port that is free.
///
/// `team/app` has three layers: files with links, one of them changed, one taken away. Its tags differ in how it was sent.
const FILL: &str = r#"
set -eu; cd "$1"; at=127.0.0.1:$2
printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\nhttp: {addr: %s}\n' "$1" "$at" > config.yml
docker-registry serve config.yml > log 2>&1 & registry=$!
trap 'kill $registry' EXIT
until curl -sf http://$at/v2/; do kill -0 $registry; sleep 0.05; done
mkdir -p one/bin one/etc two && cp /bin/busybox one/bin && ln -s busybox one/bin/sh && ln one/bin/busybox one/bin/cat
echo first > one/etc/changed; echo gone > one/etc/gone; echo second > two/changed; head -c 3000000 /dev/urandom > two/large
umoci init --layout oci && umoci new --image oci:app
umoci insert --image oci:app one /
umoci insert --image oci:app two /etc
umoci insert --image oci:app --whiteout /etc/gone
umoci config --image oci:app --tag app --config.entrypoint /bin/busybox --config.cmd echo --config.cmd 'from a registry' --config.env GREETING=hello --architecture amd64
umoci config --image oci:app --tag other --config.cmd 'for others' --architecture arm64
send() { skopeo copy --quiet --dest-tls-verify=false "$@"; }
send oci:oci:app docker://$at/team/app:1
send --format v2s2 oci:oci:app docker://$at/team/app:docker
send oci:oci:other docker://$at/team/app:arm
entry() { curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' http://$at/v2/team/app/manifests/$1 > document
  printf '{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":%s,"digest":"sha256:%s","platform":{"os":"linux","architecture":"%s"}}' $(wc -c < document) $(sha256sum document | cut -d' ' -f1) $2; }
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,%s]}' "$(entry arm arm64)" "$(entry 1 amd64)" > index
curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @index http://$at/v2/team/app/manifests/many
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$(entry arm arm64)" > index
curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @index http://$at/v2/team/app/manifests/foreign
tar -czf data.tar.gz data
"#;

/// A host with a registry that has images; `joe` has to say who he is where there are users.
struct Served {
    host: PrivateHost,
}

impl Served {
    fn new(host: &Host, purpose: &str) -> Self {
        let host = host.private(purpose);
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(folder.path().join("fill"), FILL).unwrap();
        let at = folder.path().display();
        here(&format!("sh {at}/fill {at} {port} 2>&1"));
        let put = |file: &Path, path: &str| host.put(&file.display().to_string(), path);
        put(&folder.path().join("data.tar.gz"), "/tmp/data.tar.gz");
        put(Path::new("/usr/bin/docker-registry"), "/tmp/docker-registry");
        host.sh("mkdir /srv-registry && tar -xzf /tmp/data.tar.gz -C /srv-registry").ok();
        let served = Self { host };
        served.serve("");
        served
    }

    /// Serves, with more of a configuration where it is given.
    fn serve(&self, more: &str) {
        self.host.sh("systemctl stop registry 2>/dev/null; systemctl reset-failed registry 2>/dev/null; true").ok();
        self.host.sh(&format!(
            "printf 'version: 0.1\\nlog: {{level: error}}\\nstorage: {{filesystem: {{rootdirectory: /srv-registry/data}}}}\\nhttp:\\n  addr: {AT}\\n{more}' > /tmp/config.yml && \
             systemd-run --quiet --unit registry /tmp/docker-registry serve /tmp/config.yml"
        )).ok();
        self.host.until(Duration::from_secs(20), &format!("curl -s -o /dev/null http://{AT}/v2/"));
    }
}

/// What the image's command says, what it has and what it lacks.
fn is_the_image(host: &Host, name: &str) {
    assert_eq!(host.volt(&["run", "--rm", name]).ok(), "from a registry", "{name}");
    let line = "cat /etc/changed; ls /etc; echo $GREETING; cmp /bin/busybox /bin/cat";
    assert_eq!(
        host.volt(&["run", "--rm", "--entrypoint", "/bin/sh", name, "-c", line]).ok(),
        "second\nchanged\nhostname\nhosts\nlarge\nresolv.conf\nhello",
        "{name}"
    );
}

/// What is kept of a pulled image, as an object of the store: counted, checked, brought back, and taken away.
fn blobs_are_objects(host: &Host, image: &str) {
    let count = || host.volt(&["cas", "status", "-o", "json"]).json()["blobs"].as_u64().unwrap();
    // Two manifests (one of them Docker's), a config, three layers.
    assert_eq!(count(), 6);
    let record = host
        .sh(&format!("cat $(grep -l '\"{image}\"' /var/lib/volt/cas/refs/images/*.json)"))
        .json();
    let layer =
        record["blobs"][3]["object"].as_str().unwrap().trim_start_matches("blake3:").to_owned();
    let object = format!("/var/lib/volt/cas/objects/{}/{layer}", &layer[..2]);
    let digest =
        record["blobs"][3]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    assert!(host.sh(&format!("sha256sum {object}")).ok().starts_with(&digest));
    host.volt(&["cas", "gc"]).ok();
    host.volt(&["cas", "verify"]).ok();
    host.sh(&format!(
        "chmod u+w {object} && printf x | dd of={object} bs=1 seek=100 conv=notrunc 2>/dev/null"
    ))
    .ok();
    let found = host.volt(&["cas", "verify", "-o", "json"]);
    assert_eq!(found.code, 1);
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let touches = found["damages"][0]["touches"].to_string();
    assert!(touches.contains(image) && touches.contains(&digest), "{found}");
    // A container has no need of it; whoever has the bytes can bring it back.
    host.volt(&["run", "--rm", image]).ok();
    host.volt(&["cas", "verify", "--repair", "/srv-registry/data"]).ok();
    host.volt(&["cas", "verify"]).ok();
    assert!(host.sh(&format!("sha256sum {object}")).ok().starts_with(&digest));
    assert_eq!(count(), 6);
    host.volt(&["config", "set", "image.keep_blobs", "false"]).ok();
    host.volt(&["cas", "gc"]).ok();
    assert_eq!(count(), 0);
    host.sh(&format!("test ! -e {object}")).ok();
    is_the_image(host, image);
    host.volt(&["image", "pull", "--force", image]).ok();
    assert_eq!(count(), 0);
    host.volt(&["config", "set", "image.keep_blobs", "true"]).ok();
}

on_hosts! {
    fn image_pull_from_registries(host) {
        let served = Served::new(host, "registry");
        let host = &served.host;
        let name = |tag: &str| format!("{AT}/team/app:{tag}");
        // An index, by the platform of this host; the others in other forms. All are one tree.
        for tag in ["many", "1", "docker"] {
            host.volt(&["image", "pull", &name(tag)]).ok();
            is_the_image(host, &name(tag));
        }
        let listed = host.volt(&["image", "list", "-o", "json"]).json();
        let trees: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|image| image["tree"].as_str()).collect();
        assert!(trees.len() == 3 && trees.iter().all(|tree| *tree == trees[0]), "{listed}");
        // Blobs are kept for a pull that goes on, not for ever.
        assert_eq!(host.sh("ls /var/cache/volt/blobs | wc -l").ok(), "0");

        blobs_are_objects(host, &name("1"));

        // By its digest, and for another platform.
        let digest = host.sh("cat /srv-registry/data/docker/registry/v2/repositories/team/app/_manifests/tags/1/current/link").ok();
        host.volt(&["image", "pull", &format!("{AT}/team/app@{digest}")]).ok();
        host.volt(&["image", "pull", "--force", "--platform", "linux/arm64", &name("many")]).ok();
        let foreign = host.volt(&["image", "inspect", &name("many"), "-o", "json"]).json();
        assert_eq!(foreign["command"], serde_json::json!(["for others"]), "{foreign}");
        for other in [name("many"), name("arm"), format!("{AT}/team/app@{digest}")] {
            let refused = host.volt(&["image", "pull", "--force", "--platform", "linux/riscv64", &other]).fails(2);
            assert!(refused.contains("linux/riscv64") && refused.contains("arm64") | refused.contains("amd64"), "{refused}");
        }
        // The only one there is, and not for this host.
        for other in [name("arm"), name("foreign")] {
            let refused = host.volt(&["image", "pull", "--force", &other]).fails(2);
            assert!(refused.contains("linux/amd64") && refused.contains("linux/arm64"), "{refused}");
        }
        // Larger than an image may be: nothing is fetched at all.
        host.sh("volt config set image.max_size 100K").ok();
        assert!(host.volt(&["image", "pull", "--force", &name("docker")]).fails(12).contains("100K"));
        host.sh("volt config set image.max_size 64G && ! ls -A /var/cache/volt/blobs | grep part").ok();

        // A name without a registry, and run pulls what is missing.
        host.volt(&["config", "set", "image.registry", AT]).ok();
        assert_eq!(host.volt(&["run", "--rm", "team/app:1"]).ok(), "from a registry");

        // What goes wrong is told for what it is, and leaves nothing.
        host.volt(&["image", "pull", &name("1")]).fails(4);
        let missing = host.volt(&["image", "pull", &name("none")]).fails(3);
        assert!(missing.contains("team/app:none"), "{missing}");
        // Where nobody listens, that is said at once.
        let begun = std::time::Instant::now();
        let nobody = host.volt(&["image", "pull", "127.0.0.1:9/team/app"]).fails(8);
        assert!(nobody.contains("obody listens") && begun.elapsed() < Duration::from_secs(3), "{nobody}");
        let check = host.volt(&["system", "check", "-o", "json"]).json();
        assert_eq!(check["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn compose_pulls_what_is_missing_and_what_is_asked_for(host) {
        let served = Served::new(host, "registry-compose");
        let host = &served.host;
        host.volt(&["config", "set", "image.registry", AT]).ok();
        let file = |path: &str, text: &str| {
            let line = format!("mkdir -p $(dirname {path}) && cat > {path}");
            host.run_with(&["sh", "-c", &line], text.as_bytes()).ok();
        };
        let text = |name: &str| format!(
            "name: {name}\nservices:\n  web: {{image: 'team/app:1', command: [sleep, '1000'], stop_grace_period: 1s}}\n  built: {{build: .}}\n  idle: {{image: 'team/app:docker', profiles: [more]}}\ntasks: {{say: {{container: 'team/app:docker', exec: [/bin/busybox, 'true'], every: 1h}}}}\n"
        );
        file("/srv/pulled/compose.yaml", &text("pulled"));
        let within = |line: &str| host.sh(&format!("cd /srv/pulled && {line}"));
        // Images of containers and tasks, once each; what is built, and what no profile has, is left out.
        let names = within("volt compose pull").ok();
        let names: Vec<&str> = names.lines().collect();
        assert!(names.len() == 2 && names[0].ends_with("team/app:docker") && names[1].ends_with("team/app:1"), "{names:?}");
        assert_eq!(within("volt compose pull web | wc -l").ok(), "1");
        within("volt compose pull none").fails(3);
        // Again, also where it is there: what the name means by now.
        host.sh(&format!("volt image tag team/app:1 kept && volt image delete team/app:1 && volt image pull --force --platform linux/arm64 {AT}/team/app:many && volt image tag {AT}/team/app:many team/app:1")).ok();
        let command = || host.volt(&["image", "inspect", "team/app:1", "-o", "json"]).json()["command"].clone();
        assert_eq!(command(), serde_json::json!(["for others"]));
        within("volt compose pull web").ok();
        assert_ne!(command(), serde_json::json!(["for others"]));

        // For the platform that the file says also where it was missing.
        file("/srv/other/compose.yaml", "name: other\nservices: {web: {image: 'team/app:many', platform: linux/arm64}}\n");
        host.sh(&format!("volt image delete {AT}/team/app:many")).ok();
        host.sh("cd /srv/other && volt compose up --no-start").ok();
        assert_eq!(host.volt(&["image", "inspect", "team/app:many", "-o", "json"]).json()["command"], serde_json::json!(["for others"]));
        host.volt(&["compose", "-p", "other", "down"]).ok();

        // A stack of the host has them pulled at boot, its tasks' too.
        host.sh("volt image delete team/app:docker").ok();
        file("/etc/volt/compose/own.yaml", "tasks: {say: {container: 'team/app:docker', exec: [/bin/busybox, 'true'], every: 1h}}\n");
        host.sh("systemctl restart volt-stacks").ok();
        host.sh("systemctl is-active volt-task-own-say-1.timer").ok();
        host.volt(&["compose", "-p", "own", "down"]).ok();
        served.host.sh("systemctl stop registry; rm /etc/volt/compose/own.yaml").ok();
        assert_ne!(within("volt compose pull web").code, 0);
    }
}

on_hosts! {
    fn image_pull_as_somebody(host) {
        let served = Served::new(host, "registry-users");
        let host = &served.host;
        // joe's password is `secret`, as htpasswd(1) writes it.
        host.sh("printf '%s\\n' 'joe:$2y$05$oospjdKcwyuO9uwPhB4OdOSyNscw3m10kL5CkjZhZ19VAF4Gajryq' > /tmp/users").ok();
        served.serve("auth: {htpasswd: {realm: test, path: /tmp/users}}\\n");
        let image = format!("{AT}/team/app:1");
        let refused = host.volt(&["image", "pull", &image]).fails(5);
        assert!(refused.contains(AT), "{refused}");
        let login = |registry: &str, password: &str| {
            let file = format!("{{\"auths\": {{\"{registry}\": {{\"auth\": \"$(printf joe:{password} | base64)\"}}}}}}");
            host.sh(&format!("mkdir -p ~/.docker && cat > ~/.docker/config.json <<END\n{file}\nEND")).ok();
        };
        // The account of another registry is not shown to the one that short names mean.
        host.volt(&["config", "set", "image.registry", AT]).ok();
        login("https://index.docker.io/v1/", "secret");
        host.volt(&["image", "pull", "team/app:1"]).fails(5);
        login(AT, "wrong");
        host.volt(&["image", "pull", &image]).fails(5);
        login(AT, "secret");
        host.volt(&["image", "pull", &image]).ok();
        is_the_image(host, &image);
        // To send takes the account too.
        let to = format!("{AT}/joes/app:1");
        host.volt(&["image", "push", &image, &to]).ok();
        registry_login_and_logout(host, &image);
        host.volt(&["logout", AT]).ok();
        host.volt(&["image", "push", &image, &to]).fails(5);
        kept_by_a_program(host, &image);
        // Neither in the record of what was done nor in the journal.
        assert_ne!(host.sh("grep -r -e secret -e am9lOnNlY3JldA /var/log/volt /var/lib/volt/cas/refs").code, 0);
        assert_ne!(host.sh("journalctl --no-pager | grep -e am9lOnNlY3JldA").code, 0);
    }
}

/// An account that a program keeps, which Docker's file names.
fn kept_by_a_program(host: &Host, image: &str) {
    let helper = |name: &str, body: &str| {
        let path = format!("/usr/local/bin/docker-credential-{name}");
        host.run_with(&["sh", "-c", &format!("cat > {path} && chmod 755 {path}")], body.as_bytes())
            .ok();
    };
    helper(
        "one",
        "#!/bin/sh\nread server; test \"$1 $server\" = \"get 127.0.0.1:5000\" && echo '{\"Username\":\"joe\",\"Secret\":\"secret\"}' && echo $HOME > /tmp/asked\n",
    );
    helper("none", "#!/bin/sh\necho credentials not found in native keychain; exit 1\n");
    helper("broken", "#!/bin/sh\necho the keychain is locked; exit 2\n");
    let file = |text: &str| host.sh(&format!("echo '{text}' > ~/.docker/config.json")).ok();
    let pull = || host.volt(&["image", "pull", "--force", image]);
    file(&format!("{{\"credHelpers\": {{\"{AT}\": \"one\"}}, \"credsStore\": \"broken\"}}"));
    pull().ok();
    assert_eq!(host.sh("cat /tmp/asked").ok(), "/root");
    file("{\"credsStore\": \"one\"}");
    pull().ok();
    for (store, said) in [
        ("none", ""),
        ("broken", "the keychain is locked"),
        ("missing", "docker-credential-missing can't be asked"),
    ] {
        file(&format!("{{\"credsStore\": \"{store}\"}}"));
        let refused = pull().fails(5);
        assert!(
            refused.contains(said) && refused.contains("warning") != said.is_empty(),
            "{store}: {refused}"
        );
    }
}

/// Accounts kept by ourselves, on a host whose registry knows joe and that has his account in Docker's file.
fn registry_login_and_logout(host: &Host, image: &str) {
    let path =
        |file: &str| host.sh(&format!("stat -c '%a %U' {file}; grep -c '\"{AT}\"' {file}")).ok();
    host.volt(&["registry", "logout", AT]).ok();
    host.volt(&["logout", AT]).fails(3);
    host.volt(&["image", "pull", "--force", image]).fails(5);
    // Nothing is kept of an account that the registry does not know.
    let login = format!("volt login {AT} --username joe --password-stdin");
    let refused = host.sh(&format!("echo wrong | {login}")).fails(5);
    assert!(
        refused.contains("does not know this account") && !refused.contains("wrong"),
        "{refused}"
    );
    host.sh("test ! -e ~/.config/containers/auth.json").ok();
    host.sh(&format!("{login} < /dev/null")).fails(2);
    host.sh(&format!("echo secret | volt login {AT}")).fails(2);
    host.sh("echo secret | volt registry login 127.0.0.1:9 --username joe --password-stdin")
        .fails(8);
    // In the user's own file, beside what is there.
    host.sh("mkdir -p ~/.config/containers && echo '{\"auths\": {\"other.example\": {}}, \"more\": 1}' > ~/.config/containers/auth.json").ok();
    host.sh(&format!("echo secret | {login}")).ok();
    assert_eq!(path("~/.config/containers/auth.json"), "600 root\n1");
    host.sh("grep -q other.example ~/.config/containers/auth.json && grep -q more ~/.config/containers/auth.json").ok();
    host.volt(&["image", "pull", "--force", image]).ok();
    // The configured registry, whose account names without a registry use.
    host.volt(&["logout"]).ok();
    host.sh("echo secret | volt login --username joe --password-stdin").ok();
    host.volt(&["image", "pull", "--force", "team/app:1"]).ok();
    host.volt(&["logout", AT]).ok();
    // Typed at a terminal, where nobody sees it.
    let mut terminal = host.terminal(&["volt", "login", AT], 80, 24);
    terminal.until("Name at ");
    terminal.keys("joe\r");
    terminal.until("Password of joe at ");
    terminal.keys("secret\r");
    terminal.until("kept in ");
    let (code, screen) = terminal.ends();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("secret"), "{screen}");
    let mut terminal = host.terminal(&["volt", "login", "--username", "joe", AT], 80, 24);
    terminal.until("Password of joe at ");
    terminal.keys("sec\x03");
    terminal.until("Interrupted");
    drop(terminal.ends());
    let trail = host.volt(&["audit", "list", "-o", "json"]).ok();
    assert!(trail.contains("registry.login") && trail.contains(AT), "{trail}");
}

/// Runs a command while what the registry sends takes its time, and kills it as soon as `reached` is true of what it has fetched.
/// What `told` says then.
fn killed_on_the_way(host: &Host, command: &str, reached: &str, told: &str) -> String {
    let line = format!(
        "tc qdisc add dev lo root tbf rate 100mbit burst 256kb latency 2s && {command} > /tmp/said 2>&1 & p=$!
         until {reached}; do kill -0 $p || exit 1; sleep 0.01; done; kill -9 $p; wait $p; test $? = 137 || exit 2; {told}"
    );
    let said = host.sh(&line);
    host.sh("tc qdisc del dev lo root").ok();
    said.ok()
}

on_hosts! {
    fn image_pull_goes_on_where_it_broke_off(host) {
        let served = Served::new(host, "registry-broken");
        let host = &served.host;
        let image = format!("{AT}/team/app:1");
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        // A part of each layer is here; and one blob that is whole and wrong.
        host.sh("mkdir -p -m 700 /var/cache/volt/blobs && cd /srv-registry/data/docker/registry/v2/blobs/sha256 && for blob in */*; do \
                 head -c 1000 $blob/data > /var/cache/volt/blobs/${blob#*/}.part; done").ok();
        host.volt(&["image", "pull", &image]).ok();
        is_the_image(host, &image);
        host.sh("volt image delete $(volt image list -o name) && volt system prune --yes").ok();
        // Killed while a layer is under way: only the rest of it is sent the next time, as the registry has it in its log.
        let command = format!("exec volt image pull {image}");
        let part = "find /var/cache/volt/blobs -name '*.part' -size +300k | sort | head -n 1";
        let told = killed_on_the_way(host, &command, &format!("{part} 2>/dev/null | grep -q ."), &format!("stat -c '%n %s' $({part})"));
        let (name, had) = told.rsplit_once(' ').unwrap();
        let digest = name.trim_start_matches("/var/cache/volt/blobs/").trim_end_matches(".part");
        let all: u64 = host.sh(&format!("stat -c %s /srv-registry/data/docker/registry/v2/blobs/sha256/*/{digest}/data")).ok().parse().unwrap();
        let rest = all - had.parse::<u64>().unwrap();
        assert!(rest > 0, "{told} of {all}");
        // What the killed one had asked for is logged when the registry notices its end, at the latest at its own.
        served.serve("");
        let before = host.sh("journalctl --sync; journalctl -o cat -u registry | wc -l").ok();
        host.volt(&["image", "pull", &image]).ok();
        let log = host.sh(&format!("journalctl --sync; journalctl -o cat -u registry | tail -n +$(({before} + 1)) | grep 'GET .*{digest}'")).ok();
        assert!(log.contains(&format!("\" 206 {rest} ")) && !log.contains("\" 200 "), "{rest}: {log}");
        is_the_image(host, &image);
        host.sh("volt image delete $(volt image list -o name) && volt system prune --yes").ok();
        // Killed again and again, somewhere between its first and its last call.
        for moment in ["0.005", "0.02", "0.05", "0.1", "0.2"] {
            drop(host.sh(&format!("timeout -s KILL {moment} volt image pull {image}")));
        }
        host.sh(&format!("volt image inspect {image} >/dev/null || volt image pull {image}")).ok();
        is_the_image(host, &image);
        // Rotten on disk meanwhile: fetched again.
        host.sh("volt image delete $(volt image list -o name) && volt system prune --yes").ok();
        host.sh("mkdir -p -m 700 /var/cache/volt/blobs && cd /srv-registry/data/docker/registry/v2/blobs/sha256 && blob=$(ls -S */*/data | head -n 1) && \
                 tr '\\000-\\377' '\\001-\\377\\000' < $blob > /var/cache/volt/blobs/$(basename $(dirname $blob))").ok();
        assert!(host.volt(&["image", "pull", &image]).fails(12).contains("is not what its digest says"));
        host.volt(&["image", "pull", &image]).ok();
        is_the_image(host, &image);
        let check = host.volt(&["system", "check", "-o", "json"]).json();
        assert_eq!(check["findings"], serde_json::json!([]));
    }
}

on_hosts! {
    fn image_that_is_damaged_is_fetched_again(host) {
        let served = Served::new(host, "registry-mends");
        let host = &served.host;
        let image = format!("{AT}/team/app:1");
        host.volt(&["image", "pull", &image]).ok();
        let seen = host.volt(&["cas", "ls", &format!("images/{image}"), "etc/large", "-o", "json"]).json();
        let digest = seen[0]["digest"].as_str().unwrap().trim_start_matches("blake3:").to_owned();
        let flip = format!("perl -e 'open my $f, \"+<\", $ARGV[0] or die; seek $f, 5000, 0; read $f, my $c, 1; seek $f, 5000, 0; print $f chr(ord($c) ^ 1)' /var/lib/volt/cas/objects/{}/{digest}", &digest[..2]);
        let mends = || {
            let repaired = host.volt(&["cas", "verify", "--repair"]).ok();
            assert!(repaired.contains("all good again"), "{repaired}");
            assert!(host.volt(&["cas", "verify"]).ok().contains("all good"));
            is_the_image(host, &image);
        };
        // The tag names something else by now, and nobody serves: what is kept of the image has it.
        host.tiny();
        host.volt(&["image", "push", "tiny", &image]).ok();
        host.sh("systemctl stop registry").ok();
        host.sh(&flip).ok();
        let found = host.volt(&["cas", "verify"]);
        assert!(found.code == 1 && found.stdout.contains(&format!("--repair` fetches it from {AT}/team/app@sha256:")), "{found:?}");
        mends();
        // Nothing is kept: the registry is asked, by the digests of then.
        host.sh("volt config set image.keep_blobs false && volt cas gc").ok();
        host.sh(&flip).ok();
        let found = host.volt(&["cas", "verify", "--repair"]);
        assert_eq!(found.code, 1, "{found:?}");
        for word in [&digest, "etc/large", &format!("{AT}/team/app@sha256:"), "obody listens", &format!("volt image pull --force {image}")] {
            assert!(found.stdout.contains(word), "{word}: {found:?}");
        }
        served.serve("");
        mends();
        host.sh("ls -A /var/cache/volt/blobs | wc -l | grep -qx 0").ok();
        let check = host.volt(&["system", "check", "-o", "json"]).json();
        assert_eq!(check["findings"], serde_json::json!([]));
    }
}

/// A root file system with what can get lost on the way: setuid bits, capabilities, other owners, hard links, holes, names that are no
/// text; and with enough that it is sent in several pieces.
const TREE: &str = r#"
set -eu; mkdir -p /tmp/tree/bin /tmp/tree/etc && cd /tmp/tree
cp /bin/busybox bin/busybox && ln -s busybox bin/sh && ln bin/busybox bin/cat && chmod 4755 bin/busybox
cp /bin/busybox bin/ping && chown 12:34 etc && touch "$(printf 'etc/\377')" && truncate -s 20M etc/holes
head -c 10000000 /dev/urandom > etc/large && touch -d @1000000000.123456789 etc/large
python3 -c 'import os; os.setxattr("bin/ping", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000")); os.setxattr("etc", "user.note", b"kept")'
"#;

/// Serves a copy of a registry's folder on this machine and looks at what is in it with the tools of others. `$1` is a folder of ours,
/// `$2` a port that is free.
const LOOK: &str = r#"
set -eu; cd "$1"; at=127.0.0.1:$2
base64 -d data.base64 | tar -xz
printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: %s}\n' "$1" "$at" > config.yml
docker-registry serve config.yml > log 2>&1 & registry=$!
trap 'kill $registry' EXIT
until curl -sf http://$at/v2/; do kill -0 $registry; sleep 0.05; done
from="--src-tls-verify=false docker://$at"
skopeo inspect --raw --tls-verify=false docker://$at/made/app:zstd | grep -q 'layer.v1.tar+zstd'
skopeo inspect --raw --tls-verify=false docker://$at/made/app:1 | grep -q 'layer.v1.tar+gzip'
test $(skopeo inspect --raw --tls-verify=false docker://$at/both/app:1 | grep -o '"architecture"' | wc -l) = 2
skopeo inspect --tls-verify=false docker://$at/both/app:1 | grep -q '"Architecture": "amd64"'
skopeo copy --quiet $from/made/app:zstd dir:zstd
skopeo copy --quiet $from/made/app:1 oci:oci:app
umoci unpack --image oci:app bundle
cd bundle/rootfs
stat -c '%n %a %u:%g %h' bin/busybox bin/cat bin/ping etc
python3 -c 'import os; print(os.getxattr("bin/ping", "security.capability").hex())'
stat -c '%Y %s' etc/large etc/holes
"#;

on_hosts! {
    fn image_push_to_registries(host) {
        let served = Served::new(host, "registry-push");
        let host = &served.host;
        let name = |image: &str| format!("{AT}/{image}");
        let link = |image: &str, tag: &str| {
            let tags = format!("/srv-registry/data/docker/registry/v2/repositories/{image}/_manifests/tags");
            host.sh(&format!("cat {tags}/{tag}/current/link")).ok()
        };
        let push = |words: &[&str]| host.volt(&[&["image", "push", "-o", "json"], words].concat()).json();

        // What was pulled goes as it was, and from one repository of a registry to another without its bytes.
        for tag in ["1", "docker"] {
            let (from, to) = (name(&format!("team/app:{tag}")), name(&format!("copies/app:{tag}")));
            host.volt(&["image", "pull", &from]).ok();
            let pushed = push(&[&from, &to]);
            assert_eq!(pushed["digest"].as_str().unwrap(), link("team/app", tag));
            assert_eq!(link("copies/app", tag), link("team/app", tag));
            assert_eq!(pushed["sent"], 0, "{pushed}");
        }

        // All else as one layer, the same each time, from which comes the same tree.
        host.sh(TREE).ok();
        host.volt(&["image", "import", "/tmp/tree", "made:1"]).ok();
        let tree = |image: &str| host.volt(&["image", "inspect", image, "-o", "json"]).json()["tree"].clone();
        let first = push(&["made:1", &name("made/app:1")]);
        assert!(first["sent"].as_u64().unwrap() > 10_000_000, "{first}");
        let again = push(&["made:1", &name("made/app:again")]);
        assert_eq!((&again["digest"], &again["sent"]), (&first["digest"], &serde_json::json!(0)));
        push(&["--compression", "zstd", "made:1", &name("made/app:zstd")]);
        for tag in ["1", "zstd"] {
            let back = name(&format!("made/app:{tag}"));
            host.volt(&["image", "pull", &back]).ok();
            assert_eq!(tree(&back), tree("made:1"), "{tag}");
        }

        // Several platforms under one name.
        let (arm, both) = (name("team/app:arm"), name("both/app:1"));
        host.volt(&["image", "pull", "--platform", "linux/arm64", &arm]).ok();
        push(&["--with", &arm, &name("team/app:1"), &both]);
        host.volt(&["push", "--with", &name("team/app:docker"), &name("team/app:1"), &both]).fails(2);
        host.volt(&["image", "pull", "--platform", "linux/arm64", &both]).ok();
        assert_eq!(tree(&both), tree(&arm));

        // Others read it.
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("look"), LOOK).unwrap();
        let data = host.sh("tar -cz -C /srv-registry data | base64 -w 0").ok();
        std::fs::write(folder.path().join("data.base64"), data).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = folder.path().display();
        let seen = here(&format!("sh {at}/look {at} {port} 2>&1"));
        for line in [
            "bin/busybox 4755 0:0 2", "bin/cat 4755 0:0 2", "etc 755 12:34 2",
            "0100000200200000000000000000000000000000",
            "1000000000 10000000",
        ] {
            assert!(seen.contains(line), "{line}: {seen}");
        }

        // What goes wrong.
        host.volt(&["image", "push", "none:1", &name("a/b")]).fails(3);
        host.volt(&["image", "push", "made:1", &format!("{}@{}", name("a/b"), first["digest"].as_str().unwrap())]).fails(2);
        through_tls(&served, &tree("made:1"));
        let check = host.volt(&["system", "check", "-o", "json"]).json();
        assert_eq!(check["findings"], serde_json::json!([]));
    }
}

/// A registry that has a certificate, which counts only where its maker is known. Layers are of zstd.
fn through_tls(served: &Served, tree: &serde_json::Value) {
    let host = &served.host;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    here(&format!(
        "cd {at} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=maker 2>&1 && \
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out request -subj /CN=registry.test 2>&1 && \
         printf 'subjectAltName=DNS:registry.test\nextendedKeyUsage=serverAuth' > names && \
         openssl x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out crt 2>&1"
    ));
    for file in ["ca.crt", "crt", "key"] {
        host.put(&format!("{at}/{file}"), &format!("/tmp/{file}"));
    }
    host.sh("echo 127.0.0.1 registry.test >> /etc/hosts").ok();
    let image = "registry.test:5000/made/app:zstd";
    served.serve("  tls: {certificate: /tmp/crt, key: /tmp/key}\n");
    let refused = host.volt(&["image", "pull", image]).fails(8);
    assert!(refused.contains("certificate"), "{refused}");
    host.sh("cp /tmp/ca.crt /usr/local/share/ca-certificates/maker.crt && update-ca-certificates")
        .ok();
    host.volt(&["image", "pull", image]).ok();
    assert_eq!(host.volt(&["image", "inspect", image, "-o", "json"]).json()["tree"], *tree);
    host.volt(&["image", "push", image, "registry.test:5000/made/tls"]).ok();
}

on_hosts! {
    fn cas_push_and_pull(host) {
        let served = Served::new(host, "registry-trees");
        let host = &served.host;
        let name = |tag: &str| format!("{AT}/trees/site:{tag}");
        let push = |tag: &str| host.volt(&["cas", "push", "site", &name(tag), "-o", "json"]).json();
        // The other side is a store of its own.
        let pull = |words: &[&str]| host.volt(&[&["--root", "/srv/there", "cas", "pull", "-o", "json"], words].concat()).json();
        let bytes = |value: &serde_json::Value| value.as_u64().unwrap();
        let exported = |root: &str, tree: &str| host.sh(&format!("volt --root {root} cas export {tree} | sha256sum")).ok();

        host.sh(TREE).ok();
        host.sh("cd /tmp/tree && mknod etc/null c 1 3 && for i in $(seq 500); do echo file $i > etc/small-$i; done").ok();
        let first = host.volt(&["cas", "build", "--ref", "site", "/tmp/tree", "-o", "json"]).json();
        let pushed = push("1");
        assert!(bytes(&pushed["sent"]) > 10_000_000 && pushed["tree"] == first["tree"], "{pushed}");
        assert_eq!(bytes(&push("1")["sent"]), 0);
        let pulled = pull(&["--ref", "site", &name("1")]);
        assert_eq!(pulled["tree"], first["tree"]);
        assert_eq!(exported("/srv/there", "site"), exported("/", "site"));

        // A small file is another, a large one has something put into it.
        host.sh("cd /tmp/tree/etc && echo other > small-7 && { head -c 5000000 large; echo put in; tail -c +5000001 large; } > new && mv new large").ok();
        let second = host.volt(&["cas", "build", "--ref", "site", "/tmp/tree", "-o", "json"]).json();
        let pushed = push("2");
        assert!(bytes(&pushed["sent"]) < 3_000_000 && bytes(&pushed["present"]) > 10_000_000, "{pushed}");
        let pulled = pull(&["--ref", "site", &name("2")]);
        assert!(bytes(&pulled["fetched"]) < 3_000_000 && pulled["tree"] == second["tree"], "{pulled}");
        assert_eq!(exported("/srv/there", "site"), exported("/", "site"));
        assert_eq!(bytes(&pull(&[&name("2")])["fetched"]), 0);
        let listed = host.sh("volt --root /srv/there cas list -o name | sort").ok();
        assert_eq!(listed, "site\nsite:2");
        host.volt(&["--root", "/srv/there", "cas", "verify"]).ok();

        // What rots of it is fetched again, as it was then: the tag means something else by now.
        host.sh("volt --root /srv/there cas pull --ref site 127.0.0.1:5000/trees/site:1 && volt cas push site 127.0.0.1:5000/trees/site:1").ok();
        let large = host.sh("find /srv/there/var/lib/volt/cas/objects -size +9M | head -n 1").ok();
        host.sh(&format!("truncate -s -1 {large}")).ok();
        let found = host.volt(&["--root", "/srv/there", "cas", "verify"]);
        assert!(found.code == 1 && found.stdout.contains(&format!("--repair` fetches it from {AT}/trees/site@sha256:")), "{found:?}");
        assert!(host.volt(&["--root", "/srv/there", "cas", "verify", "--repair"]).ok().contains("all good again"));
        assert_eq!(host.volt(&["--root", "/srv/there", "cas", "list", "-o", "json"]).json()[0]["tree"], first["tree"]);

        // Broken off on the way, with a part of it stored: that is not fetched again.
        host.sh("mkdir /tmp/many && cd /tmp/many && for i in $(seq 90); do head -c 900000 /dev/urandom > $i; done && volt cas build --ref many . && volt cas push many 127.0.0.1:5000/trees/many:1").ok();
        let many = format!("{AT}/trees/many:1");
        let whole = bytes(&host.volt(&["--root", "/srv/whole", "cas", "pull", "-o", "json", &many]).json()["fetched"]);
        let command = format!("exec volt --root /srv/cut cas pull {many}");
        let stored = "find /srv/cut/var/lib/volt/cas/objects -type f -size +500k 2>/dev/null | wc -l";
        let had: u64 = killed_on_the_way(host, &command, &format!("test $({stored}) -gt 9"), stored).parse().unwrap();
        let rest = bytes(&host.volt(&["--root", "/srv/cut", "cas", "pull", "-o", "json", &many]).json()["fetched"]);
        assert!(rest > 0 && rest <= whole - (had - 1) * 900_000, "{rest} of {whole}, {had} were there");
        assert_eq!(exported("/srv/cut", "many:1"), exported("/", "many"));
        host.sh("rm -r /srv/whole /srv/cut /tmp/many; volt cas delete many && volt cas gc; find /srv-registry/data -name data -size +12M -delete").ok();
        // Broken off anywhere, it goes on.
        for moment in ["0.02", "0.05", "0.1"] {
            drop(host.sh(&format!("timeout -s KILL {moment} volt --root /srv/broken cas pull {}", name("2"))));
        }
        host.volt(&["--root", "/srv/broken", "cas", "pull", &name("2")]).ok();
        assert_eq!(exported("/srv/broken", "site:2"), exported("/", "site"));
        host.volt(&["--root", "/srv/broken", "cas", "verify"]).ok();

        // What is no tree, what is not there, and what has rotted there.
        host.volt(&["cas", "pull", &format!("{AT}/team/app:1")]).fails(2);
        host.volt(&["cas", "pull", &format!("{AT}/trees/none")]).fails(3);
        host.volt(&["cas", "push", "none", &name("3")]).fails(3);
        host.sh("cd /srv-registry/data/docker/registry/v2/blobs/sha256 && blob=$(ls -S */*/data | head -n 1) && \
                 printf XXXX | dd of=$blob bs=1 seek=4000000 conv=notrunc 2>/dev/null").ok();
        host.volt(&["--root", "/srv/rotten", "cas", "pull", &name("1")]).fails(12);
        assert_eq!(host.volt(&["--root", "/srv/rotten", "cas", "list", "-o", "name"]).ok(), "");
        host.volt(&["--root", "/srv/rotten", "cas", "verify"]).ok();
    }
}

/// The most memory that a command had, in MiB. It does its work itself.
fn peak(host: &Host, words: &str) -> u64 {
    // A test host has the smallest of Pythons, which can't ask for what a child has used.
    let look = r#"
import os, sys, time
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
child, most, ended = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]), 0, (0, 0)
while ended[0] == 0:
    for line in open("/proc/%d/status" % child):
        if line.startswith("VmHWM"):
            most = max(most, int(line.split()[1]))
    time.sleep(0.005)
    ended = os.waitpid(child, os.WNOHANG)
os.write(out, b"%d" % (most >> 10))
sys.exit(ended[1] != 0)"#;
    host.sh(&format!("python3 -c '{look}' {words}")).ok().parse().unwrap()
}

on_hosts! {
    fn cas_pull_of_much_that_breaks_off(host) {
        let served = Served::new(host, "registry-cut");
        let host = &served.host;
        let large = format!("{AT}/trees/large:1");
        host.sh("systemctl mask --now volt.socket volt.service").ok();
        host.sh(&format!("mkdir /var/tmp/large && cd /var/tmp/large && head -c 200000000 /dev/urandom > large && volt cas build --ref large . && volt cas push large {large} && rm large")).ok();
        let pull = format!("volt --root /srv/cut cas pull {large}");
        let stored = "du -sb /srv/cut/var/lib/volt/cas/objects | cut -f 1";
        let has = |bytes: u64| format!("test \"$({stored})\" -gt {bytes} 2> /dev/null");
        // By its own end.
        let had: u64 = killed_on_the_way(host, &format!("exec {pull}"), &has(40_000_000), stored).parse().unwrap();
        assert!(had < 160_000_000, "{had}");
        // By that of who serves.
        let line = format!(
            "tc qdisc add dev lo root tbf rate 100mbit burst 256kb latency 2s; {pull} > /tmp/said 2>&1 & p=$!
             until {}; do kill -0 $p || exit 1; sleep 0.01; done; systemctl kill --signal KILL registry; wait $p; echo $?; cat /tmp/said >&2",
            has(had + 20_000_000)
        );
        let broken = host.sh(&line);
        host.sh("tc qdisc del dev lo root").ok();
        assert_eq!(broken.ok(), "8");
        let had: u64 = host.sh(stored).ok().parse().unwrap();
        assert!(had < 190_000_000, "{had}");
        // Only the rest is sent then.
        served.serve("");
        let sent = || host.sh("cat /sys/class/net/lo/statistics/tx_bytes").ok().parse::<u64>().unwrap();
        let before = sent();
        let most = peak(host, &pull);
        let (sent, rest) = (sent() - before, 200_000_000 - had);
        assert!(sent < rest + rest / 10 + 4_000_000, "{sent} for {rest}");
        assert!(most < 200, "{most} MiB");
        host.sh("cd /var/tmp/large && volt cas cat large large > large && volt --root /srv/cut cas verify && volt --root /srv/cut cas cat large:1 large | cmp - large && rm -r /srv/cut").ok();

        // All that is much is done in little memory: one file, and many.
        host.sh("cd /var/tmp/large && python3 -c 'import os; [open(str(n), \"wb\").write(os.urandom(3000)) for n in range(20000)]'").ok();
        let (image, all) = (format!("{AT}/team/large:1"), format!("{AT}/trees/all:1"));
        for words in [
            "volt cas build --ref all /var/tmp/large".to_owned(),
            format!("volt cas push all {all}"),
            format!("volt --root /srv/all cas pull {all}"),
            "volt image import stellarium://all large".to_owned(),
            format!("volt image push large {image}"),
            format!("volt --root /srv/image image pull {image}"),
        ] {
            let most = peak(host, &words);
            assert!(most < 200, "{words}: {most} MiB");
        }
        assert!(host.volt(&["--root", "/srv/all", "cas", "verify"]).ok().contains("all good"));
    }
}
