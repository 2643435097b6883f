# For workflows -------------------------------------------------------------------------------------------------------

output "stack_name" {
  description = "The stack's name: `FLEETFOOT_STACK`."
  value       = var.name
}

output "stack_parameter" {
  description = "SSM parameter of the stack document, `/fleetfoot/NAME`."
  value       = module.stack.parameter_name
}

output "stack_document" {
  description = "The stack document, as JSON; `fleetfoot --stack-file` takes it, too."
  value       = module.stack.document
}

output "workflow_variables" {
  description = "Variables of a GitHub environment or repository that launches runners: `FLEETFOOT_STACK`, `FLEETFOOT_ROLE` and `AWS_REGION`."
  value = merge(
    { FLEETFOOT_STACK = var.name, AWS_REGION = local.region },
    local.launcher_role_arn == null ? {} : { FLEETFOOT_ROLE = local.launcher_role_arn },
  )
}

output "launcher_role_arns" {
  description = "Launcher roles, by name."
  value       = module.identity.launcher_role_arns
}

output "launcher_subjects" {
  description = "Patterns of the token's subject that each launcher role trusts, by name."
  value       = module.identity.launcher_subjects
}

# What there is -------------------------------------------------------------------------------------------------------

output "cluster_arn" {
  description = "ARN of the ECS cluster."
  value       = module.cluster.cluster_arn
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = module.cluster.cluster_name
}

output "log_group_name" {
  description = "Log group of all tasks."
  value       = module.cluster.log_group_name
}

output "mailbox_bucket" {
  description = "Bucket where assignments are handed over."
  value       = module.mailbox.bucket
}

output "task_definition_families" {
  description = "Families of the task definitions, by pool."
  value       = module.cluster.families
}

output "task_role_arn" {
  description = "The agent's role."
  value       = module.identity.task_role_arn
}

output "execution_role_arn" {
  description = "Role that ECS uses to pull images and write logs."
  value       = module.identity.execution_role_arn
}

output "job_role_arns" {
  description = "Roles of the jobs of certain pools, by name."
  value       = module.identity.job_role_arns
}

output "oidc_provider_arn" {
  description = "The account's OIDC provider for GitHub; null without launchers."
  value       = module.identity.oidc_provider_arn
}

output "capacity_providers" {
  description = "Capacity providers of the EC2 fleets, by the fleet's name."
  value       = { for key, fleet in module.ec2 : key => fleet.capacity_provider_name }
}

output "autoscaling_groups" {
  description = "Auto-scaling groups of the EC2 fleets, by the fleet's name."
  value       = { for key, fleet in module.ec2 : key => fleet.autoscaling_group_name }
}

# The network ---------------------------------------------------------------------------------------------------------

output "vpc_id" {
  description = "The VPC."
  value       = module.network.vpc_id
}

output "runner_subnet_ids" {
  description = "Subnets of the runners."
  value       = module.network.runner_subnet_ids
}

output "security_group_ids" {
  description = "Security groups of the runners."
  value       = module.network.security_group_ids
}

output "nat_public_ips" {
  description = "The addresses that runners have for others, for allow lists. Empty without a NAT gateway of this stack."
  value       = module.network.nat_public_ips
}

# The image -----------------------------------------------------------------------------------------------------------

output "images" {
  description = "The runner's image, by architecture."
  value       = local.images
}

output "repository_url" {
  description = "The ECR repository; null if `image` is given."
  value       = one(module.registry[*].repository_url)
}

output "image_build_projects" {
  description = "Projects that build the image, by architecture. Empty if `image` is given."
  value       = try(module.image_build[0].project_names, {})
}

output "image_upload_command" {
  description = "What uploads a bundle by hand and starts a build; null if there is nothing to upload."
  value       = try(module.image_build[0].upload_command, null)
}

# The autoscaler ------------------------------------------------------------------------------------------------------

output "controller_service" {
  description = "ECS service of the autoscaler; null if it is off."
  value       = one(module.controller[*].service_name)
}

output "events_queue_url" {
  description = "Queue of task state changes; null if the autoscaler is off."
  value       = one(module.controller[*].events_queue_url)
}

# For auditors --------------------------------------------------------------------------------------------------------

output "policy_documents" {
  description = "Every policy and trust policy of this stack as JSON, by name: `launcher/NAME`, `launcher_trust/NAME`, `task`, `tasks_trust`, `execution`, `operate`, `job/NAME`, `mailbox_bucket`, and, where there is one, those of the image build, the instances (`instance_trust/FLEET`) and the controller."
  value = merge(
    module.identity.policy_documents,
    module.mailbox.policy_documents,
    try(module.image_build[0].policy_documents, {}),
    try(module.controller[0].policy_documents, {}),
    { for key, fleet in module.ec2 : "instance_trust/${key}" => fleet.policy_documents.instance_trust },
  )
}
