//! Image archives: whatever comes in, nothing climbs out, hangs or panics.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    volt_store::fuzz::import_bytes(dir.path(), data);
});
