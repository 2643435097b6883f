variable "name" {
  description = "The stack's name: prefix of all roles, and last part of the SSM parameter that launchers read."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "tags" {
  description = "Tags of everything that this module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of all roles."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy, arn:aws:iam::ACCOUNT:policy/NAME."
  }
}

variable "role_path" {
  description = "Path of all roles."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.role_path))
    error_message = "role_path must begin and end with a slash: / or /ci/."
  }
}

# Who may launch ------------------------------------------------------------------------------------------------------

variable "oidc_provider_arn" {
  description = "The account's IAM OIDC provider for GitHub, if it has one: an account takes only one for each issuer. Without it the module creates one, if there are launchers."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must look like arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com."
  }
}

variable "oidc_issuer" {
  description = "Who signs the tokens of jobs. GitHub Enterprise Server: `https://HOST/_services/token`; GHE.com: `https://token.actions.SUBDOMAIN.ghe.com`."
  type        = string
  default     = "https://token.actions.githubusercontent.com"
  nullable    = false

  validation {
    condition     = can(regex("^https://[^/?#]+(/[^?#]*[^/?#])?$", var.oidc_issuer))
    error_message = "oidc_issuer must be an https:// address without a slash at its end."
  }
}

variable "launchers" {
  description = <<-EOT
    Roles for workflow jobs that launch runners, by name; a role is called `STACK-launcher-NAME`. A job may assume one if it runs in one of `repositories` and

    - in one of `environments`, which may be patterns; or
    - without an environment, for one of `refs`, such as `refs/heads/main` or `refs/tags/v*`; or
    - without an environment, for a pull request, if `pull_requests` is true.

    `repositories` are `OWNER/NAME` or `OWNER/*`, or with GitHub's ids, `OWNER@1234/NAME@5678`, so that nobody who later gets the name gets the role. Both forms of the token's subject are accepted either way. `subjects` are further patterns of the whole subject, for organisations that have changed its form.

    `pools` are the pools that it may launch, and thereby the job roles that it may pass; all without it. `operate` adds what `fleetfoot reap` and `fleetfoot doctor` need.
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

  validation {
    condition     = alltrue([for key in keys(var.launchers) : can(regex("^[A-Za-z0-9_-]{1,30}$", key))])
    error_message = "Keys of launchers must be 1 to 30 letters, digits, - or _: they are part of a role's name."
  }

  validation {
    condition = alltrue(flatten([for launcher in values(var.launchers) : [
      for repository in launcher.repositories :
      can(regex("^[A-Za-z0-9_-]+(@[0-9]+)?/([A-Za-z0-9._-]+(@[0-9]+)?|\\*)$", repository)) && !can(regex("^[^/@]+/[^/@]+@", repository)) && !can(regex("@[0-9]+/[^@*]+$", repository))
    ]]))
    error_message = "repositories must be OWNER/NAME, OWNER/*, or both with ids: OWNER@1234/NAME@5678, OWNER@1234/*. An owner is never a pattern: anybody can be one."
  }

  validation {
    condition     = alltrue(flatten([for launcher in values(var.launchers) : [for environment in launcher.environments : length(environment) > 0 && !strcontains(environment, ":")]]))
    error_message = "environments must be names of environments or patterns of them, such as dev or prod-*, without a colon: GitHub writes %3A for it."
  }

  validation {
    condition     = alltrue(flatten([for launcher in values(var.launchers) : [for ref in launcher.refs : ref == "*" || can(regex("^refs/(heads|tags)/[^:]+$", ref))]]))
    error_message = "refs must be whole refs, such as refs/heads/main, refs/heads/release-* or refs/tags/v*, or * for all."
  }

  validation {
    condition     = alltrue([for launcher in values(var.launchers) : length(launcher.subjects) > 0 || (length(launcher.repositories) > 0 && (length(launcher.environments) + length(launcher.refs) > 0 || launcher.pull_requests))])
    error_message = "A launcher needs repositories and at least one of environments, refs and pull_requests = true (or subjects of its own), or no job could assume it. refs = [\"*\"] is any branch and tag."
  }

  validation {
    condition     = alltrue(flatten([for launcher in values(var.launchers) : [for subject in launcher.subjects : can(regex("^[^*?]{6,}", subject))]]))
    error_message = "subjects must not begin with a pattern: the first six characters have to be plain, such as repo:acme/…, or every GitHub user could assume the role."
  }

  validation {
    condition     = alltrue(flatten([for launcher in values(var.launchers) : [for pool in coalesce(launcher.pools, []) : contains(keys(var.pools), pool)]]))
    error_message = "pools of a launcher must be keys of pools."
  }
}

# What they may touch -------------------------------------------------------------------------------------------------

variable "cluster_arn" {
  description = "The cluster that tasks may be launched in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/.+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of a cluster, arn:aws:ecs:REGION:ACCOUNT:cluster/NAME."
  }
}

variable "pools" {
  description = "What may be launched, by the pool's name: the task definition's `family`, and the key of the job role that its tasks have instead of the plain task role."
  type = map(object({
    family   = string
    job_role = optional(string)
  }))
  nullable = false

  validation {
    condition     = alltrue([for pool in values(var.pools) : can(regex("^[A-Za-z0-9_-]{1,255}$", pool.family))])
    error_message = "family of a pool must be a family's name: letters, digits, - and _, no ARN and no revision."
  }

  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.job_role == null || try(contains(keys(var.job_roles), pool.job_role), false)])
    error_message = "job_role of a pool must be a key of job_roles."
  }
}

variable "mailbox_bucket_arn" {
  description = "ARN of the mailbox bucket."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]+$", var.mailbox_bucket_arn))
    error_message = "mailbox_bucket_arn must be the ARN of a bucket, arn:aws:s3:::NAME."
  }
}

variable "mailbox_prefix" {
  description = "What the keys of assignments begin with."
  type        = string
  default     = "mailbox/"
  nullable    = false

  validation {
    condition     = endswith(var.mailbox_prefix, "/") && length(var.mailbox_prefix) > 1 && !can(regex("[*?]", var.mailbox_prefix))
    error_message = "mailbox_prefix must end with a slash: mailbox/."
  }
}

variable "mailbox_kms_key_arn" {
  description = "KMS key of the mailbox, if it has one of its own."
  type        = string
  default     = null
}

variable "app_key" {
  description = "Where the GitHub App's private key is, as the stack document says it: `kms:ARN` or `secretsmanager:ARN`. Launchers may sign with that key, or read that secret. `env:` and `file:` need no permission."
  type        = string
  default     = null

  validation {
    condition     = var.app_key == null || can(regex("^(kms:arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+|secretsmanager:arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+|(env|file):.+)$", var.app_key))
    error_message = "app_key must be kms:ARN-OF-A-KEY (not of an alias), secretsmanager:ARN, env:VARIABLE or file:PATH."
  }
}

variable "app_secret_kms_key_arn" {
  description = "KMS key that the App's secret in Secrets Manager is encrypted with, if it is not the account's default key."
  type        = string
  default     = null
}

variable "log_group_arn" {
  description = "ARN of the tasks' log group, without `:*`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:logs:[a-z0-9-]+:[0-9]{12}:log-group:[^:*]+$", var.log_group_arn))
    error_message = "log_group_arn must be the ARN of a log group without :* at its end."
  }
}

variable "repository_arns" {
  description = "ECR repositories that tasks' images come from. Empty: the images are public."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.repository_arns : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[^*]+$", arn))])
    error_message = "repository_arns must be ARNs of repositories, arn:aws:ecr:REGION:ACCOUNT:repository/NAME."
  }
}

# What jobs may do beside ---------------------------------------------------------------------------------------------

variable "job_roles" {
  description = "Further task roles, for pools whose jobs use AWS without OIDC, by name; a role is called `STACK-job-NAME`. Each may do what the task role may, and what `policy` (JSON) and `managed_policy_arns` allow."
  type = map(object({
    policy              = optional(string)
    managed_policy_arns = optional(list(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.job_roles) : can(regex("^[A-Za-z0-9_-]{1,30}$", key))])
    error_message = "Keys of job_roles must be 1 to 30 letters, digits, - or _: they are part of a role's name."
  }

  validation {
    condition     = alltrue([for role in values(var.job_roles) : role.policy == null || can(jsondecode(role.policy).Statement)])
    error_message = "policy of a job role must be a policy document as JSON, from jsonencode or data.aws_iam_policy_document."
  }

  validation {
    condition     = alltrue(flatten([for role in values(var.job_roles) : [for arn in role.managed_policy_arns : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", arn))]]))
    error_message = "managed_policy_arns of a job role must be ARNs of policies."
  }
}
