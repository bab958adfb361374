//! `ecs.deploy`: sets a service to images by digest, or to a task definition, and restores exactly the definition that
//! was running.

use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{
    Code, Fields, StepTraits, Template, duration, integer, map, nested, target, template, text,
};
use crate::port::{Reads, Writes};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// Sets a service to a definition.
#[derive(Debug)]
pub(in crate::action) struct Deploy {
    target: Arc<str>,
    cluster: Arc<str>,
    service: Arc<str>,
    to: To,
    /// Only where the plan owns the count.
    desired: Option<u32>,
    healthy: Healthy,
}

/// What it should run.
#[derive(Debug)]
enum To {
    /// The running definition with these images in these containers.
    Images(Vec<(Arc<str>, Template)>),
    /// This definition: family, `family:revision` or ARN.
    Definition(Template),
}

/// When it is healthy.
#[derive(Clone, Copy, Debug)]
struct Healthy {
    /// Healthy targets in each of its target groups.
    targets: usize,
    within: Duration,
}

const WITHIN: Duration = Duration::from_secs(15 * 60);

#[async_trait::async_trait]
impl Action for Deploy {
    type Prior = ();
    type Note = ();

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
                let within = fields.or("within", duration(), WITHIN, "how long the deployment may take");
                Some(Healthy { targets: usize::try_from(targets).unwrap_or(0), within })
            }),
            Healthy { targets: 1, within: WITHIN },
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
            resources: vec![format!("ecs:{}/{}/{}", self.target, self.cluster, self.service)],
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let (cluster, service) = (&self.cluster, &self.service);
        let update = |definition: &str| {
            format!(
                "aws ecs update-service --cluster {cluster} --service {service} --task-definition {definition}"
            )
        };
        let look = format!(
            "aws ecs describe-services --cluster {cluster} --services {service} --query 'services[0].deployments'"
        );
        let (what, prepare, definition) = match &self.to {
            To::Definition(definition) => (format!("run {}", definition.source()), None, definition.source()),
            To::Images(images) => {
                let images: Vec<String> =
                    images.iter().map(|(name, image)| format!("{name} = {}", image.source())).collect();
                let what = format!("run {}", images.join(", "));
                let register = format!(
                    "aws ecs register-task-definition --cli-input-json file://<the running definition with {}>",
                    images.join(", ")
                );
                (what, Some(register), "<the new ARN>".to_owned())
            }
        };
        let mut apply = vec![format!("{look}   # note the taskDefinition of PRIMARY: the undo needs it")];
        apply.extend(prepare);
        apply.push(update(&definition));
        ByHand {
            what: format!("service {service} of {cluster}: {what}"),
            apply,
            expect: format!(
                "one deployment, PRIMARY and COMPLETED, with the new definition, and at least {} healthy targets: {look}",
                self.healthy.targets
            ),
            undo: vec![update("<the taskDefinition noted before>"), look],
        }
    }

    async fn plan(&self, _reads: &Reads<'_>) -> Result<Planned<Self::Prior>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn apply(
        &self,
        _writes: &Writes<'_>,
        _stage: u32,
        _prior: &Self::Prior,
    ) -> Result<Option<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn look(
        &self,
        _reads: &Reads<'_>,
        _toward: Toward,
        _record: &Known<Self>,
    ) -> Result<Seen<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn undo(&self, _writes: &Writes<'_>, _record: &Known<Self>) -> Result<Option<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }
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
