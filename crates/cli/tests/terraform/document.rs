//! The stack document that Terraform writes is one that Fleetfoot reads, field by field.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use fleetfoot_core::stack::{Stack, schema};
use serde_json::{Value, json};

use super::moto::helper;

/// The names of fields, such as `pools[].network.subnets`.
pub(super) type Fields = BTreeSet<String>;

/// Fails unless a document can be read and every field of it is in the schema, as the schema says. Gives
/// its fields.
pub(super) fn assert_accepted(text: &str) -> Fields {
    let stack = Stack::from_json(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let document: Value = serde_json::from_str(text).unwrap();
    // What was read is what was written, but for fields that may be left out.
    let read = serde_json::to_value(&stack).unwrap();
    let (written, read) = (fields_of(&document), fields_of(&read));
    assert!(written.is_subset(&read), "lost: {:?}", written.difference(&read));
    let known = fields_of_schema();
    assert!(written.is_subset(&known), "not in the schema: {:?}", written.difference(&known));
    validate(&document);
    written
}

/// Asks the validator of the Python helpers, which knows JSON schemas and not us.
fn validate(document: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema: Value =
        serde_json::from_slice(&std::fs::read(root.join("docs/stack.schema.json")).unwrap()).unwrap();
    let mut script = Command::new(helper("python"))
        .arg(root.join("tests/terraform/validate.py"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!({ "schema": schema, "document": document }).to_string();
    script.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(script.wait().unwrap().success(), "docs/stack.schema.json refuses {document}");
}

/// Every field that a stack document can have.
pub(super) fn fields_of_schema() -> Fields {
    let schema = schema();
    let mut fields = Fields::new();
    walk_schema(&schema, &schema, "", &mut fields);
    fields
}

fn walk_schema(root: &Value, node: &Value, path: &str, fields: &mut Fields) {
    if let Some(reference) = node["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        walk_schema(root, &root["$defs"][name], path, fields);
    }
    for choice in ["anyOf", "oneOf"] {
        for node in node[choice].as_array().into_iter().flatten() {
            walk_schema(root, node, path, fields);
        }
    }
    for (name, node) in node["properties"].as_object().into_iter().flatten() {
        let field = below(path, name);
        walk_schema(root, node, &field, fields);
        fields.insert(field);
    }
    if let Some(items) = node.get("items") {
        walk_schema(root, items, &format!("{path}[]"), fields);
    }
}

fn fields_of(document: &Value) -> Fields {
    let mut fields = Fields::new();
    walk(document, "", &mut fields);
    fields
}

fn walk(value: &Value, path: &str, fields: &mut Fields) {
    for (name, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let field = below(path, name);
        walk(value, &field, fields);
        fields.insert(field);
    }
    for item in value.as_array().into_iter().flatten() {
        walk(item, &format!("{path}[]"), fields);
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
