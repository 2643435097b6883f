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

  name   = "seed"
  github = { url = "https://github.com/${var.repository}" }

  # One instance of the free tier in a public subnet. It is always there, so that tasks start at once.
  fleets = {
    free = { instance_types = ["t3.micro"], volume_size = 30, min_size = 1, max_size = 1 }
  }

  # What the article's workflow offers as its LaunchMode; so does examples/on-demand.yml.
  pools = [
    # The instance has 1 GiB, of which its system takes a part, and no address for a task of its own.
    { name = "EC2", capacity = ["free"], network_mode = "bridge", cpu = 1024, memory = 768, max = 1 },
    { name = "Fargate", capacity = ["FARGATE"], max = 5 },
    { name = "Fargate-Spot", capacity = ["FARGATE_SPOT", "FARGATE"], max = 5 },
  ]

  # The image is built in AWS, from CodeCommit where the account has it, else from a bundle in S3.
  image_build = { codecommit_repository = var.codecommit_repository, source_dir = var.image_source }

  oidc = { provider_arn = var.oidc_provider_arn }
  launchers = {
    default = { repositories = [var.repository], environments = [var.environment], operate = true }
  }
}
