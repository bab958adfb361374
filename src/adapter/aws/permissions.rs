//! Whether the credentials of an account may make calls: IAM evaluates their policies for each, and makes none.
//!
//! What it sees are the policies of the user or role, its boundary, and those of the organization as far as it tells. What
//! it does not see are policies of a session, and those that resources have themselves. An answer that is no answer is
//! unknown: whoever may not ask must not be told that all is well.

use super::account::Account;
use super::call::{Class, Failure};
use super::iam::{self, Form};
use crate::port::{Asked, Denier, Judged, ReadPermissions, Ruling, partition};
use crate::run::Fault;
use crate::xml::Element;
use async_trait::async_trait;
use aws_config::SdkConfig;
use std::collections::BTreeMap;

/// How many actions one request asks for.
const BATCH: usize = 50;
/// How many pages of one answer are read.
const PAGES: usize = 20;

/// Whose policies are evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Principal {
    User {
        name: String,
    },
    /// The account is known; the ARN has a path that is not in the session's.
    Role {
        name: String,
    },
    /// It has no policies that could be evaluated: why.
    Other(String),
}

impl Principal {
    /// `arn:aws:iam::123456789012:user/ops/ana`, `arn:aws:sts::123456789012:assumed-role/deployer/session`.
    fn of(arn: &str) -> Self {
        let entity = arn.splitn(6, ':').nth(5).unwrap_or_default();
        let service = arn.split(':').nth(2).unwrap_or_default();
        match (service, entity.split_once('/')) {
            ("iam", Some(("user", path))) => {
                Self::User { name: path.rsplit('/').next().unwrap_or(path).to_owned() }
            }
            ("sts", Some(("assumed-role", rest))) => {
                Self::Role { name: rest.split('/').next().unwrap_or(rest).to_owned() }
            }
            ("iam", None) if entity == "root" => Self::Other(
                "root is bound by no policy of its account, and none can be evaluated for it".into(),
            ),
            _ => Self::Other(format!("policies are evaluated for users and roles, and {arn} is neither")),
        }
    }

    fn named(&self) -> String {
        match self {
            Self::User { name } => format!("user {name}"),
            Self::Role { name } => format!("role {name}"),
            Self::Other(_) => "whoever these credentials are of".into(),
        }
    }
}

#[async_trait]
impl ReadPermissions for Account {
    async fn may(&self, asked: &[Asked]) -> Result<Judged, Fault> {
        let account = format!("account {}", self.place().account);
        let unseen = self.unseen("credentials", &account);
        let (config, identity) = self.identified().await.map_err(&unseen)?;
        let principal = Principal::of(&identity.arn);
        let (who, renewal) = (principal.named(), self.renewal().await.map_err(&unseen)?);
        let source = match &principal {
            Principal::User { .. } => Ok((identity.arn.clone(), None)),
            Principal::Role { name } => Ok(self.role(config, name).await),
            Principal::Other(why) => Err(why.clone()),
        };
        let (source, doubt) = match source {
            Ok(found) => found,
            Err(why) => return Ok(Judged { who, renewal, rulings: vec![Ruling::Unknown(why); asked.len()] }),
        };
        let asking = Asking { account: self, config, source, doubt };
        Ok(Judged { who, renewal, rulings: asking.all(asked).await })
    }
}

impl Account {
    /// The ARN of a role, with its path; where that cannot be read, without one, and why.
    async fn role(&self, config: &SdkConfig, name: &str) -> (String, Option<String>) {
        let form = vec![("RoleName".to_owned(), name.to_owned())];
        match iam::ask(self, config, "GetRole", &form, read_role).await {
            Ok(arn) if arn.starts_with("arn:") => (arn, None),
            Ok(_) => (self.without_path(name), Some("iam GetRole told no ARN".into())),
            Err(failure) => {
                let why = failure.fault("iam GetRole", self, false).to_string();
                (self.without_path(name), Some(why))
            }
        }
    }

    fn without_path(&self, role: &str) -> String {
        let place = self.place();
        format!("arn:{}:iam::{}:role/{role}", partition(&place.region), place.account)
    }
}

/// What is the same for all that is asked.
struct Asking<'a> {
    account: &'a Account,
    config: &'a SdkConfig,
    /// Whose policies are evaluated, as ARN.
    source: String,
    /// Why that may not be the whole ARN.
    doubt: Option<String>,
}

impl Asking<'_> {
    /// Asks for what is about one resource at once: so what is told of an action is told of that resource.
    async fn all(&self, asked: &[Asked]) -> Vec<Ruling> {
        let mut rulings: Vec<Option<Ruling>> = vec![None; asked.len()];
        let mut groups: BTreeMap<(&str, &BTreeMap<&'static str, String>), Vec<usize>> = BTreeMap::new();
        for (at, one) in asked.iter().enumerate() {
            groups.entry((&one.resource, &one.context)).or_default().push(at);
        }
        let batches = groups.into_iter().flat_map(|(about, places)| {
            let batches: Vec<Vec<usize>> = places.chunks(BATCH).map(<[usize]>::to_vec).collect();
            batches.into_iter().map(move |batch| (about, batch))
        });
        let mut silent: Option<String> = None;
        for ((resource, context), places) in batches {
            if silent.is_some() {
                break;
            }
            let actions: Vec<&str> = places.iter().map(|at| &*asked[*at].action).collect();
            match self.evaluate(&actions, resource, context).await {
                Ok(found) => {
                    for at in places {
                        rulings[at] = Some(ruling(&found, &asked[at]));
                    }
                }
                // It is about these actions, or this resource: others may be known.
                Err(failure) if failure.code.as_deref() == Some("InvalidInput") => {
                    for at in places {
                        rulings[at] = Some(Ruling::Unknown(self.told(&failure)));
                    }
                }
                Err(failure) => silent = Some(self.told(&failure)),
            }
        }
        let unknown = || Ruling::Unknown(silent.clone().unwrap_or_else(|| "nobody asked".into()));
        rulings.into_iter().map(|ruling| ruling.unwrap_or_else(unknown)).collect()
    }

    /// All pages.
    async fn evaluate(
        &self,
        actions: &[&str],
        resource: &str,
        context: &BTreeMap<&'static str, String>,
    ) -> Result<Vec<Evaluated>, Failure> {
        let (mut found, mut marker) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let form = form(&self.source, actions, resource, context, marker.as_deref());
            let page =
                iam::ask(self.account, self.config, "SimulatePrincipalPolicy", &form, read_page).await?;
            found.extend(page.results);
            marker = page.marker.filter(|marker| page.truncated && !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Why nothing is known, and what to do.
    fn told(&self, failure: &Failure) -> String {
        let what = format!("iam SimulatePrincipalPolicy of {}", self.source);
        let text = failure.clone().fault(&what, self.account, false).to_string();
        let hint = match (failure.class, failure.code.as_deref()) {
            (Class::Denied, _) => {
                "; allow them `iam:SimulatePrincipalPolicy` and `iam:GetRole` to know it".into()
            }
            (_, Some("NoSuchEntity")) => self
                .doubt
                .as_ref()
                .map(|doubt| format!("; its path is not known: {doubt}"))
                .unwrap_or_default(),
            _ => String::new(),
        };
        text + &hint
    }
}

fn form(
    source: &str,
    actions: &[&str],
    resource: &str,
    context: &BTreeMap<&'static str, String>,
    marker: Option<&str>,
) -> Form {
    let mut form: Form = vec![("PolicySourceArn".into(), source.into())];
    let actions = (1..).zip(actions);
    form.extend(actions.map(|(n, action)| (format!("ActionNames.member.{n}"), (*action).to_owned())));
    form.push(("ResourceArns.member.1".into(), resource.into()));
    for (n, (key, value)) in (1..).zip(context) {
        let entry = format!("ContextEntries.member.{n}");
        form.push((format!("{entry}.ContextKeyName"), (*key).into()));
        form.push((format!("{entry}.ContextKeyType"), "string".into()));
        form.push((format!("{entry}.ContextKeyValues.member.1"), value.clone()));
    }
    form.extend(marker.map(|marker| ("Marker".into(), marker.into())));
    form
}

/// A page of results.
#[derive(Debug, Default)]
struct Page {
    results: Vec<Evaluated>,
    truncated: bool,
    marker: Option<String>,
}

/// What was found of an action: for all of its resources together, or for one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Evaluated {
    action: String,
    resource: String,
    decision: String,
    /// The policies whose statements decide.
    policies: Vec<String>,
    /// What the policies make conditions of, and nobody told.
    missing: Vec<String>,
    by_organization: Option<bool>,
    by_boundary: Option<bool>,
    /// For each resource.
    each: Vec<Evaluated>,
}

impl Evaluated {
    fn denier(&self) -> Option<Denier> {
        if self.by_organization == Some(false) {
            return Some(Denier::Organization);
        }
        if self.by_boundary == Some(false) {
            return Some(Denier::Boundary);
        }
        match &*self.decision {
            "explicitDeny" => Some(Denier::Statement(self.policies.join(", "))),
            "implicitDeny" => Some(Denier::Nothing),
            _ => None,
        }
    }
}

/// What is told of one resource comes first, for it says more; what is told of all is believed where it is stricter.
fn ruling(found: &[Evaluated], asked: &Asked) -> Ruling {
    let named = |one: &&Evaluated| one.action.eq_ignore_ascii_case(&asked.action);
    let about = |one: &&Evaluated| one.resource.is_empty() || one.resource == asked.resource;
    let told: Vec<&Evaluated> = found
        .iter()
        .filter(named)
        .flat_map(|whole| whole.each.iter().filter(about).chain(std::iter::once(whole)))
        .collect();
    if told.is_empty() {
        return Ruling::Unknown(format!("iam SimulatePrincipalPolicy told nothing of {}", asked.action));
    }
    let mut missing: Vec<&str> = told.iter().flat_map(|one| &one.missing).map(String::as_str).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        return Ruling::Unknown(format!(
            "policies go by what only the call itself has: {}; see whether they let it through",
            missing.join(", ")
        ));
    }
    if let Some(denier) = told.iter().find_map(|one| one.denier()) {
        return Ruling::Denied(denier);
    }
    match told.iter().find(|one| one.decision != "allowed") {
        Some(other) => Ruling::Unknown(format!("iam SimulatePrincipalPolicy decided `{}`", other.decision)),
        None => Ruling::Allowed,
    }
}

fn read_role(result: &Element) -> String {
    let role = result.child("Role");
    role.and_then(|role| role.text_of("Arn")).unwrap_or_default().to_owned()
}

fn read_page(result: &Element) -> Page {
    Page {
        results: members(result, "EvaluationResults").map(read_evaluated).collect(),
        truncated: result.text_of("IsTruncated") == Some("true"),
        marker: result.text_of("Marker").map(str::to_owned),
    }
}

fn read_evaluated(found: &Element) -> Evaluated {
    let text = |name: &str| found.text_of(name).unwrap_or_default().to_owned();
    let decision = found.text_of("EvalDecision").or_else(|| found.text_of("EvalResourceDecision"));
    let policy = |statement: &Element| statement.text_of("SourcePolicyId").map(str::to_owned);
    let detail = |name: &str, allowed: &str| Some(found.child(name)?.text_of(allowed)? == "true");
    Evaluated {
        action: text("EvalActionName"),
        resource: text("EvalResourceName"),
        decision: decision.unwrap_or_default().to_owned(),
        policies: members(found, "MatchedStatements").filter_map(policy).collect(),
        missing: members(found, "MissingContextValues").map(|key| key.text.trim().to_owned()).collect(),
        by_organization: detail("OrganizationsDecisionDetail", "AllowedByOrganizations"),
        by_boundary: detail("PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary"),
        each: members(found, "ResourceSpecificResults").map(read_evaluated).collect(),
    }
}

/// The elements of a list.
fn members<'e>(of: &'e Element, list: &str) -> impl Iterator<Item = &'e Element> + use<'e> {
    let list = of.child(list).map_or(&[][..], |list| &list.children);
    list.iter().filter(|child| child.name == "member")
}
