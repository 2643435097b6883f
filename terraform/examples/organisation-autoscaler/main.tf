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

  name = "org"
  github = {
    url = "https://github.com/${var.organisation}"
    app = { client_id = var.app_client_id, installation_id = var.app_installation_id, key = "kms:${var.app_key_arn}" }
  }

  # Runners have one address for all, which other services can put on their allow lists.
  network = { nat = "single", zones = 2 }

  pools = [
    { name = "linux-x64", max = 100 },
    { name = "linux-x64-large", cpu = 4096, memory = 16384, ephemeral_storage = 60, max = 20 },
    { name = "linux-arm64", arch = "arm64", max = 50 },
  ]

  controller = { enabled = true, arch = "arm64" }
  scale_sets = [
    { name = "linux", pool = "linux-x64", min = 1, max = 100 },
    { name = "linux-large", pool = "linux-x64-large", runner_group = "builds", max = 20 },
    { name = "linux-arm", pool = "linux-arm64", labels = ["graviton"], max = 50 },
  ]

  image_build = { source_dir = var.image_source }
}
