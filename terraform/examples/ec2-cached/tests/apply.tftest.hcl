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
    condition     = startswith(output.autoscaling_group, "ec2-cached") && length(module.fleetfoot.capacity_providers) == 1
    error_message = "The fleet has no group."
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
    condition     = output.stack.pools[0].name == "cached" && output.network_modes["cached"] == "bridge" && try(output.stack.pools[0].network, null) == null
    error_message = "Tasks on instances in public subnets need bridge mode, and no network of their own."
  }

  assert {
    condition     = output.network_modes["fargate"] == "awsvpc" && length(output.stack.pools[1].network.subnets) == 3
    error_message = "The pool on Fargate needs subnets."
  }

  assert {
    condition     = output.stack.pools[0].capacity == [{ provider = run.apply.capacity_provider }]
    error_message = "The pool does not name the fleet’s capacity provider."
  }

  assert {
    condition     = length(output.ways_in) == 0
    error_message = "The security group must let nobody in."
  }
}

run "again" {
  command = plan
}
