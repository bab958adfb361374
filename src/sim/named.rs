//! What definitions name beside their images. All of it is there, unless the world's file says otherwise; parameters are those that
//! it states.

use super::file::ParameterFile;
use super::world::World;
use crate::port::Named;
use std::collections::BTreeSet;

impl World {
    /// Whether it is there.
    #[must_use]
    pub fn has(&self, thing: &Named) -> bool {
        match thing {
            // Whoever asks for a role has only the last part of its ARN.
            Named::Role(name) => {
                !self.absent.iter().any(|absent| is_role(absent) && last(absent) == last(name))
            }
            Named::Secret(name) | Named::LogGroup(name) => !self.absent.contains(name),
            Named::Parameter(name) => self.parameter(name).is_some(),
        }
    }

    /// What is kept under a name, or an ARN.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&ParameterFile> {
        let own = format!("arn:aws:ssm:{}:{}:parameter/", self.region, self.account);
        match name.strip_prefix(&own) {
            // An ARN does not tell whether the name begins with a slash.
            Some(rest) => self.parameters.get(&format!("/{rest}")).or_else(|| self.parameters.get(rest)),
            None => self.parameters.get(name),
        }
    }

    /// The log groups whose names begin so: those whose lines the world tells, and the one of just that name.
    #[must_use]
    pub fn log_groups(&self, prefix: &str) -> BTreeSet<String> {
        let told = self.logs.keys().filter_map(|name| name.split(' ').next());
        let all = told.chain([prefix]).filter(|name| !name.is_empty() && name.starts_with(prefix));
        all.filter(|name| !self.absent.contains(*name)).map(str::to_owned).collect()
    }
}

/// Names of roles have no slash; those of log groups and secrets may.
fn is_role(absent: &str) -> bool {
    !absent.contains('/') || absent.contains(":role/")
}

/// The last part of an ARN, or the name itself.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
