//! Application Auto Scaling as JSON 1.1: the bounds within which services of ECS are scaled.

use super::super::serve::{Answer, answer};
use super::{Call, unknown};
use crate::plan::Timestamp;
use crate::sim::{Refusal, Service, World};
use serde_json::{Value as Json, json};

const DIMENSION: &str = "ecs:service:DesiredCount";

pub(super) fn perform(world: &mut World, call: &Call, now: Timestamp) -> Result<Answer, Refusal> {
    let input: Json = serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
    if input["ServiceNamespace"] != "ecs" {
        return Err(Refusal::new("ValidationException", "this world scales services of ecs"));
    }
    let output = match call.operation.as_str() {
        "DescribeScalableTargets" => described(world, &input),
        "RegisterScalableTarget" => register(world, &input, now)?,
        _ => return Err(unknown(call)),
    };
    Ok(answer(200, "application/x-amz-json-1.1", output.to_string()))
}

fn resource(service: &Service) -> String {
    format!("service/{}/{}", service.cluster, service.name)
}

fn described(world: &World, input: &Json) -> Json {
    let wanted = input["ResourceIds"].as_array();
    let asked = |service: &&Service| wanted.is_none_or(|all| all.iter().any(|id| *id == resource(service)));
    let told = |service: &Service| {
        let scaling = service.scaling?;
        let role = format!(
            "arn:aws:iam::{}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/\
             AWSServiceRoleForApplicationAutoScaling_ECSService",
            world.account
        );
        Some(json!({
            "ServiceNamespace": "ecs", "ResourceId": resource(service), "ScalableDimension": DIMENSION,
            "MinCapacity": scaling.min, "MaxCapacity": scaling.max, "RoleARN": role,
            "CreationTime": service.created.0 / 1000,
            "SuspendedState": {
                "DynamicScalingInSuspended": false, "DynamicScalingOutSuspended": false,
                "ScheduledScalingSuspended": false,
            },
        }))
    };
    json!({"ScalableTargets": world.services.iter().filter(asked).filter_map(told).collect::<Json>()})
}

fn register(world: &mut World, input: &Json, now: Timestamp) -> Result<Json, Refusal> {
    let id = input["ResourceId"].as_str().unwrap_or_default();
    let place = id.strip_prefix("service/").and_then(|rest| rest.split_once('/'));
    let (cluster, name) = place.filter(|_| input["ScalableDimension"] == DIMENSION).ok_or_else(|| {
        Refusal::new(
            "ValidationException",
            format!("Unsupported service namespace, resource type or scalable dimension: {id}"),
        )
    })?;
    let count = |key: &str| input[key].as_u64().and_then(|tasks| u32::try_from(tasks).ok());
    world.scale(cluster, name, count("MinCapacity"), count("MaxCapacity"), now)?;
    let (region, account) = (&world.region, &world.account);
    Ok(
        json!({"ScalableTargetARN": format!("arn:aws:application-autoscaling:{region}:{account}:scalable-target/0ec5{name}")}),
    )
}
