//! `strategy.matrix`: from lists of values to the jobs they make.
//!
//! Source of the rules for `include` and `exclude`: GitHub docs, "Running variations of jobs in a workflow".

use serde_json::{Map, Value};

/// GitHub's limit.
const MOST: usize = 256;

/// One job's values.
pub(super) type Combination = Map<String, Value>;

/// All combinations, in the order of GitHub's: the last list turns fastest, what `include` adds comes last.
pub(super) fn expand(matrix: &Value) -> Result<Vec<Combination>, String> {
    let matrix = matrix.as_object().ok_or("`matrix` is no mapping")?;
    let mut combinations = product(matrix)?;
    let excludes = entries(matrix, "exclude")?;
    combinations.retain(|combination| {
        !excludes.iter().any(|exclude| exclude.iter().all(|(key, value)| combination.get(key) == Some(value)))
    });
    let axes: Vec<_> = matrix.keys().filter(|key| !matches!(key.as_str(), "include" | "exclude")).collect();
    let originals = combinations.len();
    for include in entries(matrix, "include")? {
        // It joins every combination of which it changes no value that a list gave.
        let mut joined = false;
        for combination in &mut combinations[..originals] {
            let fits = include
                .iter()
                .filter(|(key, _)| axes.contains(key))
                .all(|(key, value)| combination.get(key) == Some(value));
            if fits {
                combination.extend(include.clone());
                joined = true;
            }
        }
        if !joined {
            combinations.push(include.clone());
        }
    }
    match combinations.len() {
        0 => Err("`matrix` makes no job at all".to_owned()),
        many if many > MOST => Err(format!("`matrix` makes {many} jobs, GitHub allows {MOST}")),
        _ => Ok(combinations),
    }
}

fn product(matrix: &Combination) -> Result<Vec<Combination>, String> {
    let mut combinations: Vec<Combination> = Vec::new();
    for (axis, values) in matrix.iter().filter(|(key, _)| !matches!(key.as_str(), "include" | "exclude")) {
        let values = values.as_array().ok_or_else(|| format!("`{axis}` in `matrix` is no list"))?;
        if values.is_empty() {
            return Err(format!("`{axis}` in `matrix` has no values"));
        }
        if combinations.is_empty() {
            combinations.push(Map::new());
        }
        if combinations.len() * values.len() > MOST * MOST {
            return Err(format!("`matrix` makes far more than the {MOST} jobs that GitHub allows"));
        }
        combinations = combinations
            .iter()
            .flat_map(|combination| {
                values.iter().map(|value| {
                    let mut longer = combination.clone();
                    longer.insert(axis.clone(), value.clone());
                    longer
                })
            })
            .collect();
    }
    Ok(combinations)
}

fn entries<'m>(matrix: &'m Combination, key: &str) -> Result<Vec<&'m Combination>, String> {
    let wrong = || format!("`{key}` in `matrix` must be a list of mappings");
    match matrix.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) => list
            .as_array()
            .ok_or_else(wrong)?
            .iter()
            .map(|entry| entry.as_object().ok_or_else(wrong))
            .collect(),
    }
}

/// The values as they stand in a job's name: `ubuntu, 22`.
pub(super) fn label(combination: &Combination) -> String {
    fn leaves(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| leaves(item, out)),
            Value::Object(map) => map.values().for_each(|value| leaves(value, out)),
            value => out.push(super::expression::Value::from(value).text()),
        }
    }
    let mut texts = Vec::new();
    combination.values().for_each(|value| leaves(value, &mut texts));
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(matrix: &Value) -> Vec<String> {
        expand(matrix).unwrap().iter().map(label).collect()
    }

    #[test]
    fn lists_multiply() {
        assert_eq!(labels(&json!({"os": ["a", "b"], "v": [1, 2]})), ["a, 1", "a, 2", "b, 1", "b, 2"]);
    }

    #[test]
    fn exclude_takes_out_what_it_matches_in_part() {
        assert_eq!(
            labels(&json!({"os": ["a", "b"], "v": [1, 2], "exclude": [{"os": "a"}]})),
            ["b, 1", "b, 2"]
        );
    }

    /// The example of GitHub's documentation.
    #[test]
    fn include_joins_or_adds() {
        let matrix = json!({
            "fruit": ["apple", "pear"], "animal": ["cat", "dog"],
            "include": [
                {"color": "green"}, {"color": "pink", "animal": "cat"}, {"fruit": "apple", "shape": "circle"},
                {"fruit": "banana"}, {"fruit": "banana", "animal": "cat"},
            ],
        });
        assert_eq!(
            expand(&matrix).unwrap().into_iter().map(Value::Object).collect::<Vec<_>>(),
            [
                json!({"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"}),
                json!({"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"}),
                json!({"fruit": "pear", "animal": "cat", "color": "pink"}),
                json!({"fruit": "pear", "animal": "dog", "color": "green"}),
                json!({"fruit": "banana"}),
                json!({"fruit": "banana", "animal": "cat"}),
            ]
        );
    }

    #[test]
    fn include_alone_is_enough() {
        assert_eq!(labels(&json!({"include": [{"a": 1}, {"a": 2}]})), ["1", "2"]);
    }

    #[test]
    fn no_job_and_too_many_jobs_are_errors() {
        let many: Vec<_> = (0..17).collect();
        for matrix in
            [json!({}), json!({"a": []}), json!({"a": many, "b": many}), json!({"a": 1}), json!([1])]
        {
            assert!(expand(&matrix).is_err(), "{matrix}");
        }
    }
}
