//! Images in their registry.

use super::{Place, held_everywhere};
use crate::port::{Image, Pick, Pull};
use serde_json::json;

held_everywhere!(
    Images;
    an_image_is_there_or_it_is_not in with_images,
    an_image_may_be_deleted in with_images,
    who_may_not_ask_for_an_image_knows_nothing in with_images,
    a_question_for_an_image_is_asked_again in with_images,
);

const NAME: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web:v1";

fn with_images(text: &str) -> String {
    let image = format!("\n  '{NAME}': {{ app: frontend, starts_in: 8s }}");
    let at = text.find("\nimages:").unwrap() + 1;
    let end = at + text[at..].find('\n').unwrap();
    format!("{}{image}{}", &text[..end], &text[end..])
}

/// By what is said of it.
async fn pull(place: &Place, repository: &str, pick: Pick) -> Pull {
    let (account, region) = (place.account().to_owned(), "eu-west-1".to_owned());
    let image = Image { account, region, repository: repository.into(), pick };
    place.world.compute("prod").unwrap().pull(&image).await
}

async fn pull_v1(place: &Place) -> Pull {
    pull(place, "team/web", Pick::Tag("v1".into())).await
}

async fn an_image_is_there_or_it_is_not(place: &Place) {
    assert_eq!(pull_v1(place).await, Pull::Can);
    let digest = Pick::Digest(format!("sha256:{}", "0".repeat(64)));
    for (repository, pick) in
        [("team/web", Pick::Tag("v2".into())), ("team/web", digest), ("team/api", Pick::Tag("v1".into()))]
    {
        let found = pull(place, repository, pick.clone()).await;
        let Pull::Cannot(why) = &found else { panic!("{repository} {pick:?}: {found:?}") };
        assert!(why.contains("ECR does not have it: ") && why.contains("NotFoundException: "), "{why}");
    }
}

async fn an_image_may_be_deleted(place: &Place) {
    let deleted = json!({"delete_image": NAME});
    place
        .fault(json!({"service": "ecr", "operation": "DescribeImages", "kind": "change", "change": deleted}))
        .await;
    let found = pull_v1(place).await;
    assert!(matches!(&found, Pull::Cannot(why) if why.contains("ImageNotFoundException")), "{found:?}");
}

async fn who_may_not_ask_for_an_image_knows_nothing(place: &Place) {
    place
        .fault(json!({"service": "ecr", "kind": "error", "status": 400, "code": "AccessDeniedException", "message": "no"}))
        .await;
    let found = pull_v1(place).await;
    let Pull::Unknown(why) = &found else { panic!("{found:?}") };
    assert!(
        why.contains("ecr DescribeImages of team/web") && why.contains("AccessDeniedException: no"),
        "{why}"
    );
    assert_eq!(pull_v1(place).await, Pull::Can);
}

async fn a_question_for_an_image_is_asked_again(place: &Place) {
    for rule in
        [json!({"kind": "throttle"}), json!({"kind": "drop_before"}), json!({"kind": "error", "status": 503})]
    {
        let mut rule = rule;
        rule["service"] = "ecr".into();
        place.fault(rule.clone()).await;
        assert_eq!(pull_v1(place).await, Pull::Can, "{rule}");
    }
}
