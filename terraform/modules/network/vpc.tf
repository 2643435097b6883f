resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:Flow logs are billed by volume and so are asked for, with flow_logs.
  count                = local.create ? 1 : 0
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = var.name })
}

# AWS gives each VPC a group whose members may talk to each other. Without rules it is of no use to anybody.
resource "aws_default_security_group" "closed" {
  count  = local.create ? 1 : 0
  vpc_id = local.vpc_id
  tags   = merge(var.tags, { Name = "${var.name}-closed" })
}

resource "aws_internet_gateway" "this" {
  count  = local.create ? 1 : 0
  vpc_id = local.vpc_id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_subnet" "public" {
  count             = length(local.zones)
  vpc_id            = local.vpc_id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.cidr, 4, count.index)

  # Tasks and instances ask for a public address themselves; whatever else starts here gets none.
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "${var.name}-public-${local.zones[count.index]}" })
}

resource "aws_subnet" "private" {
  count             = length(local.zones)
  vpc_id            = local.vpc_id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.cidr, 4, 8 + count.index)
  tags              = merge(var.tags, { Name = "${var.name}-private-${local.zones[count.index]}" })
}

resource "aws_flow_log" "this" {
  count                = local.create && var.flow_logs != null ? 1 : 0
  vpc_id               = local.vpc_id
  traffic_type         = "ALL"
  log_destination_type = "s3"
  log_destination      = var.flow_logs.bucket_arn
  tags                 = merge(var.tags, { Name = var.name })
}
