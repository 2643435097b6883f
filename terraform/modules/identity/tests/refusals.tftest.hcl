# Launchers that trust more than they should, or nobody, are refused.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name               = "prod"
  cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"
  pools              = { linux = { family = "prod-linux" } }
  mailbox_bucket_arn = "arn:aws:s3:::mail"
  log_group_arn      = "arn:aws:logs:eu-west-1:123456789012:log-group:/fleetfoot/prod"
}

run "any_owner" {
  command         = plan
  expect_failures = [var.launchers]

  variables {
    launchers = { default = { repositories = ["*/shop"], refs = ["*"] } }
  }
}

run "no_repository" {
  command         = plan
  expect_failures = [var.launchers]

  variables {
    launchers = { default = { repositories = ["shop"], refs = ["*"] } }
  }
}

run "nowhere_in_the_repository" {
  command         = plan
  expect_failures = [var.launchers]

  variables {
    launchers = { default = { repositories = ["acme/shop"] } }
  }
}

run "a_branch_without_its_ref" {
  command         = plan
  expect_failures = [var.launchers]

  variables {
    launchers = { default = { repositories = ["acme/shop"], refs = ["main"] } }
  }
}

run "a_subject_of_everybody" {
  command         = plan
  expect_failures = [var.launchers]

  variables {
    launchers = { default = { subjects = ["repo:*"] } }
  }
}

run "an_environment_that_ends_the_subject" {
  command         = plan
  expect_failures = [var.launchers]

  variables {
    launchers = { default = { repositories = ["acme/shop"], environments = ["dev:ref"] } }
  }
}

run "a_pool_that_is_not_there" {
  command         = plan
  expect_failures = [var.launchers]

  variables {
    launchers = { default = { repositories = ["acme/shop"], refs = ["*"], pools = ["windows"] } }
  }
}

run "an_alias_instead_of_a_key" {
  command         = plan
  expect_failures = [var.app_key]

  variables {
    app_key = "kms:arn:aws:kms:eu-west-1:123456789012:alias/app"
  }
}

run "another_issuer_has_no_https" {
  command         = plan
  expect_failures = [var.oidc_issuer]

  variables {
    oidc_issuer = "token.actions.githubusercontent.com"
  }
}
