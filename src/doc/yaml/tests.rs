//! What YAML may be, and what becomes of hostile text.

use super::*;

#[test]
fn probe() {
    for text in [
        "a: { for: ${{ params.soak }} }",
        "a: { expect: status in [200] }",
        "a: { expect: status in [200], b: 1 }",
        "when: !params.x",
        "when: !params.x && y",
        "when: !(a)",
        "when: !params[\"x\"]",
        "when: !x == 'b'",
        "a: {{ params.x }}",
        "a: ${{ params.x ? \"y: z\" : 1 }}",
        "a: x: y",
        "a: 'x' == y",
        "a: { e: size(a, b) > 0 }",
        "a: deploys #main",
        "a: deploys # main",
        "a:\n\t- b",
        "a:\n  - b\n\t- c",
        "a: \tb",
        "a: @x",
        "a: [1, 2",
        "a: *x",
        "a: &x [*x]",
        "%YAML 1.1\n---\na: 1",
        "---\na: 1\n---\nb: 1",
        "---\na: 1\n...\n",
        "a: 1\r\nb: x y\r\nc:\r\n  - d\r\n",
        "",
        "# x\n",
        "---\n",
        "a: b\na: c",
        "<<: {a: 1}",
        "? [a]\n: b",
        ": b",
        "a:\n  b: 1\n c: 2",
        "a: \"x",
    ] {
        let mut problems = Problems::default();
        let value = parse(text, 0, &mut problems);
        println!("{text:?}\n   {:?}", value.map(|v| v.to_json().to_string()));
        for p in problems.sorted() {
            println!(
                "   {} {:?} {}..{} {} | {:?}",
                p.code.0, p.severity, p.span.start, p.span.end, p.message, p.help
            );
        }
    }
}
