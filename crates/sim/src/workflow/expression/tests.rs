//! Tables of expressions and their values, after GitHub's documentation.

use serde_json::{Map, Value as Json, json};

use super::*;

fn contexts() -> Map<String, Json> {
    let contexts = json!({
        "github": {"ref": "refs/heads/main", "event": {"commits": [{"id": 1, "by": {"name": "a"}}, {"id": 2}], "n": 3.5}},
        "env": {"Mixed": "x", "mixed": "y"},
        "needs": {"a": {"result": "success", "outputs": {"list": "[\"p\", \"q\"]"}}},
        "list": ["Push", "pull", 3],
        "empty": {},
    });
    contexts.as_object().unwrap().clone()
}

fn value(expression: &str) -> Result<Value, EvaluateError> {
    let contexts = contexts();
    evaluate(expression, &Scope { contexts: &contexts, status: Status::Success, workspace: None })
}

fn json_of(expression: &str) -> Json {
    value(expression).unwrap_or_else(|error| panic!("{expression}: {error}")).to_json()
}

#[test]
fn comparisons_are_loose() {
    for (expression, expected) in [
        ("'A' == 'a'", true),
        ("'a' != 'b'", true),
        ("'1' == 1", true),
        ("' 0x10 ' == 16", true),
        ("true == 1", true),
        ("null == 0", true),
        ("null == ''", true),
        ("'' == false", true),
        ("'abc' == 0", false),
        ("NaN == NaN", false),
        ("'abc' < 1", false),
        ("'abc' > 1", false),
        ("'b' > 'A'", true),
        ("2 >= '2'", true),
        ("true > false", true),
        ("list == list", false),
        ("fromJSON('[]') == ''", false),
    ] {
        assert_eq!(json_of(expression), json!(expected), "{expression}");
    }
}

#[test]
fn operators_yield_operands() {
    for (expression, expected) in [
        ("'' || 'x'", json!("x")),
        ("0 || null", json!(null)),
        ("'a' && 'b'", json!("b")),
        ("'' && fromJSON('broken')", json!("")),
        ("'a' || fromJSON('broken')", json!("a")),
        ("!''", json!(true)),
        ("!empty", json!(false)),
        ("!0 && 1 < 2 || false", json!(true)),
        ("(1 == 2) == false", json!(true)),
    ] {
        assert_eq!(json_of(expression), expected, "{expression}");
    }
}

#[test]
fn members_are_found_without_regard_to_case() {
    for (expression, expected) in [
        ("github.REF", json!("refs/heads/main")),
        ("GitHub['ref']", json!("refs/heads/main")),
        ("env.mixed", json!("y")),
        ("env.Mixed", json!("x")),
        ("github.nothing.more", json!(null)),
        ("github.ref.more", json!(null)),
        ("list[0]", json!("Push")),
        ("list['1']", json!("pull")),
        ("list[9]", json!(null)),
        ("list[-1]", json!(null)),
        ("list.x", json!(null)),
        ("github.event.commits.*.id", json!([1, 2])),
        ("github.event.commits.*.by.name", json!(["a"])),
        ("github.event.commits[*].id", json!([1, 2])),
        ("needs.*.result", json!(["success"])),
        ("fromJSON(needs.a.outputs.list)[1]", json!("q")),
        ("fromJSON('{\"a\": {\"b\": 1}}').A.b", json!(1)),
        ("(github).event.n", json!(3.5)),
    ] {
        assert_eq!(json_of(expression), expected, "{expression}");
    }
}

#[test]
fn functions_do_what_the_documentation_says() {
    for (expression, expected) in [
        ("contains('Hello world', 'LLO')", json!(true)),
        ("contains(list, 'push')", json!(true)),
        ("contains(list, 'pus')", json!(false)),
        ("contains(list, '3')", json!(true)),
        ("contains(empty, 'x')", json!(false)),
        ("contains('abc', empty)", json!(false)),
        ("startsWith('Hello', 'he')", json!(true)),
        ("endsWith('Hello', 'LO')", json!(true)),
        ("startsWith(12, 1)", json!(true)),
        ("endsWith(empty, '')", json!(false)),
        ("format('{0} {1} {0}', 'a', 1.0)", json!("a 1 a")),
        ("format('{{{0}}}', true)", json!("{true}")),
        ("join(list)", json!("Push,pull,3")),
        ("join(list, ' + ')", json!("Push + pull + 3")),
        ("join('one', '-')", json!("one")),
        ("join(github.event.commits.*.by)", json!("Object")),
        ("join(list, empty)", json!("Push,pull,3")),
        ("toJSON('a\"b')", json!("\"a\\\"b\"")),
        ("toJSON(needs.a.result)", json!("\"success\"")),
        ("toJSON(fromJSON('{\"a\":[1]}'))", json!("{\n  \"a\": [\n    1\n  ]\n}")),
        ("fromJSON('true') && 1", json!(1)),
        ("case(false, 1, true, 2, fromJSON(''))", json!(2)),
        ("case(false, 1, 3)", json!(3)),
    ] {
        assert_eq!(json_of(expression), expected, "{expression}");
    }
}

#[test]
fn what_has_no_value_says_why() {
    for (expression, reason) in [
        ("nothing.here", "there is no context `nothing` here"),
        ("fromJSON('')", "empty text"),
        ("fromJSON('{')", "no JSON"),
        ("format('{1}', 'a')", "more arguments than there are"),
        ("format('{x}', 'a')", "invalid"),
        ("format('{', 'a')", "invalid"),
        ("hashFiles('x')", "works in steps only"),
        ("unknown()", "unknown function `unknown`"),
        ("contains('a')", "`Contains` takes exactly 2 arguments"),
        ("1 +", "cannot be evaluated"),
        ("\"a\"", "cannot be evaluated"),
        ("case('x', 1, 2)", "neither true nor false"),
    ] {
        let error = value(expression).expect_err(expression).to_string();
        assert!(error.contains(reason), "{expression}: {error}");
    }
}

#[test]
fn conditions_imply_success() {
    let contexts = contexts();
    let holds = |text: &str, status| {
        condition(text, &Scope { contexts: &contexts, status, workspace: None }).unwrap()
    };
    // Whether it holds after: success, failure, a cancellation, a skipped job.
    for (text, expected) in [
        ("", [true, false, false, false]),
        ("true", [true, false, false, false]),
        ("false", [false, false, false, false]),
        ("${{ 'text' }}", [true, false, false, false]),
        ("always()", [true, true, true, true]),
        ("${{ always() }}", [true, true, true, true]),
        ("failure()", [false, true, false, false]),
        ("cancelled()", [false, false, true, false]),
        ("!cancelled()", [true, true, false, true]),
        ("success() || failure()", [true, true, false, false]),
        ("github.ref == 'x' || always()", [true, true, true, true]),
        ("always() && github.ref == 'x'", [false, false, false, false]),
        ("contains(format('{0}', always()), 'true')", [true, true, true, true]),
    ] {
        let found = [Status::Success, Status::Failure, Status::Cancelled, Status::Skipped]
            .map(|status| holds(text, status));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn texts_keep_what_is_no_expression() {
    let contexts = contexts();
    let scope = Scope { contexts: &contexts, status: Status::Success, workspace: None };
    for (text, expected) in [
        ("plain", "plain"),
        ("on ${{ github.ref }}!", "on refs/heads/main!"),
        ("${{ list }}${{ null }}${{ 1.50 }}", "Array1.5"),
        ("$NOT { { an } }", "$NOT { { an } }"),
        ("${{ format('}}') }}", "}"),
    ] {
        assert_eq!(render(text, &scope).unwrap(), expected);
    }
    assert_eq!(render_value(" ${{ list }} ", &scope).unwrap().to_json(), json!(["Push", "pull", 3]));
    assert!(render("${{ 'open", &scope).is_err());
}

#[test]
fn hash_files_depends_on_names_and_contents_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("a.lock"), "a").unwrap();
    std::fs::write(folder.path().join("sub/b.lock"), "b").unwrap();
    let contexts = Map::new();
    let hash = |expression: &str| {
        let scope = Scope { contexts: &contexts, status: Status::Success, workspace: Some(folder.path()) };
        evaluate(expression, &scope).unwrap().text()
    };
    // The SHA-256 of the SHA-256 of `a`.
    assert_eq!(
        hash("hashFiles('*.lock')"),
        "bf5d3affb73efd2ec6c36ad3112dd933efed63c4e1cbffcfa88e2759c144f2d8"
    );
    assert_eq!(hash("hashFiles('**/*.lock', '!sub/**')"), hash("hashFiles('a.lock')"));
    assert_ne!(hash("hashFiles('**/*.lock')"), hash("hashFiles('a.lock')"));
    assert_eq!(hash("hashFiles('none')"), "");
}
