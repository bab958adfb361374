//! `wait`: lets time pass. Changes nothing.

use super::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{Fields, StepTraits, duration, format_duration};
use crate::port::{Reads, Writes, need::Need};
use crate::run::Fault;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Lets time pass.
#[derive(Debug)]
pub(super) struct Wait {
    length: Duration,
}

/// Nothing to restore.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Nothing {}

#[async_trait::async_trait]
impl Action for Wait {
    type Prior = Nothing;
    type Note = Nothing;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let length = fields.required("for", duration(), "how long")?;
        Some(Self { length })
    }

    fn traits(&self) -> StepTraits {
        StepTraits::default()
    }

    fn by_hand(&self) -> ByHand {
        ByHand {
            what: format!("wait {}", format_duration(self.length)),
            apply: vec![format!("sleep {}", self.length.as_secs().max(1))],
            ..ByHand::default()
        }
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn plan(&self, _reads: &Reads<'_>, _: bool) -> Result<Planned<Nothing>, Fault> {
        Ok(Planned::nothing(Nothing {}, self.length + Duration::from_secs(60)))
    }

    async fn apply(&self, _: &Writes<'_>, _: u32, _: &Nothing) -> Result<Option<Nothing>, Fault> {
        Ok(None)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Nothing>, Fault> {
        let now = reads.world.clock().now();
        let left = record.since.after(self.length).since(now);
        if toward == Toward::Prior {
            return Ok(Seen::Prior);
        }
        if left.is_zero() {
            return Ok(Seen::Desired { out: serde_json::json!({}) });
        }
        (reads.progress)(&format!("{} left", format_duration(left)));
        Ok(Seen::Moving { note: None, again: left.min(Duration::from_secs(10)) })
    }

    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Self::Note>, Fault> {
        Ok(None)
    }
}
