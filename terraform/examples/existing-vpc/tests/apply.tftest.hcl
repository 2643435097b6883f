# Applied to moto by `cargo xtask test --only terraform`, which says where it is by AWS_ENDPOINT_URL. The keys
# are none of AWS's: run without moto, this can touch no account.
provider "aws" {
  region     = "eu-west-1"
  access_key = "moto"
  secret_key = "moto"
}

variables {
  region          = "eu-west-1"
  repository      = "acme/shop"
  image           = "ghcr.io/acme/fleetfoot-runner:1.0.0-2.336.0"
  artifact_bucket = "acme-artifacts"
}

# What the account has already.
run "account" {
  module {
    source = "./tests/account"
  }
}

run "apply" {
  variables {
    vpc_id                   = run.account.vpc_id
    private_subnet_ids       = run.account.private_subnet_ids
    oidc_provider_arn        = run.account.oidc_provider_arn
    permissions_boundary_arn = run.account.permissions_boundary_arn
  }

  assert {
    condition     = module.fleetfoot.vpc_id == run.account.vpc_id && toset(module.fleetfoot.runner_subnet_ids) == toset(run.account.private_subnet_ids)
    error_message = "The network is not the existing one."
  }

  assert {
    condition     = module.fleetfoot.oidc_provider_arn == run.account.oidc_provider_arn
    error_message = "A second OIDC provider was made."
  }

  assert {
    condition     = alltrue([for arn in values(output.launcher_role_arns) : strcontains(arn, ":role/ci/")])
    error_message = "The roles do not have the path that the account wants."
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
    condition     = toset(flatten(output.stack.pools[*].network.subnets)) == toset(run.account.private_subnet_ids) && !anytrue(output.stack.pools[*].network.assign_public_ip)
    error_message = "Tasks in private subnets must have no public address."
  }

  assert {
    condition     = length(output.ways_in) == 0 && output.ways_out_of_groups > 0
    error_message = "The security group must let everything out and nobody in."
  }

  assert {
    condition     = output.task_roles["publish"] != output.task_roles["linux-x64"]
    error_message = "The pool publish has no role of its own."
  }

  assert {
    condition     = output.log_retention == 90
    error_message = "Logs are not kept for as long as asked."
  }
}

run "again" {
  command = plan

  variables {
    vpc_id                   = run.account.vpc_id
    private_subnet_ids       = run.account.private_subnet_ids
    oidc_provider_arn        = run.account.oidc_provider_arn
    permissions_boundary_arn = run.account.permissions_boundary_arn
  }
}
