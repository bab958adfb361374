//! The calls that a run makes where nothing goes wrong, there and back: each kind once, and who makes it.

use crate::driver::Called;
use crate::port::need::Asker;
use crate::run::Work;
use crate::sim::CallSeen;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kinds of calls, and whether they come on the way there, too.
#[derive(Default)]
pub(super) struct Calls(BTreeMap<(Asker, &'static str, Arc<str>), bool>);

impl Calls {
    /// Takes what came on the way there, or on the way back.
    pub(super) fn take<'c>(&mut self, calls: impl IntoIterator<Item = &'c (Work, CallSeen)>, back: bool) {
        for (work, call) in calls {
            let by = match work {
                Work::Guard(place) => Some(Asker::Guard(*place)),
                work => work.step().map(Asker::Step),
            };
            let Some(by) = by else { continue };
            let there = self.0.entry((by, call.service, call.operation.clone())).or_default();
            *there |= !back;
        }
    }

    pub(super) fn told(self) -> Vec<Called> {
        let told = |((by, service, operation), there): ((Asker, &'static str, Arc<str>), bool)| Called {
            by,
            service,
            operation,
            only_back: !there,
        };
        self.0.into_iter().map(told).collect()
    }
}
