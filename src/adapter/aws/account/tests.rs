//! Credentials that are renewed while a run lasts.

use super::*;
use crate::adapter::SystemClock;
use crate::adapter::tests::{Say, Seen, Server, wiring};
use crate::port::ReadTraffic;
use crate::run::{FaultKind, Landed};
use aws_config::identity::IdentityCache;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use std::path::Path;

const OURS: &str = "123456789012";

/// AWS, to which keys that begin so are of another account.
async fn aws() -> Server {
    Server::plain(|seen: &Seen| {
        let account = if seen.head.contains("credential=theirs") { "999999999999" } else { OURS };
        Say::text(
            200,
            &if seen.body.contains("GetCallerIdentity") {
                format!(
                    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn</Arn><Account>{account}</Account>\
                     </GetCallerIdentityResult></GetCallerIdentityResponse>"
                )
            } else {
                "<DescribeTargetHealthResponse><DescribeTargetHealthResult/></DescribeTargetHealthResponse>".into()
            },
        )
    })
    .await
}

/// What was called, and with which key.
fn told(server: &Server) -> Vec<(bool, String)> {
    let told = |seen: Seen| {
        let key = seen.head.split_once("credential=").map_or("", |(_, scope)| scope);
        let key = key.split('/').next().unwrap_or_default().to_owned();
        (seen.body.contains("GetCallerIdentity"), key)
    };
    server.seen().into_iter().map(told).collect()
}

/// With a profile whose process tells what this file holds.
async fn account(server: &Server, keys: &Path) -> Account {
    let wiring = Wiring { aws_endpoint: format!("http://{}", server.address), ..wiring() };
    let place = Place {
        account: OURS.into(),
        region: "eu-west-1".into(),
        profile: Some("prod".into()),
        endpoint: None,
    };
    let (clock, budgets) = (Arc::new(SystemClock::wall()), Budgets::default());
    let account = Account::new(place, clock, Arc::default(), Some(&wiring), budgets);
    let profile = format!("[profile prod]\ncredential_process = cat {}\n", keys.display());
    let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, profile).build();
    let http = account.connection.transport.client(account.place().endpoint.as_deref(), None).unwrap();
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&ProviderConfig::without_region().with_http_client(http))
        .profile_files(files)
        .profile_name("prod")
        .build();
    let config = account.load().await.unwrap().into_builder();
    let config = config.credentials_provider(SharedCredentialsProvider::new(provider));
    let config = config.identity_cache(IdentityCache::no_cache()).build();
    account.connection.config.set(config).unwrap();
    account
}

fn gives(keys: &Path, key: &str) {
    let told = format!("{{\"Version\": 1, \"AccessKeyId\": \"{key}\", \"SecretAccessKey\": \"secret\"}}");
    std::fs::write(keys, told).unwrap();
}

#[tokio::test]
async fn renewed_credentials_are_vouched_for_before_anything_is_sent() {
    let (server, folder) = (aws().await, tempfile::tempdir().unwrap());
    let keys = folder.path().join("keys.json");
    gives(&keys, "ours1");
    let account = account(&server, &keys).await;
    for key in ["ours1", "ours2"] {
        gives(&keys, key);
        for _ in 0..2 {
            assert!(account.targets("arn").await.unwrap().is_empty());
        }
    }
    let of = |key: &str| [(true, key.to_owned()), (false, key.to_owned()), (false, key.to_owned())];
    assert_eq!(told(&server), [of("ours1"), of("ours2")].concat());
    // A profile that means somebody else by now: a person has to see to it, and nothing has failed.
    gives(&keys, "theirs");
    let fault = account.targets("arn").await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Blind, Landed::No), "{fault}");
    for word in ["of account 999999999999", OURS, "profile prod", "aws sso login"] {
        assert!(fault.message.contains(word), "`{word}` is not in: {fault}");
    }
    assert_eq!(told(&server)[6..], [(true, "theirs".to_owned())]);
    // And back again.
    gives(&keys, "ours2");
    assert!(account.targets("arn").await.is_ok());
}
