//! When it beats, what it sends, and what is said of it, by a clock that is set.

use super::*;
use crate::driver::tests::stage::chain;
use crate::port::Response;
use crate::run::{Fault, PauseCause};
use serde_json::Value as Json;
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::sync::watch;

/// Time that passes when it is told to.
struct Dial(watch::Sender<Timestamp>);

impl Dial {
    fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Timestamp(1_000_000))))
    }

    fn pass(&self, span: Duration) {
        self.0.send_modify(|now| *now = now.after(span));
    }
}

#[async_trait::async_trait]
impl Clock for Dial {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }
    async fn sleep_until(&self, moment: Timestamp) {
        drop(self.0.subscribe().wait_for(|now| *now >= moment).await);
    }
}

/// What becomes of a beat.
#[derive(Clone)]
enum Comes {
    Status(u16),
    Lost(&'static str),
    Nothing,
}

/// Whoever listens.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<Request>>,
    /// The answers that come next; 204 once they are used up.
    next: Mutex<VecDeque<Comes>>,
}

#[async_trait::async_trait]
impl WriteHttp for Ear {
    async fn send(&self, request: Request) -> Result<Response, Fault> {
        self.heard.lock().unwrap().push(request);
        let comes = self.next.lock().unwrap().pop_front().unwrap_or(Comes::Status(204));
        match comes {
            Comes::Status(status) => {
                let (headers, body) = (Vec::new(), Vec::new());
                Ok(Response { status, headers, body, elapsed: Duration::ZERO, address: None })
            }
            Comes::Lost(why) => Err(Fault::transient(why)),
            Comes::Nothing => std::future::pending().await,
        }
    }
}

impl Ear {
    fn times(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    fn body(&self, place: usize) -> Json {
        let request = &self.heard.lock().unwrap()[place];
        serde_json::from_slice(request.body.as_ref().unwrap()).unwrap()
    }
}

const EVERY: Duration = Duration::from_secs(30);
const URL: &str = "https://tok123.hc.test/s3cr3t/";

fn template(text: &str) -> Template {
    Template::parse(text, &Arc::default()).unwrap()
}

/// A heartbeat, its clock, whoever listens, and what was said.
struct Stage {
    heartbeat: Heartbeat,
    wall: Arc<Dial>,
    ear: Arc<Ear>,
    run: Run,
    said: Vec<String>,
}

impl Stage {
    fn new(next: &[Comes]) -> Self {
        let ear = Arc::new(Ear { next: Mutex::new(next.iter().cloned().collect()), ..Ear::default() });
        let wall = Dial::new();
        let listener = Listener {
            http: ear.clone(),
            wall: wall.clone(),
            url: URL.into(),
            every: EVERY,
            run: "01RUN".into(),
            plan: "cells".into(),
            redactor: Redactor::new(hidden(&template("${{ secrets.hook }}"), URL)),
        };
        let run = Run::new(Arc::new(chain(&["a"])));
        Self { heartbeat: Heartbeat::new(Some(listener)), wall, ear, run, said: Vec::new() }
    }

    /// The loop goes round, at this moment, until nothing is left to do.
    async fn turn(&mut self) {
        self.heartbeat.beat(&self.run);
        for _ in 0..20 {
            tokio::select! {
                biased;
                told = self.heartbeat.next(&*self.wall) => self.said.extend(told),
                () = tokio::task::yield_now() => {}
            }
        }
    }

    async fn after(&mut self, span: Duration) {
        self.wall.pass(span);
        self.turn().await;
    }

    /// Each second for so long.
    async fn each_second(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.after(Duration::from_secs(1)).await;
        }
    }

    async fn end(self) -> (Arc<Ear>, Vec<String>) {
        let Self { heartbeat, ear, run, mut said, .. } = self;
        said.extend(heartbeat.end(&run).await);
        (ear, said)
    }
}

#[tokio::test]
async fn it_beats_at_once_and_then_in_its_rhythm() {
    let mut stage = Stage::new(&[]);
    stage.turn().await;
    assert_eq!(stage.ear.times(), 1);
    stage.each_second(29).await;
    assert_eq!(stage.ear.times(), 1);
    stage.each_second(1).await;
    assert_eq!(stage.ear.times(), 2);
    stage.each_second(300).await;
    assert_eq!((stage.ear.times(), stage.said.len()), (12, 0));
    let request = stage.ear.heard.lock().unwrap()[0].clone();
    assert_eq!((&*request.method, &*request.url, request.timeout), ("POST", URL, LIMIT));
    assert_eq!(request.headers, [("content-type".to_owned(), "application/json".to_owned())]);
}

#[tokio::test]
async fn who_was_away_beats_once_and_not_for_all_that_was_missed() {
    let mut stage = Stage::new(&[]);
    stage.turn().await;
    stage.after(EVERY * 100).await;
    assert_eq!(stage.ear.times(), 2);
    stage.each_second(29).await;
    assert_eq!(stage.ear.times(), 2);
}

#[tokio::test]
async fn one_that_hangs_is_given_up_and_nothing_piles_up() {
    let mut stage = Stage::new(&[Comes::Nothing, Comes::Nothing, Comes::Nothing]);
    stage.turn().await;
    stage.each_second(9).await;
    assert_eq!((stage.said.len(), stage.heartbeat.under_way.len()), (0, 1));
    stage.each_second(1).await;
    assert_eq!(stage.heartbeat.under_way.len(), 0);
    assert_eq!(
        stage.said,
        ["the heartbeat does not get through: no answer within 10s; the run goes on, and this is said once"]
    );
    stage.each_second(79).await;
    assert_eq!((stage.ear.times(), stage.said.len()), (3, 1));
}

#[tokio::test]
async fn one_is_under_way_at_a_time() {
    let mut stage = Stage::new(&[Comes::Nothing]);
    stage.turn().await;
    // Time has passed, and the one before was not told yet that it is over.
    stage.wall.pass(EVERY);
    stage.heartbeat.beat(&stage.run);
    assert_eq!((stage.ear.times(), stage.heartbeat.under_way.len()), (1, 1));
}

#[tokio::test]
async fn that_none_gets_through_is_said_once_and_that_they_do_again_too() {
    let lost = || Comes::Lost("no route");
    let mut stage = Stage::new(&[Comes::Status(200), Comes::Status(301), lost(), Comes::Status(299), lost()]);
    stage.turn().await;
    for _ in 0..4 {
        stage.after(EVERY).await;
    }
    let fails = |why: &str| {
        format!("the heartbeat does not get through: {why}; the run goes on, and this is said once")
    };
    assert_eq!(
        stage.said,
        [fails("the answer is 301"), "the heartbeat gets through again".to_owned(), fails("no route")]
    );
}

#[tokio::test]
async fn no_part_of_its_url_is_said() {
    let mut stage = Stage::new(&[Comes::Lost(
        "POST https://tok123.hc.test: cannot connect to tok123.hc.test:443 for https://tok123.hc.test/s3cr3t/",
    )]);
    stage.turn().await;
    let said = stage.said.join("\n");
    assert!(said.contains("cannot connect to [secret]:443"), "{said}");
    assert!(!said.contains("tok123") && !said.contains("s3cr3t"), "{said}");
}

#[test]
fn of_its_url_that_is_hidden_which_secrets_stand_in() {
    let of = |told: &str| hidden(&template(told), URL);
    assert_eq!(of("${{ secrets.hook }}"), ["tok123.hc.test", URL]);
    assert_eq!(of("https://${{ secrets.token }}.hc.test/s3cr3t/"), ["tok123.hc.test", URL]);
    assert_eq!(of("https://tok123.hc.test/${{ secrets.path }}/"), [URL]);
    assert_eq!(of(URL), Vec::<String>::new());
}

#[tokio::test]
async fn it_says_how_the_run_stands_and_which_is_the_last() {
    let mut stage = Stage::new(&[]);
    stage.turn().await;
    stage.run.paused = Some(PauseCause::Operator);
    stage.after(EVERY).await;
    stage.run.paused = None;
    stage.run.mode = Mode::Rollback;
    stage.after(EVERY).await;
    stage.run.mode = Mode::Finished(Verdict::RolledBack);
    let (ear, said) = stage.end().await;
    assert_eq!(said, Vec::<String>::new());
    let all: Vec<Json> = (0..ear.times()).map(|place| ear.body(place)).collect();
    let body =
        |state: &str, last: bool| json!({"run": "01RUN", "plan": "cells", "state": state, "last": last});
    assert_eq!(
        all,
        [
            body("running", false),
            body("paused", false),
            body("rolling_back", false),
            body("rolled_back", true)
        ]
    );
}

#[test]
fn each_way_to_stand_has_a_word() {
    let mut run = Run::new(Arc::new(chain(&["a"])));
    let word = |run: &mut Run, mode| {
        run.mode = mode;
        state(run)
    };
    assert_eq!(word(&mut run, Mode::Idle), "running");
    assert_eq!(word(&mut run, Mode::Forward), "running");
    assert_eq!(word(&mut run, Mode::Finished(Verdict::Completed)), "completed");
    assert_eq!(word(&mut run, Mode::Finished(Verdict::Incomplete)), "incomplete");
    run.paused = Some(PauseCause::Operator);
    assert_eq!(word(&mut run, Mode::Rollback), "paused");
}

#[tokio::test]
async fn the_last_one_does_not_wait_for_the_one_before_nor_for_long() {
    let mut stage = Stage::new(&[Comes::Nothing, Comes::Nothing]);
    stage.turn().await;
    let wall = stage.wall.clone();
    let later = async {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        wall.pass(LAST_LIMIT);
    };
    let ((ear, said), ()) = tokio::join!(stage.end(), later);
    assert_eq!((ear.times(), ear.body(1)["last"].clone()), (2, true.into()));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("no answer within 5s"), "{said:?}");
}

#[tokio::test]
async fn where_there_was_no_first_there_is_no_last() {
    let (ear, said) = Stage::new(&[]).end().await;
    assert_eq!((ear.times(), said.len()), (0, 0));
    let mut nobody = Heartbeat::new(None);
    nobody.beat(&Run::new(Arc::new(chain(&["a"]))));
    assert_eq!((nobody.due, nobody.under_way.len()), (Timestamp::NEVER, 0));
}
