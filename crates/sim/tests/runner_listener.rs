//! The whole program, as a process of its own, against a small server of the protocol.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleetfoot_sim::protocol::{Completion, Conclusion, JobMessage, LogLines, Renewal, Session, StepUpdate};
use fleetfoot_sim::runner::{Options, run};
use fleetfoot_sim::workflow::{ReadyState, Run, Start, Workflow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Map, json};

/// What the server answers, and what it heard.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that happened")]
struct Script {
    session: u16,
    message: Option<JobMessage>,
    poll: u16,
    renew: u16,
    cancel: bool,
    opened: bool,
    started: bool,
    closed: bool,
    lines: Vec<String>,
    steps: Vec<StepUpdate>,
    completion: Option<Completion>,
}

type Shared = Arc<Mutex<Script>>;

/// The program under test. Started by the other tests with a configuration in its environment.
#[test]
#[ignore = "the program that the other tests start"]
fn the_program() {
    let on = |name: &str| std::env::var(name).is_ok_and(|value| value == "1");
    let mut options = Options::new(
        std::env::var("ACTIONS_RUNNER_INPUT_JITCONFIG").ok(),
        std::env::var("TEST_ROOT").unwrap().into(),
        Box::new(std::io::stdout()),
    );
    options.environment = [("PATH".to_owned(), std::env::var("PATH").unwrap())].into();
    options.return_job_result = on("ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED");
    options.return_version_deprecated = on("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE");
    options.conflict_limit = Duration::from_secs(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let code = runtime.block_on(run(options));
    std::process::exit(code.into());
}

/// The program at work.
struct Program {
    child: Child,
    root: tempfile::TempDir,
}

impl Program {
    fn start(jitconfig: Option<&str>, switches: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["the_program", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env("TEST_ROOT", root.path())
            .stdout(Stdio::piped());
        for name in switches {
            command.env(name, "1");
        }
        if let Some(jitconfig) = jitconfig {
            command.env("ACTIONS_RUNNER_INPUT_JITCONFIG", jitconfig);
        }
        Self { child: command.spawn().unwrap(), root }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the end; the exit code and the lines.
    async fn end(mut self) -> (i32, Vec<String>) {
        let mut stdout = self.child.stdout.take().unwrap();
        let ended = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            let status: ExitStatus = self.child.wait().unwrap();
            drop(self.root);
            (status.code().unwrap_or(-1), text.lines().map(str::to_owned).collect::<Vec<_>>())
        });
        tokio::time::timeout(Duration::from_mins(1), ended).await.expect("it ends").unwrap()
    }
}

/// Starts the server and returns the JIT configuration for it.
async fn serve(script: Script) -> (Shared, String) {
    let shared: Shared = Arc::new(Mutex::new(script));
    let router = Router::new()
        .route("/r/sessions", post(open))
        .route("/r/sessions/{id}/message", get(poll))
        .route("/r/sessions/{id}", delete(close))
        .route("/r/jobs/{id}/{what}", post(report))
        .with_state(Arc::clone(&shared));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = json!({
        "agentId": 1, "agentName": "runner-1", "serverUrl": format!("http://{address}/r"),
        "workFolder": "_work", "ephemeral": true,
    });
    let files = json!({
        ".runner": STANDARD.encode(settings.to_string()),
        ".credentials": STANDARD.encode(json!({"scheme": "OAuth", "token": "cr3d"}).to_string()),
        ".credentials_rsaparams": STANDARD.encode("{}"),
    });
    (shared, STANDARD.encode(files.to_string()))
}

fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

async fn open(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    assert_eq!(headers["authorization"], "Bearer cr3d");
    let mut script = shared.lock().unwrap();
    script.opened = true;
    match script.session {
        0 => Json(Session { session_id: "s".to_owned() }).into_response(),
        code => status(code),
    }
}

async fn poll(State(shared): State<Shared>) -> Response {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut script = shared.lock().unwrap();
    match (script.poll, script.message.take()) {
        (0, Some(message)) => Json(message).into_response(),
        (0, None) => status(202),
        (code, _) => status(code),
    }
}

async fn close(State(shared): State<Shared>) -> StatusCode {
    shared.lock().unwrap().closed = true;
    StatusCode::NO_CONTENT
}

async fn report(
    State(shared): State<Shared>,
    Path((_, what)): Path<(u64, String)>,
    body: String,
) -> Response {
    let mut script = shared.lock().unwrap();
    match what.as_str() {
        "start" => script.started = true,
        "log" => script.lines.extend(serde_json::from_str::<LogLines>(&body).unwrap().lines),
        "steps" => script.steps.push(serde_json::from_str(&body).unwrap()),
        "renew" if script.renew != 0 => return status(script.renew),
        "renew" => return Json(Renewal { cancel: script.cancel }).into_response(),
        "complete" => script.completion = Some(serde_json::from_str(&body).unwrap()),
        _ => return status(404),
    }
    status(204)
}

fn message(steps: &str) -> JobMessage {
    let text = format!(
        "on: push\njobs:\n  build:\n    runs-on: x\n    outputs: {{o: '${{{{ steps.s.outputs.o }}}}'}}\n    steps:\n{steps}"
    );
    let workflow = Workflow::parse(&text, "w.yml", std::path::Path::new("/nowhere")).unwrap();
    let start = Start { event_name: "push".to_owned(), ..Start::default() };
    let ready = Run::new(Arc::new(workflow), start).unwrap().take_ready().remove(0);
    let ReadyState::Queued(job) = ready.state else { panic!("{ready:?}") };
    let contexts: Map<_, _> = job.contexts;
    JobMessage {
        job_id: 7,
        run_id: 1,
        name: ready.name,
        body: job.body,
        contexts,
        environment: BTreeMap::new(),
        masks: vec!["s3cret".to_owned()],
        repository: "/nowhere".into(),
    }
}

fn with_job(steps: &str) -> Script {
    Script { message: Some(message(steps)), ..Script::default() }
}

async fn until(shared: &Shared, what: impl Fn(&Script) -> bool) {
    let began = Instant::now();
    while !what(&shared.lock().unwrap()) {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const RESULT: &str = "ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED";

/// Lines with the time taken off, from the runner's first on.
fn untimed(lines: &[String]) -> Vec<String> {
    let first = lines.iter().position(|line| line.starts_with('√')).unwrap_or(0);
    let strip = |line: &String| match line.split_once("Z: ") {
        Some((time, rest)) if time.len() == "2026-01-01 00:00:00".len() => format!("Z: {rest}"),
        _ => line.clone(),
    };
    lines[first..].iter().map(strip).filter(|line| !line.is_empty()).collect()
}

#[tokio::test]
async fn a_job_is_taken_run_and_reported() {
    let steps = "    - {id: s, run: 'echo o=1 >> \"$GITHUB_OUTPUT\"; echo the s3cret; env'}\n";
    let (shared, config) = serve(with_job(steps)).await;
    let (code, lines) = Program::start(Some(&config), &[]).end().await;
    assert_eq!(code, 0);
    let expected = [
        "√ Connected to GitHub",
        "Current runner version: '2.336.0'",
        "Z: Listening for Jobs",
        "Z: Running job: build",
        "Z: Job build completed with result: Succeeded",
    ];
    assert_eq!(untimed(&lines), expected);
    let script = shared.lock().unwrap();
    assert!(script.started && script.closed);
    let completion = script.completion.as_ref().unwrap();
    assert_eq!(completion.outputs["o"], "1");
    assert!(script.lines.contains(&"the ***".to_owned()));
    assert!(!script.lines.iter().any(|line| line.contains("JITCONFIG") || line.contains(&config)));
    assert_eq!(script.steps.first().map(|step| (step.number, step.conclusion)), Some((1, None)));
    assert_eq!(script.steps.last().unwrap().conclusion, Some(Conclusion::Success));
}

#[tokio::test]
async fn results_become_exit_codes_if_asked_for() {
    for (steps, expected) in [("    - run: 'true'\n", 100), ("    - run: 'false'\n", 102)] {
        let (_, config) = serve(with_job(steps)).await;
        assert_eq!(Program::start(Some(&config), &[RESULT]).end().await.0, expected);
    }
    let (_, config) = serve(with_job("    - run: 'false'\n")).await;
    let (code, lines) = Program::start(Some(&config), &[]).end().await;
    assert_eq!(code, 0, "whoever does not ask learns nothing");
    assert!(untimed(&lines).contains(&"Z: Job build completed with result: Failed".to_owned()));
}

#[tokio::test]
async fn a_session_that_is_refused_says_why() {
    let deprecated = "An error occurred: Runner version v2.336.0 is deprecated and cannot receive messages.";
    let switch = "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE";
    for (session, switches, code, line) in [
        (403, vec![], 1, deprecated),
        (403, vec![switch], 7, deprecated),
        (
            404,
            vec![],
            1,
            "Failed to create a session. The runner registration has been deleted from the server",
        ),
        (401, vec![], 1, "Failed to create a session. The server did not accept"),
        (409, vec![], 5, "Failed to create session. A session for this runner already exists."),
    ] {
        let (_, config) = serve(Script { session, ..Script::default() }).await;
        let (ended, lines) = Program::start(Some(&config), &switches).end().await;
        assert_eq!(ended, code, "{session}: {lines:#?}");
        assert!(lines.iter().any(|said| said.starts_with(line)), "{session}: {lines:#?}");
    }
}

#[tokio::test]
async fn a_conflict_that_passes_is_waited_for() {
    let (shared, config) = serve(Script { session: 409, poll: 404, ..Script::default() }).await;
    let program = Program::start(Some(&config), &[]);
    until(&shared, |script| script.opened).await;
    shared.lock().unwrap().session = 0;
    let (code, lines) = program.end().await;
    let lines = untimed(&lines);
    // The registration was deleted while it listened.
    assert_eq!(code, 1);
    let retry =
        "Z: Runner connect error: A session for this runner already exists.. Retrying until reconnected.";
    assert!(
        lines.contains(&retry.to_owned()) && lines.contains(&"Z: Listening for Jobs".to_owned()),
        "{lines:#?}"
    );
    assert!(lines.last().is_some_and(|line| line.contains("registration has been deleted")), "{lines:#?}");
}

#[tokio::test]
async fn a_bad_configuration_is_an_error() {
    for (config, line) in [
        (None, "An error occurred: Not configured."),
        (Some("%%%"), "An error occurred: the JIT configuration is no base64"),
        (Some("e30="), "An error occurred: the JIT configuration has no file `.runner`"),
    ] {
        let (code, lines) = Program::start(config, &[]).end().await;
        assert_eq!(code, 1);
        // The test harness writes its own text before the first line.
        assert!(lines.iter().any(|said| said.contains(line)), "{lines:#?}");
    }
}

#[tokio::test]
async fn a_run_that_is_cancelled_interrupts_the_job() {
    let (shared, config) =
        serve(with_job("    - run: sleep 60\n    - {run: echo cleaned, if: always()}\n")).await;
    let program = Program::start(Some(&config), &[RESULT]);
    until(&shared, |script| !script.steps.is_empty()).await;
    shared.lock().unwrap().cancel = true;
    assert_eq!(program.end().await.0, 103);
    let script = shared.lock().unwrap();
    assert_eq!(script.completion.as_ref().unwrap().conclusion, Conclusion::Cancelled);
    assert!(script.lines.contains(&"cleaned".to_owned()));
}

#[tokio::test]
async fn a_job_that_the_server_gave_up_is_abandoned() {
    let (shared, config) = serve(with_job("    - run: sleep 60\n")).await;
    let program = Program::start(Some(&config), &[RESULT]);
    until(&shared, |script| !script.steps.is_empty()).await;
    shared.lock().unwrap().renew = 404;
    let (code, lines) = program.end().await;
    assert_eq!(code, 105);
    assert!(untimed(&lines).contains(&"Z: Job build completed with result: Abandoned".to_owned()));
    assert!(shared.lock().unwrap().completion.is_none());
}

#[tokio::test]
async fn signals_end_an_idle_runner() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (shared, config) = serve(Script::default()).await;
        let program = Program::start(Some(&config), &[]);
        until(&shared, |script| script.opened).await;
        program.signal(signal);
        let (code, lines) = program.end().await;
        assert_eq!(code, 0);
        // If it is the first line, it stands behind the test's name.
        assert!(lines.iter().any(|line| line.ends_with("Exiting...")), "{lines:#?}");
        assert!(shared.lock().unwrap().closed);
    }
}

#[tokio::test]
async fn signals_cancel_the_job_and_wait_for_it() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (shared, config) =
            serve(with_job("    - run: sleep 60\n    - {run: 'sleep 1; echo cleaned', if: always()}\n"))
                .await;
        let program = Program::start(Some(&config), &[RESULT]);
        until(&shared, |script| !script.steps.is_empty()).await;
        program.signal(signal);
        let (code, lines) = program.end().await;
        assert_eq!(code, 103);
        let lines = untimed(&lines);
        assert_eq!(lines[lines.len() - 2..], ["Exiting...", "Z: Job build completed with result: Canceled"]);
        assert!(shared.lock().unwrap().lines.contains(&"cleaned".to_owned()));
    }
}

#[tokio::test]
async fn sigterm_does_not_wait_longer_than_thirty_seconds() {
    let (shared, config) = serve(with_job("    - {run: 'sleep 120; echo late', if: always()}\n    - {run: 'echo $$ > pid; sleep 120', if: always()}\n")).await;
    let program = Program::start(Some(&config), &[RESULT]);
    until(&shared, |script| !script.steps.is_empty()).await;
    let began = Instant::now();
    program.signal(Signal::SIGTERM);
    let (code, lines) = program.end().await;
    assert_eq!(code, 1);
    assert!((29..36).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(lines.iter().any(|line| line.contains("did not end within 30 seconds")), "{lines:#?}");
    assert!(shared.lock().unwrap().completion.is_none());
}
