variable "name" {
  description = "Prefix of all names; usually the stack's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 32 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "tags" {
  description = "Tags of everything that this module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}

# A VPC of its own ----------------------------------------------------------------------------------------------------

variable "cidr" {
  description = "Addresses of the VPC. It is cut into sixteen equal parts: public subnets take the first, private ones those from the ninth on."
  type        = string
  default     = "10.80.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 24, false)
    error_message = "cidr must be an IPv4 block between /16 and /24, such as 10.80.0.0/16: AWS takes no larger VPC, and a sixteenth of a smaller one is no subnet."
  }
}

variable "zones" {
  description = "How many availability zones to spread over: more zones have more spot capacity. Not used if `zone_names` says which."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.zones >= 1 && var.zones <= 6 && floor(var.zones) == var.zones
    error_message = "zones must be a whole number from 1 to 6."
  }
}

variable "zone_names" {
  description = "The availability zones to use, such as `[\"us-east-1a\", \"us-east-1b\"]`, to pin them or to leave one out. Empty: the first `zones` of the region that have Fargate."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.zone_names) <= 6 && length(distinct(var.zone_names)) == length(var.zone_names)
    error_message = "zone_names takes at most 6 zones, each once."
  }
}

variable "nat" {
  description = "The way out of private subnets. `none`: there is none, runners live in public subnets behind a security group that lets nobody in, and cost nothing when idle. `single`: one NAT gateway. `per-zone`: one in each zone, so that a zone may fail."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per-zone"], var.nat)
    error_message = "nat must be none, single or per-zone."
  }
}

variable "flow_logs" {
  description = "VPC flow logs, to the S3 bucket of this ARN. None are written without it: they are billed by volume."
  type        = object({ bucket_arn = string })
  default     = null

  validation {
    condition     = var.flow_logs == null || can(regex("^arn:[a-z-]+:s3:::.+$", var.flow_logs.bucket_arn))
    error_message = "bucket_arn of flow_logs must be the ARN of a bucket, arn:aws:s3:::NAME."
  }
}

# Or one that is there ------------------------------------------------------------------------------------------------

variable "vpc_id" {
  description = "The existing VPC of `public_subnet_ids` and `private_subnet_ids`. If there are any, no VPC, subnet, route or NAT gateway is created, and `cidr`, `zones`, `zone_names`, `nat` and `flow_logs` are not used."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id must look like vpc-0a1b2c3d4e5f60718."
  }

  validation {
    condition     = (var.vpc_id == null) == (length(var.private_subnet_ids) + length(var.public_subnet_ids) == 0)
    error_message = "An existing VPC needs both: vpc_id, and the subnets for the runners in private_subnet_ids or public_subnet_ids."
  }
}

variable "public_subnet_ids" {
  description = "Public subnets of the existing VPC: their route table leads to an internet gateway."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.public_subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "public_subnet_ids must be subnet ids, such as subnet-0a1b2c3d4e5f60718."
  }
}

variable "private_subnet_ids" {
  description = "Private subnets of the existing VPC, with a way out to GitHub by a NAT gateway, a transit gateway or a proxy. If there are any, runners live in them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.private_subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "private_subnet_ids must be subnet ids, such as subnet-0a1b2c3d4e5f60718."
  }
}

variable "route_table_ids" {
  description = "Route tables of the existing VPC that shall lead to the S3 gateway endpoint. Empty: no endpoint is created, because most VPCs have one."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.route_table_ids : can(regex("^rtb-[0-9a-f]+$", id))])
    error_message = "route_table_ids must be route table ids, such as rtb-0a1b2c3d4e5f60718."
  }

  validation {
    condition     = var.vpc_id != null || length(var.route_table_ids) == 0
    error_message = "route_table_ids belong to an existing VPC: name it in vpc_id."
  }
}

variable "security_group_ids" {
  description = "Security groups for runners instead of the egress-only one that this module creates."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.security_group_ids : can(regex("^sg-[0-9a-f]+$", id))]) && length(var.security_group_ids) <= 5
    error_message = "security_group_ids must be at most 5 security group ids, such as sg-0a1b2c3d4e5f60718."
  }

  validation {
    condition     = var.vpc_id != null || length(var.security_group_ids) == 0
    error_message = "security_group_ids belong to an existing VPC: name it in vpc_id."
  }
}

# Either way ----------------------------------------------------------------------------------------------------------

variable "interface_endpoints" {
  description = "AWS services to reach without the internet, by the last part of the endpoint's name: `ecr.api`, `ecr.dkr`, `logs`, `ssm`, `ecs`, `ecs-agent`, `ecs-telemetry`, `kms`, `sts`, … Each costs about $7.30 a month and zone, and none replaces the way out to GitHub."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z0-9][a-z0-9.-]*$", service)) && service != "s3" && !startswith(service, "com.amazonaws")])
    error_message = "interface_endpoints are short names such as ecr.dkr or logs, without com.amazonaws.REGION. S3 has its free gateway endpoint."
  }
}
