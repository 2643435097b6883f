variable "region" {
  description = "AWS region of the stack."
  type        = string
  default     = "us-east-1"
}

variable "organisation" {
  description = "The organisation at GitHub whose jobs get runners."
  type        = string
}

variable "app_client_id" {
  description = "Client id of a GitHub App with the organisation permission *Self-hosted runners: write*."
  type        = string
}

variable "app_installation_id" {
  description = "Its installation in the organisation; looked up without it."
  type        = number
  default     = null
}

variable "app_key_arn" {
  description = "KMS key (RSA_2048, SIGN_VERIFY, imported) that is the App's private key. Nobody can read it, and the controller alone may sign with it."
  type        = string
}

variable "image_source" {
  description = "Folder with the Dockerfile and the binaries to build the runner image from: `image/` of the project. Without it, upload the bundle by hand (output `image_upload_command`)."
  type        = string
  default     = null
}
