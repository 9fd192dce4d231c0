//! Building images: of a folder, by a Containerfile, and beside podman, which runs the same ones.

use volt_e2e::{Host, here, on_hosts};

/// What a program sees of how its image wants to be run.
const ENTRY: &str = r#"#!/bin/sh
echo "user $(id -u):$(id -g), in $(pwd), arguments: $*"
for name in COLOUR WORD PATH; do eval echo "$name=\$$name"; done
echo "data: $(ls -n /data | tail -n +2 | awk '{print $3 ":" $4, $NF}')"
if test "$1" = wait; then
  trap 'echo told by QUIT; exit 0' QUIT; trap 'echo told by TERM; exit 1' TERM
  echo waiting; while :; do sleep 0.1; done
fi
"#;

const CONTAINERFILE: &str = r#"
ARG BASE=none
FROM $BASE AS tools
RUN echo a tool > /tool && chmod 4711 /tool

FROM tiny:latest
ARG WORD=unsaid
ENV WORD=$WORD COLOUR="deep blue"
RUN mkdir -p /data /work && echo seed > /data/seed && chown -R 1000:1000 /data /work && rm /bin/touch
RUN : > /etc/touched && id -u > /built-as
COPY --from=tools /tool /tool
COPY --chown=12:34 entry /srv/entry
RUN chmod 755 /srv/entry
USER 1000:1000
WORKDIR /work
VOLUME /data
STOPSIGNAL SIGQUIT
EXPOSE 80 53/udp
LABEL made.by="a test"
ENTRYPOINT ["/srv/entry"]
CMD ["one", "two words"]
"#;

/// Installs packages in a host by its own apt.
pub(super) fn install(host: &Host, packages: &str) {
    let quiet = "apt-get -qq -o Acquire::Languages=none";
    host.sh(&format!(
        "{quiet} update && DEBIAN_FRONTEND=noninteractive {quiet} install --no-install-recommends {packages} > /dev/null"
    ))
    .ok();
}

fn prepare(host: &Host) {
    host.tiny();
    for (path, text) in [("app/entry", ENTRY), ("app/Containerfile", CONTAINERFILE)] {
        let line = format!("mkdir -p /srv/app && cat > /srv/{path}");
        host.run_with(&["sh", "-c", &line], text.as_bytes()).ok();
    }
    host.sh("chmod 755 /srv/app/entry").ok();
}

on_hosts! {
    fn image_build_of_a_folder(host) {
        host.tiny();
        host.sh("rm -rf /tmp/rootfs; mkdir /tmp/rootfs && tar -xf /srv/images/tiny.tar -C /tmp/rootfs && mkdir -p /tmp/rootfs/srv /tmp/rootfs/data && echo seed > /tmp/rootfs/data/seed").ok();
        host.run_with(&["sh", "-c", "cat > /tmp/rootfs/srv/entry && chmod 755 /tmp/rootfs/srv/entry"], ENTRY.as_bytes()).ok();
        let words = ["--entrypoint", "/bin/sh /srv/entry", "--command", "one two", "--env", "COLOUR=deep blue", "--env", "WORD=", "--user", "1000:1000",
            "--workdir", "/srv", "--volume", "/data", "--stop-signal", "quit", "--expose", "80", "--expose", "53/udp", "--label", "made.by=a test"];
        let build = |more: &[&str]| host.volt(&[&["image", "build"], more, &words[..], &["/tmp/rootfs", "built:1"]].concat());
        drop(host.volt(&["image", "delete", "built:1"]));
        build(&[]).ok();
        build(&[]).fails(4);
        build(&["--force"]).ok();
        let seen = host.volt(&["image", "inspect", "built:1", "-o", "json"]).json();
        assert_eq!(seen["entrypoint"], serde_json::json!(["/bin/sh", "/srv/entry"]), "{seen}");
        assert_eq!((&seen["stop_signal"], &seen["exposed_ports"]), (&"SIGQUIT".into(), &serde_json::json!(["80/tcp", "53/udp"])), "{seen}");
        assert_eq!((&seen["labels"]["made.by"], &seen["volumes"][0]), (&"a test".into(), &"/data".into()), "{seen}");
        let said = host.volt(&["run", "--rm", "built:1"]).ok();
        assert!(said.starts_with("user 1000:1000, in /srv, arguments: one two\nCOLOUR=deep blue\nWORD=\n"), "{said}");
        assert!(said.ends_with("data: 0:0 seed"), "{said}");
        // Sent by one who may not name a path of the host.
        host.sh("usermod --append --groups volt tester && chmod -R a+rX /tmp/rootfs").ok();
        let mine = |words: &str| host.sh(&format!("setpriv --reuid tester --regid tester --init-groups volt image build --force {words}"));
        mine("--command '/bin/echo sent' /tmp/rootfs built:2").ok();
        assert_eq!(host.volt(&["run", "--rm", "built:2"]).ok(), "sent");
        // What makes no sense.
        for (words, what) in [("--workdir srv", "absolute"), ("--expose 0", "port"), ("--stop-signal no", "signal"), ("--env =x", "NAME=VALUE"),
            ("--volume data", "absolute"), ("--target x", "Containerfile"), ("--build-arg A=b", "Containerfile")] {
            let error = host.sh(&format!("volt image build {words} /tmp/rootfs built:3")).fails(2);
            assert!(error.contains(what), "{words}: {error}");
        }
        host.volt(&["image", "build", "/tmp/none", "built:3"]).fails(3);
        host.volt(&["image", "build", "--file", "none", "/tmp/rootfs", "built:3"]).fails(3);
        // A Containerfile says all of that itself, and only root may build by one.
        host.sh("mkdir -p /tmp/byfile && printf 'FROM tiny\\n' > /tmp/byfile/Dockerfile").ok();
        host.sh("volt image build --env A=b /tmp/byfile built:3").fails(2);
        mine("/tmp/byfile built:3").fails(5);
        let missing = host.sh("volt image build /tmp/byfile built:3").fails(10);
        assert!(missing.contains("buildah is not installed") && missing.contains("apt install buildah"), "{missing}");
        host.volt(&["image", "inspect", "built:3"]).fails(3);
        host.volt(&["image", "delete", "built:1", "built:2"]).ok();
    }
}

/// What a folder of the host has in it, with times.
const STATE: &str = "find /var/lib/containers /run/containers /var/tmp /root /etc/containers /etc/cni /var/lib/volt/tmp -mindepth 1 -not -name .gate -not -path '*/systemd-private-*' 2>/dev/null | sort";

/// An OCI layout that umoci makes on this machine, of a root that busybox is.
const UMOCI: &str = r#"
set -eu; cd "$1"; mkdir -p root/bin root/srv root/data root/work root/etc && cp /bin/busybox root/bin
for name in sh id pwd ls tail awk sleep echo; do ln -s busybox root/bin/$name; done
echo 'worker:x:1000:1000::/work:/bin/sh' > root/etc/passwd; echo 'worker:x:1000:' > root/etc/group
cp entry root/srv/entry; chmod 755 root/srv/entry; echo seed > root/data/seed; chown -R 1000:1000 root/data root/work
umoci init --layout layout && umoci new --image layout:app && umoci insert --image layout:app root /
umoci config --image layout:app --config.entrypoint /srv/entry --config.cmd one --config.cmd 'two words' --config.env 'COLOUR=deep blue' --config.env WORD=umoci \
  --config.user worker --config.workingdir /work --config.volume /data --config.stopsignal SIGQUIT --config.exposedports 80/tcp
tar -czf layout.tar.gz layout
"#;

on_hosts! {
    fn image_build_by_a_containerfile_and_beside_podman(host) {
        let host = host.private("build");
        prepare(&host);
        install(&host, "buildah netavark");
        let before = host.sh(STATE).ok();
        host.volt(&["image", "tag", "tiny", "team/tools:1"]).ok();
        let build = "volt image build --build-arg WORD=said --build-arg BASE=team/tools:1";
        let output = host.sh(&format!("{build} /srv/app app:1"));
        assert!(output.stderr.contains("STEP 1/") && output.stderr.contains("COPY --from=tools"), "{output:?}");
        assert_eq!(output.ok(), "app:1");
        let inside = |line: &str| host.volt(&["run", "--rm", "--entrypoint", "/bin/sh", "--user", "0", "app:1", "-c", line]).ok();
        let seen = inside("cat /tool /built-as; stat -c '%a %u:%g %n' /tool /srv/entry /work; test -e /bin/touch || echo gone; cat /etc/touched");
        assert_eq!(seen, "a tool\n0\n4711 0:0 /tool\n755 12:34 /srv/entry\n755 1000:1000 /work\ngone");
        let image = host.volt(&["image", "inspect", "app:1", "-o", "json"]).json();
        assert_eq!((&image["source"], &image["labels"]["made.by"]), (&"Containerfile".into(), &"a test".into()), "{image}");
        assert_eq!(host.sh(STATE).ok(), before, "something is left");
        // A stage; a folder that was sent; an image that is not here; a command that fails; one that is broken off.
        host.sh(&format!("{build} --target tools /srv/app app:tools")).ok();
        assert_eq!(host.volt(&["run", "--rm", "app:tools", "cat", "/tool"]).ok(), "a tool");
        host.sh("mkdir /srv/bad && printf 'FROM tiny\\nRUN echo well said && exit 7\\n' > /srv/bad/Containerfile").ok();
        let error = host.sh("volt image build /srv/bad bad").fails(1);
        assert!(error.contains("well said") && error.contains("exit status 7"), "{error}");
        host.sh("printf 'FROM none.example/x\\n' > /srv/bad/Containerfile; echo 127.0.0.1 none.example >> /etc/hosts").ok();
        host.sh("volt image build /srv/bad bad").fails(8);
        host.sh("printf 'FROM tiny\\nRUN sleep 60\\n' > /srv/bad/Containerfile").ok();
        assert_eq!(host.sh("timeout -s INT 4 volt image build /srv/bad bad").code, 124);
        host.until(std::time::Duration::from_secs(10), "! pgrep -x buildah && ! ls -d /var/lib/volt/tmp/image-* 2>/dev/null | grep .");
        assert_eq!(host.sh(STATE).ok(), before, "something is left");
        runs_as_podman_runs_it(&host);
        let check = host.volt(&["system", "check", "-o", "json"]).json();
        assert_eq!(check["findings"], serde_json::json!([]));
    }
}

/// Images that buildah and umoci have made, and one of ours, say the same by us as by podman.
fn runs_as_podman_runs_it(host: &Host) {
    install(host, "crun podman");
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    std::fs::write(folder.path().join("entry"), ENTRY).unwrap();
    std::fs::write(folder.path().join("make"), UMOCI).unwrap();
    here(&format!("sh {at}/make {at} 2>&1"));
    host.put(&format!("{at}/layout.tar.gz"), "/srv/layout.tar.gz");
    // Not every podman takes the overlays of a test host for ones of its own.
    host.sh("mkdir -p /var/lib/machines/podman && printf '[storage]\\ndriver = \"vfs\"\\ngraphroot = \"/var/lib/machines/podman\"\\nrunroot = \"/run/containers/storage\"\\n' \
        > /etc/containers/storage.conf").ok();
    host.sh("cd /srv && tar -xzf layout.tar.gz && podman pull -q oci:/srv/layout:app > /srv/id && podman tag $(cat /srv/id) localhost/umoci:1 && volt image import /srv/layout umoci:1").ok();
    host.sh("podman import -q /srv/images/tiny.tar localhost/tiny:latest && cd /srv/app && \
        buildah build --isolation chroot --ulimit nofile=1000:1000 --ulimit nproc=9999:9999 --pull=never --build-arg WORD=said --build-arg BASE=localhost/tiny:latest -t localhost/buildah:1 . && \
        buildah push -q localhost/buildah:1 oci:/srv/buildah:1 && volt image import /srv/buildah buildah:1").ok();
    host.sh("volt image export --format oci app:1 > /srv/app.oci && podman load -q -i /srv/app.oci && podman tag localhost/app:1 localhost/ours:1 && volt image tag app:1 ours:1").ok();
    // As far apart from the host as ours is. A host without controllers has no limit of processes to offer.
    let flags = "--network none --pids-limit 0 --uidmap 0:1610612736:65536";
    for image in ["umoci:1", "buildah:1", "ours:1"] {
        for (options, arguments) in [
            ("", ""),
            ("", "other words"),
            ("--user 7:8", ""),
            ("--workdir /srv", ""),
            ("--env COLOUR=red", "x"),
            ("--entrypoint /bin/pwd", ""),
            ("--entrypoint /bin/echo", "x y"),
        ] {
            let podman = host
                .sh(&format!("podman run --rm {flags} {options} localhost/{image} {arguments}"));
            let ours = host.sh(&format!("volt run --rm {options} {image} {arguments}"));
            assert_eq!(
                (ours.code, &ours.stdout),
                (podman.code, &podman.stdout),
                "{image} {options} {arguments}: {ours:?} {podman:?}"
            );
            assert!(podman.code == 0 && !podman.stdout.is_empty(), "{podman:?}");
        }
        // Its own signal asks it to end.
        let name = image.replace(':', "-");
        let _guard = host.container(&name);
        host.sh(&format!("podman run -d --name {name} {flags} localhost/{image} wait && volt run -d --name {name} {image} wait")).ok();
        let waits = |logs: &str| {
            host.sh(&format!(
                "timeout 10 sh -c 'until {logs} {name} | grep -q waiting; do sleep 0.1; done'"
            ))
            .ok()
        };
        waits("podman logs");
        waits("volt logs");
        host.sh(&format!("podman stop -t 5 {name} && volt stop {name}")).ok();
        let podman = host.sh(&format!("podman logs {name}; podman inspect -f '{{{{.State.ExitCode}}}}' {name}; podman rm {name} > /dev/null")).ok();
        let ours = host.sh(&format!("volt logs {name}; volt container wait {name}")).stdout;
        assert_eq!(ours.trim_end(), podman, "{image}");
        assert!(podman.contains("told by QUIT"), "{podman}");
    }
}
