/**
 * Fleetfoot on AWS: everything that single-use GitHub Actions runners on Amazon ECS need, from one module.
 *
 * It composes the modules below `modules/`, each of which can be used alone. Left to itself it costs nothing while no
 * job runs: Fargate tasks in public subnets that nobody can reach, no NAT gateway, no running instance. In the end the
 * stack document, which every command of Fleetfoot reads, is in the SSM parameter `/fleetfoot/NAME`.
 *
 * ```hcl
 * module "fleetfoot" {
 *   source = "github.com/OWNER/fleetfoot//terraform?ref=vVERSION"
 *
 *   github = { url = "https://github.com/acme/shop" }
 *   image  = "ghcr.io/acme/fleetfoot-runner:TAG"
 *
 *   launchers = {
 *     default = { repositories = ["acme/shop"], environments = ["dev"] }
 *   }
 * }
 * ```
 */

module "network" {
  source = "./modules/network"

  name                = var.name
  tags                = local.tags
  cidr                = var.network.cidr
  zones               = var.network.zones
  zone_names          = var.network.zone_names
  nat                 = var.network.nat
  flow_logs           = var.network.flow_logs
  vpc_id              = var.network.vpc_id
  public_subnet_ids   = var.network.public_subnet_ids
  private_subnet_ids  = var.network.private_subnet_ids
  route_table_ids     = var.network.route_table_ids
  security_group_ids  = var.network.security_group_ids
  interface_endpoints = var.network.interface_endpoints
}

module "mailbox" {
  source = "./modules/mailbox"

  name        = var.name
  tags        = local.tags
  bucket_name = var.mailbox.bucket_name
  kms_key_arn = var.mailbox.kms_key_arn
  access_logs = var.mailbox.access_logs
}

module "identity" {
  source = "./modules/identity"

  name                     = var.name
  tags                     = local.tags
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  role_path                = var.iam.path
  oidc_provider_arn        = var.oidc.provider_arn
  oidc_issuer              = var.oidc.issuer
  launchers                = var.launchers
  job_roles                = var.job_roles
  cluster_arn              = module.cluster.cluster_arn
  pools                    = { for name, pool in local.pools : name => { family = local.families[name], job_role = pool.job_role } }
  mailbox_bucket_arn       = module.mailbox.bucket_arn
  mailbox_prefix           = module.mailbox.prefix
  mailbox_kms_key_arn      = var.mailbox.kms_key_arn
  app_key                  = try(var.github.app.key, null)
  app_secret_kms_key_arn   = var.github.app_secret_kms_key_arn
  log_group_arn            = module.cluster.log_group_arn
  repository_arns          = local.repository_arns
}

module "cluster" {
  source = "./modules/cluster"

  name               = var.name
  tags               = local.tags
  container_insights = var.cluster.container_insights
  stop_timeout       = var.cluster.stop_timeout
  drop_capabilities  = var.cluster.drop_capabilities
  log_retention_days = var.logs.retention_days
  log_kms_key_arn    = var.logs.kms_key_arn
  capacity_providers = values(module.ec2)[*].capacity_provider_name
  execution_role_arn = module.identity.execution_role_arn
  task_definitions   = local.task_definitions
}

module "ec2" {
  source   = "./modules/ec2"
  for_each = var.fleets

  name                     = "${var.name}-${each.key}"
  tags                     = local.tags
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  role_path                = var.iam.path
  cluster_name             = module.cluster.cluster_name
  subnet_ids               = module.network.runner_subnet_ids
  security_group_ids       = module.network.security_group_ids
  associate_public_ip      = module.network.assign_public_ip
  arch                     = each.value.arch
  instance_types           = each.value.instance_types
  ami_id                   = each.value.ami_id
  volume_size              = each.value.volume_size
  volume_kms_key_arn       = each.value.volume_kms_key_arn
  min_size                 = each.value.min_size
  max_size                 = each.value.max_size
  max_step                 = each.value.max_step
  target_capacity          = each.value.target_capacity
  warmup_seconds           = each.value.warmup_seconds
  spot                     = each.value.spot
  on_demand_base           = each.value.on_demand_base
  prepull_images           = each.value.prepull ? local.prepull_images[each.key] : []
  prepull_parameters       = each.value.prepull ? local.prepull_parameters[each.key] : []
}

module "stack" {
  source = "./modules/stack"

  name              = var.name
  tags              = local.tags
  region            = local.region
  cluster           = module.cluster.cluster_arn
  mailbox           = { bucket = module.mailbox.bucket, prefix = module.mailbox.prefix }
  log_group         = module.cluster.log_group_name
  launcher_role     = local.launcher_role_arn
  launcher_subjects = local.launcher == null ? [] : module.identity.launcher_subjects[local.launcher]
  events_queue      = one(module.controller[*].events_queue_url)
  github            = { url = var.github.url, api_url = var.github.api_url, app = var.github.app }
  pools             = local.stack_pools
  scale_sets        = var.scale_sets
}

module "controller" {
  source = "./modules/controller"
  count  = var.controller.enabled ? 1 : 0

  name                     = var.name
  tags                     = local.tags
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  role_path                = var.iam.path
  cluster_arn              = module.cluster.cluster_arn
  subnet_ids               = module.network.runner_subnet_ids
  security_group_ids       = concat(module.network.security_group_ids, var.controller.security_group_ids)
  assign_public_ip         = module.network.assign_public_ip
  image                    = local.controller_image
  arch                     = var.controller.arch
  cpu                      = var.controller.cpu
  memory                   = var.controller.memory
  replicas                 = var.controller.replicas
  environment              = var.controller.environment
  log_group_name           = module.cluster.log_group_name
  execution_role_arn       = module.identity.execution_role_arn
  policy_json              = [module.identity.launch_policy_json, module.identity.operate_policy_json]
}
