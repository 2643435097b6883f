# From the pools as they are asked for to task definitions, to launch rights, and to the stack document.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  region = data.aws_region.current.id
  tags   = merge({ "fleetfoot:stack" = var.name }, var.tags)

  pools    = { for pool in var.pools : pool.name => pool }
  families = { for name in keys(local.pools) : name => "${var.name}-${name}" }

  on_fargate = { for name, pool in local.pools : name => length(setintersection(["FARGATE", "FARGATE_SPOT"], pool.capacity)) > 0 }

  # Without a NAT gateway only bridge mode has a way out on EC2, and with one it still starts faster.
  network_modes = { for name, pool in local.pools : name => coalesce(pool.network_mode, local.on_fargate[name] ? "awsvpc" : "bridge") }

  task_definitions = {
    for name, pool in local.pools : name => {
      image                    = pool.image != null ? pool.image : local.images[pool.arch]
      runner_version           = pool.image != null ? null : local.runner_versions[pool.arch]
      task_role_arn            = pool.job_role == null ? module.identity.task_role_arn : module.identity.job_role_arns[pool.job_role]
      job_credentials          = pool.job_role != null
      launch_type              = local.on_fargate[name] ? "FARGATE" : "EC2"
      network_mode             = local.network_modes[name]
      arch                     = pool.arch
      cpu                      = pool.cpu
      memory                   = pool.memory
      ephemeral_storage        = pool.ephemeral_storage
      environment              = pool.environment
      readonly_root_filesystem = pool.readonly_root_filesystem
    }
  }

  # In the order given: the first is the default.
  stack_pools = [
    for pool in var.pools : {
      name            = pool.name
      task_definition = module.cluster.families[pool.name]
      container       = module.cluster.container_name
      arch            = pool.arch
      cpu             = pool.cpu
      memory          = pool.memory
      max             = pool.max
      warm            = pool.warm
      schedules       = pool.schedules
      adaptive        = pool.adaptive
      capacity        = [for choice in pool.capacity : contains(keys(var.fleets), choice) ? module.ec2[choice].capacity_provider_name : choice]
      network = local.network_modes[pool.name] == "bridge" ? null : {
        subnets          = module.network.runner_subnet_ids
        security_groups  = module.network.security_group_ids
        assign_public_ip = module.network.assign_public_ip && local.on_fargate[pool.name]
      }
    }
  ]

  # The launcher that the stack document names.
  launcher          = contains(keys(var.launchers), "default") ? "default" : try(sort(keys(var.launchers))[0], null)
  launcher_role_arn = local.launcher == null ? null : module.identity.launcher_role_arns[local.launcher]

  # What each fleet pulls at boot: the image of its pools, by the parameter that names the newest if it is built here.
  pools_of_fleet     = { for key in keys(var.fleets) : key => [for pool in var.pools : pool if contains(pool.capacity, key)] }
  prepull_images     = { for key, pools in local.pools_of_fleet : key => distinct([for pool in pools : pool.image != null ? pool.image : var.image if pool.image != null || var.image != null]) }
  prepull_parameters = { for key, pools in local.pools_of_fleet : key => distinct([for pool in pools : module.image_build[0].image_parameters[pool.arch] if pool.image == null && var.image == null]) }
}
