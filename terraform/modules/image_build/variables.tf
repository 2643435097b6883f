variable "name" {
  description = "Prefix of all names; usually the stack's name."
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

variable "repository_arn" {
  description = "ARN of the ECR repository to push to."
  type        = string
  nullable    = false
}

variable "repository_url" {
  description = "URL of the ECR repository to push to."
  type        = string
  nullable    = false
}

variable "architectures" {
  description = "Architectures to build for, each natively and by a project of its own: `x86_64`, `arm64`."
  type        = set(string)
  default     = ["x86_64"]
  nullable    = false

  validation {
    condition     = length(var.architectures) > 0 && alltrue([for arch in var.architectures : contains(["x86_64", "arm64"], arch)])
    error_message = "architectures must be x86_64, arm64 or both."
  }
}

# What is built -------------------------------------------------------------------------------------------------------

variable "source_dir" {
  description = "Local folder to upload as the bundle: `image/` of the project with the binaries `fleetfoot-amd64` and `fleetfoot-arm64` in it. Without it, fill the bundle by hand (output `upload_command`)."
  type        = string
  default     = null

  validation {
    condition     = var.source_dir == null || try(fileexists("${var.source_dir}/Dockerfile"), false)
    error_message = "source_dir must be a folder with a Dockerfile in it, such as \"$${path.root}/../image\"."
  }
}

variable "codecommit_repository" {
  description = "Name of a CodeCommit repository in this account and region to build from, instead of the bundle in S3. AWS offers CodeCommit to some accounts only, so the module does not create it."
  type        = string
  default     = null

  validation {
    condition     = var.codecommit_repository == null || can(regex("^[A-Za-z0-9._-]{1,100}$", var.codecommit_repository))
    error_message = "codecommit_repository must be a repository's name, not its URL or ARN."
  }

  validation {
    condition     = var.codecommit_repository == null || var.source_dir == null
    error_message = "The image is built from the bundle (source_dir) or from CodeCommit (codecommit_repository), not from both."
  }
}

variable "codecommit_branch" {
  description = "Branch of the CodeCommit repository. A push to it starts a build."
  type        = string
  default     = "main"
  nullable    = false
}

variable "runner_version" {
  description = "Version of GitHub's runner, such as `2.336.0`. Without it each build takes the newest release, because GitHub refuses runners that are over 30 days behind."
  type        = string
  default     = null

  validation {
    condition     = var.runner_version == null || can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.runner_version))
    error_message = "runner_version must be a version of actions/runner, such as 2.336.0."
  }
}

variable "base_image" {
  description = "Image to build on, with a runner in /home/runner and a user `runner`. Without it: GitHub's own image in `runner_version`."
  type        = string
  default     = null
}

variable "keep_sudo" {
  description = "Whether jobs may become root, as in GitHub's image. A job that is root can use the task role."
  type        = bool
  default     = false
  nullable    = false
}

variable "target" {
  description = "Stage of the Dockerfile to build instead of its last: `read-only` is the one for tasks with a read-only root file system on Fargate."
  type        = string
  default     = null

  validation {
    condition     = var.target == null || can(regex("^[a-z0-9][a-z0-9_.-]*$", var.target))
    error_message = "target must be the name of a stage, such as read-only."
  }
}

# When, and what it changes -------------------------------------------------------------------------------------------

variable "schedule" {
  description = "When to build again, as an EventBridge schedule in UTC; empty: never. A build a week takes about 3 minutes for each architecture."
  type        = string
  default     = "cron(17 3 ? * MON *)"
  nullable    = false

  validation {
    condition     = var.schedule == "" || can(regex("^(cron|rate)\\(.+\\)$", var.schedule))
    error_message = "schedule must be cron(…) or rate(…), such as rate(7 days), or empty."
  }
}

variable "families" {
  description = "Task definition families of runners that get a new revision with each image, by architecture. Without them a new image is only in the parameter, for the next `terraform apply`."
  type        = map(list(string))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for arch in keys(var.families) : contains(["x86_64", "arm64"], arch)])
    error_message = "families has the keys x86_64 and arm64."
  }

  validation {
    condition     = length(flatten(values(var.families))) + length(flatten(values(var.services))) == 0 || length(var.passed_role_arns) > 0
    error_message = "Task definitions name roles: give those of families and services in passed_role_arns, or a build could not register them."
  }
}

variable "services" {
  description = "ECS services that run on the image, too, and get a new revision of their `family` with each, by architecture. All are names."
  type = map(list(object({
    cluster = string
    name    = string
    family  = string
  })))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for arch in keys(var.services) : contains(["x86_64", "arm64"], arch)])
    error_message = "services has the keys x86_64 and arm64."
  }
}

variable "passed_role_arns" {
  description = "Roles that the task definitions of `families` and `services` name: whoever registers a revision must be allowed to pass them."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "log_retention_days" {
  description = "How long to keep build logs."
  type        = number
  default     = 14
  nullable    = false
}

variable "log_kms_key_arn" {
  description = "KMS key to encrypt build logs with. CloudWatch Logs uses its own without it."
  type        = string
  default     = null
}

variable "compute_type" {
  description = "Size of the build machine. The smallest does: nothing is compiled."
  type        = string
  default     = "BUILD_GENERAL1_SMALL"
  nullable    = false

  validation {
    condition     = contains(["BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_MEDIUM", "BUILD_GENERAL1_LARGE"], var.compute_type)
    error_message = "compute_type must be BUILD_GENERAL1_SMALL, BUILD_GENERAL1_MEDIUM or BUILD_GENERAL1_LARGE."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of all roles."
  type        = string
  default     = null
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
