//! Subnets, the way out of them, and security groups.

use fleetfoot_sim::aws::{
    Egress, KeyValue, Route, RouteTable, RouteTarget, SecurityGroup, Subnet, VpcEndpoint,
};
use serde_json::json;

use super::{by_hand, define, one_pool, stage};
use crate::common::Stage;

const SUBNET: &str = "subnet-0a1b2c3d4e5f60718";

/// Gives the pool's subnet a route table of its own.
fn route(stage: &Stage, target: Option<RouteTarget>, blackhole: bool) {
    let everywhere = target.map(|target| Route { blackhole, ..Route::new("0.0.0.0/0", target) });
    stage.world.aws.put_route_table(RouteTable {
        id: "rtb-1".into(),
        vpc: stage.world.aws.default_vpc().into(),
        main: false,
        subnets: vec![SUBNET.into()],
        routes: [Route::new("172.31.0.0/16", RouteTarget::Local)].into_iter().chain(everywhere).collect(),
    });
}

fn subnet(stage: &Stage, id: &str, vpc: Option<&str>, free_addresses: u32) {
    let vpc = vpc.unwrap_or(stage.world.aws.default_vpc()).to_owned();
    stage.world.aws.put_subnet(Subnet { id: id.into(), vpc, zone: "us-east-1b".into(), free_addresses });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_that_is_not_there() {
    let stage = stage().await;
    one_pool(&stage, |pool| pool["network"]["subnets"] = json!([SUBNET, "subnet-1"]));
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem subnets of Fargate: there is no subnet-1 in this account and region
      Correct the subnets of the pool's network in the stack document.
    skipped way-out of Fargate: not checked, because it builds on subnets
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_of_two_vpcs() {
    let stage = stage().await;
    subnet(&stage, "subnet-1", Some("vpc-1"), 251);
    one_pool(&stage, |pool| pool["network"]["subnets"] = json!([SUBNET, "subnet-1"]));
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem subnets of Fargate: the subnets are of several VPCs: subnet-0a1b2c3d4e5f60718 is of vpc-0d3fa0175e77ab1e5, subnet-1 is of vpc-1
      Name subnets of one VPC; a task is in one, and so are its security groups.
    skipped way-out of Fargate: not checked, because it builds on subnets
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_that_are_nearly_full() {
    let stage = stage().await;
    subnet(&stage, SUBNET, None, 11);
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    warning subnets of Fargate: only 11 free addresses in subnet-0a1b2c3d4e5f60718 (us-east-1b) of vpc-0d3fa0175e77ab1e5: the pool may have 100 tasks, and each takes one
      Name larger subnets or more of them, or lower the pool's max.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_internet_gateway_without_public_addresses() {
    let stage = stage().await;
    one_pool(&stage, |pool| pool["network"]["assign_public_ip"] = false.into());
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem way-out of Fargate: tasks cannot reach GitHub: subnet-0a1b2c3d4e5f60718 leads to igw-0d3fa0175e77ab1e5, which serves public addresses only
      Set assign_public_ip of the pool's network, or name subnets whose route 0.0.0.0/0 leads to a NAT gateway.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_at_all() {
    let stage = stage().await;
    route(&stage, None, false);
    endpoint(&stage, "s3", Some("rtb-1"));
    // At a server of one's own, as the simulated one looks like, a private way would be possible.
    stage.change_stack(|stack| {
        stack["pools"].as_array_mut().unwrap().truncate(1);
        stack["github"]["url"] = "https://github.com/octo-org/demo".into();
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem way-out of Fargate: tasks cannot reach GitHub: subnet-0a1b2c3d4e5f60718 has no route 0.0.0.0/0, nor its VPC endpoints for ecr.api, ecr.dkr, logs
      Route 0.0.0.0/0 of the subnet to a NAT gateway, or to an internet gateway and set assign_public_ip; VPC endpoints alone do not lead to GitHub.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_gone() {
    let stage = stage().await;
    route(&stage, Some(RouteTarget::NatGateway("nat-1".into())), true);
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem way-out of Fargate: tasks cannot reach GitHub: subnet-0a1b2c3d4e5f60718 leads to nat-1, which is gone
      Route 0.0.0.0/0 of the subnet to a gateway that is there.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peering_connection() {
    let stage = stage().await;
    route(&stage, Some(RouteTarget::Peering("pcx-1".into())), false);
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem way-out of Fargate: tasks cannot reach GitHub: subnet-0a1b2c3d4e5f60718 leads to pcx-1, and a peering connection carries no further
      Route 0.0.0.0/0 of the subnet to a NAT gateway or a transit gateway.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_lead_on_are_well() {
    for target in [
        RouteTarget::NatGateway("nat-1".into()),
        RouteTarget::TransitGateway("tgw-1".into()),
        RouteTarget::Interface("eni-1".into()),
    ] {
        let stage = stage().await;
        route(&stage, Some(target), false);
        one_pool(&stage, |pool| pool["network"]["assign_public_ip"] = false.into());
        assert_eq!(by_hand(stage).await, "exit 0");
    }
}

/// A proxy leads to GitHub and not to the services that ECS itself needs.
async fn proxied() -> Stage {
    let stage = stage().await;
    route(&stage, None, false);
    define(&stage, |definition| {
        let proxy = KeyValue::new("HTTPS_PROXY", "http://proxy.acme.internal:3128");
        definition.container_definitions[0].environment.push(proxy);
    });
    stage
}

fn endpoint(stage: &Stage, service: &str, gateway_of: Option<&str>) {
    stage.world.aws.put_vpc_endpoint(VpcEndpoint {
        id: format!("vpce-{service}"),
        vpc: stage.world.aws.default_vpc().into(),
        service: service.into(),
        gateway_of: gateway_of.map(|table| vec![table.to_owned()]),
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_and_no_endpoints() {
    let stage = proxied().await;
    endpoint(&stage, "logs", None);
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    warning way-out of Fargate: subnet-0a1b2c3d4e5f60718 without a route 0.0.0.0/0; GitHub is reached through a proxy, which is not checked, but AWS is reached through VPC endpoints only: subnet-0a1b2c3d4e5f60718 has none for ecr.api, ecr.dkr, s3
      Create these endpoints in the VPC, unless the image, the log and the mailbox are reached in another way.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_and_endpoints() {
    let stage = proxied().await;
    for service in ["ecr.api", "ecr.dkr", "logs"] {
        endpoint(&stage, service, None);
    }
    endpoint(&stage, "s3", Some("rtb-1"));
    assert_eq!(by_hand(stage).await, "exit 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_group_that_is_not_there() {
    let stage = stage().await;
    one_pool(&stage, |pool| pool["network"]["security_groups"] = json!(["sg-1"]));
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem security-groups of Fargate: there is no sg-1 in this account and region
      Correct the security groups of the pool's network in the stack document.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_group_of_another_vpc() {
    let stage = stage().await;
    stage.world.aws.put_security_group(SecurityGroup::open("sg-1", "vpc-1", "other"));
    one_pool(&stage, |pool| pool["network"]["security_groups"] = json!(["sg-1"]));
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem security-groups of Fargate: sg-1 is of vpc-1, the subnets are of vpc-0d3fa0175e77ab1e5
      Name security groups of the subnets' VPC.
    ");
}

/// Lets the pool have a security group with this rule alone.
fn only_out(stage: &Stage, port: u16, to: &str) {
    let egress = Egress { protocol: "tcp".into(), ports: Some((port, port)), to: vec![to.into()] };
    let group = SecurityGroup {
        egress: vec![egress],
        ..SecurityGroup::open("sg-1", stage.world.aws.default_vpc(), "g")
    };
    stage.world.aws.put_security_group(group);
    one_pool(stage, |pool| pool["network"]["security_groups"] = json!(["sg-1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_group_that_lets_nothing_out() {
    let stage = stage().await;
    only_out(&stage, 22, "0.0.0.0/0");
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem security-groups of Fargate: sg-1: no traffic may leave on port 443, so that tasks reach neither GitHub nor AWS
      Add an outbound rule: TCP, port 443, to 0.0.0.0/0.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_group_that_lets_little_out() {
    let stage = stage().await;
    only_out(&stage, 443, "10.0.0.0/8");
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    warning security-groups of Fargate: sg-1: traffic may leave on port 443 to 10.0.0.0/8 only
      See that GitHub, or the proxy, and the VPC endpoints are among them.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_security_group_the_vpc_s_default_one_counts() {
    let healthy = stage().await;
    one_pool(&healthy, |pool| pool["network"]["security_groups"] = json!([]));
    assert_eq!(by_hand(healthy).await, "exit 0");

    let closed = stage().await;
    let vpc = closed.world.aws.default_vpc();
    let group =
        SecurityGroup { egress: Vec::new(), ..SecurityGroup::open("sg-0d3fa0175e77ab1e5", vpc, "default") };
    closed.world.aws.put_security_group(group);
    one_pool(&closed, |pool| pool["network"]["security_groups"] = json!([]));
    insta::assert_snapshot!(by_hand(closed).await, @"
    exit 1
    problem security-groups of Fargate: sg-0d3fa0175e77ab1e5: no traffic may leave on port 443, so that tasks reach neither GitHub nor AWS
      Add an outbound rule: TCP, port 443, to 0.0.0.0/0.
    ");
}
