//! Jobs run to their end in real shells, without any server.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fleetfoot_sim::protocol::{Completion, Conclusion, JobMessage, LogLines, StepUpdate};
use fleetfoot_sim::runner::{HostOptions, Reporter, execute};
use fleetfoot_sim::workflow::{Published, ReadyState, Run, Start, Workflow};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// A place with a repository in it, for one job.
struct Place {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    hooks: (Option<&'static str>, Option<&'static str>),
}

/// What a job said and did.
struct Ran {
    completion: Completion,
    lines: Vec<String>,
    /// Name and result of the steps that ended.
    steps: Vec<(String, Conclusion)>,
}

#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<String>>,
    steps: Mutex<Vec<(String, Conclusion)>>,
}

impl Reporter for Heard {
    fn log(&self, lines: LogLines) {
        self.lines.lock().unwrap().extend(lines.lines);
    }

    fn step(&self, update: StepUpdate) {
        if let Some(conclusion) = update.conclusion {
            self.steps.lock().unwrap().push((update.name, conclusion));
        }
    }
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("repository")).unwrap();
        let environment = [("PATH", std::env::var("PATH").unwrap()), ("HOME", "/home/nobody".to_owned())];
        Self {
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            folder,
            secrets: BTreeMap::new(),
            hooks: (None, None),
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join("repository").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn message(&self, text: &str) -> JobMessage {
        let repository = self.folder.path().join("repository");
        let published = self.published();
        let workflow =
            Workflow::parse(text, "w.yml", &repository, &published).unwrap_or_else(|error| panic!("{error}"));
        let github = json!({"repository": "o/r", "ref": "refs/heads/main", "sha": "abc", "event": {"x": 1}});
        let start = Start {
            event_name: "push".to_owned(),
            github: github.as_object().unwrap().clone(),
            secrets: self.secrets.clone(),
            ..Start::default()
        };
        let mut run = Run::new(Arc::new(workflow), start).unwrap();
        let ready = run.take_ready().remove(0);
        let ReadyState::Queued(job) = ready.state else { panic!("{ready:?}") };
        JobMessage {
            job_id: 1,
            run_id: 2,
            name: ready.name,
            body: job.body,
            contexts: job.contexts,
            environment: [("CI", "true"), ("GITHUB_SHA", "abc")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            masks: vec!["t0ken".to_owned()],
            repository,
            published,
        }
    }

    /// Whatever is below the folder `published`, as repositories of octo's.
    fn published(&self) -> Published {
        let folder = self.folder.path().join("published");
        let Ok(entries) = std::fs::read_dir(folder) else { return Published::default() };
        entries.fold(Published::default(), |published, entry| {
            let entry = entry.unwrap();
            published.with(format!("octo/{}", entry.file_name().display()), entry.path())
        })
    }

    async fn run_until(&self, text: &str, cancel: CancellationToken) -> Ran {
        let heard = Arc::new(Heard::default());
        let mut host = HostOptions::new(self.folder.path().join("work"), "runner-1");
        host.environment = self.environment.clone();
        let hook = |script: Option<&str>, name: &str| {
            script.map(|script| {
                let path = self.folder.path().join(name);
                std::fs::write(&path, script).unwrap();
                path
            })
        };
        host.hook_job_started = hook(self.hooks.0, "started.sh");
        host.hook_job_completed = hook(self.hooks.1, "completed.sh");
        let reporter = Arc::clone(&heard) as Arc<dyn Reporter>;
        let completion = execute(self.message(text), reporter, host, cancel).await;
        let lines = heard.lines.lock().unwrap().clone();
        let steps = heard.steps.lock().unwrap().clone();
        Ran { completion, lines, steps }
    }

    async fn run(&self, steps: &str) -> Ran {
        self.run_until(&job(steps), CancellationToken::new()).await
    }
}

fn job(steps: &str) -> String {
    format!("on: push\njobs:\n  a:\n    runs-on: x\n{steps}")
}

impl Ran {
    fn output(&self, name: &str) -> &str {
        self.completion.outputs.get(name).map_or("", String::as_str)
    }

    fn said(&self, line: &str) -> bool {
        self.lines.iter().any(|said| said == line)
    }

    fn results(&self) -> Vec<Conclusion> {
        self.steps.iter().map(|(_, conclusion)| *conclusion).collect()
    }

    #[track_caller]
    fn succeeded(&self) {
        assert_eq!(self.completion.conclusion, Conclusion::Success, "{:#?}", self.lines);
    }
}

#[tokio::test]
async fn steps_hand_values_on() {
    let ran = Place::new()
        .run(
            r#"
    env: { FROM_JOB: job }
    outputs:
      all: ${{ steps.one.outputs.a }} ${{ steps.two.outputs.b }} ${{ steps.two.outputs.c }}
      empty: ${{ steps.one.outputs.nothing }}
      outcome: ${{ steps.one.outcome }}/${{ steps.one.conclusion }}/${{ job.status }}
    steps:
      - id: one
        env: { FROM_STEP: "${{ env.FROM_JOB }}-step" }
        run: |
          echo "a=$FROM_JOB/$FROM_STEP" >> "$GITHUB_OUTPUT"
          { echo 'LATER<<END'; echo first; echo second; echo END; } >> "$GITHUB_ENV"
          echo "FROM_JOB=changed" >> "$GITHUB_ENV"
          mkdir tools && printf '#!/bin/sh\necho "from tool"\n' > tools/mytool && chmod +x tools/mytool
          echo "$PWD/tools" >> "$GITHUB_PATH"
          echo '## One' >> "$GITHUB_STEP_SUMMARY"
      - id: two
        name: Say ${{ steps.one.outputs.a }}
        run: |
          echo "b=$LATER" | tr '\n' ' ' >> "$GITHUB_OUTPUT"; echo >> "$GITHUB_OUTPUT"
          echo "c=$FROM_JOB,$(mytool),${FROM_STEP:-none}" >> "$GITHUB_OUTPUT"
          printf 'no line end' >> "$GITHUB_STEP_SUMMARY"
"#,
        )
        .await;
    ran.succeeded();
    assert_eq!(ran.output("all"), "job/job-step first second  changed,from tool,none");
    assert_eq!(ran.output("outcome"), "success/success/success");
    assert!(!ran.completion.outputs.contains_key("empty"));
    assert_eq!(ran.completion.summary, "## One\nno line end\n");
    assert_eq!(ran.steps[1].0, "Say job/job-step");
    assert_eq!(ran.steps[0].0, r#"Run echo "a=$FROM_JOB/$FROM_STEP" >> "$GITHUB_OUTPUT""#);
}

#[tokio::test]
async fn the_environment_is_clean_and_complete() {
    let mut place = Place::new();
    place.environment.insert("PLAIN".to_owned(), "plain".to_owned());
    let ran = place
        .run(
            r#"
    steps:
      - run: env
      - run: echo "GITHUB_WORKSPACE=/elsewhere" >> "$GITHUB_ENV"
      - env: { RUNNER_NAME: mine, PLAIN: "${{ runner.name }}" }
        run: |
          echo "now $GITHUB_WORKSPACE $RUNNER_NAME $PLAIN $PWD"
          test -w "$RUNNER_TEMP" && test -d "$RUNNER_TOOL_CACHE" && grep -q '"x":1' "$GITHUB_EVENT_PATH"
          test "${{ github.workspace }}" = "$GITHUB_WORKSPACE"
"#,
        )
        .await;
    ran.succeeded();
    let work = place.folder.path().join("work/r/r").display().to_string();
    assert!(ran.said(&format!("now {work} runner-1 runner-1 {work}")), "{:#?}", ran.lines);
    for line in [
        "CI=true",
        "PLAIN=plain",
        "HOME=/home/nobody",
        "RUNNER_OS=Linux",
        "GITHUB_ACTION=__run",
        "RUNNER_ENVIRONMENT=self-hosted",
    ] {
        assert!(ran.said(line), "{line}: {:#?}", ran.lines);
    }
    assert!(
        !ran.lines.iter().any(|line| line.starts_with("CARGO_")),
        "inherited from the test's own process"
    );
    assert!(!place.folder.path().join("work/_temp").exists());
}

#[tokio::test]
async fn failures_skip_what_follows_unless_it_asks_for_them() {
    use Conclusion::{Failure, Skipped, Success};
    let ran = Place::new()
        .run(
            r#"
    outputs: { outcome: "${{ steps.mild.outcome }}/${{ steps.mild.conclusion }}" }
    steps:
      - { id: mild, run: exit 3, continue-on-error: true }
      - run: "true"
      - run: exit 4
      - run: "true"
      - { run: "true", if: failure() }
      - { run: "true", if: "always() && steps.mild.outcome == 'failure'" }
      - { run: "true", if: cancelled() }
      - { run: "echo ${{ fromJSON('') }}", if: always() }
"#,
        )
        .await;
    assert_eq!(ran.results(), [Success, Success, Failure, Skipped, Success, Success, Skipped, Failure]);
    assert_eq!(ran.completion.conclusion, Failure);
    assert_eq!(ran.output("outcome"), "failure/success");
    assert!(ran.said("##[error]Process completed with exit code 4."));
    let messages: Vec<_> =
        ran.completion.annotations.iter().map(|annotation| annotation.message.as_str()).collect();
    assert_eq!(messages[..2], ["Process completed with exit code 3.", "Process completed with exit code 4."]);
    assert!(messages[2].contains("`fromJSON` was given an empty text"));
}

#[tokio::test]
async fn shells_have_githubs_flags() {
    let ran = Place::new()
        .run(
            r#"
    defaults: { run: { working-directory: sub } }
    outputs: { all: "${{ steps.s.outputs.all }}" }
    steps:
      - { run: mkdir sub, working-directory: . }
      - { run: "false | true", continue-on-error: true }
      - { id: pipe, run: "false | true", shell: bash, continue-on-error: true }
      - { id: sh, run: 'false; echo "not reached"', shell: sh, continue-on-error: true }
      - { id: py, run: 'import os; print("py", os.path.basename(os.getcwd()))', shell: python }
      - { id: own, run: "own template", shell: "cat {0}" }
      - { id: none, run: x, shell: "no-such-shell {0}", continue-on-error: true }
      - id: s
        run: echo "all=${{ join(steps.*.outcome, ' ') }}" >> "$GITHUB_OUTPUT"
"#,
        )
        .await;
    ran.succeeded();
    assert_eq!(ran.output("all"), "failure failure success success failure");
    assert!(ran.said("py sub") && ran.said("own template") && !ran.said("not reached"), "{:#?}", ran.lines);
    assert!(ran.said("##[error]no-such-shell: command not found"));
    assert!(ran.lines.iter().any(|line| line.ends_with("bash --noprofile --norc -e -o pipefail {0}")));
}

#[tokio::test]
async fn secrets_are_masked_and_never_leave_as_outputs() {
    let mut place = Place::new();
    place.secrets.insert("KEY".to_owned(), "line one\nline two".to_owned());
    let ran = place
        .run(
            r#"
    outputs: { bad: "x${{ steps.a.outputs.bad }}", good: "${{ steps.a.outputs.good }}" }
    steps:
      - id: a
        env: { KEY: "${{ secrets.KEY }}" }
        run: |
          echo "here: $KEY and t0ken"
          echo "::add-mask::later"
          echo "some later value" | tee -a "$GITHUB_STEP_SUMMARY"
          echo "::error title=later::it is t0ken"
          echo "bad=line two" >> "$GITHUB_OUTPUT"
          echo "good=fine" >> "$GITHUB_OUTPUT"
      - run: echo "line one ${{ secrets.KEY }}"
"#,
        )
        .await;
    for secret in ["line one", "line two", "t0ken"] {
        assert!(!ran.lines.iter().any(|line| line.contains(secret)), "{secret}: {:#?}", ran.lines);
    }
    assert!(
        ran.said("here: ***") && ran.said("*** and ***") && ran.said("some *** value"),
        "{:#?}",
        ran.lines
    );
    assert_eq!(ran.completion.summary, "some *** value\n");
    assert_eq!(ran.completion.annotations[0].title.as_deref(), Some("***"));
    assert_eq!(ran.completion.annotations[0].message, "it is ***");
    assert_eq!(ran.output("good"), "fine");
    assert!(!ran.completion.outputs.contains_key("bad"));
    assert!(ran.said("##[warning]Skip output 'bad' since it may contain secret."));
}

#[tokio::test]
async fn composite_actions_have_inputs_outputs_and_steps_of_their_own() {
    let place = Place::new();
    place.write(
        "actions/outer/action.yml",
        r#"
name: Outer
inputs:
  who: { required: true }
  greeting: { default: "Hello from ${{ github.repository }}" }
outputs:
  text: { value: "${{ steps.say.outputs.text }}!" }
  inner: { value: "${{ steps.inner.outputs.seen }}" }
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: |
        echo "text=${{ inputs.greeting }}, ${{ inputs.who }}" >> "$GITHUB_OUTPUT"
        echo "FROM_ACTION=yes" >> "$GITHUB_ENV"
        test -f "$GITHUB_ACTION_PATH/action.yml" && test -f "${{ github.action_path }}/action.yml"
        test "$PWD" = "$GITHUB_WORKSPACE"
    - id: inner
      uses: ./actions/inner
      with: { n: "${{ env.HANDED }}" }
    - { run: "exit 9", shell: sh, if: "inputs.who == 'nobody'" }
    - { run: echo cleaned up, shell: sh, if: always() }
"#,
    );
    place.write(
        "actions/inner/action.yaml",
        "inputs: {n: {}}\noutputs: {seen: {value: '${{ steps.x.outputs.seen }}'}}\nruns:\n  using: composite\n  steps:\n    - {id: x, shell: sh, run: 'echo \"seen=${{ inputs.n }}/${HANDED}\" >> $GITHUB_OUTPUT'}\n",
    );
    let ran = place
        .run(
            r#"
    outputs:
      text: ${{ steps.act.outputs.text }}
      rest: ${{ steps.act.outputs.inner }} ${{ steps.last.outputs.seen }} ${{ steps.say.outputs.text }}
    steps:
      - uses: actions/checkout@v4
      - { id: act, uses: ./actions/outer, with: { who: world }, env: { HANDED: h } }
      - { id: last, run: 'echo "seen=$FROM_ACTION-$HANDED" >> "$GITHUB_OUTPUT"' }
      - { uses: ./actions/outer, with: { who: nobody } }
"#,
        )
        .await;
    assert_eq!(ran.output("text"), "Hello from o/r, world!");
    assert_eq!(ran.output("rest"), "h/h yes- ");
    assert_eq!(ran.completion.conclusion, Conclusion::Failure);
    assert_eq!(ran.lines.iter().filter(|line| *line == "cleaned up").count(), 2);
    assert_eq!(ran.steps.len(), 4, "steps of actions are not steps of the job: {:?}", ran.steps);
}

/// As GitHub's runner does: the whole repository of the action is at hand, `github.action_repository` and
/// `github.action_ref` are known in `env` and empty in `run`, and no checkout is needed.
#[tokio::test]
async fn actions_of_other_repositories_are_fetched_whole() {
    let place = Place::new();
    let action = r#"
outputs: { seen: { value: "${{ steps.say.outputs.seen }}" } }
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: echo "seen=$FROM@$AT $("$GITHUB_ACTION_PATH/../bin/say" "[${{ github.action_repository }}]")" >> "$GITHUB_OUTPUT"
      env:
        FROM: ${{ github.action_repository }}
        AT: ${{ github.action_ref }}
"#;
    place.write("../published/tools/deep/action.yml", action);
    place.write("../published/tools/bin/say", "#!/bin/sh\necho \"said $1\"\n");
    let say = place.folder.path().join("published/tools/bin/say");
    std::fs::set_permissions(say, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let steps = r#"
    outputs: { seen: "${{ steps.act.outputs.seen }}" }
    steps:
      - { id: act, uses: Octo/tools/deep@feature/x }
      - { uses: octo/tools/deep@v1 }
      - { uses: octo/tools/deep@v1 }
      - run: test "$(ls "$GITHUB_WORKSPACE" | wc -l)" = 0
"#;
    let ran = place.run(steps).await;
    assert_eq!(ran.completion.conclusion, Conclusion::Success, "{:#?}", ran.lines);
    assert_eq!(ran.output("seen"), "Octo/tools@feature/x said []");
    let downloads: Vec<&str> =
        ran.lines.iter().filter_map(|line| line.strip_prefix("Download action repository ")).collect();
    assert_eq!(downloads, ["'Octo/tools@feature/x'", "'octo/tools@v1'"], "each once");
}

#[tokio::test]
async fn an_action_without_a_checkout_is_not_found() {
    let place = Place::new();
    place.write("a/action.yml", "runs: {using: composite, steps: []}\n");
    let ran = place.run("    steps: [{uses: ./a}]\n").await;
    assert_eq!(ran.completion.conclusion, Conclusion::Failure);
    assert!(
        ran.lines.iter().any(|line| line.contains("Did you forget to run actions/checkout")),
        "{:#?}",
        ran.lines
    );
}

#[tokio::test]
async fn checkout_copies_the_repository() {
    let place = Place::new();
    place.write("src/a.txt", "text");
    place.write(".git/HEAD", "x");
    let ran = place
        .run(
            r#"
    outputs: { commit: "${{ steps.c.outputs.commit }} ${{ steps.h.outputs.hash }}" }
    steps:
      - run: touch old
      - { id: c, uses: actions/checkout@v4, with: { fetch-depth: 0 } }
      - { uses: actions/checkout@v4, with: { path: second, clean: false } }
      - run: test ! -e old && test ! -e .git && cmp src/a.txt second/src/a.txt
      - id: h
        run: echo "hash=${{ hashFiles('**/a.txt') != '' }}" >> "$GITHUB_OUTPUT"
"#,
        )
        .await;
    ran.succeeded();
    assert_eq!(ran.output("commit"), "abc true");
}

#[tokio::test]
async fn a_step_that_takes_too_long_is_stopped() {
    let began = Instant::now();
    let ran = Place::new()
        .run(
            r"
    steps:
      - { run: 'sleep 60 & exec sleep 60', timeout-minutes: 0.01 }
      - { run: echo after, if: failure() }
",
        )
        .await;
    assert_eq!(ran.results(), [Conclusion::Failure, Conclusion::Success]);
    assert!(ran.said("##[error]The action has timed out: `timeout-minutes` is over."));
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_cancelled() {
    let ran = Place::new()
        .run("    timeout-minutes: 0.01\n    steps: [{run: sleep 60}, {run: echo end, if: always()}]\n")
        .await;
    assert_eq!(ran.completion.conclusion, Conclusion::Cancelled);
    assert_eq!(ran.results(), [Conclusion::Cancelled, Conclusion::Success]);
    assert!(
        ran.lines.iter().any(|line| line.contains("exceeded its maximum execution time")),
        "{:#?}",
        ran.lines
    );
}

#[tokio::test]
async fn a_cancelled_job_hears_sigint_then_sigterm_and_cleans_up() {
    let cancel = CancellationToken::new();
    let steps = r#"
    steps:
      - run: |
          trap 'echo got INT' INT; trap 'echo got TERM; exit 0' TERM
          touch "$HOME/started"
          while true; do sleep 0.2 || true; done
      - run: echo not this
      - { run: 'sleep 0.3; echo cleaned', if: always() }
      - { run: 'echo ${{ job.status }}', if: cancelled() }
"#;
    let mut place = Place::new();
    let home = place.folder.path().to_owned();
    place.environment.insert("HOME".to_owned(), home.display().to_string());
    let text = job(steps);
    let began = Instant::now();
    let (ran, ()) = tokio::join!(place.run_until(&text, cancel.clone()), async {
        wait_for(&home.join("started")).await;
        cancel.cancel();
    });
    assert_eq!(ran.completion.conclusion, Conclusion::Cancelled);
    let expected = [Conclusion::Cancelled, Conclusion::Skipped, Conclusion::Success, Conclusion::Success];
    assert_eq!(ran.results(), expected);
    let heard: Vec<_> = ran.lines.iter().filter(|line| line.starts_with("got ")).collect();
    assert_eq!(heard, ["got INT", "got TERM"]);
    assert!(ran.said("cleaned") && ran.said("cancelled"), "{:#?}", ran.lines);
    assert!(began.elapsed() > Duration::from_secs(7), "SIGTERM came after {:?}", began.elapsed());
}

/// GitHub's runner signals the shell alone. One that waits for a program never tells it.
#[tokio::test]
async fn only_the_entry_process_hears_of_a_cancellation() {
    let program = r#"import signal, sys, time
def heard(number, frame):
    print("heard", signal.Signals(number).name, flush=True)
    sys.exit(1)
signal.signal(signal.SIGINT, heard)
print("waiting", flush=True)
open(sys.argv[1], "w").close()
time.sleep(60)
"#;
    for (call, wanted) in [("exec python3", 1), ("python3", 0)] {
        let cancel = CancellationToken::new();
        let mut place = Place::new();
        let home = place.folder.path().to_owned();
        place.environment.insert("HOME".to_owned(), home.display().to_string());
        std::fs::write(home.join("program.py"), program).unwrap();
        let text = job(&format!("    steps: [{{run: '{call} \"$HOME/program.py\" \"$HOME/started\"'}}]\n"));
        let (ran, ()) = tokio::join!(place.run_until(&text, cancel.clone()), async {
            wait_for(&home.join("started")).await;
            cancel.cancel();
        });
        assert_eq!(ran.completion.conclusion, Conclusion::Cancelled);
        let heard = ran.lines.iter().filter(|line| *line == "heard SIGINT").count();
        assert_eq!(heard, wanted, "{call}: {:#?}", ran.lines);
    }
}

#[tokio::test]
async fn processes_left_behind_end_with_the_job() {
    let mut place = Place::new();
    let home = place.folder.path().to_owned();
    place.environment.insert("HOME".to_owned(), home.display().to_string());
    let ran = place
        .run("    steps: [{run: 'sleep 300 > /dev/null 2>&1 & echo $! > \"$HOME/pid\"'}, {run: 'kill -0 $(cat \"$HOME/pid\")'}]\n")
        .await;
    ran.succeeded();
    let pid = std::fs::read_to_string(home.join("pid")).unwrap();
    assert!(ran.said(&format!("Terminate orphan process: pid ({}) (sleep)", pid.trim())), "{:#?}", ran.lines);
}

#[tokio::test]
async fn malformed_files_and_refused_commands_fail_the_step() {
    let ran = Place::new()
        .run(
            r#"
    steps:
      - { run: 'echo nonsense >> "$GITHUB_OUTPUT"', continue-on-error: true }
      - { run: 'echo "::set-env name=A::b"', continue-on-error: true }
      - { id: gone, run: 'echo "::set-output name=a::b"' }
      - { run: 'test -z "${{ steps.gone.outputs.a }}"' }
      - { run: "true", working-directory: nowhere }
"#,
        )
        .await;
    assert!(ran.said("##[error]Invalid format 'nonsense'"));
    assert!(ran.said("##[error]Unable to process file command 'output' successfully."));
    assert!(ran.lines.iter().any(|line| line.starts_with("##[warning]`::set-output` is gone")));
    assert!(
        ran.lines.iter().any(|line| line.starts_with("##[error]An error occurred trying to start process"))
    );
    assert_eq!(ran.results()[..4], [Conclusion::Success; 4]);
    assert_eq!(ran.results()[4], Conclusion::Failure);
}

#[tokio::test]
async fn hooks_run_around_the_job_and_can_fail_it() {
    let mut place = Place::new();
    place.hooks = (Some("echo before; echo FROM_HOOK=$GITHUB_SHA"), Some("echo behind; exit 7"));
    let ran = place.run("    steps: [{run: echo between}]\n").await;
    let order: Vec<_> =
        ran.lines.iter().filter(|line| ["before", "between", "behind"].contains(&line.as_str())).collect();
    assert_eq!(order, ["before", "between", "behind"]);
    assert_eq!(ran.completion.conclusion, Conclusion::Failure);
    assert!(ran.said("##[error]The job completed hook completed with exit code 7."));

    place.hooks = (Some("exit 1"), None);
    let ran = place.run("    steps: [{run: echo between}, {run: echo even so, if: always()}]\n").await;
    assert_eq!(ran.results(), [Conclusion::Skipped, Conclusion::Success]);
    assert_eq!(ran.completion.conclusion, Conclusion::Failure);
}

async fn wait_for(path: &Path) {
    for _ in 0..500 {
        if path.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} never came", path.display());
}
