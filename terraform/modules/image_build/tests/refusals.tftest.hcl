# Builds that could not start, or whose image nobody could use, are refused before.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name           = "prod"
  repository_arn = "arn:aws:ecr:eu-west-1:123456789012:repository/prod-runner"
  repository_url = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/prod-runner"
}

run "a_folder_without_a_dockerfile" {
  command         = plan
  expect_failures = [var.source_dir]

  variables {
    source_dir = "tests"
  }
}

run "two_sources" {
  command         = plan
  expect_failures = [var.codecommit_repository]

  variables {
    source_dir            = "tests/image"
    codecommit_repository = "runner"
  }
}

run "a_repository_by_its_address" {
  command         = plan
  expect_failures = [var.codecommit_repository]

  variables {
    codecommit_repository = "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/runner"
  }
}

run "an_architecture_in_dockers_words" {
  command         = plan
  expect_failures = [var.architectures]

  variables {
    architectures = ["amd64"]
  }
}

run "weekly_in_words" {
  command         = plan
  expect_failures = [var.schedule]

  variables {
    schedule = "weekly"
  }
}

run "task_definitions_without_their_roles" {
  command         = plan
  expect_failures = [var.families]

  variables {
    families = { x86_64 = ["prod-linux-x64"] }
  }
}
