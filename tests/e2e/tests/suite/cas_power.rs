//! Power cuts: all that a host's disk was sent is recorded while trees are stored, deleted and collected, by some who are killed
//! on the way too; then the power is cut at every flush. Whatever was acknowledged before a cut reads back whole after it, and
//! nothing half is built upon.

use volt_e2e::Host;

/// A disk whose writes are recorded, mounted on /mnt/cut. The record is on a file, the disk in memory.
const RECORD: &str = "
set -e
modprobe dm-log-writes
mkdir -p /mnt/cut /mnt/trial /var/tmp/cut /dev/shm/cut
truncate -s 48M /dev/shm/cut/disk; truncate -s 4G /var/tmp/cut/log
disk=$(losetup -f --show /dev/shm/cut/disk); log=$(losetup -f --show /var/tmp/cut/log)
dmsetup create volt-cut --table \"0 $(blockdev --getsz $disk) log-writes $disk $log\"
mkfs.ext4 -q -E lazy_itable_init=0,nodiscard /dev/mapper/volt-cut
mount /dev/mapper/volt-cut /mnt/cut
";

/// What is done on it. A name is marked once it was acknowledged, and before it is taken away; a mark is one word.
///
/// Every third time somebody else begins to store what is stored next, and more, and is killed: before that begins, or beside it. What
/// he has put there is in the page cache and perhaps nowhere else when the one who goes on counts on it. Now and then an
/// image is imported or pulled, a container snapshot and committed, a tree pulled; and once the manifest of a tree rots and is repaired.
/// It begins with a disk on which no store was ever.
const WORK: &str = "
set -e
mark() { dmsetup message volt-cut 0 mark \"$1\"; }
doomed() {
  rm -rf ../doomed; mkdir ../doomed; cp -a . ../doomed/tree; cp -a /etc/systemd ../doomed
  head -c 3000000 /dev/urandom > ../doomed/large; for n in $(seq 200); do echo $1 $n > ../doomed/$n; done
  volt --root /mnt/cut cas build --ref doomed ../doomed > /dev/null 2>&1 & pid=$!
  for n in $(seq 300); do
    if ls /mnt/cut/var/lib/volt/cas/tmp/lease-*-$pid-* > /dev/null 2>&1; then break; fi
  done
  { sleep $(printf 0.%03d $(($1 * 4 % 30))); kill -9 $pid || true; } 2> /dev/null & killer=$!
  if [ $(($1 % 2)) = 1 ]; then wait $killer; fi
}
tree_of() { volt --root /mnt/cut cas list -o json | tr -d ' \\n' | tr '{' '\\n' | grep \"\\\"name\\\":\\\"$1\\\"\" | grep -o 'blake3:[0-9a-f]*'; }
acked() { mark \"acked,$1,$(tree_of $1)\"; }
other() { volt --root /dev/shm/cut/other \"$@\" > /dev/null; }
imported() {
  tar -c . > ../import.tar; volt --root /mnt/cut image import -q ../import.tar im$1; acked images/im$1:latest
  echo $1 > /mnt/cut/var/lib/volt/containers/c/rootfs/written
  volt --root /mnt/cut snapshot create -q c s$1 > /dev/null; acked snapshots/c/s$1
  volt --root /mnt/cut container commit -q c com$1 > /dev/null; acked images/com$1:latest
}
pulled() {
  rm -rf ../pulled; cp -a . ../pulled; head -c 40000 /dev/urandom > ../pulled/new
  other cas build --ref t ../pulled; other cas push t 127.0.0.1:5000/trees/t:$1
  volt --root /mnt/cut cas pull --ref p$1 127.0.0.1:5000/trees/t:$1 > /dev/null; acked p$1
  echo $1 > ../pulled/more; tar -C ../pulled -c . > ../import.tar
  other image import ../import.tar im$1; other image push im$1 127.0.0.1:5000/team/im:$1
  volt --root /mnt/cut image pull -q 127.0.0.1:5000/team/im:$1; acked images/127.0.0.1:5000/team/im:$1
}
died=0
mkdir -p /dev/shm/cut/tree/deep && cd /dev/shm/cut/tree
cp /bin/ls . && ln ls same && ln -s ls link
sync -f /mnt/cut
mark begin
tar -c . > ../import.tar; volt --root /mnt/cut image import -q ../import.tar im0; acked images/im0:latest
volt --root /mnt/cut container create --name c im0 true > /dev/null
printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: /dev/shm/cut/registry}}\nhttp: {addr: 127.0.0.1:5000}\n' > ../config.yml
/tmp/docker-registry serve ../config.yml > /dev/null 2>&1 & registry=$!
for n in $(seq 100); do if curl -sf http://127.0.0.1:5000/v2/; then break; fi; sleep 0.1; done
for i in $(seq 1 31); do
  echo $i > changes; echo $i > deep/$i; head -c 30000 /dev/urandom > file$((i % 7)); rm -f deep/$((i - 9))
  if [ $((i % 3)) = 0 ]; then doomed $i; fi
  built=$(volt --root /mnt/cut cas build --ref r$i . | head -n 1)
  mark \"acked,${built% *},${built#* }\"
  if [ $((i % 3)) = 0 ]; then
    code=0; wait $pid || code=$?; wait $killer || true
    if [ $code = 137 ]; then died=$((died + 1)); fi
  fi
  case $((i % 12)) in 1) imported $i ;; 7) pulled $i ;; esac
  if [ $i = 20 ]; then
    hex=${built##*:}; manifest=/mnt/cut/var/lib/volt/cas/objects/$(printf %.2s $hex)/$hex
    mark damaged; printf rotten | dd of=$manifest bs=1 seek=30 conv=notrunc status=none; sync -f $manifest
    volt --root /mnt/cut cas verify --repair . > /dev/null
    mark repaired
  fi
  if [ $((i % 5)) = 0 ]; then
    mark dropped,r$((i - 3))
    volt --root /mnt/cut cas delete r$((i - 3))
    volt --root /mnt/cut cas gc -q
  fi
done
kill $registry
cd /; umount /mnt/cut
end=$(dmsetup status volt-cut | cut -d ' ' -f 5); dmsetup remove --retry volt-cut; losetup -D
# Its own last words come behind that.
truncate -s $((end * 512 + 1048576)) /var/tmp/cut/log
echo $died
";

/// A host that comes up after a cut is another boot, so the id of this one is hidden. All that was acknowledged is there as it
/// was, all that is stored is good, and the same tree is stored again upon what is left.
const CHECK: &str = "
cp /dev/shm/cut/replayed /dev/shm/cut/trial
unshare --mount sh -ec '
  mount --bind /var/tmp/cut/boot_id /proc/sys/kernel/random/boot_id
  mount -o loop /dev/shm/cut/trial /mnt
  volt --root /mnt cas list -o json | tr -d \" \n\" | tr \"{\" \"\n\" > /var/tmp/cut/list
  sed -n \"s/^dropped,//p\" /dev/shm/cut/replayed.marks > /var/tmp/cut/dropped
  sed -n \"s/^acked,//p\" /dev/shm/cut/replayed.marks | tr , \" \" | while read -r name tree; do
    grep -qx \"$name\" /var/tmp/cut/dropped && continue
    grep -q \"\\\"name\\\":\\\"$name\\\",.*\\\"tree\\\":\\\"$tree\\\"\" /var/tmp/cut/list || { echo \"$name is not $tree\"; exit 1; }
  done
  volt --root /mnt cas build --ref again /etc/systemd > /var/tmp/cut/said 2>&1
  # What rotted is damaged until it was repaired, and keeps nobody from storing things meanwhile.
  state=$(grep -x -e damaged -e repaired /dev/shm/cut/replayed.marks | tail -n 1)
  volt --root /mnt cas verify >> /var/tmp/cut/said 2>&1 || test \"$state\" = damaged || { cat /var/tmp/cut/said; exit 1; }
' 2>&1
";

/// On one suite: the disk is what is asked, and it takes minutes.
mod cas_loses_nothing_at_power_cuts {
    use super::*;

    #[test]
    fn t3_trixie() {
        let host = Host::shared("vm-trixie");
        host.put("/usr/bin/docker-registry", "/tmp/docker-registry");
        // In a mount namespace of its own: what others begin meanwhile would hold the disk too, and after its end.
        let said = host.run(&["unshare", "--mount", "sh", "-c", &[RECORD, WORK].concat()]).ok();
        let died: u32 = said.lines().last().unwrap_or_default().parse().unwrap();
        assert!(died >= 4, "{died} were killed");
        let log = std::env::temp_dir().join(format!("{}-cut.log", host.name()));
        host.get("/var/tmp/cut/log", log.to_str().unwrap());
        host.sh("rm -rf /var/tmp/cut /dev/shm/cut /tmp/docker-registry").ok();

        let replay = host.in_namespaces("cut");
        replay.sh("mkdir -p /var/tmp/cut && echo 01234567-89ab-4cde-8f01-23456789abcd > /var/tmp/cut/boot_id && mkdir /dev/shm/cut && truncate -s 48M /dev/shm/cut/replayed").ok();
        replay.put(log.to_str().unwrap(), "/var/tmp/cut/log");
        replay.put(env!("CARGO_BIN_EXE_powercut"), "/var/tmp/cut/powercut");
        std::fs::remove_file(log).unwrap();
        let cuts = replay
            .run(&["/var/tmp/cut/powercut", "/var/tmp/cut/log", "/dev/shm/cut/replayed", CHECK])
            .ok();
        let cuts: u32 = cuts.lines().last().unwrap_or_default().parse().unwrap();
        assert!(cuts >= 500, "{cuts} cuts");
    }
}
