/**
 * Builds the runner's image inside AWS and pushes it to ECR: when its sources change, and every week, because GitHub
 * refuses runners that are over 30 days behind.
 *
 * The sources are a bundle in S3 (a folder with the Dockerfile and the binaries) or a CodeCommit repository. Each
 * architecture has a build project of its own, and nothing is emulated. A build gives its image a tag that was never
 * used before, writes the image's name into an SSM parameter, and registers new revisions of the task definitions that
 * it is told of, so that the next launch uses it.
 *
 * ```hcl
 * module "image_build" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/image_build?ref=vVERSION"
 *
 *   name           = "prod"
 *   repository_arn = "arn:aws:ecr:eu-west-1:123456789012:repository/prod-runner"
 *   repository_url = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/prod-runner"
 * }
 * ```
 */

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  from_codecommit = var.codecommit_repository != null

  # What CodeBuild calls the architectures. Both images have Docker, the AWS CLI and jq.
  machines = {
    x86_64 = { type = "LINUX_CONTAINER", image = "aws/codebuild/amazonlinux-x86_64-standard:5.0" }
    arm64  = { type = "ARM_CONTAINER", image = "aws/codebuild/amazonlinux-aarch64-standard:3.0" }
  }

  project_names = { for arch in var.architectures : arch => "${var.name}-image-${replace(arch, "_", "-")}" }
  project_arns  = { for arch, name in local.project_names : arch => "arn:${local.partition}:codebuild:${local.region}:${local.account}:project/${name}" }

  # By name and not by resource: what is told here to do by hand needs no project to be there.
  build_commands = { for arch, name in local.project_names : arch => "aws codebuild start-build --region ${local.region} --project-name ${name}" }

  # Tags begin with the runner's version: 2.336.0-20260914-031702-x86_64.
  runner_versions = { for arch, parameter in aws_ssm_parameter.image : arch => try(regex(":([0-9]+\\.[0-9]+\\.[0-9]+)-", parameter.insecure_value)[0], null) }
}

# Builds write it, Terraform only reads it.
resource "aws_ssm_parameter" "image" {
  #checkov:skip=CKV2_AWS_34:An image's name is no secret.
  for_each = var.architectures

  name           = "/fleetfoot/${var.name}/image/${each.key}"
  description    = "The newest runner image for ${each.key}"
  type           = "String"
  insecure_value = "${var.repository_url}:not-built-yet"
  tags           = var.tags

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch Logs encrypts without it; a KMS key is asked for with log_kms_key_arn.
  #checkov:skip=CKV_AWS_338:Builds are of interest for days.
  name              = "/fleetfoot/${var.name}/image-build"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_codebuild_project" "this" {
  #checkov:skip=CKV_AWS_147:It has no artifacts to encrypt; the image is ECR's.
  #checkov:skip=CKV_AWS_316:Docker needs it to build. The machine is used for one build.
  for_each = var.architectures

  name           = local.project_names[each.key]
  description    = "Runner image of the stack ${var.name} for ${each.key}"
  service_role   = aws_iam_role.build.arn
  build_timeout  = 30
  queued_timeout = 60
  tags           = var.tags

  source {
    type            = local.from_codecommit ? "CODECOMMIT" : "S3"
    location        = local.from_codecommit ? "https://git-codecommit.${local.region}.${data.aws_partition.current.dns_suffix}/v1/repos/${var.codecommit_repository}" : "${aws_s3_bucket.source[0].bucket}/${local.bundle}"
    git_clone_depth = local.from_codecommit ? 1 : null
    buildspec       = templatefile("${path.module}/buildspec.yml.tftpl", { script = file("${path.module}/build.sh") })
  }

  source_version = local.from_codecommit ? "refs/heads/${var.codecommit_branch}" : null

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type            = local.machines[each.key].type
    image           = local.machines[each.key].image
    compute_type    = var.compute_type
    privileged_mode = true

    dynamic "environment_variable" {
      for_each = {
        ARCH            = each.key
        REPOSITORY_URL  = var.repository_url
        IMAGE_PARAMETER = aws_ssm_parameter.image[each.key].name
        RUNNER_VERSION  = var.runner_version == null ? "" : var.runner_version
        BASE_IMAGE      = var.base_image == null ? "" : var.base_image
        SUDO            = var.keep_sudo ? "keep" : "remove"
        TARGET          = var.target == null ? "" : var.target
        FAMILIES        = join(" ", lookup(var.families, each.key, []))
        SERVICES        = join(" ", [for service in lookup(var.services, each.key, []) : "${service.cluster}/${service.name}/${service.family}"])
      }
      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.this.name
    }
  }
}
