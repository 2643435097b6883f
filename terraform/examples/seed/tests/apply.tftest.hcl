# Applied to moto by `cargo xtask test --only terraform`, which says where it is by AWS_ENDPOINT_URL. The keys
# are none of AWS's: run without moto, this can touch no account.
provider "aws" {
  region     = "eu-west-1"
  access_key = "moto"
  secret_key = "moto"
}

# It denies whatever comes without TLS, and so does moto, which weighs no condition: nothing could be uploaded.
override_resource {
  target = module.fleetfoot.module.image_build[0].aws_s3_bucket_policy.source_tls_only[0]
}

variables {
  region     = "eu-west-1"
  repository = "acme/shop"

  image_source = "../../modules/image_build/tests/image"
}

run "apply" {
  assert {
    condition     = length(module.fleetfoot.autoscaling_groups) == 1 && output.image_upload_command != null
    error_message = "The instance or the image build is missing."
  }

  assert {
    condition     = module.fleetfoot.images["x86_64"] == "${module.fleetfoot.repository_url}:not-built-yet"
    error_message = "Before the first build there is no image."
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
    condition     = output.stack.pools[*].name == ["EC2", "Fargate", "Fargate-Spot"]
    error_message = "The pools are not the article’s launch modes."
  }

  assert {
    condition     = output.network_modes == { EC2 = "bridge", Fargate = "awsvpc", Fargate-Spot = "awsvpc" }
    error_message = "The network modes are not the article’s."
  }

  assert {
    condition     = try(output.stack.pools[0].network, null) == null && output.stack.pools[1].network.assign_public_ip
    error_message = "Tasks on the instance share its address, those on Fargate have their own."
  }

  assert {
    condition     = output.ways_out == tolist(["igw"]) && length(output.ways_in) == 0
    error_message = "Public subnets, and nobody gets in."
  }
}

run "again" {
  command = plan
}
