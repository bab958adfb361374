//! Rules between the SDK and our words. What is not a forward is kept as AWS's command line takes it, whole: so that a rule
//! that is written back is the rule that was there.

use crate::port::{Does, Forward, Listener, Rule, RuleAction, Share};
use aws_sdk_elasticloadbalancingv2::types as sdk;
use serde_json::{Map, Value as Json, json};
use std::time::Duration;

/// A rule that states no weight for a target group gives it this one.
const WEIGHT: u32 = 1;

pub(super) fn listener(found: sdk::Listener) -> Option<Listener> {
    Some(Listener { arn: found.listener_arn?, port: u16::try_from(found.port?).ok()? })
}

pub(super) fn rule(found: sdk::Rule) -> Rule {
    let arn = found.rule_arn.unwrap_or_default();
    let mut actions: Vec<RuleAction> = found.actions.unwrap_or_default().into_iter().map(action).collect();
    actions.sort_by_key(|action| action.order);
    Rule {
        listener: listener_of(&arn),
        priority: found.priority.and_then(|priority| priority.parse().ok()),
        conditions: found.conditions.unwrap_or_default().iter().map(condition).collect(),
        actions,
        arn,
    }
}

/// `…:listener-rule/app/name/id/listener/rule` is a rule of `…:listener/app/name/id/listener`.
fn listener_of(rule: &str) -> String {
    let listener = rule.rsplit_once('/').map_or(rule, |(listener, _)| listener);
    listener.replacen(":listener-rule/", ":listener/", 1)
}

fn condition(found: &sdk::RuleCondition) -> String {
    let field = found.field.clone().unwrap_or_default();
    let hosts = found.host_header_config.as_ref().and_then(|config| config.values.clone());
    let paths = found.path_pattern_config.as_ref().and_then(|config| config.values.clone());
    let stated = found.values.clone().filter(|values| !values.is_empty());
    match stated.or(hosts).or(paths) {
        Some(values) => format!("{field} {}", values.join(" or ")),
        None => field,
    }
}

fn action(found: sdk::Action) -> RuleAction {
    let order = found.order.and_then(|order| u32::try_from(order).ok());
    let does = match found.r#type {
        Some(sdk::ActionTypeEnum::Forward) => Does::Forward(forward(found)),
        _ => Does::Other(other(&found)),
    };
    RuleAction { order, does }
}

fn forward(found: sdk::Action) -> Forward {
    let only = found.target_group_arn;
    let config = found.forward_config.unwrap_or_else(|| sdk::ForwardActionConfig::builder().build());
    let share = |tuple: sdk::TargetGroupTuple| {
        let weight = tuple.weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(WEIGHT);
        Some(Share { group: tuple.target_group_arn?, weight })
    };
    let mut groups: Vec<Share> =
        config.target_groups.unwrap_or_default().into_iter().filter_map(share).collect();
    if groups.is_empty() {
        groups.extend(only.map(|group| Share { group, weight: WEIGHT }));
    }
    let sticks = config.target_group_stickiness_config.filter(|sticks| sticks.enabled == Some(true));
    let seconds = |sticks: sdk::TargetGroupStickinessConfig| {
        sticks.duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default()
    };
    Forward { groups, sticks: sticks.map(|sticks| Duration::from_secs(seconds(sticks))) }
}

/// Keys and values that are there, as a mapping.
fn fields<const N: usize>(all: [(&str, Option<Json>); N]) -> Json {
    let there = all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Json::Object(there.collect::<Map<String, Json>>())
}

fn other(found: &sdk::Action) -> Json {
    let kind = found.r#type.as_ref().map_or("", |kind| kind.as_str());
    fields([
        ("Type", Some(json!(kind))),
        ("AuthenticateOidcConfig", found.authenticate_oidc_config.as_ref().map(oidc)),
        ("AuthenticateCognitoConfig", found.authenticate_cognito_config.as_ref().map(cognito)),
        ("JwtValidationConfig", found.jwt_validation_config.as_ref().map(jwt)),
    ])
}

fn oidc(found: &sdk::AuthenticateOidcActionConfig) -> Json {
    fields([
        ("Issuer", found.issuer.as_ref().map(|v| json!(v))),
        ("AuthorizationEndpoint", found.authorization_endpoint.as_ref().map(|v| json!(v))),
        ("TokenEndpoint", found.token_endpoint.as_ref().map(|v| json!(v))),
        ("UserInfoEndpoint", found.user_info_endpoint.as_ref().map(|v| json!(v))),
        ("ClientId", found.client_id.as_ref().map(|v| json!(v))),
        ("SessionCookieName", found.session_cookie_name.as_ref().map(|v| json!(v))),
        ("Scope", found.scope.as_ref().map(|v| json!(v))),
        ("SessionTimeout", found.session_timeout.map(|v| json!(v))),
        (
            "AuthenticationRequestExtraParams",
            found.authentication_request_extra_params.as_ref().map(|v| json!(v)),
        ),
        ("OnUnauthenticatedRequest", found.on_unauthenticated_request.as_ref().map(|v| json!(v.as_str()))),
        // The secret itself is never told.
        ("UseExistingClientSecret", Some(json!(true))),
    ])
}

fn cognito(found: &sdk::AuthenticateCognitoActionConfig) -> Json {
    fields([
        ("UserPoolArn", found.user_pool_arn.as_ref().map(|v| json!(v))),
        ("UserPoolClientId", found.user_pool_client_id.as_ref().map(|v| json!(v))),
        ("UserPoolDomain", found.user_pool_domain.as_ref().map(|v| json!(v))),
        ("SessionCookieName", found.session_cookie_name.as_ref().map(|v| json!(v))),
        ("Scope", found.scope.as_ref().map(|v| json!(v))),
        ("SessionTimeout", found.session_timeout.map(|v| json!(v))),
        (
            "AuthenticationRequestExtraParams",
            found.authentication_request_extra_params.as_ref().map(|v| json!(v)),
        ),
        ("OnUnauthenticatedRequest", found.on_unauthenticated_request.as_ref().map(|v| json!(v.as_str()))),
    ])
}

fn jwt(found: &sdk::JwtValidationActionConfig) -> Json {
    let claim = |claim: &sdk::JwtValidationActionAdditionalClaim| {
        fields([
            ("Format", claim.format.as_ref().map(|v| json!(v.as_str()))),
            ("Name", claim.name.as_ref().map(|v| json!(v))),
            ("Values", claim.values.as_ref().map(|v| json!(v))),
        ])
    };
    let claims = found.additional_claims.as_ref().map(|claims| claims.iter().map(claim).collect());
    fields([
        ("JwksEndpoint", found.jwks_endpoint.as_ref().map(|v| json!(v))),
        ("Issuer", found.issuer.as_ref().map(|v| json!(v))),
        ("AdditionalClaims", claims),
    ])
}

/// As the SDK sends them.
///
/// # Errors
/// There is one that this version cannot write back.
pub(super) fn actions(actions: &[RuleAction]) -> Result<Vec<sdk::Action>, String> {
    actions.iter().map(written).collect()
}

fn written(action: &RuleAction) -> Result<sdk::Action, String> {
    let order = action.order.and_then(|order| i32::try_from(order).ok());
    let builder = sdk::Action::builder().set_order(order);
    let other = match &action.does {
        Does::Forward(forward) => {
            let builder = builder.r#type(sdk::ActionTypeEnum::Forward);
            return Ok(builder.forward_config(forward_written(forward)).build());
        }
        Does::Other(other) => other,
    };
    let kind = other["Type"].as_str().unwrap_or_default();
    let builder = builder.r#type(kind.into());
    Ok(match kind {
        "authenticate-oidc" => {
            builder.authenticate_oidc_config(oidc_written(&other["AuthenticateOidcConfig"]))
        }
        "authenticate-cognito" => {
            builder.authenticate_cognito_config(cognito_written(&other["AuthenticateCognitoConfig"]))
        }
        "jwt-validation" => builder.jwt_validation_config(jwt_written(&other["JwtValidationConfig"])),
        _ => return Err(format!("an action of type `{kind}` cannot be written back as it was")),
    }
    .build())
}

fn forward_written(forward: &Forward) -> sdk::ForwardActionConfig {
    let tuple = |share: &Share| {
        let weight = i32::try_from(share.weight).unwrap_or(i32::MAX);
        sdk::TargetGroupTuple::builder().target_group_arn(&share.group).weight(weight).build()
    };
    let seconds = forward.sticks.and_then(|sticks| i32::try_from(sticks.as_secs()).ok());
    let sticks = sdk::TargetGroupStickinessConfig::builder()
        .enabled(forward.sticks.is_some())
        .set_duration_seconds(seconds)
        .build();
    sdk::ForwardActionConfig::builder()
        .set_target_groups(Some(forward.groups.iter().map(tuple).collect()))
        .target_group_stickiness_config(sticks)
        .build()
}

fn text(json: &Json, key: &str) -> Option<String> {
    json[key].as_str().map(str::to_owned)
}

fn params(json: &Json) -> Option<std::collections::HashMap<String, String>> {
    let all = json["AuthenticationRequestExtraParams"].as_object()?;
    Some(all.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
}

fn oidc_written(json: &Json) -> sdk::AuthenticateOidcActionConfig {
    sdk::AuthenticateOidcActionConfig::builder()
        .set_issuer(text(json, "Issuer"))
        .set_authorization_endpoint(text(json, "AuthorizationEndpoint"))
        .set_token_endpoint(text(json, "TokenEndpoint"))
        .set_user_info_endpoint(text(json, "UserInfoEndpoint"))
        .set_client_id(text(json, "ClientId"))
        .set_session_cookie_name(text(json, "SessionCookieName"))
        .set_scope(text(json, "Scope"))
        .set_session_timeout(json["SessionTimeout"].as_i64())
        .set_authentication_request_extra_params(params(json))
        .set_on_unauthenticated_request(
            text(json, "OnUnauthenticatedRequest").map(|word| word.as_str().into()),
        )
        .use_existing_client_secret(true)
        .build()
}

fn cognito_written(json: &Json) -> sdk::AuthenticateCognitoActionConfig {
    sdk::AuthenticateCognitoActionConfig::builder()
        .set_user_pool_arn(text(json, "UserPoolArn"))
        .set_user_pool_client_id(text(json, "UserPoolClientId"))
        .set_user_pool_domain(text(json, "UserPoolDomain"))
        .set_session_cookie_name(text(json, "SessionCookieName"))
        .set_scope(text(json, "Scope"))
        .set_session_timeout(json["SessionTimeout"].as_i64())
        .set_authentication_request_extra_params(params(json))
        .set_on_unauthenticated_request(
            text(json, "OnUnauthenticatedRequest").map(|word| word.as_str().into()),
        )
        .build()
}

fn jwt_written(json: &Json) -> sdk::JwtValidationActionConfig {
    let values = |claim: &Json| {
        let all = claim["Values"].as_array()?;
        Some(all.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect())
    };
    let claim = |claim: &Json| {
        sdk::JwtValidationActionAdditionalClaim::builder()
            .set_format(text(claim, "Format").map(|word| word.as_str().into()))
            .set_name(text(claim, "Name"))
            .set_values(values(claim))
            .build()
    };
    let claims = json["AdditionalClaims"].as_array().map(|claims| claims.iter().map(claim).collect());
    sdk::JwtValidationActionConfig::builder()
        .set_jwks_endpoint(text(json, "JwksEndpoint"))
        .set_issuer(text(json, "Issuer"))
        .set_additional_claims(claims)
        .build()
}
