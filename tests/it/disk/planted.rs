//! Mistakes of the store that a bad disk finds.

use super::{Ended, errors, found_out, power, skipped, trouble, vanish};

/// A mistake, and who looks for it.
type Planted = (&'static str, &'static str, fn(&'static str) -> Result<Ended, String>);

const PLANTED: [Planted; 4] = [
    ("DiskErrorSwallowed", "I/O errors", errors::mistaken),
    ("VanishedUnnoticed", "vanished state", |mistake| Ok(vanish::mistaken(mistake))),
    ("VanishedUnnoticed", "vanished state of a run", |mistake| Ok(trouble::mistaken(mistake))),
    ("NeverSynced", "power loss in recovery", power::mistaken),
];

#[test]
fn each_mistake_is_found_by_a_bad_disk() {
    let mut found = 0;
    for (mistake, suite, look) in PLANTED {
        match look(mistake) {
            Ok(ended) => found_out(&format!("{mistake}, {suite}"), &ended),
            Err(why) => {
                skipped(&format!("{mistake}, {suite}"), &why);
                continue;
            }
        }
        found += 1;
    }
    println!("proved: mistakes about disks {found} of {found}");
}
