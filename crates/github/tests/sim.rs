//! The adapter against the simulated GitHub, every request and answer checked against GitHub's contract.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::ports::{AppSigner, Registry, RunState, RunnerRequest, Runners, Runs};
use fleetfoot_github::{Clock, Credentials, GitHubRunners, PemSigner, Scope};
use fleetfoot_net::Network;
use fleetfoot_sim::book::Book;
use fleetfoot_sim::contract;
use fleetfoot_sim::events::Bus;
use fleetfoot_sim::github::{
    AppSpec, Dispatch, GithubConfig, GithubSim, Level, Permissions, RepositorySpec, TokenKind,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A GitHub with the organisation `acme`, owned by `mona`, and its private repository `acme/shop`.
struct World {
    github: GithubSim,
    book: Book,
    files: TempDir,
}

impl World {
    async fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let book = Book::default();
        let config = GithubConfig { rate_limit: 60, ..GithubConfig::new(files.path()) };
        let github = GithubSim::start(config, book.clone(), Bus::default()).await.unwrap();
        github.add_user("mona").unwrap();
        github.add_user("stranger").unwrap();
        github.add_organization("acme", &["mona"]).unwrap();
        github.add_repository(RepositorySpec::new("acme/shop", files.path())).unwrap();
        Self { github, book, files }
    }

    fn runners(&self, target: &str, credentials: Credentials) -> GitHubRunners {
        let scope = Scope::parse(&format!("{}/{target}", self.github.server_url())).unwrap();
        GitHubRunners::new(scope, credentials, Clock::new(Timestamp::now), &Network::default()).unwrap()
    }

    fn classic(&self, user: &str, scopes: &[&str]) -> Credentials {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        Credentials::token(self.github.add_token(user, TokenKind::Classic { scopes }).unwrap())
    }

    fn fine_grained(&self, permissions: &[(&str, Level)]) -> Credentials {
        let kind = TokenKind::FineGrained {
            resource_owner: "acme".into(),
            repositories: None,
            permissions: held(permissions),
        };
        Credentials::token(self.github.add_token("mona", kind).unwrap())
    }

    /// An App with these permissions, installed on acme, and a signer with its key.
    fn app(&self, permissions: &[(&str, Level)]) -> PemSigner {
        let spec = AppSpec {
            owner: "acme".into(),
            app_id: 99,
            client_id: "Iv23liApp".into(),
            permissions: held(permissions),
            public_key: None,
        };
        let key = self.github.add_app(spec).unwrap().unwrap();
        self.github.install_app(99, "acme", None, None).unwrap();
        PemSigner::from_pem(&key.into()).unwrap()
    }

    /// Starts a run of acme/shop whose job nobody takes.
    fn run(&self) -> u64 {
        let path = ".github/workflows/wait.yml";
        let file = self.files.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let job = "{ runs-on: nobody, steps: [{ run: 'true' }] }";
        fs::write(file, format!("on: workflow_dispatch\njobs:\n  wait: {job}\n")).unwrap();
        self.github.dispatch(&Dispatch::new("acme/shop", path, "mona")).unwrap()
    }

    /// Ends the world after checking all that was said in it.
    async fn end(self) {
        self.github.shutdown().await;
        contract::check_all(&self.book.calls()).unwrap();
    }
}

/// One key for two connections.
struct Shared(Arc<PemSigner>);

impl AppSigner for Shared {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        self.0.sign(message).await
    }
}

fn held(permissions: &[(&str, Level)]) -> Permissions {
    permissions.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect::<BTreeMap<_, _>>()
}

fn request(task: &str, group: u64) -> RunnerRequest {
    let labels = ["self-hosted", "linux", "ff-7-1-start-r4nd"].map(|label| label.parse().unwrap());
    RunnerRequest { name: name(task), labels: labels.into(), group }
}

fn name(task: &str) -> RunnerName {
    RunnerName::of_task(&format!("arn:aws:ecs:eu-west-1:123456789012:task/ff/{task}").parse().unwrap())
}

async fn denied(runners: &GitHubRunners) -> Fault {
    let by_check = runners.check().await.unwrap_err();
    let by_mint = runners.mint(&request("0", 1)).await.unwrap_err();
    assert_eq!(by_check.class, Class::Denied, "{by_check}");
    assert_eq!((&by_check.class, &by_check.why), (&by_mint.class, &by_mint.why), "the check tells the same");
    by_mint
}

#[tokio::test]
async fn an_app_acts_in_each_organisation_as_its_installation_there() {
    let world = World::new().await;
    world.github.add_organization("umbrella", &["mona"]).unwrap();
    world.github.add_repository(RepositorySpec::new("umbrella/site", world.files.path())).unwrap();
    let permissions = [("organization_self_hosted_runners", Level::Write), ("administration", Level::Write)];
    let signer = world.app(&permissions);
    let installation = world.github.install_app(99, "umbrella", None, None).unwrap();
    // The id of the stack document is that of one owner, and no other's.
    let home = world.runners("umbrella", Credentials::app("Iv23liApp", Some(installation), signer));
    let at = |target: &str| home.at(home.scope().at(target).unwrap());
    for (target, task) in [("umbrella", "1"), ("umbrella/site", "2"), ("acme", "3"), ("acme/shop", "4")] {
        let runners = at(target);
        runners.check().await.unwrap();
        runners.mint(&request(task, 1)).await.unwrap();
        let there: Vec<RunnerName> =
            runners.list().await.unwrap().into_iter().map(|seen| seen.runner.name).collect();
        assert_eq!(there, [name(task)], "{target} shows its own");
    }
    world.github.add_organization("nowhere", &["mona"]).unwrap();
    let refused = at("nowhere").check().await.unwrap_err();
    assert_eq!(refused.class, Class::NotFound, "{refused}");
    assert!(refused.why.contains("the App is not installed on nowhere"), "{refused}");
    world.end().await;
}

#[tokio::test]
async fn a_classic_token_acts_wherever_its_owner_may_and_a_fine_grained_one_at_one_owner() {
    let world = World::new().await;
    world.github.add_organization("umbrella", &["mona"]).unwrap();
    let classic = world.runners("acme", world.classic("mona", &["admin:org"]));
    let other = classic.scope().at("umbrella").unwrap();
    classic.at(other.clone()).check().await.unwrap();
    assert!(!classic.has_fine_grained_token());
    let permissions =
        [("organization_self_hosted_runners", Level::Write), ("organization_administration", Level::Read)];
    let fine = world.runners("acme", world.fine_grained(&permissions));
    fine.check().await.unwrap();
    assert!(fine.has_fine_grained_token());
    assert_eq!(denied(&fine.at(other)).await.class, Class::Denied);
    world.end().await;
}

#[tokio::test]
async fn a_runner_is_made_found_and_removed() {
    let world = World::new().await;
    let runners = world.runners("acme/shop", world.classic("mona", &["repo"]));
    runners.check().await.unwrap();
    assert_eq!(world.github.runners().len(), 0, "a check registers nothing");

    let minted = runners.mint(&request("0123", 1)).await.unwrap();
    assert!(minted.jit_config.expose_secret().len() > 100);
    let found = runners.find(&name("0123")).await.unwrap().unwrap();
    assert_eq!(found.id, minted.id);
    assert_eq!((found.online, found.busy), (false, false));
    assert_eq!(runners.get(minted.id).await.unwrap(), Some(found));

    let again = runners.mint(&request("0123", 1)).await.unwrap_err();
    assert_eq!(again.class, Class::Conflict, "{again}");

    runners.delete(minted.id).await.unwrap();
    runners.delete(minted.id).await.unwrap();
    assert_eq!(runners.get(minted.id).await.unwrap(), None);
    assert_eq!(runners.find(&name("0123")).await.unwrap(), None);
    world.end().await;
}

#[tokio::test]
async fn an_app_makes_runners_for_repository_and_organisation() {
    let world = World::new().await;
    let signer = world.app(&[
        ("administration", Level::Write),
        ("organization_self_hosted_runners", Level::Write),
        ("metadata", Level::Read),
    ]);
    let signer = Arc::new(signer);
    let tokens =
        || world.book.calls().iter().filter(|call| call.operation.ends_with("access_tokens")).count();
    for (number, target) in ["acme/shop", "acme"].into_iter().enumerate() {
        let runners = world.runners(target, Credentials::app("Iv23liApp", None, Shared(Arc::clone(&signer))));
        runners.mint(&request(&format!("{number}a"), 1)).await.unwrap();
        runners.mint(&request(&format!("{number}b"), 1)).await.unwrap();
        assert_eq!(tokens(), number + 1, "one token serves both calls");
    }
    assert_eq!(world.github.runners().len(), 4);
    world.end().await;
}

#[tokio::test]
async fn a_runner_group_is_found_by_name() {
    let world = World::new().await;
    let id = world.github.add_runner_group("acme", "builders", None).unwrap();
    let runners = world.runners("acme", world.classic("mona", &["admin:org"]));
    runners.check().await.unwrap();
    assert_eq!(runners.group("Builders").await.unwrap(), id);
    assert_eq!(runners.group("default").await.unwrap(), 1);
    let fault = runners.group("nobody").await.unwrap_err();
    assert_eq!(fault.class, Class::NotFound);
    assert!(fault.why.contains("builders"), "{fault}");
    runners.mint(&request("1", id)).await.unwrap();

    let repository = world.runners("acme/shop", world.classic("mona", &["repo"]));
    assert_eq!(repository.group("Default").await.unwrap(), 1);
    assert_eq!(repository.group("builders").await.unwrap_err().class, Class::NotFound);
    world.end().await;
}

#[tokio::test]
async fn all_runners_are_listed_however_many_there_are() {
    let world = World::new().await;
    let runners = world.runners("acme/shop", world.classic("mona", &["repo"]));
    assert_eq!(runners.list().await.unwrap(), []);
    for number in 0..201 {
        world.github.add_runner("acme/shop", &format!("other-{number}"), &["linux", "x64"]).unwrap();
    }
    let minted = runners.mint(&request("0123", 1)).await.unwrap();
    let all = runners.list().await.unwrap();
    assert_eq!(all.len(), 202);
    let own = all.iter().find(|entry| entry.runner.id == minted.id).unwrap();
    assert_eq!(own.runner.name, name("0123"));
    assert_eq!(own.labels, request("0123", 1).labels);
    let pages = world.book.calls().iter().filter(|call| call.request_line.contains("&page=3")).count();
    assert_eq!(pages, 1, "202 runners are three pages");
    world.end().await;
}

#[tokio::test]
async fn a_run_goes_on_until_it_is_over() {
    let world = World::new().await;
    let repository = "acme/shop".parse().unwrap();
    let id = world.run();
    for (target, credentials) in [
        ("acme/shop", world.classic("mona", &["repo"])),
        ("acme", world.fine_grained(&[("actions", Level::Read)])),
    ] {
        assert_eq!(world.runners(target, credentials).state(&repository, id).await.unwrap(), RunState::Going);
    }
    world.github.cancel_run(id);
    let runners = world.runners("acme/shop", world.classic("mona", &["repo"]));
    assert_eq!(runners.state(&repository, id).await.unwrap(), RunState::Ended);
    assert_eq!(runners.state(&repository, 4711).await.unwrap(), RunState::Gone);
    world.end().await;
}

#[tokio::test]
async fn a_run_that_cannot_be_seen_is_not_taken_for_a_deleted_one() {
    let world = World::new().await;
    let id = world.run();
    for (credentials, repository, remedy) in [
        (world.classic("mona", &["admin:org"]), "acme/shop", "let the token or the App read"),
        (world.classic("mona", &["repo"]), "acme/nothing", "let the token or the App read"),
        (world.fine_grained(&[("administration", Level::Write)]), "acme/shop", "Actions: read"),
    ] {
        let runners = world.runners("acme", credentials);
        let fault = runners.state(&repository.parse().unwrap(), id).await.unwrap_err();
        assert_eq!(fault.class, Class::Denied, "{fault}");
        assert!(fault.remedy.as_deref().unwrap().contains(remedy), "{fault:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn an_app_reads_runs_with_a_token_that_can_do_nothing_else() {
    let asked = |world: &World| -> Vec<String> {
        let calls = world.book.calls().into_iter().filter(|call| call.operation.ends_with("access_tokens"));
        calls.map(|call| call.request.unwrap().to_string()).collect()
    };
    let world = World::new().await;
    let (id, repository) = (world.run(), "acme/shop".parse().unwrap());
    let signer = Arc::new(world.app(&[("administration", Level::Write), ("actions", Level::Read)]));
    let runners =
        world.runners("acme/shop", Credentials::app("Iv23liApp", None, Shared(Arc::clone(&signer))));
    runners.mint(&request("1", 1)).await.unwrap();
    assert_eq!(runners.state(&repository, id).await.unwrap(), RunState::Going);
    // For an organisation's runners, too, which runs of many repositories are asked about, each is for one.
    let runners = world.runners("acme", Credentials::app("Iv23liApp", None, Shared(Arc::clone(&signer))));
    for _ in 0..2 {
        assert_eq!(runners.state(&repository, id).await.unwrap(), RunState::Going);
    }
    let of_runs = r#"{"repositories":["shop"],"permissions":{"actions":"read"}}"#;
    assert_eq!(
        asked(&world),
        [r#"{"repositories":["shop"],"permissions":{"administration":"write"}}"#, of_runs, of_runs,]
    );
    world.end().await;

    let world = World::new().await;
    let signer = world.app(&[("administration", Level::Write)]);
    let runners = world.runners("acme/shop", Credentials::app("Iv23liApp", None, signer));
    let fault = runners.state(&repository, world.run()).await.unwrap_err();
    assert_eq!(fault.class, Class::Denied, "{fault}");
    assert!(fault.remedy.unwrap().starts_with("grant the App Actions: read (repository) in its settings"));
    // What it is there for it still does.
    runners.mint(&request("1", 1)).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn each_token_without_the_right_is_told_what_it_lacks() {
    let world = World::new().await;
    let lacks = |fault: Fault, words: &[&str]| {
        let text = format!("{fault} / {}", fault.remedy.as_deref().unwrap_or_default());
        for word in words {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    };
    let classic = world.runners("acme/shop", world.classic("mona", &["gist"]));
    lacks(denied(&classic).await, &["repo", "gist"]);
    let classic = world.runners("acme", world.classic("mona", &["repo"]));
    lacks(denied(&classic).await, &["admin:org", "scopes: repo"]);

    let fine = world.runners("acme/shop", world.fine_grained(&[("metadata", Level::Read)]));
    lacks(denied(&fine).await, &["administration=write", "Administration: read and write"]);
    let read_only = [("administration", Level::Read), ("metadata", Level::Read)];
    let fine = world.runners("acme/shop", world.fine_grained(&read_only));
    lacks(denied(&fine).await, &["administration=write"]);

    let wrong = world.runners("acme/shop", Credentials::token("ghp_nobody"));
    lacks(denied(&wrong).await, &["Bad credentials", "make a new one"]);
    assert_eq!(world.github.runners().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_found() {
    let world = World::new().await;
    for (target, user) in [("acme/nothing", "mona"), ("acme/shop", "stranger")] {
        let runners = world.runners(target, world.classic(user, &["repo"]));
        let fault = runners.mint(&request("1", 1)).await.unwrap_err();
        assert_eq!(fault.class, Class::NotFound, "{fault}");
        assert!(fault.why.contains("may not see it"), "{fault}");
    }
    world.end().await;
}

#[tokio::test]
async fn an_app_that_cannot_do_it_says_why() {
    let world = World::new().await;
    let signer = world.app(&[("metadata", Level::Read)]);
    let runners = world.runners("acme/shop", Credentials::app("Iv23liApp", None, signer));
    let fault = runners.check().await.unwrap_err();
    assert_eq!(fault.class, Class::Denied, "{fault}");
    assert!(fault.remedy.unwrap().contains("Administration: read and write"));
    world.end().await;

    let world = World::new().await;
    let signer = world.app(&[("administration", Level::Write)]);
    world.github.add_user("hubot").unwrap();
    world.github.add_repository(RepositorySpec::new("hubot/tool", world.files.path())).unwrap();
    let elsewhere = world.runners("hubot/tool", Credentials::app("Iv23liApp", None, signer));
    let fault = elsewhere.check().await.unwrap_err();
    assert_eq!(fault.class, Class::NotFound);
    assert!(fault.why.contains("not installed on hubot/tool"), "{fault}");

    let stranger = World::new().await.app(&[("administration", Level::Write)]);
    let wrong_key = world.runners("acme/shop", Credentials::app("Iv23liApp", None, stranger));
    let fault = wrong_key.check().await.unwrap_err();
    assert_eq!(fault.class, Class::Denied, "{fault}");
    assert!(fault.remedy.unwrap().contains("private key"));
    world.end().await;
}

#[tokio::test]
async fn the_rate_limit_is_throttled_until_its_reset() {
    let world = World::new().await;
    let runners = world.runners("acme/shop", world.classic("mona", &["repo"]));
    let mut refused = None;
    for _ in 0..10_000 {
        if let Err(fault) = runners.get(RunnerId(1)).await {
            refused = Some(fault);
            break;
        }
    }
    let fault = refused.expect("a refusal within ten thousand calls");
    let Class::Throttled { retry_after: Some(wait) } = fault.class else { panic!("{fault}") };
    assert!((1..=3600).contains(&wait.as_secs()), "{wait:?}");
    world.end().await;
}

/// What is asked only to see how one gets on costs nothing and changes nothing.
#[tokio::test]
async fn limit_time_and_the_newest_runner_are_read() {
    let world = World::new().await;
    world.github.add_organization("actions", &[]).unwrap();
    let releases = RepositorySpec::new("actions/runner", world.files.path());
    world.github.add_repository(RepositorySpec { private: false, ..releases }).unwrap();
    let app = world.app(&[("administration", Level::Write)]);
    for credentials in
        [world.fine_grained(&[("administration", Level::Write)]), Credentials::app("Iv23liApp", None, app)]
    {
        let runners = world.runners("acme/shop", credentials);
        let before = runners.rate_limit().await.unwrap().unwrap();
        assert_eq!((before.limit, before.remaining), (60, 60));
        assert!(before.reset > Timestamp::now());

        let release = runners.latest_runner().await.unwrap();
        assert_eq!(release.version.to_string(), "2.336.0");
        assert!(Timestamp::now().duration_since(release.published).abs() < SignedDuration::from_mins(1));
        assert_eq!(runners.rate_limit().await.unwrap().unwrap().remaining, 59);

        let off = Timestamp::now().duration_since(runners.date().await.unwrap());
        assert!(off.abs() < SignedDuration::from_secs(5), "{off}");
    }
    let wrong = world.runners("acme/shop", Credentials::token("ghp_wrong"));
    assert_eq!(wrong.rate_limit().await.unwrap_err().class, Class::Denied);
    // The time is told to everybody.
    wrong.date().await.unwrap();
    world.end().await;
}
