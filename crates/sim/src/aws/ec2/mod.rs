//! EC2's part in the life of a task: the network. Subnets, route tables, VPC endpoints and security groups, to
//! be looked at and not to be changed by calls. Source: EC2 API Reference.
//!
//! Every account has a default VPC: subnets that nobody put elsewhere are in it, its main route table leads to
//! an internet gateway, and its groups let everything out, as EC2 makes them.

mod describe;
mod filter;
mod model;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use describe::of_authentication;
pub use model::{Egress, Route, RouteTable, RouteTarget, SecurityGroup, Subnet, VpcEndpoint};

/// The version that marks a form as EC2's.
pub(crate) const VERSION: &str = "2016-11-15";

/// The id of every account's default VPC.
pub(crate) const DEFAULT_VPC: &str = "vpc-0d3fa0175e77ab1e5";

/// Free addresses in a fresh subnet of the default VPC, which is a /20.
const FREE_ADDRESSES: u32 = 4091;

/// The network of one account and region.
pub(crate) struct Ec2 {
    region: String,
    account: String,
    subnets: BTreeMap<String, Subnet>,
    tables: BTreeMap<String, RouteTable>,
    endpoints: BTreeMap<String, VpcEndpoint>,
    groups: BTreeMap<String, SecurityGroup>,
}

impl Ec2 {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        let mut ec2 = Self {
            region: region.to_owned(),
            account: account.to_owned(),
            subnets: BTreeMap::new(),
            tables: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            groups: BTreeMap::new(),
        };
        ec2.put_table(RouteTable {
            id: "rtb-0d3fa0175e77ab1e5".into(),
            vpc: DEFAULT_VPC.into(),
            main: true,
            subnets: Vec::new(),
            routes: vec![
                Route::new("172.31.0.0/16", RouteTarget::Local),
                Route::new("0.0.0.0/0", RouteTarget::InternetGateway("igw-0d3fa0175e77ab1e5".into())),
            ],
        });
        ec2.put_group(SecurityGroup::open("sg-0d3fa0175e77ab1e5", DEFAULT_VPC, "default"));
        ec2
    }

    /// Adds a subnet to the default VPC.
    pub(crate) fn add_subnet(&mut self, id: &str, zone: &str) {
        let (vpc, free_addresses) = (DEFAULT_VPC.to_owned(), FREE_ADDRESSES);
        self.put_subnet(Subnet { id: id.to_owned(), vpc, zone: zone.to_owned(), free_addresses });
    }

    /// Adds a security group to the default VPC, which lets everything out.
    pub(crate) fn add_group(&mut self, id: &str) {
        self.put_group(SecurityGroup::open(id, DEFAULT_VPC, id));
    }

    /// Adds a subnet, or replaces the one of this id.
    pub(crate) fn put_subnet(&mut self, subnet: Subnet) {
        self.subnets.insert(subnet.id.clone(), subnet);
    }

    /// Adds a route table, or replaces the one of this id. What it takes over, others lose: a VPC has one main
    /// table, a subnet one of its own.
    pub(crate) fn put_table(&mut self, table: RouteTable) {
        for other in self.tables.values_mut() {
            other.subnets.retain(|subnet| !table.subnets.contains(subnet));
            other.main &= !(table.main && other.vpc == table.vpc);
        }
        self.tables.insert(table.id.clone(), table);
    }

    /// Adds an endpoint, or replaces the one of this id.
    pub(crate) fn put_endpoint(&mut self, endpoint: VpcEndpoint) {
        self.endpoints.insert(endpoint.id.clone(), endpoint);
    }

    /// Adds a security group, or replaces the one of this id.
    pub(crate) fn put_group(&mut self, group: SecurityGroup) {
        self.groups.insert(group.id.clone(), group);
    }
}
