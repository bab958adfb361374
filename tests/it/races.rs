//! Races: two processes, each with a state directory of its own so that no lock of ours helps, switch the same record to
//! different sides. One of them wins; the other says that somebody else changed the record, and has written nothing. Of
//! every second pair both calls are held until both have come, so that they meet at the zone itself; the others run freely.
//!
//! Beside them run pairs of a tool that looks, finds the record as it should be, and upserts, as most scripts and tools do:
//! whenever both say that they have done it, the change of one is lost.
//!
//! ```text
//! SWITCHOVER_RACES=1000  cargo test --release --test it races:: -- --nocapture
//! ```

use crate::crash::at_once;
use crate::stage::{Said, Stage};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;

/// Of a sample.
const SAMPLE: usize = 24;
/// At once; each is two processes.
const AT_ONCE: usize = 6;
const TIME: u32 = 60;
const ZONE: &str = "Z0123456789ABC";
const SIDES: [&str; 2] = ["left.example.net", "right.example.net"];

const PLAN: &str = r#"
switchover: v1
name: race
params: { record: { type: string }, side: { type: string } }
targets:
  prod: { aws: { account: "123456789012", region: eu-west-1 } }
  zone: { route53: { zone_id: Z0123456789ABC, name: navralabs.com, aws: prod } }
steps:
  - id: switch
    uses: dns.switch
    with: { target: zone, record: "${{ params.record }}", from: { cname: old.example.net }, to: { cname: "${{ params.side }}" }, writes: shared }
"#;

/// So whoever has written says it.
const WRITTEN: &str = "applied; must have arrived within";

/// A world with a record for each race.
fn world(races: usize, folder: &Path) -> Stage {
    let record =
        |name: String| json!({"name": name, "type": "CNAME", "ttl": 1, "values": ["old.example.net"]});
    let records: Vec<Json> = (0..races).flat_map(|race| [record(ours(race)), record(theirs(race))]).collect();
    let world = json!({
        "world": "v1", "summary": "Two want the same record.", "time": "60x", "account": "123456789012",
        "region": "eu-west-1", "zones": {"navralabs.com": {"id": ZONE, "records": records}},
    });
    let file = folder.join("world.yaml");
    std::fs::write(&file, world.to_string()).unwrap();
    std::fs::write(folder.join("plan.yaml"), PLAN).unwrap();
    Stage::without_users(&file, TIME)
}

/// The record that two of us race for, and the one that two tools that upsert race for.
fn ours(race: usize) -> String {
    format!("ours-{race}-x")
}

fn theirs(race: usize) -> String {
    format!("theirs-{race}-x")
}

/// What the zone itself says of this record.
fn value(state: &Json, name: &str) -> String {
    let mut all =
        state["zones"]["navralabs.com"].as_array().unwrap().iter().filter_map(|one| one["record"].as_str());
    all.find(|record| record.starts_with(&format!("{name}."))).unwrap_or_default().to_owned()
}

/// How two met.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Met {
    /// Both calls were held until both had come.
    AtTheZone,
    /// They ran freely.
    Somewhere,
}

/// `mistake`: what the tool does wrongly, if it was built for it.
fn process(stage: &Stage, folder: &Path, race: usize, side: &str, mistake: Option<&str>) -> Command {
    let mut command = stage.command(&["run"]);
    command.arg(folder.join("plan.yaml")).args(["--set", &format!("record={}", ours(race))]);
    command.args(["--set", &format!("side={side}"), "--on-pause", "exit"]);
    command.env("SWITCHOVER_STATE_DIR", folder.join(format!("{race}-{side}")));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(mistake.map(|mistake| ("SWITCHOVER_MISTAKE", mistake)));
    command
}

fn race(stage: &Stage, folder: &Path, race: usize, mistake: Option<&str>) -> Result<Met, String> {
    let held = race.is_multiple_of(2).then(|| {
        let rule = json!({
            "service": "route53", "operation": "ChangeResourceRecordSets", "containing": format!("{}.", ours(race)),
            "times": 2, "kind": "hold_before",
        });
        stage.world.ask("POST", "/faults", Some(&rule))["id"].as_u64().unwrap()
    });
    let both = SIDES.map(|side| process(stage, folder, race, side, mistake).spawn().unwrap());
    if let Some(fault) = held {
        let holding = || {
            let faults = stage.world.ask("GET", "/faults", None);
            let all = faults["faults"].as_array().unwrap();
            all.iter().any(|one| one["id"] == fault && one["holding"] == 2)
        };
        stage.wait_until("both calls", holding);
        stage.world.ask("DELETE", &format!("/faults/{fault}"), None);
    }
    let said = both.map(|child| Said::from(child.wait_with_output().unwrap()));
    let codes = said.each_ref().map(|said| said.code);
    let (winner, loser) = match codes {
        [Some(0), Some(13)] => (0, 1),
        [Some(13), Some(0)] => (1, 0),
        _ => return Err(format!("not one of them won: {said:#?}")),
    };
    let told = &said[loser];
    if !said[winner].stderr.contains(WRITTEN) {
        return Err(format!("the winner does not say that it has written: {:#?}", said[winner]));
    }
    if !told.stderr.contains("somebody else") || !told.stdout.contains("R-foreign") {
        return Err(format!("the loser does not say why: {told:#?}"));
    }
    if told.stdout.contains(WRITTEN) || told.stderr.contains(WRITTEN) {
        return Err(format!("the loser has written, too: {told:#?}"));
    }
    let is = value(&stage.world.state(), &ours(race));
    if !is.contains(SIDES[winner]) {
        return Err(format!("the record is `{is}`, and {} won: {said:#?}", SIDES[winner]));
    }
    Ok(if held.is_some() { Met::AtTheZone } else { Met::Somewhere })
}

/// One request to the API as route53's.
fn ask(api: &str, method: &str, path: &str, key: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(api).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /2013-04-01/hostedzone/{ZONE}/rrset{path} HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\n\
         authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/route53/aws4_request, \
         SignedHeaders=host, Signature=00\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Two tools look, find the record as it should be, and upsert: whether both say that they have done it.
fn upsert(stage: &Stage, race: usize) -> bool {
    let wiring = stage.world.ask("GET", "/wiring", None);
    let api = wiring["aws_endpoint"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let key = wiring["access_key"].as_str().unwrap();
    let name = format!("{}.navralabs.com.", theirs(race));
    let begin = Barrier::new(2);
    let tool = |side: &str| {
        begin.wait();
        let found = ask(&api, "GET", &format!("?name={name}&type=CNAME&maxitems=1"), key, "");
        if !found.contains(&format!("<Name>{name}</Name>")) || !found.contains("old.example.net") {
            return false;
        }
        let mut batch = String::from("<ChangeResourceRecordSetsRequest><ChangeBatch><Changes><Change>");
        let _ = write!(
            batch,
            "<Action>UPSERT</Action><ResourceRecordSet><Name>{name}</Name><Type>CNAME</Type><TTL>1</TTL>\
             <ResourceRecords><ResourceRecord><Value>{side}</Value></ResourceRecord></ResourceRecords>\
             </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let done = ask(&api, "POST", "", key, &batch);
        assert!(done.starts_with("HTTP/1.1 200"), "{done}");
        true
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| tool(SIDES[1]));
        let one = tool(SIDES[0]);
        one && other.join().unwrap()
    })
}

#[test]
fn of_two_that_switch_one_wins_and_the_other_says_so() {
    #[expect(clippy::disallowed_methods, reason = "how many there are is told from outside")]
    let races = std::env::var("SWITCHOVER_RACES").map_or(SAMPLE, |races| races.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let stage = world(races, folder.path());
    let all: Vec<usize> = (0..races).collect();
    let ended = at_once(AT_ONCE, &all, |number| race(&stage, folder.path(), *number, None));
    for (number, why) in
        ended.iter().enumerate().filter_map(|(number, ended)| Some((number, ended.as_ref().err()?)))
    {
        println!("race {number}: {why}");
    }
    let count = |met| ended.iter().filter(|ended| **ended == Ok(met)).count();
    let (at_the_zone, freely) = (count(Met::AtTheZone), count(Met::Somewhere));
    println!("{at_the_zone} met at the zone, {freely} ran freely");
    println!("proved: races for one record {} of {races}", at_the_zone + freely);
    let upserted = all.iter().filter(|number| upsert(&stage, **number)).count();
    println!("two tools that upsert: {upserted} of {races} races lost a change");
    assert_eq!(at_the_zone + freely, races, "some did not end as they should");
    assert!(upserted > 0, "nothing is compared where everybody wins");
}

/// Of two that meet at the zone, and compare nothing, both have written, and one finds its change gone.
#[cfg(feature = "mistakes")]
#[test]
fn each_mistake_is_found_by_races() {
    let folder = tempfile::tempdir().unwrap();
    let stage = world(1, folder.path());
    let ended = race(&stage, folder.path(), 0, Some("Upserted"));
    let is_seen = ended.is_err_and(|why| why.starts_with("the loser has written, too"));
    println!("planted: Upserted, races: seen in {} of 1 races", u32::from(is_seen));
    assert!(is_seen, "nobody noticed that a change was lost");
    println!("proved: mistakes about races 1 of 1");
}
