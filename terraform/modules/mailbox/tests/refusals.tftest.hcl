# What S3 would refuse, or what would keep secrets, is refused before.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name = "prod"
}

run "a_bucket_with_dots" {
  command         = plan
  expect_failures = [var.bucket_name]

  variables {
    bucket_name = "mail.example.com"
  }
}

run "a_prefix_that_is_no_folder" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "mailbox"
  }
}

run "mail_that_is_never_forgotten" {
  command         = plan
  expect_failures = [var.expire_days]

  variables {
    expire_days = 0
  }
}

run "an_alias_instead_of_a_key" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/mail"
  }
}
