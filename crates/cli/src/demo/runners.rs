//! The runners of a demo, read from the simulators' books and the agents' logs.

use std::collections::BTreeMap;

use fleetfoot_core::cost::{self, Billed};
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::size::Size;
use fleetfoot_core::stack::{Arch, Capacity, LaunchType};
use fleetfoot_sim::aws;
use fleetfoot_sim::events::Event;
use jiff::Timestamp;

use super::agent_log;
use crate::report::RunnerReport;

/// What the agents say of themselves: when their runners reached which phase, by the task's ARN.
#[derive(Debug, Default)]
pub struct Phases(BTreeMap<String, PhaseTimes>);

impl Phases {
    /// Takes note of an event.
    pub fn note(&mut self, event: &Event) {
        if let Event::TaskLog { arn, line } = event
            && let Some(seen) = agent_log::phase(line)
        {
            self.0.entry(arn.clone()).or_default().reach(seen.phase, seen.at);
        }
    }

    /// A task with the times of ECS and of its agent.
    pub fn report(&self, task: &aws::Task) -> Option<RunnerReport> {
        let arn: TaskArn = task.arn.parse().ok()?;
        let mut times = PhaseTimes::default();
        times.reach(Phase::Requested, task.times.created);
        for (phase, at) in [
            (Phase::Provisioning, Some(task.times.created)),
            (Phase::Pulling, task.times.pull_started),
            (Phase::Starting, task.times.pull_stopped),
            (Phase::Gone, task.times.stopped),
        ] {
            if let Some(at) = at {
                times.reach(phase, at);
            }
        }
        if let Some(own) = self.0.get(&task.arn) {
            times.merge(own);
        }
        let capacity = match (&task.capacity_provider, task.launch_type) {
            (Some(provider), _) => Capacity::Provider(provider.clone()),
            (None, aws::LaunchType::Fargate) => Capacity::LaunchType(LaunchType::Fargate),
            (None, aws::LaunchType::Ec2) => Capacity::LaunchType(LaunchType::Ec2),
        };
        let size = Size {
            cpu: task.cpu.unwrap_or_default(),
            memory: task.memory.unwrap_or_default(),
            ephemeral_storage: task.ephemeral_storage,
        };
        let platform = task.definition.definition.runtime_platform.as_ref();
        let arch = match platform.and_then(|platform| platform.cpu_architecture.as_deref()) {
            Some("ARM64") => Arch::Arm64,
            _ => Arch::X86_64,
        };
        let cost = task.times.pull_started.and_then(|from| {
            let to = task.times.stopped.unwrap_or_else(Timestamp::now);
            let public_ip = task.interface.is_some();
            cost::of_task(&Billed { capacity: &capacity, arch, size, public_ip, from, to })
        });
        Some(RunnerReport {
            name: RunnerName::of_task(&arn).to_string(),
            id: None,
            task: arn,
            capacity: Some(capacity.to_string()),
            phases: times,
            end: None,
            busy: false,
            cost,
            fate: None,
        })
    }
}
