//! For how long the way back of a record waits for connections that nobody but the plan knows of.

use super::{Story, codes, records, weighted};
use crate::plan::format_duration;
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Resolvers keep an answer for so long, in both worlds.
const TTL: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn to_a_name(more: &Json) -> Json {
    let mut with = json!({"target": "zone", "record": "app", "to": {"cname": "new.elb.example"}});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    with
}

/// What is told of a change that is made and undone, and for how long its way back waits.
async fn told_and_waited(mut story: Story) -> (String, Duration) {
    story.plan().await.unwrap();
    let told = story.told().await.unwrap().notes.join(" ");
    story.apply().await.unwrap();
    story.undo().await.unwrap();
    let undone = story.since;
    story.restored().await.unwrap();
    (told, story.waited(undone))
}

#[tokio::test]
async fn the_way_back_waits_for_as_long_as_the_plan_says_that_connections_last() {
    let unknown = "the way back does not wait for them: state `keep_alive`";
    for (more, keeps) in [(json!({}), Duration::ZERO), (json!({"keep_alive": "1h"}), HOUR)] {
        for story in [
            Story::new(&records::world(), "dns.switch", &to_a_name(&more)),
            Story::new(&weighted::world(), "dns.weights", &weighted::with(&more)),
        ] {
            let (told, waited) = told_and_waited(story).await;
            assert_eq!(told.contains(unknown), keeps.is_zero(), "{told}");
            let least = TTL + keeps;
            let most = least + Duration::from_secs(120);
            assert!(waited >= least && waited < most, "{more}: {}", format_duration(waited));
        }
    }
}

#[test]
fn what_a_load_balancer_tells_is_not_stated() {
    let mut with = records::to_balancer();
    with["keep_alive"] = json!("1h");
    assert_eq!(codes("dns.switch", &with), ["SW2003"]);
}
