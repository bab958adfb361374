//! Says where looks wait for their turn: nobody should take it for peace that a watch says nothing.

use crate::adapter::{Budgets, SystemClock};
use crate::port::Clock;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often it is looked for crowds, on the wall clock.
const EVERY: Duration = Duration::from_secs(10);
/// A crowd is there if it is seen twice in a row. It is told then, and again so many looks later.
const AGAIN: u32 = 6;

/// Tells of crowds for ever.
pub(super) async fn tell(budgets: Budgets, say: impl Fn(&str)) {
    let wall = SystemClock::wall();
    let mut seen = BTreeMap::new();
    loop {
        wall.sleep_until(wall.now().after(EVERY)).await;
        for text in news(&mut seen, budgets.crowds()) {
            say(&text);
        }
    }
}

/// What is worth saying of these crowds. `seen`: how often each was seen in a row before.
fn news(seen: &mut BTreeMap<String, u32>, crowds: Vec<(String, usize)>) -> Vec<String> {
    let before = std::mem::take(seen);
    let mut told = Vec::new();
    for (whose, waiting) in crowds {
        let times = before.get(&whose).map_or(0, |times| times + 1);
        if times % AGAIN == 1 {
            let looks = if waiting == 1 { "1 look waits".into() } else { format!("{waiting} looks wait") };
            told.push(format!("{looks} for a turn ({whose}); until then there is no evidence, good or bad"));
        }
        seen.insert(whose, times);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_told_when_it_stays_and_then_each_minute() {
        let mut seen = BTreeMap::new();
        let crowd = |waiting| vec![("route53 of account 1, 5 calls a second".to_owned(), waiting)];
        let mut lines =
            |waiting: usize| news(&mut seen, if waiting == 0 { Vec::new() } else { crowd(waiting) });
        assert_eq!(lines(3), Vec::<String>::new(), "they may be through at once");
        let told = "2 looks wait for a turn (route53 of account 1, 5 calls a second); until then there is no evidence, \
                    good or bad";
        assert_eq!(lines(2), [told]);
        let quiet: Vec<usize> = (0..5).map(|_| lines(2).len()).collect();
        assert_eq!((quiet, lines(1).len()), (vec![0; 5], 1));
        assert_eq!([lines(0).len(), lines(2).len(), lines(2).len()], [0, 0, 1], "it begins anew");
    }
}
