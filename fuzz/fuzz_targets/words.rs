//! Everything that people write: what parses, prints and parses to the same.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

fn round<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().ok(), Some(value));
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    round::<volt_model::name::Name>(text);
    round::<volt_model::image::ImageRef>(text);
    round::<volt_model::mount::Bind>(text);
    round::<volt_model::net::policy::Who>(text);
    round::<volt_model::net::policy::Ports>(text);
    round::<volt_model::mount::Tmpfs>(text);
    round::<volt_model::limits::DeviceRate>(text);
    round::<volt_model::restart::Restart>(text);
    round::<volt_model::container::Ulimit>(text);
    round::<volt_store::TreeName>(text);
    round::<volt_store::Pointer>(text);
    round::<volt_model::secret::SecretMount>(text);
    round::<volt_model::service::Profile>(text);
    if let Ok(cron) = text.parse::<volt_model::task::cron::Cron>() {
        assert!(!cron.calendar().is_empty());
    }
    drop(volt_model::words::split(text));
    drop(volt_model::task::Schedule::Calendar(text.to_owned()).trigger());
    drop(text.parse::<volt_model::size::Bytes>());
    drop(volt_model::time::parse_span(text));
    drop(volt_model::container::parse_signal(text));
});
