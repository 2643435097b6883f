//! A second plan wants to change nothing.

use serde_json::Value;

/// Changes that the provider sees on moto and not on AWS, by type and attribute.
const MOTO_ALONE: [(&str, &str); 7] = [
    // moto leaves the field out of its answer; AWS says DISABLED.
    ("aws_ecs_service", "availability_zone_rebalancing"),
    // moto counts the template's own tags among those of what it launches.
    ("aws_launch_template", "tag_specifications"),
    // And what follows from that: the template would have a new version, and the group would take it.
    ("aws_launch_template", "default_version"),
    ("aws_launch_template", "latest_version"),
    ("aws_autoscaling_group", "launch_template"),
    ("aws_autoscaling_group", "mixed_instances_policy"),
    // Null and the empty string, which the provider does not tell apart in a group that stays.
    ("aws_autoscaling_group", "capacity_reservation_specification"),
];

/// Fails unless the plan leaves everything as it is.
pub(super) fn assert_empty(plan: &Value) {
    let changes = |name: &str| plan[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut left = Vec::new();
    for resource in changes("resource_changes") {
        let (kind, change) = (resource["type"].as_str().unwrap(), &resource["change"]);
        let actions = &change["actions"];
        if *actions == serde_json::json!(["no-op"]) || *actions == serde_json::json!(["read"]) {
            continue;
        }
        let excused = |attribute: &str| MOTO_ALONE.contains(&(kind, attribute));
        let wanted: Vec<String> =
            differences(change).into_iter().filter(|attribute| !excused(attribute)).collect();
        if *actions != serde_json::json!(["update"]) || !wanted.is_empty() {
            left.push(format!("{} {actions}: {}", resource["address"], wanted.join(", ")));
        }
    }
    assert!(left.is_empty(), "a second apply would change:\n{}", left.join("\n"));
}

/// Attributes that are not the same before and after.
fn differences(change: &Value) -> Vec<String> {
    let (before, after) = (&change["before"], &change["after"]);
    let names = after.as_object().into_iter().flatten().map(|(name, _)| name);
    let mut names: Vec<String> = names.filter(|name| before[*name] != after[*name]).cloned().collect();
    let unknown = change["after_unknown"].as_object().into_iter().flatten();
    names.extend(
        unknown.filter(|(_, marks)| marks.to_string().contains("true")).map(|(name, _)| name.clone()),
    );
    names
}
