//! ECR, which is asked whether an image is there: in JSON, in the account and region that the image's name says.

use super::account::Account;
use super::bare::{Bare, Read, refusal};
use super::call::{self, Class, Failure};
use crate::adapter::budgets::Service;
use crate::port::{Image, Pick, Pull};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use serde_json::{Value as Json, json};

const JSON: &[(&str, &str)] = &[
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DescribeImages"),
];

/// What [`crate::port::ReadCompute::pull`] says.
pub(super) async fn pull(account: &Account, image: &Image) -> Pull {
    match described(account, image).await {
        Ok(status) if status == "ACTIVE" => Pull::Can,
        // User guide, "Archiving an image": described all the same, and pulled by nobody until it is restored.
        Ok(status) => Pull::Cannot(format!(
            "it is {status} in ECR: to restore it from the archive takes up to 20 minutes; to push it again does not"
        )),
        Err(failure) if is_missing(&failure) => {
            let code = failure.code.unwrap_or_default();
            Pull::Cannot(format!("ECR does not have it: {code}: {}", failure.text))
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

/// How an image stands. Before there was an archive, nothing was said of that.
async fn described(account: &Account, image: &Image) -> Result<String, Failure> {
    let (config, _) = account.identified().await?;
    let Image { account: registry, region, repository, pick } = image;
    let pick = match pick {
        Pick::Digest(digest) => json!({"imageDigest": digest}),
        Pick::Tag(tag) => json!({"imageTag": tag}),
    };
    let call = Bare {
        config,
        service: "ecr",
        region: region.clone(),
        endpoint: endpoint(region),
        operation: "DescribeImages",
        headers: JSON,
        body: json!({"registryId": registry, "repositoryName": repository, "imageIds": [pick]}).to_string(),
    };
    call::read(account, Service::Ecr, |watch| call.send(watch, read_answer)).await
}

fn endpoint(region: &str) -> String {
    let domain = match crate::port::partition(region) {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("https://api.ecr.{region}.{domain}")
}

/// `{"imageDetails": [{"imageStatus": "ACTIVE"}]}`, or `{"__type": "ImageNotFoundException", "message": "…"}`.
fn read_answer(answer: &HttpResponse) -> Read<String> {
    let body: Option<Json> = serde_json::from_slice(answer.body().bytes().unwrap_or_default()).ok();
    let body = body.unwrap_or_default();
    if !answer.status().is_success() {
        // `com.amazonaws.ecr#ImageNotFoundException`
        let code = body["__type"].as_str().and_then(|code| code.rsplit('#').next());
        let message = body["message"].as_str().or_else(|| body["Message"].as_str());
        return Err(OrchestratorError::operation(refusal(code, message)));
    }
    match &body["imageDetails"][0] {
        Json::Object(found) => {
            Ok(found.get("imageStatus").and_then(Json::as_str).unwrap_or("ACTIVE").to_owned())
        }
        _ => Err(OrchestratorError::other("the answer has no image")),
    }
}
