//! What is typed in the demo: a stack from one file, or one container where there is no root and no systemd.

use crate::cache::{self, SUITES};

const PAGE: &str = "<h1>Hello from a container</h1>";

/// A command of the demo.
pub(super) struct Step {
    pub(super) line: String,
    /// What must stand in its standard output.
    pub(super) expect: &'static str,
}

fn step(line: &str, expect: &'static str) -> Step {
    Step { line: line.to_owned(), expect }
}

/// The files of the stack, as somebody has written them.
const FILES: [(&str, &str); 3] = [
    ("compose.yaml", include_str!("compose.yaml")),
    ("app/cgi-bin/entries", include_str!("entries")),
    ("web.conf", include_str!("web.conf")),
];

/// A line that lays the files of the stack.
pub(super) fn lay() -> String {
    let lay = |(name, text): &(&str, &str)| format!("cat > {name} <<'END'\n{text}END\n");
    let all: String = FILES.iter().map(lay).collect();
    format!("mkdir -p app/cgi-bin\n{all}chmod 755 app/cgi-bin/entries")
}

/// A web server, a program and a database, of which Debian comes from this mirror.
pub(super) fn stack(mirror: Option<&str>) -> Vec<Step> {
    let mirror = mirror.map(|mirror| format!(" --mirror {mirror}")).unwrap_or_default();
    let packages = "busybox-static,nginx,redis-server";
    let pull = format!("volt image pull debian-minimal --include {packages}{mirror}");
    let unit = "volt-container@guestbook-db-1.service";
    let status = format!("systemctl --no-pager --lines 3 status {unit}");
    let limits = format!("systemctl show -p MainPID -p MemoryMax {unit}");
    let read = "curl -sf --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/";
    vec![
        step(&pull, "debian-minimal"),
        step("cat compose.yaml", "depends_on"),
        step("volt compose graph", "← app"),
        step("volt compose up -d --wait", "Started workload guestbook-web-1"),
        step("volt compose ps", "healthy"),
        step("curl -sf -d 'Ada was here' http://127.0.0.1:8080/", "Ada was here"),
        step("volt compose logs web", "POST / HTTP"),
        step("volt compose exec -T db redis-cli LLEN entries", "1"),
        step(
            "systemctl --no-pager list-dependencies volt-compose@guestbook.target",
            "volt-container@guestbook-web-1.service",
        ),
        step("volt container update --memory 128M guestbook-db-1", "guestbook-db-1"),
        step(&limits, "134217728"),
        step(&status, "active (running)"),
        step("machinectl --no-pager list", "guestbook-app-1"),
        step("volt top --once", "guestbook-app-1"),
        step("volt compose restart", "Restarted workload guestbook-web-1"),
        step(read, "Ada was here"),
        step("volt compose up -d", "There is nothing to do"),
        step("volt compose down -v", "Removed volume guestbook-data"),
        step("volt ps -a", ""),
        step("volt image delete debian-minimal", "debian-minimal"),
        step("volt system check", ""),
    ]
}

/// One container without root: debootstrap unpacks Debian beneath fakeroot, as files of one owner, and Volt takes the folder in. proot
/// knows no stacks, no limits and no read-only mounts.
pub(super) fn alone(mirror: Option<&str>) -> Vec<Step> {
    let mirror = mirror.map(str::to_owned).or_else(cache::sources::mirror);
    let mirror = mirror.map(|mirror| format!(" {mirror}")).unwrap_or_default();
    let suite = SUITES[0];
    let unpack = format!(
        "PATH=$PATH:/usr/sbin fakeroot debootstrap --foreign --variant=minbase {suite} debian{mirror}"
    );
    let serve = "volt run -d --name demo-web --network host -v ./site:/srv debian-minimal \
                 perl -MIO::Socket::INET -e '$| = 1; \
                 $s = IO::Socket::INET->new(LocalAddr => \"127.0.0.1:8080\", Listen => 5, ReuseAddr => 1) or die $!; \
                 while ($c = $s->accept) { <$c>; open $f, \"/srv/index.html\"; \
                 print \"response:200\\n\"; print $c \"HTTP/1.0 200 OK\\r\\n\\r\\n\", <$f>; close $c }'";
    vec![
        step("mkdir -p site", ""),
        step(&format!("echo '{PAGE}' > site/index.html"), ""),
        step(&unpack, ""),
        // Where proc can't be mounted, debootstrap leaves a link to the machine's.
        step("rm -rf debian/proc && mkdir debian/proc", ""),
        step("volt image import ./debian debian-minimal", "debian-minimal"),
        step("volt image list", "debian-minimal"),
        step(serve, "demo-web"),
        step("curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/", PAGE),
        step("volt ps", "demo-web"),
        step("volt logs demo-web", "response:200"),
        step("volt exec demo-web cat /etc/os-release", "Debian"),
        step("volt top --once", "demo-web"),
        step("volt stop demo-web", "demo-web"),
        step("volt ps -a", "demo-web"),
        step("volt inspect demo-web -o yaml | grep -A 3 ^exit:", "code:"),
        step("volt container delete demo-web", "demo-web"),
        step("volt image delete debian-minimal", "debian-minimal"),
        step("volt system check", ""),
    ]
}
