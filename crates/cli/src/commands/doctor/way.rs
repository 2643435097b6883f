//! Where a packet to GitHub goes from a subnet: pure, from what EC2 says of routes.

use fleetfoot_aws::ec2::{Endpoint, Route, RouteTable, Subnet};

/// Everything, for IPv4, which is all that GitHub speaks.
const EVERYWHERE: &str = "0.0.0.0/0";

/// What a task that cannot reach the internet needs endpoints for: to pull its image, to write its log, to find
/// its assignment.
const SERVICES: [&str; 4] = ["ecr.api", "ecr.dkr", "logs", "s3"];

/// Where the default route of a subnet leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// To the internet, or on to another network that is not followed: through this.
    Out(String),
    /// To an internet gateway, which serves only who has a public address.
    NeedsPublicAddress(String),
    /// To something that is gone.
    Blackhole(String),
    /// To a peering connection, which carries nothing beyond the other VPC.
    Peering(String),
    /// There is none.
    None,
}

/// The route table of a subnet: the one that names it, else its VPC's main table.
pub(super) fn table<'a>(subnet: &Subnet, tables: &'a [RouteTable]) -> Option<&'a RouteTable> {
    let own = |table: &&RouteTable| table.subnets.contains(&subnet.id);
    let main = |table: &&RouteTable| table.main && table.vpc == subnet.vpc;
    tables.iter().find(own).or_else(|| tables.iter().find(main))
}

impl Way {
    /// The way out of a subnet for tasks with or without a public address.
    pub(super) fn of(subnet: &Subnet, tables: &[RouteTable], public_address: bool) -> Self {
        let routes = table(subnet, tables).map(|table| table.routes.as_slice()).unwrap_or_default();
        let Some(Route { target, blackhole, .. }) = routes.iter().find(|r| r.destination == EVERYWHERE)
        else {
            return Self::None;
        };
        let target = if target.is_empty() { "an unknown target".to_owned() } else { target.clone() };
        match target.split('-').next() {
            _ if *blackhole => Self::Blackhole(target),
            Some("igw") if !public_address => Self::NeedsPublicAddress(target),
            Some("pcx") => Self::Peering(target),
            _ => Self::Out(target),
        }
    }
}

/// The services that cannot be reached from this subnet, for want of an endpoint.
pub(super) fn missing_endpoints(
    subnet: &Subnet,
    region: &str,
    tables: &[RouteTable],
    endpoints: &[Endpoint],
) -> Vec<&'static str> {
    let table = table(subnet, tables).map(|table| table.id.as_str()).unwrap_or_default();
    let serves = |endpoint: &Endpoint, service: &str| {
        let named =
            endpoint.service.strip_suffix(service).is_some_and(|rest| rest.ends_with(&format!(".{region}.")));
        let reached = endpoint.route_tables.as_ref().is_none_or(|tables| tables.iter().any(|id| id == table));
        endpoint.vpc == subnet.vpc && endpoint.available && named && reached
    };
    let missing = |service: &&str| !endpoints.iter().any(|endpoint| serves(endpoint, service));
    SERVICES.into_iter().filter(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str) -> Subnet {
        Subnet { id: id.into(), vpc: "vpc-1".into(), zone: "eu-west-1a".into(), free_addresses: 251 }
    }

    fn tables(main: &str, own: Option<&str>) -> Vec<RouteTable> {
        let table = |id: &str, main, subnets: &[&str], target: &str| RouteTable {
            id: id.into(),
            vpc: "vpc-1".into(),
            main,
            subnets: subnets.iter().map(|&id| id.to_owned()).collect(),
            routes: vec![
                Route { destination: "10.0.0.0/16".into(), target: "local".into(), blackhole: false },
                Route {
                    destination: EVERYWHERE.into(),
                    target: target.trim_start_matches('!').into(),
                    blackhole: target.starts_with('!'),
                },
            ],
        };
        let own = own.map(|target| table("rtb-own", false, &["subnet-1"], target));
        let foreign = RouteTable { vpc: "vpc-2".into(), ..table("rtb-2", true, &[], "igw-2") };
        [foreign, table("rtb-main", true, &[], main)].into_iter().chain(own).collect()
    }

    #[test]
    fn the_target_decides() {
        let way = |target: &str, public| Way::of(&subnet("subnet-1"), &tables(target, None), public);
        assert_eq!(way("igw-1", true), Way::Out("igw-1".into()));
        assert_eq!(way("igw-1", false), Way::NeedsPublicAddress("igw-1".into()));
        for target in
            ["nat-1", "tgw-1", "vgw-1", "eni-1", "i-1", "vpce-1", "arn:aws:networkmanager::1:core-network/x"]
        {
            assert_eq!(way(target, false), Way::Out(target.into()));
        }
        assert_eq!(way("pcx-1", true), Way::Peering("pcx-1".into()));
        assert_eq!(way("!nat-1", true), Way::Blackhole("nat-1".into()));
    }

    #[test]
    fn a_subnet_s_own_table_comes_before_the_main_one() {
        let tables = tables("igw-1", Some("nat-1"));
        assert_eq!(Way::of(&subnet("subnet-1"), &tables, false), Way::Out("nat-1".into()));
        assert_eq!(Way::of(&subnet("subnet-2"), &tables, false), Way::NeedsPublicAddress("igw-1".into()));
        let elsewhere = Subnet { vpc: "vpc-3".into(), ..subnet("subnet-3") };
        assert_eq!(Way::of(&elsewhere, &tables, true), Way::None);
    }

    #[test]
    fn an_endpoint_serves_its_vpc_and_a_gateway_its_tables() {
        let endpoint = |service: &str, gateway: Option<&str>| Endpoint {
            vpc: "vpc-1".into(),
            service: format!("com.amazonaws.eu-west-1.{service}"),
            available: true,
            route_tables: gateway.map(|table| vec![table.to_owned()]),
        };
        let missing = |endpoints: &[Endpoint]| {
            missing_endpoints(&subnet("subnet-1"), "eu-west-1", &tables("nat-1", None), endpoints)
        };
        assert_eq!(missing(&[]), SERVICES);
        let mut all = vec![
            endpoint("ecr.api", None),
            endpoint("ecr.dkr", None),
            endpoint("logs", None),
            endpoint("s3", Some("rtb-main")),
        ];
        assert!(missing(&all).is_empty());
        all[3] = endpoint("s3", Some("rtb-other"));
        assert_eq!(missing(&all), ["s3"]);
        all[1].available = false;
        all[2].vpc = "vpc-2".into();
        assert_eq!(missing(&all), ["ecr.dkr", "logs", "s3"]);
        // A name that only ends alike is another service.
        all[0] = endpoint("fips-ecr.api", None);
        assert!(missing(&all).contains(&"ecr.api"));
    }
}
