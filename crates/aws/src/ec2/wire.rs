//! EC2's XML, cut to what is used, and the way from there to this module's own words.

use serde::Deserialize;

use super::{Egress, Endpoint, Route, RouteTable, SecurityGroup};

/// A page of an answer. The element around the items is called differently in each.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Page<T> {
    #[serde(
        alias = "subnetSet",
        alias = "routeTableSet",
        alias = "vpcEndpointSet",
        alias = "securityGroupInfo"
    )]
    pub(super) found: Set<T>,
    #[serde(rename = "nextToken", default)]
    pub(super) next_token: Option<String>,
}

/// `<item>…</item><item>…</item>`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Set<T> {
    #[serde(default = "Vec::new")]
    pub(super) item: Vec<T>,
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self { item: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireTable {
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
pub(super) struct WireEndpoint {
    vpc_id: String,
    service_name: String,
    vpc_endpoint_type: String,
    state: String,
    #[serde(default)]
    route_table_id_set: Set<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireGroup {
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
    use serde::de::DeserializeOwned;

    use super::super::Subnet;
    use super::*;
    use crate::xml;

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
}
