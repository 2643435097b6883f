//! The Describe calls: who may, what is found, and its XML.

use super::super::error::AwsError;
use super::super::identity::Caller;
use super::super::sts::Form;
use super::super::wire::Answer;
use super::super::xml::Writer;
use super::filter::{Asked, Kind};
use super::{Ec2, Egress, RouteTable, RouteTarget, SecurityGroup, Subnet, VpcEndpoint};

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

const SUBNETS: Kind = Kind {
    parameter: "SubnetId",
    not_found: "InvalidSubnetID.NotFound",
    noun: "subnet ID",
    filters: &["subnet-id", "vpc-id", "availability-zone"],
};
const TABLES: Kind = Kind {
    parameter: "RouteTableId",
    not_found: "InvalidRouteTableID.NotFound",
    noun: "routeTable ID",
    filters: &["route-table-id", "vpc-id"],
};
const ENDPOINTS: Kind = Kind {
    parameter: "VpcEndpointId",
    not_found: "InvalidVpcEndpointId.NotFound",
    noun: "Vpc Endpoint Id",
    filters: &["vpc-endpoint-id", "vpc-id"],
};
const GROUPS: Kind = Kind {
    parameter: "GroupId",
    not_found: "InvalidGroup.NotFound",
    noun: "security group",
    filters: &["group-id", "vpc-id", "group-name"],
};

impl Ec2 {
    /// Answers an operation.
    pub(crate) fn answer(
        &self,
        operation: &str,
        form: &Form,
        caller: &Caller,
        request_id: &str,
    ) -> Result<Answer, AwsError> {
        // None of these actions can be limited to a resource.
        caller
            .check(&format!("ec2:{operation}"), "*", &caller.context())
            .map_err(|error| unauthorized(&error))?;
        let mut doc = Writer::new();
        doc.open_with(&format!("{operation}Response"), NAMESPACE).text("requestId", request_id);
        let next = match operation {
            "DescribeSubnets" => self.describe_subnets(form, &mut doc)?,
            "DescribeRouteTables" => self.describe_tables(form, &mut doc)?,
            "DescribeVpcEndpoints" => self.describe_endpoints(form, &mut doc)?,
            "DescribeSecurityGroups" => self.describe_groups(form, &mut doc)?,
            other => return Err(AwsError::not_simulated(format!("EC2 {other}"))),
        };
        if let Some(token) = next {
            doc.text("nextToken", &token);
        }
        doc.close(&format!("{operation}Response"));
        Ok(Answer::xml(200, "text/xml;charset=UTF-8", doc.finish()))
    }

    fn describe_subnets(&self, form: &Form, doc: &mut Writer) -> Result<Option<String>, AwsError> {
        let value = |subnet: &Subnet, name: &str| match name {
            "subnet-id" => subnet.id.clone(),
            "vpc-id" => subnet.vpc.clone(),
            _ => subnet.zone.clone(),
        };
        let (found, next) = Asked::read(form, &SUBNETS)?.pick(&SUBNETS, self.subnets.iter(), value)?;
        doc.open("subnetSet");
        for subnet in found {
            let arn = format!("arn:aws:ec2:{}:{}:subnet/{}", self.region, self.account, subnet.id);
            doc.open("item").text("subnetId", &subnet.id).text("subnetArn", &arn).text("state", "available");
            doc.text("ownerId", &self.account).text("vpcId", &subnet.vpc);
            doc.text("availableIpAddressCount", &subnet.free_addresses.to_string());
            doc.text("availabilityZone", &subnet.zone).text("defaultForAz", "false");
            doc.text("mapPublicIpOnLaunch", "false").close("item");
        }
        doc.close("subnetSet");
        Ok(next)
    }

    fn describe_tables(&self, form: &Form, doc: &mut Writer) -> Result<Option<String>, AwsError> {
        let value = |table: &RouteTable, name: &str| match name {
            "route-table-id" => table.id.clone(),
            _ => table.vpc.clone(),
        };
        let (found, next) = Asked::read(form, &TABLES)?.pick(&TABLES, self.tables.iter(), value)?;
        doc.open("routeTableSet");
        for table in found {
            doc.open("item").text("routeTableId", &table.id).text("vpcId", &table.vpc);
            doc.text("ownerId", &self.account);
            routes(table, doc);
            associations(table, doc);
            doc.open("propagatingVgwSet").close("propagatingVgwSet").open("tagSet").close("tagSet");
            doc.close("item");
        }
        doc.close("routeTableSet");
        Ok(next)
    }

    fn describe_endpoints(&self, form: &Form, doc: &mut Writer) -> Result<Option<String>, AwsError> {
        let value = |endpoint: &VpcEndpoint, name: &str| match name {
            "vpc-endpoint-id" => endpoint.id.clone(),
            _ => endpoint.vpc.clone(),
        };
        let (found, next) = Asked::read(form, &ENDPOINTS)?.pick(&ENDPOINTS, self.endpoints.iter(), value)?;
        doc.open("vpcEndpointSet");
        for endpoint in found {
            let kind = if endpoint.gateway_of.is_some() { "Gateway" } else { "Interface" };
            let service = format!("com.amazonaws.{}.{}", self.region, endpoint.service);
            doc.open("item").text("vpcEndpointId", &endpoint.id).text("vpcEndpointType", kind);
            doc.text("vpcId", &endpoint.vpc).text("serviceName", &service).text("state", "available");
            doc.text("ownerId", &self.account).open("routeTableIdSet");
            for table in endpoint.gateway_of.iter().flatten() {
                doc.text("item", table);
            }
            doc.close("routeTableIdSet").open("subnetIdSet").close("subnetIdSet");
            doc.open("groupSet").close("groupSet");
            doc.text("privateDnsEnabled", if endpoint.gateway_of.is_some() { "false" } else { "true" });
            doc.close("item");
        }
        doc.close("vpcEndpointSet");
        Ok(next)
    }

    fn describe_groups(&self, form: &Form, doc: &mut Writer) -> Result<Option<String>, AwsError> {
        let value = |group: &SecurityGroup, name: &str| match name {
            "group-id" => group.id.clone(),
            "vpc-id" => group.vpc.clone(),
            _ => group.name.clone(),
        };
        let (found, next) = Asked::read(form, &GROUPS)?.pick(&GROUPS, self.groups.iter(), value)?;
        doc.open("securityGroupInfo");
        for group in found {
            doc.open("item").text("ownerId", &self.account).text("groupId", &group.id);
            doc.text("groupName", &group.name).text("groupDescription", &group.name);
            doc.text("vpcId", &group.vpc).open("ipPermissions").close("ipPermissions");
            doc.open("ipPermissionsEgress");
            for rule in &group.egress {
                egress(rule, &self.account, doc);
            }
            doc.close("ipPermissionsEgress").open("tagSet").close("tagSet").close("item");
        }
        doc.close("securityGroupInfo");
        Ok(next)
    }
}

fn routes(table: &RouteTable, doc: &mut Writer) {
    doc.open("routeSet");
    for route in &table.routes {
        let (member, target) = match &route.target {
            RouteTarget::Local => ("gatewayId", "local"),
            RouteTarget::InternetGateway(id) => ("gatewayId", id.as_str()),
            RouteTarget::NatGateway(id) => ("natGatewayId", id.as_str()),
            RouteTarget::TransitGateway(id) => ("transitGatewayId", id.as_str()),
            RouteTarget::Peering(id) => ("vpcPeeringConnectionId", id.as_str()),
            RouteTarget::Interface(id) => ("networkInterfaceId", id.as_str()),
        };
        let origin = if route.target == RouteTarget::Local { "CreateRouteTable" } else { "CreateRoute" };
        doc.open("item").text("destinationCidrBlock", &route.destination).text(member, target);
        doc.text("state", if route.blackhole { "blackhole" } else { "active" }).text("origin", origin);
        doc.close("item");
    }
    doc.close("routeSet");
}

fn associations(table: &RouteTable, doc: &mut Writer) {
    doc.open("associationSet");
    let mut associate = |subnet: Option<&str>| {
        let of = table.id.trim_start_matches("rtb-");
        let id = format!("rtbassoc-{of}{}", subnet.unwrap_or_default().trim_start_matches("subnet"));
        doc.open("item").text("routeTableAssociationId", &id).text("routeTableId", &table.id);
        match subnet {
            Some(subnet) => doc.text("main", "false").text("subnetId", subnet),
            None => doc.text("main", "true"),
        };
        doc.open("associationState").text("state", "associated").close("associationState").close("item");
    };
    if table.main {
        associate(None);
    }
    for subnet in &table.subnets {
        associate(Some(subnet));
    }
    doc.close("associationSet");
}

fn egress(rule: &Egress, account: &str, doc: &mut Writer) {
    doc.open("item").text("ipProtocol", &rule.protocol);
    if let Some((from, to)) = rule.ports {
        doc.text("fromPort", &from.to_string()).text("toPort", &to.to_string());
    }
    let of = |prefix: &'static str| rule.to.iter().filter(move |to| to.starts_with(prefix));
    doc.open("groups");
    for group in of("sg-") {
        doc.open("item").text("userId", account).text("groupId", group).close("item");
    }
    doc.close("groups").open("ipRanges");
    for block in rule.to.iter().filter(|to| to.contains('/')) {
        doc.open("item").text("cidrIp", block).close("item");
    }
    doc.close("ipRanges").open("ipv6Ranges").close("ipv6Ranges").open("prefixListIds");
    for list in of("pl-") {
        doc.open("item").text("prefixListId", list).close("item");
    }
    doc.close("prefixListIds").close("item");
}

/// EC2 has a code of its own for keys that it does not know (EC2 API Reference, "Error codes").
pub(crate) fn of_authentication(error: AwsError) -> AwsError {
    if error.code != "InvalidClientTokenId" {
        return error;
    }
    AwsError::new("AuthFailure", "AWS was not able to validate the provided access credentials").status(401)
}

/// EC2 has a code of its own for what IAM does not allow, and words before IAM's.
fn unauthorized(error: &AwsError) -> AwsError {
    let message = error.message.replace(" on resource: *", "");
    AwsError::new(
        "UnauthorizedOperation",
        format!("You are not authorized to perform this operation. {message}"),
    )
    .status(403)
}
