//! That a host with a kernel of its own (tier 3) has what hosts in namespaces can't promise: pressure, vsock, fs-verity, and the
//! bridge filtering of a stock Debian. Each is used, not only found. Limits and out of memory are in `container_limits`.

use volt_e2e::on_vms;

on_vms! {
    fn system_kernel_tells_pressure(host) {
        host.tiny();
        let _guard = host.container("squeezed");
        // More than it may keep in memory, read again and again: it has to wait for memory.
        host.volt(&["run", "-d", "--name", "squeezed", "--memory", "24M", "--memory-swap", "0", "tiny", "sh", "-c",
            "dd if=/dev/zero of=/f bs=1M count=48 2>/dev/null; while :; do cat /f > /dev/null; done"]).ok();
        let group = "/sys/fs/cgroup/system.slice/volt-container@squeezed.service";
        host.until(std::time::Duration::from_secs(120), &format!("grep -q '^some .*total=[1-9][0-9]\\{{3\\}}' {group}/memory.pressure"));
        for kind in ["cpu", "memory", "io"] {
            let line = host.sh(&format!("grep ^some /proc/pressure/{kind} {group}/{kind}.pressure")).ok();
            assert_eq!(line.matches("avg10=").count(), 2, "{line}");
        }
    }
}

on_vms! {
    fn system_kernel_speaks_vsock(host) {
        host.sh("modprobe -a vsock vsock_loopback vhost_vsock && test -c /dev/vsock -a -c /dev/vhost-vsock").ok();
        // The kernel gives a connection two seconds, which a VM on a machine with other work may be without its processors: then once
        // more. Nor is the answer under way when the socket that it comes from goes.
        let talk = "\
import socket, sys, threading
def end():
    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); s.settimeout(120); return s
def all_of(s): return b''.join(iter(lambda: s.recv(100), b''))
def connected():
    for n in range(20):
        try: s = end(); s.connect((1, 5000)); return s
        except TimeoutError as error: print(n, error, file=sys.stderr)
l = end(); l.bind((socket.VMADDR_CID_ANY, 5000)); l.listen(20)
read = threading.Event()
def answer(c): c.sendall(b'hello ' + all_of(c)); c.shutdown(socket.SHUT_WR); read.wait()
def accept():
    while True: threading.Thread(target=answer, args=l.accept()[:1], daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
c = connected(); c.sendall(b'vsock'); c.shutdown(socket.SHUT_WR)
print(all_of(c).decode())";
        let said = host.run(&["python3", "-c", talk]);
        assert!(said.code == 0 && said.stdout == "hello vsock\n", "{said:?}\n{:?}", host.sh("lsmod | grep vsock; dmesg | tail -n 30; uptime"));
    }
}

on_vms! {
    fn cas_objects_are_sealed_with_verity(host) {
        // A disk of its own, so that it can be damaged beneath the file system.
        host.sh("truncate -s 64M /var/tmp/sealed && mkfs.ext4 -q -b 4096 -O verity /var/tmp/sealed && mkdir -p /mnt/sealed && mount -o loop /var/tmp/sealed /mnt/sealed").ok();
        host.sh("mkdir -p /var/tmp/tree && head -c 3000000 /dev/urandom > /var/tmp/tree/large && echo small > /var/tmp/tree/small && volt --root /mnt/sealed cas build /var/tmp/tree").ok();
        let objects = "find /mnt/sealed/var/lib/volt/cas/objects -type f";
        assert_eq!(host.sh(&format!("{objects} | xargs lsattr | cut -d ' ' -f 1 | grep -c V")).ok(), "3");
        let large = host.sh(&format!("{objects} -size +100k")).ok();
        // A root of hard links has the object itself for the file.
        host.sh(&format!("test \"$(stat -c '%y %a' {large})\" = \"$(stat -c '%y %a' /var/tmp/tree/large)\"")).ok();
        host.sh(&format!("! dd if=/dev/zero of={large} bs=1 count=1 conv=notrunc 2>&1 && ! truncate -s 1 {large} 2>&1")).ok();
        // A bit of it rots, when nobody has the file system any more, of another mount namespace either: the kernel gives nobody what is
        // there now.
        let inode = host.sh(&format!("stat -c %i {large}")).ok();
        host.sh("umount /mnt/sealed && for n in $(seq 300); do losetup -j /var/tmp/sealed | grep . || exit 0; sleep 0.1; done; grep sealed /proc/*/mountinfo; false").ok();
        let block: u64 = host.sh(&format!("debugfs -R 'bmap <{inode}> 100' /var/tmp/sealed")).ok().parse().unwrap();
        assert!(block > 0, "the file of {inode} has no block there");
        host.sh(&format!("printf rotten | dd of=/var/tmp/sealed bs=4096 seek={block} conv=notrunc && mount -o loop /var/tmp/sealed /mnt/sealed")).ok();
        assert!(host.sh(&format!("cat {large} > /dev/null")).stderr.contains("Input/output error"));
        let found = host.sh("volt --root /mnt/sealed cas verify");
        assert!(found.code == 1 && found.stdout.contains("tree: large"), "{found:?}");
        assert!(host.sh("volt --root /mnt/sealed cas verify --repair /var/tmp/tree").ok().contains("all good again"));
        assert_eq!(host.sh(&format!("{objects} | xargs lsattr | cut -d ' ' -f 1 | grep -c V")).ok(), "3");
        host.sh("umount /mnt/sealed && rm -r /var/tmp/sealed /var/tmp/tree").ok();
    }
}

on_vms! {
    fn cas_first_read_after_a_boot_finds_what_has_rotted(host) {
        let host = host.private("rotten");
        // Without verity nothing but the disk knows of it.
        host.sh("systemctl stop volt.socket volt.service && truncate -s 400M /var/tmp/disk && mkfs.ext4 -q -O ^verity /var/tmp/disk && \
                 mount -o loop /var/tmp/disk /var/lib/volt && \
                 systemd-tmpfiles --create volt.conf && systemctl start volt.socket").ok();
        host.tiny();
        host.volt(&["run", "--name", "one", "tiny", "true"]).ok();
        let seen = host.volt(&["cas", "ls", "images/tiny", "bin/busybox", "-o", "json"]).json();
        let digest = seen[0]["digest"].as_str().unwrap().trim_start_matches("blake3:").to_owned();
        let object = format!("/var/lib/volt/cas/objects/{}/{digest}", &digest[..2]);
        // Beneath the file system.
        host.sh(&format!("disk=$(findmnt -no SOURCE /var/lib/volt) && mkdir /var/tmp/good && cp {object} /var/tmp/good && sync && inode=$(stat -c %i {object}) && \
                          block=$(debugfs -R \"bmap <$inode> 100\" $disk 2>/dev/null) && test $block -gt 0 && \
                          printf rotten | dd of=$disk bs=$(stat -f -c %S {object}) seek=$block conv=notrunc,fsync 2>/dev/null")).ok();
        host.volt(&["container", "start", "one"]).ok();
        host.volt(&["container", "wait", "one"]).ok();
        host.reboot();
        host.sh("systemctl stop volt.socket volt.service; mount -o loop /var/tmp/disk /var/lib/volt && systemctl start volt.socket").ok();
        let error = host.volt(&["container", "start", "one"]).fails(1);
        for word in [&digest, "bin/busybox", "images/tiny", "container one"] {
            assert!(error.contains(word), "{word}: {error}");
        }
        host.sh(&format!("test -e /var/lib/volt/cas/quarantine/{digest} && ! test -e {object}")).ok();
        host.volt(&["run", "--rm", "tiny", "true"]).fails(1);
        assert!(host.volt(&["cas", "verify", "--repair", "/var/tmp/good"]).ok().contains("all good again"));
        host.volt(&["container", "start", "one"]).ok();
        assert_eq!(host.volt(&["container", "wait", "one"]).ok(), "0");
        host.sh(&format!("cmp {object} /var/tmp/good/{digest}")).ok();
    }
}

on_vms! {
    fn system_kernel_filters_bridges_as_debian_does(host) {
        host.run(&["modprobe", "br_netfilter"]).ok();
        assert_eq!(host.run(&["sysctl", "-n", "net.bridge.bridge-nf-call-iptables"]).ok(), "1");
        // Two namespaces on a bridge: what the host's own forward chain drops does not cross it.
        let line = "\
ip link add br-try type bridge && ip link set br-try up
for n in 1 2; do
    ip netns add try$n && ip link add try$n type veth peer name eth0 netns try$n && ip link set try$n master br-try up
    ip -n try$n addr add 192.0.2.$n/24 dev eth0 && ip -n try$n link set eth0 up
done
ip netns exec try1 ping -c 1 -W 10 192.0.2.2 > /dev/null && echo open
nft add table ip try && nft 'add chain ip try f { type filter hook forward priority 0; policy drop; }'
ip netns exec try1 ping -c 1 -W 2 192.0.2.2 > /dev/null || echo dropped
nft delete table ip try; ip netns delete try1; ip netns delete try2; ip link delete br-try";
        assert_eq!(host.sh(line).ok(), "open\ndropped");
    }
}
