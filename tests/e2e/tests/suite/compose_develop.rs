//! Stacks while their sources change: builds of services, and what is watched.

use std::time::Duration;
use volt_e2e::{Host, Output, on_hosts};

const PATIENCE: Duration = Duration::from_secs(60);

/// A file of the host.
fn write(host: &Host, path: &str, text: &str) {
    let line = format!("mkdir -p $(dirname {path}) && cat > {path}");
    host.run_with(&["sh", "-c", &line], text.as_bytes()).ok();
}

/// A command in the folder of the stack.
fn within(host: &Host, line: &str) -> Output {
    host.sh(&format!("cd /srv/develop || exit 99; {line}"))
}

const WATCHED: &str = r#"
name: develop
services:
  web:
    image: tiny
    command: sh -c 'echo began; exec sleep 1000'
    stop_grace_period: 1s
    develop:
      watch:
        - {path: ./src, action: sync, target: /app/src, ignore: ['*.tmp', cache/], initial_sync: true}
        - {path: ./web.conf, action: sync+restart, target: /app/web.conf}
        - path: ./hook
          action: sync+exec
          target: /app/hook
          include: ['**/*.sh']
          exec: {command: sh -c 'cat /app/hook/*.sh >> /told', user: root}
  worker:
    image: tiny
    command: sh -c 'echo began; exec sleep 1000'
    stop_grace_period: 1s
    deploy: {replicas: 2}
    develop:
      watch:
        - {path: ./worker.conf, action: restart}
        - {path: ./src, action: sync, target: /shared}
"#;

on_hosts! {
    fn compose_watch_carries_changes_into_what_runs(host) {
        let host = &*host.private("watch");
        host.tiny();
        write(host, "/srv/develop/compose.yaml", WATCHED);
        write(host, "/srv/develop/src/first", "1");
        write(host, "/srv/develop/src/skip.tmp", "1");
        within(host, "volt compose watch none").fails(3);
        within(host, "volt compose watch --no-up").fails(3);
        host.sh("systemd-run --quiet --unit watching --working-directory /srv/develop sh -c 'exec volt compose watch > /tmp/watching 2>&1'").ok();
        let inside = |container: &str, line: &str| host.volt(&["exec", container, "sh", "-c", line]);
        let until = |container: &str, line: &str| host.until(PATIENCE, &format!("volt exec {container} sh -c {line:?}"));
        host.until(PATIENCE, "grep -q '^Watching' /tmp/watching");
        // Where that is wanted, all that is there is copied first.
        assert_eq!(inside("develop-web-1", "cd /app/src && ls -A && stat -c %u first").ok(), "first\n0");
        inside("develop-worker-1", "ls /shared/first").fails(1);

        // New, changed, in new folders, removed; into all containers of a service. What is ignored stays out.
        host.sh("cd /srv/develop/src && mkdir -p new/deep cache .git && echo 2 > first && echo 3 > new/deep/file && echo 4 > cache/x && echo 5 > .git/x && echo 6 > other.tmp").ok();
        until("develop-web-1", "grep -q 2 /app/src/first && grep -q 3 /app/src/new/deep/file");
        for worker in ["develop-worker-1", "develop-worker-2"] {
            until(worker, "grep -q 3 /shared/new/deep/file");
        }
        assert_eq!(inside("develop-web-1", "cd /app/src && find . -type f | sort").ok(), "./first\n./new/deep/file");
        host.sh("cd /srv/develop/src && mv new moved && rm first").ok();
        until("develop-web-1", "test -e /app/src/moved/deep/file && ! test -e /app/src/new/deep/file && ! test -e /app/src/first");

        // A single file, with a restart; a restart alone; a command.
        let began = |container: &str| host.sh(&format!("systemctl show -P InvocationID volt-container@{container}")).ok();
        let before = (began("develop-web-1"), began("develop-worker-1"));
        host.sh("echo listen > /srv/develop/web.conf").ok();
        host.until(PATIENCE, &format!("test $(systemctl show -P InvocationID volt-container@develop-web-1) != {}", before.0));
        until("develop-web-1", "grep -q listen /app/web.conf");
        assert_eq!(began("develop-worker-1"), before.1);
        host.sh("echo x > /srv/develop/worker.conf").ok();
        host.until(PATIENCE, &format!("test $(systemctl show -P InvocationID volt-container@develop-worker-1) != {}", before.1));
        write(host, "/srv/develop/hook/README", "no");
        write(host, "/srv/develop/hook/a.sh", "echo hooked");
        until("develop-web-1", "grep -q hooked /told && ! test -e /app/hook/README");

        // It says what it does, ends when it is told to, and the stack goes on.
        let told = host.sh("cat /tmp/watching").ok();
        assert!(told.contains("web: web.conf copied to develop-web-1"), "{told}");
        assert!(told.contains("copied to develop-worker-1, develop-worker-2"), "{told}");
        host.sh("systemctl kill --signal INT watching").ok();
        host.until(PATIENCE, "! systemctl is-active --quiet watching");
        assert_eq!(within(host, "volt compose ps -o name").ok(), "develop-web-1\ndevelop-worker-1\ndevelop-worker-2");
        // A running stack is watched without a word.
        host.sh("systemd-run --quiet --unit again --working-directory /srv/develop sh -c 'exec volt compose watch --no-up --quiet web > /tmp/again 2>&1'; sleep 2").ok();
        host.sh("echo quiet > /srv/develop/src/quiet").ok();
        until("develop-web-1", "grep -q quiet /app/src/quiet");
        host.sh("systemctl stop again").ok();
        assert_eq!(host.sh("cat /tmp/again").ok(), "");
        inside("develop-worker-1", "ls /shared/quiet").fails(1);
        within(host, "volt compose down").ok();
        write(host, "/srv/develop/compose.yaml", "name: develop\nservices: {web: {image: tiny}}\n");
        within(host, "volt compose watch").fails(12);
    }
}

const BUILT: &str = r#"
name: develop
services:
  app:
    image: develop/app:1
    command: cat /result
    build:
      context: ./app
      dockerfile_inline: |
        FROM tiny
        ARG WORD=unsaid
        COPY --from=more extra /extra
        COPY source /source
        RUN --mount=type=secret,id=word echo $$(tr a-z A-Z < /run/secrets/word) > /result
        RUN echo $$WORD >> /result; cat /extra /source >> /result; ulimit -n >> /result; grep -c far.example /etc/hosts >> /result; ls /sys/class/net | wc -w >> /result
      args: {WORD: said}
      additional_contexts: {more: ./more}
      labels: {made.by: a stack}
      tags: [develop/app:latest]
      secrets: [{source: key, target: word}]
      extra_hosts: ['far.example=10.9.8.7']
      ulimits: {nofile: 333}
      network: none
      platforms: [linux/amd64]
    develop:
      watch: [{path: ./app, action: rebuild, ignore: [notes]}]
secrets:
  key: {environment: BUILD_KEY}
"#;

on_hosts! {
    fn compose_build_heeds_what_the_file_says(host) {
        let host = &*host.private("buildstack");
        host.tiny();
        let quiet = "apt-get -qq -o Acquire::Languages=none";
        host.sh(&format!("{quiet} update && DEBIAN_FRONTEND=noninteractive {quiet} install --no-install-recommends buildah netavark > /dev/null")).ok();
        write(host, "/srv/develop/compose.yaml", BUILT);
        write(host, "/srv/develop/app/source", "source 1\n");
        write(host, "/srv/develop/more/extra", "extra\n");
        within(host, "volt compose build none").fails(3);
        within(host, "volt compose build").fails(3);
        let built = within(host, "BUILD_KEY=hidden volt compose build --no-cache --build-arg WORD=typed");
        assert_eq!(built.ok(), "develop/app:1");
        let result = host.volt(&["run", "--rm", "develop/app:latest", "cat", "/result"]).ok();
        let lines: Vec<&str> = result.lines().collect();
        assert_eq!(lines[..6], ["HIDDEN", "typed", "extra", "source 1", "333", "1"], "{result}");
        assert_eq!(lines[6], "1", "a loopback and no more: {result}");
        let image = host.volt(&["image", "inspect", "develop/app:1", "-o", "json"]).json();
        assert_eq!(image["labels"]["made.by"], "a stack", "{image}");
        // The secret is in no layer and nowhere else.
        host.volt(&["run", "--rm", "develop/app:1", "sh", "-c", "! ls /run/secrets/word 2>/dev/null"]).ok();
        host.gone(&["/dev/shm/volt-build-*"]);
        host.sh("! grep -r hidden /var/log/volt 2>/dev/null").ok();

        // A variable of the file beside it is as good as one of the environment.
        write(host, "/srv/develop/.env", "BUILD_KEY=written\n");
        within(host, "volt compose build --no-cache").ok();
        host.sh("rm /srv/develop/.env; volt run --rm develop/app:latest grep -qx WRITTEN /result").ok();

        // `up` takes the image that is there; with --build it is built of what the source is now.
        let ups = |more: &str, said: &str| {
            within(host, &format!("BUILD_KEY=hidden volt compose up -d {more}")).ok();
            host.until(PATIENCE, &format!("volt logs -n 1 --grep '^source' develop-app-1 | grep -qx 'source {said}'"));
        };
        ups("", "1");
        write(host, "/srv/develop/app/source", "source 0\n");
        ups("", "1");
        ups("--build", "0");
        write(host, "/srv/develop/app/source", "source 1\n");
        ups("--build", "1");
        within(host, "volt compose down").ok();

        // What can't be done is said before anything is.
        let wrong = |from: &str, to: &str, what: &str| {
            write(host, "/srv/develop/compose.yaml", &BUILT.replace(from, to));
            let error = within(host, "BUILD_KEY=hidden volt compose build").fails(2);
            assert!(error.contains(what), "{what}: {error}");
        };
        wrong("platforms: [linux/amd64]", "platforms: [linux/riscv64]", "linux/riscv64");
        wrong("platforms: [linux/amd64]", "platforms: [linux/amd64, linux/arm64]", "one platform");
        wrong("network: none", "network: front", "host or none");
        wrong("more: ./more", "more: 'https://far.example/x'", "is no folder of this host");
        write(host, "/srv/develop/compose.yaml", BUILT);

        // A change of the source builds anew and replaces what runs.
        host.sh("systemd-run --quiet --unit building --setenv BUILD_KEY=hidden --working-directory /srv/develop sh -c 'exec volt compose watch > /tmp/building 2>&1'").ok();
        host.until(Duration::from_secs(120), "grep -q '^Watching' /tmp/building");
        host.until(PATIENCE, "volt logs develop-app-1 | grep -qx 'source 1'");
        host.sh("echo nothing > /srv/develop/app/notes; echo source 2 > /srv/develop/app/source").ok();
        host.until(Duration::from_secs(120), "volt logs develop-app-1 | grep -qx 'source 2'");
        host.sh("systemctl stop building").ok();
        within(host, "volt compose down").ok();
    }
}
