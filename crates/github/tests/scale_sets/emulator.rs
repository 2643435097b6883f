//! Against the crate's own emulator, which is not ours and cannot share a misunderstanding with the simulated
//! GitHub.

use std::sync::Arc;
use std::time::Duration;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::ports::AppSigner;
use fleetfoot_core::scale_sets::{
    Demand, JobEvent, MessageId, RequestId, ScaleSetId, ScaleSetSpec, ScaleSets, Session,
};
use fleetfoot_github::{Clock, Credentials, GitHubRunners, GitHubScaleSets, Scope};
use jiff::Timestamp;
use scaleset::testing::{DEFAULT_PAT, Emulator, EmulatorBuilder, Endpoint, Fault as Weather, ORG};
use secrecy::ExposeSecret;

fn emulator() -> EmulatorBuilder {
    Emulator::builder().long_poll(Duration::from_millis(100)).runner_group("big")
}

fn scale_sets(emulator: &Emulator, target: &str, credentials: Credentials) -> GitHubScaleSets {
    let scope = Scope::parse(&format!("{}/{target}", emulator.uri())).unwrap();
    let runners = GitHubRunners::new(
        scope,
        credentials,
        Clock::new(Timestamp::now),
        &fleetfoot_net::Network::default(),
    )
    .unwrap();
    GitHubScaleSets::new(Arc::new(runners)).unwrap()
}

fn by_token(emulator: &Emulator) -> GitHubScaleSets {
    scale_sets(emulator, ORG, Credentials::token(DEFAULT_PAT))
}

fn spec(name: &str, labels: &[&str]) -> ScaleSetSpec {
    ScaleSetSpec {
        name: name.parse().unwrap(),
        runner_group: "Default".to_owned(),
        labels: labels.iter().map(|label| label.parse().unwrap()).collect(),
    }
}

fn name(text: &str) -> RunnerName {
    text.parse().unwrap()
}

fn crates(id: ScaleSetId) -> scaleset::ScaleSetId {
    scaleset::ScaleSetId(id.0)
}

fn labels(emulator: &Emulator, id: ScaleSetId) -> Vec<String> {
    let state = emulator.state();
    let set = state.scale_set(crates(id)).unwrap();
    set.labels.iter().map(|label| label.name.clone()).collect()
}

#[tokio::test]
async fn a_scale_set_is_made_once_and_corrected() {
    let emulator = emulator().start().await;
    let sets = by_token(&emulator);
    assert_eq!(sets.look_up(&spec("linux", &[])).await.unwrap(), None);

    let id = sets.ensure(&spec("linux", &[])).await.unwrap();
    assert_eq!(sets.ensure(&spec("linux", &[])).await.unwrap(), id);
    assert_eq!(labels(&emulator, id), ["linux"]);
    let writes = |emulator: &Emulator| {
        let all = emulator.requests_to(Endpoint::ScaleSets);
        all.iter().filter(|request| request.method != "GET").count()
    };
    assert_eq!(writes(&emulator), 1, "what is as it should be is left alone");

    assert_eq!(sets.ensure(&spec("linux", &["gpu"])).await.unwrap(), id);
    assert_eq!(labels(&emulator, id), ["linux", "gpu"]);
    assert_eq!(sets.ensure(&spec("linux", &["GPU"])).await.unwrap(), id);
    assert_eq!(writes(&emulator), 2);
    assert!(emulator.state().scale_sets[0].runner_setting.disable_update);

    let big = ScaleSetSpec { runner_group: "Big".to_owned(), ..spec("linux", &[]) };
    assert_ne!(sets.ensure(&big).await.unwrap(), id, "another group, another set");
    let nowhere = ScaleSetSpec { runner_group: "none".to_owned(), ..spec("linux", &[]) };
    let told = sets.ensure(&nowhere).await.unwrap_err();
    assert_eq!(told.class, Class::NotFound);
    assert_eq!(told.to_string(), "cannot make the scale set linux at org: there is no runner group \"none\"");
    assert_eq!(sets.look_up(&nowhere).await.unwrap(), None);

    sets.remove(id).await.unwrap();
    sets.remove(id).await.unwrap();
    assert_eq!(sets.look_up(&spec("linux", &[])).await.unwrap(), None);
}

#[tokio::test]
async fn a_job_is_acquired_run_and_told_of_until_it_is_acknowledged() {
    let emulator = emulator().start().await;
    let sets = by_token(&emulator);
    let id = sets.ensure(&spec("linux", &[])).await.unwrap();
    let session = sets.open(id, "one").await.unwrap();
    assert_eq!(session.opening_demand().assigned, 0);
    assert_eq!(session.next(None, 5).await.unwrap(), None, "an idle poll tells nothing");

    let job = emulator.queue_job(crates(id), ["linux"]);
    let offered = session.next(None, 5).await.unwrap().unwrap();
    assert_eq!((offered.demand.available, offered.demand.assigned), (1, 0));
    assert_eq!(offered.available(), [RequestId(job.get())]);
    assert_eq!(session.acquire(&offered.available()).await.unwrap(), offered.available());
    assert_eq!(session.acquire(&[]).await.unwrap(), []);

    // Not acknowledged, so it comes again to whoever has not seen it.
    assert_eq!(session.next(None, 5).await.unwrap().unwrap().id, offered.id);
    session.acknowledge(offered.id).await.unwrap();
    session.acknowledge(offered.id).await.unwrap();
    let assigned = session.next(Some(offered.id), 5).await.unwrap().unwrap();
    let [JobEvent::Assigned(told)] = assigned.events.as_slice() else { panic!("{assigned:?}") };
    assert_eq!((told.request, told.labels.as_slice()), (RequestId(job.get()), &["linux".to_owned()][..]));
    assert_eq!(told.repository.as_ref().unwrap().as_str(), "org/repo");
    assert!(told.queued.unwrap() <= told.assigned.unwrap());
    assert_eq!(assigned.demand.assigned, 1);
    session.acknowledge(assigned.id).await.unwrap();

    let minted = sets.mint(id, &name("ff-1")).await.unwrap();
    assert!(!minted.jit_config.expose_secret().is_empty());
    emulator.start_job(job, Some("ff-1"));
    let busy = sets.delete_runner(minted.id).await.unwrap_err();
    assert_eq!(busy.class, Class::Busy, "{busy}");
    emulator.complete_job(job, Some("failed"));
    let over = session.next(Some(assigned.id), 5).await.unwrap().unwrap();
    let [JobEvent::Started { runner, .. }, JobEvent::Completed { runner: Some(ran), result, .. }] =
        over.events.as_slice()
    else {
        panic!("{over:?}")
    };
    assert_eq!((runner, runner.id, result.as_str()), (ran, minted.id, "failed"));
    assert_eq!(over.demand, Demand::default());
    session.acknowledge(over.id).await.unwrap();
    assert!(emulator.state().queues_drained());
    assert_eq!(emulator.requests_to(Endpoint::GetMessage)[0].max_capacity, Some(5));
}

#[tokio::test]
async fn a_registration_is_found_by_name_and_taken_away() {
    let emulator = emulator().start().await;
    let sets = by_token(&emulator);
    let id = sets.ensure(&spec("linux", &[])).await.unwrap();
    let minted = sets.mint(id, &name("ff-1")).await.unwrap();
    let taken = sets.mint(id, &name("ff-1")).await.unwrap_err();
    assert_eq!(taken.class, Class::Conflict, "{taken}");
    let found = sets.find_runner(&name("ff-1")).await.unwrap().unwrap();
    assert_eq!((found.id, found.name), (minted.id, name("ff-1")));
    sets.delete_runner(minted.id).await.unwrap();
    sets.delete_runner(minted.id).await.unwrap();
    sets.delete_runner(RunnerId(u64::MAX)).await.unwrap();
    assert_eq!(sets.find_runner(&name("ff-1")).await.unwrap(), None);

    sets.remove(id).await.unwrap();
    let gone = sets.mint(id, &name("ff-2")).await.unwrap_err();
    assert_eq!(gone.class, Class::NotFound, "{gone}");
}

#[tokio::test]
async fn a_queue_has_one_reader() {
    let emulator = emulator().start().await;
    let sets = by_token(&emulator);
    let id = sets.ensure(&spec("linux", &[])).await.unwrap();
    let first = sets.open(id, "one").await.unwrap();
    let second = sets.open(id, "two").await.unwrap_err();
    assert_eq!(second.class, Class::Conflict, "{second}");
    first.close().await.unwrap();
    first.close().await.unwrap();
    let lost = first.next(None, 1).await.unwrap_err();
    assert_eq!(lost.class, Class::NotFound, "{lost}");

    let second = sets.open(id, "two").await.unwrap();
    emulator.expire_session(crates(id));
    assert_eq!(second.next(None, 1).await.unwrap_err().class, Class::NotFound);
    assert_eq!(
        second.acknowledge(MessageId(1)).await.ok(),
        Some(()),
        "what is gone needs no acknowledgement"
    );
    sets.remove(id).await.unwrap();
    let gone = sets.open(id, "two").await.unwrap_err();
    assert_eq!(gone.class, Class::NotFound, "{gone}");
}

#[tokio::test]
async fn tokens_that_end_are_renewed_unseen() {
    let emulator = emulator().start().await;
    let sets = by_token(&emulator);
    let id = sets.ensure(&spec("linux", &[])).await.unwrap();
    let session = sets.open(id, "one").await.unwrap();
    emulator.queue_job(crates(id), ["linux"]);
    emulator.expire_queue_token(crates(id));
    emulator.expire_admin_tokens();
    let message = session.next(None, 1).await.unwrap().unwrap();
    emulator.expire_queue_token(crates(id));
    session.acquire(&message.available()).await.unwrap();
    emulator.expire_queue_token(crates(id));
    session.acknowledge(message.id).await.unwrap();
}

#[tokio::test]
async fn weather_has_its_class_and_what_may_be_repeated_is() {
    let emulator = emulator().start().await;
    let sets = by_token(&emulator);
    emulator.inject(Weather::status(Endpoint::ScaleSets, 503).times(2));
    let id = sets.ensure(&spec("linux", &[])).await.unwrap();

    emulator.inject(Weather::status(Endpoint::GenerateJitConfig, 500).times(1));
    let unknown = sets.mint(id, &name("ff-1")).await.unwrap_err();
    assert_eq!(unknown.class, Class::Unknown, "{unknown}");
    assert_eq!(
        emulator.requests_to(Endpoint::GenerateJitConfig).len(),
        1,
        "minting is never repeated inside"
    );

    let session = sets.open(id, "one").await.unwrap();
    emulator.inject(Weather::status(Endpoint::GetMessage, 502).times(1));
    let unknown = session.next(None, 1).await.unwrap_err();
    assert_eq!(unknown.class, Class::Unknown, "{unknown}");
    assert_eq!(
        unknown.to_string(),
        format!("cannot read the queue of the scale set {id} of org: GitHub answered 502: injected fault")
    );
    emulator.inject(Weather::status(Endpoint::DeleteMessage, 500).times(2));
    session.acknowledge(MessageId(1)).await.unwrap();

    let minute = Some(Duration::from_mins(1));
    emulator.inject(Weather::secondary_rate_limit(Endpoint::ScaleSets, None).times(1));
    let limited = sets.look_up(&spec("linux", &[])).await.unwrap_err();
    assert_eq!(limited.class, Class::Throttled { retry_after: minute }, "{limited}");
    emulator.inject(Weather::too_many_requests(Endpoint::GetMessage, Some(Duration::from_secs(7))).times(1));
    let limited = session.next(None, 1).await.unwrap_err();
    assert_eq!(limited.class, Class::Throttled { retry_after: Some(Duration::from_secs(7)) }, "{limited}");
}

#[tokio::test]
async fn credentials_that_may_not_are_told_so() {
    let emulator = emulator().start().await;
    for target in [ORG, "org/repo", "enterprises/big"] {
        let wrong = scale_sets(&emulator, target, Credentials::token("ghp_wrong"));
        let denied = wrong.ensure(&spec("linux", &[])).await.unwrap_err();
        assert_eq!(denied.class, Class::Denied, "{denied}");
        assert!(denied.to_string().contains("GitHub answered 401: Bad credentials"), "{denied}");
        assert!(denied.remedy.as_deref().unwrap().contains("the token is wrong, revoked or expired"));
        let right = scale_sets(&emulator, target, Credentials::token(DEFAULT_PAT));
        right.ensure(&spec("linux", &[])).await.unwrap();
    }
    // A 404 on the way to a token says nothing of a scale set.
    emulator.inject(Weather::status(Endpoint::RegistrationToken, 404));
    let hidden = by_token(&emulator).open(ScaleSetId(1), "one").await.unwrap_err();
    assert_eq!(hidden.class, Class::Denied, "{hidden}");
    assert!(hidden.to_string().contains("org does not exist, or this token may not see it"), "{hidden}");
}

struct Signer(Result<&'static [u8], &'static str>);

impl AppSigner for Signer {
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        assert!(message.starts_with(b"ey"), "a JWT is signed and nothing else");
        self.0
            .map(<[u8]>::to_vec)
            .map_err(|why| Fault::new(Class::Throttled { retry_after: None }, "sign", why))
    }
}

#[tokio::test]
async fn an_app_signs_by_whoever_holds_its_key() {
    let emulator = emulator().github_app(42).start().await;
    let app = |signer, installation| Credentials::app("Iv23liApp", Some(installation), signer);
    let sets = scale_sets(&emulator, ORG, app(Signer(Ok(b"signature")), 42));
    sets.ensure(&spec("linux", &[])).await.unwrap();
    assert_eq!(emulator.requests_to(Endpoint::AccessToken).len(), 1);

    let busy = scale_sets(&emulator, ORG, app(Signer(Err("KMS has no time")), 42));
    let told = busy.ensure(&spec("linux", &[])).await.unwrap_err();
    assert_eq!((told.class, told.why.as_str()), (Class::Throttled { retry_after: None }, "KMS has no time"));

    let elsewhere = scale_sets(&emulator, ORG, app(Signer(Ok(b"signature")), 43));
    let told = elsewhere.ensure(&spec("linux", &[])).await.unwrap_err();
    assert_eq!(told.class, Class::Denied, "{told}");
    assert!(told.remedy.as_deref().unwrap().contains("correct installation_id"), "{told}");

    let enterprise = scale_sets(&emulator, "enterprises/big", app(Signer(Ok(b"signature")), 42));
    let told = enterprise.ensure(&spec("linux", &[])).await.unwrap_err();
    assert_eq!(told.class, Class::Invalid, "{told}");
    assert!(told.remedy.as_deref().unwrap().contains("manage_runners:enterprise"));
}

#[tokio::test]
async fn github_is_told_who_calls() {
    let emulator = emulator().start().await;
    by_token(&emulator).ensure(&spec("linux", &[])).await.unwrap();
    let requests = emulator.requests();
    assert!(!requests.is_empty());
    for request in requests {
        let agent = request.user_agent.unwrap();
        assert!(agent.contains(r#""system":"fleetfoot""#), "{}: {agent}", request.path);
    }
}
