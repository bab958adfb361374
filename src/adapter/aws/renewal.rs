//! Who renews credentials, and when those end that only a person renews.
//!
//! Roles that are assumed, processes, services and SSO sessions with a refresh token give new keys whenever they are asked, and
//! the SDK asks. It cannot renew temporary keys that were put into the environment or a profile, nor an SSO session that has no
//! refresh token, which ends when its cached token does
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/understanding-sso.html>).
//!
//! When keys of the environment end is in none of the variables that the SDK knows; the `aws` command and tools like it set
//! `AWS_CREDENTIAL_EXPIRATION` (`aws configure export-credentials --format env`), and older ones `AWS_SESSION_EXPIRATION`.

use crate::plan::Timestamp;
use crate::port::Renewal;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Source;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::section::EnvConfigSections;
use aws_runtime::env_config::source;
use aws_types::os_shim_internal::{Env, Fs};
use serde::Deserialize;

/// Where tools say when the keys end that they put into an environment; the first counts.
const ENDS: [&str; 2] = ["AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION"];

/// Through how many profiles a role is followed to where a person logs in.
const SOURCES: usize = 8;

/// A token of an SSO session, as the `aws` command caches it.
#[derive(Deserialize)]
pub(super) struct Token {
    #[serde(rename = "startUrl")]
    begun_at: Option<String>,
    #[serde(rename = "expiresAt")]
    ends: Option<String>,
    #[serde(rename = "accessToken")]
    access: Option<String>,
    #[serde(rename = "refreshToken")]
    refresh: Option<String>,
}

/// Who renews these: `said` reads the environment, `tokens` the cache of SSO sessions.
pub(super) fn of(
    credentials: &Credentials,
    said: &dyn Fn(&str) -> Option<String>,
    tokens: &dyn Fn() -> Vec<Token>,
) -> Renewal {
    let none = Vec::new();
    let sources = credentials.get_property::<Vec<Source>>().unwrap_or(&none);
    let has = |source: &Source| sources.contains(source);
    if credentials.session_token().is_none() {
        return Renewal::ByItself;
    }
    // A role is assumed anew with whatever is below it, as long as that lasts: keys that do have no token beside them.
    let is_role = sources.iter().any(assumes);
    if has(&Source::CredentialsEnvVars) && (!is_role || said("AWS_SESSION_TOKEN").is_some()) {
        let ends = ENDS.iter().find_map(|name| moment(&said(name)?));
        return Renewal::ByHand { what: "the temporary keys of this shell".into(), ends };
    }
    if has(&Source::CredentialsProfileSso) || has(&Source::CredentialsSso) {
        return session(&tokens());
    }
    if has(&Source::CredentialsProfile) && !is_role {
        return Renewal::ByHand { what: "the temporary keys in the profile".into(), ends: None };
    }
    Renewal::ByItself
}

fn assumes(source: &Source) -> bool {
    matches!(
        source,
        Source::CredentialsStsAssumeRole
            | Source::CredentialsStsAssumeRoleSaml
            | Source::CredentialsStsAssumeRoleWebId
            | Source::CredentialsEnvVarsStsWebIdToken
            | Source::CredentialsProfileStsWebIdToken
    )
}

/// Where several are left, the one that lasts longest stands for all. Where one can be refreshed, it may be that.
fn session(tokens: &[Token]) -> Renewal {
    let logged_in = || tokens.iter().filter(|token| token.access.is_some());
    if logged_in().any(|token| token.refresh.is_some()) {
        return Renewal::ByItself;
    }
    let ends = logged_in().filter_map(|token| moment(token.ends.as_deref()?)).max();
    let Some(ends) = ends else { return Renewal::ByItself };
    Renewal::ByHand { what: "the keys of the SSO session".into(), ends: Some(ends) }
}

/// `2026-11-30T12:00:00Z`, `2026-11-30T12:00:00+00:00`; older tools write `UTC` in place of `Z`.
fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::read(&text.trim().replace("UTC", "Z"))
}

/// Those of the session that begins there: a person may be logged in to several. Where none does, or it is not known, all of them.
pub(super) fn of_session(tokens: Vec<Token>, url: Option<&str>) -> Vec<Token> {
    let Some(url) = url else { return tokens };
    let plain = |url: &str| url.trim_end_matches(['/', '#']).to_owned();
    let is_own = |token: &Token| token.begun_at.as_deref().map(plain) == Some(plain(url));
    let (own, others): (Vec<Token>, Vec<Token>) = tokens.into_iter().partition(is_own);
    if own.iter().any(|token| token.access.is_some()) {
        own
    } else {
        [own, others].into_iter().flatten().collect()
    }
}

/// Where a person logs in to the SSO session of a profile.
pub(super) async fn start_url(profile: Option<&str>, files: &EnvConfigFiles) -> Option<String> {
    let source = source::load(&Env::real(), &Fs::real(), files).await.ok()?;
    let sections = EnvConfigSections::parse(source).ok()?;
    let mut profile = sections.get_profile(profile.unwrap_or(sections.selected_profile()))?;
    // A role is assumed from another profile, maybe through several.
    for _ in 0..SOURCES {
        match profile.get("source_profile").filter(|source| *source != profile.name()) {
            Some(source) => profile = sections.get_profile(source)?,
            None => break,
        }
    }
    let url = match profile.get("sso_session") {
        Some(session) => sections.sso_session(session)?.get("sso_start_url"),
        None => profile.get("sso_start_url"),
    };
    url.map(str::to_owned)
}

/// What the environment says.
#[expect(clippy::disallowed_methods, reason = "tools leave there when keys of the environment end")]
pub(super) fn said(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The tokens that this user has.
pub(super) fn cached() -> Vec<Token> {
    let Some(home) = std::env::home_dir() else { return Vec::new() };
    let Ok(files) = std::fs::read_dir(home.join(".aws/sso/cache")) else { return Vec::new() };
    let read = |file: std::fs::DirEntry| serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok();
    files.flatten().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_runtime::env_config::file::EnvConfigFileKind;

    fn keys(session: Option<&str>, sources: &[Source]) -> Credentials {
        let session = session.map(str::to_owned);
        let mut keys = Credentials::new("AKID", "secret", session, None, "test");
        keys.get_property_mut_or_default::<Vec<Source>>().extend(sources.iter().cloned());
        keys
    }

    fn by_hand(what: &str, ends: Option<u64>) -> Renewal {
        Renewal::ByHand { what: what.into(), ends: ends.map(Timestamp) }
    }

    fn token(text: &str) -> Token {
        serde_json::from_str(text).unwrap()
    }

    fn silent(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn keys_of_the_environment_are_renewed_by_a_person_and_end_when_a_tool_says() {
        let env = [Source::CredentialsEnvVars];
        assert_eq!(of(&keys(None, &env), &silent, &Vec::new), Renewal::ByItself, "these last");
        let temporary = keys(Some("token"), &env);
        let what = "the temporary keys of this shell";
        assert_eq!(of(&temporary, &silent, &Vec::new), by_hand(what, None));
        for (name, text, ends) in [
            ("AWS_CREDENTIAL_EXPIRATION", "2023-11-14T22:13:20+00:00", Some(1_700_000_000_000)),
            ("AWS_CREDENTIAL_EXPIRATION", "2023-11-14T22:13:20Z", Some(1_700_000_000_000)),
            ("AWS_SESSION_EXPIRATION", "2023-11-14T22:13:20UTC", Some(1_700_000_000_000)),
            ("AWS_CREDENTIAL_EXPIRATION", "soon", None),
            ("AWS_CREDENTIAL_EXPIRATION", "", None),
        ] {
            let said = |asked: &str| (asked == name).then(|| text.to_owned());
            assert_eq!(of(&temporary, &said, &Vec::new), by_hand(what, ends), "{name}={text}");
        }
    }

    #[test]
    fn a_role_renews_itself_and_a_profile_of_temporary_keys_does_not() {
        let role = [Source::CredentialsProfile, Source::CredentialsStsAssumeRole];
        assert_eq!(of(&keys(Some("token"), &role), &silent, &Vec::new), Renewal::ByItself);
        // Below it may be what a person renews.
        let of_shell = [Source::CredentialsEnvVars, Source::CredentialsStsAssumeRole];
        assert_eq!(of(&keys(Some("token"), &of_shell), &silent, &Vec::new), Renewal::ByItself);
        let temporary = |name: &str| (name == "AWS_SESSION_TOKEN").then(|| "token".to_owned());
        let what = "the temporary keys of this shell";
        assert_eq!(of(&keys(Some("token"), &of_shell), &temporary, &Vec::new), by_hand(what, None));
        let of_session = [Source::CredentialsProfileSso, Source::CredentialsStsAssumeRole];
        let ends = r#"{"accessToken": "x", "expiresAt": "2023-11-14T22:13:20Z"}"#;
        let tokens = || vec![token(ends)];
        let what = "the keys of the SSO session";
        assert_eq!(
            of(&keys(Some("token"), &of_session), &silent, &tokens),
            by_hand(what, Some(1_700_000_000_000))
        );
        for source in [Source::CredentialsProcess, Source::CredentialsImds, Source::CredentialsHttp] {
            assert_eq!(of(&keys(Some("token"), &[source]), &silent, &Vec::new), Renewal::ByItself);
        }
        let profile = [Source::CredentialsProfile];
        let what = "the temporary keys in the profile";
        assert_eq!(of(&keys(Some("token"), &profile), &silent, &Vec::new), by_hand(what, None));
    }

    #[test]
    fn a_session_ends_with_its_token_unless_that_can_be_refreshed() {
        let sso = keys(Some("token"), &[Source::CredentialsProfileSso, Source::CredentialsSso]);
        let early = r#"{"startUrl": "https://a", "accessToken": "x", "expiresAt": "2023-11-14T20:00:00Z"}"#;
        let late = r#"{"startUrl": "https://b", "accessToken": "x", "expiresAt": "2023-11-14T22:13:20Z"}"#;
        let registration = r#"{"clientId": "x", "expiresAt": "2033-11-14T22:13:20Z"}"#;
        let lasting = r#"{"accessToken": "x", "refreshToken": "y", "expiresAt": "2023-11-14T20:00:00Z"}"#;
        let what = "the keys of the SSO session";
        let of = |texts: &[&str]| of(&sso, &silent, &|| texts.iter().map(|text| token(text)).collect());
        assert_eq!(of(&[early, registration, late]), by_hand(what, Some(1_700_000_000_000)));
        assert_eq!(of(&[early, lasting]), Renewal::ByItself);
        assert_eq!(of(&[]), Renewal::ByItself, "nobody can tell");
    }

    #[tokio::test]
    async fn of_several_sessions_that_of_the_profile_counts() {
        let config = "[profile old]\nsso_start_url = https://a/start\n[profile new]\nsso_session = b\n\
                      [sso-session b]\nsso_start_url = https://b/start/#\n[profile keys]\nregion = eu-west-1\n\
                      [profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = old\n";
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, config).build();
        let early =
            r#"{"startUrl": "https://a/start/", "accessToken": "x", "expiresAt": "2023-11-14T20:00:00Z"}"#;
        let late =
            r#"{"startUrl": "https://b/start", "accessToken": "x", "expiresAt": "2023-11-14T22:13:20Z"}"#;
        let out = r#"{"startUrl": "https://c/start", "clientId": "x"}"#;
        let (first, second) = (Some(1_699_992_000_000), Some(1_700_000_000_000));
        for (profile, ends) in
            [("old", first), ("new", second), ("keys", second), ("role", first), ("none", second)]
        {
            let url = start_url(Some(profile), &files).await;
            let tokens = of_session([early, late, out].map(token).into(), url.as_deref());
            let Renewal::ByHand { ends: told, .. } = session(&tokens) else { panic!("{profile}") };
            assert_eq!(told, ends.map(Timestamp), "{profile}: {url:?}");
        }
        let url = Some("https://c/start");
        assert_eq!(
            of_session([early, late, out].map(token).into(), url).len(),
            3,
            "nobody is logged in there"
        );
    }
}
