//! Reading what is live: a service, a name, and the load balancers between them.

use super::found::{Found, FoundImage, FoundRecord, FoundService, NewSide};
use crate::plan::{Span, Target, Value, nearest};
use crate::port::dns::{Name, RecordSet};
use crate::port::stated::leading;
use crate::port::{
    Caller, ListedBalancer, ListedZone, ReadInventory, ReadTraffic, ReadWorld, Service, Task, TaskFilter,
};
use crate::run::Fault;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// What drafts call the account.
pub(super) const ACCOUNT: &str = "aws";
/// What drafts call the zone.
pub(super) const ZONE: &str = "zone";
/// Names that a hint lists.
const LISTED: usize = 8;

/// What a plan is wanted from.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// A cluster, and a service of it.
    pub service: Option<(String, String)>,
    /// A zone, and a whole name in it.
    pub record: Option<(ListedZone, Name)>,
    /// A load balancer that the name shall lead to.
    pub to_balancer: Option<String>,
    /// Another name that it shall lead to.
    pub to_cname: Option<String>,
}

/// Why there is no draft.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not there, or no plan is drafted from it.
    #[error("{what}")]
    Unfit {
        /// What, and why.
        what: String,
        /// What was meant, perhaps.
        hint: Option<String>,
    },
    /// It could not be looked at.
    #[error(transparent)]
    Unseen(#[from] Fault),
}

impl Refusal {
    fn unfit(what: String, hint: Option<String>) -> Self {
        Self::Unfit { what, hint }
    }

    /// It is not among those that are there.
    fn absent(what: String, wanted: &str, there: Vec<String>) -> Self {
        let names: Vec<&str> = there.iter().map(String::as_str).collect();
        let hint = match (nearest(wanted, &names), names.len()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, 0) => "there are none".into(),
            (None, many) if many > LISTED => {
                format!("there are {} and {} more", names[..LISTED].join(", "), many - LISTED)
            }
            (None, _) => format!("there are {}", names.join(", ")),
        };
        Self::unfit(what, Some(hint))
    }
}

/// The zone that is meant: an id, or a name that one public zone has.
///
/// # Errors
/// There is none, or there are several.
pub async fn zone(inventory: &dyn ReadInventory, meant: &str) -> Result<ListedZone, Refusal> {
    let zones = inventory.zones().await?;
    let fits: Vec<&ListedZone> =
        zones.iter().filter(|zone| zone.id == meant || zone.name == Name::new(meant)).collect();
    let public: Vec<&ListedZone> = fits.iter().copied().filter(|zone| !zone.private).collect();
    match (&fits[..], &public[..]) {
        ([], _) => {
            let there = zones.iter().flat_map(|zone| [zone.name.to_string(), zone.id.clone()]).collect();
            Err(Refusal::absent(format!("there is no zone `{meant}`"), meant, there))
        }
        ([first, ..], []) => Err(Refusal::unfit(
            format!(
                "zone {} ({}) is private: only resolvers inside its network answer from it, so what it serves cannot be read \
                 from here; write the plan by hand, with such a resolver in its target (`resolvers`)",
                first.id, first.name
            ),
            None,
        )),
        (_, [one]) => Ok((*one).clone()),
        (_, [first, ..]) => {
            let ids: Vec<&str> = public.iter().map(|zone| &*zone.id).collect();
            Err(Refusal::unfit(
                format!("{} zones are named {meant}: {}", ids.len(), ids.join(", ")),
                Some(format!("say which by its id, as in `--from-route53 {}/NAME`", first.id)),
            ))
        }
    }
}

/// The connections that a draft needs, as its targets say them.
#[must_use]
pub fn targets(caller: &Caller, zone: Option<&ListedZone>) -> Vec<Arc<Target>> {
    let target = |name: &str, kind: &str, with: &Json| {
        Arc::new(Target {
            name: name.into(),
            kind: kind.into(),
            with: Value::from_json(with, Span::default()),
        })
    };
    let mut account = json!({"account": caller.account, "region": caller.region});
    if let Some(profile) = &caller.profile {
        account["profile"] = profile.as_str().into();
    }
    let mut targets = vec![target(ACCOUNT, "aws", &account)];
    if let Some(zone) = zone {
        let with = json!({"zone_id": zone.id, "name": zone.name.as_str(), "aws": ACCOUNT});
        targets.push(target(ZONE, "route53", &with));
    }
    targets
}

/// Reads what is wanted. `world` has the [`targets`].
///
/// # Errors
/// Something is not there, or could not be looked at.
pub async fn survey(
    wanted: &Wanted,
    caller: &Caller,
    inventory: &dyn ReadInventory,
    world: &dyn ReadWorld,
) -> Result<Found, Refusal> {
    let mut look = Look { inventory, world, balancers: None };
    let service = match &wanted.service {
        Some((cluster, name)) => Some(look.service(cluster, name).await?),
        None => None,
    };
    let record = match &wanted.record {
        Some((zone, name)) => {
            let beside = service.as_ref().and_then(|service| service.behind.as_ref());
            Some(look.record(zone, name, wanted, beside).await?)
        }
        None => None,
    };
    let found = Found { caller: caller.clone(), service, record };
    if let Some(hole) = found.texts().into_iter().find(|text| text.contains("${{")) {
        let what = format!("`{hole}` holds `${{{{`, which a plan would take for a hole of its own");
        return Err(Refusal::unfit(what, None));
    }
    Ok(found)
}

struct Look<'a> {
    inventory: &'a dyn ReadInventory,
    world: &'a dyn ReadWorld,
    /// All of them, once they were asked for.
    balancers: Option<Vec<ListedBalancer>>,
}

impl Look<'_> {
    async fn balancers(&mut self) -> Result<Vec<ListedBalancer>, Fault> {
        if self.balancers.is_none() {
            self.balancers = Some(self.inventory.load_balancers().await?);
        }
        Ok(self.balancers.clone().unwrap_or_default())
    }

    async fn service(&mut self, cluster: &str, name: &str) -> Result<FoundService, Refusal> {
        let compute = self.world.compute(ACCOUNT)?;
        let service = match compute.service(cluster, name).await {
            Ok(Some(service)) if service.status == "INACTIVE" => {
                let what = format!("service {name} of {cluster} is INACTIVE: it was deleted");
                return Err(Refusal::unfit(what, None));
            }
            Ok(Some(service)) => service,
            Ok(None) => {
                let there = self.inventory.services(cluster).await.unwrap_or_default();
                let what = format!("cluster {cluster} has no service `{name}`");
                return Err(Refusal::absent(what, name, there));
            }
            Err(fault) => {
                let there = self.inventory.clusters().await.unwrap_or_default();
                if there.is_empty() || there.iter().any(|known| known == cluster) {
                    return Err(fault.into());
                }
                let what = format!("there is no cluster `{cluster}`");
                return Err(Refusal::absent(what, cluster, there));
            }
        };
        let gone =
            || Fault::permanent(format!("{} runs {}, which is gone", service.name, service.definition));
        let definition = compute.definition(&service.definition).await?.ok_or_else(gone)?;
        let mut tasks = compute.tasks(cluster, &TaskFilter::Service(name.to_owned())).await?;
        tasks.retain(|task| task.status == "RUNNING" && task.definition == service.definition);
        let image = |container: &crate::port::Container| FoundImage {
            container: container.name.clone(),
            image: container.image.clone(),
            pinned: pinned(&container.image, &container.name, &tasks),
        };
        Ok(FoundService {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            images: definition.containers.iter().map(image).collect(),
            desired: service.desired,
            counted: !service.target_groups.is_empty(),
            behind: self.before(&service).await?,
        })
    }

    /// The load balancer that a service stands behind.
    async fn before(&mut self, service: &Service) -> Result<Option<ListedBalancer>, Refusal> {
        if service.target_groups.is_empty() {
            return Ok(None);
        }
        let traffic = self.world.traffic(ACCOUNT)?;
        for balancer in self.balancers().await?.into_iter().filter(|balancer| balancer.application) {
            let groups = traffic.target_groups(&balancer.arn).await?;
            if groups.iter().any(|group| service.target_groups.contains(group)) {
                return Ok(Some(balancer));
            }
        }
        Ok(None)
    }

    async fn record(
        &mut self,
        zone: &ListedZone,
        name: &Name,
        wanted: &Wanted,
        beside: Option<&ListedBalancer>,
    ) -> Result<FoundRecord, Refusal> {
        let all = self.world.dns(ZONE)?.record_sets(name).await?;
        let sets = leading(&all);
        if let Some(other) = all.first().filter(|_| sets.is_empty()) {
            let what =
                format!("{name} has records of type {}, and none that says where it leads", other.kind.0);
            return Err(Refusal::unfit(what, None));
        }
        if sets.is_empty() {
            let there = self.inventory.names(&zone.id).await.unwrap_or_default();
            let what = format!("zone {} has no record `{name}`", zone.name);
            let there = there.iter().map(Name::to_string).collect();
            return Err(Refusal::absent(what, name.as_str(), there));
        }
        if sets.iter().any(|set| set.extra.contains_key("SetIdentifier")) {
            let what =
                format!("{name} has {} routed sets, and only a name with one answer is switched", sets.len());
            let hint = "`dns.weights` shifts between weighted sets: plans/weighted-records.yaml is a plan to begin with";
            return Err(Refusal::unfit(what, Some(hint.to_owned())));
        }
        let balancers = self.balancers().await?;
        let old = balancers.iter().find(|balancer| leads_to(&sets, &balancer.dns_name)).cloned();
        let to = new_side(wanted, &balancers, old.as_ref(), beside)?;
        let already = match &to {
            NewSide::Balancer { balancer, .. } => {
                leads_to(&sets, &balancer.dns_name).then_some(&balancer.name)
            }
            NewSide::Cname(to) => leads_to(&sets, &Name::new(to)).then_some(to),
            NewSide::Unknown => None,
        };
        if let Some(already) = already {
            return Err(Refusal::unfit(format!("{name} leads to {already} already"), None));
        }
        let side = match &to {
            NewSide::Balancer { balancer, .. } => Some(balancer),
            _ => old.as_ref(),
        };
        let traffic = self.world.traffic(ACCOUNT)?;
        let plain_http = match side {
            Some(side) => is_plain(&*traffic, side).await?,
            None => false,
        };
        let behind = old.filter(|balancer| balancer.application);
        Ok(FoundRecord { zone: zone.clone(), name: name.clone(), sets, behind, to, plain_http })
    }
}

/// Where the name shall lead: as told, or to where the service stands that is deployed.
fn new_side(
    wanted: &Wanted,
    balancers: &[ListedBalancer],
    old: Option<&ListedBalancer>,
    beside: Option<&ListedBalancer>,
) -> Result<NewSide, Refusal> {
    if let Some(cname) = &wanted.to_cname {
        return Ok(NewSide::Cname(cname.clone()));
    }
    if let Some(name) = &wanted.to_balancer {
        let Some(balancer) = balancers.iter().find(|balancer| balancer.name == *name) else {
            let there = balancers.iter().map(|balancer| balancer.name.clone()).collect();
            return Err(Refusal::absent(format!("there is no load balancer `{name}`"), name, there));
        };
        return Ok(NewSide::Balancer { balancer: balancer.clone(), inferred: false });
    }
    Ok(match beside.filter(|beside| Some(*beside) != old) {
        Some(beside) => NewSide::Balancer { balancer: beside.clone(), inferred: true },
        None => NewSide::Unknown,
    })
}

/// Whether sets lead to this name, by an alias or a CNAME.
fn leads_to(sets: &[RecordSet], to: &Name) -> bool {
    // Consoles put this before the name of a load balancer.
    let bare = |name: &Name| name.as_str().strip_prefix("dualstack.").map_or_else(|| name.clone(), Name::new);
    sets.iter().any(|set| match &set.alias {
        Some(alias) => bare(&alias.name) == bare(to),
        None => set.kind.0 == "CNAME" && set.values.iter().any(|value| bare(&Name::new(value)) == bare(to)),
    })
}

/// Whether it listens on port 80 only.
async fn is_plain(traffic: &dyn ReadTraffic, side: &ListedBalancer) -> Result<bool, Fault> {
    let listeners = traffic.listeners(&side.arn).await?;
    let listens = |port: u16| listeners.iter().any(|listener| listener.port == port);
    Ok(listens(80) && !listens(443))
}

/// The image by digest, if it is named so, or if all tasks tell the same one.
fn pinned(image: &str, container: &str, tasks: &[Task]) -> Option<String> {
    if let Some((_, digest)) = image.split_once('@') {
        return is_digest(digest).then(|| image.to_owned());
    }
    let of = |task: &Task| {
        let own = task.containers.iter().find(|own| own.name == container)?;
        own.image_digest.clone()
    };
    let told: Vec<Option<String>> = tasks.iter().map(of).collect();
    let first = told.first()?.as_deref().filter(|digest| is_digest(digest))?;
    let same = told.iter().all(|digest| digest.as_deref() == Some(first));
    same.then(|| format!("{}@{first}", repository(image)))
}

/// `sha256:…`.
fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// An image without its tag, which stands behind the last slash: a registry may have a port.
fn repository(image: &str) -> &str {
    let path = image.rfind('/').map_or(0, |at| at + 1);
    image[path..].find(':').map_or(image, |at| &image[..path + at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::TaskContainer;

    fn task(digest: Option<&str>) -> Task {
        let container = TaskContainer {
            name: "web".into(),
            exit_code: None,
            reason: None,
            image_digest: digest.map(str::to_owned),
        };
        Task {
            arn: "arn".into(),
            definition: "web:1".into(),
            status: "RUNNING".into(),
            stop_code: None,
            stopped_reason: None,
            started_by: None,
            containers: vec![container],
        }
    }

    #[test]
    fn an_image_is_pinned_where_all_that_runs_is_the_same() {
        let (one, two) = (format!("sha256:{}", "1".repeat(64)), format!("sha256:{}", "2".repeat(64)));
        let by_tag = "registry:5000/web:1.7";
        let of = |image: &str, digests: &[Option<&str>]| {
            let tasks: Vec<Task> = digests.iter().map(|digest| task(*digest)).collect();
            pinned(image, "web", &tasks)
        };
        let expected = Some(format!("registry:5000/web@{one}"));
        assert_eq!(of(by_tag, &[Some(&one), Some(&one)]), expected);
        assert_eq!(of("registry:5000/web", &[Some(&one)]), expected);
        assert_eq!(of("web", &[Some(&one)]), Some(format!("web@{one}")));
        assert_eq!(of(&format!("web@{one}"), &[]), Some(format!("web@{one}")));
        for digests in
            [&[][..], &[None], &[Some(&*one), Some(&*two)], &[Some(&*one), None], &[Some("latest")]]
        {
            assert_eq!(of(by_tag, digests), None, "{digests:?}");
        }
        assert_eq!(of("web@sha256:short", &[Some(&one)]), None);
        assert_eq!(pinned(by_tag, "other", &[task(Some(&one))]), None);
    }
}
