//! What tasks need beside their images to start, by the names that a definition has for it.

use super::need::Account;

/// Something that a definition names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A role, by its ARN or its name.
    Role(String),
    /// A secret, by its ARN or its name; which part of it a task is given is no matter here.
    Secret(String),
    /// A parameter, by its ARN or its name.
    Parameter(String),
    /// A log group, by its name.
    LogGroup(String),
}

/// Whether it is there, as far as whoever keeps it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// Certainly not.
    Missing,
    /// It is still there, and marked for deletion: nobody can read it.
    Leaving,
    /// It could not be known: why.
    Unknown(String),
}

impl Named {
    /// What `valueFrom` means: a secret by its ARN, of which a key, a stage and a version may be picked
    /// (`arn:…:secret:aep/db-AbCdEf:password::`); a parameter by its ARN or, in the region of the task, by its name. Developer guide,
    /// "Pass sensitive data to an Amazon ECS container". `None`: neither.
    #[must_use]
    pub fn by_value(from: &str) -> Option<Self> {
        let parts: Vec<&str> = from.split(':').collect();
        match parts.as_slice() {
            ["arn", _, "secretsmanager", _, _, "secret", name, ..] if !name.is_empty() => {
                Some(Self::Secret(parts[..7].join(":")))
            }
            ["arn", _, "ssm", _, _, resource] if resource.starts_with("parameter/") => {
                Some(Self::Parameter(from.to_owned()))
            }
            [name] if !name.is_empty() && name.chars().all(is_of_parameters) => {
                Some(Self::Parameter(from.to_owned()))
            }
            _ => None,
        }
    }

    /// As the definition has it.
    #[must_use]
    pub fn name(&self) -> &str {
        let (Self::Role(name) | Self::Secret(name) | Self::Parameter(name) | Self::LogGroup(name)) = self;
        name
    }

    /// Where it is, if its ARN says that this is not here.
    #[must_use]
    pub fn elsewhere(&self, here: &Account) -> Option<String> {
        // `arn:aws:ssm:eu-west-1:123456789012:parameter/aep`; of a role the region is empty.
        let mut parts = self.name().strip_prefix("arn:")?.splitn(5, ':').skip(2);
        let (region, account) = (parts.next()?, parts.next()?);
        if !account.is_empty() && account != here.account {
            return Some(format!("it is in account {account}"));
        }
        (!region.is_empty() && region != here.region).then(|| format!("it is in {region}"))
    }
}

/// What names of parameters are made of.
fn is_of_parameters(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "/._-".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:aep/db-AbCdEf";
    const PARAMETER: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/aep/db";

    #[test]
    fn a_value_is_from_a_secret_or_a_parameter() {
        let secret = Some(Named::Secret(SECRET.into()));
        for from in
            [SECRET.to_owned(), format!("{SECRET}:password::"), format!("{SECRET}:password:AWSCURRENT:v1")]
        {
            assert_eq!(Named::by_value(&from), secret, "{from}");
        }
        for from in [PARAMETER, "/aep/db", "aep-db.v1"] {
            assert_eq!(Named::by_value(from), Some(Named::Parameter(from.into())), "{from}");
        }
        for from in [
            "",
            "correct horse",
            "p&ss",
            "aep:db",
            "arn:aws:s3:::bucket/env",
            "arn:aws:ssm:eu-west-1:123456789012:document/aep",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
            "arn:aws:secretsmanager:eu-west-1:123456789012",
        ] {
            assert_eq!(Named::by_value(from), None, "{from}");
        }
    }

    #[test]
    fn an_arn_tells_what_is_elsewhere() {
        let here = |account: &str, region: &str| Account {
            target: "prod".into(),
            account: account.into(),
            region: region.into(),
        };
        let role = Named::Role("arn:aws:iam::123456789012:role/ecs/web".into());
        let secret = Named::Secret(SECRET.into());
        let ours = here("123456789012", "eu-west-1");
        for named in [&role, &secret, &Named::Role("web".into()), &Named::LogGroup("/ecs/web".into())] {
            assert_eq!(named.elsewhere(&ours), None, "{named:?}");
        }
        let theirs = here("210987654321", "eu-west-1");
        for named in [&role, &secret] {
            assert_eq!(named.elsewhere(&theirs).unwrap(), "it is in account 123456789012");
        }
        let far = here("123456789012", "us-east-1");
        assert_eq!(role.elsewhere(&far), None, "roles are everywhere");
        assert_eq!(secret.elsewhere(&far).unwrap(), "it is in eu-west-1");
    }
}
