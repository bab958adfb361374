//! What YAML may be, and what becomes of its traps.

use super::*;

fn report(text: &str) -> String {
    let mut problems = Problems::default();
    let value = parse(text, 0, &mut problems);
    let mut out = value.map_or("nothing\n".to_owned(), |value| format!("{}\n", value.to_json()));
    for problem in problems.sorted() {
        let place = &text[problem.span.start as usize..problem.span.end as usize];
        out.push_str(&[problem.code.0, " at `", place, "`: ", &problem.message, "\n"].concat());
    }
    out
}

fn reports(texts: &[&str]) -> String {
    texts.iter().flat_map(|text| [format!("{text:?}\n"), report(text)]).collect()
}

#[test]
fn what_is_there_has_its_place() {
    let mut problems = Problems::default();
    let text = "a:\n  b: [1, \"two\"]\n\nc: é x\n";
    let root = parse(text, 3, &mut problems).unwrap();
    let slice = |value: &Value| &text[value.span.start as usize..value.span.end as usize];
    assert_eq!(slice(root.get("a").unwrap()), "b: [1, \"two\"]");
    assert_eq!(slice(root.get("a").unwrap().get("b").unwrap()), "[1, \"two\"]");
    assert_eq!(slice(root.get("c").unwrap()), "é x");
    assert_eq!(root.span.file, 3);
}

#[test]
fn sound_yaml() {
    insta::assert_snapshot!(reports(&[
        "---\na: 1\n...\n",
        "a: 1\r\nb: x y\r\nc:\r\n  - d\r\n",
        "a: \tb",
        "a: no\nb: !!str 1\non: 1\n1: x",
        "a: &x [1]\nb: *x\nc: [*x, *x]",
        "a: deploys # main",
        "a: |\n  x\n  y\nb: >\n  x\n  y\n",
    ]), @r#"
"---\na: 1\n...\n"
{"a":1}
"a: 1\r\nb: x y\r\nc:\r\n  - d\r\n"
{"a":1,"b":"x y","c":["d"]}
"a: \tb"
{"a":"b"}
"a: no\nb: !!str 1\non: 1\n1: x"
{"a":"no","b":"1","on":1,"1":"x"}
"a: &x [1]\nb: *x\nc: [*x, *x]"
{"a":[1],"b":[1],"c":[[1],[1]]}
"a: deploys # main"
{"a":"deploys"}
"a: |\n  x\n  y\nb: >\n  x\n  y\n"
{"a":"x\ny\n","b":"x y\n"}
"#);
}

#[test]
fn traps_have_answers_of_their_own() {
    insta::assert_snapshot!(reports(&[
        "when: !params.x",
        "when: !params.x && y",
        "when: !(a)",
        "when: !params[\"x\"]",
        "{ when: !x == 1 }",
        "a: { for: ${{ params.soak }} }",
        "a: { expect: status in [200] }",
        "a: { expect: status in [200], b: 1 }",
        "a: { e: size(a, b) > 0 }",
        "a: [f(x, y)]",
        "a: {{ params.x }}",
        "a: ${{ params.x ? \"y: z\" : 1 }}",
        "a: x: y",
        "a: 'x' == y",
        "a: @x",
        "a: deploys #main",
        "a: { b: deploys #main }\nc: 1",
        "a:\n\t- b",
        "a:\n  - b\n\t- c",
    ]), @r#"
"when: !params.x"
{"when":"!params.x"}
SW1013 at `!params.x`: YAML reads `!params.x` as a tag, not as text
"when: !params.x && y"
{"when":"!params.x && y"}
SW1013 at `!params.x`: YAML reads `!params.x` as a tag, not as text
"when: !(a)"
{"when":"!(a)"}
SW1013 at `!(a)`: YAML reads `!(a)` as a tag, not as text
"when: !params[\"x\"]"
nothing
SW1013 at `!params["x"]`: YAML reads `!params["x"]` as a tag, not as text
"{ when: !x == 1 }"
{"when":"!x == 1"}
SW1013 at `!x`: YAML reads `!x` as a tag, not as text
"a: { for: ${{ params.soak }} }"
nothing
SW1013 at `${{ params.soak }}`: `${{ }}` must be in quotes here
"a: { expect: status in [200] }"
nothing
SW1013 at `status in [`: inside `{ }` a text with brackets must be in quotes
"a: { expect: status in [200], b: 1 }"
nothing
SW1013 at `status in [`: inside `{ }` a text with brackets must be in quotes
"a: { e: size(a, b) > 0 }"
{"a":{"e":"size(a","b) > 0":null}}
SW1013 at `size(a`: this text ends at the comma: inside `{ }` and `[ ]` commas separate
"a: [f(x, y)]"
{"a":["f(x","y)"]}
SW1013 at `f(x`: this text ends at the comma: inside `{ }` and `[ ]` commas separate
"a: {{ params.x }}"
nothing
SW1013 at `{{`: `{{ }}` is two YAML mappings, not a value to fill in
"a: ${{ params.x ? \"y: z\" : 1 }}"
nothing
SW1013 at `${{ params.x ? "y: z" : 1 }}`: `${{ }}` must be in quotes here
"a: x: y"
nothing
SW1013 at `:`: this `:` would begin a value inside a text
"a: 'x' == y"
nothing
SW1013 at `=`: text goes on after its closing quote
"a: @x"
nothing
SW1013 at `@`: no unquoted text begins with `@`
"a: deploys #main"
{"a":"deploys"}
SW3007 at `#main`: `#main` is a comment here, not part of the text
"a: { b: deploys #main }\nc: 1"
nothing
SW1013 at `#main }`: the rest of this line is a comment, its brackets too
SW3007 at `#main }`: `#main }` is a comment here, not part of the text
"a:\n\t- b"
nothing
SW1014 at `	`: a tab in the indentation
"a:\n  - b\n\t- c"
nothing
SW1014 at `	`: a tab in the indentation
"#);
}

#[test]
fn what_is_no_plan() {
    insta::assert_snapshot!(reports(&[
        "",
        "# x\n",
        "---\n",
        "---\na: 1\n---\nb: 1",
        "%YAML 1.1\n---\na: 1",
        "a: [1, 2",
        "a: { b: 1\nc: 2\n- d",
        "a: \"x",
        "a: *x",
        "a: &x [*x]",
        "a: b\na: c",
        "? [a]\n: b",
        "a:\n  b: 1\n c: 2",
        "a: .nan\nb: 99999999999999999999",
    ]), @r##"
""
nothing
SW1015 at ``: there is nothing in this file
"# x\n"
nothing
SW1015 at ``: there is nothing in this file
"---\n"
nothing
SW1015 at ``: there is nothing in this file
"---\na: 1\n---\nb: 1"
nothing
SW1015 at `---`: a second document begins here
"%YAML 1.1\n---\na: 1"
nothing
SW1001 at `%`: plans have no YAML directives
"a: [1, 2"
nothing
SW1001 at `[`: this bracket is never closed
"a: { b: 1\nc: 2\n- d"
nothing
SW1001 at `:`: this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'
"a: \"x"
nothing
SW1001 at `"`: this quote is never closed
"a: *x"
nothing
SW1001 at `*`: no anchor of this name stands before it
"a: &x [*x]"
nothing
SW1011 at `*x`: this alias stands inside what it repeats
"a: b\na: c"
{"a":"b"}
SW1010 at `a`: `a` is already there
"? [a]\n: b"
nothing
SW1001 at `[`: a key must be text, not a list or a mapping
"a:\n  b: 1\n c: 2"
nothing
SW1001 at `c`: this is not YAML: while parsing a block mapping, did not find expected key
"a: .nan\nb: 99999999999999999999"
{"a":".nan","b":"99999999999999999999"}
SW1006 at `.nan`: `.nan` is not a finite number
SW1006 at `99999999999999999999`: `99999999999999999999` is too large a number
"##);
}
