//! One story: launchers of one key in some weather, told to its end and held against the laws.

use fleetfoot::engine::{Clock, End, Left};
use fleetfoot_core::ending::{Ending, Prospect};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::label::Label;
use fleetfoot_core::plan::{Goal, Outcome, Policy, Until};
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::World;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::cloud::{Client, Cloud, Cue, Dice, Odds, Room, Service, Stage, Told, Weather, Who};
use crate::launcher::{self, Unwatched};

/// What a failed or cancelled start gets to undo itself.
const UNDO: SignedDuration = SignedDuration::from_secs(5);

/// How long one round of the loop may go on when its time is over: it does not leave in the middle of what
/// it does, and a call may take some seconds.
const ONE_ROUND: SignedDuration = SignedDuration::from_secs(60);

/// When something happens to a launcher.
#[derive(Debug, Clone)]
enum Moment {
    /// After so long.
    After(SignedDuration),
    /// In the middle of one of its calls.
    InCall(usize, Stage),
}

/// How a launcher's part ends.
#[derive(Debug, Clone)]
enum Exit {
    /// When its work is done.
    Done,
    /// Cancelled.
    Cancelled(Moment),
    /// Killed.
    Killed(Moment),
}

/// A launcher's part.
#[derive(Debug, Clone)]
struct Part {
    begins: SignedDuration,
    count: usize,
    until: Until,
    timeout: SignedDuration,
    poll: SignedDuration,
    exit: Exit,
}

/// A story, before it is told.
#[derive(Debug)]
pub(crate) struct Story {
    weather: Weather,
    parts: Vec<Part>,
    /// Whether whoever is let alone must reach his goal: what befalls him can be mended, and there is time.
    fair: bool,
    /// How long jobs go on before it is stopped.
    interlude: SignedDuration,
    /// Whether it is stopped by force.
    force: bool,
}

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

impl Story {
    /// The story that chance writes with this seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let fair = dice.happens(500);
        let count = if dice.happens(100) { dice.count(11, 23) } else { dice.count(1, 4) };
        let weather = weather(&mut dice, fair, count, seed);
        let part = |dice: &mut Dice, first: bool| {
            let moment = |dice: &mut Dice| {
                let stage = dice.pick(&[Stage::Called, Stage::Effected]);
                let in_call = Moment::InCall(dice.count(0, 40), stage);
                let after = Moment::After(dice.pause(0..120_000));
                if dice.happens(600) { in_call } else { after }
            };
            let exit = match dice.number(0..10) {
                0..6 => Exit::Done,
                6..8 => Exit::Cancelled(moment(dice)),
                _ => Exit::Killed(moment(dice)),
            };
            Part {
                begins: if first || dice.happens(500) {
                    SignedDuration::ZERO
                } else {
                    dice.pause(0..120_000)
                },
                count: if first || dice.happens(700) { count } else { dice.count(1, 4) },
                until: dice.pick(&[Until::Online, Until::Online, Until::Running, Until::Assigned]),
                timeout: if fair { seconds(1200) } else { dice.pause(2000..600_000) },
                poll: dice.pick(&[seconds(1), seconds(2), seconds(5)]),
                exit,
            }
        };
        let mut parts = vec![part(&mut dice, true)];
        if dice.happens(400) {
            let rival = part(&mut dice, false);
            parts.push(rival);
        }
        let interlude = if dice.happens(500) { SignedDuration::ZERO } else { dice.pause(0..600_000) };
        Self { weather, parts, fair, interlude, force: dice.happens(200) }
    }

    /// Tells it.
    pub(crate) fn tell(&self, traced: bool) -> Told {
        let cloud = Cloud::new(self.weather.clone());
        // A runner that waits while the others do not come is not what a fair story is about.
        let idle_timeout = SignedDuration::from_mins(if self.fair { 30 } else { 10 });
        cloud.state().idle_timeout = idle_timeout;
        if traced {
            cloud.state().book.trace = Some(Vec::new());
            cloud.note(|| format!("{self:#?}"));
        }
        let ends = cloud.time.tell(async {
            let parts = self.parts.iter().enumerate().map(|(n, part)| self.play(&cloud, Who(n + 1), part));
            let ends = join_all(parts).await;
            cloud.time.sleep(self.interlude).await;
            self.clean_up(&cloud).await;
            ends
        });
        let mut told = Told::default();
        for end in ends {
            *told.counts.entry(end).or_default() += 1;
        }
        let mut state = cloud.state();
        told.broken = std::mem::take(&mut state.book.broken);
        told.trace = state.book.trace.take().unwrap_or_default();
        told
    }

    /// Plays one launcher's part. Says how it ended.
    async fn play(&self, cloud: &Cloud, who: Who, part: &Part) -> String {
        cloud.time.sleep(part.begins).await;
        cloud.wanted(launcher::started_by().as_str(), part.count);
        let (cancel, death) = (CancellationToken::new(), CancellationToken::new());
        let (moment, token, deadly) = match &part.exit {
            Exit::Done => (None, &cancel, false),
            Exit::Cancelled(moment) => (Some(moment), &cancel, false),
            Exit::Killed(moment) => (Some(moment), &death, true),
        };
        let cue = match moment {
            Some(Moment::InCall(calls, stage)) => {
                Some(Cue { calls: *calls, stage: *stage, token: token.clone(), deadly })
            }
            _ => None,
        };
        let alarm = async {
            if let Some(Moment::After(pause)) = moment {
                cloud.time.sleep(*pause).await;
                token.cancel();
            }
            death.cancelled().await;
        };
        let client = Client::new(cloud, who, cue);
        tokio::select! {
            biased;
            () = alarm => {
                cloud.note(|| format!("{who} is killed"));
                "killed".to_owned()
            }
            end = self.start(cloud, &client, part, &cancel) => end,
        }
    }

    async fn start(&self, cloud: &Cloud, client: &Client, part: &Part, cancel: &CancellationToken) -> String {
        let (who, capacities) = (client.who, self.weather.rooms.len());
        let deadline = cloud.time.now() + part.timeout;
        let policy = Policy {
            goal: Goal::Have { count: part.count, until: part.until, deadline },
            capacities,
            replacements: part.count.max(3),
            poll: part.poll,
        };
        let spec = launcher::spec(&format!("{}", who.0), capacities);
        let mut engine = launcher::engine(client, Some(spec.clone()));
        let mut world = World::default();
        let cancelled_at = async {
            cancel.cancelled().await;
            cloud.time.now()
        };
        let mut unwatched = Unwatched;
        let run = engine.run(&policy, &mut world, &mut unwatched, cancel);
        let (end, over_at) = {
            let mut cancelled_at = std::pin::pin!(cancelled_at);
            let mut run = std::pin::pin!(run);
            tokio::select! {
                biased;
                at = &mut cancelled_at => (run.await, at),
                end = &mut run => (end, deadline),
            }
        };
        let late = cloud.time.now().duration_since(over_at);
        if late > ONE_ROUND {
            cloud.broken(format!("{who} goes on for {late:#} when its time is over"));
        }
        cloud.note(|| format!("{who} ends: {end:?}"));
        match &end {
            End::Planned(Outcome::Reached) => {
                let label = engine.spec.as_ref().map_or(&spec.label, |spec| &spec.label);
                self.check_reached(cloud, who, part, label, &world);
                "reached".to_owned()
            }
            End::Planned(Outcome::Failed(verdict)) => {
                self.check_verdict(cloud, who, part, verdict, deadline);
                let left = engine.undo(&mut world, UNDO).await;
                Self::check_undone(cloud, who, &left);
                verdict.class.clone()
            }
            End::Cancelled => {
                let left = engine.undo(&mut world, UNDO).await;
                Self::check_undone(cloud, who, &left);
                "cancelled".to_owned()
            }
        }
    }

    /// The law of the goal: whoever is told that he has so many runners has them, and by the label he is told.
    fn check_reached(&self, cloud: &Cloud, who: Who, part: &Part, label: &Label, world: &World) {
        let state = cloud.state();
        let answers = |labels: &Vec<Label>| labels.contains(label);
        let have = world.members.keys().filter(|arn| {
            let served = state.served.get(*arn).is_some_and(answers);
            let will_serve = state.runner_of(arn).is_some_and(|runner| answers(&runner.labels));
            served || (part.until != Until::Online && will_serve)
        });
        let have = have.count();
        drop(state);
        // A rival that is cancelled takes his away again, also those that others rely on.
        if have < part.count && (part.until == Until::Online || self.parts.len() == 1) {
            cloud.broken(format!("{who} is told of {} runners by {label} and has {have}", part.count));
        }
    }

    /// The law of the verdict: it is true, and none is given where the goal could be reached.
    fn check_verdict(&self, cloud: &Cloud, who: Who, part: &Part, verdict: &Verdict, deadline: Timestamp) {
        if self.fair {
            cloud.broken(format!("{who} could have reached its goal, and fails: {verdict}"));
        }
        let odds = self.weather.odds;
        let state = cloud.state();
        let holds = match verdict.class.as_str() {
            "timeout" => state.now >= deadline,
            "denied" => self.weather.denied.is_some(),
            "no-capacity" => (0..self.weather.rooms.len()).all(|n| state.full.contains(&n)),
            class => match Ending::ALL.iter().find(|ending| ending.class == class).map(|e| e.prospect) {
                Some(_) if class == "idle" => state.tasks.values().any(|task| task.exit == Some(20)),
                Some(Prospect::Lasting) => odds.hopeless > 0,
                Some(Prospect::Passing | Prospect::NoCapacity) => {
                    let failed = state.tasks.values().filter(|task| task.launcher == who && task.doomed);
                    failed.count() > part.count.max(3)
                }
                None => false,
            },
        };
        drop(state);
        if !holds {
            cloud.broken(format!("{who} is told {}, which is not so: {verdict}", verdict.class));
        }
    }

    /// The law of the undone: what a start has brought is gone or named, unless a job runs on it.
    fn check_undone(cloud: &Cloud, who: Who, left: &Left) {
        let state = cloud.state();
        let mailbox = launcher::spec(&format!("{}", who.0), 1).mailbox;
        let busy = |task: &TaskArn| state.runner_of(task).is_some_and(|runner| runner.busy_since.is_some());
        let named = |task: &TaskArn| busy(task) || left.tasks.contains(task) || left.unseen > 0;
        let mut traces = Vec::new();
        for (arn, task) in state.tasks.iter().filter(|(arn, _)| !named(arn)) {
            if task.is_live() && task.now().mailbox.as_ref() == Some(&mailbox) {
                traces.push(format!("the task {}", arn.id()));
            }
            if let Some(runner) = state.runner_of(arn).filter(|runner| runner.minted_by == who) {
                traces.push(format!("the runner {}", runner.name));
            }
        }
        let mail = state.mail.values().filter(|mail| mail.put_by == who && !named(&mail.task));
        traces.extend(mail.map(|mail| format!("the assignment of {}", mail.task.id())));
        drop(state);
        if !traces.is_empty() {
            cloud.broken(format!("{who} leaves behind without a word: {}", traces.join(", ")));
        }
    }

    /// Stops everything, again and again until no job runs, and then looks for what is left.
    async fn clean_up(&self, cloud: &Cloud) {
        cloud.state().forced = self.force;
        self.stop(cloud, Who(100), self.force).await;
        cloud.state().forced = false;
        let clear = self
            .weather
            .clears_at
            .max(self.weather.denied.as_ref().map_or(Timestamp::UNIX_EPOCH, |d| d.1.end));
        cloud.time.until(clear.max(cloud.time.now()) + seconds(30)).await;
        for round in 0..4 {
            if !self.stop(cloud, Who(101 + round), false).await {
                cloud.broken("a stop in fine weather does not come to its end");
            }
            let busy = cloud.state().runners.values().any(|runner| runner.busy_since.is_some());
            if !busy {
                break;
            }
            cloud.time.sleep(SignedDuration::from_mins(5)).await;
        }
        let state = cloud.state();
        let tasks = state
            .tasks
            .values()
            .filter(|task| task.is_live())
            .map(|task| format!("the task {}", task.now().arn.id()));
        let runners = state.runners.values().map(|runner| format!("the runner {}", runner.name));
        let mail = state.mail.keys().map(|address| format!("the assignment {address}"));
        let left: Vec<String> = tasks.chain(runners).chain(mail).collect();
        drop(state);
        if !left.is_empty() {
            cloud.broken(format!("left for ever: {}", left.join(", ")));
        }
    }

    /// Says whether it came to its end.
    async fn stop(&self, cloud: &Cloud, who: Who, force: bool) -> bool {
        let client = Client::new(cloud, who, None);
        let end = launcher::stop(&client, force, SignedDuration::from_mins(5)).await.map(|(end, _)| end);
        cloud.note(|| format!("{who} ends: {end:?}"));
        end.is_ok_and(|end| end == Some(End::Planned(Outcome::Reached)))
    }
}

fn weather(dice: &mut Dice, fair: bool, count: usize, seed: u64) -> Weather {
    let odds = |dice: &mut Dice| dice.pick(&[0, 0, 0, 20, 100, 300]);
    let fine = Weather::fine(seed.wrapping_add(1));
    let last = if fair || dice.happens(500) { Room::Ample } else { Room::For(dice.count(0, count)) };
    let mut rooms: Vec<Room> = (0..dice.count(0, 2)).map(|_| Room::For(dice.count(0, count))).collect();
    rooms.push(last);
    let denied = (!fair && dice.happens(100)).then(|| {
        let from = Timestamp::UNIX_EPOCH + dice.pause(0..60_000);
        (dice.pick(&[Service::Aws, Service::GitHub]), from..from + dice.pause(10_000..300_000))
    });
    Weather {
        odds: Odds {
            throttled: odds(dice),
            call_lost: odds(dice),
            answer_lost: odds(dice),
            put_lost: if fair { 0 } else { odds(dice) },
            taken: dice.pick(&[0, 0, 0, 100]),
            unlucky: odds(dice),
            hopeless: if fair { 0 } else { dice.pick(&[0, 0, 0, 100]) },
            late_no_room: dice.pick(&[0, 0, 300]),
            mortal: 0,
            job: dice.pick(&[0, 300, 1000]),
            slow: dice.pick(&[0, 0, 100]),
        },
        clears_at: Timestamp::UNIX_EPOCH + dice.pause(10_000..150_000),
        denied,
        rooms,
        bad_luck: if fair { dice.count(0, 3) } else { 100 },
        start: dice.pick(&[500..5000, 5000..60_000, 500..100_000]),
        lag: dice.pick(&[0, 0, 500, 5000]),
        github_lag: dice.pick(&[0, 0, 2000]),
        ..fine
    }
}
