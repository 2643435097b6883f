# The layers of images in ECR, Amazon Linux's packages and the mailbox are all in S3: this saves NAT gateways most of
# what they would bill, and costs nothing. It has no policy of its own, because jobs may use any bucket that their own
# credentials allow.
resource "aws_vpc_endpoint" "s3" {
  count             = local.create || length(var.route_table_ids) > 0 ? 1 : 0
  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${data.aws_region.current.id}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.create ? values(local.route_table_ids) : var.route_table_ids
  tags              = merge(var.tags, { Name = "${var.name}-s3" })
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = var.interface_endpoints
  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${data.aws_region.current.id}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = local.runner_subnet_ids
  security_group_ids  = aws_security_group.endpoints[*].id
  tags                = merge(var.tags, { Name = "${var.name}-${each.key}" })
}
