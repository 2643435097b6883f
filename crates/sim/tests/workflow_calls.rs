//! Reusable workflows: what a call passes, gives back and may not do.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fleetfoot_sim::protocol::Conclusion::{Cancelled, Failure, Success};
use fleetfoot_sim::workflow::{JobKey, LoadError, Published, QueuedJob, ReadyState, Run, Start, Workflow};
use serde_json::json;
use tempfile::TempDir;

/// A repository with these files; the first is the workflow that is started.
struct Files(TempDir, &'static str);

impl Files {
    fn new<const N: usize>(files: [(&'static str, &str); N]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(folder, files[0].0)
    }

    fn load(&self) -> Result<Workflow, LoadError> {
        Workflow::load(Path::new(self.1), self.0.path(), &Published::default())
    }

    fn refusals(&self) -> String {
        self.load().map_or_else(|error| error.to_string(), |_| "nothing was refused".to_owned())
    }

    fn start(&self) -> Run {
        let workflow = self.load().unwrap_or_else(|error| panic!("{error}"));
        let github = json!({"repository": "o/r", "run_attempt": "1"});
        let start = Start {
            event_name: "push".to_owned(),
            github: github.as_object().unwrap().clone(),
            secrets: texts([("A", "secret-a"), ("B", "secret-b")]),
            vars: texts([("V", "v")]),
            ..Start::default()
        };
        Run::new(Arc::new(workflow), start).unwrap()
    }
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn ready(run: &mut Run) -> Vec<String> {
    let shown = |state: &ReadyState| match state {
        ReadyState::Queued(_) => "queued".to_owned(),
        ReadyState::Skipped => "skipped".to_owned(),
        ReadyState::Cancelled => "cancelled".to_owned(),
        ReadyState::Failed(reason) => format!("failed: {reason}"),
    };
    run.take_ready().iter().map(|ready| format!("{} {}", ready.name, shown(&ready.state))).collect()
}

fn queued(run: &mut Run) -> QueuedJob {
    let mut ready = run.take_ready();
    assert_eq!(ready.len(), 1, "{ready:?}");
    match ready.remove(0).state {
        ReadyState::Queued(job) => *job,
        other => panic!("{other:?}"),
    }
}

fn key(id: &str) -> JobKey {
    JobKey { id: id.to_owned(), index: 0 }
}

fn succeed(run: &mut Run, id: &str) {
    assert!(run.complete(&key(id), Success, BTreeMap::new()).is_empty());
}

const CALLER: &str = "
name: Caller
on: push
permissions: { contents: read, id-token: write }
env: { FROM: caller }
jobs:
  before: { runs-on: x, outputs: { size: '${{ steps.s.outputs.s }}' }, steps: [{ run: 'true' }] }
  lib:
    needs: before
    name: Library
    uses: ./.github/workflows/lib.yml
    with: { size: '${{ needs.before.outputs.size }}', deep: true }
    secrets: { token: '${{ secrets.A }}' }
  after:
    needs: lib
    if: ${{ needs.lib.outputs.made == 'yes' }}
    runs-on: ${{ needs.lib.outputs.label }}
    steps: [{ run: 'true' }]
";

const LIB: &str = "
name: Library
on:
  workflow_call:
    inputs:
      size: { type: number, required: true }
      deep: { type: boolean }
      note: { type: string, default: 'by ${{ github.repository }} ${{ vars.V }}' }
    secrets: { token: { required: true } }
    outputs:
      label: { value: 'ff-${{ jobs.one.outputs.label }}' }
      made: { value: '${{ jobs.two.result == ''success'' && ''yes'' || ''no'' }}' }
permissions: { id-token: write }
jobs:
  one: { runs-on: x, outputs: { label: '${{ steps.l.outputs.l }}' }, steps: [{ run: 'true' }] }
  two: { needs: one, runs-on: y, permissions: {}, steps: [{ run: 'true' }] }
";

#[test]
fn inputs_secrets_and_outputs_cross_the_call_and_nothing_else_does() {
    let files = Files::new([(".github/workflows/w.yml", CALLER), (".github/workflows/lib.yml", LIB)]);
    let mut run = files.start();
    assert_eq!(ready(&mut run), ["before queued"]);
    let names = |run: &Run| run.jobs().into_iter().map(|job| job.name).collect::<Vec<_>>();
    assert_eq!(names(&run), ["before", "after"], "a call that waits has no jobs yet");
    assert!(run.complete(&key("before"), Success, texts([("size", "3")])).is_empty());

    let one = queued(&mut run);
    assert_eq!(one.contexts["inputs"], json!({"size": 3, "deep": true, "note": "by o/r v"}));
    assert_eq!(one.contexts["secrets"], json!({"token": "secret-a"}));
    assert_eq!(one.contexts["needs"], json!({}));
    assert_eq!(
        (&one.contexts["github"]["job"], &one.contexts["github"]["workflow"]),
        (&json!("one"), &json!("Caller"))
    );
    assert!(one.body.env.iter().all(BTreeMap::is_empty), "the caller's `env` stays with the caller");
    assert!(one.permissions.id_token_write());
    assert_eq!(names(&run), ["before", "Library / one", "Library / two", "after"]);

    assert!(run.complete(&key("lib/one"), Success, texts([("label", "7")])).is_empty());
    assert!(!queued(&mut run).permissions.id_token_write(), "its own permissions are less");
    assert_eq!(run.conclusion(), None);
    succeed(&mut run, "lib/two");
    assert_eq!(queued(&mut run).labels, ["ff-7"]);
    succeed(&mut run, "after");
    assert_eq!(run.conclusion(), Some(Success));
}

#[test]
fn a_failure_within_is_a_failure_of_the_call() {
    let caller = CALLER.replace("if: ${{ needs.lib.outputs.made == 'yes' }}\n    ", "");
    let files = Files::new([(".github/workflows/w.yml", &caller), (".github/workflows/lib.yml", LIB)]);
    let mut run = files.start();
    ready(&mut run);
    assert!(run.complete(&key("before"), Success, texts([("size", "3")])).is_empty());
    ready(&mut run);
    assert!(run.complete(&key("lib/one"), Failure, BTreeMap::new()).is_empty());
    assert_eq!(ready(&mut run), ["Library / two skipped", "after skipped"]);
    assert_eq!(run.conclusion(), Some(Failure));
}

#[test]
fn a_call_that_is_skipped_or_cannot_be_made_is_one_job() {
    let files = Files::new([(".github/workflows/w.yml", CALLER), (".github/workflows/lib.yml", LIB)]);
    let mut run = files.start();
    ready(&mut run);
    assert!(run.complete(&key("before"), Failure, BTreeMap::new()).is_empty());
    assert_eq!(ready(&mut run), ["Library skipped", "after skipped"]);

    let mut run = files.start();
    ready(&mut run);
    assert!(run.complete(&key("before"), Success, texts([("size", "large")])).is_empty());
    let said = ready(&mut run);
    assert_eq!(
        said,
        ["Library failed: the input `size` cannot be `large`: it must be a number", "after skipped"]
    );
}

#[test]
fn cancelling_reaches_the_called_jobs_and_spares_what_must_run_even_so() {
    let lib = "on: workflow_call\njobs:\n  a: {runs-on: x, steps: [{run: x}]}\n  b: {needs: a, if: always(), runs-on: x, steps: [{run: x}]}\n";
    let caller = "on: push\njobs: {c: {uses: ./.github/workflows/lib.yml}}\n";
    let files = Files::new([(".github/workflows/w.yml", caller), (".github/workflows/lib.yml", lib)]);
    let mut run = files.start();
    assert_eq!(ready(&mut run), ["c / a queued"]);
    assert_eq!(run.cancel(), [key("c/a")]);
    assert!(run.complete(&key("c/a"), Cancelled, BTreeMap::new()).is_empty());
    assert_eq!(ready(&mut run), ["c / b queued"]);
    succeed(&mut run, "c/b");
    assert_eq!(run.conclusion(), Some(Cancelled));
}

#[test]
fn calls_go_on_in_calls() {
    let call = |of: &str| {
        format!(
            "on: [push, workflow_call]\njobs: {{x: {{uses: ./.github/workflows/{of}.yml, secrets: inherit}}}}\n"
        )
    };
    let last = "on: workflow_call\njobs: {y: {runs-on: '${{ github.repository }}', steps: [{run: x}]}}\n";
    let (a, b) = (call("b"), call("c"));
    let files = Files::new([
        (".github/workflows/a.yml", &a),
        (".github/workflows/b.yml", &b),
        (".github/workflows/c.yml", last),
    ]);
    let mut run = files.start();
    let job = queued(&mut run);
    assert_eq!(job.contexts["secrets"], json!({"A": "secret-a", "B": "secret-b"}));
    assert_eq!(run.jobs()[0].name, "x / x / y");
    succeed(&mut run, "x/x/y");
    assert_eq!(run.conclusion(), Some(Success));
}

#[test]
fn a_workflow_elsewhere_is_run_as_if_its_folder_were_the_proper_one() {
    let caller = "on: push\njobs: {c: {uses: ./.github/workflows/lib.yml}}\n";
    let lib =
        |label: &str| format!("on: workflow_call\njobs: {{y: {{runs-on: {label}, steps: [{{run: x}}]}}}}\n");
    let (beside, proper) = (lib("beside"), lib("proper"));
    let files = Files::new([
        ("examples/w.yml", caller),
        ("examples/lib.yml", &beside),
        (".github/workflows/lib.yml", &proper),
        (".github/workflows/w.yml", caller),
    ]);
    assert_eq!(queued(&mut files.start()).labels, ["beside"]);
    let proper = Files(files.0, ".github/workflows/w.yml");
    assert_eq!(queued(&mut proper.start()).labels, ["proper"]);
}

#[test]
fn calls_that_github_would_refuse_are_refused() {
    let caller = "on: push
permissions: { contents: read }
jobs:
  missing: { uses: ./.github/workflows/missing.yml }
  outside: { uses: ./lib.yml }
  remote: { uses: octo/lib/.github/workflows/lib.yml@v1 }
  plain: { uses: ./.github/workflows/plain.yml }
  loop: { uses: ./.github/workflows/w.yml }
  lib:
    uses: ./.github/workflows/lib.yml
    with: { size: 1, colour: red }
    secrets: { other: x }
  bare: { uses: ./.github/workflows/fine.yml, runs-on: x }
  many: { uses: ./.github/workflows/fine.yml, strategy: { matrix: { a: [1] } } }
  early: { uses: ./.github/workflows/fine.yml, with: { note: '${{ secrets.A }}' } }
";
    let fine =
        "on: {workflow_call: {inputs: {note: {type: string}}}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n";
    let plain = "on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n";
    let files = Files::new([
        (".github/workflows/w.yml", caller),
        (".github/workflows/lib.yml", LIB),
        (".github/workflows/plain.yml", plain),
        (".github/workflows/fine.yml", fine),
    ]);
    insta::assert_snapshot!(files.refusals(), @"
    .github/workflows/w.yml:4: there is no workflow at `./.github/workflows/missing.yml`
    .github/workflows/w.yml:5: `./lib.yml` is no workflow, so it cannot be called here: write ./.github/workflows/FILE
    .github/workflows/w.yml:6: `octo/lib/.github/workflows/lib.yml@v1` is not in this repository, so it cannot be called here: write ./.github/workflows/FILE
    .github/workflows/w.yml:7: `./.github/workflows/plain.yml` cannot be called: it would need `on: workflow_call`
    .github/workflows/w.yml:8: `./.github/workflows/w.yml` calls itself
    .github/workflows/w.yml:10: calling `./.github/workflows/lib.yml`: it has no input `colour`
    .github/workflows/w.yml:10: calling `./.github/workflows/lib.yml`: it has no secret `other`
    .github/workflows/w.yml:10: calling `./.github/workflows/lib.yml`: it requires the secret `token`: add it under `secrets`, or write `secrets: inherit`
    .github/workflows/w.yml:10: calling `./.github/workflows/lib.yml`: the nested job `one` is requesting `id-token: write`, but is only allowed `id-token: none`: add it to `permissions` of this job
    .github/workflows/w.yml:13: unknown key `runs-on` in the call `bare`: it may have name, uses, with, secrets, needs, if, permissions
    .github/workflows/w.yml:14: `strategy` is not supported in the call `many`: write a job for each call
    .github/workflows/w.yml:15: the context `secrets` cannot be used in `with` of a call: it has github, needs, strategy, matrix, inputs, vars
    ");
}

#[test]
fn what_a_reusable_workflow_declares_is_checked() {
    let text = "on:
  workflow_call:
    inputs: { a: { type: choice }, b: {}, c: { type: string, default: '${{ secrets.A }}' } }
    outputs: { o: { description: x }, p: { value: '${{ steps.x.outputs.y }}' } }
jobs: { a: { runs-on: x, steps: [{ run: x }] } }
";
    let files = Files::new([("w.yml", text)]);
    insta::assert_snapshot!(files.refusals(), @"
    w.yml:3: the input `a` of `workflow_call` needs a type: string, boolean or number
    w.yml:3: the input `b` of `workflow_call` needs a type: string, boolean or number
    w.yml:3: the context `secrets` cannot be used in the default of an input of `workflow_call`: it has github, inputs, vars
    w.yml:4: the output `o` has no `value`
    w.yml:4: the context `steps` cannot be used in an output of `workflow_call`: it has github, jobs, vars, inputs
    ");
}
