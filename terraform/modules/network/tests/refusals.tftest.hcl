# Networks that AWS would refuse halfway, or that lead nowhere, are refused before.
mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
}

variables {
  name = "prod"
}

run "a_block_too_small_for_subnets" {
  command         = plan
  expect_failures = [var.cidr]

  variables {
    cidr = "10.80.0.0/26"
  }
}

run "a_gateway_of_a_kind_that_is_not_there" {
  command         = plan
  expect_failures = [var.nat]

  variables {
    nat = "always"
  }
}

run "half_a_zone" {
  command         = plan
  expect_failures = [var.zones]

  variables {
    zones = 1.5
  }
}

run "a_zone_twice" {
  command         = plan
  expect_failures = [var.zone_names]

  variables {
    zone_names = ["eu-west-1a", "eu-west-1a"]
  }
}

run "a_vpc_without_its_subnets" {
  command         = plan
  expect_failures = [var.vpc_id]

  variables {
    vpc_id = "vpc-0a1b2c3d4e5f60718"
  }
}

run "subnets_without_their_vpc" {
  command         = plan
  expect_failures = [var.vpc_id]

  variables {
    private_subnet_ids = ["subnet-0a1b2c3d4e5f60718"]
  }
}

run "security_groups_of_no_vpc" {
  command         = plan
  expect_failures = [var.security_group_ids]

  variables {
    security_group_ids = ["sg-0a1b2c3d4e5f60718"]
  }
}

run "an_endpoint_that_is_free_anyway" {
  command         = plan
  expect_failures = [var.interface_endpoints]

  variables {
    interface_endpoints = ["s3"]
  }
}

# Fewer zones than asked for are taken as they are: us-west-1 has two.
run "more_zones_than_there_are" {
  command = plan

  variables {
    zones = 5
  }

  assert {
    condition     = length(aws_subnet.public) == 3
    error_message = "There should be a subnet in each zone that is there."
  }
}

run "one_gateway_for_all_zones" {
  command = plan

  variables {
    nat = "single"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3 && !output.assign_public_ip
    error_message = "All private subnets should lead to the one gateway."
  }
}

run "a_gateway_for_each_zone" {
  command = plan

  variables {
    nat = "per-zone"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.nat) == 3
    error_message = "Each private subnet should lead to a gateway of its own zone."
  }
}
