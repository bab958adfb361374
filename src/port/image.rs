//! Images of containers that are kept in a registry of the provider, by the names that tasks pull them by.

use super::partition;

/// Where ECR's registries are, after account and region. User guide, "Private registry endpoints": names of IPv4, those of both
/// kinds of addresses, and those that are validated by FIPS.
const HOSTS: [&str; 4] = ["dkr.ecr", "dkr.ecr-fips", "dkr-ecr", "dkr-ecr-fips"];
const DOMAINS: [&str; 8] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
];

/// An image in ECR.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The account of the registry.
    pub account: String,
    /// Its region.
    pub region: String,
    /// `team/web`.
    pub repository: String,
    /// Which of it.
    pub pick: Pick,
}

/// Which image of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pick {
    /// `sha256:…`.
    Digest(String),
    /// `v7`. It may move.
    Tag(String),
}

/// Whether an image can be pulled, as far as its registry tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    /// It is there.
    Can,
    /// Certainly not: why.
    Cannot(String),
    /// It could not be known: why.
    Unknown(String),
}

impl Image {
    /// `123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web@sha256:…`; with neither digest nor tag it is `latest`. `None`:
    /// it is in some other registry, and nobody here can tell.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (registry, path) = name.split_once('/')?;
        let (account, host) = registry.split_once('.')?;
        let rest = HOSTS.iter().find_map(|known| host.strip_prefix(known)?.strip_prefix('.'))?;
        let (region, domain) = rest.split_once('.')?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !is_account || region.is_empty() || !DOMAINS.contains(&domain) {
            return None;
        }
        // A name may have both: then the digest counts.
        let (tagged, digest) =
            path.split_once('@').map_or((path, None), |(path, digest)| (path, Some(digest)));
        let (repository, tag) = tagged.split_once(':').unwrap_or((tagged, "latest"));
        let pick = digest.map_or_else(|| Pick::Tag(tag.into()), |digest| Pick::Digest(digest.into()));
        if repository.is_empty() {
            return None;
        }
        Some(Self { account: account.into(), region: region.into(), repository: repository.into(), pick })
    }

    /// The ARN of its repository, as policies name it.
    #[must_use]
    pub fn repository_arn(&self) -> String {
        let Self { account, region, repository, .. } = self;
        format!("arn:{}:ecr:{region}:{account}:repository/{repository}", partition(region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_ecr_are_known_by_their_names_and_others_are_not() {
        let read = |name: &str| {
            Image::named(name).map(|image| {
                let pick = match &image.pick {
                    Pick::Digest(digest) => format!("@{digest}"),
                    Pick::Tag(tag) => format!(":{tag}"),
                };
                format!("{} {}{pick}", image.repository_arn(), image.region)
            })
        };
        let ours = "arn:aws:ecr:eu-west-1:123456789012:repository/team/web eu-west-1";
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        for (name, found) in [
            (format!("{host}/team/web@sha256:ab"), Some(format!("{ours}@sha256:ab"))),
            (format!("{host}/team/web:v7"), Some(format!("{ours}:v7"))),
            (format!("{host}/team/web:v7@sha256:ab"), Some(format!("{ours}@sha256:ab"))),
            (format!("{host}/team/web"), Some(format!("{ours}:latest"))),
            ("123456789012.dkr-ecr.eu-west-1.on.aws/team/web:v7".to_owned(), Some(format!("{ours}:v7"))),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/web:1".to_owned(),
                Some("arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/web us-gov-west-1:1".into()),
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/web:1".to_owned(),
                Some("arn:aws-cn:ecr:cn-north-1:123456789012:repository/web cn-north-1:1".into()),
            ),
        ] {
            assert_eq!(read(&name), found, "{name}");
        }
        for name in [
            "",
            "web",
            "web:7",
            "nginx/web:7",
            "public.ecr.aws/nginx/nginx:1.27",
            "ghcr.io/navralabs/web@sha256:ab",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com/web:1",
            "123456789012.dkr.ecr..amazonaws.com/web:1",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/:v7",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example/web:1",
            "123456789012.dkr.ecrx.eu-west-1.amazonaws.com/web:1",
        ] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
