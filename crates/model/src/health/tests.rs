//! Tests of checks and of what follows from them.

use super::http::{Answer, answer, is_good, request};
use super::*;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn check() -> Check {
    Check { interval: Duration::from_secs(10), ..Check::by(Probe::Tcp(80)) }
}

fn begun(check: &Check) -> State {
    State::begin(check, "1 2", at(0), None)
}

#[test]
fn failures_in_a_row_make_it_unhealthy_and_one_success_healthy() {
    let check = check();
    let mut state = begun(&check);
    assert_eq!(state.due(&check), at(0));
    assert_eq!(state.take(&check, at(0), false), None);
    assert_eq!(
        (state.streak, state.due(&check)),
        (0, at(5)),
        "sooner than Compose's, and not counted"
    );
    assert_eq!(state.take(&check, at(5), true), Some(Status::Healthy));
    assert_eq!(state.due(&check), at(15));
    for (second, became) in [(15, None), (25, None), (35, Some(Status::Unhealthy)), (45, None)] {
        assert_eq!(state.take(&check, at(second), false), became);
    }
    assert_eq!((state.streak, state.since), (4, at(35)));
    assert_eq!(state.take(&check, at(55), true), Some(Status::Healthy));
    assert_eq!(state.streak, 0);
}

#[test]
fn failures_of_the_start_period_do_not_count() {
    let check = Check { start_period: Duration::from_secs(60), retries: 1, ..check() };
    let mut state = begun(&check);
    for second in [0, 5, 10, 30, 59] {
        assert_eq!(state.take(&check, at(second), false), None);
    }
    assert!(state.is_last_chance(&check, at(61)));
    assert_eq!(state.take(&check, at(61), false), Some(Status::Unhealthy));
    // After a success they count at once.
    let mut state = begun(&check);
    state.take(&check, at(1), true);
    assert_eq!(state.take(&check, at(11), false), Some(Status::Unhealthy));
}

#[test]
fn restarts_come_at_growing_distances_until_it_was_well() {
    let check = Check { on_unhealthy: OnUnhealthy::Restart, retries: 1, ..check() };
    let mut state = begun(&check);
    let mut waits = Vec::new();
    for _ in 0..8 {
        state = State::begin(&check, "3 4", at(0), Some(&state));
        assert_eq!(state.remedy(&check), None);
        state.take(&check, at(10), false);
        let (what, when) = state.remedy(&check).unwrap();
        assert_eq!(what, OnUnhealthy::Restart);
        waits.push(when.duration_since(at(10)).as_secs());
        state.restarts += 1;
    }
    assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
    state.take(&check, at(20), true);
    state.take(&check, at(500), true);
    assert_eq!(state.restarts, 8);
    state.take(&check, at(700), true);
    assert_eq!(state.restarts, 0);
}

#[test]
fn what_people_write() {
    let read = |text: &str| serde_json::from_str::<Wanted>(text).unwrap().over(None);
    let check = read(
        r#"{"http":{"port":80,"status":[200,"300-399"]},"interval":"1m30s","retries":5,"timeout":2}"#,
    );
    let check = check.unwrap().unwrap();
    assert_eq!(check.probe.to_string(), "http 80/");
    assert_eq!((check.interval, check.timeout), (Duration::from_secs(90), Duration::from_secs(2)));
    assert_eq!(read(r#"{"none":true}"#), Ok(None));
    let shell = read(r#"{"exec":"a | b"}"#).unwrap().unwrap();
    assert_eq!(shell.probe.to_string(), "exec /bin/sh -c a | b");
    for bad in [
        r#"{}"#,
        r#"{"interval":"1s"}"#,
        r#"{"tcp":80,"exec":["true"]}"#,
        r#"{"tcp":80,"none":true}"#,
        r#"{"tcp":0}"#,
        r#"{"tcp":80,"retries":0}"#,
        r#"{"tcp":80,"interval":"1ms"}"#,
        r#"{"exec":[]}"#,
        r#"{"http":{"port":80,"path":"x"}}"#,
        r#"{"http":{"port":80,"path":"/a b"}}"#,
        r#"{"http":{"port":80,"headers":{"A":"b\r\nC: d"}}}"#,
        r#"{"http":{"port":80,"headers":{"A b":"c"}}}"#,
    ] {
        assert!(read(bad).is_err(), "{bad} was taken");
    }
    for bad in [r#"{"tcp":70000}"#, r#"{"tcp":80,"x":1}"#, r#"{"http":{"port":1,"status":[99]}}"#] {
        assert!(serde_json::from_str::<Wanted>(bad).is_err(), "{bad} was taken");
    }
}

#[test]
fn what_is_written_goes_over_the_record() {
    let base = Check { retries: 7, ..check() };
    let over =
        |text: &str| serde_json::from_str::<Wanted>(text).unwrap().over(Some(&base)).unwrap();
    assert_eq!(
        over(r#"{"interval":"1s"}"#),
        Some(Check { interval: Duration::from_secs(1), ..base.clone() })
    );
    assert_eq!(over(r#"{"tcp":81}"#), Some(Check { probe: Probe::Tcp(81), ..base.clone() }));
    assert_eq!(over(r#"{"none":true}"#), None);
}

#[test]
fn checks_of_images() {
    let read = |text: &str| serde_json::from_str::<OfImage>(text).unwrap().check();
    let check =
        read(r#"{"Test":["CMD-SHELL","curl -f localhost"],"Interval":5000000000,"Retries":2}"#)
            .unwrap();
    assert_eq!(
        check.probe,
        Probe::Exec(vec!["/bin/sh".into(), "-c".into(), "curl -f localhost".into()])
    );
    assert_eq!(
        (check.interval, check.timeout, check.retries),
        (Duration::from_secs(5), Duration::from_secs(30), 2)
    );
    assert_eq!(read(r#"{"Test":["CMD","true"]}"#).unwrap().probe.to_string(), "exec true");
    for none in
        [r#"{"Test":["NONE"]}"#, r#"{"Test":[]}"#, "{}", r#"{"Test":null}"#, r#"{"Test":["CMD"]}"#]
    {
        assert_eq!(read(none), None, "{none}");
    }
}

#[test]
fn web_servers() {
    let http = |status: &[&str]| Http {
        port: 80,
        path: "/x".into(),
        status: status.iter().map(|text| text.parse().unwrap()).collect(),
        headers: BTreeMap::from([("host".to_owned(), "shop".to_owned())]),
    };
    let sent = String::from_utf8(request(&http(&[]), ([127, 0, 0, 1], 80).into())).unwrap();
    assert!(
        sent.starts_with("GET /x HTTP/1.1\r\n")
            && sent.ends_with("host: shop\r\n\r\n")
            && !sent.contains("Host:")
    );
    for (bytes, expected) in [
        (&b""[..], Answer::More),
        (b"HTT", Answer::More),
        (b"HTTP/1.1 200 OK", Answer::More),
        (b"HTTP/1.1 200 OK\r\nA: b", Answer::Code(200)),
        (b"HTTP/1.0 404\n", Answer::Code(404)),
        (b"SSH-2.0", Answer::None),
        (b"HTTP/1.1 2000 OK\r\n", Answer::None),
        (b"HTTP/1.1\r\n", Answer::None),
    ] {
        assert_eq!(answer(bytes), expected, "{bytes:?}");
    }
    for (status, code, good) in [
        (&[][..], 204, true),
        (&[], 302, true),
        (&[], 404, false),
        (&["404", "500-502"], 501, true),
        (&["404"], 200, false),
    ] {
        assert_eq!(is_good(&http(status), code), good, "{status:?} {code}");
    }
}

#[test]
fn the_past_is_bounded() {
    let mut history = History::default();
    for second in 0..300 {
        let what = if second % 2 == 0 { What::Failed } else { What::Healthy };
        history.add(Entry { at: at(second), what, said: second.to_string() });
    }
    assert_eq!((history.0.len(), history.last_words()), (100, Some("298")));
}

proptest! {
    /// Whatever comes: it is unhealthy only after as many failures as it takes since the last success, and well after each success.
    #[test]
    fn the_state_follows_from_results(results in prop::collection::vec((any::<bool>(), 1_i64..40), 1..60), retries in 1_u32..5, period in 0_u64..100) {
        let check = Check { retries, start_period: Duration::from_secs(period), ..check() };
        let mut state = begun(&check);
        let (mut second, mut failures, mut ever) = (0, 0, false);
        for (passed, pause) in results {
            second += pause;
            let before = state.status;
            let became = state.take(&check, at(second), passed);
            failures = if passed { 0 } else { failures + 1 };
            ever |= passed;
            prop_assert_eq!(became.is_some(), before != state.status);
            prop_assert_eq!(passed, state.status == Status::Healthy && state.streak == 0);
            prop_assert!(state.streak <= failures);
            if state.status == Status::Unhealthy {
                prop_assert!(failures >= retries);
                prop_assert!(ever || at(second) >= at(0) + SignedDuration::from_secs(i64::try_from(period).unwrap()));
            }
            prop_assert!(state.due(&check) > at(second));
        }
    }

    #[test]
    fn checks_are_read_as_they_are_written(interval in 100_u64..100_000, retries in 1_u32..100, port in 1_u16.., words in prop::collection::vec("[a-z]{1,9}", 1..4), kind in 0..3) {
        let probe = match kind {
            0 => Probe::Tcp(port),
            1 => Probe::Exec(words),
            _ => Probe::Http(Http { port, path: "/x".into(), status: vec!["200-204".parse().unwrap()], headers: BTreeMap::new() }),
        };
        let check = Check { interval: Duration::from_millis(interval), retries, ..Check::by(probe) };
        let text = serde_json::to_string(&check).unwrap();
        prop_assert_eq!(serde_json::from_str::<Check>(&text).unwrap(), check);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), text in ".{0,80}") {
        drop(answer(&bytes));
        drop(text.parse::<StatusRange>());
        drop(serde_json::from_str::<Wanted>(&text));
    }
}
