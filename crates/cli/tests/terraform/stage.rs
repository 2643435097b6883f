//! Our simulators, told what Terraform made: cluster, task definitions, and the roles with their policies,
//! which the simulated AWS enforces with resources and conditions.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use fleetfoot::demo::world::{ACTOR, Furniture, REPOSITORY, World, quick};
use fleetfoot_sim::aws::{
    Capacity, CapacityProvider, Cluster, LocalImage, OidcProvider, Role, Shortage, TaskDefinition,
};
use fleetfoot_sim::faults::Faults;
use fleetfoot_sim::github::Dispatch;
use fleetfoot_sim::protocol::Conclusion;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::moto::Moto;
use super::roles;
use super::run::Made;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_fleetfoot");

/// How long a workflow may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A simulated world with a repository.
pub(super) struct Stage {
    pub(super) world: World,
    files: TempDir,
}

impl Stage {
    pub(super) async fn new(made: &Made, moto: &Moto) -> Self {
        let files = tempfile::tempdir().unwrap();
        fs::create_dir_all(files.path().join(".github/workflows")).unwrap();
        let furniture = Furniture {
            files: files.path().to_owned(),
            program: PROGRAM.into(),
            faults: Faults::default(),
            pace: quick,
        };
        let stage = Self { world: World::start(&furniture).await.unwrap(), files };
        stage.furnish(made, moto);
        stage
    }

    pub(super) async fn close(self) {
        self.world.shutdown().await;
    }

    /// Runs a workflow to its end, which must be a success; gives the logs of its jobs.
    pub(super) async fn run(&self, workflow: &str) -> BTreeMap<String, String> {
        let path = ".github/workflows/launch.yml";
        fs::write(self.files.path().join(path), workflow).unwrap();
        let github = &self.world.github;
        let id = github.dispatch(&Dispatch::new(REPOSITORY, path, ACTOR)).unwrap();
        let end = tokio::time::timeout(PATIENCE, github.wait_run(id)).await;
        let jobs = github.run(id).unwrap().jobs.into_iter();
        let logs = jobs.map(|job| (job.key, github.job_log(job.id).unwrap_or_default().join("\n"))).collect();
        assert!(matches!(end, Ok(Some(Conclusion::Success))), "{end:?}: {logs:#?}");
        logs
    }

    fn furnish(&self, made: &Made, moto: &Moto) {
        let aws = &self.world.aws;
        aws.add_oidc_provider(
            OidcProvider::new(self.world.github.issuer()).named("token.actions.githubusercontent.com"),
        );
        for role in roles::of(made) {
            aws.add_role(Role::new(role.name, role.trust, role.policies)).unwrap();
        }
        for subnet in made.of_type("aws_subnet") {
            aws.add_subnet(subnet.text("id"), subnet.text("availability_zone"));
        }
        for group in made.of_type("aws_security_group") {
            aws.add_security_group(group.text("id"));
        }
        for group in made.of_type("aws_cloudwatch_log_group") {
            aws.create_log_group(group.text("name"));
        }
        let instances = Capacity::Slots { count: 1, shortage: Shortage::Memory };
        let mut providers = vec![CapacityProvider::new("FARGATE"), CapacityProvider::new("FARGATE_SPOT")];
        for provider in made.of_type("aws_ecs_capacity_provider") {
            providers.push(CapacityProvider { name: provider.text("name").into(), capacity: instances });
        }
        for cluster in made.of_type("aws_ecs_cluster") {
            let name = cluster.text("name");
            aws.create_cluster(Cluster { capacity_providers: providers.clone(), ..Cluster::new(name, &[]) });
        }
        for definition in made.of_type("aws_ecs_task_definition") {
            let definition = task_definition(definition.values);
            for container in &definition.container_definitions {
                aws.add_image(&container.image, image(&self.world, moto));
            }
            aws.register_task_definition(definition).unwrap();
        }
    }
}

/// From the provider's words to those of RegisterTaskDefinition.
fn task_definition(values: &Value) -> TaskDefinition {
    let containers: Value = serde_json::from_str(values["container_definitions"].as_str().unwrap()).unwrap();
    let containers = containers.as_array().unwrap().iter().map(|container| {
        let mut container = container.clone();
        // The file is in the image and not on this machine; what stands for the image starts the same.
        let entry = container.as_object_mut().unwrap().remove("entryPoint");
        assert_eq!(entry, Some(json!(["/usr/local/bin/fleetfoot", "agent"])));
        container
    });
    let platform = values["runtime_platform"].get(0).map(|platform| {
        json!({ "cpuArchitecture": platform["cpu_architecture"],
                "operatingSystemFamily": platform["operating_system_family"] })
    });
    let storage = values["ephemeral_storage"].get(0);
    let tags = values["tags_all"].as_object().unwrap().iter();
    serde_json::from_value(json!({
        "family": values["family"],
        "taskRoleArn": values["task_role_arn"],
        "executionRoleArn": values["execution_role_arn"],
        "networkMode": values["network_mode"],
        "requiresCompatibilities": values["requires_compatibilities"],
        "cpu": values["cpu"],
        "memory": values["memory"],
        "runtimePlatform": platform,
        "ephemeralStorage": storage.map(|storage| json!({ "sizeInGiB": storage["size_in_gib"] })),
        "containerDefinitions": containers.collect::<Value>(),
        "tags": tags.map(|(key, value)| json!({ "key": key, "value": value })).collect::<Value>(),
    }))
    .unwrap()
}

/// The demo's runner image, with a mailbox at moto.
fn image(world: &World, moto: &Moto) -> LocalImage {
    let files = world.home.path().join("image");
    assert!(fs::exists(files.join("bin/Runner.Listener")).unwrap());
    // Containers are not simulated: there is no user `runner`, so the runner stays who we are.
    let argv = [PROGRAM, "agent", "--runner-dir", "{root}", "--runner-user", ""].map(str::to_owned).to_vec();
    let env = BTreeMap::from([("AWS_ENDPOINT_URL_S3".to_owned(), moto.url().to_owned())]);
    LocalImage { argv, env, files: Some(files) }
}
