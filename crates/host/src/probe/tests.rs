//! Every check runs here, whatever this host can do.

use super::*;

#[test]
fn every_check_says_something() {
    let checks = all(Path::new("/nowhere/volt"));
    for check in &checks {
        println!("{:?} {}: {} {:?}", check.state, check.id, check.detail, check.remedy);
        assert!(!check.detail.is_empty(), "{}", check.id);
        // What is missing has a remedy, or it is said that there is none; never both.
        let told =
            usize::from(check.remedy.is_some()) + usize::from(check.detail.contains(NO_COMMAND));
        assert_eq!(told, usize::from(check.state != State::Ok), "{}", check.id);
    }
    let mut ids: Vec<_> = checks.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), checks.len());
}
