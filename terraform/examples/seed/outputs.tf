output "workflow_variables" {
  description = "Variables for the environment at GitHub: `FLEETFOOT_STACK`, `FLEETFOOT_ROLE` and `AWS_REGION`."
  value       = module.fleetfoot.workflow_variables
}

output "image_upload_command" {
  description = "What uploads the image's source by hand and builds it; null with CodeCommit."
  value       = module.fleetfoot.image_upload_command
}

output "stack_document" {
  description = "The stack document, by which `fleetfoot connect` knows the repository and its environment."
  value       = module.fleetfoot.stack_document
}

output "stack_parameter" {
  description = "SSM parameter of the stack document."
  value       = module.fleetfoot.stack_parameter
}
