//! A draft as text. What was read stands in it as it was read; what could not be read is a param without a value.

mod guards;

use super::found::{Found, FoundImage, FoundRecord, FoundService, NewSide};
use super::lines::Lines;
use super::scalar::scalar;
use super::survey::{ACCOUNT, ZONE};
use crate::port::dns::{Name, RecordSet};

/// What resolvers may keep while users are moved, in seconds.
const SHORT: u32 = 60;
/// The longest name of a plan or a param.
const LONGEST: usize = 63;
/// The param that says where the name shall lead, where nobody knows.
const NEW_SIDE: &str = "new_side";

/// The plan, with the line that names its schema.
#[must_use]
pub fn write(found: &Found) -> String {
    let draft = Draft { found, images: found.service.as_ref().map_or_else(Vec::new, image_params) };
    let mut lines = Lines::default();
    draft.head(&mut lines);
    draft.params(&mut lines);
    draft.targets(&mut lines);
    policy(&mut lines);
    draft.guards(&mut lines);
    draft.prepare(&mut lines);
    lines.put("");
    lines.inside("steps:", |lines| draft.steps(lines));
    lines.text()
}

struct Draft<'f> {
    found: &'f Found,
    /// Each with the name of its param.
    images: Vec<(String, &'f FoundImage)>,
}

/// What is known of the new side.
enum Side<'f> {
    /// A load balancer, as text of the plan, and the name of its addresses where that is known.
    Balancer(String, Option<&'f Name>),
    /// A name, as text of the plan.
    Name(String),
}

impl Draft<'_> {
    fn record(&self) -> Option<&FoundRecord> {
        self.found.record.as_ref()
    }

    fn service(&self) -> Option<&FoundService> {
        self.found.service.as_ref()
    }

    /// The service that is deployed serves users now.
    fn deploys_live(&self) -> bool {
        match (self.service(), self.record()) {
            (Some(service), Some(record)) => service.behind.is_some() && service.behind == record.behind,
            (service, _) => service.is_some(),
        }
    }

    fn head(&self, lines: &mut Lines) {
        lines.put("# yaml-language-server: $schema=./plan.schema.json");
        lines.put("#");
        lines.say(
            "A first plan, drafted by `switchover init` from what is live. Read it from top to bottom, make it yours, then \
             `switchover validate`, `preview` and `rehearse` it. `switchover schema > plan.schema.json` gives the schema that \
             an editor goes by.",
        );
        lines.put("switchover: v1");
        let (name, summary) = match (self.record(), self.service()) {
            (Some(record), Some(service)) => (
                record.name.as_str(),
                format!(
                    "Deploy {} of {}, and lead {} to its new side.",
                    service.name, service.cluster, record.name
                ),
            ),
            (Some(record), None) => (record.name.as_str(), format!("Lead {} to its new side.", record.name)),
            (None, Some(service)) => {
                (service.name.as_str(), format!("Deploy {} of {}.", service.name, service.cluster))
            }
            (None, None) => ("draft", "Nothing yet.".into()),
        };
        lines.pair("name", &plan_name(name));
        lines.pair("summary", &summary);
        lines.put(
            "production: true # its name is typed before a run, and whoever starts it cannot approve it",
        );
    }

    fn params(&self, lines: &mut Lines) {
        let asked = self.record().filter(|record| record.to == NewSide::Unknown);
        let watched = self.is_watched();
        if self.images.is_empty() && asked.is_none() && !watched {
            return;
        }
        lines.put("");
        lines.inside("params:", |lines| {
            for (name, image) in &self.images {
                image_param(lines, name, image);
            }
            if let Some(record) = asked {
                let what = match side(record) {
                    Side::Balancer(..) => "The load balancer of the new side, by name",
                    Side::Name(_) => "The name that the addresses of the new side are under",
                };
                lines.say(
                    "To be filled in: nothing tells where the name shall lead. `--to-load-balancer` or `--to-cname` would have.",
                );
                lines.inside(&format!("{NEW_SIDE}:"), |lines| {
                    lines.put("type: string");
                    lines.pair("summary", what);
                });
            }
            if watched {
                lines.put("soak: { type: duration, default: 15m, summary: How long it is watched }");
            }
        });
    }

    fn targets(&self, lines: &mut Lines) {
        let caller = &self.found.caller;
        lines.put("");
        lines.inside("targets:", |lines| {
            lines
                .say("Whose the credentials were that read this; it is asserted before anything is written.");
            lines.inside(&format!("{ACCOUNT}:"), |lines| {
                lines.inside("aws:", |lines| {
                    lines.pair("account", &caller.account);
                    lines.pair("region", &caller.region);
                    if let Some(profile) = &caller.profile {
                        lines.pair("profile", profile);
                    }
                });
            });
            let Some(record) = self.record() else { return };
            lines.say("By its id, for several zones may have one name.");
            lines.inside(&format!("{ZONE}:"), |lines| {
                lines.inside("route53:", |lines| {
                    lines.pair("zone_id", &record.zone.id);
                    lines.pair("name", record.zone.name.as_str());
                    lines.pair("aws", ACCOUNT);
                });
            });
        });
    }

    fn prepare(&self, lines: &mut Lines) {
        let Some(record) = self.record() else { return };
        // An alias has no TTL of its own.
        let ttl = record.sets.iter().filter_map(|set| set.ttl).max();
        let Some(ttl) = ttl.filter(|ttl| *ttl > 0) else { return };
        lines.put("");
        lines.inside("prepare:", |lines| {
            let why = if ttl > SHORT {
                format!(
                    "Resolvers may keep the answer for {ttl} s now, and users come, and come back, that late. `run --prepare` \
                     does this a day ahead; `run` looks again, and first does what is missing."
                )
            } else {
                format!("Resolvers keep the answer for {ttl} s only, which is short: this sees that it still is so.")
            };
            lines.step(&why, "lower-ttl", "dns.ttl", |lines| {
                lines.pair("target", ZONE);
                lines.pair("record", &label(record));
                lines.put(&format!("ttl: {}s", ttl.min(SHORT)));
            });
        });
    }

    fn steps(&self, lines: &mut Lines) {
        let live = self.deploys_live();
        if live {
            self.approve(lines);
            lines.put("");
        }
        if let Some(service) = self.service() {
            self.deploy(lines, service);
            lines.put("");
        }
        if let Some(record) = self.record() {
            health(lines, record);
            if !live {
                self.approve(lines);
                lines.put("");
            }
            self.switch(lines, record);
            lines.put("");
        }
        self.soak(lines);
        if let Some(old) = self.record().and_then(|record| record.behind.as_ref()) {
            lines.put("");
            let why = "Measured, not guessed: the load balancer of before has almost nobody any more.";
            lines.step(why, "old-side-idle", "drain", |lines| {
                lines.pair("load_balancer", &old.name);
                lines.pair("in", ACCOUNT);
                lines.put("below: 0.005 # of its peaks");
                lines.put("periods: 5");
            });
        }
    }

    fn approve(&self, lines: &mut Lines) {
        let question = match self.record() {
            Some(record) => match side(record) {
                Side::Balancer(name, _) | Side::Name(name) => format!("Lead {} to {name}?", record.name),
            },
            None => {
                let name = self.service().map_or("it", |service| service.name.as_str());
                format!("Deploy {name}?")
            }
        };
        let why = "Before users are touched somebody says yes: anybody but who started the run. `by: { any: 1, of: [GROUP] }` \
                   says who may, and `people` above who that is.";
        lines.step(why, "go", "approve", |lines| lines.pair("message", &question));
    }

    fn deploy(&self, lines: &mut Lines, service: &FoundService) {
        let why = "The definition that runs, with these images. Its undo is the definition that ran, and not the one before it.";
        lines.step(why, "deploy", "ecs.deploy", |lines| {
            lines.pair("target", ACCOUNT);
            lines.pair("cluster", &service.cluster);
            lines.pair("service", &service.name);
            lines.inside("images:", |lines| {
                for (param, image) in &self.images {
                    lines.put(&format!("{}: ${{{{ params.{param} }}}}", scalar(&image.container)));
                }
            });
            if service.desired == 0 {
                lines.put("desired_count: 1 # it should run none now, and then nothing would be deployed");
            }
            lines.inside("healthy:", |lines| {
                if service.counted {
                    let targets = service.desired.max(1);
                    lines.put(&format!(
                        "targets: {targets} # in each target group, as many as there should be tasks now"
                    ));
                }
                lines.put("within: 15m");
            });
        });
    }

    fn switch(&self, lines: &mut Lines, record: &FoundRecord) {
        let mut why = "One batch that takes away exactly what was listed: if somebody changes it in between, nothing happens, and \
                       the run asks."
            .to_owned();
        if let (NewSide::Balancer { inferred: true, .. }, Some(service)) = (&record.to, self.service()) {
            why.extend([" `to` is where ", &service.name, " stands."]);
        }
        lines.step(&why, "switch", "dns.switch", |lines| {
            lines.pair("target", ZONE);
            lines.pair("record", &label(record));
            from(lines, &record.sets);
            lines.inside("to:", |lines| to(lines, record));
            lines.put(
                "writes: diverge # what users write on the new side is not on the old: then a way back asks first; else `shared`",
            );
        });
    }

    /// The load balancer of the side that is watched, by name.
    fn watched_balancer(&self) -> Option<String> {
        let of_service = || self.service()?.behind.as_ref().map(|balancer| balancer.name.clone());
        self.record().map_or_else(of_service, hosts)
    }

    /// Something that was read tells how the new side does. It is not so of a name that no URL can hold, and a side that
    /// nothing tells of.
    fn is_watched(&self) -> bool {
        self.service().is_some() || self.record().and_then(url).is_some() || self.watched_balancer().is_some()
    }

    fn soak(&self, lines: &mut Lines) {
        if !self.is_watched() {
            lines.say("Watch the new side here, with `uses: monitor`: nothing that was read tells by what.");
            return;
        }
        let why = "What comes after the change is watched, and silence is no pass. What your users do is a better signal than \
                   these: `switchover explain` lists the others.";
        lines.step(why, "soak", "monitor", |lines| {
            lines.put("for: ${{ params.soak }}");
            lines.put("every: 30s");
            lines.inside("signals:", |lines| {
                if let Some(url) = self.record().and_then(url) {
                    lines.bare(
                        "pages",
                        "http.probe",
                        |lines| {
                            lines.pair("url", &url);
                            lines.put("requests: 5");
                            lines.put("over: 5m");
                        },
                        |lines| {
                            lines.put("expected: 0.01");
                            lines.put("fail: certainty > 0.999");
                        },
                    );
                }
                if let Some(name) = self.watched_balancer() {
                    hosts_signal(lines, &name);
                }
                if let Some(service) = self.service() {
                    lines.bare(
                        "tasks",
                        "ecs.running",
                        |lines| {
                            lines.pair("target", ACCOUNT);
                            lines.pair("cluster", &service.cluster);
                            lines.pair("service", &service.name);
                        },
                        |lines| {
                            lines.put("fail: value < 1");
                            lines.put("breaches: 3 # whoever scales it out lets it fall for a moment");
                        },
                    );
                }
            });
        });
    }
}

/// The new side is looked at before users come.
fn health(lines: &mut Lines, record: &FoundRecord) {
    let connect_to = match side(record) {
        Side::Balancer(_, dns_name) => dns_name.map(ToString::to_string),
        Side::Name(name) => Some(name),
    };
    match (url(record), connect_to) {
        (Some(url), Some(connect_to)) => {
            lines.say(
                "The new side is asked directly, before the name leads there. An address that tells of what it stands on, \
                 such as its database, is better than its front page.",
            );
            lines.bare(
                "health",
                "http.check",
                |lines| {
                    lines.pair("url", &url);
                    lines.pair("connect_to", &connect_to);
                    lines.put("expect: status == 200");
                    lines.put("passes: 5");
                },
                |lines| lines.put("timeout: 3m"),
            );
            lines.put("");
        }
        _ => {
            let Some(name) = hosts(record) else { return };
            let why = "The targets of the new side are healthy before the name leads there.";
            lines.step(why, "health", "monitor", |lines| {
                lines.put("for: 2m");
                lines.put("every: 15s");
                lines.inside("signals:", |lines| hosts_signal(lines, &name));
            });
            lines.put("");
        }
    }
}

fn hosts_signal(lines: &mut Lines, name: &str) {
    lines.bare(
        "hosts",
        "alb.unhealthy_hosts",
        |lines| {
            lines.pair("load_balancer", name);
            lines.pair("in", ACCOUNT);
        },
        |lines| {
            lines.put("fail: value > 0");
            lines.put("breaches: 2");
        },
    );
}

fn side(record: &FoundRecord) -> Side<'_> {
    match &record.to {
        NewSide::Balancer { balancer, .. } => Side::Balancer(balancer.name.clone(), Some(&balancer.dns_name)),
        NewSide::Cname(name) => Side::Name(name.clone()),
        NewSide::Unknown => {
            let hole = format!("${{{{ params.{NEW_SIDE} }}}}");
            // A zone's own name cannot be a CNAME, and what is an alias stays one.
            let alias = record.name == record.zone.name || record.sets.iter().any(|set| set.alias.is_some());
            if alias { Side::Balancer(hole, None) } else { Side::Name(hole) }
        }
    }
}

/// The load balancer whose targets tell of the new side, as text of the plan.
fn hosts(record: &FoundRecord) -> Option<String> {
    match side(record) {
        Side::Balancer(name, _) => Some(name),
        Side::Name(_) => None,
    }
}

fn policy(lines: &mut Lines) {
    lines.put("");
    lines.inside("policy:", |lines| {
        lines.put(
            "on_failure: rollback # a step that fails, or a signal that is broken, takes all of it back",
        );
    });
}

fn image_param(lines: &mut Lines, name: &str, image: &FoundImage) {
    match &image.pinned {
        Some(_) => lines.say(
            "By default what runs now, as its definition or its tasks tell: until another digest is given, nothing else runs.",
        ),
        None => lines.say(&format!(
            "To be filled in: it runs {}, and no task tells its digest, or not all the same one. A tag may move.",
            image.image
        )),
    }
    lines.inside(&format!("{name}:"), |lines| {
        lines.put("type: string");
        lines.put("pattern: '@sha256:[0-9a-f]{64}$'");
        if let Some(pinned) = &image.pinned {
            lines.pair("default", pinned);
        }
        lines.pair("summary", &format!("The image of {}, by digest", image.container));
    });
}

/// Where it shall lead.
fn to(lines: &mut Lines, record: &FoundRecord) {
    match side(record) {
        Side::Name(name) => lines.pair("cname", &name),
        Side::Balancer(name, _) => {
            lines.pair("load_balancer", &name);
            lines.pair("in", ACCOUNT);
            if record.sets.iter().any(|set| set.kind.0 == "AAAA") {
                lines.put("types: [A, AAAA]");
            }
            let by_health = |set: &RecordSet| set.alias.as_ref().is_some_and(|alias| alias.evaluate_health);
            if record.sets.iter().any(by_health) {
                lines.put("evaluate_target_health: true # as it is now");
            }
        }
    }
}

/// What must be there, exactly as it is listed.
fn from(lines: &mut Lines, sets: &[RecordSet]) {
    let aliases: Vec<&Name> = sets.iter().filter_map(|set| Some(&set.alias.as_ref()?.name)).collect();
    let of = |kind: &str| {
        sets.iter().filter(|set| set.kind.0 == kind).flat_map(|set| &set.values).collect::<Vec<_>>()
    };
    let (cname, four, six) = (of("CNAME"), of("A"), of("AAAA"));
    match (&aliases[..], &cname[..]) {
        ([], [cname]) => lines.inside("from:", |lines| lines.pair("cname", cname)),
        ([first, ..], []) if aliases.len() == sets.len() && aliases.iter().all(|name| name == first) => {
            lines.inside("from:", |lines| lines.pair("alias", first.as_str()));
        }
        ([], []) => lines.inside("from:", |lines| {
            for (key, values) in [("a", four), ("aaaa", six)].into_iter().filter(|(_, values)| !values.is_empty()) {
                lines.inside(&format!("{key}:"), |lines| {
                    for value in values {
                        lines.put(&format!("- {}", scalar(value)));
                    }
                });
            }
        }),
        _ => lines.say("What is there is listed in more than one way, which `from` cannot state. It is recorded in any case."),
    }
}

/// The record as the plan names it: within its zone, or whole where that would be another name.
fn label(record: &FoundRecord) -> String {
    let (name, zone) = (&record.name, &record.zone.name);
    if name == zone {
        return "@".into();
    }
    let short = name.as_str().strip_suffix(zone.as_str()).and_then(|rest| rest.strip_suffix('.'));
    let short = short.filter(|short| Name::within(short, zone) == *name);
    short.unwrap_or(name.as_str()).to_owned()
}

/// An address that users ask; of a wildcard, one that it stands for. `None`: no URL can hold the name.
fn url(record: &FoundRecord) -> Option<String> {
    let scheme = if record.plain_http { "http" } else { "https" };
    let name = record.name.as_str();
    let host = name.strip_prefix("*.").map_or_else(|| name.to_owned(), |rest| format!("www.{rest}"));
    let fits = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    fits.then(|| format!("{scheme}://{host}/"))
}

/// `app.example.com` as the name of a plan.
fn plan_name(text: &str) -> String {
    let name: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    let name = if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.to_owned()
    } else {
        format!("plan-{name}")
    };
    name.chars().take(LONGEST).collect()
}

/// Each image with the name of its param, no two alike.
fn image_params(service: &FoundService) -> Vec<(String, &FoundImage)> {
    let mut named: Vec<(String, &FoundImage)> = Vec::new();
    for image in &service.images {
        let word: String = image
            .container
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .take(40)
            .collect();
        let begins = word.starts_with(|c: char| c.is_ascii_alphabetic());
        let word = if begins { format!("{word}_image") } else { format!("image_{word}") };
        let taken = |name: &String| named.iter().any(|(other, _)| other == name);
        let numbered = (2..).map(|number| format!("{word}_{number}"));
        let name =
            std::iter::once(word.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
        named.push((name, image));
    }
    named
}
