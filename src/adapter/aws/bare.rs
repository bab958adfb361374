//! Calls to services that are asked a question or two: through what the SDK itself is made of, for an SDK of each would be
//! among the largest crates here.
//!
//! Requests take the same way as all others: the same connections, credentials, watch and budget. Not here: what is asked for.

use super::call::Watch;
use crate::port::partition;
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
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use serde_json::Value as Json;
use std::fmt::Debug;

/// What is asked, and where.
pub(super) struct Bare<'a> {
    pub(super) config: &'a SdkConfig,
    /// As requests to it are signed: `iam`.
    pub(super) service: &'static str,
    /// The region that they are signed for.
    pub(super) region: String,
    /// Where it is asked, unless somebody stands for AWS: for all of it, then.
    pub(super) endpoint: String,
    pub(super) operation: &'static str,
    /// Beside the body, by which the protocol is known.
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: String,
}

/// What an answer says, or the refusal that it is.
pub(super) type Read<T> = Result<T, OrchestratorError<ErrorMetadata>>;

impl Bare<'_> {
    /// Sends it once.
    pub(super) fn send<T, F>(
        &self,
        watch: Watch,
        read: F,
    ) -> impl Future<Output = Result<T, SdkError<ErrorMetadata, HttpResponse>>> + use<T, F>
    where
        T: Debug + Send + Sync + 'static,
        F: Fn(&HttpResponse) -> Read<T> + Send + Sync + 'static,
    {
        let config = self.config;
        let endpoint = config.endpoint_url().unwrap_or(&self.endpoint);
        let mut builder = Operation::builder()
            .service_name(self.service)
            .operation_name(self.operation)
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .no_retry()
            .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .interceptor(watch)
            .with_connection_poisoning()
            .runtime_plugin(self.signed());
        if let Some(client) = config.http_client() {
            builder = builder.http_client(client);
        }
        if let Some(sleep) = config.sleep_impl() {
            builder = builder.sleep_impl(sleep);
        }
        let operation = builder.serializer(request).deserializer(read).build();
        let sent = (self.headers, self.body.clone());
        async move { operation.invoke(sent).await }
    }

    /// Signed by the account's credentials, for this service.
    fn signed(&self) -> StaticRuntimePlugin {
        let mut settings = Layer::new("signed");
        settings.store_put(AuthSchemeOptionResolverParams::new(()));
        settings.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(self.region.clone()))),
            region_set: None,
            name: Some(SigningName::from_static(self.service)),
            signing_options: SigningOptions::default(),
        });
        let schemes = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
        let mut components = RuntimeComponentsBuilder::new("signed")
            .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(schemes)))
            .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
        if let Some(credentials) = self.config.credentials_provider() {
            components = components.with_identity_resolver(SCHEME_ID, credentials);
        }
        if let Some(cache) = self.config.identity_cache() {
            components = components.with_identity_cache(Some(cache));
        }
        StaticRuntimePlugin::new().with_config(settings.freeze()).with_runtime_components(components)
    }
}

type Sent = (&'static [(&'static str, &'static str)], String);

fn request((headers, body): Sent) -> Result<HttpRequest, BoxError> {
    let length = body.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, *value);
    }
    request.headers_mut().insert("content-length", length);
    Ok(request)
}

/// A refusal by these words; what has no code means anything.
pub(super) fn refusal(code: Option<&str>, message: Option<&str>) -> ErrorMetadata {
    let mut told = ErrorMetadata::builder();
    if let Some(code) = code.filter(|code| !code.is_empty()) {
        told = told.code(code);
    }
    if let Some(message) = message {
        told = told.message(message);
    }
    told.build()
}

/// Where the services of a region are: `amazonaws.com`.
pub(super) fn domain(region: &str) -> &'static str {
    match partition(region) {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// An answer of a service that speaks JSON; `{"__type": "ImageNotFoundException", "message": "…"}` is a refusal.
pub(super) fn json(answer: &HttpResponse) -> Read<Json> {
    let body: Option<Json> = serde_json::from_slice(answer.body().bytes().unwrap_or_default()).ok();
    let body = body.unwrap_or_default();
    if answer.status().is_success() {
        return Ok(body);
    }
    // `com.amazonaws.ecr#ImageNotFoundException`
    let code = body["__type"].as_str().and_then(|code| code.rsplit('#').next());
    let message = body["message"].as_str().or_else(|| body["Message"].as_str());
    Err(OrchestratorError::operation(refusal(code, message)))
}
