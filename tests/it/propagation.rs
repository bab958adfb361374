//! What a run says of resolvers is what they see: some that keep an answer for as long as they may, asked a hundred times a
//! second while a name goes to the other side and comes back.
#![expect(clippy::print_stdout, reason = "what is compared is told")]

use crate::own_name_servers::{Brand, Desk};
use crate::stage::Stage;
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use serde_json::Value as Json;
use std::net::{SocketAddr, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use switchover::plan::Timestamp;
use switchover::port::WorldTime;

/// How many resolvers there are, and how often one of them is asked.
const RESOLVERS: usize = 20;
const PACE: Duration = Duration::from_millis(10);
/// What is told is told in seconds.
const SECOND: u64 = 1000;

/// What one user was told, at moments of the run's time.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// When they asked.
    asked: u64,
    /// When they were told.
    told: u64,
    /// The name leads to the old side.
    old: bool,
    /// Nobody had it in a cache.
    fresh: bool,
    /// Until when the resolver tells it.
    until: u64,
}

/// Users of a name, until they are asked what they were told.
struct Users {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Answer>>,
}

impl Users {
    fn of(name: &'static str, server: SocketAddr, time: WorldTime) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut kept, mut all) = ([None::<Answer>; RESOLVERS], Vec::new());
            for turn in (0..RESOLVERS).cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return all;
                }
                let asked = now(time);
                let answer = match kept[turn].filter(|answer| answer.until > asked) {
                    Some(answer) => Answer { asked, told: asked, fresh: false, ..answer },
                    None => ask(name, server, time),
                };
                kept[turn] = Some(answer);
                all.push(answer);
                std::thread::sleep(PACE);
            }
            unreachable!("resolvers are asked for ever")
        });
        Self { stop, thread }
    }

    fn told(self) -> Vec<Answer> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "users live in real time")]
fn now(time: WorldTime) -> u64 {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    time.at(Timestamp(u64::try_from(wall.as_millis()).unwrap())).0
}

fn ask(name: &str, server: SocketAddr, time: WorldTime) -> Answer {
    let asked = now(time);
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(Name::from_str(name).unwrap(), RecordType::A));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(&question.to_vec().unwrap(), server).unwrap();
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).unwrap();
    let answer = Message::from_vec(&buffer[..length]).unwrap();
    let told = now(time);
    // The record at the name itself: a CNAME on the old side, an address on the new one.
    let first = &answer.answers[0];
    let until = told + u64::from(first.ttl) * SECOND;
    Answer { asked, told, old: first.record_type() == RecordType::CNAME, fresh: true, until }
}

/// The facts of the newest run.
struct Facts(Vec<Json>);

impl Facts {
    fn of(text: &str) -> Self {
        Self(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    fn find(&self, step: &str, event: &str) -> &Json {
        let is = |fact: &&Json| fact["step"] == step && fact["event"] == event;
        self.0.iter().find(is).unwrap_or_else(|| panic!("no {event} of {step}: {:#?}", self.0))
    }

    fn at(&self, step: &str, event: &str) -> u64 {
        moment(&self.find(step, event)["at"])
    }
}

fn moment(text: &Json) -> u64 {
    let moment: jiff::Timestamp = text.as_str().unwrap().parse().unwrap();
    moment.as_millisecond().try_into().unwrap()
}

/// Holds what the run said against what users were told; and says both.
fn compare(place: &str, facts: &Facts, status: &str, told: &[Answer]) {
    let out = &facts.find("switch", "step.succeeded")["out"];
    let (lowered, sent) =
        (&facts.find("lower-ttl", "step.succeeded")["out"], facts.at("switch", "step.applying"));
    let (served, back) = (moment(&out["switched_at"]), facts.at("switch", "step.undoing"));
    let ends = facts.at("switch", "step.undone");
    let last = |old: bool, from: u64, to: u64, fresh: bool| {
        let of = told.iter().filter(|one| one.old == old && (!fresh || one.fresh));
        of.map(|one| if fresh { one.asked } else { one.told }).filter(|at| (from..to).contains(at)).max()
    };
    assert!(told.iter().any(|one| !one.old), "nobody ever came to the new side");

    // Of the TTL that was lowered nothing is left when the switch is sent.
    let ttl = lowered["ttl"].as_u64().unwrap() * SECOND;
    let longest = told.iter().filter(|one| one.told <= sent).map(|one| one.until.saturating_sub(sent)).max();
    println!("{place}: when it is switched, an answer is kept for {longest:?} ms more; said: {ttl}");
    assert!(longest.unwrap() <= ttl + SECOND, "{longest:?}");

    // Once it is said to be served, nobody who asks anew is told otherwise.
    let fresh = last(true, sent, back, true).unwrap_or(sent);
    println!("{place}: served everywhere {} ms after it was sent; said: {}", fresh - sent, served - sent);
    assert!(fresh <= served + SECOND, "{fresh} {served}");

    // And when the last old answer is said to have run out, it has.
    let (stale, by) = (last(true, sent, back, false).unwrap(), moment(&out["new_lookups_reach_it_by"]));
    println!("{place}: the last old answer {} ms after it was sent; said: by {}", stale - sent, by - sent);
    assert!(stale <= by + SECOND, "{stale} {by}");

    // The way back reaches everybody in the time that was promised, and nothing is taken away before.
    let promised = out["rollback_reaches_new_lookups_in"].as_u64().unwrap() * SECOND;
    let late = last(false, back, u64::MAX, false).unwrap_or(back);
    println!("{place}: the last new answer {} ms into the rollback; said: {promised}", late - back);
    assert!(late <= back + promised + SECOND, "{late} {back}");
    assert!(late <= ends + SECOND, "it was called restored while users were still sent to the other side");

    // Nobody was led to the other side outside the time for which it is said that users could be.
    let status: Json = serde_json::from_str(status).unwrap();
    let exposed = &status["exposure"][0];
    let (from, until) = (moment(&exposed["from"]), moment(&exposed["until"]));
    let led: Vec<u64> = told.iter().filter(|one| !one.old).map(|one| one.told).collect();
    let (first, last) = (led.iter().min().unwrap(), led.iter().max().unwrap());
    println!("{place}: users were led there for {} ms; said: {}", last - first, until - from);
    assert!(from <= first + SECOND && *last <= until + SECOND, "{first} {last}: {exposed}");
    assert!(exposed["seconds"].as_u64().unwrap().abs_diff((until - from) / SECOND) <= 1, "{exposed}");
    println!("proved: what resolvers see of {place} {0} of {0}", told.len());
}

const SANDBOX: &str = r#"
switchover: v1
name: there-and-back
targets:
  prod: { aws: { account: "123456789012", region: eu-west-1 } }
  zone: { route53: { zone_id: Z0123456789ABC, name: navralabs.com, aws: prod } }
steps:
  - id: lower-ttl
    uses: dns.ttl
    with: { target: zone, record: app, ttl: 60s }
  - id: switch
    uses: dns.switch
    with: { target: zone, record: app, to: { load_balancer: aep-prod, in: prod }, writes: shared }
  - id: stay
    uses: wait
    with: { for: 2m }
  - id: fails
    uses: exec
    with: { run: ["false"], reads: true }
"#;

#[test]
fn in_the_sandbox_resolvers_see_what_is_said() {
    let stage = Stage::without_users(&crate::stage::repository("plans/worlds/aep.yaml"), 60);
    let wiring = stage.world.ask("GET", "/wiring", None);
    let time: WorldTime = serde_json::from_value(wiring["time"].clone()).unwrap();
    let users = Users::of("app.navralabs.com.", wiring["resolver"].as_str().unwrap().parse().unwrap(), time);
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.yaml");
    std::fs::write(&plan, SANDBOX).unwrap();
    let said = stage.run(&["run", plan.to_str().unwrap()]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    let status = stage.run(&["status", "latest", "--output", "json"]);
    compare("the sandbox", &Facts::of(&stage.log()), &status.stdout, &users.told());
}

/// On the wall clock.
fn over(brand: Brand) {
    let Some(desk) = Desk::new(brand) else { return };
    let plan = desk.plan_with(
        "  - id: stay\n    uses: wait\n    with: { for: 4s }\n  - id: fails\n    uses: exec\n    with: { run: [\"false\"], reads: true }\n",
    );
    let users = Users::of(
        "app.example.test.",
        SocketAddr::from(([127, 0, 0, 1], desk.port)),
        WorldTime { origin: Timestamp(0), scale: 1 },
    );
    let said = desk.say(&["run", &plan, "--yes"]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    let log = desk.say(&["log", "latest", "--output", "jsonl"]);
    let status = desk.say(&["status", "latest", "--output", "json"]);
    compare(&format!("{brand:?}"), &Facts::of(&log.stdout), &status.stdout, &users.told());
}

#[test]
fn over_bind_resolvers_see_what_is_said() {
    over(Brand::Bind);
}

#[test]
fn over_knot_resolvers_see_what_is_said() {
    over(Brand::Knot);
}
