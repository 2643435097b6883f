output "capacity_provider_name" {
  description = "What a pool's capacity names."
  value       = aws_ecs_capacity_provider.this.name
}

output "autoscaling_group_name" {
  description = "The auto-scaling group."
  value       = aws_autoscaling_group.this.name
}

output "autoscaling_group_arn" {
  description = "ARN of the auto-scaling group."
  value       = aws_autoscaling_group.this.arn
}

output "launch_template_id" {
  description = "The launch template."
  value       = aws_launch_template.this.id
}

output "instance_role_arn" {
  description = "Role of the instances."
  value       = aws_iam_role.instance.arn
}

output "user_data" {
  description = "The script that each instance runs at its first boot."
  value       = local.user_data
}

output "policy_documents" {
  description = "The trust policy of the instance role as JSON, by name; its permissions are two policies that AWS manages."
  value       = { instance_trust = data.aws_iam_policy_document.instance_trust.json }
}
