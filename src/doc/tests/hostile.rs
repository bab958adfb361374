//! Texts made to hurt: each gets a clear answer, and none takes long.

use super::*;
use std::fmt::Write;

/// Far more than any of them needs, so that a busy machine does not fail the test: what is exponential or quadratic
/// in a megabyte takes minutes.
const BOUND: std::time::Duration = std::time::Duration::from_secs(20);

fn laughs() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let inner = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{inner}]");
    }
    text
}

fn many_steps(count: usize) -> String {
    (0..count).fold(of_steps(""), |mut text, n| {
        let _ = writeln!(text, "- {{ id: s{n}, uses: change, with: {{ thing: t{n} }} }}");
        text
    })
}

/// Ten copies of ten copies, six times.
fn copies() -> String {
    let mut text = of_steps("");
    for depth in 0..6 {
        let pad = "  ".repeat(depth);
        let _ = writeln!(
            text,
            "{pad}- id: b{depth}\n{pad}  each: [a, b, c, d, e, f, g, h, i, j]\n{pad}  sequence:"
        );
    }
    text + "            - { id: x, uses: look }\n"
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the bound is minutes away from what a sound reader takes")]
fn hostile_texts_are_answered() {
    let expression =
        |source: &str| of_steps(&format!("- {{ id: a, uses: look, with: {{ expect: \"{source}\" }} }}\n"));
    let texts: Vec<(&str, Vec<u8>, &str)> = vec![
        ("100,000 [", "[".repeat(100_000).into(), "SW1011"),
        ("100,000 {", "{".repeat(100_000).into(), "SW1011"),
        ("100,000 - ", "- ".repeat(100_000).into(), "SW1011"),
        ("deep blocks", (0..2000).fold(String::new(), |t, n| t + &" ".repeat(n) + "a:\n").into(), "SW1011"),
        ("billion laughs", laughs().into(), "SW1011"),
        ("60,000 values", format!("a: [{}]", "1,".repeat(60_000)).into(), "SW1011"),
        ("2 MiB", "a".repeat(2 << 20).into(), "SW1011"),
        ("one word of a megabyte", "a".repeat(1 << 20).into(), "SW1002"),
        ("one key of a megabyte", format!("{}: 1", "a".repeat(1 << 19)).into(), "SW1013"),
        (
            "20,000 unknown keys",
            (0..20_000).fold(String::new(), |t, n| t + &format!("k{n}: 1\n")).into(),
            "SW1003",
        ),
        ("24,000 times one key", "a: 1\n".repeat(24_000).into(), "SW1010"),
        ("comments", "# x\n".repeat(200_000).into(), "SW1015"),
        ("quotes", "\"".repeat(100_001).into(), "SW1013"),
        ("anchors", "&a ".repeat(100_000).into(), "SW1001"),
        ("tags", "!a ".repeat(100_000).into(), "SW1001"),
        ("question marks", "? ".repeat(100_000).into(), "SW10"),
        ("colons", ": ".repeat(100_000).into(), "SW10"),
        ("a tab", of_steps("\t- id: a\n").into(), "SW1014"),
        ("UTF-16", b"\xFF\xFEs\0w\0".to_vec(), "SW1014"),
        ("UTF-16, the other way", b"\xFE\xFF\0s\0w".to_vec(), "SW1014"),
        ("binary", b"switchover: v1\n\x00\x01\x02".to_vec(), "SW1014"),
        ("an executable", b"\x7fELF\x02\x01\x01\x00".to_vec(), "SW1014"),
        ("not UTF-8", b"switchover: v1\nname: caf\xe9\n".to_vec(), "SW1014"),
        ("nothing", Vec::new(), "SW1015"),
        ("only a mark", b"\xEF\xBB\xBF".to_vec(), "SW1015"),
        ("two documents", (of_steps("- { id: a, uses: look }\n---\n") + "a: 1\n").into(), "SW1015"),
        ("a long expression", expression(&"x".repeat(5000)).into(), "SW1012"),
        ("a deep expression", expression(&"(".repeat(900)).into(), "SW1012"),
        ("negations", expression(&"!".repeat(900)).into(), "SW1012"),
        ("choices", expression(&"true ? true : ".repeat(70)).into(), "SW1012"),
        (
            "holes",
            of_steps(&format!(
                "- {{ id: a, uses: look, with: {{ url: \"{}\" }} }}\n",
                "${{ x }}".repeat(20_000)
            ))
            .into(),
            "SW1012",
        ),
        (
            "an open hole",
            of_steps(&format!("- {{ id: a, uses: look, with: {{ url: \"{}\" }} }}\n", "${{ ".repeat(50_000)))
                .into(),
            "SW1012",
        ),
        ("a hundred thousand copies", copies().into(), "SW1011"),
        ("11,000 steps", of_steps(&"- { id: a, uses: look }\n".repeat(9_000)).into(), "SW1018"),
    ];
    for (what, text, expected) in texts {
        let begin = std::time::Instant::now();
        let reading = read("plan.yaml", &text, &Stored::default(), &Inputs::default(), &Actions, &Signals);
        let shown = render(&reading.problems, &reading.sources, false, true);
        let took = begin.elapsed();
        println!("{what}: {took:?} {} bytes", shown.len());
        assert!(took < BOUND, "{what}: {took:?}");
        assert!(reading.plan.is_none(), "{what}");
        assert!(
            shown.contains(expected),
            "{what}: expected {expected}\n{}",
            shown.chars().take(2000).collect::<String>()
        );
        assert!(shown.len() < 200_000, "{what}: {} bytes are shown", shown.len());
    }
}

#[test]
fn a_large_plan_is_read_at_once() {
    let reading = read_with(&many_steps(500), &[], &Inputs::default());
    assert_eq!(reading.problems, []);
    assert_eq!(reading.plan.unwrap().steps.len(), 500);
}
