//! Files: whether they are there.

use super::{Behind, Place, held_by_both};
use crate::sim::Deed;
use std::path::Path;

held_by_both!(a_file_is_there_or_not);

/// Somebody makes a file, or removes it.
fn set(place: &Place, path: &Path, there: bool) {
    let name = Some(path.display().to_string());
    match &place.behind {
        Behind::Memory(ports) => {
            let (put_file, remove_file) = if there { (name, None) } else { (None, name) };
            let deed = Deed { put_file, remove_file, ..Deed::default() };
            ports.look(|world, now| world.perform(deed, now)).unwrap();
        }
        _ if there => std::fs::write(path, "").unwrap(),
        _ => std::fs::remove_file(path).unwrap(),
    }
}

async fn a_file_is_there_or_not(place: &Place) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("STOP");
    let look = async || place.world.files().exists(&path.display().to_string()).await;
    assert_eq!(look().await, Ok(false));
    set(place, &path, true);
    assert_eq!(look().await, Ok(true));
    set(place, &path, false);
    assert_eq!(look().await, Ok(false));
}
