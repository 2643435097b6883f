output "oidc_provider_arn" {
  description = "The OIDC provider that launcher roles trust; null without launchers."
  value       = local.oidc_provider_arn
}

output "launcher_role_arns" {
  description = "Launcher roles, by name."
  value       = { for name, role in aws_iam_role.launcher : name => role.arn }
}

output "launcher_subjects" {
  description = "Patterns of the token's subject that each launcher role trusts, by name."
  value       = local.subjects
}

output "task_role_arn" {
  description = "The agent's role."
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "Role that ECS uses to pull images and write logs."
  value       = aws_iam_role.execution.arn
}

output "job_role_arns" {
  description = "Further task roles, by name."
  value       = { for name, role in aws_iam_role.job : name => role.arn }
}

output "passable_role_arns" {
  description = "All roles that tasks of this stack may have: the task role, the execution role and the job roles."
  value       = local.passable_role_arns
}

output "launch_policy_json" {
  description = "What a launcher of all pools may do, for the controller's role and for people's."
  value       = data.aws_iam_policy_document.launch["*"].json
}

output "operate_policy_json" {
  description = "What `fleetfoot reap` and `fleetfoot doctor` need beside that."
  value       = data.aws_iam_policy_document.operate.json
}

output "policy_documents" {
  description = "Policies and trust policies of this module's roles as JSON, by name: `launcher/NAME`, `launcher_trust/NAME`, `task`, `tasks_trust`, `execution`, `operate` and `job/NAME`."
  value = merge(
    { for name, document in data.aws_iam_policy_document.launcher : "launcher/${name}" => document.json },
    { for name, document in data.aws_iam_policy_document.launcher_trust : "launcher_trust/${name}" => document.json },
    { for name, document in data.aws_iam_policy_document.job : "job/${name}" => document.json },
    {
      task        = data.aws_iam_policy_document.task.json
      tasks_trust = data.aws_iam_policy_document.tasks_trust.json
      execution   = data.aws_iam_policy_document.execution.json
      operate     = data.aws_iam_policy_document.operate.json
    },
  )
}
