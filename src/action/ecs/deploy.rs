//! `ecs.deploy`: sets a service to images by digest, or to a task definition, and restores exactly the definition that
//! was running.
//!
//! It goes by the id of the deployment: a service that is stable may have been rolled back. How many tasks there are is
//! nobody's change but the plan's, where it states a count.

use super::arrive::{may_be_stale, was_replaced};
use super::diff;
use super::images;
use super::named;
use super::restored::{self, Ran};
use super::standing::{Standing, primary};
use super::strategy;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward, aws};
use crate::mutant::{Mistake, on};
use crate::plan::{
    Code, Fields, Scope, StepTraits, Target, Template, duration, integer, map, nested, target, template, text,
};
use crate::port::need::{Account, Need, Runs, known_text};
use crate::port::{Deployment, POLL, Placement, Reads, Writes};
use crate::run::{Fault, Told};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};

/// Sets a service to a definition.
#[derive(Debug)]
pub(in crate::action) struct Deploy {
    pub(super) target: Arc<Target>,
    pub(super) cluster: Arc<str>,
    pub(super) service: Arc<str>,
    pub(super) to: To,
    /// Only where the plan owns the count.
    pub(super) desired: Option<u32>,
    pub(super) healthy: Healthy,
}

/// What it should run.
#[derive(Debug)]
pub(super) enum To {
    /// The running definition with these images in these containers.
    Images(Vec<(Arc<str>, Template)>),
    /// This definition: family, `family:revision` or ARN.
    Definition(Template),
}

/// When it is healthy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Healthy {
    /// Healthy targets in each of its target groups.
    pub(super) targets: usize,
    pub(super) within: Duration,
    /// So many tasks that failed to start are enough.
    pub(super) failed_tasks: Option<u32>,
}

/// What was running, and what should run in its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    /// The definition that the undo restores, as ARN.
    pub(super) definition: String,
    /// The PRIMARY deployment at that time.
    pub(super) deployment: String,
    /// Tasks at that time.
    pub(super) desired: u32,
    /// All that the new definition says.
    pub(super) content: Json,
    /// The new definition where it is registered already, as ARN.
    pub(super) to: Option<String>,
    /// Images by container, where the plan states them.
    pub(super) images: Vec<(String, String)>,
    /// Images that the undo needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) kept: Vec<String>,
    /// Which images ran, as the tasks told; empty where none did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ran: Ran,
    /// Target groups in which somebody was healthy, as ARN.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) served: Vec<String>,
    /// What its tasks are placed on.
    #[serde(default, skip_serializing_if = "Placement::is_provided")]
    pub(super) placement: Placement,
    /// Requests move in stages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) stages: bool,
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::action) struct Note {
    /// The definition that the service was set to, as ARN.
    pub(super) definition: String,
    /// The PRIMARY deployment after that.
    pub(super) deployment: String,
    /// The service deployment that does it, as ARN, where it is followed; of an undo, the one that is turned back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) service_deployment: Option<String>,
    /// Of an undo: the definition says what was recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) restores: bool,
}

impl Note {
    pub(super) fn of(primary: &Deployment) -> Self {
        Self::new(primary.definition.clone(), primary.id.clone())
    }

    pub(super) fn new(definition: String, deployment: String) -> Self {
        Self { definition, deployment, service_deployment: None, restores: false }
    }

    /// The same, of an undo that restores what was recorded.
    fn restoring(self) -> Self {
        Self { restores: true, ..self }
    }

    /// Of an undo: a service deployment is turned back, and nothing else was set.
    pub(super) fn turns_back(&self) -> bool {
        self.service_deployment.is_some()
    }
}

const WITHIN: Duration = Duration::from_secs(15 * 60);

#[async_trait::async_trait]
impl Action for Deploy {
    type Prior = Prior;
    type Note = Note;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "the account and region");
        let cluster = fields.required("cluster", text(), "the cluster of the service");
        let service = fields.required("service", text(), "the service");
        let images = fields.optional("images", map(template()), "containers, and the image each should run");
        let definition =
            fields.optional("task_definition", template(), "in place of `images`: the definition to run");
        let desired = fields.optional(
            "desired_count",
            integer(1..=10_000),
            "tasks; without it the count is left to who owns it",
        );
        let healthy = fields.or(
            "healthy",
            nested(|fields| {
                let targets =
                    fields.or("targets", integer(0..=10_000), 1, "healthy targets in each target group");
                let within = fields.or(
                    "within",
                    duration(),
                    WITHIN,
                    "how long the deployment may take, with all stages of the service's strategy",
                );
                let failed_tasks = fields.optional(
                    "failed_tasks",
                    integer(1..=10_000),
                    "tasks that failed to start after which the step fails; without it ECS alone gives up: its circuit \
                     breaker, after three at least, or nobody before `within` is over",
                );
                Some(Healthy {
                    targets: usize::try_from(targets).unwrap_or(0),
                    within,
                    failed_tasks: failed_tasks.and_then(|n| u32::try_from(n).ok()),
                })
            }),
            Healthy { targets: 1, within: WITHIN, failed_tasks: None },
            "when it is healthy",
        );
        let to = one_source(fields, images, definition);
        Some(Self {
            target: target?,
            cluster: cluster?,
            service: service?,
            to: to?,
            desired: desired.and_then(|n| u32::try_from(n).ok()),
            healthy,
        })
    }

    fn traits(&self) -> StepTraits {
        StepTraits {
            writes: true,
            has_undo: true,
            resources: vec![format!("ecs:{}/{}/{}", self.target.place(), self.cluster, self.service)],
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let (cluster, service) = (&self.cluster, &self.service);
        let look = format!("--cluster {cluster} --services {service} --query 'services[0].deployments'");
        let look = aws(&self.target, &format!("ecs describe-services {look}"));
        let (what, prepare, definition) = match &self.to {
            To::Definition(definition) => (format!("run {}", definition.source()), None, definition.source()),
            To::Images(images) => {
                let images: Vec<String> =
                    images.iter().map(|(name, image)| format!("{name} = {}", image.source())).collect();
                let what = format!("run {}", images.join(", "));
                let input = format!("file://<the running definition with {}>", images.join(", "));
                let register = format!("ecs register-task-definition --cli-input-json {input}");
                (what, Some(aws(&self.target, &register)), "<the new ARN>".to_owned())
            }
        };
        let mut apply = vec![format!("{look}   # note the taskDefinition of PRIMARY: the undo needs it")];
        apply.extend(prepare);
        apply.push(self.update_by_hand(&definition, self.desired));
        ByHand {
            what: format!("service {service} of {cluster}: {what}"),
            apply,
            expect: format!(
                "one deployment, PRIMARY and COMPLETED, with the new definition, and at least {} healthy targets: {look}",
                self.healthy.targets
            ),
            undo: vec![self.update_by_hand("<the taskDefinition noted before>", None), look],
        }
    }

    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        let mut commands = if prior.stages { self.turn_back_by_hand() } else { Vec::new() };
        commands.push(self.update_by_hand(&prior.definition, self.desired.map(|_| prior.desired)));
        commands
    }

    fn needs(&self) -> Vec<Need> {
        let image = |(container, image): &(Arc<str>, Template)| (container.to_string(), known_text(image));
        let runs = match &self.to {
            To::Images(images) => Runs::Images(images.iter().map(image).collect()),
            To::Definition(definition) => Runs::Definition(known_text(definition)),
        };
        vec![Need::Service {
            at: Account::of(&self.target),
            cluster: self.cluster.to_string(),
            name: self.service.to_string(),
            runs,
            tasks: u32::try_from(self.healthy.targets).unwrap_or(u32::MAX),
        }]
    }

    async fn plan(&self, reads: &Reads<'_>, is_undone: bool) -> Result<Planned<Prior>, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        let service = self.service(&*compute).await?;
        let primary = self.settled(&service)?;
        let running = self.active(&*compute, &primary.definition).await?;
        let (content, to, images) = self.wanted(reads, &*compute, &running).await?;
        let desired = self.desired.filter(|count| *count != service.desired);
        if self.desired.is_none() && service.desired == 0 {
            return Err(Fault::permanent(format!(
                "{} should run 0 tasks: nothing would be deployed. set `desired_count`, or scale it first",
                self.name()
            )));
        }
        let already = content == running.content && to.as_ref().is_none_or(|arn| *arn == running.arn);
        let changes = self.changes(&running, &images, to.as_deref(), service.desired);
        let stages = u32::from(!already || desired.is_some());
        let (mut kept, mut ran, mut served) = (Vec::new(), Vec::new(), Vec::new());
        if stages > 0 {
            kept = images::of(&running);
            self.has_time(&service)?;
            self.nobody_deploys(&*compute, &service).await?;
            served = self.can_be_started(reads, &*compute, &service, &new_of(&kept, &images)).await?;
            if is_undone {
                ran = self.ran(&*compute, &running).await?;
            }
        }
        let prior = Prior {
            definition: running.arn,
            deployment: primary.id.clone(),
            desired: service.desired,
            content,
            to,
            images,
            kept,
            ran,
            served,
            placement: service.placement.clone(),
            stages: service.strategy.has_stages(),
        };
        let changes = if stages == 0 { Vec::new() } else { changes };
        Ok(Planned { prior, stages, within: self.healthy.within, call: None, must_finish: false, changes })
    }

    async fn told(&self, reads: &Reads<'_>, prior: &Prior, is_undone: bool) -> Result<Told, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        let running = self.active(&*compute, &prior.definition).await?;
        let strategy = self.service(&*compute).await?.strategy;
        let mut notes = strategy::notes(&strategy, self.healthy.within);
        let old = is_undone.then(|| images::of(&running));
        for images in old.into_iter().chain([new_of(&prior.kept, &prior.images)]) {
            notes.extend(images::unknown(&*compute, &images).await);
        }
        if !prior.kept.is_empty() {
            notes.extend(self.room(&*compute, &prior.placement).await);
        }
        if is_undone && !prior.kept.is_empty() {
            notes.extend(restored::by_tag(&running));
        }
        if is_undone && !prior.kept.is_empty() && prior.ran.is_empty() {
            notes.extend(self.not_known(&*compute, &running).await);
        }
        notes.extend(named::notes(&self.target, &*compute, &prior.content).await);
        Ok(Told { differences: diff::differences(&running.content, &prior.content), notes })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Prior) -> Result<Option<Note>, Fault> {
        let reads = writes.reads();
        let compute = reads.world.compute(&self.target.name)?;
        let service = self.service(&*compute).await?;
        if primary(&service).is_none_or(|primary| primary.definition != prior.definition) {
            return match self.standing(&*compute, &service, prior, None).await? {
                Standing::Ours(primary) => Ok(Some(Note::of(primary))),
                Standing::Before(_) | Standing::Other => Err(self.foreign(&*compute, &service, prior).await),
            };
        }
        self.nobody_deploys(&*compute, &service).await?;
        let definition = match &prior.to {
            Some(arn) => arn.clone(),
            None => self.registered(writes, &*compute, &prior.content).await?,
        };
        self.update(writes, definition, self.desired).await.map(Some)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        let service = self.service(&*compute).await?;
        let standing = self.standing(&*compute, &service, &record.prior, record.note.as_ref()).await?;
        if toward == Toward::Prior && service.strategy.has_stages() {
            let turning = self.look_turning(reads, &*compute, &service, standing, record).await?;
            if let Some(seen) = turning {
                return Ok(seen);
            }
        }
        match (toward, standing) {
            // Nothing was to be written: what was there before is what was asked for.
            (Toward::Desired(0), Standing::Before(primary)) => {
                self.look_forward(reads, 0, &service, primary, record).await
            }
            (Toward::Desired(stage), Standing::Ours(primary)) => {
                self.look_forward(reads, stage, &service, primary, record).await
            }
            (Toward::Desired(_), Standing::Before(primary)) => {
                self.look_gone(reads, &*compute, &service, primary, record).await
            }
            (Toward::Prior, Standing::Before(primary)) => {
                self.look_back(reads, &service, primary, record).await
            }
            (Toward::Prior, Standing::Ours(_)) if may_be_stale(reads, record) => {
                Ok(Seen::Moving { note: None, again: POLL })
            }
            (Toward::Prior, Standing::Ours(primary)) => {
                self.look_kept(&*compute, &service, primary, record).await
            }
            (_, Standing::Other) => Err(self.foreign(&*compute, &service, &record.prior).await),
        }
    }

    async fn way_back(&self, reads: &Reads<'_>, prior: &Prior) -> Result<Option<String>, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        if let Some(why) = images::gone(&*compute, &prior.kept).await {
            let (name, definition) = (self.name(), &prior.definition);
            return Ok(Some(format!(
                "{why}. {name} could not be set back to {definition}: push it again first"
            )));
        }
        self.gone(reads, &*compute, prior).await
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Note>, Fault> {
        let reads = writes.reads();
        let compute = reads.world.compute(&self.target.name)?;
        let service = self.service(&*compute).await?;
        let prior = &record.prior;
        let counted = self.desired.map(|_| prior.desired);
        let standing = self.standing(&*compute, &service, prior, record.note.as_ref()).await?;
        let is_old = matches!(standing, Standing::Before(primary) if was_replaced(&reads, record, primary));
        if service.strategy.has_stages() && !matches!(standing, Standing::Other) {
            if let Some(note) = self.turned_back(writes, &*compute, record).await? {
                return Ok(Some(note));
            }
            // What is under way can only be turned back, and may not be listed yet.
            if is_old && !self.is_back(&reads, &*compute, record).await? {
                return Err(Fault::transient("the new deployment is not listed yet"));
            }
        }
        match standing {
            Standing::Before(primary)
                if counted.is_none_or(|count| count == service.desired)
                    && (service.strategy.has_stages() || !is_old) =>
            {
                Ok(Some(Note::of(primary).restoring()))
            }
            Standing::Ours(_) if on(Mistake::UndoByRevision) => {
                let family = prior.content["family"].as_str().unwrap_or_default().to_owned();
                self.update(writes, family, counted).await.map(Some)
            }
            Standing::Ours(primary) if on(Mistake::PreviousRevision) => {
                let (family, revision) = primary.definition.rsplit_once(':').unwrap_or_default();
                let previous = revision.parse::<u32>().unwrap_or_default().saturating_sub(1);
                self.update(writes, format!("{family}:{previous}"), counted).await.map(Some)
            }
            Standing::Other if on(Mistake::UndoOverwrites) => {
                self.update(writes, prior.definition.clone(), counted).await.map(Some)
            }
            Standing::Before(_) | Standing::Ours(_) => {
                let definition = self.restorable(writes, &*compute, prior).await?;
                self.update(writes, definition, counted).await.map(|note| Some(note.restoring()))
            }
            Standing::Other => Err(self.foreign(&*compute, &service, prior).await),
        }
    }
}

impl Deploy {
    /// For commands.
    pub(super) fn update_by_hand(&self, definition: &str, count: Option<u32>) -> String {
        let (cluster, service) = (&self.cluster, &self.service);
        let count = count.map(|count| format!(" --desired-count {count}")).unwrap_or_default();
        let update = format!("--cluster {cluster} --service {service} --task-definition {definition}{count}");
        aws(&self.target, &format!("ecs update-service {update}"))
    }

    /// For commands: what is under way is not overtaken.
    fn turn_back_by_hand(&self) -> Vec<String> {
        let (cluster, service) = (&self.cluster, &self.service);
        let list = format!("--cluster {cluster} --service {service} --status PENDING IN_PROGRESS");
        let list = aws(&self.target, &format!("ecs list-service-deployments {list}"));
        let stop = "ecs stop-service-deployment --service-deployment-arn <its ARN> --stop-type ROLLBACK";
        let stop = aws(&self.target, stop);
        vec![
            format!("{list}   # none: go on with the last command"),
            format!("{stop}   # and wait until it is ROLLBACK_SUCCESSFUL"),
        ]
    }
}

/// Images that did not run before.
fn new_of(kept: &[String], images: &[(String, String)]) -> Vec<String> {
    images.iter().map(|(_, image)| image).filter(|image| !kept.contains(image)).cloned().collect()
}

/// Images or a definition, not both.
fn one_source(
    fields: &mut Fields<'_>,
    images: Option<Vec<(Arc<str>, Template)>>,
    definition: Option<Template>,
) -> Option<To> {
    match (images, definition) {
        (Some(images), None) if !images.is_empty() => {
            let span = fields.span_of("images");
            for (container, image) in &images {
                let fixed = image.as_fixed();
                if fixed.is_some_and(|image| !pinned(image)) {
                    let message = format!("the image of `{container}` is named by a tag, which may move");
                    fields
                        .problems()
                        .warn(Code("SW2001"), span, message)
                        .help("name it by digest: `repository@sha256:…`");
                }
            }
            Some(To::Images(images))
        }
        (None, Some(definition)) => Some(To::Definition(definition)),
        (None, None) if fields.has("images") || fields.has("task_definition") => None,
        (images, _) => {
            let span = fields.span();
            let found =
                if images.is_some() { "both are here, or `images` is empty" } else { "neither is here" };
            if fields.reading() {
                let message = format!("exactly one of `images` and `task_definition` is needed; {found}");
                fields.problems().error(Code("SW2003"), span, message);
            }
            None
        }
    }
}

/// `repository@sha256:…`.
fn pinned(image: &str) -> bool {
    image.rsplit_once("@sha256:").is_some_and(|(repository, digest)| {
        !repository.is_empty() && digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit())
    })
}
