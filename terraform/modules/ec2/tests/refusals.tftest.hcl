# Fleets that would never start an instance, or never place a task, are refused before they are made.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name               = "prod-cached"
  cluster_name       = "prod"
  subnet_ids         = ["subnet-0a1b2c3d4e5f60718"]
  security_group_ids = ["sg-0a1b2c3d4e5f60718"]
}

run "a_name_that_ecs_keeps_for_itself" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "Fargate-like"
  }
}

run "types_of_two_architectures" {
  command         = plan
  expect_failures = [var.instance_types]

  variables {
    instance_types = ["c6i.large", "c7g.large"]
  }
}

run "arm_by_name_alone" {
  command         = plan
  expect_failures = [var.instance_types]

  variables {
    arch = "arm64"
  }
}

run "more_at_least_than_at_most" {
  command         = plan
  expect_failures = [var.max_size]

  variables {
    min_size = 5
    max_size = 4
  }
}

run "a_volume_smaller_than_the_system" {
  command         = plan
  expect_failures = [var.volume_size]

  variables {
    volume_size = 20
  }
}

run "an_image_that_is_a_command" {
  command         = plan
  expect_failures = [var.prepull_images]

  variables {
    prepull_images = ["runner'; reboot; '"]
  }
}

run "nowhere" {
  command         = plan
  expect_failures = [var.subnet_ids]

  variables {
    subnet_ids = []
  }
}

# One type on demand is a plain group; anything else is mixed.
run "spot_is_mixed" {
  command = plan

  variables {
    spot           = true
    on_demand_base = 1
  }

  assert {
    condition     = length(aws_autoscaling_group.this.launch_template) == 0 && aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].on_demand_base_capacity == 1
    error_message = "A spot fleet should be mixed, with its base on demand."
  }
}
