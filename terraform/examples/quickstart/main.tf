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

  name   = "quickstart"
  github = { url = "https://github.com/${var.repository}" }
  image  = var.image

  oidc = { provider_arn = var.oidc_provider_arn }
  launchers = {
    default = { repositories = [var.repository], environments = [var.environment] }
  }
}
