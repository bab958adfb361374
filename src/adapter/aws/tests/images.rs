//! Images on the wire: where and what is asked, and what each answer means.

use super::*;
use crate::port::{Image, Pull, ReadCompute};
use serde_json::{Value as Json, json};

fn say(status: u16, body: &Json) -> Say {
    Say::Answer(status, vec![("content-type", "application/x-amz-json-1.1".into())], body.to_string().into())
}

fn refused(code: &str) -> Say {
    say(400, &json!({"__type": code, "message": "why"}))
}

fn found(more: &Json) -> Say {
    let mut image =
        json!({"registryId": "210987654321", "repositoryName": "team/web", "imageDigest": "sha256:ab"});
    image.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    say(200, &json!({"imageDetails": [image]}))
}

async fn pulled(script: Vec<Say>, name: &str) -> (Pull, Vec<Seen>) {
    let server = aws(script).await;
    let found = account(&wired(&server)).pull(&Image::named(name).unwrap()).await;
    (found, calls(&server))
}

const ELSEWHERE: &str = "210987654321.dkr.ecr.us-east-2.amazonaws.com/team/web";

#[tokio::test]
async fn an_image_is_asked_for_where_its_name_says() {
    for (name, pick) in [
        (format!("{ELSEWHERE}:v7@sha256:ab"), json!({"imageDigest": "sha256:ab"})),
        (format!("{ELSEWHERE}:v7"), json!({"imageTag": "v7"})),
    ] {
        let (pull, asked) = pulled(vec![found(&json!({"imageStatus": "ACTIVE"}))], &name).await;
        assert_eq!(pull, Pull::Can);
        let [call] = &asked[..] else { panic!("{asked:?}") };
        assert!(call.head.contains("/us-east-2/ecr/aws4_request"), "{}", call.head);
        let target = "x-amz-target: amazonec2containerregistry_v20150921.describeimages";
        assert!(call.head.to_lowercase().contains(target), "{}", call.head);
        let body: Json = serde_json::from_str(&call.body).unwrap();
        let wanted = json!({"registryId": "210987654321", "repositoryName": "team/web", "imageIds": [pick]});
        assert_eq!(body, wanted);
    }
}

#[tokio::test]
async fn what_is_archived_cannot_be_pulled_and_what_is_not_told_can() {
    assert_eq!(pulled(vec![found(&json!({}))], ELSEWHERE).await.0, Pull::Can);
    for status in ["ARCHIVED", "ACTIVATING"] {
        let (pull, _) = pulled(vec![found(&json!({"imageStatus": status}))], ELSEWHERE).await;
        assert!(
            matches!(&pull, Pull::Cannot(why) if why.contains(status) && why.contains("20 minutes")),
            "{pull:?}"
        );
    }
}

fn rules(prefixes: &[&str]) -> Say {
    let rules: Vec<Json> = prefixes.iter().map(|prefix| json!({"ecrRepositoryPrefix": prefix})).collect();
    say(200, &json!({"pullThroughCacheRules": rules}))
}

#[tokio::test]
async fn what_is_fetched_as_it_is_pulled_may_well_be_there() {
    let gone = || refused("RepositoryNotFoundException");
    for (answer, sure) in [
        (rules(&["docker-hub", "tea", "team/w", "web"]), true),
        (rules(&["docker-hub", "team"]), false),
        (rules(&["ROOT"]), false),
        (refused("AccessDeniedException"), false),
        (Say::text(200, "{}"), false),
    ] {
        let (pull, asked) = pulled(vec![gone(), answer], ELSEWHERE).await;
        assert_eq!(matches!(pull, Pull::Cannot(_)), sure, "{pull:?}");
        assert!(asked[1].head.contains("/us-east-2/ecr/aws4_request"), "{}", asked[1].head);
        let body: Json = serde_json::from_str(&asked[1].body).unwrap();
        assert_eq!(body["registryId"], "210987654321");
    }
    let (pull, _) = pulled(vec![found(&json!({"imageStatus": "RESTING"}))], ELSEWHERE).await;
    assert!(matches!(&pull, Pull::Unknown(why) if why.contains("RESTING")), "{pull:?}");
}

#[tokio::test]
async fn only_a_certain_no_is_one() {
    for code in ["ImageNotFoundException", "com.amazonaws.ecr#RepositoryNotFoundException"] {
        let (pull, asked) = pulled(vec![refused(code), rules(&[])], ELSEWHERE).await;
        let short = code.rsplit('#').next().unwrap();
        assert_eq!(pull, Pull::Cannot(format!("ECR does not have it: {short}: why")));
        assert_eq!(asked.len(), 2);
    }
    let (pull, asked) = pulled(vec![refused("ThrottlingException"), found(&json!({}))], ELSEWHERE).await;
    assert_eq!((pull, asked.len()), (Pull::Can, 2));
    for (script, words) in [
        (
            vec![refused("AccessDeniedException")],
            "AccessDeniedException: why; these credentials may not look",
        ),
        (vec![refused("InvalidParameterException")], "InvalidParameterException: why"),
        (vec![refused("ExpiredTokenException")], "ExpiredTokenException: why"),
        (vec![say(200, &json!({"imageDetails": []}))], "the answer has no image"),
        (vec![Say::text(200, "<html>")], "the answer has no image"),
        (vec![Say::text(404, "<html>ImageNotFoundException</html>")], "<html>"),
        (vec![Say::Drop], "ecr DescribeImages of team/web"),
    ] {
        let (pull, _) = pulled(script, ELSEWHERE).await;
        let Pull::Unknown(why) = &pull else { panic!("{words}: {pull:?}") };
        assert!(
            why.contains(words) && why.contains("ecr DescribeImages of team/web"),
            "`{words}` is not in: {why}"
        );
    }
}
