//! The caller, the network, quotas, log groups and lifecycle rules, as moto shows them.

use fleetfoot_aws::ec2::Groups;
use fleetfoot_aws::{Aws, Expiry, FargateVcpus};
use jiff::{SignedDuration, Timestamp};

use crate::server::Moto;

/// Looks at everything once. The bucket `mail` must be there.
pub(crate) async fn at_all(moto: &Moto, aws: &Aws) {
    let who = aws.who_am_i().await;
    assert_eq!(who.caller.unwrap().account, "123456789012");
    assert!(Timestamp::now().duration_since(who.date.unwrap()).abs() < SignedDuration::from_secs(30));
    network(moto, aws).await;

    for kind in [FargateVcpus::OnDemand, FargateVcpus::Spot] {
        // moto knows some quotas of some services; of others it says so, in the service's words.
        if let Err(fault) = aws.fargate_vcpus(kind).await {
            assert_eq!(fault.class, fleetfoot_core::fault::Class::NotFound, "{fault}");
        }
    }

    assert!(!aws.has_log_group("/fleetfoot/moto").await.unwrap());
    moto.aws(&["logs", "create-log-group", "--log-group-name", "/fleetfoot/moto"]).await;
    assert!(aws.has_log_group("/fleetfoot/moto").await.unwrap());

    let mailbox = aws.mailbox("mail");
    assert_eq!(mailbox.expiry("mailbox/").await.unwrap(), Expiry::Never);
    let rules = r#"{"Rules": [{"ID": "mail", "Status": "Enabled", "Filter": {"Prefix": "mailbox/"},
                               "Expiration": {"Days": 2}}]}"#;
    let put = "put-bucket-lifecycle-configuration";
    moto.aws(&["s3api", put, "--bucket", "mail", "--lifecycle-configuration", rules]).await;
    assert_eq!(mailbox.expiry("mailbox/").await.unwrap(), Expiry::After(2));
    assert_eq!(mailbox.expiry("other/").await.unwrap(), Expiry::Never);
}

/// Makes something in EC2; gives the one thing that the query finds in the answer.
async fn make(moto: &Moto, arguments: &str, query: &str) -> String {
    let words: Vec<&str> = ["ec2"].into_iter().chain(arguments.split(' ')).collect();
    moto.aws(&[&words[..], &["--output", "text", "--query", query]].concat()).await
}

async fn network(moto: &Moto, aws: &Aws) {
    let vpc = make(moto, "create-vpc --cidr-block 10.9.0.0/16", "Vpc.VpcId").await;
    let of_vpc = format!("--vpc-id {vpc}");
    let call = format!("create-subnet {of_vpc} --cidr-block 10.9.1.0/24 --availability-zone eu-west-1b");
    let subnet = make(moto, &call, "Subnet.SubnetId").await;
    let igw = make(moto, "create-internet-gateway", "InternetGateway.InternetGatewayId").await;
    make(moto, &format!("attach-internet-gateway {of_vpc} --internet-gateway-id {igw}"), "@").await;
    let table = make(moto, &format!("create-route-table {of_vpc}"), "RouteTable.RouteTableId").await;
    let to = format!("--destination-cidr-block 0.0.0.0/0 --gateway-id {igw}");
    make(moto, &format!("create-route --route-table-id {table} {to}"), "@").await;
    make(moto, &format!("associate-route-table --route-table-id {table} --subnet-id {subnet}"), "@").await;
    let service = "--service-name com.amazonaws.eu-west-1.s3 --vpc-endpoint-type Gateway";
    make(moto, &format!("create-vpc-endpoint {of_vpc} {service} --route-table-ids {table}"), "@").await;

    let found = aws.subnets(&[subnet.clone(), "subnet-0123456789abcdef0".into()]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].vpc, found[0].zone.as_str(), found[0].free_addresses), (&vpc, "eu-west-1b", 251));

    let vpcs = [vpc.clone()];
    let tables = aws.route_tables(&vpcs).await.unwrap();
    let own = tables.iter().find(|found| found.id == table).unwrap();
    assert_eq!((own.main, &own.subnets[..]), (false, &[subnet][..]));
    let everywhere = own.routes.iter().find(|route| route.destination == "0.0.0.0/0").unwrap();
    assert_eq!((&everywhere.target, everywhere.blackhole), (&igw, false));
    assert!(own.routes.iter().any(|route| route.target == "local"));
    assert!(tables.iter().any(|found| found.main && found.vpc == vpc), "{tables:?}");

    let endpoints = aws.vpc_endpoints(&vpcs).await.unwrap();
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0].service, "com.amazonaws.eu-west-1.s3");
    assert_eq!((endpoints[0].available, &endpoints[0].route_tables), (true, &Some(vec![table])));

    let groups = aws.security_groups(Groups::DefaultOf(&vpcs)).await.unwrap();
    assert_eq!(groups.len(), 1);
    let egress = &groups[0].egress[0];
    assert_eq!((groups[0].name.as_str(), egress.protocol.as_str(), egress.ports), ("default", "-1", None));
    assert_eq!(egress.to, ["0.0.0.0/0"]);
    let by_id = aws.security_groups(Groups::Ids(&[groups[0].id.clone()])).await.unwrap();
    assert_eq!(by_id, groups);
}
