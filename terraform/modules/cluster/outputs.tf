output "cluster_arn" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.this.arn
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "capacity_providers" {
  description = "Capacity providers that the cluster has."
  value       = aws_ecs_cluster_capacity_providers.this.capacity_providers
}

output "log_group_name" {
  description = "Log group of all tasks."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_group_arn" {
  description = "ARN of the log group, without `:*`."
  value       = aws_cloudwatch_log_group.this.arn
}

output "container_name" {
  description = "Name of the container that runs the agent."
  value       = local.container_name
}

output "families" {
  description = "Families of the task definitions, by key. A launch by family takes the newest revision."
  value       = { for key, task in aws_ecs_task_definition.this : key => task.family }
}

output "task_definition_arns" {
  description = "The revisions that Terraform registered, by key."
  value       = { for key, task in aws_ecs_task_definition.this : key => task.arn }
}
