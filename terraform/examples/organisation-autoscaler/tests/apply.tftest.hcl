# Applied to moto by `cargo xtask test --only terraform`, which says where it is by AWS_ENDPOINT_URL. The keys
# are none of AWS's: run without moto, this can touch no account.
provider "aws" {
  region     = "eu-west-1"
  access_key = "moto"
  secret_key = "moto"
}

variables {
  region              = "eu-west-1"
  organisation        = "acme"
  app_client_id       = "Iv23liAAAABBBBCCCCDD"
  app_installation_id = 4711
  app_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809"
}

run "apply" {
  assert {
    condition     = length(output.egress_addresses) == 1
    error_message = "One NAT gateway means one address."
  }

  assert {
    condition     = length(module.fleetfoot.launcher_role_arns) == 0 && module.fleetfoot.oidc_provider_arn == null
    error_message = "Nobody outside AWS should be able to launch."
  }

  assert {
    condition     = toset(keys(module.fleetfoot.image_build_projects)) == toset(["x86_64", "arm64"])
    error_message = "Both architectures need a build."
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
    condition     = output.stack.github.url == "https://github.com/acme" && startswith(output.stack.github.app.key, "kms:arn:") && output.stack.github.app.installation_id == 4711
    error_message = "The stack document does not name the App."
  }

  assert {
    condition     = output.stack.scale_sets[*].name == ["linux", "linux-large", "linux-arm"] && output.stack.scale_sets[0].min == 1 && output.stack.scale_sets[1].runner_group == "builds"
    error_message = "The scale sets are not those that were asked for."
  }

  assert {
    condition     = output.stack.events_queue != null && try(output.stack.launcher_role, null) == null
    error_message = "The controller needs its queue, and nobody a launcher role."
  }

  assert {
    condition     = output.ways_out == tolist(["nat"]) && length(output.zones) == 2 && !anytrue(output.stack.pools[*].network.assign_public_ip)
    error_message = "Runners should leave by the NAT gateway."
  }

  assert {
    condition     = length(output.ways_in) == 0
    error_message = "The security group must let nobody in."
  }
}

run "again" {
  command = plan
}
