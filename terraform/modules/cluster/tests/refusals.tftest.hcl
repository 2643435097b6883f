# What ECS would refuse at the first launch is refused before.
mock_provider "aws" {}

variables {
  name               = "prod"
  execution_role_arn = "arn:aws:iam::123456789012:role/prod-execution"
}

run "a_size_that_fargate_has_not" {
  command         = plan
  expect_failures = [var.task_definitions]

  variables {
    task_definitions = { a = { image = "a/b:c", task_role_arn = "arn:aws:iam::123456789012:role/t", cpu = 1024, memory = 1024 } }
  }
}

run "bridge_mode_on_fargate" {
  command         = plan
  expect_failures = [var.task_definitions]

  variables {
    task_definitions = { a = { image = "a/b:c", task_role_arn = "arn:aws:iam::123456789012:role/t", network_mode = "bridge" } }
  }
}

run "less_cpu_than_ecs_takes" {
  command         = plan
  expect_failures = [var.task_definitions]

  variables {
    task_definitions = { a = { image = "a/b:c", task_role_arn = "arn:aws:iam::123456789012:role/t", launch_type = "EC2", cpu = 64 } }
  }
}

run "storage_on_an_instance" {
  command         = plan
  expect_failures = [var.task_definitions]

  variables {
    task_definitions = { a = { image = "a/b:c", task_role_arn = "arn:aws:iam::123456789012:role/t", launch_type = "EC2", ephemeral_storage = 50 } }
  }
}

run "a_mailbox_of_ones_own" {
  command         = plan
  expect_failures = [var.task_definitions]

  variables {
    task_definitions = { a = { image = "a/b:c", task_role_arn = "arn:aws:iam::123456789012:role/t", environment = { FLEETFOOT_MAILBOX = "s3://mine/" } } }
  }
}

run "a_capability_that_the_agent_needs" {
  command         = plan
  expect_failures = [var.drop_capabilities]

  variables {
    drop_capabilities = ["SETUID"]
  }
}

run "more_time_than_fargate_gives" {
  command         = plan
  expect_failures = [var.stop_timeout]

  variables {
    stop_timeout = 300
  }
}

run "a_period_that_logs_have_not" {
  command         = plan
  expect_failures = [var.log_retention_days]

  variables {
    log_retention_days = 10
  }
}
