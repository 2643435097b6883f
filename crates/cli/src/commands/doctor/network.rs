//! The network of the pools: looked at once for all of them, judged for each.

use std::collections::BTreeSet;

use fleetfoot_aws::Aws;
use fleetfoot_aws::ec2::{Egress, Endpoint, Groups, RouteTable, SecurityGroup, Subnet};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::stack::{Capacity, Network, Pool, Stack};

use super::finding::{Check, Finding, Of, State};
use super::way::{self, Way};

/// What EC2 says, or why it does not.
type Seen<T> = Result<Vec<T>, Fault>;

/// What there is of the subnets, routes, endpoints and security groups that the pools name.
pub(super) struct Facts {
    subnets: Seen<Subnet>,
    tables: Seen<RouteTable>,
    endpoints: Seen<Endpoint>,
    groups: Seen<SecurityGroup>,
}

/// A pool with its network.
pub(super) struct Place<'a> {
    /// The pool.
    pub(super) pool: &'a Pool,
    /// Its network.
    pub(super) network: &'a Network,
    /// The stack's region.
    pub(super) region: &'a str,
    /// Why GitHub might be reached without a way to the internet, if it might.
    pub(super) private: Option<&'static str>,
}

impl Facts {
    /// Looks at all of it, in a handful of calls however many pools there are.
    pub(super) async fn look(stack: &Stack, aws: &Aws) -> Self {
        let networks = || stack.pools.iter().filter_map(|pool| pool.network.as_ref());
        let ids = distinct(networks().flat_map(|network| &network.subnets));
        let subnets = aws.subnets(&ids).await;
        let vpcs = distinct(subnets.iter().flatten().map(|subnet| &subnet.vpc));
        let named = distinct(networks().flat_map(|network| &network.security_groups));
        let by_default =
            if networks().any(|network| network.security_groups.is_empty()) { &vpcs[..] } else { &[] };
        let groups = async {
            let (named, default) = tokio::join!(
                aws.security_groups(Groups::Ids(&named)),
                aws.security_groups(Groups::DefaultOf(by_default)),
            );
            let mut groups = named?;
            groups.extend(default?);
            Ok(groups)
        };
        let (tables, endpoints, groups) =
            tokio::join!(aws.route_tables(&vpcs), aws.vpc_endpoints(&vpcs), groups);
        Self { subnets, tables, endpoints, groups }
    }

    /// What is to say of a pool's network.
    pub(super) fn judge(&self, place: &Place<'_>) -> Vec<Finding> {
        let subnets = self.subnets(place);
        let way = Check::WayOut.of(&place.pool.name);
        let way = match subnets.state {
            State::Ok | State::Warning => self.way_out(way, place),
            _ => way.skipped(Check::Subnets),
        };
        vec![subnets, way, self.security_groups(place)]
    }

    fn of_pool(&self, network: &Network) -> Vec<&Subnet> {
        self.subnets.iter().flatten().filter(|subnet| network.subnets.contains(&subnet.id)).collect()
    }

    fn subnets(&self, Place { pool, network, .. }: &Place<'_>) -> Finding {
        let of = Check::Subnets.of(&pool.name);
        if let Err(fault) = &self.subnets {
            return of.unseen(again(fault), "ec2:DescribeSubnets");
        }
        let found = self.of_pool(network);
        let missing = missing(&network.subnets, found.iter().map(|subnet| &subnet.id));
        if !missing.is_empty() {
            return of.problem(
                format!("there is no {} in this account and region", missing.join(", no ")),
                "Correct the subnets of the pool's network in the stack document.",
            );
        }
        let vpcs: BTreeSet<&str> = found.iter().map(|subnet| subnet.vpc.as_str()).collect();
        let each = found.iter().map(|subnet| format!("{} is of {}", subnet.id, subnet.vpc));
        if vpcs.len() > 1 {
            return of.problem(
                format!("the subnets are of several VPCs: {}", each.collect::<Vec<_>>().join(", ")),
                "Name subnets of one VPC; a task is in one, and so are its security groups.",
            );
        }
        let free: u64 = found.iter().map(|subnet| u64::from(subnet.free_addresses)).sum();
        let list: Vec<String> =
            found.iter().map(|subnet| format!("{} ({})", subnet.id, subnet.zone)).collect();
        let sentence =
            format!("{free} free addresses in {} of {}", list.join(", "), distinct(&vpcs).join(", "));
        if free < u64::from(pool.max) {
            return of.warning(
                format!("only {sentence}: the pool may have {} tasks, and each takes one", pool.max),
                "Name larger subnets or more of them, or lower the pool's max.",
            );
        }
        of.ok(sentence)
    }

    fn way_out(&self, of: Of, place: &Place<'_>) -> Finding {
        let Place { pool, network, private, .. } = place;
        let tables = match &self.tables {
            Ok(tables) => tables,
            Err(fault) => return of.unseen(again(fault), "ec2:DescribeRouteTables"),
        };
        let (mut open, mut closed, mut remedies) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut shut: Vec<&Subnet> = Vec::new();
        for subnet in self.of_pool(network) {
            let id = &subnet.id;
            match Way::of(subnet, tables, network.assign_public_ip) {
                Way::Out(target) => open.push(format!("{id} through {target}")),
                Way::None if private.is_some() => shut.push(subnet),
                Way::None => {
                    closed.push(format!("{id} has no route 0.0.0.0/0{}", self.and_aws(subnet, place)));
                    remedies.insert(
                        "Route 0.0.0.0/0 of the subnet to a NAT gateway, or to an internet gateway and set \
                         assign_public_ip; VPC endpoints alone do not lead to GitHub.",
                    );
                }
                Way::NeedsPublicAddress(target) => {
                    closed.push(format!("{id} leads to {target}, which serves public addresses only"));
                    remedies.insert(public_address(pool));
                }
                Way::Blackhole(target) => {
                    closed.push(format!("{id} leads to {target}, which is gone"));
                    remedies.insert("Route 0.0.0.0/0 of the subnet to a gateway that is there.");
                }
                Way::Peering(target) => {
                    closed
                        .push(format!("{id} leads to {target}, and a peering connection carries no further"));
                    remedies.insert("Route 0.0.0.0/0 of the subnet to a NAT gateway or a transit gateway.");
                }
            }
        }
        if !closed.is_empty() {
            let remedies: Vec<&str> = remedies.into_iter().collect();
            return of
                .problem(format!("tasks cannot reach GitHub: {}", closed.join("; ")), remedies.join("\n"));
        }
        if !shut.is_empty() {
            return self.private_way(of, &shut, place);
        }
        let address = if network.assign_public_ip { ", with public addresses" } else { "" };
        of.ok(format!("tasks reach the internet: {}{address}", open.join(", ")))
    }

    /// Without a way out AWS itself is out of reach as well, unless there are endpoints.
    fn and_aws(&self, subnet: &Subnet, place: &Place<'_>) -> String {
        match self.missing(subnet, place).as_slice() {
            [] => String::new(),
            missing => format!(", nor its VPC endpoints for {}", missing.join(", ")),
        }
    }

    fn missing(&self, subnet: &Subnet, place: &Place<'_>) -> Vec<&'static str> {
        let tables = self.tables.as_deref().unwrap_or_default();
        match &self.endpoints {
            Ok(endpoints) => way::missing_endpoints(subnet, place.region, tables, endpoints),
            Err(_) => Vec::new(),
        }
    }

    /// GitHub may be reached without a way to the internet; image, log and mailbox still need one to AWS.
    fn private_way(&self, of: Of, shut: &[&Subnet], place: &Place<'_>) -> Finding {
        if let Err(fault) = &self.endpoints {
            return of.unseen(again(fault), "ec2:DescribeVpcEndpoints");
        }
        let private = place.private.unwrap_or_default();
        let missing = |subnet: &&Subnet| match self.missing(subnet, place).as_slice() {
            [] => None,
            missing => Some(format!("{} has none for {}", subnet.id, missing.join(", "))),
        };
        let missing: Vec<String> = shut.iter().filter_map(missing).collect();
        let ids: Vec<&str> = shut.iter().map(|subnet| subnet.id.as_str()).collect();
        let sentence = format!("{} without a route 0.0.0.0/0; {private}", ids.join(", "));
        if missing.is_empty() {
            return of.ok(format!("{sentence}, and AWS is reached through VPC endpoints"));
        }
        of.warning(
            format!("{sentence}, but AWS is reached through VPC endpoints only: {}", missing.join("; ")),
            "Create these endpoints in the VPC, unless the image, the log and the mailbox are reached in another way.",
        )
    }

    fn security_groups(&self, Place { pool, network, .. }: &Place<'_>) -> Finding {
        let of = Check::SecurityGroups.of(&pool.name);
        let groups = match &self.groups {
            Ok(groups) => groups,
            Err(fault) => return of.unseen(again(fault), "ec2:DescribeSecurityGroups"),
        };
        let vpcs: BTreeSet<&str> = self.of_pool(network).iter().map(|subnet| subnet.vpc.as_str()).collect();
        let named = |group: &&SecurityGroup| network.security_groups.contains(&group.id);
        let default = |group: &&SecurityGroup| group.name == "default" && vpcs.contains(group.vpc.as_str());
        let found: Vec<&SecurityGroup> = if network.security_groups.is_empty() {
            groups.iter().filter(default).collect()
        } else {
            groups.iter().filter(named).collect()
        };
        let missing = missing(&network.security_groups, found.iter().map(|group| &group.id));
        if !missing.is_empty() {
            return of.problem(
                format!("there is no {} in this account and region", missing.join(", no ")),
                "Correct the security groups of the pool's network in the stack document.",
            );
        }
        // Without subnets nothing is known of VPCs.
        if let (Some(group), false) = (found.iter().find(|g| !vpcs.contains(g.vpc.as_str())), vpcs.is_empty())
        {
            return of.problem(
                format!(
                    "{} is of {}, the subnets are of {}",
                    group.id,
                    group.vpc,
                    distinct(&vpcs).join(", ")
                ),
                "Name security groups of the subnets' VPC.",
            );
        }
        judge_egress(of, &found)
    }
}

/// Whether any of the groups lets HTTPS out, which is all that a runner needs.
fn judge_egress(of: Of, groups: &[&SecurityGroup]) -> Finding {
    let list: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
    if list.is_empty() {
        return of.note(
            "the pool names no security group, and which is the VPC's default one is not known",
            "Name a security group that lets traffic out on port 443.",
        );
    }
    let list = list.join(", ");
    let to: Vec<&str> = groups
        .iter()
        .flat_map(|group| &group.egress)
        .filter(|egress| lets_https(egress))
        .flat_map(|egress| egress.to.iter().map(String::as_str))
        .collect();
    if to.contains(&"0.0.0.0/0") {
        return of.ok(format!("{list}: traffic may leave on port 443"));
    }
    if to.is_empty() {
        return of.problem(
            format!("{list}: no traffic may leave on port 443, so that tasks reach neither GitHub nor AWS"),
            "Add an outbound rule: TCP, port 443, to 0.0.0.0/0.",
        );
    }
    of.warning(
        format!("{list}: traffic may leave on port 443 to {} only", to.join(", ")),
        "See that GitHub, or the proxy, and the VPC endpoints are among them.",
    )
}

fn lets_https(egress: &Egress) -> bool {
    // Protocol 6 is TCP; -1 is all of them, and then there are no ports.
    let tcp = matches!(egress.protocol.as_str(), "-1" | "tcp" | "6");
    tcp && (egress.protocol == "-1" || egress.ports.is_none_or(|(from, to)| (from..=to).contains(&443)))
}

fn public_address(pool: &Pool) -> &'static str {
    if pool.capacity.iter().all(Capacity::is_fargate) {
        "Set assign_public_ip of the pool's network, or name subnets whose route 0.0.0.0/0 leads to a NAT gateway."
    } else {
        "Tasks on EC2 never get a public address: name subnets whose route 0.0.0.0/0 leads to a NAT gateway, or use \
         a task definition in bridge mode."
    }
}

/// One failed look stands for every pool.
pub(super) fn again(fault: &Fault) -> Fault {
    let copy = Fault::new(fault.class.clone(), &fault.what, &fault.why);
    match &fault.remedy {
        Some(remedy) => copy.remedy(remedy),
        None => copy,
    }
}

fn missing<'a>(wanted: &'a [String], found: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let found: BTreeSet<&String> = found.collect();
    wanted.iter().filter(|id| !found.contains(id)).map(String::as_str).collect()
}

fn distinct<S: ToString>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    let names: BTreeSet<String> = names.into_iter().map(|name| name.to_string()).collect();
    names.into_iter().collect()
}
