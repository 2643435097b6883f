//! The whole binary as a self-registering agent, told by variables alone, against the simulated GitHub.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fleetfoot_core::exit::AgentExit;
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;
use fleetfoot_sim::github::{
    AppSpec, Dispatch, GithubConfig, GithubSim, Level, Permissions, RepositorySpec, TokenKind,
};
use fleetfoot_sim::protocol::Conclusion;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fleetfoot");
const WORKFLOW: &str = ".github/workflows/build.yml";
/// Longer than anything here takes; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A simulated GitHub with the repository `octo/demo`, whose one job wants the label `mine`.
struct World {
    github: GithubSim,
    book: Book,
    dir: TempDir,
}

impl World {
    /// The job's one step runs this.
    async fn with_step(step: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = GithubConfig::new(dir.path().join("hosted"));
        config.poll_timeout = Duration::from_millis(200);
        let book = Book::default();
        let github = GithubSim::start(config, book.clone(), Bus::default()).await.unwrap();
        let files = dir.path().join("demo");
        let workflow = files.join(WORKFLOW);
        fs::create_dir_all(workflow.parent().unwrap()).unwrap();
        let step = step.replace("DIR", dir.path().to_str().unwrap());
        let text = format!(
            "on: workflow_dispatch\njobs:\n  build:\n    runs-on: [self-hosted, mine]\n    steps:\n      - run: {step}\n"
        );
        fs::write(workflow, text).unwrap();
        github.add_user("mona").unwrap();
        github.add_organization("octo", &["mona"]).unwrap();
        github.add_repository(RepositorySpec::new("octo/demo", files)).unwrap();
        Self { github, book, dir }
    }

    fn token(&self) -> String {
        let permissions = Permissions::from([("administration".to_owned(), Level::Write)]);
        let kind = TokenKind::FineGrained { resource_owner: "octo".into(), repositories: None, permissions };
        self.github.add_token("mona", kind).unwrap()
    }

    fn dispatch(&self) -> u64 {
        self.github.dispatch(&Dispatch::new("octo/demo", WORKFLOW, "mona")).unwrap()
    }

    async fn conclusion(&self, run: u64) -> Conclusion {
        timeout(PATIENCE, self.github.wait_run(run)).await.expect("the run ends").unwrap()
    }

    fn host(&self) -> (&'static str, String) {
        ("GITHUB_HOST", self.github.server_url())
    }

    /// The variables of an agent for the repository, as the ECS runner image's users write them.
    fn variables(&self, token: &str) -> Vec<(&'static str, String)> {
        let mut variables = vec![self.host()];
        variables.extend(
            [
                ("GITHUB_PAT", token),
                ("GITHUB_OWNER", "octo"),
                ("GITHUB_REPOSITORY", "demo"),
                ("RUNNER_NAME", "box"),
                ("RUNNER_LABELS", "mine"),
            ]
            .map(|(name, value)| (name, value.to_owned())),
        );
        variables
    }

    /// Starts an agent in a folder of its own.
    fn agent(&self, name: &str, variables: &[(&'static str, String)]) -> Agent {
        let root = self.dir.path().join(name);
        fs::create_dir_all(root.join("bin")).unwrap();
        let listener = root.join("bin/Runner.Listener");
        let script = format!("#!/bin/sh\nexec '{PROGRAM}' sim runner \"$@\" --root '{}'\n", root.display());
        fs::write(&listener, script).unwrap();
        fs::set_permissions(&listener, PermissionsExt::from_mode(0o755)).unwrap();
        let log = root.join("log");
        let child = Command::new(PROGRAM)
            .arg("agent")
            .args(["--runner-user", ""])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("FLEETFOOT_RUNNER_DIR", &root)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(File::create(&log).unwrap())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Agent { child, log }
    }

    fn runners(&self) -> Vec<String> {
        self.github.runners().into_iter().map(|runner| runner.name).collect()
    }
}

struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    async fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn terminate(&self) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    }

    async fn code(&mut self) -> i32 {
        let status = timeout(PATIENCE, self.child.wait()).await;
        status.unwrap_or_else(|_| panic!("it does not end: {}", self.log())).unwrap().code().unwrap()
    }

    async fn ends(&mut self, exit: AgentExit) {
        assert_eq!(self.code().await, i32::from(exit.code()), "{}", self.log());
    }
}

/// Waits until the job has made this file.
async fn made(file: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !file.exists() {
        assert!(Instant::now() < deadline, "the job made no {}", file.display());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_and_nobody_sees_the_token() {
    let step = "env > DIR/environment; pwd > DIR/folder; while [ ! -e DIR/go ]; do sleep 0.05; done";
    let world = World::with_step(step).await;
    let token = world.token();
    let mut variables = world.variables(&token);
    let work = world.dir.path().join("work").display().to_string();
    variables.extend([("RUNNER_WORKDIR", work.clone()), ("FLEETFOOT_PASS_ENV", "GITHUB_PAT".to_owned())]);
    let run = world.dispatch();
    let mut agent = world.agent("one", &variables);
    made(&world.dir.path().join("folder")).await;
    assert_eq!(world.runners(), ["box"]);
    let process = Path::new("/proc").join(agent.child.id().unwrap().to_string());
    for file in ["environ", "cmdline"] {
        let bytes = fs::read(process.join(file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(&token), "{file} shows the token");
    }
    fs::write(world.dir.path().join("go"), "").unwrap();
    agent.ends(AgentExit::JobSucceeded).await;
    assert_eq!(world.conclusion(run).await, Conclusion::Success);
    assert_eq!(world.runners(), [""; 0], "the job used the registration up");
    let environment = fs::read_to_string(world.dir.path().join("environment")).unwrap();
    assert!(!environment.contains(&token), "the job has the token");
    assert!(!agent.log().contains(&token), "the log has the token");
    let folder = fs::read_to_string(world.dir.path().join("folder")).unwrap();
    assert!(folder.starts_with(&work), "{folder}");
    world.github.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_is_the_exit_code() {
    let world = World::with_step("exit 3").await;
    let run = world.dispatch();
    world.agent("one", &world.variables(&world.token())).ends(AgentExit::JobFailed).await;
    assert_eq!(world.conclusion(run).await, Conclusion::Failure);
    world.github.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_registers_at_an_organisation() {
    let world = World::with_step("true").await;
    let permissions = Permissions::from([("organization_self_hosted_runners".to_owned(), Level::Write)]);
    let spec = AppSpec {
        owner: "octo".into(),
        app_id: 12,
        client_id: "Iv23liTESTTESTTEST00".into(),
        permissions,
        public_key: None,
    };
    let key = world.github.add_app(spec).unwrap().unwrap();
    world.github.install_app(12, "octo", None, None).unwrap();
    let run = world.dispatch();
    let mut variables = vec![world.host(), ("APP_PRIVATE_KEY", key.replace('\n', "\\n"))];
    variables.extend(
        [
            ("APP_ID", "12"),
            ("APP_LOGIN", "octo"),
            ("RUNNER_SCOPE", "org"),
            ("ORG_NAME", "octo"),
            ("LABELS", "mine"),
            ("RUNNER_NAME_PREFIX", "ci"),
            ("EPHEMERAL", "true"),
            ("DISABLE_AUTO_UPDATE", "true"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    );
    let mut agent = world.agent("one", &variables);
    agent.ends(AgentExit::JobSucceeded).await;
    assert_eq!(world.conclusion(run).await, Conclusion::Success);
    assert_eq!(world.book.count("github", "POST /orgs/{org}/actions/runners/generate-jitconfig"), 1);
    assert!(agent.log().contains("\"runner\":\"ci-"), "{}", agent.log());
    assert!(!agent.log().contains("PRIVATE KEY"));
    world.github.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_deregisters() {
    let world = World::with_step("true").await;
    let mut agent = world.agent("one", &world.variables(&world.token()));
    agent.wait_for("\"phase\":\"online\"").await;
    assert_eq!(world.runners(), ["box"]);
    agent.terminate();
    agent.ends(AgentExit::Terminated).await;
    assert_eq!(world.runners(), [""; 0]);
    world.github.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_does_not_come_is_not_waited_for() {
    let world = World::with_step("true").await;
    let mut variables = world.variables(&world.token());
    variables.push(("FLEETFOOT_IDLE_TIMEOUT", "1s".to_owned()));
    world.agent("one", &variables).ends(AgentExit::Idle).await;
    assert_eq!(world.runners(), [""; 0]);
    world.github.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_a_name_do_not_throw_each_other_out() {
    let world = World::with_step("true").await;
    let variables = world.variables(&world.token());
    let mut one = world.agent("one", &variables);
    one.wait_for("\"phase\":\"online\"").await;
    let mut two = world.agent("two", &variables);
    two.wait_for("\"phase\":\"online\"").await;
    let names = world.runners();
    assert!(names.len() == 2 && names[0] == "box" && names[1].starts_with("box-"), "{names:?}");
    for agent in [&mut one, &mut two] {
        agent.terminate();
        agent.ends(AgentExit::Terminated).await;
    }
    assert_eq!(world.runners(), [""; 0]);
    world.github.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_refuses_is_told_with_a_remedy() {
    let world = World::with_step("true").await;
    let mut agent = world.agent("one", &world.variables("ghp_nobodys"));
    agent.ends(AgentExit::BadAssignment).await;
    let log = agent.log();
    assert!(log.contains("cannot register the runner box at octo/demo") && log.contains("remedy"), "{log}");
    assert!(!log.contains("ghp_nobodys"));
    world.github.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_honoured_is_refused_by_name() {
    let world = World::with_step("true").await;
    let mut variables = world.variables(&world.token());
    variables.extend([
        ("EPHEMERAL", "false".to_owned()),
        ("CONFIGURED_ACTIONS_RUNNER_FILES_DIR", "/x".to_owned()),
    ]);
    let mut agent = world.agent("one", &variables);
    assert_eq!(agent.code().await, 2, "{}", agent.log());
    for name in ["EPHEMERAL", "CONFIGURED_ACTIONS_RUNNER_FILES_DIR"] {
        assert!(agent.log().contains(&format!("\"variable\":\"{name}\"")), "{}", agent.log());
    }
    assert!(world.book.calls().is_empty(), "GitHub was not called");
    let mut nothing = world.agent("two", &[]);
    assert_eq!(nothing.code().await, 2);
    assert!(nothing.log().contains("FLEETFOOT_MAILBOX"), "{}", nothing.log());
    world.github.shutdown().await;
}
