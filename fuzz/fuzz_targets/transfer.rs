//! Trees in registries: their documents and lists never panic, and each list has one way to be written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    volt_store::fuzz::transfer_bytes(data);
});
