//! Secrets Manager as JSON 1.1: whether a secret is there. What it says nobody may read here.

use super::super::serve::{Answer, answer};
use super::{Call, unknown};
use crate::port::Named;
use crate::sim::{Refusal, World};
use serde_json::{Value as Json, json};

pub(super) fn perform(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let input: Json = serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
    let output = match call.operation.as_str() {
        "DescribeSecret" => described(world, &input)?,
        _ => return Err(unknown(call)),
    };
    Ok(answer(200, "application/x-amz-json-1.1", output.to_string()))
}

fn described(world: &World, input: &Json) -> Result<Json, Refusal> {
    let id = input["SecretId"].as_str().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::new("InvalidParameterException", "SecretId is missing"))?;
    if !world.has(&Named::Secret(id.to_owned())) {
        let why = "Secrets Manager can't find the specified secret.";
        return Err(Refusal::new("ResourceNotFoundException", why));
    }
    let name = id.rsplit(":secret:").next().unwrap_or(id);
    let arn = format!("arn:aws:secretsmanager:{}:{}:secret:{name}", world.region, world.account);
    Ok(json!({"ARN": arn, "Name": name}))
}
