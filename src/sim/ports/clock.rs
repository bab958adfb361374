//! Time that passes only when whoever drives the world lets it.

use crate::plan::Timestamp;
use crate::port::Clock;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A clock that stands still until it is advanced: then it moves to the next moment that anybody waits for. Between
/// such moments a world has nobody to be seen by, so that nothing is missed.
#[derive(Debug)]
pub struct VirtualClock {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// In order of time, and of asking.
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
    asked: u64,
}

impl VirtualClock {
    /// A clock that shows this.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { state: Mutex::new(State { now, sleepers: BTreeMap::new(), asked: 0 }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next moment that anybody waits for; none: nobody waits.
    #[must_use]
    pub fn soonest(&self) -> Option<Timestamp> {
        self.state().sleepers.keys().next().map(|(moment, _)| *moment)
    }

    /// Moves to the next moment that anybody waits for, and wakes all who do. `false`: nobody waits, and nothing will
    /// ever happen. Not before everything that can go on has gone on: that is what makes a world repeatable.
    pub fn advance(&self) -> bool {
        let Some(moment) = self.soonest() else { return false };
        self.advance_to(moment);
        true
    }

    /// Moves to this moment, never back, and wakes all who waited for it or for any before, in order.
    pub fn advance_to(&self, moment: Timestamp) {
        let mut state = self.state();
        state.now = state.now.max(moment);
        let last = (state.now, u64::MAX);
        let later = state.sleepers.split_off(&last);
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// It was wrong, and is set back. The world, which has no other clock, stands still until it is caught up.
    pub fn set_back(&self, span: Duration) {
        let mut state = self.state();
        let back = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        state.now = Timestamp(state.now.0.saturating_sub(back));
    }

    /// Drives this to its end, advancing whenever it waits. `None`: it waits for what will never happen.
    pub fn drive<F: Future>(&self, future: F) -> Option<F::Output> {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut future = pin!(future);
        loop {
            if woken.0.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(out) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Some(out);
                }
            } else if !self.advance() {
                return None;
            }
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    async fn sleep_until(&self, moment: Timestamp) {
        if moment == Timestamp::NEVER {
            return std::future::pending().await;
        }
        Sleep { clock: self, moment, place: None }.await;
    }
}

/// One who waits; forgotten when nobody wants it any more.
struct Sleep<'a> {
    clock: &'a VirtualClock,
    moment: Timestamp,
    place: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if state.now >= self.moment {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or_else(|| {
            state.asked += 1;
            state.asked
        });
        state.sleepers.insert((self.moment, place), context.waker().clone());
        drop(state);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.state().sleepers.remove(&(self.moment, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_from_one_wait_to_the_next_and_no_further() {
        let clock = VirtualClock::new(Timestamp(0));
        let at = |seconds| Timestamp(0).after(Duration::from_secs(seconds));
        let seen = Mutex::new(Vec::new());
        let wait = async |seconds| {
            clock.sleep_until(at(seconds)).await;
            seen.lock().unwrap().push((seconds, clock.now()));
        };
        clock.drive(async { tokio::join!(wait(7), wait(3), wait(5), wait(3)) }).unwrap();
        assert_eq!(*seen.lock().unwrap(), [3, 3, 5, 7].map(|seconds| (seconds, at(seconds))));
    }

    #[test]
    fn time_can_be_moved_past_several_waits_and_never_back() {
        let clock = VirtualClock::new(Timestamp(0));
        let mut three = pin!(clock.sleep_until(Timestamp(3)));
        let mut nine = pin!(clock.sleep_until(Timestamp(9)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(
            three.as_mut().poll(&mut context).is_pending() && nine.as_mut().poll(&mut context).is_pending()
        );
        assert_eq!(clock.soonest(), Some(Timestamp(3)));
        clock.advance_to(Timestamp(5));
        clock.advance_to(Timestamp(2));
        assert_eq!((clock.now(), clock.soonest()), (Timestamp(5), Some(Timestamp(9))));
        assert!(
            three.as_mut().poll(&mut context).is_ready() && nine.as_mut().poll(&mut context).is_pending()
        );
    }

    #[test]
    fn who_waits_for_nothing_is_told_so_and_who_gave_up_is_forgotten() {
        let clock = VirtualClock::new(Timestamp(0));
        assert_eq!(clock.drive(clock.sleep_until(Timestamp::NEVER)), None);
        let first = clock.drive(async {
            tokio::select! {
                () = clock.sleep_until(Timestamp(5)) => 5,
                () = clock.sleep_until(Timestamp(9)) => 9,
            }
        });
        assert_eq!((first, clock.advance(), clock.now()), (Some(5), false, Timestamp(5)));
    }
}
