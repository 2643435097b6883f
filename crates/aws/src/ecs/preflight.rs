//! What is wrong with a pool, found out before anything is created.
//!
//! RunTask would refuse each of these too, one at a time and in other words; some, such as a wrong
//! architecture, only show as a container that never starts.

use aws_sdk_ecs::types::{
    Cluster, Compatibility, CpuArchitecture, NetworkMode, TaskDefinition, TaskDefinitionStatus,
};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::stack::{Arch, Capacity, Pool};

use super::{EcsTasks, errors};
use crate::errors::of_sdk;

impl EcsTasks {
    /// Compares a pool with the cluster and the task definition that are there: two calls, no change.
    ///
    /// # Errors
    /// `NotFound` when the cluster or the task definition is not there, `Invalid` when the pool does not fit
    /// them, `Denied` when they may not be looked at.
    pub async fn preflight(&self, pool: &Pool) -> Result<(), Fault> {
        let what = format!("use the pool {} in cluster {}", pool.name, self.cluster);
        let cluster = self.describe_cluster(&what).await?;
        let definition = self.describe_definition(&what, &pool.task_definition).await?;
        check_cluster(&what, pool, &cluster)?;
        check_definition(&what, pool, &definition)
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

    async fn describe_definition(&self, what: &str, name: &str) -> Result<TaskDefinition, Fault> {
        let answer = self
            .client
            .describe_task_definition()
            .task_definition(name)
            .send()
            .await
            .map_err(|error| of_sdk(what, "ecs:DescribeTaskDefinition", error, errors::classed))?;
        answer.task_definition.ok_or_else(|| {
            Fault::new(Class::Unknown, what, format!("ECS's answer has no task definition {name}"))
        })
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
    // Without a mode ECS takes bridge on Linux (ECS API Reference, TaskDefinition, networkMode).
    let mode = definition.network_mode().unwrap_or(&NetworkMode::Bridge);
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
    fn an_architecture_of_its_own_is_told() {
        let arm = RuntimePlatform::builder().cpu_architecture(CpuArchitecture::Arm64).build();
        let mut on_arm = definition();
        on_arm.runtime_platform = Some(arm);
        assert!(why(&pool(), &on_arm).contains("is for ARM64, but the pool's arch is X86_64"));
        // Fargate's default.
        assert!(why(&Pool { arch: Arch::Arm64, ..pool() }, &definition()).contains("is for X86_64"));
    }
}
