//! Long names, short enough for a line. Previews, runbooks and JSON keep them whole: there they are compared and
//! copied.

use crate::run::Change;

/// How much of a digest tells images apart.
const DIGEST: usize = 12;
const ALGORITHM: &str = "sha256:";

/// From what to what, both short, unless that would make them look alike.
pub(super) fn change(change: &Change) -> (String, String) {
    let (from, to) = (text(&change.from), text(&change.to));
    if from == to { (change.from.to_string(), change.to.to_string()) } else { (from, to) }
}

/// The same text with image digests cut, and without the registries and ARNs that its names stand in.
pub(super) fn text(text: &str) -> String {
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn word(word: &str) -> String {
    let name = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    match word.split_once('@') {
        Some((image, digest)) if digest.starts_with(ALGORITHM) => {
            let short: String = digest.chars().take(ALGORITHM.len() + DIGEST).collect();
            format!("{}@{short}", name(image))
        }
        _ if word.starts_with("arn:") && word.contains('/') => name(word),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(from: &str, to: &str) -> (String, String) {
        change(&Change { what: "x".into(), from: from.into(), to: to.into() })
    }

    #[test]
    fn what_tells_two_apart_stays() {
        let image = |host: &str, digest: &str| format!("{host}/shop@sha256:{}", digest.repeat(32));
        assert_eq!(
            of(
                &image("1.dkr.ecr.eu-west-1.amazonaws.com", "ab"),
                &image("1.dkr.ecr.eu-west-1.amazonaws.com", "cd")
            ),
            ("shop@sha256:abababababab".into(), "shop@sha256:cdcdcdcdcdcd".into())
        );
        let (from, to) = (image("one.example", "ab"), image("two.example", "ab"));
        assert_eq!(of(&from, &to), (from, to));
        assert_eq!(
            of("arn:aws:ecs:eu-west-1:1:task-definition/shop:41", "a new revision of shop"),
            ("shop:41".into(), "a new revision of shop".into())
        );
        assert_eq!(of("CNAME a.example (TTL 60)", "12"), ("CNAME a.example (TTL 60)".into(), "12".into()));
    }
}
