# The runner's image: one that is given, or one that the stack builds for itself.

locals {
  build = var.image == null

  # What has to be built: for the pools that have no image of their own, and for the controller.
  architectures = distinct(concat(
    [for pool in var.pools : pool.arch if pool.image == null],
    var.controller.enabled && var.controller.image == null ? [var.controller.arch] : [],
  ))

  images           = local.build ? try(module.image_build[0].images, {}) : { for arch in ["x86_64", "arm64"] : arch => var.image }
  runner_versions  = local.build ? try(module.image_build[0].runner_versions, {}) : { for arch in ["x86_64", "arm64"] : arch => var.runner_version }
  controller_image = var.controller.image != null ? var.controller.image : lookup(local.images, var.controller.arch, null)

  # ECR repositories that images are in: our own, and those that a given image's name shows.
  given_images = compact(concat([var.image, var.controller.image], var.pools[*].image))
  repository_arns = distinct(concat(
    module.registry[*].repository_arn,
    [
      for match in [for image in local.given_images : try(regex("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/([^:@]+)", image), null)] :
      "arn:${data.aws_partition.current.partition}:ecr:${match[1]}:${match[0]}:repository/${match[2]}" if match != null
    ],
  ))

  # What follows a build of the image, by architecture: the pools without an image of their own, and the controller. By
  # name, because names follow from the stack's, and what they name need not be there yet.
  following_families = {
    for arch in local.architectures : arch => [for pool in var.pools : local.families[pool.name] if pool.image == null && pool.arch == arch]
  }
  following_services = {
    for arch in local.architectures : arch => [
      for name in ["${var.name}-controller"] : { cluster = var.name, name = name, family = name }
      if var.controller.enabled && var.controller.image == null && var.controller.arch == arch
    ]
  }
}

module "registry" {
  source = "./modules/registry"
  count  = local.build && length(local.architectures) > 0 ? 1 : 0

  name         = "${var.name}-runner"
  tags         = local.tags
  keep_images  = var.registry.keep_images
  kms_key_arn  = var.registry.kms_key_arn
  force_delete = var.registry.force_delete
}

module "image_build" {
  source = "./modules/image_build"
  count  = length(module.registry)

  name                     = var.name
  tags                     = local.tags
  permissions_boundary_arn = var.iam.permissions_boundary_arn
  role_path                = var.iam.path
  repository_arn           = module.registry[0].repository_arn
  repository_url           = module.registry[0].repository_url
  architectures            = local.architectures
  source_dir               = var.image_build.source_dir
  codecommit_repository    = var.image_build.codecommit_repository
  codecommit_branch        = var.image_build.codecommit_branch
  base_image               = var.image_build.base_image
  keep_sudo                = var.image_build.keep_sudo
  target                   = anytrue([for pool in var.pools : pool.image == null && pool.readonly_root_filesystem]) ? "read-only" : null
  schedule                 = var.image_build.schedule
  compute_type             = var.image_build.compute_type
  runner_version           = var.runner_version
  log_retention_days       = var.logs.retention_days
  log_kms_key_arn          = var.logs.kms_key_arn
  families                 = var.image_build.follow ? local.following_families : {}
  services                 = var.image_build.follow ? local.following_services : {}
  passed_role_arns         = var.image_build.follow ? concat(module.identity.passable_role_arns, module.controller[*].role_arn) : []
}
