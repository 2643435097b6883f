locals {
  create_security_group = length(var.security_group_ids) == 0
  security_group_ids    = local.create_security_group ? aws_security_group.runners[*].id : var.security_group_ids
}

resource "aws_security_group" "runners" {
  #checkov:skip=CKV2_AWS_5:Tasks and instances outside of this module are in it.
  count       = local.create_security_group ? 1 : 0
  name        = "${var.name}-runners"
  description = "Runners of ${var.name}: everything out, nothing in"
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-runners" })
}

resource "aws_vpc_security_group_egress_rule" "everything" {
  count             = local.create_security_group ? 1 : 0
  security_group_id = aws_security_group.runners[0].id
  description       = "GitHub, AWS, and whatever jobs need"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
  tags              = var.tags
}

resource "aws_security_group" "endpoints" {
  #checkov:skip=CKV2_AWS_5:The interface endpoints are in it.
  count       = length(var.interface_endpoints) > 0 ? 1 : 0
  name        = "${var.name}-endpoints"
  description = "Interface endpoints of ${var.name}: HTTPS from the VPC"
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count             = length(var.interface_endpoints) > 0 ? 1 : 0
  security_group_id = aws_security_group.endpoints[0].id
  description       = "HTTPS from the VPC"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = local.vpc_cidr
  tags              = var.tags
}
