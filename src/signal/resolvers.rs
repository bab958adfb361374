//! `dns.resolvers`: public resolvers that still lead users to the old side when they may not any more.
//!
//! Whoever was told the old answer may keep it for its TTL, so that some lead there for a while is expected, and told. One is
//! counted that keeps it beyond the moment at which the last that was given in time runs out; that leads to neither side; or
//! that keeps the new answer for longer than its TTL, and would do so on the way back. It is judged by what is left of each
//! answer, so that who does not hold to it is known at once, and not only when its time is over. A resolver that does not
//! answer is no sample.

use super::{Measured, Memory, Signal};
use crate::plan::{Code, Fields, Target, Timestamp, format_duration, reference, target};
use crate::port::dns::{AskResolver, Name, RecordSet, RecordType, Served};
use crate::port::expected::{ALIAS_TTL, Expected, Source, differs_from_all, expect};
use crate::port::stated::{LEADING, leading};
use crate::port::switched::Switched;
use crate::port::{ReadDns, Reads, together};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// The resolvers of a zone's target, and the step that has led a name of the zone elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Resolvers {
    target: Arc<Target>,
    after: Arc<str>,
}

/// TTLs, and the moment that a step tells, are whole seconds; clocks differ a little.
const SKEW: Duration = Duration::from_secs(2);

/// What one resolver makes of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Keeps {
    /// What is listed.
    Right,
    /// Nothing that means anything: addresses of an alias change.
    Unclear,
    /// What was there before, as it may for so long.
    Before(Duration),
    /// What it should not, and why.
    Wrong(String),
}

/// What should be answered for one type.
struct Asked {
    kind: RecordType,
    listed: Vec<Expected>,
    before: Vec<Expected>,
    /// The name led nowhere before.
    led_nowhere: bool,
    /// The TTL of what is listed, where it is known.
    ttl: Option<Duration>,
}

#[async_trait::async_trait]
impl Signal for Resolvers {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let about = "the zone; its `resolvers` are asked";
        let target = fields.required("target", target(&["route53", "rfc2136"]), about);
        let about = "the step of kind `dns.switch` that leads the name elsewhere";
        let after = fields.required("after", reference(), about);
        if let Some(step) = &after {
            let span = fields.span_of("after");
            fields.known().goes_by_switch(step, span);
        }
        let target = target?;
        if target.lists("resolvers").next().is_none() {
            let span = fields.span_of("target");
            let message = format!("target `{}` names no resolver that could be asked", target.name);
            fields
                .problems()
                .error(Code("SW2003"), span, message)
                .help("name some in the target: `resolvers: [https://dns.example/dns-query]`");
        }
        Some(Self { target, after: after? })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn costs() -> &'static str {
        "Every 30s, and of this moment: ListResourceRecordSets, the addresses of aliases, and three questions to each \
         resolver over HTTPS, all at once. A resolver that answers them is a sample, and one is enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "before", "samples"]
    }

    async fn measure(&self, reads: &Reads<'_>, _: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let switched = match Switched::of(reads.scope, &self.after) {
            Ok(Some(switched)) => switched,
            Ok(None) => return Ok(Measured::too_early(&format!("`{}` is not done yet", self.after))),
            Err(why) => return Ok(Measured::nothing(&why)),
        };
        let (dns, name) = (reads.world.dns(&self.target.name)?, Name::new(&switched.record));
        let zone = Name::new(&self.target.says("name").unwrap_or_default());
        if !name.is_within(&zone) {
            let text = format!("`{}` has led {name} elsewhere, which is not in {zone}", self.after);
            return Ok(Measured::nothing(&text));
        }
        let (listed, before) = (leading(&dns.record_sets(&name).await?), leading(&switched.before));
        if switched.changed && listed == before {
            return Ok(Measured::nothing(&format!("{name} leads where it led before")));
        }
        let asked = self.asked(&*dns, &listed, &before).await?;
        let now = reads.world.clock().now();
        let left = switched.until().since(now) + SKEW;
        let resolvers = dns.resolvers();
        let said = together(resolvers.iter().map(|resolver| keeps(&**resolver, &name, &asked, left))).await;
        let urls = resolvers.iter().map(|resolver| resolver.url());
        Ok(measured(urls.zip(said)))
    }
}

impl Resolvers {
    async fn asked(
        &self,
        dns: &dyn ReadDns,
        listed: &[RecordSet],
        before: &[RecordSet],
    ) -> Result<Vec<Asked>, Fault> {
        let zone = self.target.says("zone_id").unwrap_or_default();
        let ttl = |set: &RecordSet| match (&set.alias, set.ttl) {
            // In the zone itself it has the TTL of whatever it leads to.
            (Some(alias), _) => (alias.zone_id != zone).then_some(ALIAS_TTL),
            (None, seconds) => Some(Duration::from_secs(seconds?.into())),
        };
        let mut all = Vec::new();
        for kind in LEADING.map(|kind| RecordType(kind.into())) {
            all.push(Asked {
                listed: expect(dns, &kind, listed, before).await?,
                // What nobody can find any more is no answer of before.
                before: expect(dns, &kind, before, &[]).await.unwrap_or_default(),
                led_nowhere: before.is_empty(),
                ttl: listed.iter().filter(|set| set.kind == kind).filter_map(ttl).max(),
                kind,
            });
        }
        Ok(all)
    }
}

/// What is worst of the answers to these; an answer of before may be kept for so long.
async fn keeps(
    resolver: &dyn AskResolver,
    name: &Name,
    asked: &[Asked],
    left: Duration,
) -> Result<Keeps, Fault> {
    let answers = together(asked.iter().map(|asked| resolver.ask(name, &asked.kind))).await;
    let mut worst = Keeps::Right;
    for (asked, answer) in asked.iter().zip(answers) {
        worst = worst.max(asked.judge(&answer?, left));
    }
    Ok(worst)
}

impl Asked {
    fn judge(&self, served: &Served, left: Duration) -> Keeps {
        let kind = &self.kind.0;
        let of_before =
            !self.before.is_empty() && differs_from_all(served, &self.before, Source::Before).is_none();
        let Some(why) = differs_from_all(served, &self.listed, Source::Before) else {
            // What both sides have may be of before.
            let most = self.ttl.map(|ttl| if of_before { ttl.max(left) } else { ttl });
            return match most {
                Some(most) if !served.values.is_empty() && served.ttl > most + SKEW => Keeps::Wrong(format!(
                    "keeps the new answer for {}, and its TTL is {} ({kind})",
                    format_duration(served.ttl),
                    format_duration(most)
                )),
                _ => Keeps::Right,
            };
        };
        if of_before {
            // That there is nothing of a type leads nobody to the old side, and is kept for as long as the zone's SOA says.
            if served.values.is_empty() && !self.led_nowhere {
                return Keeps::Right;
            }
            let runs_out = served.ttl.max(served.negative_ttl.unwrap_or_default());
            if runs_out <= left {
                return Keeps::Before(runs_out);
            }
            return Keeps::Wrong(format!("{why} as before for {} more ({kind})", format_duration(runs_out)));
        }
        if self.listed.iter().any(|one| matches!(one, Expected::SomeOf(..))) {
            return Keeps::Unclear;
        }
        Keeps::Wrong(format!("{why} ({kind}), which is neither side"))
    }
}

fn measured<'a>(all: impl Iterator<Item = (&'a str, Result<Keeps, Fault>)>) -> Measured {
    let (mut right, mut before, mut samples, mut longest) = (0, 0, 0, Duration::ZERO);
    let (mut wrong, mut silent) = (Vec::new(), Vec::new());
    for (url, keeps) in all {
        match keeps {
            Ok(Keeps::Right) => right += 1,
            Ok(Keeps::Unclear) => continue,
            Ok(Keeps::Before(left)) => {
                before += 1;
                longest = longest.max(left);
            }
            Ok(Keeps::Wrong(why)) => wrong.push(format!("{url} {why}")),
            Err(fault) => {
                silent.push(fault.message);
                continue;
            }
        }
        samples += 1;
    }
    if samples == 0 {
        let why = if silent.is_empty() {
            "none of them tells which side it leads to".to_owned()
        } else {
            silent.join("; ")
        };
        return Measured::nothing(&why);
    }
    let mut told = vec![format!("{right} of {samples} resolvers lead to the new side")];
    if before > 0 {
        told.push(format!("{before} to the old one, as they may for {} more", format_duration(longest)));
    }
    told.extend(wrong.iter().cloned());
    told.extend(silent.iter().map(ToString::to_string));
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    Measured {
        value: Some(number(wrong.len())),
        named: [("before", number(before)), ("samples", number(samples))].into(),
        samples: samples as u64,
        text: told.join("; "),
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::stated::values;
    use std::collections::BTreeMap;

    const LEFT: Duration = Duration::from_secs(40);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn served(values: &[&str], ttl: u64) -> Served {
        let values = values.iter().map(ToString::to_string).collect();
        Served { authoritative: false, values, ttl: seconds(ttl), negative_ttl: None }
    }

    fn exactly(kind: &str, value: &str) -> Vec<Expected> {
        let set = RecordSet {
            name: Name::new("app.example.com"),
            kind: RecordType(kind.into()),
            ttl: Some(60),
            values: vec![value.into()],
            alias: None,
            extra: BTreeMap::new(),
        };
        vec![Expected::Exactly(values(&set), Some(seconds(60)))]
    }

    fn address(listed: Vec<Expected>) -> Asked {
        Asked {
            kind: RecordType("A".into()),
            listed,
            before: exactly("A", "192.0.2.1"),
            led_nowhere: false,
            ttl: Some(seconds(60)),
        }
    }

    #[test]
    fn an_answer_of_before_is_judged_by_what_is_left_of_it() {
        let asked = address(exactly("A", "192.0.2.2"));
        assert_eq!(asked.judge(&served(&["192.0.2.2"], 60), LEFT), Keeps::Right);
        assert_eq!(asked.judge(&served(&["192.0.2.1"], 40), LEFT), Keeps::Before(seconds(40)));
        for (answer, words) in [
            (served(&["192.0.2.1"], 41), "serves 192.0.2.1 as before for 41s more (A)"),
            (served(&["192.0.2.2"], 300), "keeps the new answer for 5m, and its TTL is 1m (A)"),
            (served(&["192.0.2.3"], 1), "serves 192.0.2.3 (A), which is neither side"),
            (served(&[], 0), "serves nothing (A), which is neither side"),
        ] {
            assert_eq!(asked.judge(&answer, LEFT), Keeps::Wrong(words.into()));
        }
    }

    #[test]
    fn that_there_was_nothing_of_a_type_leads_nobody_to_the_old_side() {
        let nothing = Served { negative_ttl: Some(seconds(900)), ..served(&[], 0) };
        let mut asked =
            Asked { before: vec![Expected::Exactly(Vec::new(), None)], ..address(exactly("A", "192.0.2.2")) };
        assert_eq!(asked.judge(&nothing, LEFT), Keeps::Right);
        // But where the name led nowhere, that is what was there.
        asked.led_nowhere = true;
        assert!(matches!(asked.judge(&nothing, LEFT), Keeps::Wrong(_)));
        assert_eq!(asked.judge(&nothing, seconds(900)), Keeps::Before(seconds(900)));
    }

    #[test]
    fn what_both_sides_have_may_be_of_before() {
        let asked = Asked { before: exactly("A", "192.0.2.2"), ..address(exactly("A", "192.0.2.2")) };
        assert_eq!(asked.judge(&served(&["192.0.2.2"], 250), seconds(250)), Keeps::Right);
        assert!(matches!(asked.judge(&served(&["192.0.2.2"], 250), LEFT), Keeps::Wrong(_)));
    }

    /// A load balancer that grows has other addresses, and a resolver keeps those of a minute ago.
    #[test]
    fn addresses_of_an_alias_that_nobody_knows_are_no_evidence() {
        let [new, old] = ["192.0.2.2", "192.0.2.1"].map(|one| [one.parse().unwrap()].into());
        let asked = address(vec![Expected::SomeOf(new, old)]);
        assert_eq!(asked.judge(&served(&["192.0.2.9"], 60), LEFT), Keeps::Unclear);
        assert_eq!(asked.judge(&served(&["192.0.2.1"], 40), LEFT), Keeps::Before(seconds(40)));
        assert!(matches!(asked.judge(&served(&["192.0.2.1"], 60), LEFT), Keeps::Wrong(_)));
    }

    #[test]
    fn who_does_not_answer_is_no_sample() {
        let silent = || Err(Fault::blind("no answer from resolver https://a"));
        let some = measured([("https://a", silent()), ("https://b", Ok(Keeps::Before(LEFT)))].into_iter());
        assert_eq!((some.value, some.named["before"], some.samples), (Some(0.0), 1.0, 1));
        let words = "0 of 1 resolvers lead to the new side; 1 to the old one, as they may for 40s more; no answer from";
        assert!(some.text.starts_with(words), "{}", some.text);
        let wrong = measured(
            [("https://a", Ok(Keeps::Wrong("lies".into()))), ("https://b", Ok(Keeps::Right))].into_iter(),
        );
        assert_eq!((wrong.value, wrong.samples), (Some(1.0), 2));
        assert!(wrong.text.ends_with("; https://a lies"), "{}", wrong.text);
        for nobody in [silent(), Ok(Keeps::Unclear)] {
            assert_eq!(measured([("https://a", nobody)].into_iter()).value, None);
        }
        assert_eq!(measured(std::iter::empty()).value, None);
    }
}
