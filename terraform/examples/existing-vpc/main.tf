terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

provider "aws" {
  region = var.region
}

module "fleetfoot" {
  source = "../.."

  name   = "existing-vpc"
  tags   = var.tags
  github = { url = "https://github.com/${var.repository}" }
  image  = var.image

  network = {
    vpc_id             = var.vpc_id
    private_subnet_ids = var.private_subnet_ids
  }

  # What an account with rules has already, or insists on.
  oidc = { provider_arn = var.oidc_provider_arn }
  iam  = { permissions_boundary_arn = var.permissions_boundary_arn, path = "/ci/" }

  pools = [
    { name = "linux-x64", max = 50 },
    # Jobs of this pool may publish, without a role to assume. All others have no rights at all in AWS.
    { name = "publish", job_role = "publish", max = 5 },
  ]
  job_roles = {
    publish = { policy = data.aws_iam_policy_document.publish.json }
  }

  launchers = {
    # Whoever may merge may publish; other branches and pull requests get plain runners.
    release = { repositories = [var.repository], refs = ["refs/heads/main", "refs/tags/v*"] }
    default = { repositories = [var.repository], refs = ["*"], pull_requests = true, pools = ["linux-x64"] }
  }

  logs = { retention_days = 90 }
}

data "aws_iam_policy_document" "publish" {
  statement {
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::${var.artifact_bucket}/releases/*"]
  }
}
