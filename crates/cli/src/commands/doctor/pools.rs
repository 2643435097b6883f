//! The pools: what `start` would start, and where.

use std::collections::{BTreeMap, BTreeSet};

use fleetfoot_aws::{Aws, ClusterFacts, DefinitionFacts, EcsTasks, FargateVcpus};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::stack::{Capacity, Pool, Stack};
use fleetfoot_github::RunnerRelease;
use futures_util::future::join_all;
use jiff::Timestamp;

use super::finding::{Check, Finding};
use super::{network, version};

/// What there is of all that the pools name.
pub(super) struct Facts<'a> {
    stack: &'a Stack,
    tasks: EcsTasks,
    /// The cluster, if it could be seen.
    pub(super) cluster: Option<ClusterFacts>,
    definitions: BTreeMap<&'a str, Result<DefinitionFacts, Fault>>,
    quotas: BTreeMap<FargateVcpus, Result<f64, Fault>>,
    network: network::Facts,
}

impl<'a> Facts<'a> {
    /// Looks at everything but the cluster, each thing once.
    pub(super) async fn look(stack: &'a Stack, aws: &Aws) -> Self {
        let tasks = aws.tasks(&stack.cluster);
        let names: BTreeSet<&str> = stack.pools.iter().map(|pool| pool.task_definition.as_str()).collect();
        let kinds: BTreeSet<FargateVcpus> =
            stack.pools.iter().flat_map(|pool| &pool.capacity).filter_map(fargate).collect();
        let (definitions, quotas, network) = tokio::join!(
            join_all(names.into_iter().map(async |name| (name, tasks.definition_facts(name).await))),
            join_all(kinds.into_iter().map(async |kind| (kind, aws.fargate_vcpus(kind).await))),
            network::Facts::look(stack, aws),
        );
        let (definitions, quotas) = (definitions.into_iter().collect(), quotas.into_iter().collect());
        Self { stack, tasks, cluster: None, definitions, quotas, network }
    }

    /// What is to say of one of the pools. `newest` is the runner's newest release, or why it is not known.
    pub(super) fn judge(
        &self,
        pool: &Pool,
        newest: Result<&RunnerRelease, &version::Unknown>,
    ) -> Vec<Finding> {
        let definition = self.definitions.get(pool.task_definition.as_str());
        let facts = definition.and_then(|seen| seen.as_ref().ok());
        let mut findings = vec![self.task_definition(pool), self.capacity_providers(pool)];
        if let Some(network) = &pool.network {
            let region = &self.stack.region;
            let place = network::Place { pool, network, region, private: self.private(pool, facts) };
            findings.extend(self.network.judge(&place));
        } else {
            findings.push(Check::WayOut.of(&pool.name).note(
                "not checked: the pool's tasks have the network of their instances",
                "See that the instances reach GitHub and AWS on port 443.",
            ));
        }
        findings.extend(self.quota(pool));
        let of = Check::RunnerVersion.of(&pool.name);
        findings.push(match facts {
            Some(facts) => version::judge(of, facts.runner_version(), newest, Timestamp::now()),
            None => of.skipped(Check::TaskDefinition),
        });
        findings
    }

    fn task_definition(&self, pool: &Pool) -> Finding {
        let of = Check::TaskDefinition.of(&pool.name);
        let name = &pool.task_definition;
        let facts = match self.definitions.get(name.as_str()) {
            Some(Ok(facts)) => facts,
            Some(Err(fault)) => {
                let copy = network::again(fault);
                return match fault.class {
                    Class::NotFound | Class::Invalid => of.failed(copy),
                    _ => of.unseen(copy, "ecs:DescribeTaskDefinition"),
                };
            }
            None => return of.skipped(Check::Cluster),
        };
        if let Err(fault) = self.tasks.check_definition(pool, facts) {
            return of.failed(fault);
        }
        let sentence = format!(
            "{} fits the pool ({}, container {})",
            facts.name(),
            facts.network_mode(),
            pool.container
        );
        match facts.size() {
            Some((cpu, memory)) if (cpu, memory) != (pool.cpu, pool.memory) => of.warning(
                format!(
                    "{} has {cpu} CPU units and {memory} MiB, but the pool says {} and {}",
                    facts.name(),
                    pool.cpu,
                    pool.memory
                ),
                "Write the same sizes into the stack document: costs and quotas are reckoned by it.",
            ),
            _ => of.ok(sentence),
        }
    }

    fn capacity_providers(&self, pool: &Pool) -> Finding {
        let of = Check::CapacityProviders.of(&pool.name);
        let Some(cluster) = &self.cluster else { return of.skipped(Check::Cluster) };
        let choices: Vec<String> = pool.capacity.iter().map(ToString::to_string).collect();
        match self.tasks.check_capacity(pool, cluster) {
            Ok(()) => of.ok(format!("the cluster has what the pool names: {}", choices.join(", "))),
            Err(fault) => of.failed(fault),
        }
    }

    /// Why tasks might reach GitHub without a way to the internet, if they might.
    fn private(&self, pool: &Pool, definition: Option<&DefinitionFacts>) -> Option<&'static str> {
        let address = self.stack.github.url.split("://").nth(1).unwrap_or_default();
        let host = address.split(['/', ':']).next().unwrap_or_default();
        if definition.is_some_and(|facts| facts.is_proxied(&pool.container)) {
            Some("GitHub is reached through a proxy, which is not checked")
        } else if host != "github.com" && host != "www.github.com" && !host.ends_with(".ghe.com") {
            Some("GitHub is a server of your own, which may be reached privately")
        } else {
            None
        }
    }

    /// Whether the account may have as many vCPUs as the pool may have tasks; `None` if the pool is not on
    /// Fargate alone, so that no quota of Fargate's ends it.
    fn quota(&self, pool: &Pool) -> Option<Finding> {
        let kinds: BTreeSet<FargateVcpus> = pool.capacity.iter().map(fargate).collect::<Option<_>>()?;
        let of = Check::Quota.of(&pool.name);
        let (mut most, mut list) = (0.0, Vec::new());
        for kind in &kinds {
            match self.quotas.get(kind)? {
                Ok(vcpus) => {
                    most += vcpus;
                    list.push(format!("{vcpus} vCPU {}", kind.word()));
                }
                Err(fault) => return Some(of.unseen(network::again(fault), "servicequotas:GetServiceQuota")),
            }
        }
        let wanted = f64::from(pool.max) * f64::from(pool.cpu) / 1024.0;
        let sentence = format!(
            "{} tasks of the pool are {wanted} vCPU; of Fargate the account may have {}",
            pool.max,
            list.join(" and ")
        );
        if wanted <= most {
            return Some(of.ok(sentence));
        }
        let codes: Vec<&str> = kinds.iter().map(|kind| kind.code()).collect();
        Some(of.warning(
            format!("{sentence}, other tasks included"),
            format!(
                "Ask for more in Service Quotas (fargate, {}), or lower the pool's max.",
                codes.join(", ")
            ),
        ))
    }
}

fn fargate(capacity: &Capacity) -> Option<FargateVcpus> {
    if capacity.is_fargate_spot() {
        Some(FargateVcpus::Spot)
    } else {
        capacity.is_fargate().then_some(FargateVcpus::OnDemand)
    }
}
