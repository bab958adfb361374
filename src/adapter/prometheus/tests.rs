//! The HTTP API of Prometheus on the wire. The answers are those that Prometheus, Thanos and VictoriaMetrics give.

use super::*;
use crate::adapter::tests::{Say, Server, plan, supervision, wiring};
use crate::adapter::{Budgets, Supervision, World};
use crate::plan::{Span, Value};
use crate::port::{Grid, ReadWorld};
use crate::run::FaultKind;
use crate::tests::contract::servers::{find, free};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const DATE: &str = "Fri, 15 Jan 2027 08:00:00 GMT";

fn world(url: &str) -> World {
    let with = Value::from_json(&json!({"url": url}), Span::default());
    let target = Target { name: "prom".into(), kind: "prometheus".into(), with };
    let nowhere: Supervision = supervision();
    World::connect(&plan(vec![target]), Path::new(""), None, nowhere, &Budgets::default())
}

fn query(text: &str) -> Query {
    Query { text: text.into(), token: None, fresh: Duration::from_secs(120), over: None }
}

async fn ask(world: &World, query: &Query) -> Result<Answered, Fault> {
    world.queries("prom").unwrap().ask(query).await
}

/// What is made of an answer.
async fn answered(status: u16, body: &str, query: &Query) -> Result<Answered, Fault> {
    let body = body.to_owned();
    let server =
        Server::plain(move |_| Say::Answer(status, vec![("Date", DATE.into())], body.clone().into())).await;
    ask(&world(&format!("http://{}/prefix/", server.address)), query).await
}

fn data(kind: &str, result: &str) -> String {
    format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":{result}}}}}")
}

#[tokio::test]
async fn a_question_is_a_form() {
    let server = Server::plain(|_| Say::text(200, &data("vector", "[]"))).await;
    let world = world(&format!("http://{}/prefix/", server.address));
    let now = Query { token: Some("s3cr3t".into()), ..query("rate(x{a=\"b+c\"}[5m])") };
    ask(&world, &now).await.unwrap();
    let grid = Grid { from: Timestamp(60_500), to: Timestamp(120_000), step: Duration::from_secs(15) };
    let over = ask(&world, &Query { over: Some(grid), ..query("up") }).await;
    assert!(over.unwrap_err().message.contains("`vector`"), "a window is answered by windows");
    let seen = server.seen();
    assert!(seen[0].head.starts_with("post /prefix/api/v1/query http/1.1"), "{}", seen[0].head);
    assert!(seen[0].head.contains("authorization: bearer s3cr3t"), "{}", seen[0].head);
    let form = "query=rate%28x%7Ba%3D%22b%2Bc%22%7D%5B5m%5D%29&timeout=9s&lookback_delta=120s";
    assert_eq!(seen[0].body, form);
    assert!(seen[1].head.starts_with("post /prefix/api/v1/query_range http/1.1"), "{}", seen[1].head);
    assert!(!seen[1].head.contains("authorization"), "{}", seen[1].head);
    assert!(seen[1].body.ends_with("&start=60.500&end=120.000&step=15"), "{}", seen[1].body);
}

#[tokio::test]
async fn numbers_are_told_as_they_came() {
    let scalar = data("scalar", "[1800000000.781,\"0.25\"]");
    let found = answered(200, &scalar, &query("scalar(x)")).await.unwrap();
    let line = |labels: &str, points: &[(u64, f64)]| Line {
        labels: labels.into(),
        points: points.iter().map(|(at, value)| (Timestamp(*at), *value)).collect(),
    };
    assert_eq!(found.lines, [line("", &[(1_800_000_000_781, 0.25)])]);
    assert_eq!(found.clock, Some(Timestamp(1_800_000_000_000)));
    let vector = "[{\"metric\":{\"__name__\":\"up\",\"job\":\"app\"},\"value\":[1800000000,\"1\"]},\
                  {\"metric\":{},\"value\":[1800000000,\"-Inf\"]}]";
    let found = answered(200, &data("vector", vector), &query("up")).await.unwrap();
    let one = line("{__name__=\"up\",job=\"app\"}", &[(1_800_000_000_000, 1.0)]);
    assert_eq!(found.lines, [one, line("", &[(1_800_000_000_000, f64::NEG_INFINITY)])]);
    let matrix = "[{\"metric\":{},\"values\":[[1800000000,\"1\"],[1800000015,\"NaN\"]]}]";
    let grid = Grid { from: Timestamp(0), to: Timestamp(15_000), step: Duration::from_secs(15) };
    let over = Query { over: Some(grid), ..query("up") };
    let found = answered(200, &data("matrix", matrix), &over).await.unwrap();
    assert_eq!(found.lines[0].points.len(), 2);
    assert!(found.lines[0].points[1].1.is_nan());
}

#[tokio::test]
async fn what_the_server_warns_of_is_told() {
    let with = |more: &str| data("vector", "[]").replacen('{', &format!("{{{more},"), 1);
    for (more, warning) in [
        ("\"warnings\":[\"no store matched\",\"partial\"]", Some("no store matched; partial")),
        ("\"isPartial\":true", Some("only a part of the data answered")),
        ("\"warnings\":[\"PromQL info: metric might not be a counter\"]", None),
        ("\"infos\":[\"PromQL info: metric might not be a counter\"]", None),
        ("\"isPartial\":false", None),
    ] {
        let found = answered(200, &with(more), &query("up")).await.unwrap();
        assert_eq!(found.warning.as_deref(), warning, "{more}");
    }
}

#[tokio::test]
async fn what_is_no_number_says_why() {
    use FaultKind::{Blind, Permanent, Transient};
    let error = "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:5: parse error\"}";
    let histogram = "[{\"metric\":{},\"histogram\":[1800000000,{\"count\":\"1\"}]}]";
    let window = "[{\"metric\":{},\"values\":[]}]";
    for (status, body, kind, words) in [
        (400, error, Permanent, "answered 400: bad_data: 1:5: parse error"),
        (422, error, Permanent, "answered 422"),
        (503, "upstream is down", Transient, "answered 503: upstream is down"),
        (429, "", Transient, "answered 429"),
        (401, "", Blind, "`token`"),
        (302, "", Permanent, "redirects are not followed"),
        (200, "<html>sign in</html>", Permanent, "is not JSON: <html>"),
        (200, error, Permanent, "bad_data: 1:5"),
        (200, "{}", Permanent, "no `status`"),
        (200, &data("string", "[1800000000,\"x\"]"), Permanent, "to text"),
        (200, &data("matrix", window), Permanent, "rate() is missing"),
        (200, &data("vector", histogram), Permanent, "to a histogram"),
        (200, &data("scalar", "[1800000000,\"x\"]"), Permanent, "a sample that is none"),
        (200, &data("strange", "[]"), Permanent, "`strange`"),
    ] {
        let fault = answered(status, body, &query("up")).await.unwrap_err();
        assert_eq!((fault.kind, fault.landed), (kind, Landed::No), "{fault}");
        assert!(fault.message.contains(words), "`{words}` is not in: {fault}");
    }
}

#[tokio::test]
async fn no_answer_is_no_number() {
    let server = Server::plain(|_| Say::Drop).await;
    let fault = ask(&world(&format!("http://{}", server.address)), &query("up")).await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::No), "{fault}");
    let fault = ask(&world("ftp://x"), &query("up")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent, "{fault}");
}

#[tokio::test]
async fn in_a_sandbox_nobody_else_is_asked() {
    let server = Server::plain(|_| Say::text(200, &data("vector", "[]"))).await;
    let wiring = Wiring { control: format!("http://{}", server.address), ..wiring() };
    let with = Value::from_json(&json!({"url": "https://prometheus.example.com"}), Span::default());
    let target = Target { name: "prom".into(), kind: "prometheus".into(), with };
    let world =
        World::connect(&plan(vec![target]), Path::new(""), Some(wiring), supervision(), &Budgets::default());
    ask(&world, &query("up")).await.unwrap();
    assert!(server.seen()[0].head.starts_with("post /prometheus/api/v1/query "), "{:?}", server.seen());
}

/// A server that scrapes itself, until it is dropped.
struct Real(Child, #[expect(dead_code, reason = "it is removed with it")] TempDir);

impl Real {
    fn start(address: SocketAddr) -> Option<Self> {
        let program = find("prometheus", "a real Prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global: {{ scrape_interval: 1s }}\n\
             scrape_configs: [{{ job_name: itself, static_configs: [{{ targets: ['{address}'] }}] }}]\n"
        );
        std::fs::write(folder.path().join("config.yml"), config).unwrap();
        let child = Command::new(program)
            .args(["--config.file=config.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Some(Self(child.unwrap(), folder))
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until there is such an answer; a test must not hang.
async fn once(world: &World, text: &str, is: impl Fn(&Answered) -> bool) -> Answered {
    let clock = world.clock();
    for _ in 0..300 {
        match ask(world, &query(text)).await {
            Ok(answer) if is(&answer) => return answer,
            _ => clock.sleep_until(clock.now().after(Duration::from_millis(100))).await,
        }
    }
    panic!("`{text}`: it never came");
}

#[tokio::test]
async fn a_real_prometheus_is_understood() {
    let address = free();
    let Some(_real) = Real::start(address) else { return };
    let world = world(&format!("http://{address}"));
    let one = once(&world, "count(up == 1)", |answer| !answer.lines.is_empty()).await;
    let now = crate::port::Clock::now(world.clock());
    assert_eq!((one.lines.len(), one.warning.as_deref()), (1, None), "{one:?}");
    assert!(one.lines[0].points[0].1 >= 1.0);
    let far = one.clock.unwrap().since(now).max(now.since(one.clock.unwrap()));
    assert!(far < Duration::from_secs(30), "{far:?}");
    for (text, lines) in [("vector(1)", 1), ("none_such", 0), ("1", 1), ("up offset 1000d", 0)] {
        assert_eq!(ask(&world, &query(text)).await.unwrap().lines.len(), lines, "{text}");
    }
    let several = once(&world, "prometheus_http_requests_total", |answer| answer.lines.len() > 1).await;
    assert!(several.lines.iter().all(|line| line.points.len() == 1), "{several:?}");
    assert!(ask(&world, &query("vector(0)/0")).await.unwrap().lines[0].points[0].1.is_nan());
    let to = Timestamp(now.0 / 15_000 * 15_000);
    let grid = Grid { from: Timestamp(to.0 - 60_000), to, step: Duration::from_secs(15) };
    let over = ask(&world, &Query { over: Some(grid), ..query("vector(2)") }).await.unwrap();
    assert_eq!(over.lines[0].points.len(), 5);
    for (text, words) in [("sum(", "bad_data"), ("up[5m]", "rate() is missing"), ("\"text\"", "to text")] {
        let fault = ask(&world, &query(text)).await.unwrap_err();
        assert!(fault.message.contains(words), "{text}: {fault}");
    }
}
