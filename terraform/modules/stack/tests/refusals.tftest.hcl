# What no command could read is not written.
mock_provider "aws" {}

variables {
  name    = "prod"
  cluster = "prod"
  mailbox = { bucket = "mail" }
  github  = { url = "https://github.com/acme/shop" }
  pools   = [{ name = "a", task_definition = "a", arch = "x86_64", cpu = 1024, memory = 2048, network = { subnets = ["subnet-1"] }, capacity = ["FARGATE"] }]
}

run "a_key_instead_of_its_place" {
  command         = plan
  expect_failures = [var.github]

  variables {
    github = {
      url = "https://github.com/acme"
      app = { client_id = "Iv23", key = "-----BEGIN RSA PRIVATE KEY-----" }
    }
  }
}

run "an_address_that_is_no_owner" {
  command         = plan
  expect_failures = [var.github]

  variables {
    github = { url = "github.com/acme" }
  }
}

run "a_public_address_on_an_instance" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a", task_definition = "a", arch = "x86_64", cpu = 1024, memory = 2048, network = { subnets = ["subnet-1"], assign_public_ip = true }, capacity = ["fleet"] }]
  }
}

run "fargate_without_a_network" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a", task_definition = "a", arch = "x86_64", cpu = 1024, memory = 2048, capacity = ["FARGATE"] }]
  }
}

run "a_scale_set_of_no_pool" {
  command         = plan
  expect_failures = [var.scale_sets]

  variables {
    scale_sets = [{ name = "linux", pool = "b" }]
  }
}

run "two_scale_sets_of_one_name_in_one_place" {
  command         = plan
  expect_failures = [var.scale_sets]

  variables {
    scale_sets = [{ name = "linux", pool = "a" }, { name = "Linux", pool = "a" }]
  }
}

run "a_scale_set_at_no_address" {
  command         = plan
  expect_failures = [var.scale_sets]

  variables {
    scale_sets = [{ name = "linux", pool = "a", url = "umbrella" }]
  }
}

run "a_window_that_is_never_open" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a", task_definition = "a", arch = "x86_64", cpu = 1024, memory = 2048, capacity = ["fleet"], schedules = [{ cron = "8 o'clock", duration = "10h", warm = 1 }] }]
  }
}

run "more_learnt_than_allowed" {
  command         = plan
  expect_failures = [var.pools]

  variables {
    pools = [{ name = "a", task_definition = "a", arch = "x86_64", cpu = 1024, memory = 2048, capacity = ["fleet"], max = 5, adaptive = { max_warm = 6 } }]
  }
}

run "a_window_that_changes_nothing" {
  command         = plan
  expect_failures = [var.scale_sets]

  variables {
    scale_sets = [{ name = "linux", pool = "a", schedules = [{ cron = "0 8 * * *", duration = "1h" }] }]
  }
}
