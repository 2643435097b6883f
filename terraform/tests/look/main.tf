# Follows a stack document to everything that it names, through AWS's API: a data source fails if a thing
# is not there. For tests; it makes nothing.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

variable "parameter" {
  description = "Name of the SSM parameter that holds the stack document."
  type        = string
}

data "aws_ssm_parameter" "stack" {
  name = var.parameter
}

locals {
  # The provider takes every parameter's value for a secret.
  stack    = jsondecode(nonsensitive(data.aws_ssm_parameter.stack.value))
  pools    = { for pool in local.stack.pools : pool.name => pool }
  networks = [for pool in local.stack.pools : pool.network if try(pool.network, null) != null]
}

data "aws_ecs_cluster" "this" {
  cluster_name = reverse(split("/", local.stack.cluster))[0]
}

data "aws_ecs_task_definition" "this" {
  for_each        = local.pools
  task_definition = each.value.task_definition
}

data "aws_ecs_container_definition" "runner" {
  for_each        = local.pools
  task_definition = data.aws_ecs_task_definition.this[each.key].arn
  container_name  = each.value.container
}

data "aws_iam_role" "task" {
  for_each = local.pools
  name     = reverse(split("/", data.aws_ecs_task_definition.this[each.key].task_role_arn))[0]
}

data "aws_iam_role" "execution" {
  for_each = local.pools
  name     = reverse(split("/", data.aws_ecs_task_definition.this[each.key].execution_role_arn))[0]
}

data "aws_iam_role" "launcher" {
  for_each = toset(compact([try(local.stack.launcher_role, null)]))
  name     = reverse(split("/", each.value))[0]
}

data "aws_subnet" "this" {
  for_each = toset(flatten(local.networks[*].subnets))
  id       = each.value
}

data "aws_route_table" "this" {
  for_each  = data.aws_subnet.this
  subnet_id = each.value.id
}

data "aws_vpc_security_group_rules" "this" {
  filter {
    name   = "group-id"
    values = distinct(flatten(local.networks[*].security_groups))
  }
}

data "aws_vpc_security_group_rule" "this" {
  for_each               = toset(data.aws_vpc_security_group_rules.this.ids)
  security_group_rule_id = each.value
}

data "aws_s3_bucket" "mailbox" {
  bucket = local.stack.mailbox.bucket
}

data "aws_s3_bucket_policy" "mailbox" {
  bucket = data.aws_s3_bucket.mailbox.bucket
}

data "aws_cloudwatch_log_group" "this" {
  name = local.stack.log_group
}

data "aws_sqs_queue" "events" {
  for_each = toset(compact([try(local.stack.events_queue, null)]))
  name     = reverse(split("/", each.value))[0]
}

output "stack" {
  description = "The stack document."
  value       = local.stack
}

output "cluster_status" {
  description = "Status of its cluster."
  value       = data.aws_ecs_cluster.this.status
}

output "network_modes" {
  description = "Network mode of the task definition, by pool."
  value       = { for name, definition in data.aws_ecs_task_definition.this : name => definition.network_mode }
}

output "images" {
  description = "Image of the runner's container, by pool."
  value       = { for name, container in data.aws_ecs_container_definition.runner : name => container.image }
}

output "task_roles" {
  description = "Role of the tasks, by pool."
  value       = { for name, role in data.aws_iam_role.task : name => role.name }
}

output "ways_out" {
  description = "Where the subnets' default route leads: the gateway's kind, such as igw or nat."
  value = distinct(flatten([for table in data.aws_route_table.this : [
    for route in table.routes : split("-", coalesce(route.nat_gateway_id, route.gateway_id, "none"))[0] if route.cidr_block == "0.0.0.0/0"
  ]]))
}

output "zones" {
  description = "Availability zones of the subnets."
  value       = distinct([for subnet in data.aws_subnet.this : subnet.availability_zone])
}

output "ways_in" {
  description = "Rules of the security groups that let anybody in. There must be none."
  value       = [for rule in data.aws_vpc_security_group_rule.this : rule.security_group_rule_id if !rule.is_egress]
}

output "ways_out_of_groups" {
  description = "How many rules of the security groups let something out."
  value       = length([for rule in data.aws_vpc_security_group_rule.this : rule if rule.is_egress])
}

output "log_retention" {
  description = "For how many days logs are kept."
  value       = data.aws_cloudwatch_log_group.this.retention_in_days
}
