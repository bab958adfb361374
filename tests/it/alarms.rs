//! Prometheus and Alertmanager as they are: a metric goes wrong, an alert fires, and the run is back. `tests/run.sh`
//! installs both.

use crate::serve::{Serving, TOKEN, free_port};
use crate::stage::Said;
use crate::triggers::{Scene, timed};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(program: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}")))
    }
}

/// Serves one metric, the share of requests that fail, to whoever scrapes it.
fn exporter(failing: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let share = if failing.load(Ordering::Relaxed) { "0.2" } else { "0" };
            let body = format!("# TYPE failed_share gauge\nfailed_share {share}\n");
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn alertmanager(folder: &Path, serving: &Serving) -> (Running, u16) {
    let (port, token) = (free_port(), write(folder, "token", TOKEN));
    let config = format!(
        "route: {{ receiver: switchover, group_wait: 0s, group_interval: 1s, repeat_interval: 1h }}
receivers:
  - name: switchover
    webhook_configs:
      - url: http://{}/v1/alertmanager
        http_config: {{ authorization: {{ credentials_file: {token} }} }}
",
        serving.address
    );
    let config = write(folder, "alertmanager.yml", &config);
    let arguments = [
        format!("--config.file={config}"),
        format!("--storage.path={}", folder.join("alertmanager").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--cluster.listen-address=".into(),
    ];
    (Running::start("prometheus-alertmanager", &arguments), port)
}

fn prometheus(folder: &Path, target: u16, alertmanager: u16) -> (Running, u16) {
    let port = free_port();
    let rules = write(
        folder,
        "rules.yml",
        "groups:
  - name: switchover
    rules:
      - alert: Errors
        expr: failed_share > 0.01
        labels: { switchover_plan: triggered }
        annotations: { summary: '{{ $value }} of all requests fail' }
",
    );
    let config = format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}
rule_files: [{rules}]
scrape_configs: [{{ job_name: app, static_configs: [{{ targets: ['127.0.0.1:{target}'] }}] }}]
alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['127.0.0.1:{alertmanager}'] }}] }}] }}
"
    );
    let config = write(folder, "prometheus.yml", &config);
    let arguments = [
        format!("--config.file={config}"),
        format!("--storage.tsdb.path={}", folder.join("prometheus").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    (Running::start("prometheus", &arguments), port)
}

/// It says that it is ready.
fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = String::new();
    stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.split(' ').nth(1) == Some("200")
}

#[test]
fn an_alert_of_prometheus_rolls_a_run_back() {
    let scene = Scene::waiting();
    let folder = tempfile::tempdir().unwrap();
    let failing = Arc::new(AtomicBool::new(false));
    let serving = Serving::start(&scene.stage);
    let run = scene.begin();
    let (_alertmanager, alerts) = alertmanager(folder.path(), &serving);
    let (_prometheus, metrics) = prometheus(folder.path(), exporter(failing.clone()), alerts);
    scene.stage.wait_until("both are ready", || is_ready(alerts) && is_ready(metrics));
    // While all is well nothing comes.
    std::thread::sleep(Duration::from_secs(2));
    assert!(!scene.stage.log().contains("order."), "{}", scene.stage.log());

    failing.store(true, Ordering::Relaxed);
    let (said, took) = timed(|| -> Said { run.wait_with_output().unwrap().into() });
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert!(said.stderr.contains("alertmanager said so (Errors: 0.2 of all requests fail)"), "{said:#?}");
    assert!(!scene.is_marked());
    eprintln!("from the first bad sample to the end of the rollback: {took:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    let lines = serving.end();
    assert!(lines.iter().any(|line| line["triggers"][0]["became"] == "rolling_back"), "{lines:#?}");
}
