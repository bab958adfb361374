//! What holds over the whole run, whatever step it is at: somebody who raises a flag, and users who are served badly.

use super::super::lines::Lines;
use super::super::survey::ACCOUNT;
use super::{Draft, url};

impl Draft<'_> {
    /// Guards by what was read: an address that users ask, and the load balancer that they come through.
    pub(super) fn guards(&self, lines: &mut Lines) {
        // Users meet the new side from there on.
        let from = if self.deploys_live() { "deploy" } else { "switch" };
        lines.put("");
        lines.inside("guards:", |lines| {
            lines.say(
                "Whoever makes a file STOP beside this plan stops the run, from any terminal: it pauses, and asks. Where all can \
                 reach it is better: a parameter, or an address.",
            );
            lines.bare(
                "nobody-says-stop",
                "kill_switch",
                |lines| lines.pair("file", "STOP"),
                |lines| lines.put("on_breach: pause"),
            );
            if let Some(url) = self.record().and_then(url) {
                lines.say("Users are served, whichever side they are on: this holds until the end, also while a step is under way.");
                lines.bare(
                    "users-are-served",
                    "http.probe",
                    |lines| {
                        lines.pair("url", &url);
                        lines.put("requests: 2");
                        lines.put("over: 2m");
                    },
                    |lines| {
                        lines.put("fail: error_rate > 0.2");
                        lines.put("breaches: 2");
                        lines.put(&format!("from: {from}"));
                        lines.put("on_breach: rollback");
                    },
                );
            }
            if let Some(name) = self.watched_balancer() {
                lines.say("And so its load balancer says, which counts what real users get.");
                lines.bare(
                    "answers-are-good",
                    "alb.error_rate",
                    |lines| {
                        lines.pair("load_balancer", &name);
                        lines.pair("in", ACCOUNT);
                    },
                    |lines| {
                        lines.put("expected: 0.05");
                        lines.put("fail: certainty > 0.999");
                        lines.put("patience: 1h # where few come, few tell; then a human is asked");
                        lines.put(&format!("from: {from}"));
                        lines.put("on_breach: rollback");
                    },
                );
            }
        });
    }
}
