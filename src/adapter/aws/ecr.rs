//! ECR, which is asked whether an image is there: in JSON, in the account and region that the image's name says.

use super::account::Account;
use super::bare::{self, Bare, Read};
use super::call::{self, Class, Failure};
use crate::adapter::budgets::Service;
use crate::port::{Image, Pick, Pull};
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use serde_json::{Value as Json, json};

const KIND: (&str, &str) = ("content-type", "application/x-amz-json-1.1");
const IMAGES: &[(&str, &str)] =
    &[KIND, ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DescribeImages")];
const CACHES: &[(&str, &str)] =
    &[KIND, ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DescribePullThroughCacheRules")];

/// What [`crate::port::ReadCompute::pull`] says.
pub(super) async fn pull(account: &Account, image: &Image) -> Pull {
    match described(account, image).await {
        Ok(status) if status == "ACTIVE" => Pull::Can,
        // User guide, "Archiving an image": described all the same, and pulled by nobody until it is restored.
        Ok(status) if status == "ARCHIVED" || status == "ACTIVATING" => Pull::Cannot(format!(
            "it is {status} in ECR: to restore it from the archive takes up to 20 minutes; to push it again does not"
        )),
        Ok(status) => Pull::Unknown(format!("it is {status} in ECR")),
        Err(failure) if is_missing(&failure) => {
            let why = format!("ECR does not have it: {}: {}", failure.code.unwrap_or_default(), failure.text);
            match cached(account, image).await {
                Ok(false) => Pull::Cannot(why),
                Ok(true) => Pull::Unknown(format!(
                    "{why}; its repository is a cache, which is filled as it is pulled"
                )),
                Err(failure) => {
                    let what = format!("ecr DescribePullThroughCacheRules for {}", image.repository);
                    Pull::Unknown(format!("{why}; {}", failure.fault(&what, account, false).message))
                }
            }
        }
        Err(failure) => {
            let what = format!("ecr DescribeImages of {}", image.repository);
            Pull::Unknown(failure.fault(&what, account, false).message.to_string())
        }
    }
}

fn is_missing(failure: &Failure) -> bool {
    let codes = ["ImageNotFoundException", "RepositoryNotFoundException"];
    failure.class == Class::Refused && failure.code.as_deref().is_some_and(|code| codes.contains(&code))
}

/// Whether its registry fetches it from another one when it is pulled. User guide, "Sync an upstream registry": by the beginning
/// of the repository's name, or whatever it is called (`ROOT`).
async fn cached(account: &Account, image: &Image) -> Result<bool, Failure> {
    let (config, _) = account.identified().await?;
    let body = json!({"registryId": image.account, "maxResults": 1000}).to_string();
    let call = asking(config, image, ("DescribePullThroughCacheRules", CACHES), body);
    let rules = call::read(account, Service::Ecr, |watch| call.send(watch, read_rules)).await?;
    Ok(rules.iter().any(|prefix| prefix == "ROOT" || image.repository.starts_with(&format!("{prefix}/"))))
}

fn asking<'a>(
    config: &'a SdkConfig,
    image: &Image,
    (operation, headers): (&'static str, &'static [(&'static str, &'static str)]),
    body: String,
) -> Bare<'a> {
    let region = image.region.clone();
    Bare { config, service: "ecr", endpoint: endpoint(&region), region, operation, headers, body }
}

/// How an image stands. Before there was an archive, nothing was said of that.
async fn described(account: &Account, image: &Image) -> Result<String, Failure> {
    let (config, _) = account.identified().await?;
    let Image { account: registry, repository, pick, .. } = image;
    let pick = match pick {
        Pick::Digest(digest) => json!({"imageDigest": digest}),
        Pick::Tag(tag) => json!({"imageTag": tag}),
    };
    let body = json!({"registryId": registry, "repositoryName": repository, "imageIds": [pick]}).to_string();
    let call = asking(config, image, ("DescribeImages", IMAGES), body);
    call::read(account, Service::Ecr, |watch| call.send(watch, read_answer)).await
}

fn endpoint(region: &str) -> String {
    format!("https://api.ecr.{region}.{}", bare::domain(region))
}

/// `{"imageDetails": [{"imageStatus": "ACTIVE"}]}`
fn read_answer(answer: &HttpResponse) -> Read<String> {
    match &bare::json(answer)?["imageDetails"][0] {
        Json::Object(found) => {
            Ok(found.get("imageStatus").and_then(Json::as_str).unwrap_or("ACTIVE").to_owned())
        }
        _ => Err(OrchestratorError::other("the answer has no image")),
    }
}

/// `{"pullThroughCacheRules": [{"ecrRepositoryPrefix": "docker-hub"}]}`
fn read_rules(answer: &HttpResponse) -> Read<Vec<String>> {
    let body = bare::json(answer)?;
    let Some(rules) = body["pullThroughCacheRules"].as_array() else {
        return Err(OrchestratorError::other("the answer has no rules"));
    };
    let prefix = |rule: &Json| rule["ecrRepositoryPrefix"].as_str().map(str::to_owned);
    Ok(rules.iter().filter_map(prefix).collect())
}
