//! The console blocks of the README and the runbooks do what they show.
//!
//! A block fenced as `console` holds commands behind `$ ` and what they print. In a line `…` stands for anything; a
//! line that is only `…` stands for any lines. Blocks of other kinds are not run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One command and what its page says it prints.
struct Example {
    command: String,
    prints: Vec<String>,
    line: usize,
}

fn examples(page: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    for (number, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            found.push(Example { command: command.to_owned(), prints: Vec::new(), line: number + 1 });
        } else if inside {
            found.last_mut().expect("a console block opens with a command").prints.push(line.to_owned());
        }
    }
    found
}

/// Whether `printed` is what `expected` describes.
fn matches(expected: &[String], printed: &[&str]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first.trim() == "…" => {
            matches(rest, printed) || printed.split_first().is_some_and(|(_, later)| matches(expected, later))
        }
        (Some((first, rest)), Some((line, later))) => line_matches(first, line) && matches(rest, later),
        _ => false,
    }
}

fn line_matches(expected: &str, line: &str) -> bool {
    let mut pieces = expected.trim_end().split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.trim_end().strip_prefix(first) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[expect(clippy::disallowed_methods, reason = "a reader has a PATH")]
fn run_page(path: &Path) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_switchover")).parent().unwrap().to_owned();
    let path_variable = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let page = std::fs::read_to_string(path).unwrap();
    let examples = examples(&page);
    for example in &examples {
        // A reader types cargo; the tests have the same binary already.
        let command = example.command.replace("cargo run --release -- ", "switchover ");
        let output = Command::new("bash")
            .args(["-c", &format!("{command} 2>&1")])
            .current_dir(root)
            .env("PATH", &path_variable)
            .env("SWITCHOVER_STATE_DIR", home.path())
            .env("SWITCHOVER_AS", "ana@navralabs.com")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            matches(&example.prints, &lines),
            "{}:{}: `{}` prints\n{printed}\nbut the page says\n{}",
            path.display(),
            example.line,
            example.command,
            example.prints.join("\n")
        );
    }
    examples.len()
}

#[test]
fn the_readme_does_what_it_shows() {
    let ran = run_page(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    assert!(ran >= 5, "the README shows {ran} commands; its guided first plan has more");
}

#[test]
fn the_runbooks_do_what_they_show() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    pages.sort();
    for page in pages.iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        run_page(page);
    }
}

#[test]
fn dots_stand_for_anything() {
    let check = |expected: &str, printed: &str| {
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        matches(&expected, &printed.lines().collect::<Vec<_>>())
    };
    assert!(check("a … c\n…\nend", "a b c\n1\n2\nend"));
    assert!(check("…", ""));
    assert!(!check("a … c", "a b d"));
    assert!(!check("a", "a\nb"));
    assert!(!check("a\nb", "a"));
}
