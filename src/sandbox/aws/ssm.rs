//! Systems Manager's Parameter Store as JSON 1.1: one parameter by its name. Nobody may decrypt: who only watches has no use
//! for the key.

use super::super::serve::{Answer, answer};
use super::{Call, unknown};
use crate::sim::{Refusal, World};
use serde_json::{Value as Json, json};

/// What stands for a value that is not decrypted.
const CIPHERTEXT: &str = "AQICAHgKXN0000000000";

pub(super) fn perform(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let input: Json = serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
    let output = match call.operation.as_str() {
        "GetParameter" => parameter(world, &input)?,
        _ => return Err(unknown(call)),
    };
    Ok(answer(200, "application/x-amz-json-1.1", output.to_string()))
}

fn parameter(world: &World, input: &Json) -> Result<Json, Refusal> {
    let name = input["Name"].as_str().unwrap_or_default();
    let kept = world.parameter(name).ok_or_else(|| Refusal::new("ParameterNotFound", ""))?;
    if kept.encrypted && input["WithDecryption"] == true {
        let why = "The ciphertext refers to a customer master key that you may not access.";
        return Err(Refusal::new("AccessDeniedException", why));
    }
    let value = if kept.encrypted { CIPHERTEXT } else { &*kept.value };
    let kind = if kept.encrypted { "SecureString" } else { "String" };
    Ok(json!({"Parameter": {"Name": name, "Type": kind, "Value": value, "Version": 1, "DataType": "text"}}))
}
