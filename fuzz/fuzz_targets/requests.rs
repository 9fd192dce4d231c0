//! Bodies of requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    drop(serde_json::from_slice::<volt_api::types::ContainerCreate>(data));
    drop(serde_json::from_slice::<volt_api::types::ContainerUpdate>(data));
    drop(serde_json::from_slice::<volt_api::Problem>(data));
});
