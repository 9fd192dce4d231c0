//! Every check runs here, whatever this host can do.

use super::*;

#[test]
fn every_check_says_something() {
    let checks = all(Path::new("/nowhere/volt"));
    for check in &checks {
        println!("{:?} {}: {} {:?}", check.state, check.id, check.detail, check.remedy);
        assert!(!check.detail.is_empty(), "{}", check.id);
        assert!(check.state != State::Ok || check.remedy.is_none(), "{}", check.id);
    }
    let mut ids: Vec<_> = checks.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), checks.len());
}
