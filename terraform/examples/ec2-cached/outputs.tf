output "workflow_variables" {
  description = "Variables for the environment at GitHub: `FLEETFOOT_STACK`, `FLEETFOOT_ROLE` and `AWS_REGION`."
  value       = module.fleetfoot.workflow_variables
}

output "autoscaling_group" {
  description = "The auto-scaling group of the instances."
  value       = module.fleetfoot.autoscaling_groups["cached"]
}

output "stack_document" {
  description = "The stack document, by which `fleetfoot connect` knows the repository and its environment."
  value       = module.fleetfoot.stack_document
}

output "stack_parameter" {
  description = "SSM parameter of the stack document."
  value       = module.fleetfoot.stack_parameter
}

output "capacity_provider" {
  description = "The instances' capacity provider: what a pool's `capacity` names."
  value       = module.fleetfoot.capacity_providers["cached"]
}
