//! IAM, which is asked a question or two in a preview: by forms, answered in XML.
//!
//! Not here: what is asked for.

use super::account::Account;
use super::bare::{Bare, Read, refusal};
use super::call::{self, Failure};
use crate::adapter::budgets::Service;
use crate::port::{global_region, partition};
use crate::xml::Element;
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use std::fmt::Debug;

const VERSION: &str = "2010-05-08";
const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

/// A form: names and values.
pub(super) type Form = Vec<(String, String)>;

/// One call: tried again as any look is. `read` reads the element that the answer is in.
pub(super) async fn ask<T: Debug + Send + Sync + 'static>(
    account: &Account,
    config: &SdkConfig,
    operation: &'static str,
    form: &Form,
    read: fn(&Element) -> T,
) -> Result<T, Failure> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", operation)
        .append_pair("Version", VERSION)
        .extend_pairs(form)
        .finish();
    let partition = partition(&account.place().region);
    let call = Bare {
        config,
        service: "iam",
        region: global_region(partition).to_owned(),
        endpoint: endpoint(partition).to_owned(),
        operation,
        headers: FORM,
        body,
    };
    let send = |watch| call.send(watch, move |answer| read_answer(answer, read));
    call::read(account, Service::Iam, send).await
}

/// Where it is asked: in one place for all regions of a partition.
fn endpoint(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "https://iam.cn-north-1.amazonaws.com.cn",
        "aws-us-gov" => "https://iam.us-gov.amazonaws.com",
        "aws-iso" => "https://iam.us-iso-east-1.c2s.ic.gov",
        "aws-iso-b" => "https://iam.us-isob-east-1.sc2s.sgov.gov",
        "aws-iso-e" => "https://iam.eu-isoe-west-1.cloud.adc-e.uk",
        "aws-eusc" => "https://iam.eusc-de-east-1.amazonaws.eu",
        _ => "https://iam.amazonaws.com",
    }
}

/// `<GetRoleResponse><GetRoleResult>…`, or `<ErrorResponse><Error><Code>…`.
fn read_answer<T>(answer: &HttpResponse, read: fn(&Element) -> T) -> Read<T> {
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    let document = Element::parse(&body);
    if !answer.status().is_success() {
        // What is no XML has no code.
        let error = document.ok().and_then(|document| document.child("Error").cloned()).unwrap_or_default();
        let refused = refusal(error.text_of("Code"), error.text_of("Message"));
        return Err(OrchestratorError::operation(refused));
    }
    let result = |document: &Element| {
        let found = document.children.iter().find(|child| child.name.ends_with("Result"));
        found.map(read).ok_or_else(|| "the answer has no result".to_owned())
    };
    document.and_then(|document| result(&document)).map_err(OrchestratorError::other)
}
