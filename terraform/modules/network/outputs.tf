output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "Ids of the private subnets, one a zone."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "model_security_group_id" {
  description = "Id of the security group for model containers."
  value       = aws_security_group.model.id
}

output "endpoints_security_group_id" {
  description = "Id of the security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}

output "s3_endpoint_id" {
  description = "Id of the S3 endpoint, for `reader_vpc_endpoint_ids` of the registry."
  value       = aws_vpc_endpoint.s3.id
}

output "interface_endpoint_ids" {
  description = "Ids of the interface endpoints by service; `secretsmanager` is for `reader_vpc_endpoint_ids` of the keys."
  value       = { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }
}

output "endpoint_policies" {
  description = "By service, the policy document (JSON) of its endpoint."
  value       = merge({ s3 = aws_vpc_endpoint.s3.policy }, { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.policy })
}
