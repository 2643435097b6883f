/**
 * The stack document: what every command of Fleetfoot reads, in an SSM parameter.
 *
 * It is written field by field as `docs/stack.schema.json` has it; what is not set is left out, and there is nothing
 * secret in it.
 *
 * ```hcl
 * module "stack" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/stack?ref=vVERSION"
 *
 *   name    = "prod"
 *   cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"
 *   mailbox = { bucket = "prod-mailbox" }
 *   github  = { url = "https://github.com/acme/shop" }
 *
 *   pools = [{
 *     name            = "linux-x64"
 *     task_definition = "prod-linux-x64"
 *     arch            = "x86_64"
 *     cpu             = 1024
 *     memory          = 2048
 *     network         = { subnets = ["subnet-0a1b2c3d4e5f60718"], assign_public_ip = true }
 *     capacity        = ["FARGATE_SPOT", "FARGATE"]
 *   }]
 * }
 * ```
 */

data "aws_region" "current" {}

locals {
  region = coalesce(var.region, data.aws_region.current.id)

  app = var.github.app == null ? null : { for field, value in var.github.app : field => value if value != null }

  pools = [
    for pool in var.pools : merge(
      {
        name            = pool.name
        task_definition = pool.task_definition
        container       = pool.container
        arch            = pool.arch
        cpu             = pool.cpu
        memory          = pool.memory
        max             = pool.max
        warm            = pool.warm
        capacity = [
          for choice in pool.capacity :
          startswith(choice, "launch_type:") ? { launch_type = trimprefix(choice, "launch_type:") } : { provider = choice }
        ]
      },
      pool.network == null ? {} : { network = pool.network },
      length(pool.schedules) == 0 ? {} : {
        schedules = [for window in pool.schedules : { cron = window.cron, "for" = window.duration, time_zone = window.time_zone, warm = window.warm }]
      },
      pool.adaptive == null ? {} : { adaptive = pool.adaptive },
    )
  ]

  sets = [
    for set in var.scale_sets : merge(
      { for field, value in set : field => value if field != "schedules" && value != null },
      length(set.schedules) == 0 ? {} : {
        schedules = [
          for window in set.schedules : {
            for field, value in { cron = window.cron, "for" = window.duration, time_zone = window.time_zone, min = window.min, max = window.max } :
            field => value if value != null
          }
        ]
      },
    )
  ]

  # Empty is the same as not set, and a parameter has little room.
  launcher_subjects = length(var.launcher_subjects) == 0 ? null : var.launcher_subjects
  scale_sets        = length(local.sets) == 0 ? null : local.sets

  document = {
    for field, value in {
      version           = 1
      name              = var.name
      region            = local.region
      cluster           = var.cluster
      mailbox           = var.mailbox
      log_group         = var.log_group
      launcher_role     = var.launcher_role
      launcher_subjects = local.launcher_subjects
      events_queue      = var.events_queue
      github = {
        for field, value in { url = var.github.url, api_url = var.github.api_url, app = local.app } :
        field => value if value != null
      }
      pools      = local.pools
      scale_sets = local.scale_sets
    } : field => value if value != null
  }

  json = jsonencode(local.document)
}

resource "aws_ssm_parameter" "this" {
  #checkov:skip=CKV2_AWS_34:Nothing in it is secret, and a SecureString would need kms:Decrypt for every launcher.
  name        = "/fleetfoot/${var.name}"
  description = "Stack document of Fleetfoot"
  type        = "String"
  tags        = var.tags

  # The standard tier is free and takes 4 KB; the advanced one takes 8 KB for five cents a month.
  tier           = length(local.json) > 4096 ? "Advanced" : "Standard"
  insecure_value = local.json

  lifecycle {
    precondition {
      condition     = length(local.json) <= 8192
      error_message = "The stack document has ${length(local.json)} characters, and a parameter takes 8192. Name fewer pools, scale sets or subjects, or make two stacks."
    }
  }
}
