//! Attributes of load balancers and target groups: what they are, and who changes them.

use super::compute::Refusal;
use super::file::{AttributesFile, Span};
use super::world::World;
use crate::plan::{Timestamp, format_duration};
use crate::port::{Attribute, Attributes, Owner};
use std::time::Duration;

/// `client_keep_alive of load balancer web`: the place of an attribute.
fn place(attribute: Attribute, name: &str) -> String {
    format!("{attribute} of {} {name}", attribute.owner())
}

impl World {
    /// The name of what has this ARN.
    fn owner(&self, owner: Owner, arn: &str) -> Result<String, Refusal> {
        let named = match owner {
            Owner::LoadBalancer => self.balancers.values().find(|b| b.arn == arn).map(|b| &b.name),
            Owner::TargetGroup => self.groups.values().find(|g| g.arn == arn).map(|g| &g.name),
        };
        named.cloned().ok_or_else(|| match owner {
            Owner::LoadBalancer => {
                Refusal::new("LoadBalancerNotFound", format!("Load balancer '{arn}' not found"))
            }
            Owner::TargetGroup => Refusal::new("TargetGroupNotFound", "One or more target groups not found"),
        })
    }

    fn attribute(&self, attribute: Attribute, name: &str) -> Option<Duration> {
        let balancer = || self.balancers.get(name);
        match attribute {
            Attribute::ClientKeepAlive => balancer().map(|found| found.keep_alive),
            Attribute::IdleTimeout => balancer().map(|found| found.idle_timeout),
            Attribute::DeregistrationDelay => {
                self.groups.get(name).map(|group| group.check.deregistration_delay.0)
            }
        }
    }

    /// The attributes of a load balancer or a target group, by its ARN.
    ///
    /// # Errors
    /// There is none.
    pub fn attributes(&self, owner: Owner, arn: &str) -> Result<Attributes, Refusal> {
        let name = self.owner(owner, arn)?;
        let own = Attribute::ALL.into_iter().filter(|attribute| attribute.owner() == owner);
        Ok(own.filter_map(|attribute| Some((attribute, self.attribute(attribute, &name)?))).collect())
    }

    /// Sets some of them, or none.
    ///
    /// # Errors
    /// There is no such thing, it has no such attribute, or one may not be that.
    pub fn set_attributes(
        &mut self,
        owner: Owner,
        arn: &str,
        wanted: &Attributes,
        now: Timestamp,
    ) -> Result<Attributes, Refusal> {
        let name = self.owner(owner, arn)?;
        let wrong = |(attribute, value): &(&Attribute, &Duration)| {
            attribute.owner() != owner || !attribute.takes(**value)
        };
        if wanted.is_empty() {
            return Err(Refusal::new("ValidationError", "At least one attribute must be specified"));
        }
        if let Some((attribute, value)) = wanted.iter().find(wrong) {
            let (key, seconds) = (attribute.key(), value.as_secs());
            let text = format!("The value '{seconds}' is invalid for the attribute '{key}' of a {owner}");
            return Err(Refusal::new("InvalidConfigurationRequest", text));
        }
        for (attribute, value) in wanted {
            if self.attribute(*attribute, &name) != Some(*value) {
                self.put_attribute(*attribute, &name, *value);
                self.ledger.note(now, place(*attribute, &name), format_duration(*value));
            }
        }
        self.attributes(owner, arn)
    }

    fn put_attribute(&mut self, attribute: Attribute, name: &str, value: Duration) {
        match attribute {
            Attribute::ClientKeepAlive => {
                if let Some(found) = self.balancers.get_mut(name) {
                    found.keep_alive = value;
                }
            }
            Attribute::IdleTimeout => {
                if let Some(found) = self.balancers.get_mut(name) {
                    found.idle_timeout = value;
                }
            }
            Attribute::DeregistrationDelay => {
                if let Some(group) = self.groups.get_mut(name) {
                    group.check.deregistration_delay = Span(value);
                }
            }
        }
    }

    /// Somebody else changes them.
    pub(super) fn foreign_attributes(
        &mut self,
        file: &AttributesFile,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let named = |owner: Owner, name: &String| match owner {
            Owner::LoadBalancer => self.balancers.get(name).map(|found| found.arn.clone()),
            Owner::TargetGroup => self.groups.get(name).map(|found| found.arn.clone()),
        };
        let stated = [(Owner::LoadBalancer, &file.load_balancer), (Owner::TargetGroup, &file.target_group)];
        let found = stated.into_iter().find_map(|(owner, name)| Some((owner, named(owner, name.as_ref()?)?)));
        let Some((owner, arn)) = found else {
            return Err(Refusal::new("NoSuchThing", "there is nothing of that name that has attributes"));
        };
        let values = [
            (Attribute::ClientKeepAlive, file.client_keep_alive),
            (Attribute::IdleTimeout, file.idle_timeout),
            (Attribute::DeregistrationDelay, file.deregistration_delay),
        ];
        let wanted = values.into_iter().filter_map(|(attribute, value)| Some((attribute, value?.0)));
        self.set_attributes(owner, &arn, &wanted.collect(), now).map(drop)
    }

    /// Every attribute, by its place.
    pub(super) fn all_attributes(&self) -> impl Iterator<Item = (String, Duration)> + '_ {
        Attribute::ALL.into_iter().flat_map(move |attribute| {
            let names: Vec<&String> = match attribute.owner() {
                Owner::LoadBalancer => self.balancers.keys().collect(),
                Owner::TargetGroup => self.groups.keys().collect(),
            };
            let own = move |name: &String| Some((place(attribute, name), self.attribute(attribute, name)?));
            names.into_iter().filter_map(own)
        })
    }

    /// The places of the attributes of a load balancer that is no more.
    pub(super) fn places_gone(name: &str) -> impl Iterator<Item = String> + '_ {
        let own = Attribute::ALL.into_iter().filter(|attribute| attribute.owner() == Owner::LoadBalancer);
        own.map(move |attribute| place(attribute, name))
    }
}

/// Others, that the provider takes, too.
pub(super) fn spoiled(wanted: &Attributes) -> Attributes {
    let second = Duration::from_secs(1);
    let other = |(attribute, value): (&Attribute, &Duration)| {
        let (_, most) = attribute.bounds();
        let value = if *value < most { *value + second } else { value.saturating_sub(second) };
        (*attribute, value)
    };
    wanted.iter().map(other).collect()
}
