output "events_queue_url" {
  description = "Queue of task state changes: `events_queue` of the stack document."
  value       = aws_sqs_queue.events.url
}

output "events_queue_arn" {
  description = "ARN of the queue."
  value       = aws_sqs_queue.events.arn
}

output "events_rule_name" {
  description = "The EventBridge rule that fills the queue."
  value       = aws_cloudwatch_event_rule.task_state.name
}

output "service_name" {
  description = "The ECS service."
  value       = aws_ecs_service.this.name
}

output "family" {
  description = "Family of the service's task definition."
  value       = aws_ecs_task_definition.this.family
}

output "role_arn" {
  description = "The service's role."
  value       = aws_iam_role.this.arn
}

output "policy_documents" {
  description = "Policies and trust policies of this module's role and queue as JSON, by name."
  value = {
    controller       = data.aws_iam_policy_document.this.json
    controller_trust = data.aws_iam_policy_document.trust.json
    events_queue     = data.aws_iam_policy_document.queue.json
  }
}
