//! Tree manifests: whatever is taken is the one way to write its tree.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    volt_store::fuzz::manifest_bytes(data);
});
