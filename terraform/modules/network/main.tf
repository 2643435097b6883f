/**
 * The network of runners: a VPC with public and private subnets over several zones and a security group that lets
 * nobody in, or an existing VPC.
 *
 * Runners only call out: to GitHub, to S3 for their assignment, to whatever their jobs need. So the cheapest network
 * that works is a public subnet without any inbound rule, and that is the default. A NAT gateway buys fixed addresses
 * for allow lists, and tasks of their own address on EC2.
 *
 * ```hcl
 * module "network" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/network?ref=vVERSION"
 *
 *   name = "prod"
 *   nat  = "single"
 * }
 * ```
 */

data "aws_region" "current" {}

# In whatever state they are: a zone in trouble must not leave the list, or all subnets after it would move.
data "aws_availability_zones" "all" {
  #checkov:skip=CKV_AWS_394:The first few are taken by name, and the name of a new zone comes after them; zone_names pins them.
  count = local.create && length(var.zone_names) == 0 ? 1 : 0

  # Without Fargate (ECS Developer Guide, "Supported Regions for Amazon ECS on AWS Fargate").
  exclude_zone_ids = ["apne1-az3", "cnn1-az3", "usw1-az2"]

  # Local and Wavelength Zones are opted into, and have no Fargate.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_vpc" "existing" {
  count = local.create ? 0 : 1
  id    = var.vpc_id
}

locals {
  # By the subnets and not by the VPC's id: how many there are is known even if all of it is created in one go.
  create = length(var.public_subnet_ids) + length(var.private_subnet_ids) == 0

  zones = (
    !local.create ? [] :
    length(var.zone_names) > 0 ? var.zone_names :
    slice(data.aws_availability_zones.all[0].names, 0, min(var.zones, length(data.aws_availability_zones.all[0].names)))
  )

  nat_count = !local.create || var.nat == "none" ? 0 : var.nat == "single" ? 1 : length(local.zones)

  vpc_id             = local.create ? aws_vpc.this[0].id : data.aws_vpc.existing[0].id
  vpc_cidr           = local.create ? var.cidr : data.aws_vpc.existing[0].cidr_block
  public_subnet_ids  = local.create ? aws_subnet.public[*].id : var.public_subnet_ids
  private_subnet_ids = local.create ? aws_subnet.private[*].id : var.private_subnet_ids

  # Private subnets of our own are of use to runners only with a NAT gateway; existing ones are given for them.
  private           = local.create ? var.nat != "none" : length(var.private_subnet_ids) > 0
  runner_subnet_ids = local.private ? local.private_subnet_ids : local.public_subnet_ids
  assign_public_ip  = !local.private
}
