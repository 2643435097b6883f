//! The Action: the very files `action.yml`, `stop/action.yml` and `action/install.sh`, used as repositories use them.

mod install;
mod releases;
mod secrets;

use std::fs;
use std::path::Path;

use fleetfoot_sim::protocol::Conclusion;

use crate::common::{JITCONFIG, PROGRAM, Stage, until};
use releases::Releases;

/// A job that starts runners by the Action, with these further inputs.
fn start(with: &str) -> String {
    format!(
        "
  start:
    runs-on: ubuntu-latest
    environment: dev
    permissions: {{ id-token: write, contents: read }}
    outputs:
      label: ${{{{ steps.runner.outputs.label }}}}
      runs-on: ${{{{ steps.runner.outputs.runs-on }}}}
      names: ${{{{ steps.runner.outputs.runner-names }}}}
      ids: ${{{{ steps.runner.outputs.runner-ids }}}}
      arns: ${{{{ steps.runner.outputs.task-arns }}}}
    steps:
      - id: runner
        uses: OWNER/fleetfoot@v1
        with:{WITH}{with}
"
    )
}

/// What the Action needs in any case.
const WITH: &str = "
          stack: ${{ vars.FLEETFOOT_STACK }}
          role: ${{ vars.FLEETFOOT_ROLE }}
          region: ${{ vars.AWS_REGION }}
          github-token: ${{ secrets.FLEETFOOT_GITHUB_TOKEN }}";

/// A job that takes away what the run has started.
const STOP: &str = "
  stop:
    needs: [start]
    if: ${{ always() }}
    runs-on: ubuntu-latest
    environment: dev
    permissions: { id-token: write }
    steps:
      - uses: OWNER/fleetfoot/stop@v1
        with:WITH
";

fn stop() -> String {
    STOP.replace("WITH", WITH)
}

/// The checkout that this program was built from.
fn checkout() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Whatever is `fleetfoot` to the shell that runs this, and a word that stands for the rest of its arguments.
fn stand_in(version: &str, of_start: &str) -> String {
    format!(
        "#!/bin/sh\ncase $1 in\n--version) echo 'fleetfoot {version}' ;;\nstart) {of_start} ;;\n*) exec '{PROGRAM}' \"$@\" ;;\nesac\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_become_flags_and_outputs_reach_later_jobs() {
    let stage = Stage::new().await;
    // Multi-line inputs end with a line end, and a job's variable gives way to an input.
    let job = start(
        "
          count: 2
          pool: Fargate-Spot
          hold: false
          label: |
            one
            two
",
    )
    .replace("    steps:", "    env: { FLEETFOOT_POOL: EC2, FLEETFOOT_IDLE_TIMEOUT: 7m }\n    steps:");
    let check = "
  check:
    needs: start
    runs-on: ubuntu-latest
    steps:
      - env: { OUTPUTS: '${{ toJSON(needs.start.outputs) }}' }
        run: echo \"OUTPUTS=$(echo $OUTPUTS)\"
";
    let run = stage.dispatch(&(job + check));
    run.succeeds().await;
    let log = run.log("check");
    let outputs = log.lines().find_map(|line| line.strip_prefix("OUTPUTS=")).unwrap();
    let outputs: serde_json::Value = serde_json::from_str(outputs).unwrap();
    let runners = stage.world.github.runners();
    assert_eq!(runners.len(), 2);
    let label = outputs["label"].as_str().unwrap();
    assert_eq!(outputs["runs-on"], format!(r#"["self-hosted","{label}"]"#));
    let list = |name: &str| -> Vec<serde_json::Value> {
        serde_json::from_str(outputs[name].as_str().unwrap()).unwrap()
    };
    let mut names = list("names");
    names.sort_by_key(ToString::to_string);
    let mut wanted: Vec<&str> = runners.iter().map(|runner| runner.name.as_str()).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    assert_eq!((list("ids").len(), list("arns").len()), (2, 2));
    for runner in &runners {
        assert_eq!(runner.labels[3..], ["Fargate-Spot", label, "one", "two"]);
    }
    assert_eq!(stage.launches()[0]["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE_SPOT");
    stage.close().await;
}

/// In the repository of the Action itself: `./` and `./stop` are what lies in the checkout.
#[tokio::test(flavor = "multi_thread")]
async fn the_action_of_the_checkout_is_used_as_a_local_one() {
    let stage = Stage::new().await;
    for file in ["action.yml", "stop/action.yml", "action/install.sh", "Cargo.toml"] {
        let to = stage.repository().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(checkout().join(file), to).unwrap();
    }
    let checkout = "      - uses: actions/checkout@v4\n";
    let start = start("").replace(
        "      - id: runner\n        uses: OWNER/fleetfoot@v1",
        &format!("{checkout}      - id: runner\n        uses: ./"),
    );
    let stop =
        stop().replace("      - uses: OWNER/fleetfoot/stop@v1", &format!("{checkout}      - uses: ./stop"));
    let run = stage.dispatch(&(start + &stop));
    run.succeeds().await;
    assert!(run.log("start").contains("Run ./") && run.log("stop").contains("Run ./stop"), "{}", run.logs());
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_release_is_installed_and_used() {
    let stage = Stage::new().await;
    let releases = Releases::start().await;
    releases.publish("9.9.9", &stand_in("9.9.9", &format!("exec '{PROGRAM}' \"$@\"")));
    let with = format!("\n          version: v9.9.9\n          releases: {}", releases.url());
    let build = "
  build:
    needs: start
    runs-on: ${{ fromJSON(needs.start.outputs.runs-on) }}
    steps: [run: echo on $RUNNER_NAME]
";
    let stop = stop().replace("needs: [start]", "needs: [start, build]") + &with[1..] + "\n";
    let run = stage.dispatch(&(start(&with) + build + &stop));
    run.succeeds().await;
    for job in ["start", "stop"] {
        let log = run.log(job);
        assert!(log.contains("Installed fleetfoot 9.9.9 for ") && log.contains("checksum verified"), "{log}");
    }
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_with_another_checksum_is_not_used() {
    let stage = Stage::new().await;
    let releases = Releases::start().await;
    releases.publish("9.9.9", &stand_in("9.9.9", "echo never"));
    releases.tamper("9.9.9");
    let with = format!("\n          version: 9.9.9\n          releases: {}", releases.url());
    let run = stage.dispatch(&start(&with));
    assert_eq!(run.end().await, Conclusion::Failure);
    let annotation = &run.job("start").annotations[0];
    assert!(annotation.message.contains("nothing was installed"), "{annotation:?}");
    assert!(!run.log("start").contains("fleetfoot start\n"), "{}", run.log("start"));
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_cancelled_in_the_middle_leaves_nothing() {
    let stage = Stage::new().await;
    let run = stage.dispatch(&start("\n          count: 2"));
    until("both are registered", || stage.count("github", JITCONFIG) == 2).await;
    assert!(stage.world.github.cancel_run(run.id));
    assert_eq!(run.end().await, Conclusion::Cancelled);
    let log = run.log("start");
    let (start, after) = log.split_once("The operation was canceled.").unwrap_or_else(|| panic!("{log}"));
    assert!(start.contains("the start was cancelled"), "it heard of it, and undid itself: {start}");
    assert!(after.contains("Run # fleetfoot stop"), "and somebody looked behind it: {after}");
    until("nothing is left", || stage.live_tasks().is_empty()).await;
    stage.assert_nothing_left();
    stage.close().await;
}

/// It was killed before it could undo itself, as by a machine that is short of memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_killed_is_cleaned_up_behind() {
    let stage = Stage::new().await;
    let releases = Releases::start().await;
    let mark = stage.path("kill");
    let kill = format!(
        "'{PROGRAM}' \"$@\" & until [ -e '{}' ]; do sleep 0.02; done; kill -9 $!; wait $!",
        mark.display()
    );
    releases.publish("9.9.9", &stand_in("9.9.9", &kill));
    let with = format!("\n          version: 9.9.9\n          releases: {}", releases.url());
    let run = stage.dispatch(&start(&with));
    until("a runner is registered", || stage.count("github", JITCONFIG) == 1).await;
    fs::write(mark, "").unwrap();
    assert_eq!(run.end().await, Conclusion::Failure);
    let log = run.log("start");
    assert!(log.contains("Process completed with exit code 137."), "{log}");
    assert!(log.contains("runners: 1 stopped"), "{log}");
    until("nothing is left", || stage.live_tasks().is_empty()).await;
    stage.assert_nothing_left();
    stage.close().await;
}

/// What the machine has set stays: the Action sets nothing that nobody has given.
#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_is_left_out_hides_no_variable() {
    let stage = Stage::new().await;
    let job = "
  start:
    runs-on: ubuntu-latest
    environment: dev
    permissions: { id-token: write }
    steps:
      - run: |
          {
            echo 'FLEETFOOT_STACK=${{ vars.FLEETFOOT_STACK }}'
            echo 'FLEETFOOT_ROLE=${{ vars.FLEETFOOT_ROLE }}'
            echo 'AWS_REGION=${{ vars.AWS_REGION }}'
            echo 'FLEETFOOT_GITHUB_TOKEN=${{ secrets.FLEETFOOT_GITHUB_TOKEN }}'
            echo 'FLEETFOOT_COUNT=2'
          } >> \"$GITHUB_ENV\"
      - uses: OWNER/fleetfoot@v1
";
    let run = stage.dispatch(job);
    run.succeeds().await;
    assert_eq!(stage.world.github.runners().len(), 2);
    stage.close().await;
}
