//! What tasks are placed on, as ECS tells it.

use super::{cluster, cluster_arn, missing, short, texts};
use crate::sim::{Refusal, World};
use serde_json::{Value as Json, json};

pub(super) fn describe(world: &World, input: &Json) -> Result<Json, Refusal> {
    let cluster = cluster(input);
    world.cluster_exists(cluster)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in texts(input, "capacityProviders") {
        let provider = world.capacity_provider(cluster, short(&name));
        let arn =
            format!("arn:aws:ecs:{}:{}:capacity-provider/{}", world.region, world.account, provider.name);
        match provider.status {
            Some(status) => found.push(json!({
                "capacityProviderArn": arn, "name": provider.name, "status": status,
                "cluster": cluster_arn(world, cluster),
            })),
            None => failures.push(missing(arn)),
        }
    }
    Ok(json!({"capacityProviders": found, "failures": failures}))
}
