//! Where it is written what a task said before it ended: commands that show it. What a program prints may hold secrets, so none
//! of it is read here unless the plan asks for it.

use crate::action::{aws, quoted};
use crate::plan::Target;
use crate::port::{LogStream, ReadCompute, Reads, Task};
use crate::run::Fault;
use serde_json::Value as Json;

/// How many lines a command shows.
const LINES: u32 = 50;
/// How much of a line is told.
const WIDTH: usize = 300;

/// What one container has written to.
struct Log {
    container: String,
    stream: LogStream,
    /// Where it is kept, if that is another region than the task ran in.
    elsewhere: Option<String>,
}

/// The logs that CloudWatch keeps under names that can be told.
fn logs(target: &Target, content: &Json, task: &Task) -> Vec<Log> {
    let containers = content["containerDefinitions"].as_array().into_iter().flatten();
    let id = task.arn.rsplit('/').next().unwrap_or_default();
    let log = |container: &Json| {
        let (log, name) = (&container["logConfiguration"], container["name"].as_str()?);
        if log["logDriver"] != "awslogs" {
            return None;
        }
        let option = |option: &str| log["options"][option].as_str();
        let (group, prefix) = (option("awslogs-group")?, option("awslogs-stream-prefix")?);
        let elsewhere =
            option("awslogs-region").filter(|region| target.says("region").as_deref() != Some(*region));
        Some(Log {
            container: name.to_owned(),
            stream: LogStream { group: group.to_owned(), stream: format!("{prefix}/{name}/{id}") },
            elsewhere: elsewhere.map(str::to_owned),
        })
    };
    containers.filter_map(log).collect()
}

/// A command for each of them.
pub(super) fn shown_by(target: &Target, content: &Json, task: &Task) -> Vec<String> {
    let command = |Log { stream: LogStream { group, stream }, elsewhere, .. }: Log| {
        let (group, stream) = (quoted(&group), quoted(&stream));
        let command = format!(
            "logs get-log-events --log-group-name {group} --log-stream-name {stream} --limit {LINES}"
        );
        let region = elsewhere.map(|region| format!(" --region {}", quoted(&region))).unwrap_or_default();
        format!("{}{region}", aws(target, &command))
    };
    logs(target, content, task).into_iter().map(command).collect()
}

/// The last lines of that container, as the end of a sentence: one that cannot be read fails nothing.
pub(super) async fn last_of(
    target: &Target,
    reads: &Reads<'_>,
    task: &Task,
    container: &str,
    most: u32,
) -> String {
    match newest(target, reads, task, container, most).await {
        Ok(Some(lines)) if !lines.is_empty() => {
            let lines: Vec<String> = lines.iter().map(|line| on_one_line(line)).collect();
            format!("; it said last: {}", lines.join(" | "))
        }
        Ok(_) => "; it has said nothing that is kept".into(),
        Err(Fault { message, .. }) => format!("; what it said last could not be read: {message}"),
    }
}

async fn newest(
    target: &Target,
    reads: &Reads<'_>,
    task: &Task,
    container: &str,
    most: u32,
) -> Result<Option<Vec<String>>, Fault> {
    let compute = reads.world.compute(&target.name)?;
    let Some(definition) = compute.definition(&task.definition).await? else { return Ok(None) };
    let mut logs = logs(target, &definition.content, task).into_iter();
    match logs.find(|log| log.container == container && log.elsewhere.is_none()) {
        Some(log) => reads.world.metrics(&target.name)?.newest_lines(&log.stream, most).await,
        None => Ok(None),
    }
}

/// What a program prints may hold anything, sequences for terminals too. It is cut between words, and no white space is changed:
/// a secret is found in it as it is, or as a whole.
fn on_one_line(line: &str) -> String {
    let plain: String = line.trim().chars().filter(|c| !c.is_control() || *c == '\t').collect();
    let Some((end, _)) = plain.char_indices().nth(WIDTH) else { return plain };
    let words = plain[..end].rfind(char::is_whitespace).map_or("", |end| plain[..end].trim_end());
    format!("{words}…")
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

    #[test]
    fn what_a_program_prints_cannot_do_anything_to_a_terminal() {
        assert_eq!(on_one_line("  a\tb  \u{1b}[2J\u{7}c\r\n"), "a\tb  [2Jc");
        assert_eq!(on_one_line(&"x".repeat(300)).len(), 300);
        let long = format!("{} s3cr3t-t0ken", "é".repeat(290));
        assert_eq!(on_one_line(&long), format!("{}…", "é".repeat(290)), "half a secret is one");
        assert_eq!(on_one_line(&"x".repeat(301)), "…");
    }
}
