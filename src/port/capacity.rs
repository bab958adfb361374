//! What tasks of a service are placed on. That it is there can be asked; that it has room is known only once they are placed.

use serde::{Deserialize, Serialize};

/// What the provider has for all of its customers, under the names that it goes by in a strategy. The second is what nobody
/// else needs of the first.
const PROVIDED: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// What tasks of a service are placed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// What the provider has for all, which is always there.
    #[default]
    Provided,
    /// Only what nobody else needs of that.
    Spare,
    /// Capacity providers of the account, by name.
    Providers(Vec<String>),
    /// Instances that are registered in the cluster.
    Instances,
}

/// A capacity provider of which something is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityProvider {
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `PROVISIONING`, `DEPROVISIONING`, `INACTIVE`; `None`: the cluster has none of that name.
    pub status: Option<String>,
}

impl Placement {
    /// By the names of the capacity providers that tasks are dealt to.
    #[must_use]
    pub fn by(providers: Vec<String>) -> Self {
        let (provided, own): (Vec<String>, Vec<String>) =
            providers.into_iter().partition(|name| PROVIDED.contains(&&**name));
        if !own.is_empty() {
            return Self::Providers(own);
        }
        let is_spare = !provided.is_empty() && provided.iter().all(|name| *name == PROVIDED[1]);
        if is_spare { Self::Spare } else { Self::Provided }
    }

    /// It is always there.
    #[must_use]
    pub fn is_provided(&self) -> bool {
        *self == Self::Provided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_capacity_providers_of_the_account_can_be_asked_about() {
        let by = |names: &[&str]| Placement::by(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(by(&[]), Placement::Provided);
        assert_eq!(by(&["FARGATE"]), Placement::Provided);
        assert_eq!(by(&["FARGATE", "FARGATE_SPOT"]), Placement::Provided);
        assert_eq!(by(&["FARGATE_SPOT"]), Placement::Spare);
        assert_eq!(by(&["FARGATE", "own"]), Placement::Providers(vec!["own".into()]));
    }
}
