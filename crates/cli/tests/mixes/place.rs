//! A world in which starts come and go within seconds.
//!
//! Everything takes its usual course, only faster: tasks come up in a tenth of a second, GitHub misses a
//! runner after seconds and not minutes, and agents have short deadlines, so that what leaves by itself can be
//! waited for.

use std::fs;
use std::time::Duration;

use fleetfoot::demo::world::REGION;
use fleetfoot_sim::aws::{AwsConfig, KeyValue, LogConfiguration, NetworkMode, TaskDefinition, Timing};
use fleetfoot_sim::faults::Faults;
use fleetfoot_sim::github::GithubConfig;

use crate::common::{Fleetfoot, IMAGE, Stage};

/// Between SIGTERM and SIGKILL, in seconds.
const STOP_TIMEOUT: u32 = 2;

/// A task on Fargate: the proportions of the published times, in a tenth of a second.
const FARGATE: Timing = Timing {
    provisioning: Duration::from_millis(20),
    pending: Duration::from_millis(40),
    pull: Duration::from_millis(40),
    activating: Duration::from_millis(10),
    deactivating: Duration::from_millis(5),
    stopping: Duration::from_millis(5),
    deprovisioning: Duration::from_millis(20),
    hidden: Duration::from_millis(60),
};

fn hurried(aws: &mut AwsConfig, github: &mut GithubConfig) {
    aws.fargate_timing = FARGATE;
    aws.ec2_timing =
        Timing { pending: Duration::from_millis(10), pull: Duration::from_millis(10), ..FARGATE };
    // A runner shows itself every second; a machine with more to do than it can may let it wait.
    github.offline_after = Duration::from_secs(8);
    github.lost_after = Duration::from_secs(8);
    github.assignment_timeout = Duration::from_secs(5);
    github.tick = Duration::from_millis(200);
}

/// The machine's certificate authorities, and the end of each in the file.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const END: &str = "-----END CERTIFICATE-----\n";

impl Stage {
    /// A fast world with these faults, in which an agent waits so long for its assignment.
    pub(crate) async fn hurried(faults: Faults, bind_timeout: &str) -> Self {
        let stage = Self::furnished(faults, hurried).await;
        for (family, compatibility, network_mode) in [
            ("fleetfoot-demo-fargate", "FARGATE", NetworkMode::Awsvpc),
            ("fleetfoot-demo-ec2", "EC2", NetworkMode::Bridge),
        ] {
            let mut definition = TaskDefinition {
                network_mode: Some(network_mode),
                requires_compatibilities: vec![compatibility.into()],
                ..stage.definition(family, IMAGE)
            };
            let environment = [
                ("FLEETFOOT_BIND_TIMEOUT", bind_timeout),
                ("FLEETFOOT_STOP_GRACE", "2s"),
                // What is said to whoever looks for a mistake must hold no secret either.
                ("FLEETFOOT_LOG", "debug"),
            ];
            let environment = environment.map(|(name, value)| (name, value.to_owned())).into_iter();
            let runner = &mut definition.container_definitions[0];
            runner.stop_timeout = Some(STOP_TIMEOUT);
            runner.log_configuration = Some(LogConfiguration::awslogs(stage.log_group(), REGION, "runner"));
            runner.environment = environment
                .chain(stage.one_authority())
                .map(|(name, value)| KeyValue { name: name.into(), value })
                .collect();
            stage.world.aws.register_task_definition(definition).unwrap();
        }
        stage
    }

    /// The variable with which a process reads one certificate authority in place of the machine's hundred and
    /// more. Nothing here speaks TLS, yet every client reads them all, a quarter of a short command's time.
    pub(crate) fn one_authority(&self) -> Option<(&'static str, String)> {
        let path = self.path("authority.pem");
        if !path.exists() {
            let all = fs::read_to_string(AUTHORITIES).ok()?;
            fs::write(&path, all.split_inclusive(END).next()?).unwrap();
        }
        Some(("SSL_CERT_FILE", path.display().to_string()))
    }

    /// `reap`, by somebody who may do everything.
    pub(crate) fn reap(&self) -> Fleetfoot {
        let reap = self.by_hand(&["reap", "--yes", "--timeout", "15s", "--output", "json"]);
        self.one_authority().into_iter().fold(reap, |reap, (name, value)| reap.env(name, &value))
    }

    /// Where the tasks of a fast world log.
    pub(crate) fn log_group(&self) -> &str {
        self.world.stack["log_group"].as_str().unwrap()
    }
}
