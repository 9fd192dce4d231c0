//! Images of others: their documents never panic, their layers become a tree.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    volt_store::fuzz::oci_bytes(data);
});
