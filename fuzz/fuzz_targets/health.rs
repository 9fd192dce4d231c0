//! Health checks as people and images write them, and what web servers answer.
#![no_main]

use volt_model::health::http::{Answer, answer};
use volt_model::health::{Check, OfImage, StatusRange, Wanted};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(Ok(Some(check))) = serde_json::from_str::<Wanted>(text).map(|wanted| wanted.over(None)) {
        let written = serde_json::to_string(&check).expect("what was read can be written");
        assert_eq!(serde_json::from_str::<Check>(&written).expect("what was written"), check);
    }
    if let Ok(check) = serde_json::from_str::<OfImage>(text) {
        drop(check.check());
    }
    if let Ok(range) = text.parse::<StatusRange>() {
        assert_eq!(range.to_string().parse(), Ok(range));
    }
    // More bytes change nothing of what is known.
    let known = answer(text.as_bytes());
    if known != Answer::More {
        assert_eq!(answer(format!("{text}x").as_bytes()), known);
    }
});
