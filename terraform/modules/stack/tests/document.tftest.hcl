# Every field that the schema of stack documents knows has a way into the document.
provider "aws" {
  region     = "eu-west-1"
  access_key = "moto"
  secret_key = "moto"
}

variables {
  name              = "every-field"
  cluster           = "arn:aws:ecs:eu-west-1:123456789012:cluster/every-field"
  mailbox           = { bucket = "mail", prefix = "post/" }
  log_group         = "/fleetfoot/every-field"
  launcher_role     = "arn:aws:iam::123456789012:role/launcher"
  launcher_subjects = ["repo:acme/shop:environment:dev"]
  events_queue      = "https://sqs.eu-west-1.amazonaws.com/123456789012/events"

  github = {
    url     = "https://github.example.com/acme"
    api_url = "https://github.example.com/api/v3"
    app     = { client_id = "Iv23", installation_id = 1, key = "kms:arn:aws:kms:eu-west-1:123456789012:key/a" }
  }

  pools = [{
    name            = "linux"
    task_definition = "linux"
    container       = "agent"
    arch            = "arm64"
    cpu             = 1024
    memory          = 2048
    network         = { subnets = ["subnet-1"], security_groups = ["sg-1"], assign_public_ip = true }
    capacity        = ["FARGATE_SPOT", "FARGATE"]
    max             = 7
    warm            = 1
    schedules       = [{ cron = "0 8 * * mon-fri", duration = "10h", time_zone = "Europe/Berlin", warm = 5 }]
    adaptive        = { max_warm = 7, p = 0.9, time_zone = "Europe/Berlin" }
  }]

  scale_sets = [
    {
      name         = "linux"
      pool         = "linux"
      url          = "https://github.com/umbrella"
      runner_group = "builds"
      labels       = ["x"]
      min          = 1
      max          = 3
      schedules    = [{ cron = "0 20 * * *", duration = "12h", time_zone = "Europe/Berlin", min = 0, max = 2 }]
    },
    # The same name elsewhere.
    { name = "linux", pool = "linux" },
  ]
}

run "every_field" {
  assert {
    condition     = jsondecode(output.document).pools[0].capacity == [{ provider = "FARGATE_SPOT" }, { provider = "FARGATE" }]
    error_message = "Capacity providers are not written as the schema has them."
  }

  assert {
    condition     = jsondecode(output.document).scale_sets[0].url == "https://github.com/umbrella" && !contains(keys(jsondecode(output.document).scale_sets[1]), "url")
    error_message = "Where a scale set is should be written if it is given, and only then."
  }
}

run "launch_type" {
  variables {
    pools      = [{ name = "linux", task_definition = "linux", arch = "x86_64", cpu = 1024, memory = 900, capacity = ["launch_type:EC2"] }]
    scale_sets = []
  }

  assert {
    condition     = jsondecode(output.document).pools[0].capacity == [{ launch_type = "EC2" }]
    error_message = "A launch type is not written as the schema has it."
  }
}

run "nothing_that_is_not_given" {
  variables {
    log_group         = null
    launcher_role     = null
    launcher_subjects = []
    events_queue      = null
    github            = { url = "https://github.com/acme" }
    scale_sets        = []
  }

  assert {
    condition     = length(setintersection(keys(jsondecode(output.document)), ["log_group", "launcher_role", "launcher_subjects", "events_queue", "scale_sets"])) == 0 && keys(jsondecode(output.document).github) == ["url"]
    error_message = "What is not given should not be in the document, not even as null or empty."
  }
}
