output "settings" {
  description = "What `strongroom publish` and `promote` want in the environment."
  value = {
    AWS_REGION          = var.region
    STRONGROOM_REGISTRY = module.registry.uri
    STRONGROOM_KEY      = module.keys.setting
  }
}

output "put_key_command" {
  description = "Makes the sealing key. Once, as the publisher."
  value       = module.keys.put_key_command
}

output "repository_url" {
  description = "Where to push the image."
  value       = module.image.repository_url
}

output "publisher_role_arn" {
  description = "The role that puts keys, pushes, publishes and deploys."
  value       = aws_iam_role.publisher.arn
}

output "github_role_arn" {
  description = "The role that pushes images from GitHub's workflows; null where none may."
  value       = one(module.github[*].role_arn)
}

output "endpoint_name" {
  description = "The endpoint; null before the second apply."
  value       = module.endpoint.endpoint_name
}

output "rollback_alarms" {
  description = "Names of the alarms that roll a deployment back."
  value       = keys(module.observability.rollback_alarms)
}

output "invoke_policy" {
  description = "Policy document (JSON) for a role that calls the endpoint."
  value       = module.endpoint.invoke_policy
}

output "callers_security_group_id" {
  description = "Security group for what calls the endpoint from within the VPC."
  value       = aws_security_group.callers.id
}

output "private_api" {
  description = "What examples/private-api wants, which puts a private API and a firewall before the endpoint."
  value = {
    endpoint_name             = var.name
    vpc_id                    = module.network.vpc_id
    subnet_ids                = module.network.subnet_ids
    callers_security_group_id = aws_security_group.callers.id
    kms_key_arn               = module.observability.kms_key_arn
  }
}
