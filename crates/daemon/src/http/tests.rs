//! Every operation has its handler.

use volt_api::operations::OPERATIONS;

#[test]
fn every_operation_is_registered_once() {
    let mut registered = super::routes().ids();
    let mut table: Vec<_> = OPERATIONS.iter().map(|o| o.id).collect();
    registered.sort_unstable();
    table.sort_unstable();
    assert_eq!(registered, table);
}
