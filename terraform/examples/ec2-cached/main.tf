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

  name   = "ec2-cached"
  github = { url = "https://github.com/${var.repository}" }
  image  = var.image

  # Types of the same size, so that a task fits on any of them.
  fleets = {
    cached = {
      instance_types = ["c6i.large", "c6a.large", "c5.large"]
      min_size       = var.min_size
      max_size       = var.max_size
    }
  }

  pools = [
    # Two tasks fill an instance. They share its public address: in a public subnet EC2 gives none to a task.
    { name = "cached", capacity = ["cached"], network_mode = "bridge", cpu = 1024, memory = 1792, max = 2 * var.max_size },
    # For what is larger, or more than the instances hold.
    { name = "fargate", cpu = 4096, memory = 8192, capacity = ["FARGATE_SPOT", "FARGATE"] },
  ]

  oidc = { provider_arn = var.oidc_provider_arn }
  launchers = {
    default = { repositories = [var.repository], environments = [var.environment] }
  }
}
