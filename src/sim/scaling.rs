//! Within which bounds services are scaled. A service should have as many tasks as its load calls for, which never changes
//! here, and no fewer and no more than its bounds say.

use super::compute::Refusal;
use super::ledger::Whose;
use super::world::World;
use crate::plan::Timestamp;
use crate::port::Scaling;

impl World {
    /// Sets the bounds of a service; what is not stated stays.
    ///
    /// # Errors
    /// There is no such service, or these are no bounds.
    pub fn scale(
        &mut self,
        cluster: &str,
        name: &str,
        min: Option<u32>,
        max: Option<u32>,
        now: Timestamp,
    ) -> Result<Scaling, Refusal> {
        let invalid = |text: &str| Refusal::new("ValidationException", text);
        let place = self.services.iter().position(|s| s.cluster == cluster && s.name == name);
        let place =
            place.ok_or_else(|| invalid(&format!("ECS service doesn't exist: service/{cluster}/{name}")))?;
        let before = self.services[place].scaling;
        let min = min.or(before.map(|found| found.min));
        let max = max.or(before.map(|found| found.max));
        let (Some(min), Some(max)) = (min, max) else {
            return Err(invalid(
                "No scalable target found: a new one needs a minimum and a maximum capacity",
            ));
        };
        if min > max {
            return Err(invalid("Minimum capacity cannot be greater than maximum capacity"));
        }
        let wanted = Scaling { min, max };
        if before == Some(wanted) {
            return Ok(wanted);
        }
        self.ledger.note(now, format!("scaling of {cluster}/{name}"), wanted.to_string());
        let service = &mut self.services[place];
        service.scaling = Some(wanted);
        let desired = service.load.clamp(min, max);
        if desired != service.desired {
            // The autoscaler follows, and not who called. What somebody else brings about is theirs.
            let by = match self.ledger.acting {
                Whose::Ours(_) | Whose::Late(_) => Whose::Provider,
                by => by,
            };
            self.acting(by, |world| world.note_service(place, None, Some(desired), false, now));
            self.services[place].desired = desired;
            self.settle(now);
        }
        Ok(wanted)
    }
}
