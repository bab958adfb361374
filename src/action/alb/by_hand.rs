//! How people would shift by hand, and put back what was recorded.

use super::place::Place;
use crate::action::text::{aws, quoted};
use crate::port::{Does, Forward, Rule, RuleAction, Share};
use serde_json::{Value as Json, json};

/// As the command line takes actions.
fn written(actions: &[RuleAction]) -> String {
    let one = |action: &RuleAction| {
        let mut json = match &action.does {
            Does::Forward(forward) => json!({"Type": "forward", "ForwardConfig": config(forward)}),
            Does::Other(json) => json.clone(),
        };
        if let (Some(order), Json::Object(fields)) = (action.order, &mut json) {
            fields.insert("Order".into(), order.into());
        }
        json
    };
    actions.iter().map(one).collect::<Json>().to_string()
}

fn config(forward: &Forward) -> Json {
    let share = |share: &Share| json!({"TargetGroupArn": share.group, "Weight": share.weight});
    let sticks = match forward.sticks {
        Some(sticks) => json!({"Enabled": true, "DurationSeconds": sticks.as_secs()}),
        None => json!({"Enabled": false}),
    };
    let groups: Json = forward.groups.iter().map(share).collect();
    json!({"TargetGroups": groups, "TargetGroupStickinessConfig": sticks})
}

impl Place {
    /// Gives a rule these actions, by what is recorded of it.
    pub(super) fn set_by_hand(&self, rule: &Rule, actions: &[RuleAction]) -> String {
        let arn = if rule.priority.is_some() { &rule.arn } else { &rule.listener };
        self.set(arn, &quoted(&written(actions)))
    }

    /// The same, before anything is known.
    fn set_unknown(&self, weights: &str) -> String {
        let arn = if self.priority.is_some() { "<its RuleArn>" } else { "<its ListenerArn>" };
        self.set(arn, &format!("'<its Actions, with {weights}>'"))
    }

    /// The default rule of a listener is changed with the listener.
    fn set(&self, arn: &str, actions: &str) -> String {
        let command = match self.priority {
            Some(_) => format!("elbv2 modify-rule --rule-arn {arn} --actions {actions}"),
            None => format!("elbv2 modify-listener --listener-arn {arn} --default-actions {actions}"),
        };
        aws(&self.target, &command)
    }

    /// Finds it, and shows it.
    pub(super) fn list_by_hand(&self) -> Vec<String> {
        let name = &self.load_balancer;
        let query = "'LoadBalancers[0].LoadBalancerArn'";
        let port = self.listener;
        let listeners = format!("'Listeners[?Port==`{port}`].ListenerArn'");
        vec![
            aws(&self.target, &format!("elbv2 describe-load-balancers --names {name} --query {query}")),
            aws(
                &self.target,
                &format!("elbv2 describe-listeners --load-balancer-arn <that ARN> --query {listeners}"),
            ),
            aws(&self.target, "elbv2 describe-rules --listener-arn <that ARN>"),
        ]
    }

    /// One command a weight.
    pub(super) fn shift_by_hand(&self, group: &str, percents: &[u32]) -> Vec<String> {
        let weights = |percent: &u32| match percent {
            100 => format!("weight 100 for {group}, and 0 for the others"),
            _ => format!("weight {percent} for {group}, and {} for the other", 100 - percent),
        };
        percents.iter().map(|percent| self.set_unknown(&weights(percent))).collect()
    }

    /// Puts back what was noted.
    pub(super) fn back_by_hand(&self) -> Vec<String> {
        vec![self.set_unknown("the weights that were noted")]
    }
}
