//! ECR as JSON 1.1: images by their digest or tag. What a world tells of can be pulled, unless it says otherwise.

use super::super::serve::{Answer, answer};
use super::{Call, unknown};
use crate::port::{Image, Pick};
use crate::sim::{Refusal, World};
use serde_json::{Value as Json, json};

pub(super) fn perform(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let input: Json = serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
    let output = match call.operation.as_str() {
        "DescribeImages" => described(world, call, &input)?,
        // Nothing is cached in this world.
        "DescribePullThroughCacheRules" => json!({"pullThroughCacheRules": []}),
        _ => return Err(unknown(call)),
    };
    Ok(answer(200, "application/x-amz-json-1.1", output.to_string()))
}

fn described(world: &World, call: &Call, input: &Json) -> Result<Json, Refusal> {
    let invalid = |message: &str| Refusal::new("InvalidParameterException", message);
    let text = |json: &Json, key: &str| json[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let repository = text(input, "repositoryName").ok_or_else(|| invalid("repositoryName is missing"))?;
    let account = text(input, "registryId").unwrap_or_else(|| world.account.clone());
    let asked = input["imageIds"].as_array().filter(|ids| !ids.is_empty());
    let asked = asked.ok_or_else(|| invalid("only images that are named are described here"))?;
    let mut details = Vec::new();
    for id in asked {
        let pick = match (text(id, "imageDigest"), text(id, "imageTag")) {
            (Some(digest), _) => Pick::Digest(digest),
            (None, Some(tag)) => Pick::Tag(tag),
            (None, None) => return Err(invalid("an image is named by its digest or its tag")),
        };
        let (account, region) = (account.clone(), call.region.clone());
        let image = Image { account, region, repository: repository.clone(), pick };
        world.described(&image)?;
        let mut found =
            json!({"registryId": image.account, "repositoryName": repository, "imageStatus": "ACTIVE"});
        if let Pick::Digest(digest) = image.pick {
            found["imageDigest"] = digest.into();
        }
        details.push(found);
    }
    Ok(json!({"imageDetails": details}))
}
