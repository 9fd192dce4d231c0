//! What the kernel, journald and systemd print, some of which containers can influence.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    drop(volt_host::mounts::parse_mountinfo(data));
    drop(volt_host::journal::parse_entry(data));
    let text = String::from_utf8_lossy(data);
    drop(volt_host::cgroup::parse_flat(&text).collect::<Vec<_>>());
    let _used = volt_host::cgroup::parse_io(&text);
});
