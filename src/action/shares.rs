//! Shares of requests: whole weights that give one its part in a hundred, and leave the others in proportion.

use crate::port::Share;

/// What goes to all groups.
const ALL: u32 = 100;

/// One weight of a shift: how many requests in a hundred the group gets, and the shares that say so.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Stage {
    pub(super) percent: u32,
    pub(super) groups: Vec<Share>,
}

/// The stages from what is there. What a rule gives the group already is not given again, and nothing is taken from it.
///
/// No weight is above `most`.
pub(super) fn stages(there: &[Share], group: &str, to: &[u32], most: u32) -> Result<Vec<Stage>, String> {
    let all: u32 = there.iter().map(|share| share.weight).sum();
    let own = there.iter().find(|share| share.group == group).map_or(0, |share| share.weight);
    let others: Vec<&Share> = there.iter().filter(|share| share.group != group).collect();
    let rest = divisor(others.iter().map(|share| share.weight));
    let more = |percent: &&u32| u64::from(own) * u64::from(ALL) < u64::from(**percent) * u64::from(all);
    if all == 0 {
        return Err("all of its weights are 0: it deals no requests that could be shifted".into());
    }
    let made = to.iter().filter(more).map(|percent| stage(there, &others, rest, group, *percent));
    made.map(|stage| fitting(stage, most)).collect()
}

/// A group of weight 0 has no part to keep in proportion.
fn stage(there: &[Share], others: &[&Share], rest: u32, group: &str, percent: u32) -> Stage {
    let parts = |share: &Share| share.weight / rest.max(1);
    let sum: u32 = others.iter().map(|share| parts(share)).sum();
    let part =
        |share: &Share| if share.group == group { percent * sum } else { (ALL - percent) * parts(share) };
    let mut groups: Vec<Share> =
        there.iter().map(|share| Share { group: share.group.clone(), weight: part(share) }).collect();
    if !there.iter().any(|share| share.group == group) {
        groups.push(Share { group: group.to_owned(), weight: percent * sum });
    }
    Stage { percent, groups }
}

/// The same in smaller numbers, if that is needed.
fn fitting(stage: Stage, most: u32) -> Result<Stage, String> {
    let Stage { percent, mut groups } = stage;
    if groups.iter().any(|share| share.weight > most) {
        let common = divisor(groups.iter().map(|share| share.weight)).max(1);
        for share in &mut groups {
            share.weight /= common;
        }
    }
    if groups.iter().any(|share| share.weight > most) {
        return Err(format!(
            "no weights up to {most} give it {percent} in a hundred and leave the others in proportion: give them rounder \
             ones first"
        ));
    }
    Ok(Stage { percent, groups })
}

/// The greatest number that divides all of them; 0 if all are 0.
fn divisor(all: impl Iterator<Item = u32>) -> u32 {
    all.fold(0, |mut a, mut b| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    })
}

/// Whether two rules deal alike: which group comes first does not matter.
pub(super) fn same(one: &[Share], other: &[Share]) -> bool {
    let sorted = |shares: &[Share]| {
        let mut all = shares.to_vec();
        all.sort();
        all
    };
    sorted(one) == sorted(other)
}

/// For people: `blue 90, green 10`.
pub(super) fn told(shares: &[Share]) -> String {
    let each = shares.iter().map(|share| format!("{} {}", short(&share.group), share.weight));
    each.collect::<Vec<_>>().join(", ")
}

/// The name of a target group, of its ARN.
pub(super) fn short(arn: &str) -> &str {
    arn.rsplit_once(":targetgroup/").and_then(|(_, rest)| rest.split('/').next()).unwrap_or(arn)
}

/// Names of groups, for people.
pub(super) fn names(groups: &[String]) -> String {
    groups.iter().map(|group| short(group)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(all: &[(&str, u32)]) -> Vec<Share> {
        all.iter().map(|(group, weight)| Share { group: (*group).into(), weight: *weight }).collect()
    }

    fn made(there: &[(&str, u32)], to: &[u32]) -> Vec<Vec<(String, u32)>> {
        let stages = stages(&shares(there), "green", to, Share::MOST).unwrap();
        let pairs =
            |stage: Stage| stage.groups.into_iter().map(|share| (share.group, share.weight)).collect();
        stages.into_iter().map(pairs).collect()
    }

    fn pairs(all: &[(&str, u32)]) -> Vec<(String, u32)> {
        all.iter().map(|(group, weight)| ((*group).to_owned(), *weight)).collect()
    }

    #[test]
    fn a_group_gets_its_part_and_the_others_keep_their_proportion() {
        let all = [pairs(&[("blue", 99), ("green", 1)]), pairs(&[("blue", 0), ("green", 100)])];
        assert_eq!(made(&[("blue", 1), ("green", 0)], &[1, 100]), all);
        assert_eq!(made(&[("blue", 100), ("green", 0)], &[1, 100]), all);
        assert_eq!(made(&[("blue", 7)], &[1, 100]), all, "a group that is not there yet comes last");
        let three = made(&[("blue", 2), ("red", 1), ("old", 0)], &[10]);
        assert_eq!(three, [pairs(&[("blue", 180), ("red", 90), ("old", 0), ("green", 30)])]);
    }

    #[test]
    fn what_a_group_has_is_neither_given_again_nor_taken() {
        assert_eq!(made(&[("blue", 9), ("green", 1)], &[1, 10, 50]), [pairs(&[("blue", 50), ("green", 50)])]);
        assert_eq!(made(&[("blue", 0), ("green", 1)], &[1, 100]), [[]; 0]);
    }

    #[test]
    fn weights_that_cannot_be_whole_are_refused() {
        let there = shares(&[("blue", 331), ("red", 332)]);
        assert!(stages(&there, "green", &[7], 999).unwrap_err().contains("999"));
        assert!(stages(&shares(&[("blue", 2), ("red", 3)]), "green", &[1], 255).unwrap_err().contains("255"));
        assert_eq!(
            made(&[("blue", 331), ("red", 332)], &[100]),
            [pairs(&[("blue", 0), ("red", 0), ("green", 1)])]
        );
        assert!(stages(&shares(&[("blue", 0)]), "green", &[7], Share::MOST).is_err());
    }
}
