//! Deeds that upset what a run relies on: definitions and images go away, tasks crash.
//!
//! The other deeds, of people who change zones and services, are with the `world`.

use super::compute::{Phase, Refusal};
use super::file::{Behaviour, Deed};
use super::world::World;
use crate::plan::Timestamp;
use crate::port::Image;

/// As the registry refuses what it does not have.
pub const IMAGE_GONE: &str = "ImageNotFoundException";

impl World {
    /// The part of a deed that takes something away.
    pub(super) fn upset(&mut self, deed: &Deed, now: Timestamp) -> Result<(), Refusal> {
        if let Some(name) = &deed.deregister {
            self.deregister(name)?;
        }
        if let Some(image) = &deed.delete_image {
            self.delete_image(image)?;
        }
        if let Some(service) = &deed.stop_tasks {
            self.crash(service, now)?;
        }
        Ok(())
    }

    /// Nobody can pull it any more; what runs of it goes on.
    fn delete_image(&mut self, image: &str) -> Result<(), Refusal> {
        let missing = || Refusal::new("NoSuchThing", format!("there is no image `{image}` to delete"));
        self.images.get_mut(image).ok_or_else(missing)?.unpullable = true;
        self.course.behave_anew(&self.images);
        Ok(())
    }

    /// What the registry of an image says of it. One that the world does not tell of is not there.
    ///
    /// # Errors
    /// Nobody can pull it.
    pub fn described(&self, image: &Image) -> Result<(), Refusal> {
        let is_there = |(name, how): (&String, &Behaviour)| {
            !how.unpullable && Image::named(name).is_some_and(|named| named == *image)
        };
        let why = "The image requested does not exist in the specified repository.";
        self.images.iter().any(is_there).then_some(()).ok_or_else(|| Refusal::new(IMAGE_GONE, why))
    }

    /// The programs of all tasks of a service end.
    fn crash(&mut self, service: &str, now: Timestamp) -> Result<(), Refusal> {
        let (cluster, name) = service.split_once('/').unwrap_or(("default", service));
        let missing = || Refusal::new("ServiceNotFoundException", "Service not found.");
        let ids = self.service(cluster, name).ok_or_else(missing)?.tasks.clone();
        for id in ids {
            if let Some(task) = self.tasks.get_mut(&id).filter(|task| matches!(task.phase, Phase::Running(_)))
            {
                task.phase = Phase::Running(Some((now, 1)));
            }
        }
        self.settle(now);
        Ok(())
    }
}
