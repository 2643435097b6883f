output "vpc_id" {
  description = "The VPC."
  value       = local.vpc_id
}

output "public_subnet_ids" {
  description = "Public subnets, one a zone."
  value       = local.public_subnet_ids
}

output "private_subnet_ids" {
  description = "Private subnets, one a zone. Without a NAT gateway they lead to S3 and the interface endpoints only."
  value       = local.private_subnet_ids
}

output "runner_subnet_ids" {
  description = "Where runners belong: the private subnets if these have a way out, else the public ones."
  value       = local.runner_subnet_ids
}

output "assign_public_ip" {
  description = "Whether runners need a public address to reach GitHub: they are in public subnets."
  value       = local.assign_public_ip
}

output "security_group_ids" {
  description = "Security groups of runners and instances: everything out, nothing in."
  value       = local.security_group_ids
}

output "nat_public_ips" {
  description = "The addresses that GitHub and others see, for their allow lists. Empty without a NAT gateway of this module."
  value       = aws_eip.nat[*].public_ip
}

output "route_table_ids" {
  description = "Route tables of this module, by name. Empty with an existing VPC."
  value       = local.route_table_ids
}

output "s3_endpoint_id" {
  description = "The S3 gateway endpoint; null if there is none of this module."
  value       = one(aws_vpc_endpoint.s3[*].id)
}

output "interface_endpoint_ids" {
  description = "Interface endpoints, by service."
  value       = { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }
}
