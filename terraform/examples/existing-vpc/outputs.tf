output "workflow_variables" {
  description = "Variables for the environment at GitHub: `FLEETFOOT_STACK`, `FLEETFOOT_ROLE` and `AWS_REGION`."
  value       = module.fleetfoot.workflow_variables
}

output "launcher_role_arns" {
  description = "The two launcher roles: `default` for any branch, `release` for main and version tags."
  value       = module.fleetfoot.launcher_role_arns
}

output "stack_document" {
  description = "The stack document, by which `fleetfoot connect` knows the repository and its environment."
  value       = module.fleetfoot.stack_document
}

output "stack_parameter" {
  description = "SSM parameter of the stack document."
  value       = module.fleetfoot.stack_parameter
}
