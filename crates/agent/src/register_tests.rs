use std::collections::VecDeque;
use std::sync::Mutex;

use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::ports::Minted;
use tokio::time::sleep;

use super::*;
use crate::registration::{Naming, WantedName};

/// What becomes of a call that is to go wrong.
#[derive(Clone, Copy)]
enum Trouble {
    /// It has no effect, and this is why.
    Refuse(fn() -> Class),
    /// It takes effect, and its answer is lost.
    Lose,
    /// Its answer comes late.
    Delay(Duration),
}

const THROTTLED: Trouble =
    Trouble::Refuse(|| Class::Throttled { retry_after: Some(Duration::from_millis(20)) });
const UNKNOWN: Trouble = Trouble::Refuse(|| Class::Unknown);
const DENIED: Trouble = Trouble::Refuse(|| Class::Denied);

/// A GitHub in memory.
#[derive(Default)]
struct GitHub {
    runners: Mutex<Vec<RunnerView>>,
    mints: Mutex<VecDeque<Trouble>>,
    deletes: Mutex<VecDeque<Trouble>>,
    log: Mutex<Vec<String>>,
    ids: Mutex<u64>,
}

impl GitHub {
    fn holding(name: &str, online: bool, busy: bool) -> Self {
        let github = Self::default();
        github.add(name, online, busy);
        github
    }

    fn minting(troubles: impl IntoIterator<Item = Trouble>) -> Self {
        let github = Self::default();
        github.mints.lock().unwrap().extend(troubles);
        github
    }

    fn add(&self, name: &str, online: bool, busy: bool) -> RunnerId {
        let mut ids = self.ids.lock().unwrap();
        *ids += 1;
        let view = RunnerView { id: RunnerId(*ids), name: name.parse().unwrap(), online, busy };
        self.runners.lock().unwrap().push(view);
        RunnerId(*ids)
    }

    fn names(&self) -> Vec<String> {
        self.runners.lock().unwrap().iter().map(|runner| runner.name.to_string()).collect()
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn write(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    async fn suffer(troubles: &Mutex<VecDeque<Trouble>>) -> Result<bool, Fault> {
        let trouble = troubles.lock().unwrap().pop_front();
        match trouble {
            Some(Trouble::Refuse(class)) => Err(Fault::new(class(), "do it", "scripted")),
            Some(Trouble::Lose) => Ok(true),
            Some(Trouble::Delay(time)) => {
                sleep(time).await;
                Ok(false)
            }
            None => Ok(false),
        }
    }
}

fn lost() -> Fault {
    Fault::new(Class::Unknown, "do it", "the connection broke")
}

impl Runners for GitHub {
    async fn mint(&self, request: &RunnerRequest) -> Result<Minted, Fault> {
        self.write(format!("mint {} in {}", request.name, request.group));
        let lose = Self::suffer(&self.mints).await?;
        if self.names().contains(&request.name.to_string()) {
            return Err(Fault::new(Class::Conflict, "register the runner", "Already exists"));
        }
        let id = self.add(request.name.as_str(), false, false);
        if lose { Err(lost()) } else { Ok(Minted { id, jit_config: "s3cret".into() }) }
    }

    async fn get(&self, _: RunnerId) -> Result<Option<RunnerView>, Fault> {
        unreachable!("runners are found by name")
    }

    async fn find(&self, name: &RunnerName) -> Result<Option<RunnerView>, Fault> {
        self.write(format!("find {name}"));
        Ok(self.runners.lock().unwrap().iter().find(|runner| runner.name == *name).cloned())
    }

    async fn check(&self) -> Result<(), Fault> {
        unreachable!("minting is check enough")
    }

    async fn group(&self, name: &str) -> Result<u64, Fault> {
        self.write(format!("group {name}"));
        if name == "gpu" {
            Ok(7)
        } else {
            Err(Fault::new(Class::NotFound, "find the group", "there is none"))
        }
    }

    async fn delete(&self, id: RunnerId) -> Result<(), Fault> {
        self.write(format!("delete {id}"));
        let lose = Self::suffer(&self.deletes).await?;
        let mut runners = self.runners.lock().unwrap();
        if runners.iter().any(|runner| runner.id == id && runner.busy) {
            return Err(Fault::new(Class::Busy, "remove the runner", "it runs a job"));
        }
        runners.retain(|runner| runner.id != id);
        if lose { Err(lost()) } else { Ok(()) }
    }
}

fn order(wanted: WantedName) -> SelfRegistration {
    SelfRegistration {
        metadata_uri: None,
        naming: Naming { wanted, hostname: "host".into(), random: "abcdefghijklm".into() },
        labels: vec!["self-hosted".parse().unwrap()],
        group: None,
        work_folder: None,
        packages: Vec::new(),
        packages_timeout: SelfRegistration::PACKAGES_TIMEOUT,
        idle_timeout: SelfRegistration::IDLE_TIMEOUT,
        max_lifetime: SelfRegistration::MAX_LIFETIME,
    }
}

/// A name that others may have asked for, too.
fn fixed() -> SelfRegistration {
    order(WantedName::Exactly("mine".parse().unwrap()))
}

/// A name that is this runner's alone.
fn own() -> SelfRegistration {
    order(WantedName::Random("mine".into()))
}

const OWN: &str = "mine-abcdefghijklm";

fn pace() -> Pace {
    Pace {
        timeout: Duration::from_millis(600),
        stop_grace: Duration::from_millis(400),
        pause: Duration::from_millis(5),
        benefit_of_doubt: Duration::from_millis(50),
    }
}

async fn play(github: &GitHub, order: &SelfRegistration) -> Result<Option<Registered>, Unready> {
    stopped_after(Duration::from_hours(1), github, order).await
}

async fn stopped_after(
    time: Duration,
    github: &GitHub,
    order: &SelfRegistration,
) -> Result<Option<Registered>, Unready> {
    let (sender, mut stops) = mpsc::channel(1);
    let stopping = tokio::spawn(async move {
        sleep(time).await;
        sender.send(StopSignal::Terminate).await
    });
    let name = order.naming.first(None).unwrap();
    let result = register(github, order, name, pace(), &mut stops).await;
    stopping.abort();
    result
}

async fn name_of(github: &GitHub, order: &SelfRegistration) -> String {
    let registered = play(github, order).await.unwrap().unwrap();
    let there =
        github.runners.lock().unwrap().iter().any(|r| r.id == registered.id && r.name == registered.name);
    assert!(there, "what was registered is there");
    registered.name.to_string()
}

#[tokio::test]
async fn a_free_name_takes_one_call() {
    let github = GitHub::default();
    assert_eq!(name_of(&github, &fixed()).await, "mine");
    assert_eq!(github.log(), ["mint mine in 1"]);
}

#[tokio::test]
async fn a_group_is_looked_up_by_name() {
    let github = GitHub::default();
    let in_group = |name: &str| SelfRegistration { group: Some(name.to_owned()), ..own() };
    name_of(&github, &in_group("gpu")).await;
    assert_eq!(github.log(), ["group gpu".to_owned(), format!("mint {OWN} in 7")]);
    let refused = play(&GitHub::default(), &in_group("no")).await.unwrap_err();
    assert_eq!(refused.exit(), AgentExit::BadAssignment);
}

#[tokio::test]
async fn a_dead_registration_of_the_name_is_removed_after_a_second_look() {
    let github = GitHub::holding("mine", false, false);
    assert_eq!(name_of(&github, &fixed()).await, "mine");
    assert_eq!(github.log(), ["mint mine in 1", "find mine", "find mine", "delete 1", "mint mine in 1"]);
    assert_eq!(github.names(), ["mine"]);
}

#[tokio::test]
async fn a_sibling_that_only_starts_keeps_its_name() {
    let github = GitHub::holding("mine", false, false);
    let order = fixed();
    let coming = async {
        sleep(Duration::from_millis(25)).await;
        github.runners.lock().unwrap()[0].online = true;
    };
    let (name, ()) = tokio::join!(name_of(&github, &order), coming);
    assert_eq!(name, "mine-abcdef");
    assert_eq!(github.names(), ["mine", "mine-abcdef"]);
}

#[tokio::test]
async fn a_runner_at_work_keeps_its_name() {
    for (online, busy) in [(true, false), (true, true), (false, true)] {
        let github = GitHub::holding("mine", online, busy);
        assert_eq!(name_of(&github, &fixed()).await, "mine-abcdef");
        assert_eq!(github.names(), ["mine", "mine-abcdef"]);
    }
}

#[tokio::test]
async fn one_that_github_refuses_to_remove_is_at_work() {
    let github = GitHub::holding("mine", false, false);
    github.deletes.lock().unwrap().push_back(Trouble::Refuse(|| Class::Busy));
    assert_eq!(name_of(&github, &fixed()).await, "mine-abcdef");
}

#[tokio::test]
async fn every_other_name_is_another() {
    let github = GitHub::holding("mine", true, true);
    github.add("mine-abcdef", true, true);
    assert_eq!(name_of(&github, &fixed()).await, "mine-abcdef-abcdef1");
}

#[tokio::test]
async fn a_lost_answer_is_cleared_up_before_the_next_try() {
    let github = GitHub::minting([Trouble::Lose]);
    assert_eq!(name_of(&github, &own()).await, OWN);
    assert_eq!(github.names(), [OWN], "one registration");
    let calls = github.log();
    assert_eq!(calls[1..3], [format!("find {OWN}"), "delete 1".to_owned()], "{calls:?}");
}

#[tokio::test]
async fn what_passes_is_waited_out() {
    let github = GitHub::minting([THROTTLED, UNKNOWN, THROTTLED]);
    assert_eq!(name_of(&github, &own()).await, OWN);
}

#[tokio::test]
async fn what_does_not_pass_is_told_at_once() {
    let before = Instant::now();
    let refused = play(&GitHub::minting([DENIED]), &own()).await.unwrap_err();
    assert_eq!(
        (refused.exit(), refused.to_string().as_str()),
        (AgentExit::BadAssignment, "cannot do it: scripted")
    );
    assert!(before.elapsed() < Duration::from_millis(300));
}

#[tokio::test]
async fn the_deadline_tells_the_last_trouble() {
    let github = GitHub::minting([UNKNOWN; 500]);
    let error = play(&github, &own()).await.unwrap_err();
    assert_eq!(error.exit(), AgentExit::NoAssignment);
    assert!(error.to_string().ends_with("the last try: cannot do it: scripted"), "{error}");
    assert!(github.names().is_empty());
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_and_cleaned_up() {
    // The registration is there although its answer is not.
    let github = GitHub::minting([Trouble::Delay(Duration::from_hours(1))]);
    github.add(OWN, false, false);
    let error = play(&github, &own()).await.unwrap_err();
    assert_eq!(error.exit(), AgentExit::NoAssignment);
    assert!(github.names().is_empty(), "{:?}", github.log());
}

#[tokio::test]
async fn a_stop_ends_the_waiting() {
    let github = GitHub::minting([Trouble::Refuse(|| Class::Throttled {
        retry_after: Some(Duration::from_millis(400)),
    })]);
    let before = Instant::now();
    assert!(stopped_after(Duration::from_millis(30), &github, &own()).await.unwrap().is_none());
    assert!(before.elapsed() < Duration::from_millis(300));
    assert_eq!(github.log().len(), 1, "nothing was registered and nothing is looked for");
}

#[tokio::test]
async fn a_stop_lets_the_call_on_its_way_end_and_takes_back_what_it_did() {
    for order in [own(), fixed()] {
        let github = GitHub::minting([Trouble::Delay(Duration::from_millis(120))]);
        assert!(stopped_after(Duration::from_millis(20), &github, &order).await.unwrap().is_none());
        assert!(github.names().is_empty());
        assert_eq!(github.log().last().unwrap(), "delete 1");
    }
}

#[tokio::test]
async fn a_stop_cleans_up_what_a_lost_answer_left() {
    let github = GitHub::minting([Trouble::Lose]);
    github.deletes.lock().unwrap().push_back(Trouble::Delay(Duration::from_millis(50)));
    assert!(stopped_after(Duration::ZERO, &github, &own()).await.unwrap().is_none());
    assert!(github.names().is_empty(), "{:?}", github.log());
}

#[tokio::test]
async fn another_ones_registration_is_not_taken_for_a_lost_answer() {
    let github = GitHub::minting([Trouble::Delay(Duration::from_hours(1))]);
    github.add("mine", false, false);
    assert!(stopped_after(Duration::from_millis(20), &github, &fixed()).await.unwrap().is_none());
    assert_eq!(github.names(), ["mine"]);
}

async fn removed(github: &GitHub) -> bool {
    let id = github.runners.lock().unwrap()[0].id;
    let registered = Registered { id, name: "mine".parse().unwrap(), jit_config: "s3cret".into() };
    deregister(github, &registered, Duration::from_millis(700)).await;
    github.names().is_empty()
}

#[tokio::test]
async fn a_registration_is_removed_through_trouble() {
    let github = GitHub::holding("mine", false, false);
    github.deletes.lock().unwrap().extend([THROTTLED, Trouble::Lose]);
    assert!(removed(&github).await);
    assert_eq!(github.log(), ["delete 1"; 3]);
}

#[tokio::test]
async fn removing_gives_up_when_it_cannot_help_or_time_is_over() {
    for trouble in [DENIED, Trouble::Delay(Duration::from_hours(1))] {
        let github = GitHub::holding("mine", false, false);
        github.deletes.lock().unwrap().push_back(trouble);
        let before = Instant::now();
        assert!(!removed(&github).await);
        assert!(before.elapsed() < Duration::from_secs(2));
        assert_eq!(github.log().len(), 1);
    }
    let busy = GitHub::holding("mine", true, true);
    assert!(!removed(&busy).await);
    assert_eq!(busy.log().len(), 1);
}

#[test]
fn the_secret_does_not_show() {
    let registered =
        Registered { id: RunnerId(1), name: "mine".parse().unwrap(), jit_config: "s3cret".into() };
    assert!(!format!("{registered:?}").contains("s3cret"));
}
