//! The network that tasks would be on: subnets, routes, endpoints, security groups.
//!
//! Four calls that only look. Each finds by filter and not by id: of ids that are not there EC2 names one, a
//! filter gives what is there, and what is missing is the difference. Source: EC2 API Reference.

use fleetfoot_core::fault::Fault;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::aws::Aws;
use crate::query::Call;
use crate::signed::Service;
use crate::xml;

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

/// A page of an answer. The element around the items is called differently in each.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Page<T> {
    #[serde(
        alias = "subnetSet",
        alias = "routeTableSet",
        alias = "vpcEndpointSet",
        alias = "securityGroupInfo"
    )]
    found: Set<T>,
    #[serde(rename = "nextToken", default)]
    next_token: Option<String>,
}

/// `<item>…</item><item>…</item>`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Set<T> {
    #[serde(default = "Vec::new")]
    item: Vec<T>,
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self { item: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTable {
    route_table_id: String,
    vpc_id: String,
    #[serde(default)]
    route_set: Set<WireRoute>,
    #[serde(default)]
    association_set: Set<Association>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Association {
    #[serde(default)]
    main: bool,
    #[serde(default)]
    subnet_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct WireRoute {
    destination_cidr_block: Option<String>,
    state: Option<String>,
    gateway_id: Option<String>,
    nat_gateway_id: Option<String>,
    transit_gateway_id: Option<String>,
    vpc_peering_connection_id: Option<String>,
    // An instance has an interface too; the instance is what people know.
    instance_id: Option<String>,
    network_interface_id: Option<String>,
    local_gateway_id: Option<String>,
    carrier_gateway_id: Option<String>,
    core_network_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEndpoint {
    vpc_id: String,
    service_name: String,
    vpc_endpoint_type: String,
    state: String,
    #[serde(default)]
    route_table_id_set: Set<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireGroup {
    group_id: String,
    group_name: String,
    vpc_id: String,
    #[serde(default)]
    ip_permissions_egress: Set<Permission>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Permission {
    ip_protocol: String,
    #[serde(default)]
    from_port: Option<i32>,
    #[serde(default)]
    to_port: Option<i32>,
    #[serde(default)]
    ip_ranges: Set<Place>,
    #[serde(default)]
    prefix_list_ids: Set<Place>,
    #[serde(default)]
    groups: Set<Place>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    #[serde(alias = "cidrIp", alias = "prefixListId", alias = "groupId")]
    id: String,
}

impl From<WireTable> for RouteTable {
    fn from(table: WireTable) -> Self {
        let associations = table.association_set.item;
        Self {
            id: table.route_table_id,
            vpc: table.vpc_id,
            main: associations.iter().any(|association| association.main),
            subnets: associations.into_iter().filter_map(|association| association.subnet_id).collect(),
            routes: table.route_set.item.into_iter().filter_map(WireRoute::read).collect(),
        }
    }
}

impl WireRoute {
    /// `None` for IPv6 and prefix lists.
    fn read(self) -> Option<Route> {
        let destination = self.destination_cidr_block?;
        let targets = [
            self.gateway_id,
            self.nat_gateway_id,
            self.transit_gateway_id,
            self.vpc_peering_connection_id,
            self.instance_id,
            self.network_interface_id,
            self.local_gateway_id,
            self.carrier_gateway_id,
            self.core_network_arn,
        ];
        let target = targets.into_iter().flatten().next().unwrap_or_default();
        Some(Route { destination, target, blackhole: self.state.as_deref() == Some("blackhole") })
    }
}

impl From<WireEndpoint> for Endpoint {
    fn from(endpoint: WireEndpoint) -> Self {
        let gateway = endpoint.vpc_endpoint_type == "Gateway";
        Self {
            vpc: endpoint.vpc_id,
            service: endpoint.service_name,
            available: endpoint.state.eq_ignore_ascii_case("available"),
            route_tables: gateway.then_some(endpoint.route_table_id_set.item),
        }
    }
}

impl From<WireGroup> for SecurityGroup {
    fn from(group: WireGroup) -> Self {
        let egress = group.ip_permissions_egress.item.into_iter().map(Egress::from).collect();
        Self { id: group.group_id, vpc: group.vpc_id, name: group.group_name, egress }
    }
}

impl From<Permission> for Egress {
    fn from(permission: Permission) -> Self {
        let to = [permission.ip_ranges, permission.prefix_list_ids, permission.groups];
        Self {
            protocol: permission.ip_protocol,
            ports: permission.from_port.zip(permission.to_port),
            to: to.into_iter().flat_map(|set| set.item).map(|place| place.id).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page<T: DeserializeOwned>(text: &str) -> Vec<T> {
        xml::read::<Page<T>>("look", text.as_bytes()).unwrap().found.item
    }

    #[test]
    fn an_empty_answer_is_read() {
        assert!(page::<Subnet>("<R><requestId>1</requestId><subnetSet/></R>").is_empty());
        assert!(page::<Subnet>("<R>\n  <subnetSet>\n  </subnetSet>\n</R>").is_empty());
    }

    #[test]
    fn a_route_table_is_read_with_targets_of_every_kind() {
        let text = "<DescribeRouteTablesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">
            <routeTableSet><item>
              <routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId>
              <routeSet>
                <item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId>
                  <state>active</state><origin>CreateRouteTable</origin></item>
                <item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-1</natGatewayId>
                  <state>blackhole</state></item>
                <item><destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock>
                  <egressOnlyInternetGatewayId>eigw-1</egressOnlyInternetGatewayId></item>
                <item><destinationPrefixListId>pl-1</destinationPrefixListId><gatewayId>vpce-1</gatewayId></item>
                <item><destinationCidrBlock>10.1.0.0/16</destinationCidrBlock><instanceId>i-1</instanceId>
                  <instanceOwnerId>1</instanceOwnerId><networkInterfaceId>eni-1</networkInterfaceId></item>
              </routeSet>
              <associationSet>
                <item><main>true</main><associationState><state>associated</state></associationState></item>
                <item><main>false</main><subnetId>subnet-1</subnetId></item>
              </associationSet><propagatingVgwSet/><tagSet/>
            </item></routeTableSet></DescribeRouteTablesResponse>";
        let tables: Vec<WireTable> = page(text);
        let table: RouteTable = tables.into_iter().map(RouteTable::from).next().unwrap();
        assert!(table.main);
        assert_eq!(table.subnets, ["subnet-1"]);
        let routes: Vec<(&str, &str, bool)> =
            table.routes.iter().map(|r| (r.destination.as_str(), r.target.as_str(), r.blackhole)).collect();
        assert_eq!(
            routes,
            [("10.0.0.0/16", "local", false), ("0.0.0.0/0", "nat-1", true), ("10.1.0.0/16", "i-1", false)]
        );
    }

    #[test]
    fn a_security_group_is_read_with_all_it_lets_out() {
        let text = "<R><securityGroupInfo><item><groupId>sg-1</groupId><groupName>default</groupName>
            <vpcId>vpc-1</vpcId><ipPermissions/><ipPermissionsEgress>
              <item><ipProtocol>-1</ipProtocol><groups/><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges>
                <ipv6Ranges/><prefixListIds/></item>
              <item><ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>443</toPort><ipRanges/>
                <prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds>
                <groups><item><userId>1</userId><groupId>sg-2</groupId></item></groups></item>
            </ipPermissionsEgress></item></securityGroupInfo></R>";
        let groups: Vec<WireGroup> = page(text);
        let group: SecurityGroup = groups.into_iter().map(SecurityGroup::from).next().unwrap();
        let all = Egress { protocol: "-1".into(), ports: None, to: vec!["0.0.0.0/0".into()] };
        let https = Egress {
            protocol: "tcp".into(),
            ports: Some((443, 443)),
            to: vec!["pl-1".into(), "sg-2".into()],
        };
        assert_eq!(group.egress, [all, https]);
    }

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
