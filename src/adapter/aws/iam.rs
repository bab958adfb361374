//! IAM, which is asked a question or two in a preview: by forms, through what the SDK itself is made of, for an SDK of IAM would
//! be one of the largest.
//!
//! Requests take the same way as all others: the same connections, credentials, watch and budget. Not here: what is asked
//! for.

use super::account::Account;
use super::call::{self, Failure, Watch};
use crate::adapter::budgets::Service;
use crate::port::{global_region, partition};
use crate::xml::Element;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use std::fmt::Debug;

const VERSION: &str = "2010-05-08";

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
    let send = |watch| {
        let call = Call { config, region: &account.place().region, operation };
        let operation = call.through(watch, read);
        let body = body.clone();
        async move { operation.invoke(body).await }
    };
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

struct Call<'a> {
    config: &'a SdkConfig,
    region: &'a str,
    operation: &'static str,
}

impl Call<'_> {
    fn through<T: Debug + Send + Sync + 'static>(
        &self,
        watch: Watch,
        read: fn(&Element) -> T,
    ) -> Operation<String, T, ErrorMetadata> {
        let Self { config, region, operation } = self;
        let partition = partition(region);
        // Whoever stands for AWS stands for all of it.
        let endpoint = config.endpoint_url().unwrap_or_else(|| endpoint(partition));
        let mut builder = Operation::builder()
            .service_name("IAM")
            .operation_name(*operation)
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .no_retry()
            .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .interceptor(watch)
            .with_connection_poisoning()
            .runtime_plugin(signed(config, global_region(partition)));
        if let Some(client) = config.http_client() {
            builder = builder.http_client(client);
        }
        if let Some(sleep) = config.sleep_impl() {
            builder = builder.sleep_impl(sleep);
        }
        let read = move |answer: &HttpResponse| read_answer(answer, read);
        builder.serializer(request).deserializer(read).build()
    }
}

/// Signed by the account's credentials, for IAM.
fn signed(config: &SdkConfig, region: &'static str) -> StaticRuntimePlugin {
    let mut settings = Layer::new("signed");
    settings.store_put(AuthSchemeOptionResolverParams::new(()));
    settings.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from_static(region)),
        region_set: None,
        name: Some(SigningName::from_static("iam")),
        signing_options: SigningOptions::default(),
    });
    let schemes = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
    let mut components = RuntimeComponentsBuilder::new("signed")
        .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(schemes)))
        .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
    if let Some(credentials) = config.credentials_provider() {
        components = components.with_identity_resolver(SCHEME_ID, credentials);
    }
    if let Some(cache) = config.identity_cache() {
        components = components.with_identity_cache(Some(cache));
    }
    StaticRuntimePlugin::new().with_config(settings.freeze()).with_runtime_components(components)
}

fn request(body: String) -> Result<HttpRequest, BoxError> {
    let length = body.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
    request.headers_mut().insert("content-length", length);
    Ok(request)
}

/// `<GetRoleResponse><GetRoleResult>…`, or `<ErrorResponse><Error><Code>…`.
fn read_answer<T>(
    answer: &HttpResponse,
    read: fn(&Element) -> T,
) -> Result<T, OrchestratorError<ErrorMetadata>> {
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    let document = Element::parse(&body);
    if !answer.status().is_success() {
        // What is no XML has no code, and means anything.
        return Err(OrchestratorError::operation(
            document.map_or_else(|_| ErrorMetadata::default(), refusal),
        ));
    }
    let result = |document: &Element| {
        let found = document.children.iter().find(|child| child.name.ends_with("Result"));
        found.map(read).ok_or_else(|| "the answer has no result".to_owned())
    };
    document.and_then(|document| result(&document)).map_err(OrchestratorError::other)
}

fn refusal(document: Element) -> ErrorMetadata {
    let error = document.child("Error").cloned().unwrap_or_default();
    let mut told = ErrorMetadata::builder();
    if let Some(code) = error.text_of("Code").filter(|code| !code.is_empty()) {
        told = told.code(code);
    }
    if let Some(message) = error.text_of("Message") {
        told = told.message(message);
    }
    told.build()
}
