//! `fleetfoot start` in a workflow: what later steps and jobs get, what people see, what nobody sees.

use serde_json::{Value, json};

use crate::common::{START, Stage};

/// The entries of a `$GITHUB_OUTPUT` file, heredocs included.
fn entries(text: &str) -> Vec<(String, String)> {
    let mut lines = text.lines();
    let mut entries = Vec::new();
    while let Some(line) = lines.next() {
        let (key, delimiter) = line.split_once("<<").unwrap_or_else(|| panic!("{line:?}"));
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        entries.push((key.to_owned(), value.join("\n")));
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_written_for_later_steps() {
    let stage = Stage::new().await;
    let ran = stage.in_job(&["start", "--count", "2", "--output", "json"]).ok().await;
    let (json, label) = (ran.json(), ran.label());
    let entries = entries(&stage.read("output"));
    let keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["label", "runs-on", "runner-names", "runner-ids", "task-arns"]);
    assert_eq!(entries[0].1, label);
    for (key, value) in &entries[1..] {
        let value: Value = serde_json::from_str(value).unwrap();
        assert_eq!(value, json[key.as_str()], "{key}");
    }
    assert_eq!(entries[1].1, format!(r#"["self-hosted","{label}"]"#));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_s_summary_has_a_table() {
    let stage = Stage::new().await;
    stage.in_job(&["start", "--count", "2"]).ok().await;
    let summary = stage.read("summary.md");
    assert!(summary.starts_with("### Fleetfoot: 2 runners on pool Fargate in "), "{summary}");
    let table: Vec<&str> = summary.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), 4, "a header, a line below it, two runners: {summary}");
    assert!(table[0].contains("| runner") && table[0].contains("| online"), "{summary}");
    assert!(table[1].starts_with("|--"), "{summary}");
    for runner in stage.world.github.runners() {
        assert!(summary.contains(&runner.name), "{summary}");
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_an_annotation() {
    let stage = Stage::new().await;
    let said = stage.in_job(&["start", "--pool", "Nope"]).fails(2).await;
    assert_eq!(
        said,
        "::error title=fleetfoot::the stack demo has no pool \"Nope\"; it has: Fargate, Fargate-Spot, EC2, linux-arm64%0A\
         Name one of them with --pool, or add the pool to the stack.\n"
    );
    assert_eq!(stage.read("output"), "");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_annotation_reaches_the_run() {
    let stage = Stage::new().await;
    let run = stage.dispatch(&START.replace("ARGS", "--pool Nope"));
    run.end().await;
    let annotations = run.job("start").annotations;
    assert_eq!(annotations.len(), 2, "ours, and the runner's on the exit code: {annotations:?}");
    assert_eq!(annotations[0].title.as_deref(), Some("fleetfoot"));
    assert!(annotations[0].message.starts_with("the stack demo has no pool \"Nope\""));
    assert!(annotations[0].message.contains("\nName one of them"), "two lines");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_reach_later_jobs_because_neither_label_nor_names_are_masked() {
    let stage = Stage::new().await;
    let check = "
  check:
    needs: start
    runs-on: ubuntu-latest
    steps:
      - env: { OUTPUTS: '${{ toJSON(needs.start.outputs) }}' }
        run: echo \"OUTPUTS=$(echo $OUTPUTS)\"
";
    let run = stage.dispatch(&(START.replace("ARGS", "--wait none") + check));
    run.succeeds().await;
    let log = run.log("check");
    let line = log.lines().find_map(|line| line.strip_prefix("OUTPUTS=")).unwrap_or_else(|| panic!("{log}"));
    let outputs: Value = serde_json::from_str(line).unwrap();
    let runner = &stage.world.github.runners()[0];
    let label = outputs["label"].as_str().unwrap();
    assert!(runner.labels.contains(&label.to_owned()));
    assert_eq!(outputs["runs-on"], json!(["self-hosted", label]).to_string());
    assert_eq!(outputs["runner-names"], json!([runner.name]).to_string());
    assert_eq!(outputs["runner-ids"], json!([runner.id]).to_string());
    assert_eq!(outputs["task-arns"], json!([stage.world.aws.tasks()[0].arn]).to_string());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matrix_shares_the_runners_of_one_start() {
    let stage = Stage::new().await;
    let matrix = "
  build:
    needs: start
    strategy: { matrix: { part: [one, two, three] } }
    runs-on: ${{ fromJSON(needs.start.outputs.runs-on) }}
    steps: [run: 'echo part ${{ matrix.part }} on $RUNNER_NAME']
";
    let run = stage.dispatch(&(START.replace("ARGS", "--count 3") + matrix));
    run.succeeds().await;
    let jobs = stage.world.github.run(run.id).unwrap().jobs;
    let mut runners: Vec<&str> =
        jobs.iter().filter(|job| job.key == "build").filter_map(|job| job.runner.as_deref()).collect();
    runners.sort_unstable();
    runners.dedup();
    assert_eq!(runners.len(), 3, "each part has a runner of its own: {runners:?}");
    assert!(runners.iter().all(|name| name.starts_with("ff-")));
    stage.close().await;
}

/// A secret of the workflow is masked by GitHub; a token out of a file is not, so fleetfoot does it.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_a_file_is_masked_from_then_on() {
    let stage = Stage::new().await;
    // Another one than the workflow's secret.
    let token = stage.token(&["repo"]);
    let file = stage.file("token", &format!("{token}\n"));
    let start = START.replace("ARGS", &format!("--wait none --github-token-file {file}"));
    let run = stage.dispatch(&(start + &format!("      - run: echo \"the token is $(cat {file}).\"\n")));
    run.succeeds().await;
    let log = run.log("start");
    assert!(log.contains("the token is ***."), "{log}");
    assert!(!log.contains(&token), "{log}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_hand_nothing_is_written_for_a_workflow() {
    let stage = Stage::new().await;
    let ran = stage.by_hand(&["start", "--key", "k", "--wait", "none"]).ok().await;
    assert!(!ran.said().contains("::"), "{ran:#?}");
    assert!(!stage.path("output").exists() && !stage.path("summary.md").exists());
    stage.close().await;
}

/// A full disk: no later job could learn of the runners.
#[tokio::test(flavor = "multi_thread")]
async fn runners_that_cannot_be_told_of_are_taken_away() {
    let stage = Stage::new().await;
    let said = stage.in_job(&["start"]).env("GITHUB_OUTPUT", "/dev/full").fails(1).await;
    assert!(
        said.contains("cannot write the step's outputs ($GITHUB_OUTPUT): No space left on device"),
        "{said}"
    );
    stage.assert_nothing_left();
    stage.close().await;
}
