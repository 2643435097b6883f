# What ECR would refuse, or what would delete the image in use, is refused before.
mock_provider "aws" {}

variables {
  name = "prod-runner"
}

run "a_name_with_capitals" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "Prod-Runner"
  }
}

run "only_the_newest_image" {
  command         = plan
  expect_failures = [var.keep_images]

  variables {
    keep_images = 1
  }
}

run "an_alias_instead_of_a_key" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/images"
  }
}
