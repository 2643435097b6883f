# What is wrong is refused before anything is made. Nothing is asked of AWS here.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1", name = "eu-west-1" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
}

variables {
  name   = "prod"
  github = { url = "https://github.com/acme/shop" }
  image  = "ghcr.io/acme/fleetfoot-runner:1.0.0"
}

run "a_name_that_is_too_long_for_a_bucket" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "a-name-that-is-much-longer-than-24"
  }
}

run "a_name_that_ecs_keeps_for_itself" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "ecs-runners"
  }
}

run "two_pools_of_one_name" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a" }, { name = "a" }]
  }
}

run "capacity_that_is_not_there" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a", capacity = ["fleet"] }]
  }
}

run "fargate_and_a_fleet_in_one_pool" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    fleets = { fleet = {} }
    pools  = [{ name = "a", capacity = ["fleet", "FARGATE"] }]
  }
}

run "a_fleet_of_another_architecture" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    fleets = { fleet = { arch = "arm64", instance_types = ["c7g.large"] } }
    pools  = [{ name = "a", capacity = ["fleet"], network_mode = "bridge" }]
  }
}

run "more_warm_tasks_than_tasks" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a", max = 1, warm = 2 }]
  }
}

run "a_job_role_that_is_not_there" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a", job_role = "publish" }]
  }
}

run "an_image_without_a_registry" {
  command         = plan
  expect_failures = [var.image]

  variables {
    image = "runner"
  }
}

run "an_image_and_its_build" {
  command         = plan
  expect_failures = [var.image_build]

  variables {
    image_build = { keep_sudo = true }
  }
}

run "scale_sets_that_nobody_serves" {
  command         = plan
  expect_failures = [var.scale_sets]

  variables {
    scale_sets = [{ name = "linux", pool = "linux-x64" }]
  }
}

run "a_controller_without_an_app" {
  command         = plan
  expect_failures = [var.controller]

  variables {
    controller = { enabled = true }
  }
}

run "warm_tasks_that_nobody_keeps" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a", warm = 1 }]
  }
}
