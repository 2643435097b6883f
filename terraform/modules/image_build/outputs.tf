output "images" {
  description = "The newest image of each architecture. Before the first build its tag is `not-built-yet`."
  value       = { for arch, parameter in aws_ssm_parameter.image : arch => parameter.insecure_value }
}

output "runner_versions" {
  description = "The version of GitHub's runner in the newest image of each architecture; null before the first build."
  value       = local.runner_versions
}

output "image_parameters" {
  description = "SSM parameters that hold the name of the newest image, by architecture. Builds write them."
  value       = { for arch, parameter in aws_ssm_parameter.image : arch => parameter.name }
}

output "project_names" {
  description = "Build projects, by architecture."
  value       = { for arch, project in aws_codebuild_project.this : arch => project.name }
}

output "bucket" {
  description = "Bucket of the bundle; null with CodeCommit."
  value       = one(aws_s3_bucket.source[*].bucket)
}

output "upload_command" {
  description = "What uploads the folder `image` by hand and starts the builds; null with CodeCommit."
  value       = local.upload_command
}

output "build_commands" {
  description = "What starts a build by hand, by architecture."
  value       = local.build_commands
}

output "role_arns" {
  description = "The roles of this module: `build` and `trigger`."
  value       = { build = aws_iam_role.build.arn, trigger = aws_iam_role.trigger.arn }
}

output "policy_documents" {
  description = "Policies and trust policies of this module's roles and bucket as JSON, by name."
  value = merge(
    {
      image_build         = data.aws_iam_policy_document.build.json
      image_build_trust   = data.aws_iam_policy_document.build_trust.json
      image_trigger       = data.aws_iam_policy_document.trigger.json
      image_trigger_trust = data.aws_iam_policy_document.trigger_trust.json
    },
    { for document in data.aws_iam_policy_document.source_tls_only : "image_source_bucket" => document.json },
  )
}
