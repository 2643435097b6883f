//! The network that tasks would be on: subnets, routes, endpoints, security groups.
//!
//! Four calls that only look. Each finds by filter and not by id: of ids that are not there EC2 names one, a
//! filter gives what is there, and what is missing is the difference. Source: EC2 API Reference.

mod wire;

use fleetfoot_core::fault::Fault;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::aws::Aws;
use crate::query::Call;
use crate::signed::Service;
use crate::xml;
use wire::{Page, WireEndpoint, WireGroup, WireTable};

const EC2: Service = Service { name: "ec2", id: "EC2" };
const VERSION: &str = "2016-11-15";

/// The most values that a filter takes (EC2 API Reference, Filter).
const MOST_VALUES: usize = 200;

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subnet {
    /// `subnet-…`.
    #[serde(rename = "subnetId")]
    pub id: String,
    /// The VPC it is in.
    #[serde(rename = "vpcId")]
    pub vpc: String,
    /// Its availability zone.
    #[serde(rename = "availabilityZone")]
    pub zone: String,
    /// How many private addresses nobody has.
    #[serde(rename = "availableIpAddressCount")]
    pub free_addresses: u32,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    /// `rtb-…`.
    pub id: String,
    /// The VPC it is of.
    pub vpc: String,
    /// Whether it serves the subnets that no table names.
    pub main: bool,
    /// The subnets that it names.
    pub subnets: Vec<String>,
    /// Its routes for IPv4.
    pub routes: Vec<Route>,
}

/// A route for IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The block of addresses, `0.0.0.0/0`.
    pub destination: String,
    /// Id of where they are sent: `igw-…`, `nat-…`, `local`; empty if EC2 names none that is known here.
    pub target: String,
    /// Whether the target is gone, so that everything sent there is lost.
    pub blackhole: bool,
}

/// A VPC endpoint: a way to one service of AWS that needs no way to the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The VPC it is in.
    pub vpc: String,
    /// The service, `com.amazonaws.eu-west-1.ecr.api`.
    pub service: String,
    /// Whether it can be used: EC2 calls it `available`.
    pub available: bool,
    /// The route tables that lead to it, if it is a gateway; an interface is reached by its name.
    pub route_tables: Option<Vec<String>>,
}

/// A security group, as far as it lets traffic out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// The VPC it is of.
    pub vpc: String,
    /// Its name; every VPC has one called `default`.
    pub name: String,
    /// What it lets out.
    pub egress: Vec<Egress>,
}

/// Traffic that a security group lets out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// `tcp`, `udp`, a number, or `-1` for all.
    pub protocol: String,
    /// First and last port; absent for all.
    pub ports: Option<(i32, i32)>,
    /// Where to: blocks of IPv4 addresses, prefix lists and other groups.
    pub to: Vec<String>,
}

/// What to look for security groups by.
#[derive(Debug, Clone, Copy)]
pub enum Groups<'a> {
    /// These ids.
    Ids(&'a [String]),
    /// The default groups of these VPCs.
    DefaultOf(&'a [String]),
}

impl Aws {
    /// Those of these subnets that are there.
    ///
    /// # Errors
    /// `Denied` without `ec2:DescribeSubnets`.
    pub async fn subnets(&self, ids: &[String]) -> Result<Vec<Subnet>, Fault> {
        self.describe("look at the subnets", "DescribeSubnets", &[("subnet-id", ids)]).await
    }

    /// The route tables of these VPCs.
    ///
    /// # Errors
    /// `Denied` without `ec2:DescribeRouteTables`.
    pub async fn route_tables(&self, vpcs: &[String]) -> Result<Vec<RouteTable>, Fault> {
        let filters = [("vpc-id", vpcs)];
        let found: Vec<WireTable> =
            self.describe("look at the route tables", "DescribeRouteTables", &filters).await?;
        Ok(found.into_iter().map(RouteTable::from).collect())
    }

    /// The endpoints in these VPCs.
    ///
    /// # Errors
    /// `Denied` without `ec2:DescribeVpcEndpoints`.
    pub async fn vpc_endpoints(&self, vpcs: &[String]) -> Result<Vec<Endpoint>, Fault> {
        let filters = [("vpc-id", vpcs)];
        let found: Vec<WireEndpoint> =
            self.describe("look at the VPC endpoints", "DescribeVpcEndpoints", &filters).await?;
        Ok(found.into_iter().map(Endpoint::from).collect())
    }

    /// Those of these security groups that are there.
    ///
    /// # Errors
    /// `Denied` without `ec2:DescribeSecurityGroups`.
    pub async fn security_groups(&self, groups: Groups<'_>) -> Result<Vec<SecurityGroup>, Fault> {
        let name = ["default".to_owned()];
        let filters = match groups {
            Groups::Ids(ids) => vec![("group-id", ids)],
            Groups::DefaultOf(vpcs) => vec![("vpc-id", vpcs), ("group-name", &name[..])],
        };
        let found: Vec<WireGroup> =
            self.describe("look at the security groups", "DescribeSecurityGroups", &filters).await?;
        Ok(found.into_iter().map(SecurityGroup::from).collect())
    }

    /// All that the filters let through, page by page. A filter without values lets nothing through.
    async fn describe<T: DeserializeOwned>(
        &self,
        what: &str,
        action: &'static str,
        filters: &[(&str, &[String])],
    ) -> Result<Vec<T>, Fault> {
        let (Some((name, values)), others) = (filters.first(), filters.get(1..).unwrap_or_default()) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for values in values.chunks(MOST_VALUES) {
            let filters: Vec<_> = [(*name, values)].into_iter().chain(others.iter().copied()).collect();
            let mut parameters = parameters(&filters);
            loop {
                let call = Call { what, service: EC2, version: VERSION, action, parameters: &parameters };
                let answer = call.send(&self.signed).await?;
                if let Some(fault) = call.refusal(&answer) {
                    return Err(fault);
                }
                let page: Page<T> = xml::read(what, &answer.body)?;
                found.extend(page.found.item);
                let Some(next) = page.next_token.filter(|token| !token.is_empty()) else { break };
                parameters.retain(|(name, _)| name != "NextToken");
                parameters.push(("NextToken".to_owned(), next));
            }
        }
        Ok(found)
    }
}

/// `Filter.1.Name=…&Filter.1.Value.1=…`.
fn parameters(filters: &[(&str, &[String])]) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    for (number, (name, values)) in (1..).zip(filters) {
        parameters.push((format!("Filter.{number}.Name"), (*name).to_owned()));
        let values = (1..).zip(*values);
        parameters.extend(values.map(|(v, value)| (format!("Filter.{number}.Value.{v}"), value.clone())));
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_numbered_from_one() {
        let (ids, name) = (["a".to_owned(), "b".to_owned()], ["default".to_owned()]);
        let text: Vec<String> = parameters(&[("vpc-id", &ids), ("group-name", &name)])
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            text,
            [
                "Filter.1.Name=vpc-id",
                "Filter.1.Value.1=a",
                "Filter.1.Value.2=b",
                "Filter.2.Name=group-name",
                "Filter.2.Value.1=default",
            ]
        );
    }
}
