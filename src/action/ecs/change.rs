//! What a deployment changes: the content of the new definition, and the calls that set the service to it.

use super::deploy::{Deploy, Note, Prior, To};
use crate::action::fill;
use crate::port::{ReadCompute, Reads, TaskDefinition, UpdateService, Writes};
use crate::run::{Change, Fault, Landed};
use serde_json::Value as Json;
use std::time::Duration;

/// How often a definition is registered whose answer was lost, and how long it is waited in between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// What a definition should say, the definition itself where it is registered, and images by container.
type Wanted = (Json, Option<String>, Vec<(String, String)>);

impl Deploy {
    /// What should run.
    pub(super) async fn wanted(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        running: &TaskDefinition,
    ) -> Result<Wanted, Fault> {
        let fill = |text| fill(text, reads.scope);
        match &self.to {
            To::Definition(name) => {
                let definition = self.active(compute, &fill(name)?).await?;
                let images = definition.containers.iter().map(|c| (c.name.clone(), c.image.clone()));
                Ok((definition.content.clone(), Some(definition.arn.clone()), images.collect()))
            }
            To::Images(images) => {
                let images =
                    images.iter().map(|(container, image)| Ok((container.to_string(), fill(image)?)));
                let images: Vec<(String, String)> = images.collect::<Result<_, Fault>>()?;
                Ok((with_images(running, &images)?, None, images))
            }
        }
    }

    /// What people see of it.
    pub(super) fn changes(
        &self,
        running: &TaskDefinition,
        images: &[(String, String)],
        to: Option<&str>,
        count: u32,
    ) -> Vec<Change> {
        let name = self.name();
        let change = |what: String, from: String, to: String| Change {
            what: what.into(),
            from: from.into(),
            to: to.into(),
        };
        let mut changes = Vec::new();
        for (container, image) in images {
            let old = running.containers.iter().find(|c| c.name == *container).map(|c| c.image.clone());
            let old = old.unwrap_or_else(|| "no such container".into());
            if old != *image {
                changes.push(change(format!("{name}, image of {container}"), old, image.clone()));
            }
        }
        let new = to.map_or_else(|| format!("a new revision of {}", running.family), str::to_owned);
        changes.push(change(format!("{name}, task definition"), running.arn.clone(), new));
        if let Some(desired) = self.desired.filter(|desired| *desired != count) {
            changes.push(change(format!("{name}, tasks"), count.to_string(), desired.to_string()));
        }
        changes
    }

    /// What the undo sets the service to: what ran before. Where somebody has made that INACTIVE meanwhile, no service can be
    /// set to it, and the same is registered again, word for word.
    pub(super) async fn restorable(
        &self,
        writes: &Writes<'_>,
        compute: &dyn ReadCompute,
        prior: &Prior,
    ) -> Result<String, Fault> {
        match compute.definition(&prior.definition).await? {
            Some(found) if found.active => Ok(found.arn),
            Some(found) => self.registered(writes, compute, &found.content).await,
            None => Err(Fault::permanent(format!(
                "there is no task definition {} any more: nobody can tell what {} ran",
                prior.definition,
                self.name()
            ))),
        }
    }

    /// A definition that says this, registered unless there is one. An answer that was lost is looked for.
    pub(super) async fn registered(
        &self,
        writes: &Writes<'_>,
        compute: &dyn ReadCompute,
        content: &Json,
    ) -> Result<String, Fault> {
        let family = content["family"].as_str().unwrap_or_default();
        let mut tries = TRIES;
        loop {
            // An earlier try may have registered it, and lost the answer.
            if let Some(newest) = compute.definition(family).await?
                && newest.active
                && newest.content == *content
            {
                return Ok(newest.arn);
            }
            writes.in_time()?;
            match writes.compute(&self.target.name)?.register(content).await {
                Err(fault) if fault.landed == Landed::Maybe && tries > 1 => tries -= 1,
                // A definition that nothing uses is harmless: that one was registered, or not, is never in doubt.
                known => return known.map_err(|fault| Fault { landed: Landed::No, ..fault }),
            }
            let clock = writes.reads().world.clock();
            clock.sleep_until(clock.now().after(PAUSE)).await;
        }
    }

    /// Sets the service.
    pub(super) async fn update(
        &self,
        writes: &Writes<'_>,
        definition: String,
        desired: Option<u32>,
    ) -> Result<Note, Fault> {
        writes.in_time()?;
        let update = UpdateService {
            cluster: self.cluster.to_string(),
            service: self.service.to_string(),
            definition: definition.clone(),
            desired,
        };
        let deployment = writes.compute(&self.target.name)?.update(&update).await?;
        Ok(Note::new(definition, deployment))
    }
}

/// The running definition's content with these images.
fn with_images(running: &TaskDefinition, images: &[(String, String)]) -> Result<Json, Fault> {
    let mut content = running.content.clone();
    for (container, image) in images {
        let containers = content["containerDefinitions"].as_array_mut();
        let found = containers.into_iter().flatten().find(|c| c["name"] == container.as_str());
        let Some(found) = found else {
            let names: Vec<&str> = running.containers.iter().map(|c| &*c.name).collect();
            return Err(Fault::permanent(format!(
                "{} has no container `{container}`; there are {}",
                running.arn,
                names.join(", ")
            )));
        };
        found["image"] = image.as_str().into();
    }
    Ok(content)
}
