//! Files of stacks and of variables: nothing in them brings the reader down, and what it takes can be written and read back.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;
use volt_compose::convert::{Format, convert};
use volt_compose::{Request, graph, load};

libfuzzer_sys::fuzz_target!(|text: &str| {
    // What comes behind a line of equals signs is another file, which the first may include, extend or read variables from.
    let (first, second) = text.split_once("\n===\n").unwrap_or((text, ""));
    let read = |first: &str| {
        let files = [("compose.yaml", first), ("other.yaml", second), (".env", second)];
        let files = files.map(|(name, text)| (PathBuf::from("/s").join(name), text.to_owned()));
        let request =
            Request { folder: "/s".into(), profiles: vec!["*".to_owned()], ..Request::default() };
        load(&BTreeMap::from(files), &request)
    };
    let Ok(loaded) = read(first) else { return };
    for (_, format) in Format::ALL {
        drop(convert(&loaded.stack, format));
    }
    drop((graph::text(&loaded.stack), graph::svg(&loaded.stack)));
    let written = &convert(&loaded.stack, Format::Compose).files[0].text;
    match read(written) {
        Ok(again) => assert_eq!(again.stack, loaded.stack, "{written}"),
        Err(report) => panic!("{report}\n{written}"),
    }
});
