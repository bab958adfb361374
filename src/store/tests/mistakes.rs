//! Mistakes of a store, made on purpose: for each a test of this folder fails.

use super::*;
use crate::mutant::{Mistake, making};
use std::panic::catch_unwind;

#[test]
fn each_mistake_is_caught_by_a_test() {
    let catches: [(Mistake, fn()); 6] = [
        (Mistake::EpochNotChecked, whoever_was_replaced_cannot_write),
        (Mistake::EpochNotChecked, a_hundred_takeovers_fence_a_hundred_writers),
        (Mistake::PlaceNotChecked, the_expected_place_must_be_the_last),
        (Mistake::HashNotChained, damage_to_any_stored_field_is_found_where_it_is),
        (Mistake::LockNotHeeded, what_two_runs_write_is_locked),
        (Mistake::BarredOnce, a_run_that_was_run_again_must_be_barred_again),
    ];
    for (mistake, test) in catches {
        test();
        let caught = making(Some(mistake), || catch_unwind(test));
        assert!(caught.is_err(), "{mistake:?} is caught by nobody");
    }
}
