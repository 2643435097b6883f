//! One story: replicas of an autoscaler, jobs and incidents in some weather, told to its end and held against
//! the laws.

use fleetfoot::engine::Clock;
use fleetfoot_core::fleet::PoolIndex;
use futures_util::future::{join, join_all};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::cloud::{Cloud, Told, Weather};
use crate::laws;
use crate::replica::{self, Shift};
use crate::rival;
use crate::stack::{Plan, started_by};

/// Something that befalls everybody.
#[derive(Debug, Clone)]
pub(crate) enum Incident {
    /// GitHub loses the session of a set.
    DropsSession(usize),
    /// GitHub loses a set, with its runners.
    DropsSet(usize),
    /// AWS wants all tasks of this choice of capacity back, but for some: odds in a thousand.
    Storm(usize, u32),
}

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) comes: SignedDuration,
    pub(crate) set: usize,
    pub(crate) lasts: SignedDuration,
    pub(crate) cancelled: Option<SignedDuration>,
}

/// How GitHub is with its scale sets.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// How long it keeps a session that is not polled.
    pub(crate) session: SignedDuration,
    pub(crate) acquired: bool,
    pub(crate) forgets: bool,
    /// When sets have no queue: set, from, for how long.
    pub(crate) no_queue: Vec<(usize, SignedDuration, SignedDuration)>,
}

/// A story, before it is told.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) plan: Plan,
    pub(crate) weather: Weather,
    pub(crate) manners: Manners,
    pub(crate) replicas: Vec<Vec<Shift>>,
    pub(crate) work: Vec<Work>,
    pub(crate) incidents: Vec<(SignedDuration, Incident)>,
    /// Starts that would take a warm task.
    pub(crate) rivals: Vec<(SignedDuration, PoolIndex)>,
    /// Until when processes come to their ends.
    pub(crate) dusk: SignedDuration,
    /// From when on nothing befalls anybody any more.
    pub(crate) calm: SignedDuration,
    /// Whether nothing does at any time.
    pub(crate) fine: bool,
}

impl Story {
    /// Tells it.
    pub(crate) fn tell(&self, traced: bool) -> Told {
        let cloud = Cloud::new(self.weather.clone());
        self.prepare(&cloud, traced);
        let (over, dusk) = (CancellationToken::new(), Timestamp::UNIX_EPOCH + self.dusk);
        cloud.time.tell(async {
            let replicas = self.replicas.iter().enumerate();
            let replicas =
                replicas.map(|(n, shifts)| replica::play(&cloud, &self.plan, n, shifts, dusk, &over));
            let told = join(join_all(replicas), async {
                self.befall(&cloud).await;
                cloud.time.until(Timestamp::UNIX_EPOCH + self.calm).await;
                cloud.note(|| "all is calm".to_owned());
                laws::all_jobs_are_served(&cloud, &self.plan).await;
                cloud.note(|| "no job is left".to_owned());
                laws::all_is_quiet(&cloud, &self.plan).await;
                cloud.note(|| "all is quiet".to_owned());
                over.cancel();
            });
            tokio::select! {
                biased;
                () = cloud.go_on() => {}
                () = laws::nobody_waits(&cloud, &self.plan), if self.fine => {}
                _ = told => {}
            }
        });
        let mut state = cloud.state();
        let counts = laws::counts(&state, self.fine);
        let waits =
            state.jobs.all.iter().filter_map(|job| Some(job.begun?.duration_since(job.queued))).collect();
        let broken = std::mem::take(&mut state.book.broken);
        Told { broken, trace: state.book.trace.take().unwrap_or_default(), counts, waits }
    }

    fn prepare(&self, cloud: &Cloud, traced: bool) {
        let mut state = cloud.state();
        state.idle_timeout = self.plan.idle_timeout;
        state.has_events = self.plan.events;
        for (n, rule) in self.plan.pools.iter().enumerate() {
            state.most_wanted.insert(started_by(PoolIndex(n)), rule.max);
        }
        let jobs = &mut state.jobs;
        (jobs.session, jobs.replicas) = (self.manners.session, self.replicas.len());
        (jobs.acquired, jobs.forgets) = (self.manners.acquired, self.manners.forgets);
        jobs.first = Some(self.plan.name(0));
        jobs.most =
            self.plan.sets.iter().enumerate().map(|(n, rule)| (self.plan.name(n), rule.max)).collect();
        let epoch = Timestamp::UNIX_EPOCH;
        let no_queue = self.manners.no_queue.iter();
        jobs.no_queue = no_queue
            .map(|(set, from, lasts)| (self.plan.name(*set), epoch + *from..epoch + *from + *lasts))
            .collect();
        if traced {
            state.book.trace = Some(Vec::new());
            state.book.note(epoch, || format!("{self:#?}"));
        }
    }

    /// Everything that comes from outside.
    async fn befall(&self, cloud: &Cloud) {
        let work = self.work.iter().map(async |work| {
            cloud.time.sleep(work.comes).await;
            let job = cloud.state().queue_job(&self.plan.name(work.set), work.lasts);
            if let Some(after) = work.cancelled {
                cloud.time.sleep(after).await;
                cloud.state().cancel_job(job);
            }
        });
        let incidents = self.incidents.iter().map(async |(at, incident)| {
            cloud.time.sleep(*at).await;
            let mut state = cloud.state();
            match incident {
                Incident::DropsSession(set) => state.drop_session(&self.plan.name(*set)),
                Incident::DropsSet(set) => state.drop_set(&self.plan.name(*set)),
                Incident::Storm(capacity, odds) => state.storm(*capacity, *odds),
            }
        });
        let rivals = self.rivals.iter().enumerate();
        let rivals = rivals.map(|(n, (at, pool))| rival::start(cloud, &self.plan, n, *pool, *at));
        join(join_all(work), join(join_all(incidents), join_all(rivals))).await;
    }
}
