//! What the interpreter does not support is refused by name, file and line, all at once.

use std::path::Path;

use fleetfoot_sim::workflow::{LoadError, Published, Workflow};
use proptest::prelude::*;

fn parse(text: &str) -> Result<Workflow, LoadError> {
    Workflow::parse(text, "w.yml", Path::new("/nowhere"), &Published::default())
}

/// Loads the text and returns what is said, a line per problem.
fn refusals(text: &str) -> String {
    parse(text).map_or_else(|error| error.to_string(), |_| "nothing was refused".to_owned())
}

/// A workflow with these lines in its one job, whose steps they may replace.
fn job(lines: &str) -> String {
    format!("on: push\njobs:\n  a:\n{lines}")
}

#[test]
fn everything_is_named_at_once() {
    let text = r#"name: Bad
on: [push, workflow_call, teatime]
concurrency: one
permissions:
  id-token: read
  cake: write
jobs:
  build:
    runs-on: ubuntu-latest
    services:
      db: { image: postgres }
    container: alpine
    needs: [start]
    steps:
      - uses: docker://alpine
      - uses: actions/setup-node@v4
      - uses: ./missing
      - uses: ../outside
      - run: echo ${{ secret.A }}
      - run: |
          echo one
          echo ${{ nope('x') }}
          echo ${{ github.ref
      - if: ${{ github.ref }} == 'x'
        run: "true"
      - if: secrets.A != ''
        run: "true"
      - run: "true"
        shell: pwsh
      - run: "true"
        when: later
      - name: neither
  lib:
    uses: ./.github/workflows/lib.yml
    with: {}
"#;
    insta::assert_snapshot!(refusals(text), @r#"
    w.yml:2: unknown event `teatime`
    w.yml:3: `concurrency` is not supported in a workflow: runs do not wait for each other here; take it out
    w.yml:5: `id-token` must be write or none
    w.yml:6: unknown permission `cake`: there are actions, attestations, checks, contents, deployments, discussions, id-token, issues, models, packages, pages, pull-requests, repository-projects, security-events, statuses, artifact-metadata
    w.yml:8: the job `build` needs `start`, which is no job here
    w.yml:10: `services` is not supported in the job `build`: there is no container engine here; start what you need in a step
    w.yml:12: `container` is not supported in the job `build`: jobs run on the runner itself
    w.yml:15: the action `docker://alpine` is not supported: containers cannot run here; use a local composite action (`./…`) or actions/checkout
    w.yml:16: the action `actions/setup-node@v4` is not supported: it would have to be downloaded; use a local composite action (`./…`) or actions/checkout
    w.yml:17: there is no action at `./missing`: it would need an action.yml or action.yaml
    w.yml:18: `../outside` names no action: write ./FOLDER or OWNER/REPOSITORY@VERSION
    w.yml:19: unknown context `secret`: a step has github, needs, strategy, matrix, job, runner, env, vars, secrets, steps, inputs
    w.yml:22: the expression `nope('x')` is wrong: unknown function `nope`
    w.yml:23: `${{` without `}}`
    w.yml:24: text around `${{ }}` makes this `if` true whatever it says: write one expression and nothing else
    w.yml:26: the context `secrets` cannot be used in a step's `if`: it has github, needs, strategy, matrix, job, runner, env, vars, steps, inputs
    w.yml:29: the shell `pwsh` is not supported: use bash, sh, python, or a command line with `{0}` for the script
    w.yml:31: unknown key `when` in a step: it may have id, name, if, env, continue-on-error, run, shell, working-directory, uses, with, timeout-minutes
    w.yml:32: a step must have either `run` or `uses`
    w.yml:34: there is no workflow at `./.github/workflows/lib.yml`
    "#);
}

#[test]
fn mistakes_in_jobs_have_their_line() {
    for (lines, expected) in [
        ("    runs-on: x\n", "w.yml:3: the job `a` has no `steps`"),
        ("    steps: [{run: x}]\n", "w.yml:3: the job `a` has no `runs-on`"),
        ("    runs-on: x\n    steps: []\n", "w.yml:5: `steps` is empty"),
        ("    runs-on: []\n    steps: [{run: x}]\n", "w.yml:4: `runs-on` must be a label"),
        ("    runs-on: {pool: x}\n    steps: [{run: x}]\n", "w.yml:4: unknown key `pool` in `runs-on`"),
        (
            "    runs-on: x\n    needs: a\n    steps: [{run: x}]\n",
            "w.yml:3: jobs that need each other can never start: `a`",
        ),
        (
            "    runs-on: x\n    if: needs.b.outputs.c == env.D\n    steps: [{run: x}]\n",
            "w.yml:5: the context `env` cannot be used in a job's `if`",
        ),
        (
            "    runs-on: x\n    timeout-minutes: soon\n    steps: [{run: x}]\n",
            "w.yml:5: `timeout-minutes` must be a number above zero",
        ),
        (
            "    runs-on: x\n    strategy: {matrix: {a: []}}\n    steps: [{run: x}]\n",
            "w.yml:5: `a` in `matrix` has no values",
        ),
        ("    runs-on: ${{ always() }}\n    steps: [{run: x}]\n", "w.yml:4: `always()` works in `if` only"),
        (
            "    runs-on: ${{ hashFiles('x') }}\n    steps: [{run: x}]\n",
            "w.yml:4: `hashFiles()` works in steps only",
        ),
        ("    runs-on: ${{ format() }}\n    steps: [{run: x}]\n", "nothing was refused"),
        ("    runs-on: x\n    steps: [{run: x, id: 1a}]\n", "w.yml:5: `1a` cannot be a step's id"),
        (
            "    runs-on: x\n    steps: [{run: x, id: b}, {run: x, id: B}]\n",
            "w.yml:5: two steps have the id `B`",
        ),
        ("    runs-on: x\n    steps: [{run: x, with: {a: b}}]\n", "w.yml:5: `with` belongs to `uses`"),
        (
            "    runs-on: x\n    steps: [{uses: actions/checkout@v4, with: {repository: o/r}}]\n",
            "w.yml:5: the input `repository` of actions/checkout is not supported",
        ),
        (
            "    runs-on: x\n    environment: {url: x}\n    steps: [{run: x}]\n",
            "w.yml:5: `environment` has no `name`",
        ),
        ("    runs-on: x\n    env: {<<: {}}\n    steps: [{run: x}]\n", "w.yml:5: YAML merge keys"),
        ("    runs-on: !x y\n    steps: [{run: x}]\n", "w.yml:4: the YAML tag"),
        ("    runs-on: x\n    runs-on: y\n", "w.yml:5: no valid YAML"),
        ("    runs-on: x\n    steps: [{run: 'x'\n", "no valid YAML"),
    ] {
        let said = refusals(&job(lines));
        assert!(said.contains(expected), "{lines}\nexpected: {expected}\nsaid: {said}");
    }
}

#[test]
fn mistakes_at_the_top_have_their_line() {
    let rest = "jobs: {a: {runs-on: x, steps: [{run: x}]}}\n";
    for (lines, expected) in [
        ("name: x\n", "w.yml:1: `on` is missing"),
        (
            "on: {workflow_dispatch: {inputs: {x: {type: choice}}}}\n",
            "w.yml:1: the input `x` is a choice without `options`",
        ),
        ("on: {workflow_dispatch: {inputs: {x: {type: date}}}}\n", "w.yml:1: unknown type `date`"),
        (
            "on: {workflow_dispatch: {inputs: {x: {options: [a]}}}}\n",
            "w.yml:1: the input `x` has `options` but is no `choice`",
        ),
        ("on: push\npermissions: all\n", "w.yml:2: `permissions` must be"),
        ("on: push\ndefaults: {run: {shell: fish}}\n", "w.yml:2: the shell `fish` is not supported"),
        ("on: push\nenv: {A: '${{ env.B }}'}\n", "w.yml:2: the context `env` cannot be used"),
        ("on: push\nenv: [A]\n", "w.yml:2: `env` must be a mapping, not a list"),
    ] {
        let said = refusals(&format!("{lines}{rest}"));
        assert!(said.contains(expected), "{lines}\nexpected: {expected}\nsaid: {said}");
    }
    assert!(refusals("").contains("w.yml:1:"));
    assert!(refusals("on: push\n").contains("`jobs` is missing"));
    assert!(refusals("on: push\njobs: {}\n").contains("`jobs` is empty"));
}

#[test]
fn a_missing_file_is_a_refusal() {
    let error =
        Workflow::load(Path::new("no.yml"), Path::new("/nowhere"), &Published::default()).unwrap_err();
    assert!(error.to_string().starts_with("no.yml:1: cannot read /nowhere/no.yml"), "{error}");
    assert_eq!(error.problems().len(), 1);
}

#[test]
fn actions_are_checked_below_the_repository() {
    let repository = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let folder = repository.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("action.yml"), text).unwrap();
    };
    write("node", "name: n\nruns:\n  using: node20\n  main: x.js\n");
    write(
        "good",
        "inputs:\n  must: {required: true}\nruns:\n  using: composite\n  steps:\n    - run: x\n      shell: bash\n",
    );
    write(
        "bad",
        "runs:\n  using: composite\n  steps:\n    - run: echo ${{ secrets.A }}\n    - uses: ./bad\n      timeout-minutes: 1\n",
    );
    let text = job(
        "    runs-on: x\n    steps:\n      - uses: ./node\n      - uses: ./good\n      - uses: ./good\n        with: {must: a, other: b}\n      - uses: ./bad\n",
    );
    let said =
        Workflow::parse(&text, "w.yml", repository.path(), &Published::default()).unwrap_err().to_string();
    insta::assert_snapshot!(said, @r#"
    bad/action.yml:4: the context `secrets` cannot be used in a step of a composite action: it has github, inputs, steps, strategy, matrix, job, runner, env
    bad/action.yml:4: a `run` step of a composite action must have a `shell`
    bad/action.yml:5: actions use each other more than 10 levels deep
    bad/action.yml:6: `timeout-minutes` is not supported in a step: composite actions have none; set it on the step that uses the action
    node/action.yml:3: actions with `using: node20` are not supported: only `composite` ones can run here
    w.yml:7: ./good requires the input `must`: add it under `with`
    w.yml:9: ./good has no input `other`: it has must
    "#);
}

#[test]
fn actions_of_other_repositories_are_checked_where_they_are_at_hand() {
    let tools = tempfile::tempdir().unwrap();
    let text =
        "inputs: {a: {}}\nruns: {using: composite, steps: [{run: 'echo ${{ secrets.A }}', shell: sh}]}\n";
    std::fs::write(tools.path().join("action.yml"), text).unwrap();
    let published = Published::default().with("*/tools", tools.path());
    let text = job(
        "    runs-on: x\n    steps:\n      - {uses: mona/tools@v1, with: {b: x}}\n      - uses: mona/tools/sub@v1\n      - uses: mona/other@v1\n",
    );
    let said = Workflow::parse(&text, "w.yml", Path::new("/nowhere"), &published).unwrap_err().to_string();
    insta::assert_snapshot!(said, @"
    mona/tools/action.yml:2: the context `secrets` cannot be used in a step of a composite action: it has github, inputs, steps, strategy, matrix, job, runner, env
    w.yml:6: mona/tools@v1 has no input `b`: it has a
    w.yml:7: there is no action at `mona/tools/sub@v1`: it would need an action.yml or action.yaml
    w.yml:8: the action `mona/other@v1` is not supported: it would have to be downloaded; use a local composite action (`./…`), actions/checkout or */tools@…
    ");
}

proptest! {
    #[test]
    fn any_text_is_refused_or_read_but_never_panics(text in "\\PC*|[-a-z:{}\\[\\]|>&*?!'\"#, \n\t${}()]{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_expression_is_refused_or_read(text in "[a-z.*()\\[\\]'&|=!<>, 0-9x{}$]{0,60}") {
        let yaml = job(&format!("    runs-on: x\n    if: {}\n    steps: [{{run: x}}]\n", serde_json::json!(text)));
        let _ = parse(&yaml);
    }

    #[test]
    fn deep_nesting_is_refused(depth in 0_usize..5000, kind in 0_usize..4) {
        let open = ["[", "- ", "{a: ", "? "][kind];
        let _ = parse(&open.repeat(depth));
    }
}
