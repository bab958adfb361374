//! A world in memory behind the ports: a zone with lagging name servers, services, tasks, load balancers and their
//! metrics, and whatever answers requests and commands. Time passes only when somebody waits.

mod sources;
mod traffic;
mod zone;

pub(super) use traffic::target_group;
pub(super) use zone::{Resolver, checked};

use super::stages::rollout;
use crate::plan::{Scope, Timestamp};
use crate::port::dns::{Alias, HealthCheck, Name, RecordSet, RecordType};
use crate::port::{
    Alarm, Answered, Attributes, CapacityProvider, Clock, Command, Deployment, DeploymentFilter,
    DeploymentStatus, Image, Lines, LoadBalancer, LogQuery, Metric, Named, Output, Owner, Parameter,
    Placement, Presence, Pull, Query, ReadCompute, ReadDns, ReadFiles, ReadHttp, ReadMetrics, ReadParameters,
    ReadPermissions, ReadProcess, ReadQueries, ReadTraffic, ReadWorld, Reads, Request, Response, Rollout,
    Rule, RunTask, Scaling, Service, ServiceDeployment, SetScaling, Stop, Strategy, Task, TaskContainer,
    TaskDefinition, TaskFilter, UpdateService, Urgency, WriteCompute, WriteDns, WriteHttp, WriteProcess,
    WriteTraffic, WriteWorld, Writes,
};
use crate::run::Fault;
use async_trait::async_trait;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What the step is named.
pub(super) const STEP: &str = "run-0";

/// What becomes of the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is not carried out, and nobody hears of it.
    LostBefore,
    /// It is carried out, and nobody hears of it.
    LostAfter,
}

type Answering = Box<dyn FnMut(&Request) -> Result<Response, Fault> + Send>;
type Running = Box<dyn FnMut(&Command) -> Output + Send>;
type Measuring = Box<dyn Fn(&Metric, Timestamp) -> Option<f64> + Send>;
type Logging = Box<dyn Fn(&LogQuery) -> Option<Lines> + Send>;
type Querying = Box<dyn Fn(&Query, Timestamp) -> Result<Answered, Fault> + Send>;

/// Everything that is.
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) fate: Option<Fate>,
    /// Calls that write, in order, as they reached the world.
    pub(super) writes: Vec<String>,
    // The zone: what was listed since when.
    pub(super) listings: Vec<(Timestamp, Vec<RecordSet>)>,
    /// Whom the parent of the zone names.
    pub(super) delegation: Vec<Name>,
    /// How long each authority is behind.
    pub(super) lags: Vec<Duration>,
    /// This one is silent.
    pub(super) silent: Option<usize>,
    /// Nothing on port 53 answers from here.
    pub(super) blocked: bool,
    /// Only resolvers inside its network answer from it.
    pub(super) private: bool,
    /// A public resolver, if one is named.
    pub(super) resolver: Option<Resolver>,
    pub(super) insync_after: Duration,
    /// The provider knows no change.
    pub(super) forgetful: bool,
    pub(super) changes: Vec<Timestamp>,
    pub(super) addresses: BTreeMap<Name, Vec<IpAddr>>,
    /// What is said of health checks, by their ids; of others that they pass.
    pub(super) health_checks: BTreeMap<String, Result<Option<HealthCheck>, Fault>>,
    // Compute.
    pub(super) services: BTreeMap<String, Service>,
    pub(super) definitions: Vec<TaskDefinition>,
    pub(super) tasks: Vec<Task>,
    /// Nobody may look at tasks, and this is why.
    pub(super) hidden: Option<Fault>,
    pub(super) healthy: BTreeMap<String, usize>,
    /// Target groups that were deleted.
    pub(super) deleted: Vec<String>,
    /// What is said of images, by their names; of others that they can be pulled.
    pub(super) pulls: BTreeMap<String, Pull>,
    /// What is said of capacity providers.
    pub(super) providers: Vec<CapacityProvider>,
    /// How many instances are registered, or why nobody may ask; nobody should, where there is nothing.
    pub(super) instances: Option<Result<u32, Fault>>,
    /// What is said of what definitions name; of others that it is there.
    pub(super) present: BTreeMap<Named, Presence>,
    /// What was asked for of that.
    pub(super) sought: Vec<Named>,
    /// Service deployments, the newest first.
    pub(super) rollouts: Vec<ServiceDeployment>,
    /// Nobody may ask for service deployments, and this is why.
    pub(super) closed: Option<Fault>,
    /// How they stand once somebody calls to turn one back.
    pub(super) meanwhile: Option<Vec<ServiceDeployment>>,
    /// By service; those that are not in here are not scaled.
    pub(super) scaling: BTreeMap<String, Scaling>,
    // The rest.
    pub(super) balancers: Vec<LoadBalancer>,
    /// Of one load balancer that listens at 443 and 80.
    pub(super) rules: Vec<Rule>,
    pub(super) groups: Vec<String>,
    /// By what has them and its ARN.
    pub(super) attributes: BTreeMap<(Owner, String), Attributes>,
    /// What is asked does not come through, and this is why.
    pub(super) cut_off: Option<Fault>,
    pub(super) measure: Measuring,
    pub(super) complete: bool,
    pub(super) files: Result<Vec<&'static str>, Fault>,
    pub(super) alarms: Vec<Alarm>,
    pub(super) parameter: Option<Parameter>,
    pub(super) lines: Logging,
    /// The lines of a log, by group and stream.
    pub(super) said: BTreeMap<(String, String), Vec<String>>,
    pub(super) query: Querying,
    pub(super) answer: Answering,
    /// How long each answer takes.
    pub(super) takes: Duration,
    pub(super) asked: Vec<Request>,
    pub(super) run: Running,
    /// The command of this call has outlived who started it.
    pub(super) alive: bool,
}

/// The world.
#[derive(Clone)]
pub(super) struct World(Arc<Inner>);

struct Inner {
    state: Arc<Mutex<State>>,
    scope: Scope,
}

pub(super) const START: Timestamp = Timestamp(1_800_000_000_000);

impl World {
    pub(super) fn new() -> Self {
        let state = State {
            now: START,
            fate: None,
            writes: Vec::new(),
            listings: vec![(Timestamp::PAST, Vec::new())],
            delegation: vec![Name::new("ns0.example"), Name::new("ns1.example")],
            lags: vec![Duration::ZERO; 2],
            silent: None,
            blocked: false,
            private: false,
            resolver: None,
            insync_after: Duration::ZERO,
            forgetful: false,
            changes: Vec::new(),
            addresses: BTreeMap::new(),
            health_checks: BTreeMap::new(),
            services: BTreeMap::new(),
            definitions: Vec::new(),
            tasks: Vec::new(),
            hidden: None,
            healthy: BTreeMap::new(),
            deleted: Vec::new(),
            rollouts: Vec::new(),
            closed: None,
            meanwhile: None,
            scaling: BTreeMap::new(),
            pulls: BTreeMap::new(),
            providers: Vec::new(),
            instances: None,
            present: BTreeMap::new(),
            sought: Vec::new(),
            balancers: Vec::new(),
            rules: Vec::new(),
            groups: vec![target_group("tg")],
            attributes: BTreeMap::new(),
            cut_off: None,
            measure: Box::new(|_, _| None),
            complete: true,
            files: Ok(Vec::new()),
            alarms: Vec::new(),
            parameter: None,
            lines: Box::new(|_| None),
            said: BTreeMap::new(),
            query: Box::new(|_, _| Ok(Answered::default())),
            answer: Box::new(|_| Err(Fault::transient("nobody answers"))),
            takes: Duration::ZERO,
            asked: Vec::new(),
            run: Box::new(|_| output(127, "")),
            alive: false,
        };
        let mut scope = Scope::default();
        scope.secrets.insert("token".into(), "s3cr3t-token".into());
        Self(Arc::new(Inner { state: Arc::new(Mutex::new(state)), scope }))
    }

    /// The same world, as a run sees it.
    pub(super) fn seen_by(&self, change: impl FnOnce(&mut Scope)) -> Self {
        let mut scope = self.0.scope.clone();
        change(&mut scope);
        Self(Arc::new(Inner { state: self.0.state.clone(), scope }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(super) fn pass(&self, time: Duration) {
        let mut state = self.state();
        state.now = state.now.after(time);
    }

    pub(super) fn reads(&self) -> Reads<'_> {
        Reads { world: self, step: STEP, scope: &self.0.scope, progress: &|_| () }
    }

    pub(super) fn writes<'a>(&'a self, token: &'a str, stop: &'a Stop) -> Writes<'a> {
        let until = self.state().now.after(Duration::from_secs(60));
        Writes { world: self, step: STEP, scope: &self.0.scope, progress: &|_| (), token, until, stop }
    }

    /// Somebody else writes the record.
    pub(super) fn list(&self, sets: Vec<RecordSet>) {
        let mut state = self.state();
        let now = state.now;
        state.listings.push((now, sets));
    }

    pub(super) fn listed(&self) -> Vec<RecordSet> {
        self.state().listings.last().unwrap().1.clone()
    }

    /// Something is asked of it.
    fn asked(&self) -> Result<MutexGuard<'_, State>, Fault> {
        let state = self.state();
        state.cut_off.clone().map_or(Ok(state), Err)
    }

    fn written(&self, what: String, carry_out: impl FnOnce(&mut State)) -> Result<(), Fault> {
        let mut state = self.state();
        match state.fate.take() {
            Some(Fate::LostBefore) => return Err(Fault::lost("the connection broke")),
            fate => {
                state.writes.push(what);
                carry_out(&mut state);
                if fate == Some(Fate::LostAfter) {
                    return Err(Fault::lost("the connection broke"));
                }
            }
        }
        Ok(())
    }
}

pub(super) fn record(name: &str, kind: &str, ttl: u32, values: &[&str]) -> RecordSet {
    RecordSet {
        name: Name::new(name),
        kind: RecordType(kind.into()),
        ttl: Some(ttl),
        values: values.iter().map(ToString::to_string).collect(),
        alias: None,
        extra: BTreeMap::new(),
    }
}

pub(super) fn alias(name: &str, kind: &str, to: &str) -> RecordSet {
    let alias = Alias { name: Name::new(to), zone_id: "ZLB".into(), evaluate_health: false };
    RecordSet { ttl: None, values: Vec::new(), alias: Some(alias), ..record(name, kind, 0, &[]) }
}

pub(super) fn output(code: i32, stdout: &str) -> Output {
    Output { code: Some(code), stdout: stdout.into(), stderr: String::new(), stopped: false }
}

pub(super) fn response(status: u16, body: &str) -> Response {
    let elapsed = Duration::from_millis(20);
    Response { status, headers: Vec::new(), body: body.as_bytes().to_vec(), elapsed, address: None }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        self.state().now
    }
    async fn sleep_until(&self, moment: Timestamp) {
        let mut state = self.state();
        state.now = state.now.max(moment);
    }
}

impl ReadWorld for World {
    fn clock(&self) -> &dyn Clock {
        self
    }
    fn dns(&self, _: &str) -> Result<Arc<dyn ReadDns>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn compute(&self, _: &str) -> Result<Arc<dyn ReadCompute>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn traffic(&self, _: &str) -> Result<Arc<dyn ReadTraffic>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn metrics(&self, _: &str) -> Result<Arc<dyn ReadMetrics>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn parameters(&self, _: &str) -> Result<Arc<dyn ReadParameters>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn permissions(&self, _: &str) -> Result<Arc<dyn ReadPermissions>, Fault> {
        Err(Fault::permanent("no step asks what it may do"))
    }
    fn queries(&self, _: &str) -> Result<Arc<dyn ReadQueries>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn files(&self) -> &dyn ReadFiles {
        self
    }
    fn http(&self) -> &dyn ReadHttp {
        self
    }
    fn process(&self) -> &dyn ReadProcess {
        self
    }
}

impl WriteWorld for World {
    fn change_dns(&self, _: &str, _: Timestamp) -> Result<Arc<dyn WriteDns>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn change_compute(&self, _: &str, _: Timestamp) -> Result<Arc<dyn WriteCompute>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn change_traffic(&self, _: &str, _: Timestamp) -> Result<Arc<dyn WriteTraffic>, Fault> {
        Ok(Arc::new(self.clone()))
    }
    fn send_http(&self) -> &dyn WriteHttp {
        self
    }
    fn run_process(&self) -> &dyn WriteProcess {
        self
    }
    fn as_reads(&self) -> &dyn ReadWorld {
        self
    }
    fn serving(self: Arc<Self>, _: Urgency) -> Arc<dyn WriteWorld> {
        self
    }
}

/// A definition of one container named `app`.
pub(super) fn definition(family: &str, revision: u32, image: &str) -> TaskDefinition {
    let content = serde_json::json!({
        "containerDefinitions": [{"name": "app", "image": image}],
        "family": family,
    });
    defined(family, revision, &content)
}

fn defined(family: &str, revision: u32, content: &Json) -> TaskDefinition {
    let containers = content["containerDefinitions"].as_array().unwrap().iter();
    let container = |c: &Json| crate::port::Container {
        name: c["name"].as_str().unwrap().into(),
        image: c["image"].as_str().unwrap().into(),
    };
    TaskDefinition {
        arn: format!("arn:aws:ecs:eu-west-1:1:task-definition/{family}:{revision}"),
        family: family.into(),
        active: true,
        containers: containers.map(container).collect(),
        content: content.clone(),
    }
}

/// A service of two tasks that is settled on a definition.
pub(super) fn service(name: &str, definition: &str) -> Service {
    Service {
        name: name.into(),
        status: "ACTIVE".into(),
        desired: 2,
        running: 2,
        definition: definition.into(),
        deployments: vec![deployment("ecs-svc/0", definition, Rollout::Completed)],
        target_groups: vec!["arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/tg/1".into()],
        alternates: Vec::new(),
        strategy: Strategy::default(),
        placement: Placement::default(),
        events: Vec::new(),
        network: Some(serde_json::json!({"launchType": "FARGATE"})),
    }
}

pub(super) fn deployment(id: &str, definition: &str, rollout: Rollout) -> Deployment {
    let running = if rollout == Rollout::Completed { 2 } else { 0 };
    Deployment {
        id: id.into(),
        primary: true,
        definition: definition.into(),
        rollout,
        reason: None,
        desired: 2,
        running,
        failed: 0,
    }
}

impl World {
    /// The deployment under way is complete: its tasks run from these digests.
    pub(super) fn complete(&self, name: &str, digest: &str) {
        let mut state = self.state();
        let service = state.services.get_mut(name).unwrap();
        service.deployments.truncate(1);
        let primary = &mut service.deployments[0];
        (primary.rollout, primary.running) = (Rollout::Completed, primary.desired);
        let definition = primary.definition.clone();
        state.tasks = vec![task("arn:task/1", &definition, "RUNNING", None, Some(digest))];
    }

    /// The provider gives a deployment up and goes back to a definition by a deployment of its own.
    pub(super) fn break_circuit(&self, name: &str, back_to: &str) {
        let mut state = self.state();
        let service = state.services.get_mut(name).unwrap();
        let failed = service.deployments[0].id.clone();
        service.events.insert(0, format!("(deployment {failed}) deployment failed: tasks failed to start."));
        let given_up = service.deployments[0].definition.clone();
        let mut back = deployment("ecs-svc/breaker", back_to, Rollout::Completed);
        back.reason = Some("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0".into());
        service.definition = back_to.into();
        service.deployments = vec![back];
        let mut stopped = task("arn:task/9", &given_up, "STOPPED", None, None);
        stopped.stopped_reason = Some("CannotPullContainerError: no such image".into());
        let mut other = task("arn:task/8", back_to, "STOPPED", None, None);
        other.stopped_reason = Some("Scaling activity initiated by deployment".into());
        state.tasks.extend([other, stopped]);
    }
}

pub(super) fn task(
    arn: &str,
    definition: &str,
    status: &str,
    exit_code: Option<i32>,
    digest: Option<&str>,
) -> Task {
    Task {
        arn: arn.into(),
        definition: definition.into(),
        status: status.into(),
        stop_code: (status == "STOPPED").then(|| "EssentialContainerExited".into()),
        stopped_reason: None,
        started_by: None,
        containers: vec![TaskContainer {
            name: "app".into(),
            exit_code,
            reason: None,
            image_digest: digest.map(str::to_owned),
        }],
    }
}

#[async_trait]
impl ReadCompute for World {
    async fn service(&self, _: &str, service: &str) -> Result<Option<Service>, Fault> {
        Ok(self.asked()?.services.get(service).cloned())
    }
    async fn definition(&self, name: &str) -> Result<Option<TaskDefinition>, Fault> {
        let state = self.state();
        let named = |d: &&TaskDefinition| d.arn == name || d.arn.ends_with(&format!("/{name}"));
        let newest = state.definitions.iter().rev().find(|d| d.family == name && d.active);
        Ok(state.definitions.iter().find(named).or(newest).cloned())
    }
    async fn tasks(&self, _: &str, filter: &TaskFilter) -> Result<Vec<Task>, Fault> {
        let fits = |task: &&Task| match filter {
            TaskFilter::Service(_) => task.status == "RUNNING" && task.started_by.is_none(),
            TaskFilter::StoppedOf(_) => task.status == "STOPPED" && task.started_by.is_none(),
            TaskFilter::Named(arn) => task.arn == *arn,
            TaskFilter::StartedBy(token) => task.started_by.as_ref() == Some(token),
        };
        let state = self.state();
        match &state.hidden {
            Some(fault) => Err(fault.clone()),
            None => Ok(state.tasks.iter().filter(fits).cloned().collect()),
        }
    }
    async fn service_deployments(
        &self,
        _: &str,
        _: &str,
        filter: &DeploymentFilter,
    ) -> Result<Vec<ServiceDeployment>, Fault> {
        let state = self.asked()?;
        if let Some(fault) = &state.closed {
            return Err(fault.clone());
        }
        let fits = |one: &&ServiceDeployment| match filter {
            DeploymentFilter::UnderWay => one.status.is_under_way(),
            DeploymentFilter::Since(since) => one.created > *since,
            DeploymentFilter::Named(arn) => one.arn == *arn,
        };
        Ok(state.rollouts.iter().filter(fits).cloned().collect())
    }
    async fn scaling(&self, _: &str, service: &str) -> Result<Option<Scaling>, Fault> {
        Ok(self.asked()?.scaling.get(service).copied())
    }
    async fn capacity_providers(&self, _: &str, _: &[String]) -> Result<Vec<CapacityProvider>, Fault> {
        Ok(self.asked()?.providers.clone())
    }
    async fn instances(&self, _: &str) -> Result<u32, Fault> {
        self.state().instances.clone().expect("nobody asks without need")
    }
    async fn pull(&self, image: &Image) -> Pull {
        let state = self.state();
        let known = state.pulls.iter().find(|(name, _)| Image::named(name).as_ref() == Some(image));
        known.map_or(Pull::Can, |(_, pull)| pull.clone())
    }
    async fn named(&self, thing: &Named) -> Presence {
        let mut state = self.state();
        state.sought.push(thing.clone());
        state.present.get(thing).cloned().unwrap_or(Presence::There)
    }
}

#[async_trait]
impl WriteCompute for World {
    async fn register(&self, content: &Json) -> Result<String, Fault> {
        let family = content["family"].as_str().unwrap().to_owned();
        let revision = self.state().definitions.len() + 1;
        let new = defined(&family, u32::try_from(revision).unwrap(), content);
        let arn = new.arn.clone();
        self.written(format!("register {arn}"), |state| state.definitions.push(new))?;
        Ok(arn)
    }
    async fn update(&self, update: &UpdateService) -> Result<String, Fault> {
        let id = format!("ecs-svc/{}", self.state().writes.len() + 1);
        self.written(format!("update {} {:?}", update.definition, update.desired), |state| {
            let service = state.services.get_mut(&update.service).unwrap();
            service.definition.clone_from(&update.definition);
            service.desired = update.desired.unwrap_or(service.desired);
            let mut new = deployment(&id, &update.definition, Rollout::InProgress);
            new.desired = service.desired;
            for old in &mut service.deployments {
                old.primary = false;
            }
            service.deployments.insert(0, new);
            if !service.strategy.is_plain() {
                let arn = format!("arn:service-deployment/{}", state.rollouts.len() + 1);
                state.rollouts.insert(0, rollout(&arn, &update.definition, state.now));
            }
        })?;
        Ok(id)
    }
    async fn turn_back(&self, arn: &str) -> Result<(), Fault> {
        {
            let mut state = self.state();
            state.rollouts = state.meanwhile.take().unwrap_or_else(|| state.rollouts.clone());
            if state.rollouts.iter().all(|one| one.arn != arn || !one.status.is_under_way()) {
                return Err(Fault::permanent("ConflictException: it is over"));
            }
        }
        self.written(format!("turn back {arn}"), |state| {
            let found = state.rollouts.iter_mut().find(|one| one.arn == arn).unwrap();
            found.status = DeploymentStatus::RollbackInProgress;
        })
    }
    async fn run_task(&self, run: &RunTask) -> Result<String, Fault> {
        let arn = format!("arn:task/{}", run.token);
        let what = format!("run {} {:?}", run.definition, run.command);
        self.written(what, |state| {
            let mut new = task(&arn, &run.definition, "RUNNING", None, None);
            new.started_by = Some(run.token.clone());
            if !state.tasks.iter().any(|task| task.started_by == new.started_by) {
                state.tasks.push(new);
            }
        })?;
        Ok(arn)
    }
    async fn stop_task(&self, _: &str, arn: &str, _: &str) -> Result<(), Fault> {
        self.written(format!("stop {arn}"), |state| {
            let task = state.tasks.iter_mut().find(|task| task.arn == arn).unwrap();
            task.status = "STOPPED".into();
        })
    }
    async fn set_scaling(&self, setting: &SetScaling) -> Result<(), Fault> {
        let SetScaling { service, min, max, .. } = setting;
        self.written(format!("scale {service} {min:?} {max:?}"), |state| {
            let found = state.scaling.get_mut(service).unwrap();
            *found = Scaling { min: min.unwrap_or(found.min), max: max.unwrap_or(found.max) };
        })
    }
}

#[async_trait]
impl ReadHttp for World {
    async fn get(&self, request: Request) -> Result<Response, Fault> {
        assert!(matches!(&*request.method, "GET" | "HEAD" | "OPTIONS"), "a look must not write");
        self.respond(request)
    }
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Fault> {
        ReadDns::addresses(self, &Name::new(host)).await
    }
}

#[async_trait]
impl WriteHttp for World {
    async fn send(&self, request: Request) -> Result<Response, Fault> {
        self.respond(request)
    }
}

impl World {
    fn respond(&self, request: Request) -> Result<Response, Fault> {
        let mut state = self.asked()?;
        let answer = (state.answer)(&request);
        state.now = state.now.after(state.takes);
        state.asked.push(request);
        answer
    }
}

#[async_trait]
impl ReadProcess for World {
    async fn query(&self, command: Command) -> Result<Output, Fault> {
        assert!(command.reads, "a look must not write");
        Ok((self.asked()?.run)(&command))
    }

    fn left_of(&self, step: &str) -> Result<Option<String>, Fault> {
        let alive = self.state().alive && step == STEP;
        Ok(alive.then(|| "process group 7".into()))
    }
}

#[async_trait]
impl WriteProcess for World {
    async fn run(&self, command: Command, _: &Stop) -> Result<Output, Fault> {
        let mut out = output(0, "");
        self.written(command.argv.join(" "), |state| out = (state.run)(&command))?;
        Ok(out)
    }
}
