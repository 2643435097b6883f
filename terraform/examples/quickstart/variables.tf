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

variable "image" {
  description = "The runner's image, such as `ghcr.io/OWNER/fleetfoot-runner:TAG` of a release."
  type        = string
}

variable "oidc_provider_arn" {
  description = "The account's IAM OIDC provider for GitHub, if it has one already: an account takes only one."
  type        = string
  default     = null
}
