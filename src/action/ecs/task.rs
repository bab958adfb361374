//! `ecs.task`: runs a task once, to its end. It succeeds only when its container exited with 0.

use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{
    Code, Data, Fields, StepTraits, Template, Value, duration, list, one_of, target, template, text, value,
};
use crate::port::{Reads, Writes};
use crate::run::Fault;
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};

/// Runs a task once.
#[derive(Debug)]
pub(in crate::action) struct RunOnce {
    target: Arc<str>,
    cluster: Arc<str>,
    definition: Template,
    container: Option<Arc<str>>,
    command: Option<Vec<Template>>,
    network: Network,
    within: Duration,
    /// A rollback stops it, rather than awaiting its end.
    stops: bool,
}

/// Where it runs.
#[derive(Debug)]
enum Network {
    /// As its launch type does by itself.
    Default,
    /// As this service does.
    Like(Arc<str>),
    /// As stated.
    Stated(Json),
}

const WITHIN: Duration = Duration::from_secs(30 * 60);

#[async_trait::async_trait]
impl Action for RunOnce {
    type Prior = ();
    type Note = ();

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "the account and region");
        let cluster = fields.required("cluster", text(), "the cluster it runs in");
        let definition = fields.required("task_definition", template(), "family, `family:revision` or ARN");
        let container =
            fields.optional("container", text(), "whose exit code counts, and whose command is replaced");
        let command = fields.optional("command", list(template()), "in place of the image's own");
        let like = fields.optional("like", text(), "a service of the cluster: the task runs beside it");
        let network = fields.optional("network", value(), "its `awsvpcConfiguration`, in place of `like`");
        let within = fields.or("within", duration(), WITHIN, "how long it may run");
        let words = &[("finish", false), ("stop", true)];
        let stops = fields.or("abort", one_of(words), false, "what a rollback does while it runs");
        if let Some(command) = &command {
            crate::action::refuse_secrets(fields, "command", command);
        }
        let network = place(fields, like, network);
        Some(Self {
            target: target?,
            cluster: cluster?,
            definition: definition?,
            container,
            command,
            network: network?,
            within,
            stops,
        })
    }

    fn traits(&self) -> StepTraits {
        let name = self.definition.source();
        StepTraits {
            writes: true,
            has_undo: self.stops,
            resources: vec![format!("ecs-task:{}/{}/{name}", self.target, self.cluster)],
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let (cluster, definition) = (&self.cluster, self.definition.source());
        let overrides = self.command.as_ref().map(|command| {
            let command: Vec<String> = command.iter().map(Template::source).collect();
            let container = self.container.as_deref().unwrap_or("<container>");
            let body = serde_json::json!({"containerOverrides": [{"name": container, "command": command}]});
            format!(" --overrides '{body}'")
        });
        let network = match &self.network {
            Network::Default => String::new(),
            Network::Like(service) => format!(" --network-configuration <as that of {service}>"),
            Network::Stated(network) => format!(" --network-configuration '{network}'"),
        };
        ByHand {
            what: format!("run {definition} once in {cluster}"),
            apply: vec![
                format!(
                    "aws ecs run-task --cluster {cluster} --task-definition {definition}{}{network}",
                    overrides.unwrap_or_default()
                ),
                format!("aws ecs wait tasks-stopped --cluster {cluster} --tasks <the task's ARN>"),
            ],
            expect: format!(
                "stopCode EssentialContainerExited and exitCode 0, present: aws ecs describe-tasks --cluster {cluster} --tasks <the task's ARN>"
            ),
            undo: if self.stops {
                vec![format!("aws ecs stop-task --cluster {cluster} --task <the task's ARN>")]
            } else {
                Vec::new()
            },
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

fn place(fields: &mut Fields<'_>, like: Option<Arc<str>>, network: Option<Value>) -> Option<Network> {
    match (like, network) {
        (Some(service), None) => Some(Network::Like(service)),
        (None, None) => Some(Network::Default),
        (None, Some(network)) if matches!(network.data, Data::Map(_)) => {
            let stated = network.to_json();
            let wrapped = stated.get("awsvpcConfiguration").is_some();
            let stated = if wrapped { stated } else { serde_json::json!({"awsvpcConfiguration": stated}) };
            Some(Network::Stated(stated))
        }
        (_, network) => {
            let span = fields.span_of("network");
            let both = network.is_some_and(|network| matches!(network.data, Data::Map(_)));
            let message = if both {
                "only one of `like` and `network`"
            } else {
                "`network` is the mapping that AWS takes"
            };
            fields.problems().error(Code("SW2003"), span, message);
            None
        }
    }
}
