//! Conditions as people write them, and the answers that they are content with.

use super::*;
use crate::plan::Constants;
use serde_json::json;
use std::sync::Arc;

const NAMES: &[&str] = &["status", "json", "body", "headers", "elapsed_ms", "captures", "steps"];

fn expr(source: &str) -> Expr {
    let params = Arc::new(json!({"version": "1.8.0", "limits": [3]}));
    Expr::compile(source, NAMES, Arc::new(Constants([("params".to_owned(), params)].into()))).unwrap()
}

fn holds(sources: &[&str]) -> Wanted {
    Wanted { holds: sources.iter().map(|source| expr(source)).collect(), ..Wanted::default() }
}

#[test]
fn what_people_write_is_granted() {
    let sources = [
        "status == 200",
        "status < 400",
        "status >= 400 && status < 500",
        "status in [204, 200]",
        "status == 200 && json.checks.database == \"ok\" && json.checks.redis == 'ok'",
        "status == 200 && body.contains(\"<title>AEP\") && !body.contains('error')",
        "body == 'pong'",
        "body.startsWith('<!doctype') && body.endsWith('</html>')",
        "status == 200 && json.checks.database == \"ok\" && body.contains(\"<title>AEP\") && size(json.findings) > 0",
        "json.ready",
        "!json.maintenance && json.lag <= 5",
        "json.version == params.version && json.limit == params.limits[0]",
        "json.version != 'old' && json.version.startsWith('1.') && json.build.matches('^[0-9]+$')",
        "int(json.count) > 3 && double(json.rate) < 0.5 && json.ratio > 0.25",
        "json.state == 'done' || json.state == 'failed'",
        "has(json.id) && json.items[0].name == 'a' && json['other key'] == true",
        "json.items.all(x, x.state == 'ok') && size(json.items) == 3",
        "json.items.exists(x, x.name == 'db' && x.up) && json.items.size() >= 2",
        "json.items.filter(x, x.up).size() > 0 && 'a' in json.tags",
        "json.ok ? status == 200 : status == 503",
        "headers['content-type'].contains('json') && json.a == 1",
        "elapsed_ms < 500",
        "json.temperature == -3 && json.nothing == null",
        "size(body) > 0 && json != null",
    ];
    for source in sources {
        let wanted = holds(&[source]);
        let found = answer(&[&wanted]).unwrap_or_else(|| panic!("nothing for {source}"));
        assert!(wanted.is_content(&found), "{source}: {found:?}");
    }
}

#[test]
fn what_cannot_be_granted_is_said() {
    for source in [
        "json.a == 1 && json.a == 2",
        "elapsed_ms > 5",
        "headers.location == '/x'",
        "steps.a.out.n == json.n",
        "status == 200 && status == 201",
    ] {
        assert_eq!(answer(&[&holds(&[source])]), None, "{source}");
    }
}

#[test]
fn one_answer_for_all_who_ask_for_it() {
    let health = holds(&["status == 200 && json.checks.database == \"ok\""]);
    let version = holds(&["json.version == params.version"]);
    let plain = Wanted { accepted: true, ..Wanted::default() };
    let found = answer(&[&plain, &health, &version]).unwrap();
    assert_eq!(found.body, r#"{"checks":{"database":"ok"},"version":"1.8.0"}"#);
    assert_eq!(answer(&[&plain]).unwrap(), Answer { status: 200, body: PLAIN.into() });
    assert_eq!(answer(&[&health, &holds(&["status == 503"])]), None);
}

#[test]
fn polling_and_captures() {
    let wanted = Wanted {
        holds: vec![
            expr("json.state == 'done'"),
            expr("size(json.findings) > 0"),
            expr("json.id == captures.id"),
        ],
        never: vec![expr("json.state == 'failed'"), expr("json.error != ''")],
        taken: vec![expr("json.links.next"), expr("json.items[1].id")],
        accepted: true,
        captures: [("id".to_owned(), json!("s-1"))].into_iter().collect(),
    };
    let found = answer(&[&wanted]).unwrap();
    assert!(found.body.contains(r#""id":"s-1""#), "{found:?}");
    assert_eq!(found.kind(), "application/json");
}
