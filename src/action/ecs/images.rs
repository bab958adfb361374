//! Whether tasks could be started at all: what the registry of their images says. Only a certain no holds anything up.

use crate::port::{Image, Pull, ReadCompute, TaskDefinition};
use std::sync::Arc;

/// The images of a definition.
pub(super) fn of(definition: &TaskDefinition) -> Vec<String> {
    definition.containers.iter().map(|container| container.image.clone()).collect()
}

/// Which of these certainly cannot be pulled, and why.
pub(super) async fn gone(compute: &dyn ReadCompute, images: &[String]) -> Option<String> {
    for (name, image) in kept(images) {
        if let Pull::Cannot(why) = compute.pull(&image).await {
            return Some(format!("{name} cannot be pulled: {}", why.trim_end_matches('.')));
        }
    }
    None
}

/// Of which of these that could not be known, and why: a sentence each.
pub(super) async fn unknown(compute: &dyn ReadCompute, images: &[String]) -> Vec<Arc<str>> {
    let mut notes = Vec::new();
    for (name, image) in kept(images) {
        if let Pull::Unknown(why) = compute.pull(&image).await {
            notes.push(format!("whether {name} can be pulled could not be known: {why}").into());
        }
    }
    notes
}

/// Those that are kept where somebody can be asked.
fn kept(images: &[String]) -> impl Iterator<Item = (&String, Image)> {
    images.iter().filter_map(|name| Some((name, Image::named(name)?)))
}
