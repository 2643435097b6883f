variable "region" {
  description = "AWS region of the stack."
  type        = string
  default     = "us-east-1"
}

variable "repository" {
  description = "The repository whose jobs get runners, such as `acme/shop`."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be OWNER/NAME, such as acme/shop."
  }
}

variable "environment" {
  description = "The environment at GitHub that launching jobs run in. Only they may launch."
  type        = string
  default     = "dev"
}

variable "codecommit_repository" {
  description = "CodeCommit repository with the image's source, as in the article. Most accounts cannot have new ones."
  type        = string
  default     = null
}

variable "image_source" {
  description = "Folder with the Dockerfile and the binaries to build the runner image from: `image/` of the project. Without it, upload the bundle by hand (output `image_upload_command`)."
  type        = string
  default     = null
}

variable "oidc_provider_arn" {
  description = "The account's IAM OIDC provider for GitHub, if it has one already: an account takes only one."
  type        = string
  default     = null
}
