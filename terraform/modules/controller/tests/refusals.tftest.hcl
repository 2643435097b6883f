# Services that Fargate would refuse are refused before.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name               = "prod"
  cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"
  subnet_ids         = ["subnet-0a1b2c3d4e5f60718"]
  security_group_ids = ["sg-0a1b2c3d4e5f60718"]
  image              = "ghcr.io/acme/fleetfoot-runner:1.0.0"
  log_group_name     = "/fleetfoot/prod"
  execution_role_arn = "arn:aws:iam::123456789012:role/prod-execution"
  policy_json        = ["{\"Version\":\"2012-10-17\",\"Statement\":[]}"]
}

run "a_size_that_fargate_has_not" {
  command         = plan
  expect_failures = [var.memory]

  variables {
    cpu    = 256
    memory = 4096
  }
}

run "more_replicas_than_are_of_use" {
  command         = plan
  expect_failures = [var.replicas]

  variables {
    replicas = 10
  }
}

run "a_policy_that_is_none" {
  command         = plan
  expect_failures = [var.policy_json]

  variables {
    policy_json = ["AdministratorAccess"]
  }
}

run "nowhere" {
  command         = plan
  expect_failures = [var.subnet_ids]

  variables {
    subnet_ids = []
  }
}
