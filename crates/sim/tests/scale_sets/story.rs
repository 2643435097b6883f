//! The story, and what is noted of each answer.

use scaleset::{
    Client, JitRunnerSetting, JobMessage, JobRequestId, MessageId, MessageSession, RunnerGroupId, RunnerId,
    RunnerScaleSet, RunnerScaleSetSpec, ScaleSetId, ScaleSetMessage,
};
use secrecy::ExposeSecret;

/// What differs between the two: how a job comes, how a runner runs it, and how things end.
pub(crate) trait Stage {
    /// A client with valid credentials.
    fn client(&self) -> Client;
    /// One with credentials that nobody knows.
    fn stranger(&self) -> Client;
    /// A job for the label `linux`; the first is 0, the second 1.
    async fn queue(&self, set: ScaleSetId);
    /// A runner connects by its configuration.
    async fn connect(&self, runner: &str, jit_config: &str);
    /// The runner begins the job.
    async fn start(&self, job: usize, runner: &str);
    /// The runner ends the job, without success.
    async fn fail(&self, job: usize, runner: &str);
    /// The job is cancelled before a runner has begun it.
    async fn cancel(&self, job: usize);
    /// The token of the queue ends.
    async fn end_queue_token(&self, set: ScaleSetId);
    /// The tokens with which scale sets are managed end.
    async fn end_admin_tokens(&self);
    /// The session ends, as if nobody had polled.
    async fn end_session(&self, set: ScaleSetId);
}

struct Notes(Vec<String>);

impl Notes {
    fn note(&mut self, what: &str, answer: impl std::fmt::Debug) {
        self.0.push(format!("{what}: {answer:?}"));
    }

    /// What came of a call: the answer, or how it was refused.
    fn result<T, N: std::fmt::Debug>(
        &mut self,
        what: &str,
        result: &scaleset::Result<T>,
        note: impl FnOnce(&T) -> N,
    ) {
        match result {
            Ok(answer) => self.note(what, note(answer)),
            Err(error) => {
                let known = [
                    ("runner exists", error.is_runner_exists()),
                    ("no runner", error.is_runner_not_found()),
                    ("job still running", error.is_job_still_running()),
                    ("token expired", error.is_message_queue_token_expired()),
                ];
                let known: Vec<&str> = known.iter().filter(|(_, is)| *is).map(|(word, _)| *word).collect();
                self.note(what, (error.status().map(|status| status.as_u16()), known));
            }
        }
    }
}

fn set(set: &RunnerScaleSet) -> impl std::fmt::Debug + use<> {
    let labels: Vec<(String, String)> =
        set.labels.iter().map(|label| (label.name.clone(), label.label_type.clone())).collect();
    let group = (set.runner_group_id, set.runner_group_name.clone());
    (set.name.clone(), group, labels, set.runner_setting, set.statistics, set.created_on.is_some())
}

/// Everything of a message but what must differ: ids, names of jobs, repositories and times; of the times,
/// whether there are any.
fn message(message: Option<&ScaleSetMessage>) -> impl std::fmt::Debug + use<> {
    let message = message?;
    let events: Vec<String> = message.jobs.iter().map(event).collect();
    Some((message.id, events, message.statistics))
}

fn event(event: &JobMessage) -> String {
    let (kind, more) = match event {
        JobMessage::Available(available) => {
            ("available", available.acquire_job_url.ends_with("/acquirejobs").to_string())
        }
        JobMessage::Assigned(_) => ("assigned", String::new()),
        JobMessage::Started(started) => ("started", started.runner_name.clone()),
        JobMessage::Completed(completed) => {
            ("completed", format!("{:?} on {:?}", completed.result, completed.runner_name))
        }
        _ => ("unknown", String::new()),
    };
    let job = event.job().unwrap();
    let times = [job.queue_time, job.scale_set_assign_time, job.runner_assign_time, job.finish_time]
        .map(|at| at.is_some());
    let known = [
        job.runner_request_id.get() > 0,
        job.workflow_run_id > 0,
        job.job_id.len() == 36,
        !job.job_display_name.is_empty(),
        !job.owner_name.is_empty() && !job.repository_name.is_empty(),
        job.job_workflow_ref.contains("/.github/workflows/")
            && job.job_workflow_ref.ends_with("@refs/heads/main"),
    ];
    format!("{kind} {more} {:?} {:?} {times:?} {known:?}", job.request_labels, job.event_name)
}

/// Polls, notes the answer and acknowledges it.
async fn take(
    notes: &mut Notes,
    what: &str,
    session: &MessageSession,
    last: &mut Option<MessageId>,
) -> Vec<JobMessage> {
    let polled = session.get_message(*last, 100).await;
    notes.result(what, &polled, |polled| message(polled.as_ref()));
    let Ok(Some(taken)) = polled else { return Vec::new() };
    session.delete_message(taken.id).await.unwrap();
    *last = Some(taken.id);
    taken.jobs
}

fn available(events: &[JobMessage]) -> Vec<JobRequestId> {
    let available = |event: &JobMessage| match event {
        JobMessage::Available(available) => Some(available.job.runner_request_id),
        _ => None,
    };
    events.iter().filter_map(available).collect()
}

/// Tells the story; gives back what was answered, step by step.
pub(crate) async fn tell(stage: &impl Stage) -> Vec<String> {
    let mut notes = Notes(Vec::new());
    let client = stage.client();
    let id = sets(&mut notes, &client, stage).await;
    let session = sessions(&mut notes, &client, id).await;
    jobs(&mut notes, &client, stage, id, &session).await;
    batches(&mut notes, stage, id, &session).await;
    ends(&mut notes, &client, stage, id, &session).await;
    notes.0
}

async fn sets(notes: &mut Notes, client: &Client, stage: &impl Stage) -> ScaleSetId {
    let group = RunnerGroupId::DEFAULT;
    let refused = stage.stranger().get_runner_scale_set_by_name(group, "linux").await;
    notes.result("a stranger looks", &refused, Option::is_some);
    let found = client.get_runner_group_by_name("default").await;
    notes.result("the default group", &found, |it| {
        it.as_ref().map(|it| (it.id, it.name.clone(), it.is_default))
    });
    let found = client.get_runner_group_by_name("nobody").await;
    notes.result("no group", &found, Option::is_some);
    let found = client.get_runner_scale_set_by_name(group, "linux").await;
    notes.result("nothing yet", &found, Option::is_some);

    let spec = RunnerScaleSetSpec::new("linux");
    let made = client.create_runner_scale_set(&spec).await;
    notes.result("make", &made, set);
    let id = made.unwrap().id;
    let twice = client.create_runner_scale_set(&spec).await;
    notes.result("make it twice", &twice, set);
    let elsewhere = client.create_runner_scale_set(&spec.clone().runner_group_id(RunnerGroupId(77))).await;
    notes.result("make it in no group", &elsewhere, set);
    let found = client.get_runner_scale_set_by_name(group, "linux").await;
    notes.result("find", &found, |found| found.as_ref().map(set));
    let other_case = client.get_runner_scale_set_by_name(group, "Linux").await;
    notes.result("find by another case", &other_case, Option::is_some);
    let got = client.get_runner_scale_set_by_id(id).await;
    notes.result("get", &got, set);
    let missing = client.get_runner_scale_set_by_id(ScaleSetId(4_711)).await;
    notes.result("get another", &missing, set);

    let wish = RunnerScaleSetSpec::default().labels(["linux", "gpu"]).disable_update(true);
    let changed = client.update_runner_scale_set(id, &wish).await;
    notes.result("change", &changed, set);
    let other = client.create_runner_scale_set(&RunnerScaleSetSpec::new("other")).await.unwrap();
    let renamed = client.update_runner_scale_set(other.id, &RunnerScaleSetSpec::new("linux")).await;
    notes.result("rename it to one that is there", &renamed, set);
    let listed = client.list_runner_scale_sets(group).await;
    notes.result("list", &listed, |sets| sets.iter().map(|set| set.name.clone()).collect::<Vec<_>>());
    let removed = client.delete_runner_scale_set(other.id).await;
    notes.result("remove", &removed, |()| ());
    id
}

async fn sessions(notes: &mut Notes, client: &Client, id: ScaleSetId) -> MessageSession {
    let missing = client.create_message_session(ScaleSetId(4_711), "one").await;
    notes.result("open the queue of none", &missing, |_| ());
    let opened = client.create_message_session(id, "one").await;
    let about = |session: &MessageSession| {
        let info = session.info();
        (info.owner_name.clone(), info.statistics, info.runner_scale_set.as_ref().map(|set| set.name.clone()))
    };
    notes.result("open", &opened, about);
    let second = client.create_message_session(id, "two").await;
    notes.result("open it twice", &second, about);
    let opened = opened.unwrap();
    let closed = opened.close().await;
    notes.result("close", &closed, |()| ());
    let again = opened.close().await;
    notes.result("close it twice", &again, |()| ());
    let lost = opened.get_message(None, 100).await;
    notes.result("poll what is closed", &lost, |_| ());
    client.create_message_session(id, "one").await.unwrap()
}

async fn jobs(
    notes: &mut Notes,
    client: &Client,
    stage: &impl Stage,
    id: ScaleSetId,
    session: &MessageSession,
) {
    let mut last = None;
    take(notes, "nothing happens", session, &mut last).await;
    stage.queue(id).await;
    stage.queue(id).await;
    let polled = session.get_message(None, 100).await;
    notes.result("two jobs come", &polled, |polled| message(polled.as_ref()));
    let offered = take(notes, "they come again until they are acknowledged", session, &mut last).await;
    let requests = available(&offered);
    take(notes, "and then no more", session, &mut last).await;
    let acquired = session.acquire_jobs(&[requests[0], JobRequestId(4_711)]).await;
    notes.result("acquire one", &acquired, |acquired| *acquired == [requests[0]]);
    let acquired = session.acquire_jobs(&[requests[0]]).await;
    notes.result("acquire it twice", &acquired, |acquired| *acquired == [requests[0]]);
    take(notes, "it is assigned", session, &mut last).await;

    let minted = client.generate_jit_config(id, &JitRunnerSetting::new("r1")).await;
    let reference = |runner: &scaleset::RunnerReference| {
        (runner.id.get() > 0, runner.name.clone(), runner.runner_scale_set_id == id)
    };
    notes.result("mint", &minted, |minted| minted.runner.as_ref().map(reference));
    let minted = minted.unwrap();
    let runner = minted.runner.unwrap().id;
    let taken = client.generate_jit_config(id, &JitRunnerSetting::new("r1")).await;
    notes.result("mint it twice", &taken, |_| ());
    let nameless = client.generate_jit_config(id, &JitRunnerSetting::new("")).await;
    notes.result("mint without a name", &nameless, |_| ());
    let nowhere = client.generate_jit_config(ScaleSetId(4_711), &JitRunnerSetting::new("r9")).await;
    notes.result("mint for none", &nowhere, |_| ());
    let found = client.get_runner_by_name("r1").await;
    notes.result("find the runner", &found, |found| found.as_ref().map(reference));
    let found = client.get_runner_by_name("r9").await;
    notes.result("find no runner", &found, Option::is_some);
    let got = client.get_runner(runner).await;
    notes.result("get the runner", &got, reference);
    let missing = client.get_runner(RunnerId(4_711)).await;
    notes.result("get another runner", &missing, reference);

    stage.connect("r1", minted.encoded_jit_config.expose_secret()).await;
    let idle = client.get_runner_scale_set_by_id(id).await;
    notes.result("a runner is there", &idle, set);
    stage.start(0, "r1").await;
    let busy = client.remove_runner(runner).await;
    notes.result("remove a busy runner", &busy, |()| ());
    take(notes, "the runner has begun", session, &mut last).await;
    stage.fail(0, "r1").await;
    take(notes, "the runner has ended", session, &mut last).await;
    let gone = client.get_runner(runner).await;
    notes.result("its registration is gone", &gone, reference);
    let gone = client.remove_runner(runner).await;
    notes.result("remove what is gone", &gone, |()| ());

    session.acquire_jobs(&requests[1..]).await.unwrap();
    stage.cancel(1).await;
    take(notes, "a job is assigned and cancelled", session, &mut last).await;
    stage.queue(id).await;
    stage.cancel(2).await;
    take(notes, "a job comes and is cancelled", session, &mut last).await;
    let idle = client.generate_jit_config(id, &JitRunnerSetting::new("r2")).await.unwrap();
    let removed = client.remove_runner(idle.runner.unwrap().id).await;
    notes.result("remove a runner", &removed, |()| ());
    let after = client.get_runner_scale_set_by_id(id).await;
    notes.result("after all that", &after, set);
}

/// More than a message holds.
async fn batches(notes: &mut Notes, stage: &impl Stage, id: ScaleSetId, session: &MessageSession) {
    for _ in 0..60 {
        stage.queue(id).await;
    }
    let first = session.get_message(None, 100).await.unwrap().unwrap();
    notes.note("the first fifty", (first.id, first.jobs.len(), first.statistics));
    session.delete_message(first.id).await.unwrap();
    session.delete_message(first.id).await.unwrap();
    let mut last = Some(first.id);
    let rest = take(notes, "the rest", session, &mut last).await;
    let rest = available(&rest);
    let acquired = session.acquire_jobs(&rest).await;
    notes.result("acquire the rest", &acquired, |acquired| *acquired == rest);
    take(notes, "the rest is assigned", session, &mut last).await;
}

async fn ends(
    notes: &mut Notes,
    client: &Client,
    stage: &impl Stage,
    id: ScaleSetId,
    session: &MessageSession,
) {
    stage.end_queue_token(id).await;
    let polled = session.get_message(Some(MessageId(1_000)), 100).await;
    notes.result("the queue's token has ended", &polled, |polled| message(polled.as_ref()));
    stage.end_admin_tokens().await;
    let found = client.get_runner_scale_set_by_id(id).await;
    notes.result("the admin token has ended", &found, set);
    stage.end_session(id).await;
    let polled = session.get_message(None, 100).await;
    notes.result("the session has ended", &polled, |_| ());
    let acquired = session.acquire_jobs(&[JobRequestId(1)]).await;
    notes.result("acquire without a session", &acquired, |_| ());
    let removed = client.delete_runner_scale_set(id).await;
    notes.result("remove the set", &removed, |()| ());
    let removed = client.delete_runner_scale_set(id).await;
    notes.result("remove it twice", &removed, |()| ());
    let gone = client.create_message_session(id, "one").await;
    notes.result("open the queue of what is gone", &gone, |_| ());
    let gone = client.update_runner_scale_set(id, &RunnerScaleSetSpec::new("x")).await;
    notes.result("change what is gone", &gone, set);
}
