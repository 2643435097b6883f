//! The crate's types in the words of `core`.

use fleetfoot_core::ids::RunnerId;
use fleetfoot_core::scale_sets::{Demand, Job, JobEvent, Message, MessageId, RequestId, RunnerRef};
use jiff::Timestamp;
use scaleset::{JobInfo, JobMessage, ScaleSetMessage, ScaleSetStatistics};

pub(super) fn demand(statistics: &ScaleSetStatistics) -> Demand {
    Demand {
        available: statistics.total_available_jobs,
        acquired: statistics.total_acquired_jobs,
        assigned: statistics.total_assigned_jobs,
        running: statistics.total_running_jobs,
        registered: statistics.total_registered_runners,
        busy: statistics.total_busy_runners,
        idle: statistics.total_idle_runners,
    }
}

pub(super) fn message(message: ScaleSetMessage, demand: Demand) -> Message {
    let id = MessageId(message.id.get());
    Message { id, demand, events: message.jobs.into_iter().filter_map(event).collect() }
}

/// A runner; `None` if nobody can be called so.
pub(super) fn runner(id: scaleset::RunnerId, name: &str) -> Option<RunnerRef> {
    let id = u64::try_from(id.get()).ok().filter(|id| *id > 0)?;
    Some(RunnerRef { id: RunnerId(id), name: name.parse().ok()? })
}

fn event(message: JobMessage) -> Option<JobEvent> {
    match message {
        JobMessage::Available(available) => Some(JobEvent::Available(job(available.job))),
        JobMessage::Assigned(assigned) => Some(JobEvent::Assigned(job(assigned.job))),
        JobMessage::Started(started) => {
            let runner = runner(started.runner_id, &started.runner_name);
            if runner.is_none() {
                tracing::warn!(
                    job = started.job.job_display_name,
                    "GitHub tells of a job without its runner"
                );
            }
            Some(JobEvent::Started { job: job(started.job), runner: runner? })
        }
        JobMessage::Completed(completed) => Some(JobEvent::Completed {
            runner: runner(completed.runner_id, &completed.runner_name),
            job: job(completed.job),
            result: completed.result,
        }),
        // The crate has said so in the log.
        _ => None,
    }
}

fn job(info: JobInfo) -> Job {
    Job {
        request: RequestId(info.runner_request_id.get()),
        id: info.job_id,
        name: info.job_display_name,
        repository: format!("{}/{}", info.owner_name, info.repository_name).parse().ok(),
        workflow_ref: info.job_workflow_ref,
        run_id: u64::try_from(info.workflow_run_id).unwrap_or_default(),
        event: info.event_name,
        labels: info.request_labels,
        queued: time(info.queue_time),
        assigned: time(info.scale_set_assign_time),
        taken: time(info.runner_assign_time),
        finished: time(info.finish_time),
    }
}

/// The crate has another version of the same timestamp.
fn time(at: Option<impl std::fmt::Display>) -> Option<Timestamp> {
    at.and_then(|at| at.to_string().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_with_what_github_leaves_out() {
        let body = serde_json::json!([
            {"messageType": "JobAssigned", "runnerRequestId": 7, "jobId": "j", "jobDisplayName": "build",
             "ownerName": "acme", "repositoryName": "shop", "workflowRunId": 42, "requestLabels": ["linux"],
             "queueTime": "2026-01-02T03:04:05.678Z", "finishTime": "0001-01-01T00:00:00Z"},
            {"messageType": "JobStarted", "runnerRequestId": 7, "runnerId": 3, "runnerName": "ff-1"},
            {"messageType": "JobStarted", "runnerRequestId": 8, "runnerId": 0, "runnerName": ""},
            {"messageType": "JobCompleted", "runnerRequestId": 8, "runnerId": 0, "runnerName": "", "result": "canceled"},
            {"messageType": "JobDreamt", "runnerRequestId": 9},
        ]);
        let mut crates = ScaleSetMessage::default();
        crates.id = scaleset::MessageId(5);
        crates.jobs = serde_json::from_value(body).unwrap();
        let read = message(crates, Demand { assigned: 2, ..Demand::default() });
        assert_eq!((read.id, read.demand.assigned), (MessageId(5), 2));
        let [JobEvent::Assigned(build), JobEvent::Started { runner, .. }, completed] = read.events.as_slice()
        else {
            panic!("{:?}", read.events)
        };
        assert_eq!((build.request, build.run_id, build.name.as_str()), (RequestId(7), 42, "build"));
        assert_eq!(build.repository.as_ref().unwrap().as_str(), "acme/shop");
        assert_eq!(build.queued.unwrap().to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!((build.taken, build.finished), (None, None));
        assert_eq!((runner.id, runner.name.as_str()), (RunnerId(3), "ff-1"));
        let JobEvent::Completed { job, runner: None, result } = completed else { panic!("{completed:?}") };
        assert_eq!((job.request, job.repository.as_ref(), result.as_str()), (RequestId(8), None, "canceled"));
    }
}
