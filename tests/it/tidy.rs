//! Rules of the house that no compiler knows: who may know whom, how long files are, what each file opens with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules each module may name. What is not here may be named by nobody but `cli`.
const ARROWS: &[(&str, &[&str])] = &[
    ("plan", &[]),
    ("run", &["plan", "mutant"]),
    ("doc", &["plan"]),
    ("draft", &["plan", "run", "port"]),
    ("store", &["plan", "run", "port", "mutant"]),
    // A report of a rehearsal is of its plain data.
    ("report", &["plan", "run", "rehearse"]),
    ("port", &["plan", "run", "mutant"]),
    ("action", &["plan", "run", "port", "signal", "mutant"]),
    ("signal", &["plan", "run", "port", "mutant"]),
    ("sim", &["plan", "run", "port", "mutant"]),
    ("adapter", &["plan", "run", "port", "doc", "mutant", "xml"]),
    ("sandbox", &["plan", "port", "sim", "xml"]),
    ("web", &["plan", "port"]),
    ("driver", &["plan", "run", "store", "port", "action", "signal", "mutant"]),
    ("rehearse", &["plan", "run", "store", "port", "action", "signal", "sim", "driver", "mutant"]),
    (
        "cli",
        &[
            "action", "adapter", "cli", "doc", "draft", "driver", "mutant", "plan", "port", "rehearse",
            "report", "run", "sandbox", "signal", "sim", "store", "web",
        ],
    ),
];

/// Lines of code in one file, tests apart.
const FILE_BUDGET: usize = 600;

/// Words that belong to vendors, and the only folders that may say them.
const VENDORS: &[(&str, &[&str])] = &[
    ("aws_sdk_", &["adapter"]),
    ("aws_config", &["adapter"]),
    ("reqwest::", &["adapter"]),
    ("hickory_", &["adapter", "sandbox"]),
    ("rusqlite", &["store"]),
    ("granit_parser", &["doc"]),
    ("std::process::Command", &["adapter", "cli"]),
    ("SystemTime", &["adapter"]),
];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

/// `run` for `src/run/state.rs`; `None` for `src/lib.rs` and `src/main.rs`.
fn module(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next()?.as_os_str().to_str()?;
    Path::new(first).extension().is_none_or(|e| e != "rs").then(|| first.to_owned())
}

/// Tests may know what they like.
fn is_test(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// The code above the file's own tests.
fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap()
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(own) = module(&path).filter(|_| !is_test(&path)) else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == own) else {
            wrong.push(format!("{}: `{own}` has no row in the table of arrows", path.display()));
            continue;
        };
        for (number, line) in code(&text).lines().enumerate() {
            for (_, after) in line.match_indices("crate::").map(|(at, _)| line.split_at(at + 7)) {
                let named: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if named != own && !named.is_empty() && !allowed.contains(&named.as_str()) {
                    wrong.push(format!("{}:{}: `{own}` may not know `{named}`", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_machine_is_pure() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let pure = matches!(module(&path).as_deref(), Some("plan" | "run" | "doc"));
        for word in ["async fn", ".await", "tokio", "std::fs", "std::net", "Instant", "std::env"] {
            if pure && !is_test(&path) && code(&text).contains(word) {
                wrong.push(format!("{}: `{word}` in a pure module", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn vendors_are_named_only_at_the_edge() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(own) = module(&path).filter(|_| !is_test(&path)) else { continue };
        for (word, homes) in VENDORS {
            if code(&text).contains(word) && !homes.contains(&own.as_str()) {
                wrong.push(format!("{}: `{word}` belongs in {}", path.display(), homes.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_open_with_their_purpose_and_stay_short() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") {
            wrong.push(format!("{}: opens with no `//!`", path.display()));
        }
        let lines =
            code(&text).lines().filter(|l| !l.trim().is_empty() && !l.trim().starts_with("//")).count();
        if lines > FILE_BUDGET {
            wrong.push(format!("{}: {lines} lines of code, {FILE_BUDGET} are allowed", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_file_is_compiled() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|e| e == "rs") && name != "main" {
            assert!(main.contains(&format!("mod {name};")), "tests/it/main.rs does not name {name}");
        }
    }
}

#[test]
fn the_top_level_holds_what_the_design_allows() {
    let allowed = ["Cargo.toml", "Cargo.lock", "src", "plans", "runbooks", "tests", "README.md", "target"];
    for entry in fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name.starts_with('.') || allowed.contains(&name.as_str()),
            "`{name}` does not belong at the top"
        );
    }
}
