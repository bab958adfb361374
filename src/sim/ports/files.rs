//! Files of the world, by their paths. Folders are not modelled: each is there.

use super::Inside;
use super::call::Call;
use crate::port::ReadFiles;
use crate::run::Fault;
use async_trait::async_trait;

#[async_trait]
impl ReadFiles for Inside {
    async fn exists(&self, path: &str) -> Result<bool, Fault> {
        let call = Call { service: "files", operation: "exists", resource: &path, writes: false };
        let found = self.look_once(call, |world, _| Ok(world.files.contains(path))).await;
        found.map_err(|failure| failure.fault(&call))
    }
}
