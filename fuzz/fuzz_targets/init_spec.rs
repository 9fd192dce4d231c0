//! The spec that PID 1 of a container reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    drop(volt_init::spec::parse(data));
});
