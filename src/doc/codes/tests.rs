//! Each code has its page, each page its code, and the examples are true.

use super::*;
use std::collections::BTreeSet;
use std::path::Path;

/// The codes that the sources name, tests apart.
fn used(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            used(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = |(_, rest): (usize, &str)| rest.split('"').next().unwrap_or_default().to_owned();
            found
                .extend(text.match_indices("Code(\"").map(|(at, open)| code((at, &text[at + open.len()..]))));
        }
    }
}

#[test]
fn each_code_has_its_page_and_each_page_its_code() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named = BTreeSet::new();
    used(&sources, &mut named);
    let with_page: BTreeSet<String> = codes().map(str::to_owned).collect();
    let files: BTreeSet<String> = std::fs::read_dir(sources.join("doc/codes"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(with_page, files, "src/doc/codes.rs lists the files of src/doc/codes");
    let missing: Vec<&String> = named.difference(&with_page).collect();
    assert!(missing.is_empty(), "no page in src/doc/codes: {missing:?}");
    let stale: Vec<&String> = with_page.difference(&named).collect();
    assert!(stale.is_empty(), "nothing reports these any more: {stale:?}");
}

#[test]
fn a_page_opens_with_its_code() {
    for code in codes() {
        let page = explain(&code.to_lowercase()).unwrap();
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
    }
    assert_eq!(explain("SW0000"), None);
}

/// The examples of a page, after `Wrong:` and `Right:`.
fn example(page: &str, heading: &str) -> Option<String> {
    let after = page.split_once(heading)?.1.split_once("```yaml\n")?.1;
    Some(after.split_once("```")?.0.to_owned())
}

/// A fragment as a whole plan.
fn whole(fragment: &str) -> String {
    let mut text = String::new();
    for (key, line) in [
        ("switchover:", "switchover: v1\n"),
        ("name:", "name: example\n"),
        ("steps:", "steps: [{ id: step, uses: wait, with: { for: 5m } }]\n"),
    ] {
        if !fragment.lines().any(|l| l.starts_with(key)) {
            text.push_str(line);
        }
    }
    text + fragment
}

#[test]
fn wrong_examples_are_wrong_and_right_ones_right() {
    for code in codes() {
        let page = explain(code).unwrap();
        for (heading, expected) in [("\nWrong:", true), ("\nRight:", false)] {
            let Some(fragment) = example(page, heading) else { continue };
            let text = whole(&fragment);
            let reading = crate::doc::read(
                "plan.yaml",
                text.as_bytes(),
                &crate::doc::Stored::default(),
                &crate::doc::Inputs::default(),
                &crate::action::Registry,
                &crate::signal::SignalRegistry,
            );
            let found: Vec<&str> = reading.problems.iter().map(|problem| problem.code.0).collect();
            let shown = crate::doc::render(&reading.problems, &reading.sources, false, true);
            assert_eq!(found.contains(&code), expected, "{code}{heading} {found:?}\n{shown}");
        }
    }
}
