//! One AWS account as a target names it: credentials, region, the check that it is the right one, and its clients.

use super::call::{self, Class, Failure};
use super::keys::Keys;
use super::renewal;
use crate::adapter::Budgets;
use crate::adapter::budgets::{Queues, Service};
use crate::plan::{Target, Timestamp};
use crate::port::{Clock, Renewal, Urgency, Wiring};
use crate::run::Fault;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::{Builder, tls};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::OnceCell;

/// On the wall clock: to connect, for one answer, and for all of a call with its credentials.
const CONNECT: Duration = Duration::from_millis(3100);
const ANSWER: Duration = Duration::from_secs(10);
const CALL: Duration = Duration::from_secs(30);

/// Where an account is, as the plan says: two targets with the same words share one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::adapter) struct Place {
    pub(super) account: Arc<str>,
    pub(super) region: Arc<str>,
    pub(super) profile: Option<Arc<str>>,
    /// Stands for AWS: an emulator, or the sandbox.
    pub(super) endpoint: Option<Arc<str>>,
}

impl Place {
    /// Reads what a target of kind `aws` says.
    pub(in crate::adapter) fn read(target: &Target) -> Result<Self, Fault> {
        let says = |field: &str| target.says(field).map(Arc::from);
        let need = |field: &str| {
            let missing = || format!("target `{}` does not say its `{field}`", target.name);
            says(field).ok_or_else(|| Fault::permanent(missing()))
        };
        Ok(Self {
            account: need("account")?,
            region: need("region")?,
            profile: says("profile"),
            endpoint: says("endpoint"),
        })
    }
}

/// What all accounts share: connections, made when the first call is. Those over TLS believe whom this machine
/// believes, or the authority of the world that is not production; the others need to believe nobody.
#[derive(Default)]
pub(in crate::adapter) struct Transport {
    tls: OnceLock<Result<SharedHttpClient, String>>,
    plain: OnceLock<Result<SharedHttpClient, String>>,
}

impl Transport {
    fn client(&self, endpoint: Option<&str>, authority: Option<&str>) -> Result<SharedHttpClient, Failure> {
        let build = |trust: tls::TrustStore| {
            let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
            let context = tls::TlsContext::builder().with_trust_store(trust).build();
            let context = context.map_err(|error| error.to_string())?;
            Ok(Builder::new().tls_provider(ring).tls_context(context).build_https())
        };
        let client = match (endpoint, authority) {
            (Some(endpoint), _) if endpoint.starts_with("http://") => {
                self.plain.get_or_init(|| build(tls::TrustStore::empty()))
            }
            (_, Some(pem)) => {
                self.tls.get_or_init(|| build(tls::TrustStore::empty().with_pem_certificate(pem)))
            }
            (_, None) => self.tls.get_or_init(|| build(tls::TrustStore::default())),
        };
        client.clone().map_err(|text| Failure { class: Class::Unsent, code: None, text })
    }
}

/// Whose credentials they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Twelve digits.
    pub(super) account: String,
    /// Of a user, or of a session of a role.
    pub(super) arn: String,
}

/// An account, for changing what is in it until a deadline.
pub(in crate::adapter) struct Changing {
    pub(super) account: Arc<Account>,
    pub(super) until: Timestamp,
}

/// One account, for calls that are so urgent. Nothing is loaded or connected before the first call.
#[derive(Clone)]
pub(in crate::adapter) struct Account {
    connection: Arc<Connection>,
    urgency: Urgency,
}

/// What calls of any urgency share.
struct Connection {
    place: Place,
    clock: Arc<dyn Clock>,
    /// In a world that is not production: its keys and its certificate authority.
    wired: Option<(Credentials, String)>,
    transport: Arc<Transport>,
    budgets: Budgets,
    config: OnceCell<SdkConfig>,
    checked: OnceCell<Identity>,
    keys: Keys,
    route53: OnceLock<aws_sdk_route53::Client>,
    ecs: OnceLock<aws_sdk_ecs::Client>,
    scaling: OnceLock<aws_sdk_applicationautoscaling::Client>,
    elbv2: OnceLock<aws_sdk_elasticloadbalancingv2::Client>,
    cloudwatch: OnceLock<aws_sdk_cloudwatch::Client>,
    logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    ssm: OnceLock<aws_sdk_ssm::Client>,
}

impl Account {
    /// In a world that is not production: its endpoint and its keys.
    pub(in crate::adapter) fn new(
        place: Place,
        clock: Arc<dyn Clock>,
        transport: Arc<Transport>,
        wiring: Option<&Wiring>,
        budgets: Budgets,
    ) -> Self {
        let wired = wiring.map(|wiring| {
            let (key, secret) = (&wiring.access_key, &wiring.secret_key);
            (Credentials::new(key, secret, None, None, "the world's wiring"), wiring.ca_pem.clone())
        });
        let endpoint = wiring.map(|wiring| wiring.aws_endpoint.as_str().into()).or(place.endpoint);
        let connection = Connection {
            place: Place { endpoint, ..place },
            clock,
            wired,
            transport,
            budgets,
            config: OnceCell::new(),
            checked: OnceCell::new(),
            keys: Keys::default(),
            route53: OnceLock::new(),
            ecs: OnceLock::new(),
            scaling: OnceLock::new(),
            elbv2: OnceLock::new(),
            cloudwatch: OnceLock::new(),
            logs: OnceLock::new(),
            ssm: OnceLock::new(),
        };
        Self { connection: Arc::new(connection), urgency: Urgency::default() }
    }

    /// The same, for calls that are so urgent.
    pub(in crate::adapter) fn serving(&self, urgency: Urgency) -> Self {
        Self { connection: self.connection.clone(), urgency }
    }

    pub(super) fn place(&self) -> &Place {
        &self.connection.place
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.connection.clock
    }

    /// Keys that are of this account.
    pub(super) fn keys(&self) -> &Keys {
        &self.connection.keys
    }

    /// Waits until a call of this service may be sent; not for longer than until its deadline, which is for the call to
    /// see.
    pub(super) async fn turn(&self, service: Service, until: Timestamp) {
        let (budget, clock) = (self.budget(service), &**self.clock());
        tokio::select! {
            biased;
            () = budget.turn(self.urgency, clock) => {}
            () = clock.sleep_until(until) => {}
        }
    }

    /// AWS throttled a call of this service.
    pub(super) fn throttled(&self, service: Service) {
        self.budget(service).throttled(self.clock().now());
    }

    fn budget(&self, service: Service) -> Arc<Queues> {
        let Place { account, region, endpoint, .. } = self.place();
        self.connection.budgets.of(service, account, region, endpoint.as_ref())
    }

    /// The same, for changing what is in it until then.
    pub(in crate::adapter) fn until(self: &Arc<Self>, until: Timestamp) -> Changing {
        Changing { account: self.clone(), until }
    }

    /// What a person does about credentials.
    pub(super) fn log_in(&self) -> String {
        match &self.place().profile {
            Some(profile) => format!("log in (`aws sso login --profile {profile}`), then continue"),
            None => "renew the credentials of this shell, then continue".into(),
        }
    }

    pub(super) async fn route53(&self) -> Result<&aws_sdk_route53::Client, Failure> {
        let config = self.ready().await?;
        Ok(self.connection.route53.get_or_init(|| aws_sdk_route53::Client::new(config)))
    }

    pub(super) async fn ecs(&self) -> Result<&aws_sdk_ecs::Client, Failure> {
        let config = self.ready().await?;
        Ok(self.connection.ecs.get_or_init(|| aws_sdk_ecs::Client::new(config)))
    }

    pub(super) async fn scaling(&self) -> Result<&aws_sdk_applicationautoscaling::Client, Failure> {
        let config = self.ready().await?;
        Ok(self.connection.scaling.get_or_init(|| aws_sdk_applicationautoscaling::Client::new(config)))
    }

    pub(super) async fn elbv2(&self) -> Result<&aws_sdk_elasticloadbalancingv2::Client, Failure> {
        let config = self.ready().await?;
        Ok(self.connection.elbv2.get_or_init(|| aws_sdk_elasticloadbalancingv2::Client::new(config)))
    }

    pub(super) async fn cloudwatch(&self) -> Result<&aws_sdk_cloudwatch::Client, Failure> {
        let config = self.ready().await?;
        Ok(self.connection.cloudwatch.get_or_init(|| aws_sdk_cloudwatch::Client::new(config)))
    }

    pub(super) async fn logs(&self) -> Result<&aws_sdk_cloudwatchlogs::Client, Failure> {
        let config = self.ready().await?;
        Ok(self.connection.logs.get_or_init(|| aws_sdk_cloudwatchlogs::Client::new(config)))
    }

    pub(super) async fn ssm(&self) -> Result<&aws_sdk_ssm::Client, Failure> {
        let config = self.ready().await?;
        Ok(self.connection.ssm.get_or_init(|| aws_sdk_ssm::Client::new(config)))
    }

    /// Credentials of the right account: nothing is even looked at in a wrong one. Asserted here once, and again for each key
    /// that they are renewed with.
    async fn ready(&self) -> Result<&SdkConfig, Failure> {
        self.identified().await.map(|(config, _)| config)
    }

    /// The same, with whose they are.
    pub(super) async fn identified(&self) -> Result<(&SdkConfig, &Identity), Failure> {
        let config = self.connection.config.get_or_try_init(|| self.load()).await?;
        let identity = self.connection.checked.get_or_try_init(|| self.check(config)).await?;
        Ok((config, identity))
    }

    /// Whether the credentials are there, of the account that the plan means, and last until then.
    pub(in crate::adapter) async fn assert_account(&self, until: Option<Timestamp>) -> Result<(), Fault> {
        let account = format!("account {}", self.place().account);
        let unseen = self.unseen("credentials", &account);
        self.ready().await.map_err(&unseen)?;
        let Some(until) = until else { return Ok(()) };
        let short = self.renewal().await.map_err(&unseen)?.falls_short_of(until);
        short.map_or(Ok(()), |why| Err(Fault::permanent(why)))
    }

    /// Who renews the credentials.
    pub(super) async fn renewal(&self) -> Result<Renewal, Failure> {
        let config = self.ready().await?;
        if self.connection.wired.is_some() {
            return Ok(Renewal::ByItself);
        }
        let Some(provider) = config.credentials_provider() else { return Ok(Renewal::ByItself) };
        let found = provider.provide_credentials().await;
        let credentials = found.map_err(|error| Failure {
            class: Class::Credentials,
            code: None,
            text: format!("there are no credentials any more: {}", call::causes(&error)),
        })?;
        let url = renewal::start_url(self.place().profile.as_deref(), &EnvConfigFiles::default()).await;
        let tokens = || renewal::of_session(renewal::cached(), url.as_deref());
        Ok(renewal::of(&credentials, &renewal::said, &tokens))
    }

    pub(super) async fn load(&self) -> Result<SdkConfig, Failure> {
        let Connection { place, wired, transport, .. } = &*self.connection;
        let region = Region::new(place.region.to_string());
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ANSWER)
            .operation_timeout(CALL)
            .build();
        let authority = wired.as_ref().map(|(_, authority)| &**authority);
        let http = transport.client(place.endpoint.as_deref(), authority)?;
        if let (Some((keys, _)), Some(endpoint)) = (wired, &place.endpoint) {
            // Nothing of this machine's settings may reach into such a world.
            return Ok(SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(region)
                .credentials_provider(SharedCredentialsProvider::new(keys.clone()))
                .endpoint_url(&**endpoint)
                .timeout_config(timeouts)
                .retry_config(RetryConfig::disabled())
                .http_client(http)
                .build());
        }
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            .http_client(http);
        if let Some(profile) = &place.profile {
            loader = loader.profile_name(&**profile);
        }
        if let Some(endpoint) = &place.endpoint {
            loader = loader.endpoint_url(&**endpoint);
        }
        if let Ok(name) = AppName::new("switchover") {
            loader = loader.app_name(name);
        }
        Ok(loader.load().await)
    }

    /// Whose credentials these are, and the key that was asked with.
    pub(super) async fn whose(&self, config: &SdkConfig) -> Result<(Identity, String), Failure> {
        let client = aws_sdk_sts::Client::new(config);
        let mut answer = call::read(self, Service::Sts, |watch| {
            let sent = client.get_caller_identity().customize().interceptor(watch.clone()).send();
            async move { Ok((sent.await?, watch.key())) }
        })
        .await;
        if let Err(failure) = &mut answer {
            failure.text = format!("sts was asked whose credentials these are: {}", failure.text);
        }
        let (answer, key) = answer?;
        let (account, arn) = (answer.account.unwrap_or_default(), answer.arn.unwrap_or_default());
        Ok((Identity { account, arn }, key))
    }

    /// The credentials were renewed. If they are somebody else's now, a person has to see to it: nothing has failed.
    pub(super) async fn vouch(&self) -> Result<(), Failure> {
        let renewed = |failure: Failure| match failure.class {
            Class::Unsent => Failure { class: Class::Credentials, ..failure },
            _ => failure,
        };
        self.check(self.connection.config.get_or_try_init(|| self.load()).await?)
            .await
            .map(drop)
            .map_err(renewed)
    }

    async fn check(&self, config: &SdkConfig) -> Result<Identity, Failure> {
        let (found, key) = self.whose(config).await?;
        if found.account == *self.place().account {
            self.keys().vouch(key);
            return Ok(found);
        }
        let profile = self.place().profile.as_ref().map(|p| format!(" of profile {p}")).unwrap_or_default();
        let text = format!(
            "the credentials{profile} are of account {}, and the plan means {}; nothing was sent",
            found.account,
            self.place().account
        );
        Err(Failure { class: Class::Unsent, code: None, text })
    }

    /// A look, told as a fault.
    pub(super) fn unseen(&self, operation: &str, resource: &str) -> impl Fn(Failure) -> Fault + use<'_> {
        let what = format!("{operation} of {resource}");
        move |failure| failure.fault(&what, self, false)
    }

    /// A write, told as a fault.
    pub(super) fn unwritten(&self, operation: &str, resource: &str) -> impl Fn(Failure) -> Fault + use<'_> {
        let what = format!("{operation} of {resource}");
        move |failure| failure.fault(&what, self, true)
    }
}

#[cfg(test)]
mod tests;
