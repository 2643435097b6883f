//! Against the simulated GitHub, where jobs come from workflows and a stand-in runner runs them.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::RunnerName;
use fleetfoot_core::ports::Runners;
use fleetfoot_core::scale_sets::{Demand, JobEvent, Message, ScaleSetSpec, ScaleSets, Session};
use fleetfoot_github::{Clock, Credentials, GitHubRunners, GitHubScaleSets, PemSigner, Scope};
use fleetfoot_net::Network;
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;
use fleetfoot_sim::faults::Faults;
use fleetfoot_sim::github::{
    Acquisition, AppSpec, Dispatch, GithubConfig, GithubSim, Level, Permissions, RepositorySpec, TokenKind,
};
use fleetfoot_sim::protocol::Conclusion;
use fleetfoot_sim::runner::{Options, run};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tempfile::TempDir;

const WORKFLOW: &str = ".github/workflows/ci.yml";
const ORG_RUNNERS: &str = "organization_self_hosted_runners";

/// A GitHub with the organisation `acme`, owned by `mona`, and its private repository `acme/shop`.
struct World {
    github: GithubSim,
    faults: Faults,
    files: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(Acquisition::Automatic).await
    }

    async fn with(acquisition: Acquisition) -> Self {
        let (files, faults) = (tempfile::tempdir().unwrap(), Faults::default());
        let config = GithubConfig {
            acquisition,
            poll_timeout: Duration::from_millis(200),
            faults: faults.clone(),
            ..GithubConfig::new(files.path())
        };
        let github = GithubSim::start(config, Book::default(), Bus::default()).await.unwrap();
        github.add_user("mona").unwrap();
        github.add_organization("acme", &["mona"]).unwrap();
        github.add_repository(RepositorySpec::new("acme/shop", files.path())).unwrap();
        Self { github, faults, files }
    }

    fn runners(&self, target: &str, credentials: Credentials) -> Arc<GitHubRunners> {
        let scope = Scope::parse(&format!("{}/{target}", self.github.server_url())).unwrap();
        Arc::new(
            GitHubRunners::new(scope, credentials, Clock::new(Timestamp::now), &Network::default()).unwrap(),
        )
    }

    fn scale_sets(&self, target: &str, credentials: Credentials) -> GitHubScaleSets {
        GitHubScaleSets::new(self.runners(target, credentials)).unwrap()
    }

    fn by_token(&self) -> GitHubScaleSets {
        let scopes = vec!["repo".to_owned(), "admin:org".to_owned()];
        let token = self.github.add_token("mona", TokenKind::Classic { scopes }).unwrap();
        self.scale_sets("acme", Credentials::token(token))
    }

    /// An App with this permission, installed on acme. Its installation is looked up.
    fn app(&self, permission: &str, level: Level) -> Credentials {
        let spec = AppSpec {
            owner: "acme".into(),
            app_id: 99,
            client_id: "Iv23liApp".into(),
            permissions: Permissions::from([(permission.to_owned(), level)]),
            public_key: None,
        };
        let key = self.github.add_app(spec).unwrap().unwrap();
        self.github.install_app(99, "acme", None, None).unwrap();
        Credentials::app("Iv23liApp", None, PemSigner::from_pem(&key.into()).unwrap())
    }

    /// Starts a run of one job.
    fn dispatch(&self, runs_on: &str) -> u64 {
        let file = self.files.path().join(WORKFLOW);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let job = format!("{{ runs-on: {runs_on}, steps: [{{ run: 'echo Hello' }}] }}");
        fs::write(file, format!("on: push\njobs:\n  build: {job}\n")).unwrap();
        let dispatch = Dispatch { event: "push".into(), ..Dispatch::new("acme/shop", WORKFLOW, "mona") };
        self.github.dispatch(&dispatch).unwrap()
    }

    fn fault(&self, fault: &str) {
        self.faults.inject(fault.parse().unwrap());
    }

    async fn end(self) {
        for armed in self.faults.armed() {
            assert!(armed.fired > 0, "{} has not fired", armed.fault);
        }
        self.github.shutdown().await;
    }
}

fn spec(name: &str, group: &str) -> ScaleSetSpec {
    ScaleSetSpec { name: name.parse().unwrap(), runner_group: group.to_owned(), labels: Vec::new() }
}

fn name(text: &str) -> RunnerName {
    text.parse().unwrap()
}

/// The next message, acknowledged.
async fn take(session: &impl Session, last: &mut Option<Message>) -> Message {
    loop {
        let seen = last.as_ref().map(|message| message.id);
        if let Some(message) = session.next(seen, 10).await.unwrap() {
            session.acknowledge(message.id).await.unwrap();
            *last = Some(message.clone());
            return message;
        }
    }
}

/// From a workflow's job to its end, on a runner that the scale set has registered.
async fn tell(world: &World, target: &str, credentials: Credentials) {
    let runners = world.runners(target, credentials);
    let sets = GitHubScaleSets::new(Arc::clone(&runners)).unwrap();
    let id = sets.ensure(&spec("linux-small", "Default")).await.unwrap();
    let session = sets.open(id, "one").await.unwrap();
    let run_id = world.dispatch("linux-small");
    let (mut last, mut assigned) = (None, take(&session, &mut None).await);
    if !assigned.available().is_empty() {
        assert_eq!(assigned.demand.assigned, 0);
        session.acquire(&assigned.available()).await.unwrap();
        last = Some(assigned);
        assigned = take(&session, &mut last).await;
    }
    assert_eq!((assigned.demand.assigned, assigned.demand.running), (1, 0));
    let [JobEvent::Assigned(job)] = assigned.events.as_slice() else { panic!("{assigned:?}") };
    assert_eq!((job.name.as_str(), job.run_id, job.event.as_str()), ("build", run_id, "push"));
    assert_eq!(job.repository.as_ref().unwrap().as_str(), "acme/shop");
    assert_eq!(job.workflow_ref, format!("acme/shop/{WORKFLOW}@refs/heads/main"));
    assert!(job.queued.unwrap() <= job.assigned.unwrap());

    let minted = sets.mint(id, &name("ff-1")).await.unwrap();
    let shown = runners.get(minted.id).await.unwrap().unwrap();
    assert_eq!((shown.name, shown.online), (name("ff-1"), false), "the REST API knows it by the same id");
    let root = tempfile::tempdir().unwrap();
    let jit_config = Some(minted.jit_config.expose_secret().to_owned());
    let mut options = Options::new(jit_config, root.path().to_owned(), Box::new(std::io::sink()));
    options.environment = [("PATH".to_owned(), std::env::var("PATH").unwrap())].into();
    let runner = tokio::spawn(run(options));

    last = last.or(Some(assigned));
    let mut events = Vec::new();
    let mut demand = None;
    while events.len() < 2 {
        let message = take(&session, &mut last).await;
        demand = Some(message.demand);
        events.extend(message.events);
    }
    let [JobEvent::Started { runner: by, .. }, JobEvent::Completed { runner: Some(ran), result, job }] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((by.id, &by.name, result.as_str()), (minted.id, &name("ff-1"), "succeeded"));
    assert_eq!(by, ran);
    assert!(job.taken.unwrap() <= job.finished.unwrap());
    assert_eq!(demand, Some(Demand::default()));
    assert_eq!(runner.await.unwrap(), 0);
    assert_eq!(world.github.wait_run(run_id).await, Some(Conclusion::Success));
    assert_eq!(sets.find_runner(&name("ff-1")).await.unwrap(), None, "it was good for one job");
    session.close().await.unwrap();
    sets.remove(id).await.unwrap();
}

#[tokio::test]
async fn a_job_of_a_workflow_runs_on_a_runner_of_its_scale_set() {
    let world = World::new().await;
    let app = world.app(ORG_RUNNERS, Level::Write);
    tell(&world, "acme", app).await;
    world.end().await;
}

#[tokio::test]
async fn the_same_at_a_repository_where_jobs_must_be_acquired() {
    let world = World::with(Acquisition::ByClient).await;
    let app = world.app("administration", Level::Write);
    tell(&world, "acme/shop", app).await;
    world.end().await;
}

#[tokio::test]
async fn a_group_takes_the_jobs_of_its_repositories_alone() {
    let world = World::new().await;
    world.github.add_repository(RepositorySpec::new("acme/other", world.files.path())).unwrap();
    world.github.add_runner_group("acme", "big", Some(&["acme/other"])).unwrap();
    world.github.add_runner_group("acme", "shop", Some(&["acme/shop"])).unwrap();
    let sets = world.by_token();
    world.dispatch("linux");
    for (group, assigned) in [("big", 0), ("shop", 1)] {
        let id = sets.ensure(&spec("linux", group)).await.unwrap();
        let session = sets.open(id, "one").await.unwrap();
        let told = session.next(None, 5).await.unwrap();
        assert_eq!(told.map_or(0, |message| message.demand.assigned), assigned, "{group}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_set_that_github_drops_is_made_again_and_its_jobs_come_back() {
    let world = World::new().await;
    let sets = world.by_token();
    let old = sets.ensure(&spec("linux", "Default")).await.unwrap();
    let session = sets.open(old, "one").await.unwrap();
    world.dispatch("linux");
    assert_eq!(take(&session, &mut None).await.demand.assigned, 1);
    world.fault("scale-set-deleted");
    assert_eq!(session.next(None, 5).await.unwrap_err().class, Class::NotFound);
    assert_eq!(sets.open(old, "one").await.unwrap_err().class, Class::NotFound);
    assert_eq!(sets.mint(old, &name("ff-1")).await.unwrap_err().class, Class::NotFound);
    session.close().await.unwrap();

    let new = sets.ensure(&spec("linux", "Default")).await.unwrap();
    assert_ne!(new, old);
    let session = sets.open(new, "one").await.unwrap();
    assert_eq!(take(&session, &mut None).await.demand.assigned, 1);
    world.fault("scale-set-deleted");
    let other = sets.open(new, "two").await.unwrap_err();
    assert_eq!(other.class, Class::NotFound, "{other}");
    world.end().await;
}

#[tokio::test]
async fn a_queue_without_an_address_is_tried_later_and_leaves_no_session() {
    let world = World::new().await;
    let sets = world.by_token();
    let id = sets.ensure(&spec("linux", "Default")).await.unwrap();
    world.fault("empty-queue-url*2");
    for _ in 0..2 {
        let later = sets.open(id, "one").await.unwrap_err();
        assert_eq!(later.class, Class::Throttled { retry_after: None }, "{later}");
        assert!(later.to_string().ends_with("GitHub gives no queue for it just now"), "{later}");
    }
    world.fault("session-conflict*2");
    for _ in 0..2 {
        assert_eq!(sets.open(id, "one").await.unwrap_err().class, Class::Conflict);
    }
    let session = sets.open(id, "one").await.unwrap();
    world.fault("service-token-ends");
    world.fault("empty-queue-url");
    let renewed = session.next(None, 5).await.unwrap_err();
    assert_eq!(renewed.class, Class::Unknown, "{renewed}");
    let lost = session.next(None, 5).await.unwrap_err();
    assert_eq!(lost.class, Class::NotFound, "{lost}");
    sets.open(id, "one").await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn lost_answers_are_cleared_up_or_told() {
    let world = World::new().await;
    let sets = world.by_token();
    for lost in ["runner-registration", "runnerscalesets:cut", "get-runnerscalesets", "delete-message:cut"] {
        world.fault(&format!("lost-answer:{lost}"));
    }
    let id = sets.ensure(&spec("linux", "Default")).await.unwrap();
    assert_eq!(world.github.scale_sets().len(), 1, "the second attempt found what the first has made");

    world.fault("lost-answer:generatejitconfig:cut");
    let unknown = sets.mint(id, &name("ff-1")).await.unwrap_err();
    assert_eq!(unknown.class, Class::Unknown, "{unknown}");
    assert_eq!(sets.mint(id, &name("ff-1")).await.unwrap_err().class, Class::Conflict);
    let found = sets.find_runner(&name("ff-1")).await.unwrap().unwrap();
    world.fault("lost-answer:delete-agent");
    sets.delete_runner(found.id).await.unwrap();
    sets.mint(id, &name("ff-1")).await.unwrap();

    world.fault("lost-answer:sessions:cut");
    assert_eq!(sets.open(id, "one").await.unwrap_err().class, Class::Unknown);
    assert_eq!(sets.open(id, "one").await.unwrap_err().class, Class::Conflict, "it is open, and unreachable");
    assert!(world.github.end_session(u64::try_from(id.0).unwrap()));
    let session = sets.open(id, "one").await.unwrap();

    world.dispatch("linux");
    world.fault("lost-answer:get-message:cut");
    assert_eq!(session.next(None, 5).await.unwrap_err().class, Class::Unknown);
    let message = take(&session, &mut None).await;
    assert_eq!(message.demand.assigned, 1, "it comes again");
    for gone in ["get-message*1", "get-message*1"] {
        world.fault(&format!("github-502:{gone}"));
    }
    for _ in 0..2 {
        assert_eq!(session.next(Some(message.id), 5).await.unwrap_err().class, Class::Unknown);
    }
    world.fault("service-token-ends");
    world.fault("service-token-ends:admin");
    assert_eq!(session.next(Some(message.id), 5).await.unwrap(), None);
    world.fault("lost-answer:delete-session");
    session.close().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_missing_permission_is_named_and_no_secret_is() {
    let world = World::new().await;
    let sets = world.scale_sets("acme", world.app(ORG_RUNNERS, Level::Read));
    let denied = sets.ensure(&spec("linux", "Default")).await.unwrap_err();
    assert_eq!(denied.class, Class::Denied, "{denied}");
    let remedy = denied.remedy.as_deref().unwrap();
    assert!(remedy.contains("grant the App Self-hosted runners: read and write"), "{remedy}");

    let sets = world.by_token();
    let id = sets.ensure(&spec("linux", "Default")).await.unwrap();
    let session = sets.open(id, "one").await.unwrap();
    world.fault("github-500:get-message");
    let broken = session.next(None, 5).await.unwrap_err();
    let minted = sets.mint(id, &name("ff-1")).await.unwrap();
    let taken = sets.mint(id, &name("ff-1")).await.unwrap_err();
    let shown = format!("{denied:?} {broken:?} {taken:?} {session:?} {sets:?} {minted:?} {}", chain(&broken));
    for secret in world.github.secrets() {
        assert!(!shown.contains(&secret), "{secret} is in {shown}");
    }
    world.end().await;
}

/// A fault with all that is below it, as a log shows it.
fn chain(fault: &Fault) -> String {
    let mut text = fault.to_string();
    let mut next = std::error::Error::source(fault);
    while let Some(below) = next {
        text = format!("{text}: {below}");
        next = below.source();
    }
    text
}
