//! Folders: whatever somebody makes of one, it is stored as it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    volt_store::fuzz::folder_bytes(dir.path(), data);
});
