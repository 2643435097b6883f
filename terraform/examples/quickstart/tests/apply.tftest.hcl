# Applied to moto by `cargo xtask test --only terraform`, which says where it is by AWS_ENDPOINT_URL. The keys
# are none of AWS's: run without moto, this can touch no account.
provider "aws" {
  region     = "eu-west-1"
  access_key = "moto"
  secret_key = "moto"
}

variables {
  region     = "eu-west-1"
  repository = "acme/shop"
  image      = "ghcr.io/acme/fleetfoot-runner:1.0.0-2.336.0"
}

run "apply" {
  assert {
    condition     = output.workflow_variables["FLEETFOOT_STACK"] == "quickstart" && output.workflow_variables["AWS_REGION"] == "eu-west-1"
    error_message = "The workflow variables do not name the stack and its region."
  }

  assert {
    condition     = module.fleetfoot.repository_url == null && length(module.fleetfoot.image_build_projects) == 0
    error_message = "An image that is given needs no registry and no build."
  }

  assert {
    condition     = length(module.fleetfoot.nat_public_ips) == 0 && module.fleetfoot.controller_service == null
    error_message = "Something costs money between jobs."
  }
}

# Reads everything back that the stack document names.
run "look" {
  module {
    source = "../../tests/look"
  }

  variables {
    parameter = run.apply.stack_parameter
  }

  assert {
    condition     = output.stack.pools[*].arch == ["x86_64", "arm64"] && alltrue([for pool in output.stack.pools : pool.capacity == [{ provider = "FARGATE_SPOT" }, { provider = "FARGATE" }]])
    error_message = "There should be a pool of each architecture, on spot first."
  }

  assert {
    condition     = alltrue([for pool in output.stack.pools : pool.network.assign_public_ip]) && output.ways_out == tolist(["igw"])
    error_message = "Tasks in public subnets need a public address and an internet gateway."
  }

  assert {
    condition     = length(output.zones) == 3
    error_message = "Spot capacity wants three zones."
  }

  assert {
    condition     = length(output.ways_in) == 0 && output.ways_out_of_groups > 0
    error_message = "The security group must let everything out and nobody in."
  }

  assert {
    condition     = output.cluster_status == "ACTIVE" && alltrue([for mode in values(output.network_modes) : mode == "awsvpc"])
    error_message = "Fargate needs awsvpc mode in an active cluster."
  }

  assert {
    condition     = alltrue([for image in values(output.images) : image == "ghcr.io/acme/fleetfoot-runner:1.0.0-2.336.0"])
    error_message = "The tasks run another image."
  }

  assert {
    condition     = output.stack.launcher_role == run.apply.workflow_variables["FLEETFOOT_ROLE"]
    error_message = "The launcher role of the stack document is not that of the workflow variables."
  }
}

run "again" {
  command = plan
}
