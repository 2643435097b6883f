variable "name" {
  description = "The stack's name: what workflows call it by, the last part of its SSM parameter `/fleetfoot/NAME`, and the prefix of everything that is created. Names of roles are an account's, not a region's, so stacks in several regions need several names."
  type        = string
  default     = "fleetfoot"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name)) && !can(regex("^(aws|ecs|fargate)", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, begin with a letter, not end with a hyphen, and not begin with aws, ecs or fargate, which AWS keeps for itself."
  }
}

variable "tags" {
  description = "Tags of everything that is created, beside `fleetfoot:stack`."
  type        = map(string)
  default     = {}
  nullable    = false
}

# GitHub --------------------------------------------------------------------------------------------------------------

variable "github" {
  description = <<-EOT
    Where runners are registered, and as whom.

    - `url`: the organisation, repository or enterprise: `https://github.com/acme`, `https://github.com/acme/shop`, `https://github.com/enterprises/acme`.
    - `api_url`: base address of the REST API, where it does not follow from `url`.
    - `app`: the GitHub App to act as. `key` says where its private key is and is never the key: `kms:ARN` (best: it cannot be read by anybody), `secretsmanager:ARN`, `file:PATH` or `env:VARIABLE`. Without an App a token is needed where `fleetfoot` runs.
    - `app_secret_kms_key_arn`: the KMS key of that secret, if it is not the account's default one.
  EOT
  type = object({
    url     = string
    api_url = optional(string)
    app = optional(object({
      client_id       = string
      installation_id = optional(number)
      key             = string
    }))
    app_secret_kms_key_arn = optional(string)
  })
  nullable = false
}

variable "launchers" {
  description = <<-EOT
    Roles for workflow jobs that launch runners with `fleetfoot start`, by name. A job may assume one if it runs in one of `repositories` (`OWNER/NAME`, `OWNER/*`, or with GitHub's ids `OWNER@1234/NAME@5678`) and in one of `environments`, or without an environment for one of `refs` (`refs/heads/main`, `refs/tags/v*`, `*`) or, if `pull_requests` is true, for a pull request. `subjects` are further patterns of the token's subject.

    `pools` are the pools that it may launch, all without it. `operate` adds what `fleetfoot reap` and `fleetfoot doctor` need.

    The stack document names the launcher `default`; if there is none of that name, the first by alphabet. None is needed with the autoscaler alone.
  EOT
  type = map(object({
    repositories  = optional(list(string), [])
    environments  = optional(list(string), [])
    refs          = optional(list(string), [])
    pull_requests = optional(bool, false)
    subjects      = optional(list(string), [])
    pools         = optional(list(string))
    operate       = optional(bool, false)
  }))
  default  = {}
  nullable = false
}

variable "oidc" {
  description = "How the account trusts GitHub: `provider_arn` of the account's IAM OIDC provider, if it has one already (an account takes only one for each issuer), and `issuer`, if it is not github.com's."
  type = object({
    provider_arn = optional(string)
    issuer       = optional(string)
  })
  default  = {}
  nullable = false
}

variable "iam" {
  description = "For accounts with rules: `permissions_boundary_arn` and `path` of all roles."
  type = object({
    permissions_boundary_arn = optional(string)
    path                     = optional(string)
  })
  default  = {}
  nullable = false
}

# What runs -----------------------------------------------------------------------------------------------------------

variable "pools" {
  description = <<-EOT
    The kinds of runners there are; the first is the default. A pool is a label of its runners.

    - `arch`: `x86_64` or `arm64`.
    - `cpu`, `memory`: in CPU units (1024 are one vCPU) and MiB. Fargate has certain pairs only; on EC2 leave room for the instance itself.
    - `capacity`: where tasks run, in order of preference: `FARGATE_SPOT`, `FARGATE`, or keys of `fleets`, but not both kinds.
    - `network_mode`: on fleets `bridge` (tasks share the instance's address) or `awsvpc` (an address of their own; needs private subnets with a way out). Fargate has `awsvpc` only.
    - `ephemeral_storage`: GiB on Fargate, 21 to 200; 20 without it.
    - `image`: another image than the stack's.
    - `job_role`: key of `job_roles`. The pool's jobs then have that role.
    - `environment`: further variables of the agent. No secrets.
    - `readonly_root_filesystem`: whether tasks can write only below /home/runner, /tmp and /var/tmp; see the module `cluster`.
    - `max`: the most tasks at a time. `warm`: tasks that the controller keeps waiting for a job; `schedules`, another number in windows that open by `cron` in a `time_zone` for a `duration`; `adaptive`, as many as it learns from the jobs, at most `max_warm`, so that the share `p` of them finds one.
  EOT
  type = list(object({
    name                     = string
    arch                     = optional(string, "x86_64")
    cpu                      = optional(number, 1024)
    memory                   = optional(number, 2048)
    capacity                 = optional(list(string), ["FARGATE_SPOT", "FARGATE"])
    network_mode             = optional(string)
    ephemeral_storage        = optional(number)
    image                    = optional(string)
    job_role                 = optional(string)
    environment              = optional(map(string), {})
    readonly_root_filesystem = optional(bool, false)
    max                      = optional(number, 20)
    warm                     = optional(number, 0)
    schedules = optional(list(object({
      cron      = string
      duration  = string
      time_zone = optional(string, "UTC")
      warm      = number
    })), [])
    adaptive = optional(object({
      max_warm  = number
      p         = optional(number, 0.95)
      time_zone = optional(string, "UTC")
    }))
  }))
  default = [
    { name = "linux-x64" },
    { name = "linux-arm64", arch = "arm64" },
  ]
  nullable = false

  validation {
    condition     = length(var.pools) > 0 && alltrue([for pool in var.pools : can(regex("^[A-Za-z0-9_-]{1,32}$", pool.name)) && pool.name != "controller"]) && length(distinct(var.pools[*].name)) == length(var.pools)
    error_message = "There must be at least one pool, and a pool's name must be 1 to 32 letters, digits, - or _, no other pool's, and not controller."
  }

  validation {
    condition     = alltrue(flatten([for pool in var.pools : [for choice in pool.capacity : contains(concat(["FARGATE", "FARGATE_SPOT"], keys(var.fleets)), choice)]])) && alltrue([for pool in var.pools : length(pool.capacity) > 0])
    error_message = "capacity of a pool must name at least one of FARGATE, FARGATE_SPOT and the keys of fleets."
  }

  validation {
    condition     = alltrue([for pool in var.pools : length(setintersection(["FARGATE", "FARGATE_SPOT"], pool.capacity)) == 0 || length(setsubtract(pool.capacity, ["FARGATE", "FARGATE_SPOT"])) == 0])
    error_message = "capacity of a pool must be all Fargate or all fleets: both need a task definition and a network of their own. Make two pools."
  }

  validation {
    condition     = alltrue(flatten([for pool in var.pools : [for choice in pool.capacity : try(coalesce(var.fleets[choice].arch, "x86_64") == pool.arch, !contains(keys(var.fleets), choice))]]))
    error_message = "arch of a pool must be the arch of the fleets that it names."
  }

  validation {
    condition     = alltrue([for pool in var.pools : contains(["bridge", "awsvpc"], coalesce(pool.network_mode, "awsvpc"))])
    error_message = "network_mode of a pool must be bridge or awsvpc."
  }

  validation {
    condition     = alltrue([for pool in var.pools : length(setintersection(["FARGATE", "FARGATE_SPOT"], pool.capacity)) == 0 || pool.network_mode != "bridge"])
    error_message = "A pool on Fargate cannot be in bridge mode: Fargate has awsvpc only."
  }

  validation {
    condition     = coalesce(var.network.nat, "none") != "none" || length(coalesce(var.network.private_subnet_ids, [])) > 0 || alltrue([for pool in var.pools : length(setintersection(["FARGATE", "FARGATE_SPOT"], pool.capacity)) > 0 || pool.network_mode != "awsvpc"])
    error_message = "A pool on fleets is in awsvpc mode, but runners are in public subnets: on EC2 such tasks get no public address and cannot reach GitHub. Use bridge mode, or give the network a NAT gateway (network = { nat = \"single\" }) or private subnets."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.job_role == null || try(contains(keys(var.job_roles), pool.job_role), false)])
    error_message = "job_role of a pool must be a key of job_roles."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.max >= 1 && pool.warm >= 0 && pool.warm <= pool.max])
    error_message = "max of a pool must be at least 1, and warm between 0 and max."
  }

  validation {
    condition     = var.controller.enabled || alltrue([for pool in var.pools : pool.warm == 0 && length(pool.schedules) == 0 && pool.adaptive == null])
    error_message = "warm, schedules and adaptive of a pool are the controller's work: set controller = { enabled = true }."
  }
}

variable "fleets" {
  description = <<-EOT
    Groups of EC2 instances that pools can name in `capacity`, by name. Each becomes an auto-scaling group and a capacity provider that ECS scales, from and to nothing unless `min_size` says otherwise. All attributes are those of the module `ec2`.

    What they buy: the image stays on the instance, so that a second job starts in seconds.
  EOT
  type = map(object({
    arch               = optional(string)
    instance_types     = optional(list(string))
    ami_id             = optional(string)
    volume_size        = optional(number)
    volume_kms_key_arn = optional(string)
    min_size           = optional(number)
    max_size           = optional(number)
    max_step           = optional(number)
    target_capacity    = optional(number)
    warmup_seconds     = optional(number)
    spot               = optional(bool)
    on_demand_base     = optional(number)
    prepull            = optional(bool, true)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.fleets) : can(regex("^[A-Za-z0-9_-]{1,24}$", key)) && !contains(["FARGATE", "FARGATE_SPOT"], key)])
    error_message = "Keys of fleets must be 1 to 24 letters, digits, - or _, and neither FARGATE nor FARGATE_SPOT."
  }
}

variable "job_roles" {
  description = "Roles for jobs of certain pools, by name: `policy` as JSON, and `managed_policy_arns`. Prefer roles that jobs assume by OIDC: whatever runs in such a pool has this one."
  type = map(object({
    policy              = optional(string)
    managed_policy_arns = optional(list(string), [])
  }))
  default  = {}
  nullable = false
}

variable "image" {
  description = "The runner's image for all architectures, such as `ghcr.io/OWNER/fleetfoot-runner:TAG` of a release. Without it the stack gets a registry and builds its own (`image_build`)."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[a-z0-9][a-z0-9._:-]*(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]{64})?$", var.image))
    error_message = "image must be the full name of an image with its registry, REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST."
  }
}

variable "runner_version" {
  description = "Version of GitHub's runner: of the one in `image`, so that `fleetfoot doctor` can tell when it is too old; or, without `image`, the one to build with instead of the newest."
  type        = string
  default     = null

  validation {
    condition     = var.runner_version == null || can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.runner_version))
    error_message = "runner_version must be a version of actions/runner, such as 2.336.0."
  }
}

variable "image_build" {
  description = "How the image is built where `image` is not given: `source_dir` (local folder with Dockerfile and binaries, uploaded as the bundle) or `codecommit_repository` and `codecommit_branch`; `base_image`, `keep_sudo`, `schedule`, `compute_type` as in the module `image_build`; `follow` = false keeps builds from registering new revisions of the task definitions, so that a new image is used only after the next `terraform apply`."
  type = object({
    source_dir            = optional(string)
    codecommit_repository = optional(string)
    codecommit_branch     = optional(string)
    base_image            = optional(string)
    keep_sudo             = optional(bool)
    schedule              = optional(string)
    compute_type          = optional(string)
    follow                = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.image == null || (var.image_build.follow && alltrue([for field, value in var.image_build : value == null || field == "follow"]))
    error_message = "image_build is for stacks that build their image, but image names one. Leave one of them out."
  }
}

variable "registry" {
  description = "The ECR repository where `image` is not given: `keep_images`, `kms_key_arn` and `force_delete` as in the module `registry`."
  type = object({
    keep_images  = optional(number)
    kms_key_arn  = optional(string)
    force_delete = optional(bool)
  })
  default  = {}
  nullable = false
}

# Where it runs -------------------------------------------------------------------------------------------------------

variable "network" {
  description = <<-EOT
    The network; all attributes are those of the module `network`. Without any: a VPC with public subnets in three zones, which costs nothing when idle. With `nat` = `single` or `per-zone` runners move into private subnets. With `vpc_id` and subnets of it nothing is created but an egress-only security group.
  EOT
  type = object({
    cidr                = optional(string)
    zones               = optional(number)
    zone_names          = optional(list(string))
    nat                 = optional(string)
    flow_logs           = optional(object({ bucket_arn = string }))
    vpc_id              = optional(string)
    public_subnet_ids   = optional(list(string))
    private_subnet_ids  = optional(list(string))
    route_table_ids     = optional(list(string))
    security_group_ids  = optional(list(string))
    interface_endpoints = optional(set(string))
  })
  default  = {}
  nullable = false
}

variable "cluster" {
  description = "The cluster: `container_insights` (`disabled`, `enabled`, `enhanced`), `stop_timeout` and `drop_capabilities` of tasks, as in the module `cluster`."
  type = object({
    container_insights = optional(string)
    stop_timeout       = optional(number)
    drop_capabilities  = optional(list(string))
  })
  default  = {}
  nullable = false
}

variable "logs" {
  description = "Logs of tasks and builds: `retention_days`, and `kms_key_arn`, whose key policy must allow `logs.REGION.amazonaws.com`."
  type = object({
    retention_days = optional(number)
    kms_key_arn    = optional(string)
  })
  default  = {}
  nullable = false
}

variable "mailbox" {
  description = "The bucket where assignments are handed over: `bucket_name`, `kms_key_arn` and `access_logs` as in the module `mailbox`."
  type = object({
    bucket_name = optional(string)
    kms_key_arn = optional(string)
    access_logs = optional(object({ bucket = string }))
  })
  default  = {}
  nullable = false
}

# The autoscaler ------------------------------------------------------------------------------------------------------

variable "controller" {
  description = "The autoscaler, `fleetfoot serve` as an ECS service. Off unless `enabled`; needs `github.app` with its key in KMS or Secrets Manager. `arch`, `cpu`, `memory`, `replicas` and `environment` as in the module `controller`; `image` if it is not the runner's; `security_group_ids` beside those of the runners, to let a Prometheus in."
  type = object({
    enabled            = optional(bool, false)
    image              = optional(string)
    arch               = optional(string, "x86_64")
    cpu                = optional(number)
    memory             = optional(number)
    replicas           = optional(number)
    environment        = optional(map(string))
    security_group_ids = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.controller.enabled || can(regex("^(kms|secretsmanager):", var.github.app.key))
    error_message = "The controller registers runners by itself, so it needs github.app with a key of kms:ARN or secretsmanager:ARN."
  }
}

variable "scale_sets" {
  description = "What `runs-on` may name with the autoscaler: `name`, the `pool` that its runners come from, the `url` of another organisation, repository or enterprise of the same GitHub if it is not at `github.url`, `runner_group`, further `labels`, `min` and `max` runners, and `schedules`, windows with another `min` or `max`."
  type = list(object({
    name         = string
    pool         = string
    url          = optional(string)
    runner_group = optional(string, "Default")
    labels       = optional(list(string), [])
    min          = optional(number, 0)
    max          = optional(number, 100)
    schedules = optional(list(object({
      cron      = string
      duration  = string
      time_zone = optional(string, "UTC")
      min       = optional(number)
      max       = optional(number)
    })), [])
  }))
  default  = []
  nullable = false

  validation {
    condition     = length(var.scale_sets) == 0 || var.controller.enabled
    error_message = "scale_sets are served by the controller: set controller = { enabled = true }."
  }
}
