//! What runs in a derived world: the services of the plan behind the sides that they are deployed to, what stands behind the
//! other load balancers, and the programs that are run once.

use super::super::file::{
    App, Behaviour, CheckFile, ContainerFile, DefinitionFile, ServiceFile, Span, StatedAnswer, StrategyFile,
    WorldFile,
};
use super::answers::Stated;
use super::facts::{Facts, FoundDefinition};
use super::sides::{Sides, at_first};
use crate::port::need::{ANY, Asker, Need, Runs};
use crate::port::{Attribute, Owner, Scaling};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a task takes to run.
const STARTS: u64 = 15;
/// How long a job runs.
const RUNS: u64 = 60;
/// How long a new task is given to become healthy.
const GRACE: u64 = 60;
/// How far a service may be scaled out at least.
const MOST: u32 = 10;
/// Where services listen.
const PORT: u16 = 8080;
/// Where it is that the plan does not say.
const ELSEWHERE: &str = "elsewhere";
/// Names of what shows pages: it takes all requests that nobody else takes.
const PAGES: [&str; 6] = ["front", "web", "ui", "site", "www", "page"];

/// Services and jobs.
#[derive(Default)]
pub(super) struct Compute {
    services: Vec<Service>,
    jobs: BTreeMap<String, Job>,
    clusters: BTreeSet<String>,
    rules: Vec<Dealt>,
    /// How long targets that leave are waited for at first, by target group.
    delays: BTreeMap<String, Span>,
}

/// A rule whose requests the plan shifts to a target group, which has the name of its service.
struct Dealt {
    balancer: String,
    priority: Option<u32>,
    group: String,
    tasks: u32,
}

/// A service of the plan.
struct Service {
    cluster: String,
    name: String,
    tasks: u32,
    balancer: Option<String>,
    /// Images that it is set to, by container, one after the other.
    images: Vec<(String, String)>,
    /// Definitions that it is set to.
    definitions: Vec<FoundDefinition>,
    /// What it really runs.
    found: Option<FoundDefinition>,
    /// The plan sets its bounds: what they really are, or what they are not set to.
    scaling: Option<Scaling>,
}

/// A definition that is run once.
#[derive(Default)]
struct Job {
    revision: u32,
    containers: BTreeMap<String, String>,
}

impl Compute {
    pub(super) fn read(
        &mut self,
        needs: &[(Asker, Need)],
        facts: &Facts,
        sides: &Sides<'_>,
        opaque: &mut Vec<(Asker, String)>,
    ) {
        for (asker, need) in needs {
            match need {
                Need::Service { cluster, name, runs, tasks, .. } => {
                    let known = self.service(short(cluster), short(name), facts, sides);
                    known.tasks = known.tasks.max(*tasks);
                    if let Err(why) = known.runs(runs, facts) {
                        opaque.push((*asker, why));
                    }
                }
                Need::Scaling { cluster, name, least, most, .. } => {
                    let key = (short(cluster).to_owned(), short(name).to_owned());
                    let made_up = Scaling {
                        min: u32::from(*least != Some(1)),
                        max: most.or(*least).unwrap_or_default() * 2 + MOST,
                    };
                    let known = self.service(&key.0, &key.1, facts, sides);
                    known.scaling = facts.scaling.get(&key).copied().or(known.scaling).or(Some(made_up));
                }
                Need::Definition { cluster, name, container, .. } => {
                    self.clusters.insert(short(cluster).into());
                    if name.contains(ANY) {
                        opaque.push((*asker, "which definition is run is known only in the run".into()));
                        continue;
                    }
                    self.job(&definition(name, facts), container.as_deref());
                }
                Need::Rule { balancer, priority, group, tasks, .. } => self.rules.push(Dealt {
                    balancer: balancer.clone(),
                    priority: *priority,
                    group: group.clone(),
                    tasks: *tasks,
                }),
                Need::Attributes { owner: Owner::TargetGroup, name, to, .. } => {
                    let Some(wanted) = to.get(&Attribute::DeregistrationDelay) else { continue };
                    let found =
                        facts.groups.get(name).and_then(|found| found.get(&Attribute::DeregistrationDelay));
                    let first =
                        found.copied().unwrap_or_else(|| at_first(Attribute::DeregistrationDelay, *wanted));
                    self.delays.insert(name.clone(), Span(first));
                }
                _ => {}
            }
        }
    }

    fn service(&mut self, cluster: &str, name: &str, facts: &Facts, sides: &Sides<'_>) -> &mut Service {
        let place = self.services.iter().position(|known| known.cluster == cluster && known.name == name);
        let place = place.unwrap_or_else(|| {
            self.clusters.insert(cluster.into());
            let found = facts.services.get(&(cluster.to_owned(), name.to_owned())).cloned();
            // A target group has the name of its service, whatever the cluster.
            let taken = self.services.iter().any(|known| known.name == name);
            let balancer = match &found {
                Some(found) if found.groups.is_empty() => None,
                Some(found) => facts.behind(&found.groups).cloned().or_else(|| likely(cluster, name, sides)),
                None => likely(cluster, name, sides),
            };
            self.services.push(Service {
                cluster: cluster.into(),
                name: name.into(),
                tasks: 0,
                balancer: balancer.filter(|_| !taken),
                images: Vec::new(),
                definitions: Vec::new(),
                found,
                scaling: None,
            });
            self.services.len() - 1
        });
        &mut self.services[place]
    }

    fn job(&mut self, found: &FoundDefinition, container: Option<&str>) {
        let job = self.jobs.entry(found.family.clone()).or_default();
        job.revision = found.revision;
        if found.containers.is_empty() {
            let name = container.unwrap_or(&found.family);
            job.containers.insert(name.into(), made_up(&found.family, name));
        }
        job.containers.extend(found.containers.iter().map(|(name, image, _)| (name.clone(), image.clone())));
    }

    /// Puts all of it in the file.
    pub(super) fn write(self, stated: &Stated, sides: &Sides<'_>, file: &mut WorldFile) {
        for cluster in &self.clusters {
            file.clusters.entry(cluster.clone()).or_default();
        }
        let jobs: BTreeSet<String> = self.jobs.keys().cloned().collect();
        for (family, job) in self.jobs {
            let behaviour = Behaviour {
                app: App::Job,
                starts_in: Some(Span::seconds(STARTS)),
                runs_for: Some(Span::seconds(RUNS)),
                ..Behaviour::default()
            };
            let container = |(name, image): (String, String)| (name, container(image, None));
            let images = job.containers.values().map(|image| (image.clone(), behaviour.clone()));
            file.images.extend(images);
            let containers = job.containers.into_iter().map(container).collect();
            file.task_definitions.insert(family, DefinitionFile { revision: job.revision, containers });
        }
        let paths = paths(&self.services, stated);
        let none: Arc<[StatedAnswer]> = Arc::default();
        for (service, paths) in self.services.into_iter().zip(paths) {
            let answers = service.balancer.as_ref().and_then(|name| stated.get(name)).unwrap_or(&none);
            service.write(paths, answers, &jobs, file);
        }
        for (balancer, users) in sides.names() {
            let served = file.clusters.values().flat_map(BTreeMap::values);
            if served.filter_map(|service| service.load_balancer.as_deref()).all(|name| name != balancer) {
                let answers = stated.get(balancer).unwrap_or(&none);
                elsewhere(&format!("{balancer}-app"), balancer, users, answers, file);
            }
        }
        for rule in &self.rules {
            rule.write(stated.get(&rule.balancer).unwrap_or(&none), file);
        }
        let first = sides.names().next().map(|(name, _)| name.to_owned()).unwrap_or_default();
        for (group, delay) in self.delays {
            if !file.clusters.values().any(|services| services.contains_key(&group)) {
                elsewhere(&group, &first, false, stated.get(&first).unwrap_or(&none), file);
            }
            for service in file.clusters.values_mut().filter_map(|services| services.get_mut(&group)) {
                service.load_balancer.get_or_insert_with(|| first.clone());
                service.check.deregistration_delay = delay;
            }
        }
    }
}

impl Dealt {
    /// All of its requests go to somebody else at first.
    fn write(&self, answers: &Arc<[StatedAnswer]>, file: &mut WorldFile) {
        let (balancer, group) = (&self.balancer, &self.group);
        let paths: Vec<String> = self.priority.map(|_| "/*".to_owned()).into_iter().collect();
        let known = |file: &WorldFile| file.clusters.values().any(|services| services.contains_key(group));
        if !known(file) {
            elsewhere(group, balancer, true, answers, file);
        }
        let own = |name: &str, service: &ServiceFile| {
            name != group && service.load_balancer.as_ref() == Some(balancer) && service.paths == paths
        };
        let mut others = file.clusters.values().flatten();
        if !others.any(|(name, service)| own(name, service)) {
            let name = elsewhere(&format!("{balancer}-before"), balancer, true, answers, file);
            for service in file.clusters.values_mut().filter_map(|services| services.get_mut(&name)) {
                service.paths.clone_from(&paths);
            }
        }
        for (name, service) in file.clusters.values_mut().flatten() {
            if name == group {
                service.desired = service.desired.max(self.tasks);
                service.load_balancer = Some(balancer.clone());
                service.paths.clone_from(&paths);
                (service.priority, service.weight) = (self.priority, Some(0));
            } else if own(name, service) {
                (service.priority, service.weight) = (self.priority, Some(1));
            }
        }
    }
}

impl Service {
    fn runs(&mut self, runs: &Runs, facts: &Facts) -> Result<(), String> {
        match runs {
            Runs::Images(images) => {
                let known = images.iter().filter(|(_, image)| !image.contains(ANY));
                self.images.extend(known.cloned());
                let unknown = images.iter().find(|(_, image)| image.contains(ANY));
                unknown.map_or(Ok(()), |(name, _)| {
                    self.images.push((name.clone(), made_up(&self.name, name)));
                    Err(format!("which image {name} of {} gets is known only in the run", self.name))
                })
            }
            Runs::Definition(name) if name.contains(ANY) => {
                Err(format!("which definition {} gets is known only in the run", self.name))
            }
            Runs::Definition(name) => {
                self.definitions.push(definition(name, facts));
                Ok(())
            }
            Runs::AsItIs => Ok(()),
        }
    }

    fn write(
        self,
        paths: Vec<String>,
        answers: &Arc<[StatedAnswer]>,
        jobs: &BTreeSet<String>,
        file: &mut WorldFile,
    ) {
        let behaviour = Behaviour {
            app: App::Stated,
            starts_in: Some(Span::seconds(STARTS)),
            answers: answers.clone(),
            ..Behaviour::default()
        };
        for mut wanted in self.definitions {
            if wanted.containers.is_empty() {
                wanted.containers.push((self.name.clone(), made_up(&wanted.family, &self.name), Some(PORT)));
            }
            put(&wanted.family.clone(), &wanted, &behaviour, file);
        }
        for (_, image) in &self.images {
            add_image(image, &behaviour, file);
        }
        let running = self.found.unwrap_or_else(|| FoundDefinition {
            family: self.name.clone(),
            revision: 1,
            containers: before(&self.name, &self.images),
            desired: self.tasks.max(2),
            groups: Vec::new(),
            deployment: StrategyFile::default(),
        });
        // A family is in a world once, and what is run once must end.
        let taken = |family: &str, file: &WorldFile| {
            let same = |known: &DefinitionFile| known.revision == running.revision && !jobs.contains(family);
            file.task_definitions.get(family).is_some_and(|known| !same(known))
        };
        let mut family = running.family.clone();
        for suffix in ["service", "before", "running"] {
            if taken(&family, file) {
                family = format!("{}-{suffix}", running.family);
            }
        }
        put(&family, &running, &behaviour, file);
        let service = ServiceFile {
            task_definition: family,
            scaling: self.scaling.map(|s| Scaling { max: s.max.max(running.desired), ..s }),
            desired: running.desired,
            load_balancer: self.balancer,
            paths,
            priority: None,
            weight: None,
            check: CheckFile { path: "/health/ready".into(), ..CheckFile::default() },
            grace: Span::seconds(GRACE),
            breaker: super::super::file::Breaker::default(),
            deployment: running.deployment,
            capacity: None,
        };
        file.clusters.entry(self.cluster).or_default().insert(self.name, service);
    }
}

/// A definition with its images.
fn put(family: &str, found: &FoundDefinition, behaviour: &Behaviour, file: &mut WorldFile) {
    let containers = found.containers.iter().map(|(name, image, port)| {
        add_image(image, behaviour, file);
        (name.clone(), container(image.clone(), *port))
    });
    let containers = containers.collect();
    file.task_definitions.insert(family.into(), DefinitionFile { revision: found.revision, containers });
}

/// An image that may run in several services answers what is asked of any of them.
fn add_image(image: &str, behaviour: &Behaviour, file: &mut WorldFile) {
    let Some(known) = file.images.get_mut(image) else {
        file.images.insert(image.to_owned(), behaviour.clone());
        return;
    };
    if known.app == App::Stated && known.answers != behaviour.answers {
        let new = |answer: &&StatedAnswer| {
            !known.answers.iter().any(|old| old.method == answer.method && old.path == answer.path)
        };
        let all = known.answers.iter().chain(behaviour.answers.iter().filter(new));
        let mut all: Vec<StatedAnswer> = all.cloned().collect();
        all.sort_by_key(|answer| answer.path.contains(ANY));
        known.answers = all.into();
    }
}

/// What stands behind a load balancer that the plan says nothing of; returns what it is called.
fn elsewhere(
    wish: &str,
    balancer: &str,
    users: bool,
    answers: &Arc<[StatedAnswer]>,
    file: &mut WorldFile,
) -> String {
    let image = made_up(wish.strip_suffix("-app").unwrap_or(wish), "app");
    let behaviour = Behaviour {
        app: App::Stated,
        starts_in: Some(Span::seconds(STARTS)),
        answers: answers.clone(),
        ..Behaviour::default()
    };
    let mut name = wish.to_owned();
    while file.task_definitions.contains_key(&name) || file.clusters.values().any(|c| c.contains_key(&name)) {
        name.push_str("-app");
    }
    file.images.insert(image.clone(), behaviour);
    let containers = [("app".to_owned(), container(image, Some(PORT)))].into();
    file.task_definitions.insert(name.clone(), DefinitionFile { revision: 1, containers });
    let service = ServiceFile {
        task_definition: name.clone(),
        scaling: None,
        desired: if users { 2 } else { 1 },
        load_balancer: Some(balancer.into()),
        paths: Vec::new(),
        priority: None,
        weight: None,
        check: CheckFile { path: "/health/ready".into(), every: Span::seconds(30), ..CheckFile::default() },
        grace: Span::seconds(GRACE),
        breaker: super::super::file::Breaker::default(),
        deployment: StrategyFile::default(),
        capacity: None,
    };
    file.clusters.entry(ELSEWHERE.into()).or_default().insert(name.clone(), service);
    name
}

fn container(image: String, port: Option<u16>) -> ContainerFile {
    ContainerFile { image, port, command: Vec::new(), environment: BTreeMap::new() }
}

/// The load balancer that a service is likely behind: the one that has most words of its name and its cluster's.
fn likely(cluster: &str, name: &str, sides: &Sides<'_>) -> Option<String> {
    let words: BTreeSet<&str> = cluster.split(['-', '_']).chain(name.split(['-', '_'])).collect();
    let alike = |balancer: &str| balancer.split(['-', '_']).filter(|word| words.contains(word)).count();
    let mut best: Option<(usize, &str)> = None;
    for balancer in sides.deployable() {
        let alike = alike(balancer);
        if best.is_none_or(|(most, _)| alike > most) {
            best = Some((alike, balancer));
        }
    }
    best.map(|(_, balancer)| balancer.to_owned())
}

/// Which paths each service takes. One of those behind a load balancer takes all that the others do not: what shows pages,
/// or the last; the others are dealt the paths that are asked for.
fn paths(services: &[Service], stated: &Stated) -> Vec<Vec<String>> {
    let mut paths = vec![Vec::new(); services.len()];
    let balancers: BTreeSet<&String> =
        services.iter().filter_map(|service| service.balancer.as_ref()).collect();
    for balancer in balancers {
        let behind: Vec<usize> = (0..services.len())
            .filter(|place| services[*place].balancer.as_ref() == Some(balancer))
            .collect();
        let shows = |place: &&usize| PAGES.iter().any(|word| services[**place].name.contains(word));
        let rest = behind.iter().rfind(shows).or(behind.last()).copied();
        let others: Vec<usize> = behind.into_iter().filter(|place| Some(*place) != rest).collect();
        if others.is_empty() {
            continue;
        }
        let first = |answer: &StatedAnswer| {
            let segment = answer.path.trim_start_matches('/').split('/').next().unwrap_or_default();
            (!segment.is_empty() && segment != ANY).then(|| segment.to_owned())
        };
        let asked: BTreeSet<String> =
            stated.get(balancer).into_iter().flat_map(|answers| answers.iter().filter_map(first)).collect();
        for (turn, segment) in asked.into_iter().enumerate() {
            let named = others.iter().find(|place| services[**place].name.contains(&segment));
            let place = *named.unwrap_or(&others[turn % others.len()]);
            paths[place].push(format!("/{segment}*"));
        }
        for place in others {
            if paths[place].is_empty() {
                paths[place].push(format!("/{}/*", services[place].name));
            }
        }
    }
    paths
}

/// What a service runs before it is set to images: earlier ones of the same repositories.
fn before(service: &str, images: &[(String, String)]) -> Vec<(String, String, Option<u16>)> {
    if images.is_empty() {
        return vec![(service.into(), made_up(service, service), Some(PORT))];
    }
    let mut found: Vec<(String, String, Option<u16>)> = Vec::new();
    for (name, image) in images {
        if !found.iter().any(|(known, ..)| known == name) {
            found.push((name.clone(), earlier(image), Some(PORT)));
        }
    }
    found
}

/// Another image of the same repository.
fn earlier(image: &str) -> String {
    let repository = image.split_once('@').map_or(image, |(repository, _)| repository);
    let tag = repository.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let repository = tag.map_or(repository, |(repository, _)| repository);
    format!("{repository}@sha256:{}", digest(&format!("before {image}")))
}

fn made_up(family: &str, container: &str) -> String {
    format!("derived/{family}@sha256:{}", digest(&format!("{family}/{container}")))
}

fn digest(of: &str) -> String {
    let bytes = Sha256::digest(of);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The last part of an ARN, or the name itself.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// A definition by family, `family:revision` or ARN.
fn definition(name: &str, facts: &Facts) -> FoundDefinition {
    if let Some(found) = facts.definitions.get(name) {
        return found.clone();
    }
    let name = short(name);
    let (family, revision) = name.rsplit_once(':').unwrap_or((name, ""));
    let revision = revision.parse().unwrap_or(1);
    FoundDefinition { family: family.into(), revision, ..FoundDefinition::default() }
}
