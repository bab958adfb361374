//! `ecs.task`: runs a task once, to its end. It succeeds only when its container exited with 0.

use super::{images, log, moving, named};
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward, aws, fill};
use crate::plan::{
    Code, Data, Fields, StepTraits, Target, Template, Value, duration, integer, list, one_of, target,
    template, text, value,
};
use crate::port::need::{Account, Need, Runs, known_text};
use crate::port::{ReadCompute, Reads, RunTask, Task, TaskDefinition, TaskFilter, Writes};
use crate::run::{Change, Fault, Told};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

/// Runs a task once.
#[derive(Debug)]
pub(in crate::action) struct RunOnce {
    target: Arc<Target>,
    cluster: Arc<str>,
    definition: Template,
    container: Option<Arc<str>>,
    command: Option<Vec<Template>>,
    network: Network,
    within: Duration,
    /// A rollback stops it, rather than awaiting its end.
    stops: bool,
    /// So many of its last lines are told where it fails.
    log_lines: u32,
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

/// What exactly is run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    /// As ARN, so that a later revision is never run in its place.
    definition: String,
    container: String,
    network: Option<Json>,
}

/// What was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::action) struct Note {
    /// As ARN.
    task: String,
    /// It was started by this.
    token: String,
}

const WITHIN: Duration = Duration::from_secs(30 * 60);
/// The most lines of a log that a failure tells.
const MOST_LINES: i64 = 50;

#[async_trait::async_trait]
impl Action for RunOnce {
    type Prior = Prior;
    type Note = Note;

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
        let about = "so many of its last lines are told, and recorded, where it fails: they may hold secrets";
        let log_lines = fields.or("log_lines", integer(0..=MOST_LINES), 0, about);
        let words = &[("finish", false), ("stop", true)];
        let stops = fields.or("abort", one_of(words), false, "what a rollback does while it runs");
        if let Some(command) = &command {
            crate::plan::refuse_secrets(fields, "command", command);
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
            log_lines: u32::try_from(log_lines).unwrap_or(0),
        })
    }

    fn traits(&self) -> StepTraits {
        let name = self.definition.source();
        StepTraits {
            writes: true,
            has_undo: self.stops,
            resources: vec![format!("ecs-task:{}/{}/{name}", self.target.place(), self.cluster)],
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
        let overrides = overrides.unwrap_or_default();
        let ecs = |command: &str| aws(&self.target, &format!("ecs {command} --cluster {cluster}"));
        let network = match &self.network {
            Network::Default => String::new(),
            Network::Like(service) => format!(" --network-configuration <as that of {service}>"),
            Network::Stated(network) => format!(" --network-configuration '{network}'"),
        };
        ByHand {
            what: format!("run {definition} once in {cluster}"),
            apply: vec![
                ecs(&format!("run-task --task-definition {definition}{overrides}{network}")),
                ecs("wait tasks-stopped --tasks <the task's ARN>"),
            ],
            expect: format!(
                "stopCode EssentialContainerExited and exitCode 0, present: {}",
                ecs("describe-tasks --tasks <the task's ARN>")
            ),
            undo: if self.stops { vec![ecs("stop-task --task <the task's ARN>")] } else { Vec::new() },
        }
    }

    fn needs(&self) -> Vec<Need> {
        let (at, cluster) = (Account::of(&self.target), self.cluster.to_string());
        let beside = match &self.network {
            Network::Like(service) => Some(Need::Service {
                at: at.clone(),
                cluster: cluster.clone(),
                name: service.to_string(),
                runs: Runs::AsItIs,
                tasks: 1,
            }),
            Network::Default | Network::Stated(_) => None,
        };
        let definition = Need::Definition {
            at,
            cluster,
            name: known_text(&self.definition),
            container: self.container.as_deref().map(str::to_owned),
            command: self.command.iter().flatten().map(known_text).collect(),
        };
        std::iter::once(definition).chain(beside).collect()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        let name = fill(&self.definition, reads.scope)?;
        let definition = match compute.definition(&name).await? {
            Some(definition) if definition.active => definition,
            Some(_) => return Err(Fault::permanent(format!("task definition {name} is INACTIVE"))),
            None => return Err(Fault::permanent(format!("there is no task definition {name}"))),
        };
        if let Some(why) = images::gone(&*compute, &images::of(&definition)).await {
            return Err(Fault::permanent(format!("{why}. no task of {} could be started", definition.arn)));
        }
        let container = self.container(&definition)?;
        let network = match &self.network {
            Network::Default => None,
            Network::Stated(network) => Some(network.clone()),
            Network::Like(service) => match compute.service(&self.cluster, service).await? {
                Some(found) => found.network,
                None => {
                    return Err(Fault::permanent(format!(
                        "there is no service {service} of {}",
                        self.cluster
                    )));
                }
            },
        };
        let image = definition.containers.iter().find(|c| c.name == container).map(|c| &*c.image);
        let change = Change {
            what: format!("a task of {} in {}", definition.family, self.cluster).into(),
            from: "not run".into(),
            to: format!("run once, from {}", image.unwrap_or_default()).into(),
        };
        Ok(Planned {
            prior: Prior { definition: definition.arn, container, network },
            stages: 1,
            within: self.within,
            call: None,
            must_finish: !self.stops,
            changes: vec![change],
        })
    }

    async fn told(&self, reads: &Reads<'_>, prior: &Prior, _: bool) -> Result<Told, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        // It was there a moment ago, and what cannot be told makes no step unknown.
        let Ok(Some(definition)) = compute.definition(&prior.definition).await else {
            return Ok(Told::default());
        };
        let notes = named::notes(&self.target, &*compute, &definition.content).await;
        Ok(Told { notes, ..Told::default() })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Prior) -> Result<Option<Note>, Fault> {
        let command = self.command.as_ref().map(|command| {
            command.iter().map(|part| fill(part, writes.scope)).collect::<Result<Vec<String>, Fault>>()
        });
        let task = RunTask {
            cluster: self.cluster.to_string(),
            definition: prior.definition.clone(),
            container: Some(prior.container.clone()),
            command: command.transpose()?,
            network: prior.network.clone(),
            token: writes.token.to_owned(),
        };
        writes.in_time()?;
        let task = writes.compute(&self.target.name)?.run_task(&task).await?;
        Ok(Some(Note { task, token: writes.token.to_owned() }))
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let compute = reads.world.compute(&self.target.name)?;
        let task = self.find(&*compute, record).await?;
        match (toward, task, &record.note) {
            // There is nothing to restore but that it does not run any more.
            (Toward::Prior, Some(task), _) if self.stops && task.status != "STOPPED" => {
                Ok(moving(reads, &format!("{} is {}", task.arn, task.status)))
            }
            (Toward::Prior, ..) | (_, None, None) => Ok(Seen::Prior),
            (_, Some(task), None) => {
                let note = Note { task: task.arn, token: record.token.to_string() };
                Ok(Seen::Moving { note: Some(note), again: Duration::ZERO })
            }
            // What is told lags behind, and tasks are forgotten an hour after their end.
            (_, None, Some(note)) => Ok(moving(reads, &format!("{} is not listed", note.task))),
            (_, Some(task), Some(_)) if task.status == "STOPPED" => match ended(&task, &record.prior) {
                Err(fault) => {
                    let log = log::of_first(&self.target, &*compute, std::slice::from_ref(&task)).await;
                    let said = match self.log_lines {
                        0 => String::new(),
                        most => log::last_of(&self.target, reads, &task, &record.prior.container, most).await,
                    };
                    Err(Fault { message: format!("{}{said}{log}", fault.message).into(), ..fault })
                }
                done => done,
            },
            (_, Some(task), Some(_)) => Ok(moving(reads, &format!("{} is {}", task.arn, task.status))),
        }
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Note>, Fault> {
        let compute = writes.world.compute(&self.target.name)?;
        if let Some(task) = self.find(&*compute, record).await?
            && self.stops
            && task.status != "STOPPED"
        {
            writes.in_time()?;
            let reason = "switchover: the run turned back";
            writes.compute(&self.target.name)?.stop_task(&self.cluster, &task.arn, reason).await?;
        }
        Ok(record.note.clone())
    }
}

impl RunOnce {
    /// The container whose exit code counts.
    fn container(&self, definition: &TaskDefinition) -> Result<String, Fault> {
        let names: Vec<&str> = definition.containers.iter().map(|c| &*c.name).collect();
        match (&self.container, &names[..]) {
            (Some(name), names) if names.contains(&&**name) => Ok(name.to_string()),
            (None, [only]) => Ok((*only).to_owned()),
            (Some(name), names) => Err(Fault::permanent(format!(
                "{} has no container `{name}`; there are {}",
                definition.arn,
                names.join(", ")
            ))),
            (None, names) => Err(Fault::permanent(format!(
                "{} has {} containers ({}): say with `container` whose exit code counts",
                definition.arn,
                names.len(),
                names.join(", ")
            ))),
        }
    }

    /// The task that was started: by its ARN where that was told. Where the answer was lost, it is looked for among all that
    /// run and all that stopped of late, by the token of its start.
    async fn find(&self, compute: &dyn ReadCompute, record: &Known<Self>) -> Result<Option<Task>, Fault> {
        let (token, filter) = match &record.note {
            Some(note) => (&*note.token, TaskFilter::Named(note.task.clone())),
            None => (&*record.token, TaskFilter::StartedBy(record.token.to_string())),
        };
        let tasks = compute.tasks(&self.cluster, &filter).await?;
        Ok(tasks.into_iter().find(|task| task.started_by.as_deref() == Some(token)))
    }
}

/// It stopped: only an exit code that is there, and is 0, is success.
fn ended(task: &Task, prior: &Prior) -> Result<Seen<Note>, Fault> {
    let container = task.containers.iter().find(|c| c.name == prior.container);
    let code = container.and_then(|c| c.exit_code);
    let exited = task.stop_code.as_deref() == Some("EssentialContainerExited");
    if code == Some(0) && exited {
        return Ok(Seen::Desired { out: json!({"task": task.arn, "exit_code": 0}) });
    }
    let what = match code {
        Some(code) => format!("{} exited with {code}", prior.container),
        None => format!("{} never ran", prior.container),
    };
    let reasons = [
        task.stop_code.as_deref(),
        task.stopped_reason.as_deref(),
        container.and_then(|c| c.reason.as_deref()),
    ];
    let reasons = reasons.into_iter().flatten().collect::<Vec<_>>().join(": ");
    Err(Fault::permanent(format!("{} failed: {what} ({reasons})", task.arn)))
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
