//! Looks at what there is, which change nothing: the caller, the network, quotas, the mailbox, log groups.

use fleetfoot_aws::ec2::Groups;
use fleetfoot_aws::{Aws, Expiry, FargateVcpus};
use fleetfoot_core::assignment::{MailboxAddress, MailboxPrefix};
use fleetfoot_core::fault::Class;
use fleetfoot_sim::aws::{
    Egress, LifecycleRule, Route, RouteTable, RouteTarget, SecurityGroup, Subnet, VpcEndpoint,
};
use jiff::{SignedDuration, Timestamp};

use crate::world::{BUCKET, World};

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// An address that is nobody's.
fn address() -> MailboxAddress {
    let task = "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd".parse().unwrap();
    MailboxPrefix::new(BUCKET, "mailbox/", "n0nce").of_task(&task)
}

#[tokio::test]
async fn aws_says_who_calls_and_what_time_it_is() {
    let world = World::new().await;
    let aws = world.connect("launcher", &[]).await;
    let who = aws.who_am_i().await;
    let caller = who.caller.unwrap();
    assert_eq!(caller.account, "123456789012");
    assert_eq!(caller.arn, "arn:aws:sts::123456789012:assumed-role/launcher/shop-run-7");
    let off = Timestamp::now().duration_since(who.date.unwrap()).abs();
    assert!(off < SignedDuration::from_secs(5), "{off}");
}

#[tokio::test]
async fn the_network_is_read_as_it_is() {
    let world = World::new().await;
    let (aws, sim) = (world.connect("admin", &["ec2:Describe*"]).await, &world.aws);
    let (own, other) = (sim.default_vpc().to_owned(), "vpc-2".to_owned());
    sim.put_subnet(Subnet {
        id: "subnet-2".into(),
        vpc: other.clone(),
        zone: "eu-west-1b".into(),
        free_addresses: 7,
    });
    sim.put_route_table(RouteTable {
        id: "rtb-2".into(),
        vpc: other.clone(),
        main: true,
        subnets: ids(&["subnet-2"]),
        routes: vec![
            Route::new("10.0.0.0/16", RouteTarget::Local),
            Route { blackhole: true, ..Route::new("0.0.0.0/0", RouteTarget::NatGateway("nat-1".into())) },
        ],
    });
    for (id, gateway_of) in [("s3", Some(ids(&["rtb-2"]))), ("ecr.api", None)] {
        let (id, vpc, service) = (format!("vpce-{id}"), other.clone(), id.to_owned());
        sim.put_vpc_endpoint(VpcEndpoint { id, vpc, service, gateway_of });
    }
    let rule =
        Egress { protocol: "tcp".into(), ports: Some((443, 443)), to: ids(&["10.0.0.0/8", "pl-1", "sg-1"]) };
    sim.put_security_group(SecurityGroup {
        id: "sg-2".into(),
        vpc: other.clone(),
        name: "runners".into(),
        egress: vec![rule],
    });

    let subnets = aws.subnets(&ids(&["subnet-1", "subnet-2", "subnet-x"])).await.unwrap();
    let read: Vec<(&str, &str, &str, u32)> =
        subnets.iter().map(|s| (s.id.as_str(), s.vpc.as_str(), s.zone.as_str(), s.free_addresses)).collect();
    assert_eq!(
        read,
        [("subnet-1", own.as_str(), "eu-west-1a", 4091), ("subnet-2", "vpc-2", "eu-west-1b", 7)]
    );

    let tables = aws.route_tables(std::slice::from_ref(&other)).await.unwrap();
    assert_eq!(tables.len(), 1);
    assert!(tables[0].main && tables[0].subnets == ["subnet-2"]);
    let route = &tables[0].routes[1];
    assert_eq!((route.target.as_str(), route.blackhole), ("nat-1", true));

    let endpoints = aws.vpc_endpoints(std::slice::from_ref(&other)).await.unwrap();
    let read: Vec<(&str, Option<&[String]>)> =
        endpoints.iter().map(|e| (e.service.as_str(), e.route_tables.as_deref())).collect();
    assert_eq!(
        read,
        [
            ("com.amazonaws.eu-west-1.ecr.api", None),
            ("com.amazonaws.eu-west-1.s3", Some(&ids(&["rtb-2"])[..]))
        ]
    );
    assert!(endpoints.iter().all(|endpoint| endpoint.available));

    let groups = aws.security_groups(Groups::Ids(&ids(&["sg-2", "sg-x"]))).await.unwrap();
    assert_eq!(groups.len(), 1);
    let egress = &groups[0].egress[0];
    assert_eq!((egress.protocol.as_str(), egress.ports), ("tcp", Some((443, 443))));
    assert_eq!(egress.to, ["10.0.0.0/8", "pl-1", "sg-1"]);
    let default = aws.security_groups(Groups::DefaultOf(&[own, other])).await.unwrap();
    assert_eq!(default.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["default"]);

    // Nothing is asked for without ids.
    let before = world.book.calls().len();
    assert!(aws.subnets(&[]).await.unwrap().is_empty());
    assert_eq!(world.book.calls().len(), before);
}

#[tokio::test]
async fn what_may_not_be_looked_at_is_denied_by_its_action() {
    let world = World::new().await;
    let aws = world.connect("nobody", &[]).await;
    let remedy = |fault: fleetfoot_core::fault::Fault| {
        assert_eq!(fault.class, Class::Denied, "{fault}");
        fault.remedy.unwrap()
    };
    let vpc = ids(&["vpc-1"]);
    assert!(
        remedy(aws.subnets(&vpc).await.unwrap_err()).starts_with("allow ec2:DescribeSubnets in the policy")
    );
    assert!(remedy(aws.route_tables(&vpc).await.unwrap_err()).contains("ec2:DescribeRouteTables"));
    assert!(remedy(aws.vpc_endpoints(&vpc).await.unwrap_err()).contains("ec2:DescribeVpcEndpoints"));
    assert!(
        remedy(aws.security_groups(Groups::Ids(&vpc)).await.unwrap_err()).contains("DescribeSecurityGroups")
    );
    let quota = aws.fargate_vcpus(FargateVcpus::Spot).await.unwrap_err();
    assert!(remedy(quota).contains("servicequotas:GetServiceQuota"));
    assert!(remedy(aws.has_log_group("/g").await.unwrap_err()).contains("logs:DescribeLogStreams"));
    let mailbox = aws.mailbox(BUCKET);
    assert!(remedy(mailbox.expiry("mailbox/").await.unwrap_err()).contains("s3:GetLifecycleConfiguration"));
    assert!(remedy(mailbox.check_put(&address()).await.unwrap_err()).contains("s3:PutObject"));
    assert!(remedy(mailbox.check_delete(&address()).await.unwrap_err()).contains("s3:DeleteObject"));
}

async fn vcpus(aws: &Aws) -> [f64; 2] {
    let [spot, on_demand] = [FargateVcpus::Spot, FargateVcpus::OnDemand];
    [aws.fargate_vcpus(spot).await.unwrap(), aws.fargate_vcpus(on_demand).await.unwrap()]
}

#[tokio::test]
async fn quotas_are_read_each_by_its_code() {
    let world = World::new().await;
    let aws = world.connect("admin", &["servicequotas:*"]).await;
    assert_eq!(vcpus(&aws).await.map(f64::to_bits), [6.0_f64, 6.0].map(f64::to_bits));
    assert!(world.aws.set_quota(FargateVcpus::Spot.code(), 128.5));
    assert_eq!(vcpus(&aws).await.map(f64::to_bits), [128.5_f64, 6.0].map(f64::to_bits));
}

#[tokio::test]
async fn a_log_group_is_there_or_not() {
    let world = World::new().await;
    world.aws.create_log_group("/fleetfoot/prod");
    let aws = world.connect("admin", &["logs:*"]).await;
    assert!(aws.has_log_group("/fleetfoot/prod").await.unwrap());
    assert!(!aws.has_log_group("/fleetfoot").await.unwrap());
}

/// Permission to put, and nothing put.
#[tokio::test]
async fn the_mailbox_is_tried_without_leaving_anything() {
    let world = World::new().await;
    let aws = world.connect("launcher", &["s3:PutObject", "s3:DeleteObject"]).await;
    let mailbox = aws.mailbox(BUCKET);
    mailbox.check_put(&address()).await.unwrap();
    mailbox.check_delete(&address()).await.unwrap();
    assert_eq!(world.aws.objects(BUCKET), [""; 0]);
    let nowhere = aws.mailbox("nowhere").check_put(&address()).await.unwrap_err();
    assert_eq!(nowhere.class, Class::Invalid, "{nowhere}");
}

#[tokio::test]
async fn lifecycle_rules_say_what_becomes_of_old_mail() {
    let world = World::new().await;
    let aws = world.connect("admin", &["s3:GetLifecycleConfiguration"]).await;
    let mailbox = aws.mailbox(BUCKET);
    assert_eq!(mailbox.expiry("mailbox/").await.unwrap(), Expiry::Never);
    let rule =
        |prefix: &str, days, enabled| LifecycleRule { id: "r".into(), prefix: prefix.into(), days, enabled };
    world
        .aws
        .set_lifecycle(BUCKET, vec![rule("logs/", 1, true), rule("mailbox/", 1, false), rule("", 7, true)]);
    assert_eq!(mailbox.expiry("mailbox/").await.unwrap(), Expiry::After(7));
}
