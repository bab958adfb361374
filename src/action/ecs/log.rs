//! Where it is written what a task said before it ended: commands that show it. What a program prints may hold secrets, so none
//! of it is read here.

use crate::action::{aws, quoted};
use crate::plan::Target;
use crate::port::{ReadCompute, Task};
use serde_json::Value as Json;

/// How many lines are shown.
const LINES: u32 = 50;

/// A command for each container of the task whose log CloudWatch keeps under a name that can be told.
pub(super) fn shown_by(target: &Target, content: &Json, task: &Task) -> Vec<String> {
    let containers = content["containerDefinitions"].as_array().into_iter().flatten();
    let id = task.arn.rsplit('/').next().unwrap_or_default();
    let command = |container: &Json| {
        let (log, name) = (&container["logConfiguration"], container["name"].as_str()?);
        if log["logDriver"] != "awslogs" {
            return None;
        }
        let option = |option: &str| log["options"][option].as_str();
        let (group, prefix) = (option("awslogs-group")?, option("awslogs-stream-prefix")?);
        let stream = quoted(&format!("{prefix}/{name}/{id}"));
        let command = format!(
            "logs get-log-events --log-group-name {} --log-stream-name {stream} --limit {LINES}",
            quoted(group)
        );
        // It may be kept in another region than the task ran in.
        let elsewhere =
            option("awslogs-region").filter(|region| target.says("region").as_deref() != Some(*region));
        let region = elsewhere.map(|region| format!(" --region {}", quoted(region))).unwrap_or_default();
        Some(format!("{}{region}", aws(target, &command)))
    };
    containers.filter_map(command).collect()
}

/// The same of the first of these tasks, as the end of a sentence.
pub(super) async fn of_first(target: &Target, compute: &dyn ReadCompute, tasks: &[Task]) -> String {
    let Some(task) = tasks.first() else { return String::new() };
    let Ok(Some(definition)) = compute.definition(&task.definition).await else { return String::new() };
    let commands = shown_by(target, &definition.content, task);
    if commands.is_empty() { String::new() } else { format!("; its log: {}", commands.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Span, Value};
    use serde_json::json;

    #[test]
    fn a_log_is_found_by_group_prefix_container_and_task() {
        let with = Value::from_json(&json!({"account": "1", "region": "eu-west-1"}), Span::default());
        let target = Target { name: "prod".into(), kind: "aws".into(), with };
        let task = Task {
            arn: "arn:aws:ecs:eu-west-1:1:task/main/0af3".into(),
            definition: String::new(),
            status: "STOPPED".into(),
            stop_code: None,
            stopped_reason: None,
            started_by: None,
            containers: Vec::new(),
        };
        let container = |name: &str, driver: &str, options: Json| json!({"name": name, "logConfiguration": {"logDriver": driver, "options": options}});
        let here = json!({"awslogs-group": "/ecs/my app", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"});
        let there = json!({"awslogs-group": "/ecs/job", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "job"});
        let content = json!({"containerDefinitions": [
            container("app", "awslogs", here),
            container("job", "awslogs", there),
            container("proxy", "awsfirelens", json!({})),
            // On instances of one's own its stream is called by the id of the container, which nobody here knows.
            container("unnamed", "awslogs", json!({"awslogs-group": "/ecs/x"})),
            {"name": "silent"},
        ]});
        assert_eq!(
            shown_by(&target, &content, &task),
            [
                "aws logs get-log-events --log-group-name '/ecs/my app' --log-stream-name web/app/0af3 --limit 50 \
                 --region eu-west-1",
                "aws logs get-log-events --log-group-name /ecs/job --log-stream-name job/job/0af3 --limit 50 \
                 --region eu-west-1 --region us-east-1",
            ]
        );
        assert!(shown_by(&target, &json!(null), &task).is_empty());
    }
}
