output "egress_addresses" {
  description = "The address that runners have for others."
  value       = module.fleetfoot.nat_public_ips
}

output "controller_service" {
  description = "ECS service of the autoscaler."
  value       = module.fleetfoot.controller_service
}

output "image_upload_command" {
  description = "What uploads the image's source by hand and builds it."
  value       = module.fleetfoot.image_upload_command
}

output "stack_parameter" {
  description = "SSM parameter of the stack document."
  value       = module.fleetfoot.stack_parameter
}
