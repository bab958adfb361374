//! The parts of a plan around its steps: targets, secrets, people, policy.

use crate::plan::{
    Code, Data, Fields, Freeze, Heartbeat, Known, OnFailure, Policy, Problems, Span, Target, Template, Value,
    Window, duration, list, map, name_server, nearest, nested, one_of, target, template, text,
    value as anything,
};
use jiff::{civil, tz::TimeZone};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const NOT_YET: Code = Code("SW1021");
const POLICY: Code = Code("SW1032");

/// Asks for the fields of a target.
type Asks = fn(&mut Fields<'_>);

/// Kinds of targets, with what reads them.
pub(super) const TARGETS: &[(&str, Asks)] =
    &[("aws", aws), ("route53", route53), ("rfc2136", rfc2136), ("prometheus", prometheus)];

/// Kinds of targets that the language will have.
const TARGETS_TO_COME: &[&str] = &["kubernetes", "cloudflare", "webhook", "datadog", "grafana"];

fn aws(fields: &mut Fields<'_>) {
    if let Some(account) = fields.required(
        "account",
        text(),
        "the account's 12 digits, in quotes: it is asserted before any write",
    ) && (account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()))
    {
        let span = fields.span_of("account");
        fields.problems().error(Code("SW1006"), span, "an account number has 12 digits");
    }
    fields.required("region", text(), "such as `eu-west-1`");
    fields.optional(
        "profile",
        text(),
        "a profile of the AWS configuration; without it, the default credentials",
    );
    fields.optional(
        "endpoint",
        text(),
        "the URL of an emulator that stands for AWS; an endpoint from the environment is refused",
    );
}

fn route53(fields: &mut Fields<'_>) {
    fields.required("zone_id", text(), "the hosted zone's id: several zones may share a name");
    fields.required("name", text(), "the zone's name, such as `example.com`");
    fields.required("aws", target(&["aws"]), "the target of kind aws whose account holds the zone");
    let about = "public resolvers that are asked over HTTPS (RFC 8484) where no name server of the zone answers on port 53, \
                 and by the signal `dns.resolvers`: `https://dns.example/dns-query`";
    resolvers(fields, about);
}

/// Reports what nobody should be asked at: what is not signed by anybody proves nothing.
fn resolvers(fields: &mut Fields<'_>, about: &'static str) {
    let named = fields.optional("resolvers", list(text()), about).unwrap_or_default();
    let span = fields.span_of("resolvers");
    let sound = |url: &Url| {
        url.scheme() == "https"
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    };
    for text in named.iter().filter(|text| !Url::parse(text).is_ok_and(|url| sound(&url))) {
        let problem = fields.problems().error(Code("SW1006"), span, format!("`{text}` is no such resolver"));
        problem.help("a resolver is asked over HTTPS, at a URL such as `https://dns.example/dns-query`");
    }
}

fn rfc2136(fields: &mut Fields<'_>) {
    let about = "the zone's primary server, which takes its updates: `ns1.example.com`, `192.0.2.1:5353`";
    let server = fields.required("server", text(), about);
    servers(fields, "server", server.as_slice());
    fields.required("name", text(), "the zone's name, such as `example.com`");
    fields.required("key", nested(tsig), "the key that its server shares with us (TSIG)");
    let about = "the servers that resolvers are told to ask, where no parent delegates the zone; without it, those \
                 that the zone and its parent name";
    let stated = fields.optional("name_servers", list(text()), about).unwrap_or_default();
    servers(fields, "name_servers", &stated);
    let about = "public resolvers that are asked over HTTPS (RFC 8484) what they still keep of a name, before it is led \
                 elsewhere and by the signal `dns.resolvers`: `https://dns.example/dns-query`";
    resolvers(fields, about);
}

/// Reports what cannot be a server.
fn servers(fields: &mut Fields<'_>, field: &str, named: &[Arc<str>]) {
    let span = fields.span_of(field);
    for server in named.iter().filter(|server| name_server(server).is_none()) {
        let problem = fields.problems().error(Code("SW1006"), span, format!("`{server}` is no server"));
        problem.help("a name or an address, with `:PORT` where that is not 53");
    }
}

fn tsig(fields: &mut Fields<'_>) -> Option<()> {
    const ALGORITHMS: &[(&str, ())] = &[("hmac-sha256", ()), ("hmac-sha384", ()), ("hmac-sha512", ())];
    fields.required("name", text(), "its name, as the server knows it");
    fields.or("algorithm", one_of(ALGORITHMS), (), "of its signatures; `hmac-sha256` unless stated");
    let secret = fields.required("secret", template(), "a secret of the plan: what is shared, in base64")?;
    let source = secret.source();
    let hole = source.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
    let named = hole.and_then(|hole| hole.trim().strip_prefix("secrets."));
    if named.is_none_or(|name| !super::name::is_word(name)) {
        let span = fields.span_of("secret");
        let problem = fields.problems().error(
            Code("SW1024"),
            span,
            "the secret of a key is named here and never written: a plan is kept with each of its runs",
        );
        problem
            .help("declare it (`secrets: { tsig: { env: TSIG_SECRET } }`), and write `${{ secrets.tsig }}`");
    }
    Some(())
}

fn prometheus(fields: &mut Fields<'_>) {
    if let Some(url) = fields.required("url", text(), "its base URL")
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        let span = fields.span_of("url");
        fields.problems().error(Code("SW1006"), span, "a URL begins with `https://` or `http://`");
    }
    let token =
        fields.optional("token", template(), "a secret that goes with each question, as a bearer token");
    let secret = |token: &Template| {
        token.as_fixed().is_none()
            && token.names().all(|path| path.first().is_some_and(|root| root == "secrets"))
    };
    if token.is_some_and(|token| !secret(&token)) {
        let span = fields.span_of("token");
        fields
            .problems()
            .error(Code("SW1006"), span, "a token is a secret")
            .help("declare it in `secrets`, and write `token: \"${{ secrets.name }}\"`");
    }
}

/// Reads the targets, in two passes: one may name another.
pub(super) fn targets(
    value: Option<&Value>,
    known: &mut Known,
    problems: &mut Problems,
) -> Vec<(Arc<Target>, Span)> {
    let mut found = Vec::new();
    for (key, value) in mapping(value, "targets by name", problems) {
        named(&key.name, key.span, "target", problems);
        let [(kind, with)] = value.entries() else {
            problems
                .error(Code("SW1002"), value.span, "a target has exactly one kind")
                .help("such as `prod: { aws: { account: \"123456789012\", region: eu-west-1 } }`");
            continue;
        };
        let target = Target { name: key.name.clone(), kind: kind.name.clone(), with: with.clone() };
        let target = Arc::new(target);
        known.targets.push(target.clone());
        found.push((target, key.span, kind.span));
    }
    for (target, _, kind_span) in &found {
        if let Some((_, read)) = TARGETS.iter().find(|(name, _)| *name == &*target.kind) {
            let mut fields = Fields::new(&target.with, known, problems);
            read(&mut fields);
            fields.finish();
        } else {
            unknown_kind(&target.kind, *kind_span, problems);
        }
    }
    found.into_iter().map(|(target, span, _)| (target, span)).collect()
}

fn unknown_kind(kind: &str, span: Span, problems: &mut Problems) {
    if TARGETS_TO_COME.contains(&kind) {
        problems.error(NOT_YET, span, format!("targets of kind `{kind}` are not there yet"));
        return;
    }
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let problem = problems.error(Code("SW1020"), span, format!("there is no kind of target `{kind}`"));
    match nearest(kind, &names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("there are {}", names.join(", "))),
    };
}

/// Asks where a secret comes from.
pub(super) fn secret(fields: &mut Fields<'_>) {
    let env = fields.optional("env", text(), "the environment variable that holds it").is_some();
    let file = fields.optional("file", text(), "the file that holds it").is_some();
    let command = fields.optional("exec", list(text()), "the command that prints it").is_some();
    let later = fields.optional("aws_secretsmanager", anything(), "not there yet").is_some();
    let span = fields.span();
    if later {
        let span = fields.span_of("aws_secretsmanager");
        let problem =
            fields.problems().error(NOT_YET, span, "secrets of AWS Secrets Manager are not there yet");
        problem.help("use exec: [aws, secretsmanager, get-secret-value, …, --output, text]");
    } else if usize::from(env) + usize::from(file) + usize::from(command) != 1 && fields.reading() {
        fields
            .problems()
            .error(Code("SW1024"), span, "a secret comes from exactly one of env, file and exec")
            .help("such as `smoke_token: { env: AEP_SMOKE_TOKEN }`");
    }
}

/// Reads where the secrets come from.
pub(super) fn secrets(
    value: Option<&Value>,
    known: &Known,
    problems: &mut Problems,
) -> Vec<(Arc<str>, Value)> {
    let mut found = Vec::new();
    for (key, value) in mapping(value, "secrets by name", problems) {
        if !super::name::is_word(&key.name) {
            problems
                .error(Code("SW1017"), key.span, format!("`{}` cannot name a secret", key.name))
                .help("use a-z, 0-9 and _, and begin with a letter");
        }
        let mut fields = Fields::new(value, known, problems);
        secret(&mut fields);
        fields.finish();
        found.push((key.name.clone(), value.clone()));
    }
    found
}

/// Reads the groups of people.
pub(super) fn people(
    value: Option<&Value>,
    known: &Known,
    problems: &mut Problems,
) -> Vec<(Arc<str>, Vec<Arc<str>>)> {
    use crate::plan::Shape;
    let Some(value) = value else { return Vec::new() };
    let groups = map(list(text())).read(value, known, problems).unwrap_or_default();
    for ((key, value), (_, members)) in value.entries().iter().zip(&groups) {
        named(&key.name, key.span, "group", problems);
        if members.is_empty() {
            problems.error(Code("SW1033"), value.span, format!("nobody is in `{}`", key.name));
        }
    }
    groups
}

/// Asks for the rules of the whole run.
pub(super) fn policy(fields: &mut Fields<'_>) -> Policy {
    const ON_FAILURE: &[(&str, OnFailure)] =
        &[("rollback", OnFailure::Rollback), ("pause", OnFailure::Pause)];
    const LOCK: &[(&str, bool)] = &[("on", true), ("off", false)];
    let about = "what a failed step or a breach does, unless it says otherwise";
    let on_failure = fields.or("on_failure", one_of(ON_FAILURE), OnFailure::Rollback, about);
    let deadline = fields.optional("deadline", duration(), "from the start; reaching it pauses");
    let rto = fields.optional("rto", duration(), "until new lookups reach a healthy prior side");
    let about = "for how long a rollback that the run calls for by itself is announced before it begins; whoever says \
                 `pause` or `continue` by then says no. An abort or a trigger is not held";
    let veto = fields.optional("veto", duration(), about);
    let about = "for how long the guards are kept once all steps are done, before `finally` and the end; the deadline does \
                 not count it";
    let bake = fields.optional("bake", duration(), about);
    let about = "a sign of life of a run that is driven, so that somebody elsewhere notices when it is not";
    let heartbeat = fields.optional("heartbeat", nested(heartbeat), about);
    let window = fields.optional("window", nested(window), "when a run may start and be approved");
    let freeze = fields.or("freeze", list(nested(freeze)), Vec::new(), "days on which none may");
    let zone = window.as_ref().map_or(TimeZone::UTC, |window| window.zone.clone());
    let freeze = freeze.into_iter().map(|freeze| Freeze { zone: zone.clone(), ..freeze }).collect();
    let about = "in production each record that a run writes is locked by a TXT record `_switchover.` before its name, so \
                 that runs of other state directories see it; off where nobody may have such a name";
    let world_lock = fields.or("world_lock", one_of(LOCK), true, about);
    Policy {
        on_failure,
        deadline,
        rto,
        veto,
        bake,
        heartbeat,
        window,
        freeze,
        world_lock,
        ..Policy::default()
    }
}

fn heartbeat(fields: &mut Fields<'_>) -> Option<Heartbeat> {
    /// Who is to notice within a minute may then miss one.
    const EVERY: Duration = Duration::from_secs(30);
    let about = "where each beat is posted to, as JSON: run, plan, state, and whether it is the last; secrets may stand \
                 in it";
    let url = fields.required("url", template(), about);
    let every = fields.or("every", duration(), EVERY, "from one beat to the next, on the wall clock");
    super::lint::rhythm(every, fields);
    let url = url?;
    let span = fields.span_of("url");
    if !url.names().all(|path| path.first().is_some_and(|root| root == "secrets")) {
        fields.problems().error(Code("SW1006"), span, "only secrets may stand in the URL of a heartbeat");
        return None;
    }
    // What a secret begins is told when it is known.
    if !url.source().starts_with("${{") {
        let told = Url::parse(&url.filled_with("1")).ok();
        let sound = |url: &Url| {
            matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none()
        };
        match told.filter(sound) {
            Some(told) => super::lint::in_the_clear(&told, fields),
            None => {
                let message = "a heartbeat goes to a URL that begins with `https://` or `http://` and holds no password";
                fields.problems().error(Code("SW1006"), span, message);
            }
        }
    }
    Some(Heartbeat { url, every })
}

fn window(fields: &mut Fields<'_>) -> Option<Window> {
    use civil::Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    const DAYS: &[(&str, civil::Weekday)] = &[
        ("mon", Monday),
        ("tue", Tuesday),
        ("wed", Wednesday),
        ("thu", Thursday),
        ("fri", Friday),
        ("sat", Saturday),
        ("sun", Sunday),
    ];
    let zone = fields.required("zone", text(), "a time zone such as `Europe/Paris`");
    let all: Vec<civil::Weekday> = DAYS.iter().map(|(_, day)| *day).collect();
    let days =
        fields.or("days", list(one_of(DAYS)), all, "the days on which it opens; without it, every day");
    let from = fields.required("from", text(), "when it opens, such as \"09:00\"");
    let from = from.and_then(|text| clock(fields, "from", &text));
    let to = fields.required("to", text(), "when it closes; earlier than `from` is on the next day");
    let to = to.and_then(|text| clock(fields, "to", &text));
    let zone = zone.and_then(|name| {
        let zone = TimeZone::get(&name);
        if zone.is_err() {
            let span = fields.span_of("zone");
            let problem = fields.problems().error(POLICY, span, format!("there is no time zone `{name}`"));
            problem.help("names are those of the IANA database, such as `Europe/Paris`");
        }
        zone.ok()
    });
    let (Some(zone), Some(from), Some(to)) = (zone, from, to) else { return None };
    if from == to {
        let span = fields.span();
        fields.problems().error(POLICY, span, "the window opens and closes at the same time");
    }
    let window = Window { zone, days, from, to };
    super::lint::window_in_gap(&window, fields);
    Some(window)
}

fn clock(fields: &mut Fields<'_>, name: &str, text: &str) -> Option<civil::Time> {
    let parts = text.split_once(':').filter(|(hour, minute)| hour.len() <= 2 && minute.len() == 2);
    let time = parts
        .and_then(|(hour, minute)| civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok());
    if time.is_none() {
        let span = fields.span_of(name);
        let problem = fields.problems().error(POLICY, span, format!("`{text}` is not a time of day"));
        problem.help("write it as \"09:00\", in quotes");
    }
    time
}

fn freeze(fields: &mut Fields<'_>) -> Option<Freeze> {
    let from = fields.required("from", text(), "the first day, such as 2026-12-18");
    let from = from.and_then(|text| date(fields, "from", &text));
    let to = fields.required("to", text(), "the last day");
    let to = to.and_then(|text| date(fields, "to", &text));
    let reason = fields.required("reason", text(), "why");
    let (Some(from), Some(to), Some(reason)) = (from, to, reason) else { return None };
    if to < from {
        let span = fields.span();
        fields.problems().error(POLICY, span, "this freeze ends before it begins");
    }
    Some(Freeze { from, to, reason, zone: TimeZone::UTC })
}

fn date(fields: &mut Fields<'_>, name: &str, text: &str) -> Option<civil::Date> {
    let date = text.parse::<civil::Date>().ok();
    if date.is_none() {
        let span = fields.span_of(name);
        let problem = fields.problems().error(POLICY, span, format!("`{text}` is not a day"));
        problem.help("write it as 2026-12-18");
    }
    date
}

fn mapping<'v>(
    value: Option<&'v Value>,
    what: &str,
    problems: &mut Problems,
) -> &'v [(crate::plan::Key, Value)] {
    let Some(value) = value else { return &[] };
    if !matches!(value.data, Data::Map(_)) {
        let message = format!("expected {what}, found {}", value.describe());
        problems.error(Code("SW1002"), value.span, message);
    }
    value.entries()
}

/// Reports a name that cannot be one.
pub(super) fn named(name: &str, span: Span, what: &str, problems: &mut Problems) {
    if !super::name::is_name(name) {
        problems
            .error(Code("SW1017"), span, format!("`{name}` cannot name a {what}"))
            .help("use letters, digits, - and _, begin with a letter, and stay under 64 characters");
    }
}
