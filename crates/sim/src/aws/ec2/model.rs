//! The network as the world's maker describes it.

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its availability zone, `eu-west-1a`.
    pub zone: String,
    /// How many addresses nobody has.
    pub free_addresses: u32,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    /// `rtb-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Whether it serves the subnets that no other table of the VPC names.
    pub main: bool,
    /// The subnets that it names.
    pub subnets: Vec<String>,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// A route for a block of IPv4 addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The block, `0.0.0.0/0`.
    pub destination: String,
    /// Where to.
    pub target: RouteTarget,
    /// Whether the target is gone.
    pub blackhole: bool,
}

impl Route {
    /// A route to a target that is there.
    pub fn new(destination: impl Into<String>, target: RouteTarget) -> Self {
        Self { destination: destination.into(), target, blackhole: false }
    }
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTarget {
    /// To the VPC itself.
    Local,
    /// `igw-…`.
    InternetGateway(String),
    /// `nat-…`.
    NatGateway(String),
    /// `tgw-…`.
    TransitGateway(String),
    /// `pcx-…`.
    Peering(String),
    /// `eni-…`.
    Interface(String),
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcEndpoint {
    /// `vpce-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// The service without `com.amazonaws.` and region: `ecr.api`, `s3`.
    pub service: String,
    /// The route tables that lead to it, if it is a gateway and not an interface.
    pub gateway_of: Option<Vec<String>>,
}

/// A security group. What it lets in is of no matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its name.
    pub name: String,
    /// What it lets out.
    pub egress: Vec<Egress>,
}

impl SecurityGroup {
    /// A group that lets everything out, as a new one does.
    pub fn open(id: impl Into<String>, vpc: impl Into<String>, name: impl Into<String>) -> Self {
        let everything = Egress { protocol: "-1".into(), ports: None, to: vec!["0.0.0.0/0".into()] };
        Self { id: id.into(), vpc: vpc.into(), name: name.into(), egress: vec![everything] }
    }
}

/// An outbound rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// `tcp`, `udp`, or `-1` for all.
    pub protocol: String,
    /// First and last port; absent for all.
    pub ports: Option<(u16, u16)>,
    /// Blocks of IPv4 addresses, prefix lists (`pl-…`) and groups (`sg-…`).
    pub to: Vec<String>,
}
