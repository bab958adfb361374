//! Whether what is set back is what ran before: the image digests of its tasks, and the health of its targets, held against what
//! was recorded before anything was written.

use super::arrive::{healthy_of, not_healthy, targets_of};
use super::deploy::Deploy;
use super::follow::is_closed;
use crate::port::{Deployment, ReadCompute, Reads, Service, Task, TaskDefinition, TaskFilter};
use crate::run::Fault;
use std::sync::Arc;

/// Digests by container: more than one where several images ran beside each other.
pub(super) type Ran = Vec<(String, Vec<String>)>;

impl Deploy {
    /// What runs under a definition. Who may not look at tasks knows nothing of it, which the preview tells.
    pub(super) async fn ran(
        &self,
        compute: &dyn ReadCompute,
        definition: &TaskDefinition,
    ) -> Result<Ran, Fault> {
        match self.digests(compute, definition).await {
            Err(fault) if is_closed(&fault) => Ok(Vec::new()),
            found => found,
        }
    }

    /// Why that could not be known: a sentence.
    pub(super) async fn not_known(
        &self,
        compute: &dyn ReadCompute,
        definition: &TaskDefinition,
    ) -> Option<Arc<str>> {
        let fault = self.digests(compute, definition).await.err()?;
        let why = &fault.message;
        Some(format!("which images run could not be known, so an undo does not compare them: {why}").into())
    }

    /// Of the definition's own containers, for AWS adds some to tasks, and renews their images when it likes; and of those alone
    /// whose image is not named by its digest, for that cannot be another one.
    async fn digests(&self, compute: &dyn ReadCompute, definition: &TaskDefinition) -> Result<Ran, Fault> {
        if !definition.containers.iter().any(|one| may_move(&one.image)) {
            return Ok(Vec::new());
        }
        let tasks = self.running(compute, &definition.arn).await?;
        let mut ran = Vec::new();
        for container in definition.containers.iter().filter(|one| may_move(&one.image)) {
            let told = tasks.iter().filter_map(|task| digest_of(task, &container.name));
            let mut digests: Vec<String> = told.map(str::to_owned).collect();
            digests.sort();
            digests.dedup();
            if !digests.is_empty() {
                ran.push((container.name.clone(), digests));
            }
        }
        Ok(ran)
    }

    /// The tasks of the service that run under this definition.
    pub(super) async fn running(
        &self,
        compute: &dyn ReadCompute,
        definition: &str,
    ) -> Result<Vec<Task>, Fault> {
        let filter = TaskFilter::Service(self.service.to_string());
        let mut tasks = compute.tasks(&self.cluster, &filter).await?;
        tasks.retain(|task| task.definition == definition && task.status == "RUNNING");
        Ok(tasks)
    }

    /// What the running tasks were really started from, held against what ran before: what is still to come, in words. A
    /// definition that is back runs another image where the tag that it names was moved.
    pub(super) async fn other_images(
        &self,
        compute: &dyn ReadCompute,
        primary: &Deployment,
        ran: &[(String, Vec<String>)],
    ) -> Result<Option<String>, Fault> {
        if ran.is_empty() {
            return Ok(None);
        }
        let tasks = self.running(compute, &primary.definition).await?;
        if tasks.is_empty() {
            return Ok(Some(format!("no running task of {} is listed yet", primary.definition)));
        }
        for task in &tasks {
            for (container, before) in ran {
                match digest_of(task, container) {
                    Some(found) if before.iter().all(|digest| digest != found) => {
                        return Err(self.another(compute, primary, container, found, before).await);
                    }
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Where somebody was healthy before, and nobody is: in words.
    pub(super) async fn not_served(
        &self,
        reads: &Reads<'_>,
        service: &Service,
        served: &[String],
    ) -> Result<Option<String>, Fault> {
        let traffic = reads.world.traffic(&self.target.name)?;
        for group in &service.target_groups {
            if !served.contains(group) {
                continue;
            }
            let targets = targets_of(&*traffic, service, group).await?;
            if healthy_of(&targets) == 0 {
                let others = not_healthy(&targets);
                return Ok(Some(format!("no target of {group} is healthy, and before one was{others}")));
            }
        }
        Ok(None)
    }

    /// Which container runs what in place of what, and how to come back.
    async fn another(
        &self,
        compute: &dyn ReadCompute,
        primary: &Deployment,
        container: &str,
        found: &str,
        before: &[String],
    ) -> Fault {
        let definition = &primary.definition;
        let named = match compute.definition(definition).await {
            Ok(Some(told)) => told.containers.into_iter().find(|one| one.name == container),
            _ => None,
        };
        let image = named.map_or_else(|| "what it names".to_owned(), |one| one.image);
        Fault::permanent(format!(
            "{} is set back to {definition}, and does not run what ran before: {container} runs {found}, and {} ran there \
             before this step. {image} is another image now: push the one that ran before under that name again, and have \
             the tasks started anew: {} --force-new-deployment",
            self.name(),
            before.join(" or "),
            self.update_by_hand(definition, None)
        ))
    }
}

/// What is named by its digest cannot be another image.
fn may_move(image: &str) -> bool {
    !image.contains('@')
}

/// For a preview: what an undo can bring back only as long as nobody moves a tag.
pub(super) fn by_tag(definition: &TaskDefinition) -> impl Iterator<Item = Arc<str>> {
    definition.containers.iter().filter(|one| may_move(&one.image)).map(|one| {
        let (name, image) = (&one.name, &one.image);
        format!(
            "container {name} runs {image} now, by a tag: if that leads to another image by then, as it may already, no undo \
             brings back what runs now"
        )
        .into()
    })
}

/// What a container of a task runs, as far as it is told.
pub(super) fn digest_of<'t>(task: &'t Task, container: &str) -> Option<&'t str> {
    let found = task.containers.iter().find(|one| one.name == container)?;
    found.image_digest.as_deref()
}
