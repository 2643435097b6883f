//! What is wrong with a pool, found out before anything is created.
//!
//! RunTask would refuse each of these too, one at a time and in other words; some, such as a wrong
//! architecture, only show as a container that never starts.

use aws_sdk_ecs::types::{
    Cluster, Compatibility, CpuArchitecture, KeyValuePair, LogDriver, NetworkMode, Tag, TaskDefinition,
    TaskDefinitionField, TaskDefinitionStatus,
};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::stack::{Arch, Capacity, Pool};

use super::{EcsTasks, errors};
use crate::errors::of_sdk;

/// The tag of a task definition that says which version of GitHub's runner its image holds, such as
/// `2.336.0`. ECS knows nothing of an image but its name, so whoever registers the definition has to say it.
pub const RUNNER_VERSION_TAG: &str = "fleetfoot:runner-version";

/// A cluster that is there and ACTIVE.
#[derive(Debug, Clone)]
pub struct ClusterFacts(Cluster);

/// A task definition that is there.
#[derive(Debug, Clone)]
pub struct DefinitionFacts {
    definition: TaskDefinition,
    tags: Vec<Tag>,
}

impl EcsTasks {
    /// Compares a pool with the cluster and the task definition that are there: two calls, no change.
    ///
    /// # Errors
    /// `NotFound` when the cluster or the task definition is not there, `Invalid` when the pool does not fit
    /// them, `Denied` when they may not be looked at.
    pub async fn preflight(&self, pool: &Pool) -> Result<(), Fault> {
        let what = self.to_use(pool);
        let cluster = self.describe_cluster(&what).await?;
        let found = self.describe_definition(&what, &pool.task_definition).await?;
        check_cluster(&what, pool, &cluster)?;
        check_definition(&what, pool, &found.definition)
    }

    /// The cluster.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `Invalid` when it is not ACTIVE, `Denied` without
    /// `ecs:DescribeClusters`.
    pub async fn cluster_facts(&self) -> Result<ClusterFacts, Fault> {
        self.describe_cluster(&format!("use the cluster {}", self.cluster)).await.map(ClusterFacts)
    }

    /// A task definition, named by ARN, family or `family:revision`.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `Denied` without `ecs:DescribeTaskDefinition`.
    pub async fn definition_facts(&self, name: &str) -> Result<DefinitionFacts, Fault> {
        self.describe_definition(&format!("use the task definition {name}"), name).await
    }

    /// Whether the cluster has the capacity providers that the pool names.
    ///
    /// # Errors
    /// `Invalid` names the one that is missing, and those that there are.
    pub fn check_capacity(&self, pool: &Pool, cluster: &ClusterFacts) -> Result<(), Fault> {
        check_cluster(&self.to_use(pool), pool, &cluster.0)
    }

    /// Whether the task definition is one for this pool: its container, network mode, compatibility and
    /// architecture.
    ///
    /// # Errors
    /// `Invalid` says what does not fit.
    pub fn check_definition(&self, pool: &Pool, found: &DefinitionFacts) -> Result<(), Fault> {
        check_definition(&self.to_use(pool), pool, &found.definition)
    }

    fn to_use(&self, pool: &Pool) -> String {
        format!("use the pool {} in cluster {}", pool.name, self.cluster)
    }

    async fn describe_cluster(&self, what: &str) -> Result<Cluster, Fault> {
        let answer = self
            .client
            .describe_clusters()
            .clusters(&self.cluster)
            .send()
            .await
            .map_err(|error| of_sdk(what, "ecs:DescribeClusters", error, errors::classed))?;
        let active = |cluster: &Cluster| cluster.status() == Some("ACTIVE");
        match answer.clusters.unwrap_or_default().into_iter().next() {
            Some(cluster) if active(&cluster) => Ok(cluster),
            Some(cluster) => {
                let status = cluster.status().unwrap_or("unknown");
                Err(Fault::new(Class::Invalid, what, format!("the cluster {} is {status}", self.cluster))
                    .remedy("wait until it is ACTIVE, or name another in the stack document"))
            }
            None => Err(Fault::new(Class::NotFound, what, format!("there is no cluster {}", self.cluster))
                .remedy("check cluster and region of the stack document, and the account of the role")),
        }
    }

    async fn describe_definition(&self, what: &str, name: &str) -> Result<DefinitionFacts, Fault> {
        let answer = self
            .client
            .describe_task_definition()
            .task_definition(name)
            .include(TaskDefinitionField::Tags)
            .send()
            .await
            .map_err(|error| of_sdk(what, "ecs:DescribeTaskDefinition", error, errors::classed))?;
        let tags = answer.tags.unwrap_or_default();
        answer.task_definition.map(|definition| DefinitionFacts { definition, tags }).ok_or_else(|| {
            Fault::new(Class::Unknown, what, format!("ECS's answer has no task definition {name}"))
        })
    }
}

impl ClusterFacts {
    /// Its capacity providers.
    pub fn providers(&self) -> &[String] {
        self.0.capacity_providers()
    }
}

impl DefinitionFacts {
    /// `family:revision`.
    pub fn name(&self) -> String {
        let (family, revision) = (self.definition.family().unwrap_or_default(), self.definition.revision());
        format!("{family}:{revision}")
    }

    /// The version of GitHub's runner in its image, as [`RUNNER_VERSION_TAG`] says it.
    pub fn runner_version(&self) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key() == Some(RUNNER_VERSION_TAG)).and_then(Tag::value)
    }

    /// CPU units and MiB of its tasks, where it names them for the task as a whole.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.definition.cpu()?.parse().ok().zip(self.definition.memory()?.parse().ok())
    }

    /// The network mode, in ECS's words.
    pub fn network_mode(&self) -> &str {
        mode(&self.definition).as_str()
    }

    /// Where the log of this container of a task goes, if it goes to CloudWatch Logs: group and stream (ECS
    /// Developer Guide, "Send Amazon ECS logs to CloudWatch", awslogs-stream-prefix).
    pub fn log_of(&self, container: &str, task: &TaskArn) -> Option<(String, String)> {
        let known = self.definition.container_definitions().iter().find(|c| c.name() == Some(container))?;
        let log = known.log_configuration().filter(|log| *log.log_driver() == LogDriver::Awslogs)?;
        let option = |name: &str| log.options()?.get(name).cloned();
        let stream = format!("{}/{container}/{}", option("awslogs-stream-prefix")?, task.id());
        Some((option("awslogs-group")?, stream))
    }

    /// Whether this container is told to reach the internet through a proxy.
    pub fn is_proxied(&self, container: &str) -> bool {
        let is_proxy = |pair: &KeyValuePair| {
            pair.name().is_some_and(|name| name.eq_ignore_ascii_case("https_proxy"))
                && pair.value().is_some_and(|value| !value.is_empty())
        };
        self.definition
            .container_definitions()
            .iter()
            .any(|known| known.name() == Some(container) && known.environment().iter().any(is_proxy))
    }
}

fn check_cluster(what: &str, pool: &Pool, cluster: &Cluster) -> Result<(), Fault> {
    let have = cluster.capacity_providers();
    let missing = pool.capacity.iter().find_map(|choice| match choice {
        Capacity::Provider(name) if !have.contains(name) => Some(name),
        _ => None,
    });
    let Some(name) = missing else { return Ok(()) };
    let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
    let why = format!("the capacity provider {name} is not associated with the cluster, which has: {have}");
    Err(Fault::new(Class::Invalid, what, why).remedy(format!(
        "associate it (aws ecs put-cluster-capacity-providers), or take {name} out of the pool's capacity"
    )))
}

fn check_definition(what: &str, pool: &Pool, definition: &TaskDefinition) -> Result<(), Fault> {
    let name = &pool.task_definition;
    let refuse = |why: String, remedy: String| Err(Fault::new(Class::Invalid, what, why).remedy(remedy));
    if definition.status() == Some(&TaskDefinitionStatus::Inactive) {
        return refuse(
            format!("the task definition {name} is INACTIVE"),
            "register it again, or name another in the stack document".into(),
        );
    }
    let containers: Vec<&str> =
        definition.container_definitions().iter().filter_map(|container| container.name()).collect();
    if !containers.contains(&pool.container.as_str()) {
        return refuse(
            format!("{name} has no container {:?}, but: {}", pool.container, containers.join(", ")),
            "name the container that runs the agent in the pool's `container`".into(),
        );
    }
    let mode = mode(definition);
    let awsvpc = *mode == NetworkMode::Awsvpc;
    if awsvpc && pool.network.is_none() {
        return refuse(
            format!("{name} is in awsvpc mode, but the pool has no network"),
            "give the pool a network with subnets".into(),
        );
    }
    if !awsvpc && pool.network.is_some() {
        return refuse(
            format!("{name} is in {} mode, but the pool has a network", mode.as_str()),
            "take the network out of the pool, or register the task definition in awsvpc mode".into(),
        );
    }
    if pool.on_fargate() && !definition.requires_compatibilities().contains(&Compatibility::Fargate) {
        return refuse(
            format!("{name} is not made for Fargate, but the pool's capacity names it"),
            "register the task definition with requiresCompatibilities: FARGATE".into(),
        );
    }
    check_architecture(what, pool, definition)
}

/// Without a mode ECS takes bridge on Linux (ECS API Reference, TaskDefinition, networkMode).
fn mode(definition: &TaskDefinition) -> &NetworkMode {
    definition.network_mode().unwrap_or(&NetworkMode::Bridge)
}

fn check_architecture(what: &str, pool: &Pool, definition: &TaskDefinition) -> Result<(), Fault> {
    let named = definition.runtime_platform().and_then(|platform| platform.cpu_architecture());
    let have = match named {
        Some(CpuArchitecture::Arm64) => Arch::Arm64,
        Some(CpuArchitecture::X8664) => Arch::X86_64,
        // Fargate takes X86_64 then; on EC2 the instances decide (ECS API Reference, RuntimePlatform).
        None if pool.on_fargate() => Arch::X86_64,
        _ => return Ok(()),
    };
    if have == pool.arch {
        return Ok(());
    }
    let word = |arch| if arch == Arch::Arm64 { "ARM64" } else { "X86_64" };
    let why =
        format!("{} is for {}, but the pool's arch is {}", pool.task_definition, word(have), word(pool.arch));
    Err(Fault::new(Class::Invalid, what, why)
        .remedy("correct the pool's arch, or runtimePlatform of the task definition"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{ContainerDefinition, RuntimePlatform};
    use fleetfoot_core::stack::{LaunchType, Network};

    use super::*;

    fn pool() -> Pool {
        Pool {
            name: "linux".parse().unwrap(),
            task_definition: "ff-linux:3".into(),
            container: "runner".into(),
            arch: Arch::X86_64,
            cpu: 1024,
            memory: 2048,
            network: Some(Network {
                subnets: vec!["subnet-1".into()],
                security_groups: vec![],
                assign_public_ip: false,
            }),
            capacity: vec![Capacity::Provider("FARGATE_SPOT".into())],
            max: 1,
            warm: 0,
            adaptive: None,
            schedules: Vec::new(),
        }
    }

    fn definition() -> TaskDefinition {
        TaskDefinition::builder()
            .status(TaskDefinitionStatus::Active)
            .network_mode(NetworkMode::Awsvpc)
            .requires_compatibilities(Compatibility::Fargate)
            .container_definitions(ContainerDefinition::builder().name("runner").build())
            .build()
    }

    fn why(pool: &Pool, definition: &TaskDefinition) -> String {
        let fault = check_definition("use", pool, definition).unwrap_err();
        assert_eq!(fault.class, Class::Invalid);
        assert!(fault.remedy.is_some());
        fault.why
    }

    #[test]
    fn a_pool_that_fits_passes() {
        check_definition("use", &pool(), &definition()).unwrap();
        let cluster = Cluster::builder().capacity_providers("FARGATE_SPOT").build();
        check_cluster("use", &pool(), &cluster).unwrap();
        let ec2 = Pool { capacity: vec![Capacity::LaunchType(LaunchType::Ec2)], network: None, ..pool() };
        let bridge = TaskDefinition::builder()
            .container_definitions(ContainerDefinition::builder().name("runner").build())
            .build();
        check_definition("use", &ec2, &bridge).unwrap();
        check_cluster("use", &ec2, &Cluster::builder().build()).unwrap();
    }

    #[test]
    fn a_provider_that_is_not_there_is_named_with_those_that_are() {
        let cluster = Cluster::builder().capacity_providers("FARGATE").build();
        let why = check_cluster("use", &pool(), &cluster).unwrap_err().why;
        assert!(why.contains("FARGATE_SPOT is not associated") && why.ends_with("has: FARGATE"), "{why}");
    }

    #[test]
    fn each_misfit_has_its_own_words() {
        let mut inactive = definition();
        inactive.status = Some(TaskDefinitionStatus::Inactive);
        assert!(why(&pool(), &inactive).contains("INACTIVE"));
        assert!(why(&Pool { container: "x".into(), ..pool() }, &definition()).contains("but: runner"));
        assert!(why(&Pool { network: None, ..pool() }, &definition()).contains("awsvpc mode"));
        let mut bridge = definition();
        bridge.network_mode = None;
        assert!(why(&pool(), &bridge).contains("bridge mode, but the pool has a network"));
        let mut ec2 = definition();
        ec2.requires_compatibilities = None;
        assert!(why(&pool(), &ec2).contains("not made for Fargate"));
    }

    #[test]
    fn a_definition_tells_of_its_image_and_its_way_out() {
        let proxy = KeyValuePair::builder().name("https_proxy").value("http://proxy:3128").build();
        let container = ContainerDefinition::builder().name("runner").environment(proxy).build();
        let tag = Tag::builder().key(RUNNER_VERSION_TAG).value("2.336.0").build();
        let facts = DefinitionFacts {
            definition: TaskDefinition::builder()
                .family("ff-linux")
                .revision(3)
                .cpu("1024")
                .memory("2048")
                .container_definitions(container)
                .build(),
            tags: vec![tag],
        };
        assert_eq!((facts.name().as_str(), facts.runner_version()), ("ff-linux:3", Some("2.336.0")));
        assert_eq!((facts.size(), facts.network_mode()), (Some((1024, 2048)), "bridge"));
        assert!(facts.is_proxied("runner") && !facts.is_proxied("other"));
        let bare = DefinitionFacts { definition: definition(), tags: Vec::new() };
        assert_eq!((bare.size(), bare.runner_version(), bare.is_proxied("runner")), (None, None, false));
    }

    #[test]
    fn an_architecture_of_its_own_is_told() {
        let arm = RuntimePlatform::builder().cpu_architecture(CpuArchitecture::Arm64).build();
        let mut on_arm = definition();
        on_arm.runtime_platform = Some(arm);
        assert!(why(&pool(), &on_arm).contains("is for ARM64, but the pool's arch is X86_64"));
        // Fargate's default.
        assert!(why(&Pool { arch: Arch::Arm64, ..pool() }, &definition()).contains("is for X86_64"));
    }
}
